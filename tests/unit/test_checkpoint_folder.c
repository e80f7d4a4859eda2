/* checkpoint/folder: names by step, the newest that verifies, and what keep-N may remove. */
#include "check.h"

#include "colrow/checkpoint.h"

#include <stdlib.h>
#include <unistd.h>

static int setup(void **state)
{
    static char folder[64];
    (void)snprintf(folder, sizeof folder, "/tmp/colrow-folder-XXXXXX");
    *state = mkdtemp(folder);
    return *state != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r '%s'", (char *)*state);
    return system(command);
}

static void make(const char *folder, int64_t step)
{
    char path[CR_PATH_MAX];
    const cr_attribute attribute = {.name = "step", .type = CR_ATTRIBUTE_I64, .i64 = step};
    ASSERT_OK(cr_checkpoint_name(path, folder, step));
    ASSERT_OK(cr_checkpoint_write(path, NULL, 0, &attribute, 1));
}

static void damage(const char *folder, int64_t step)
{
    char path[CR_PATH_MAX];
    ASSERT_OK(cr_checkpoint_name(path, folder, step));
    assert_int_equal(truncate(path, 600), 0);
}

static bool is_there(const char *folder, int64_t step)
{
    char path[CR_PATH_MAX];
    ASSERT_OK(cr_checkpoint_name(path, folder, step));
    return access(path, F_OK) == 0;
}

static void assert_newest(const char *folder, int64_t step)
{
    char expected[CR_PATH_MAX], found[CR_PATH_MAX];
    bool any = false;
    ASSERT_OK(cr_checkpoint_name(expected, folder, step));
    ASSERT_OK(cr_checkpoint_newest(found, &any, folder));
    assert_true(any);
    assert_string_equal(found, expected);
}

static void name_has_eight_digits(void **state)
{
    char path[CR_PATH_MAX];
    (void)state;
    ASSERT_OK(cr_checkpoint_name(path, "run/checkpoints", 812));
    assert_string_equal(path, "run/checkpoints/step-00000812.h5");
}

static void newest_goes_by_number(void **state)
{
    const char *folder = *state;
    make(folder, 9);
    make(folder, 10);
    assert_newest(folder, 10);
    make(folder, 99999999);
    make(folder, 100000000); /* before step-9... in the order of names */
    assert_newest(folder, 100000000);
}

static void newest_of_nothing(void **state)
{
    char path[CR_PATH_MAX];
    const char *folder = *state;
    bool found = true;
    ASSERT_OK(cr_checkpoint_newest(path, &found, "/nowhere/checkpoints"));
    assert_false(found);
    ASSERT_OK(cr_path_join(path, folder, "step-7.h5")); /* not a name of ours */
    ASSERT_OK(cr_file_write(path, "x", 1));
    found = true;
    ASSERT_OK(cr_checkpoint_newest(path, &found, folder));
    assert_false(found);
    ASSERT_FAILS(cr_checkpoint_newest(path, &found, "/dev/null"), CR_BAD_DATA, "cannot list");
}

static void newest_falls_back(void **state)
{
    char path[CR_PATH_MAX];
    const char *folder = *state;
    bool found = false;
    for (int64_t step = 1; step <= 3; step++)
        make(folder, step);
    damage(folder, 3);
    assert_newest(folder, 2);
    damage(folder, 2);
    damage(folder, 1);
    ASSERT_FAILS(cr_checkpoint_newest(path, &found, folder), CR_BAD_DATA, "none of 3");
}

static void prune_keeps_the_newest(void **state)
{
    const char *folder = *state;
    for (int64_t step = 8; step <= 12; step++)
        make(folder, step);
    ASSERT_OK(cr_checkpoint_prune(folder, 0, NULL));
    ASSERT_OK(cr_checkpoint_prune(folder, 5, NULL));
    assert_true(is_there(folder, 8));
    ASSERT_OK(cr_checkpoint_prune(folder, 2, NULL));
    for (int64_t step = 8; step <= 12; step++)
        assert_int_equal(is_there(folder, step), step >= 11);
    ASSERT_OK(cr_checkpoint_prune("/nowhere/checkpoints", 2, NULL));
}

static void prune_keeps_the_best(void **state)
{
    char best[CR_PATH_MAX];
    const char *folder = *state;
    for (int64_t step = 1; step <= 4; step++)
        make(folder, step);
    (void)snprintf(best, sizeof best, "%s/./step-00000002.h5", folder); /* written otherwise */
    ASSERT_OK(cr_checkpoint_prune(folder, 1, best));
    for (int64_t step = 1; step <= 4; step++)
        assert_int_equal(is_there(folder, step), step == 2 || step == 4);
}

/* A damaged file with a high step must not push the last good one out. */
static void prune_keeps_the_last_good(void **state)
{
    const char *folder = *state;
    for (int64_t step = 1; step <= 4; step++)
        make(folder, step);
    damage(folder, 3);
    damage(folder, 4);
    ASSERT_OK(cr_checkpoint_prune(folder, 1, NULL));
    assert_false(is_there(folder, 1));
    assert_newest(folder, 2);
    damage(folder, 2); /* now none is known to be good: none goes */
    ASSERT_OK(cr_checkpoint_prune(folder, 1, NULL));
    assert_true(is_there(folder, 2));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(name_has_eight_digits),     TEST(newest_goes_by_number),  TEST(newest_of_nothing),
        TEST(newest_falls_back),         TEST(prune_keeps_the_newest), TEST(prune_keeps_the_best),
        TEST(prune_keeps_the_last_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
