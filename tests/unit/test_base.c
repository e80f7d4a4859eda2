/* base: status trail, arenas, random numbers, phases, whole files. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static cr_status deep(int value)
{
    CR_CHECK(value > 0, CR_BAD_DATA, "expected a positive value, found %d\n", value);
    return CR_OK;
}

static cr_status shallow(int value)
{
    CR_TRY(deep(value));
    return CR_OK;
}

static void failure_keeps_message_and_trail(void **state)
{
    (void)state;
    ASSERT_OK(shallow(1));
    ASSERT_FAILS(shallow(-3), CR_BAD_DATA, "found -3");
    assert_non_null(strstr(cr_error_trail(), " < "));
    assert_int_equal(cr_fail_prefix(CR_BAD_DATA, "file %s", "x"), CR_BAD_DATA);
    assert_ptr_equal(strstr(cr_error_message(), "file x: expected"), cr_error_message());
}

static void reserved_arrays_keep_what_they_hold(void **state)
{
    (void)state;
    int *numbers = NULL;
    for (int i = 0; i < 1000; i++) {
        ASSERT_OK(cr_reserve((void **)&numbers, i, sizeof *numbers));
        numbers[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(numbers[i], i);
    CR_FREE(numbers);
}

static void *lay_out(cr_arena *arena)
{
    (void)cr_arena_take(arena, 3, sizeof(float));
    return cr_arena_take(arena, 100, sizeof(double));
}

static void arena_measures_then_gives(void **state)
{
    (void)state;
    cr_arena measured = {0};
    assert_null(lay_out(&measured));
    assert_int_equal(measured.used, 64 + 832);
    cr_arena arena;
    ASSERT_OK(cr_arena_create(&arena, measured.used));
    double *second = lay_out(&arena);
    assert_ptr_equal(second, arena.base + 64);
    assert_int_equal((uintptr_t)second % CR_ALIGNMENT, 0);
    assert_true(second[99] == 0.0);
    cr_arena_free(&arena);
}

static void sizes_are_checked(void **state)
{
    (void)state;
    int narrow = 0;
    size_t product = 0;
    ASSERT_OK(cr_to_int(&narrow, 7, "seven"));
    assert_int_equal(narrow, 7);
    ASSERT_FAILS(cr_to_int(&narrow, INT64_C(1) << 31, "rows"), CR_INTERNAL, "rows");
    ASSERT_OK(cr_size_multiply(&product, 6, 7, "bytes"));
    assert_int_equal(product, 42);
    ASSERT_FAILS(cr_size_multiply(&product, SIZE_MAX, 2, "bytes"), CR_INTERNAL, "bytes");
}

/* Known answer of Philox4x32-10 for an all-zero key and counter (Random123's kat_vectors). */
static void random_is_philox(void **state)
{
    (void)state;
    cr_random_key key = {0};
    uint32_t block[4];
    cr_random_block(block, &key, 0);
    assert_int_equal(block[0], 0x6627e8d5u);
    assert_int_equal(block[1], 0xe169c58du);
    assert_int_equal(block[2], 0xbc57ac4cu);
    assert_int_equal(block[3], 0x9b00dbd8u);
}

static void random_key_parts_all_count(void **state)
{
    (void)state;
    cr_random_key keys[] = {{1, CR_STREAM_TEST, 0, 0, 0},    {2, CR_STREAM_TEST, 0, 0, 0},
                            {1, CR_STREAM_DROPOUT, 0, 0, 0}, {1, CR_STREAM_TEST, 1, 0, 0},
                            {1, CR_STREAM_TEST, 0, 1, 0},    {1, CR_STREAM_TEST, 0, 0, 1}};
    uint32_t first[6];
    for (int i = 0; i < 6; i++) {
        uint32_t block[4];
        cr_random_block(block, &keys[i], 0);
        first[i] = block[0];
        for (int j = 0; j < i; j++)
            assert_int_not_equal(first[i], first[j]);
    }
}

/* Means of 1e5 numbers: standard errors are 0.0009 (uniform), 0.0032 (normal), 0.0045 (its square).
 */
static void random_moments(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    cr_random random = cr_random_start((cr_random_key){.seed = 5, .stream = CR_STREAM_TEST});
    double uniform = 0, normal = 0, square = 0, below = 0;
    for (int i = 0; i < COUNT; i++) {
        double u = cr_random_uniform(&random);
        double z = cr_random_normal(&random);
        assert_true(u > 0 && u < 1);
        uniform += u / COUNT;
        normal += z / COUNT;
        square += z * z / COUNT;
        below += cr_random_below(&random, 7) / (double)COUNT;
    }
    ASSERT_NEAR(uniform, 0.5, 4 * 0.0009);
    ASSERT_NEAR(normal, 0.0, 4 * 0.0032);
    ASSERT_NEAR(square, 1.0, 4 * 0.0045);
    ASSERT_NEAR(below, 3.0, 4 * 2.0 / sqrt(COUNT));
}

static void hash_is_xxh64_and_chains(void **state)
{
    (void)state;
    assert_true(cr_hash("", 0, 0) == UINT64_C(0xef46db3751d8e999)); /* published test vector */
    assert_true(cr_hash("a", 1, 1) != cr_hash("a", 1, 2));
}

static void phases_charge_the_innermost(void **state)
{
    (void)state;
    double start = cr_seconds();
    double before[CR_PHASES];
    cr_phase outer = cr_phase_enter(CR_PHASE_FORWARD);
    for (int p = 0; p < CR_PHASES; p++)
        before[p] = cr_phase_seconds((cr_phase)p);
    cr_phase inner = cr_phase_enter(CR_PHASE_SAMPLE);
    while (cr_seconds() - start < 0.01)
        continue;
    cr_phase_leave(inner);
    cr_phase_leave(outer);
    double sample = cr_phase_seconds(CR_PHASE_SAMPLE) - before[CR_PHASE_SAMPLE];
    double forward = cr_phase_seconds(CR_PHASE_FORWARD) - before[CR_PHASE_FORWARD];
    assert_true(sample > 0.005);
    assert_true(forward < sample);
    assert_string_equal(cr_phase_name(CR_PHASE_CHECKPOINT), "checkpoint");
    for (int p = 0; p < CR_PHASES; p++)
        assert_non_null(cr_phase_name((cr_phase)p));
}

static void files_are_whole_or_absent(void **state)
{
    (void)state;
    char folder[] = "/tmp/colrow-base-XXXXXX";
    char path[CR_PATH_MAX], stale[CR_PATH_MAX];
    assert_non_null(mkdtemp(folder));
    ASSERT_OK(cr_path_join(path, folder, "a/b"));
    ASSERT_OK(cr_folder_make(path));
    ASSERT_OK(cr_folder_make(path)); /* again: it is there */
    ASSERT_OK(cr_path_join(path, folder, "a/b/file"));
    ASSERT_FAILS(cr_folder_make("/dev/null/x"), CR_CANNOT_WRITE, "/dev/null/x");
    ASSERT_OK(cr_file_write(path, "hello", 5));
    char *text = NULL;
    size_t bytes = 0;
    ASSERT_OK(cr_file_read(&text, &bytes, path));
    assert_int_equal(bytes, 5);
    assert_string_equal(text, "hello");
    CR_FREE(text);
    ASSERT_FAILS(cr_file_write("/nowhere/file", "x", 1), CR_CANNOT_WRITE, "/nowhere/");
    ASSERT_FAILS(cr_file_read(&text, &bytes, "/nowhere/file"), CR_BAD_DATA, "/nowhere/file");
    ASSERT_FAILS(cr_file_read(&text, &bytes, folder), CR_BAD_DATA, "expected a file");

    ASSERT_OK(cr_file_temporary(stale, path)); /* ours and alive: the sweep must leave it */
    ASSERT_OK(cr_file_write(stale, "x", 1));
    *strrchr(path, '/') = '\0';
    assert_int_equal(cr_file_sweep(path), 0);
    assert_int_equal(unlink(stale), 0);
    (void)snprintf(strrchr(stale, '-'), 16, "-999999999"); /* no such process */
    ASSERT_OK(cr_file_write(stale, "x", 1));
    assert_int_equal(cr_file_sweep(path), 1);
    assert_int_not_equal(access(stale, F_OK), 0);
    ASSERT_OK(cr_path_join(path, folder, "a/b/file"));
    assert_int_equal(unlink(path), 0);
    for (int depth = 0; depth < 3; depth++) {
        *strrchr(path, '/') = '\0';
        assert_int_equal(rmdir(path), 0);
    }
}

/* ---- tick --------------------------------------------------------------------------------------
 */

static void count_call(void *self)
{
    ++*(int *)self;
}

/* Called from the computation, but not each time, and after little work not at all; by nobody once
 * it is taken away. */
static void a_tick_comes_now_and_then(void **state)
{
    (void)state;
    int calls = 0;
    int asked = 0;
    cr_tick(1); /* nothing set: no harm */
    cr_tick_set(count_call, &calls);
    for (int i = 0; i < 1000; i++)
        cr_tick(1);
    assert_int_equal(calls, 0);
    for (double end = cr_seconds() + 0.01; cr_seconds() < end; asked++)
        cr_tick(1 << 19);
    assert_in_range(calls, 1, 51); /* 0.2 ms apart */
    assert_true(asked >= calls);
    cr_tick_set(NULL, NULL);
    int before = calls;
    for (double end = cr_seconds() + 0.002; cr_seconds() < end;)
        cr_tick(1 << 20);
    assert_int_equal(calls, before);
}

/* What is in a pipe, as text; ended by 0. */
static void drain(int end, char *text, size_t size)
{
    ssize_t count = read(end, text, size - 1);
    assert_true(count > 0);
    text[count] = '\0';
}

/* Lines that nobody reads hold nobody up, and are told of as soon as somebody does. */
static void the_log_does_not_wait_for_a_reader(void **state)
{
    enum { LINES = 5000, ROOM = 1 << 20 };
    int ends[2];
    int terminal = dup(STDERR_FILENO);
    char *text = malloc(ROOM);
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    for (int i = 0; i < LINES; i++) /* several times what a pipe holds */
        cr_log_info("line %060d", i);
    drain(ends[0], text, ROOM);
    assert_non_null(strstr(text, "line 000"));
    assert_null(strstr(text, "missing"));
    cr_log_info("the last");
    drain(ends[0], text, ROOM);
    assert_true(dup2(terminal, STDERR_FILENO) >= 0);
    int missing = 0;
    assert_int_equal(sscanf(text, "colrow: %d lines are missing here", &missing), 1);
    assert_true(missing > 0 && missing < LINES);
    assert_non_null(strstr(text, "\ncolrow: the last\n"));
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)close(terminal);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failure_keeps_message_and_trail),
        cmocka_unit_test(the_log_does_not_wait_for_a_reader),
        cmocka_unit_test(reserved_arrays_keep_what_they_hold),
        cmocka_unit_test(arena_measures_then_gives),
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(random_is_philox),
        cmocka_unit_test(random_key_parts_all_count),
        cmocka_unit_test(random_moments),
        cmocka_unit_test(hash_is_xxh64_and_chains),
        cmocka_unit_test(phases_charge_the_innermost),
        cmocka_unit_test(a_tick_comes_now_and_then),
        cmocka_unit_test(files_are_whole_or_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
