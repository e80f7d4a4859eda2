/* data: the real digits, split, order, fetch, and one copy shared by the ranks of a node. */
#include "check.h"
#include "idx_files.h"
#include "node.h"

#include "colrow/data.h"

static cr_data_options digits_options(int validation)
{
    return (cr_data_options){
        .kind = "digits", .path = SOURCE_DIR "/src/data/digits", .validation = validation};
}

static cr_data open_digits(int validation)
{
    cr_data_options options = digits_options(validation);
    cr_data data;
    ASSERT_OK(cr_data_open(&data, &options, NULL, NULL));
    return data;
}

/* ---- opening --------------------------------------------------------------------------------- */

static void check_part(const cr_data_part *part, int64_t count)
{
    int seen[10] = {0};
    assert_int_equal(part->count, count);
    assert_int_equal(part->h, 8);
    assert_int_equal(part->w, 8);
    assert_int_equal(part->c, 1);
    assert_int_equal(part->classes, 10);
    for (int64_t i = 0; i < count; i++) {
        assert_true(part->labels[i] < 10);
        seen[part->labels[i]]++;
    }
    for (int i = 0; i < 10; i++)
        assert_true(seen[i] > count / 20); /* all ten digits, about a tenth each */
}

static void digits_are_the_published_ones(void **state)
{
    (void)state;
    const uint8_t first[] = {0, 1, 2, 3, 5, 6, 7, 8, 0, 1};
    cr_data data = open_digits(0);
    check_part(&data.train, 1438);
    check_part(&data.test, 359);
    assert_int_equal(data.valid.count, 0);
    assert_memory_equal(data.train.labels, first, sizeof first);
    cr_data_free(&data);
    assert_null(data.blocks[0]);
    assert_int_equal(data.train.count, 0);
}

static void digits_are_found_without_a_path(void **state)
{
    (void)state;
    char folder[CR_PATH_MAX];
    char digits[CR_PATH_MAX];
    cr_data_options options = {.kind = "digits"};
    cr_data data;
    assert_int_equal(unsetenv("COLROW_DATA"), 0);
    ASSERT_OK(cr_data_open(&data, &options, NULL, NULL));
    check_part(&data.train, 1438);
    cr_data_free(&data);

    idx_folder(folder);
    ASSERT_OK(cr_path_join(digits, folder, "digits"));
    ASSERT_OK(cr_folder_make(digits));
    assert_int_equal(setenv("COLROW_DATA", folder, 1), 0);
    ASSERT_OK(cr_data_open(&data, &options, NULL, NULL)); /* nothing there: look further */
    cr_data_free(&data);
    idx_put_set(digits, 5, 5);
    ASSERT_OK(cr_data_open(&data, &options, NULL, NULL));
    assert_int_equal(data.train.h, 5);
    cr_data_free(&data);
    idx_folder_remove(digits);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(unsetenv("COLROW_DATA"), 0);
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    cr_data data = {.train.count = 7};
    cr_data_options options = {.kind = "digit"};
    ASSERT_FAILS(cr_data_open(&data, &options, NULL, NULL), CR_BAD_CONFIG, "found 'digit'");
    options = (cr_data_options){.kind = "mnist"};
    ASSERT_FAILS(cr_data_open(&data, &options, NULL, NULL), CR_BAD_CONFIG, "data.path");
    options = (cr_data_options){.kind = "digits", .path = "/nowhere"};
    ASSERT_FAILS(cr_data_open(&data, &options, NULL, NULL), CR_BAD_DATA, "/nowhere/train-images");
    options = digits_options(1438);
    ASSERT_FAILS(cr_data_open(&data, &options, NULL, NULL), CR_BAD_CONFIG,
                 "expected fewer than the 1438 training samples, found 1438");
    assert_int_equal(data.train.count, 7); /* outputs are filled on success alone */
}

static void mnist_is_28_by_28(void **state)
{
    (void)state;
    cr_data_options options = {.kind = "mnist"};
    cr_data data;
    idx_folder(options.path);
    idx_put_set(options.path, 28, 28);
    ASSERT_OK(cr_data_open(&data, &options, NULL, NULL));
    assert_int_equal(data.train.count, 6);
    assert_int_equal(data.test.count, 3);
    assert_int_equal(data.test.values[3 * 784 - 1], (3 * 784 - 1) % 256);
    cr_data_free(&data);
    idx_put_set(options.path, 8, 8);
    ASSERT_FAILS(cr_data_open(&data, &options, NULL, NULL), CR_BAD_DATA,
                 "expected images of 28 x 28, found 8 x 8");
    idx_folder_remove(options.path);
}

static void validation_is_a_view_of_the_first(void **state)
{
    (void)state;
    cr_data whole = open_digits(0);
    cr_data cut = open_digits(100);
    assert_int_equal(cut.valid.count, 100);
    assert_int_equal(cut.train.count, 1338);
    assert_int_equal(cut.test.count, 359);
    assert_ptr_equal(cut.valid.values + 100 * 64, cut.train.values);
    assert_ptr_equal(cut.valid.labels + 100, cut.train.labels);
    assert_memory_equal(cut.valid.values, whole.train.values, 1438 * 64);
    assert_memory_equal(cut.valid.labels, whole.train.labels, 1438);
    cr_data_free(&cut);
    cr_data_free(&whole);
}

/* ---- order ----------------------------------------------------------------------------------- */

enum { COUNT = 1000 };

static void order_is_a_permutation(void **state)
{
    (void)state;
    uint32_t order[COUNT];
    bool seen[COUNT] = {false};
    int in_place = 0;
    cr_data_order(order, COUNT, true, 11, 3);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_true(order[i] < COUNT && !seen[order[i]]);
        seen[order[i]] = true;
        in_place += order[i] == i;
    }
    assert_true(in_place < 10); /* Poisson of mean 1: ten or more has probability 1e-7 */
    cr_data_order(order, COUNT, false, 11, 3);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(order[i], i);
    cr_data_order(order, 1, true, 11, 3);
    assert_int_equal(order[0], 0);
}

static void order_is_keyed_by_seed_and_epoch(void **state)
{
    (void)state;
    uint32_t order[COUNT], again[COUNT], epoch[COUNT], seed[COUNT];
    cr_data_order(order, COUNT, true, 11, 3);
    cr_data_order(again, COUNT, true, 11, 3);
    cr_data_order(epoch, COUNT, true, 11, 4);
    cr_data_order(seed, COUNT, true, 12, 3);
    assert_memory_equal(order, again, sizeof order);
    assert_memory_not_equal(order, epoch, sizeof order);
    assert_memory_not_equal(order, seed, sizeof order);
    assert_memory_not_equal(epoch, seed, sizeof order);
}

/* All 6 orders of 3 samples are equally likely: 6000 epochs give each 1000 +- 4 * 28.9. */
static void order_is_uniform(void **state)
{
    (void)state;
    int times[3][3] = {{0}};
    for (uint32_t epoch = 0; epoch < 6000; epoch++) {
        uint32_t order[3];
        cr_data_order(order, 3, true, 1, epoch);
        times[order[0]][order[1]]++;
    }
    for (int i = 0; i < 9; i++)
        if (i / 3 != i % 3)
            ASSERT_NEAR(times[i / 3][i % 3], 1000, 4 * 28.9);
}

/* ---- fetch ----------------------------------------------------------------------------------- */

/* 256 samples; value j of sample i is (i + j) % 256, its label i % 10. */
static cr_data_part make_part(uint8_t *values, uint8_t *labels, int size)
{
    for (int i = 0; i < 256; i++) {
        labels[i] = (uint8_t)(i % 10);
        for (int j = 0; j < size; j++)
            values[i * size + j] = (uint8_t)(i + j);
    }
    return (cr_data_part){
        .count = 256, .h = 1, .w = size, .c = 1, .classes = 10, .values = values, .labels = labels};
}

static void check_row(const float *x, int label, int size, int sample)
{
    assert_int_equal(label, sample % 10);
    for (int j = 0; j < size; j++)
        assert_true(x[j] == (float)((sample + j) % 256) / 255.0f); /* exact: each byte occurs */
}

static void fetch_gives_value_over_255(void **state)
{
    (void)state;
    enum { SIZE = 37 }; /* no multiple of a vector */
    static uint8_t values[256 * SIZE], labels[256];
    static float x[256 * SIZE + 1];
    int y[257] = {0};
    uint32_t order[256];
    cr_data_part part = make_part(values, labels, SIZE);
    const cr_data_view plain = {.part = &part};
    const cr_data_view ordered = {.part = &part, .order = order};
    cr_data_order(order, 256, true, 2, 0);
    x[256 * SIZE] = -1;
    y[256] = -1;
    cr_data_fetch(x, y, &plain, 0, 256);
    for (int row = 0; row < 256; row++)
        check_row(x + row * SIZE, y[row], SIZE, row);
    cr_data_fetch(x, y, &plain, 250, 6); /* a partial batch at the end */
    for (int row = 0; row < 6; row++)
        check_row(x + row * SIZE, y[row], SIZE, 250 + row);
    check_row(x + 6 * SIZE, y[6], SIZE, 6); /* nothing more was written */
    cr_data_fetch(x, y, &ordered, 100, 50);
    for (int row = 0; row < 50; row++)
        check_row(x + row * SIZE, y[row], SIZE, (int)order[100 + row]);
    cr_data_fetch(x, y, &ordered, 0, 256);
    assert_true(x[256 * SIZE] == -1 && y[256] == -1);
    cr_data_fetch(x, y, &ordered, 256, 0); /* an empty share */
}

/* Large enough for several threads. */
static void fetch_of_many_rows(void **state)
{
    (void)state;
    enum { SIZE = 1200 };
    uint8_t *values = malloc(256 * SIZE);
    uint8_t labels[256];
    float *x = malloc(256 * SIZE * sizeof *x);
    int y[256];
    uint32_t order[256];
    assert_non_null(values);
    assert_non_null(x);
    cr_data_part part = make_part(values, labels, SIZE);
    const cr_data_view ordered = {.part = &part, .order = order};
    cr_data_order(order, 256, true, 2, 1);
    cr_data_fetch(x, y, &ordered, 0, 256);
    for (int row = 0; row < 256; row++)
        check_row(x + (size_t)row * SIZE, y[row], SIZE, (int)order[row]);
    free(x);
    free(values);
}

/* ---- sharing --------------------------------------------------------------------------------- */

static cr_status play(node *n, bool leader, cr_data *data, const char *folder)
{
    cr_data_options options = {.kind = "digits", .validation = 1};
    (void)snprintf(options.path, sizeof options.path, "%s", leader ? folder : "/nowhere");
    return node_play(n, leader, data, &options, NULL);
}

static void ranks_of_a_node_share_one_copy(void **state)
{
    (void)state;
    node n = {.fail_at = -1};
    cr_data leader, follower;
    char folder[CR_PATH_MAX];
    idx_folder(folder);
    idx_put_set(folder, 4, 4);
    ASSERT_OK(play(&n, true, &leader, folder));
    int agreed = n.agreed, allocated = n.allocated;
    ASSERT_OK(play(&n, false, &follower, folder));
    assert_int_equal(n.agreed, agreed);
    assert_int_equal(n.allocated, allocated);
    assert_memory_equal(&leader, &follower, sizeof leader); /* shapes and the very same memory */
    assert_int_equal(follower.train.count, 5);
    assert_int_equal(follower.train.labels[4], 5);
    cr_data_free(&follower);
    cr_data_free(&leader);
    assert_int_equal(n.released, 2 * allocated);
    node_free(&n);
    idx_folder_remove(folder);
}

/* Failures of the leader, early (a header) and late (a label): the follower leaves with them, after
 * as many calls. */
static void leader_failures_reach_all(void **state)
{
    (void)state;
    char folder[CR_PATH_MAX];
    idx_folder(folder);
    for (int which = 0; which < 4; which++) {
        node n = {.fail_at = -1};
        cr_data data;
        idx_put_set(folder, 4, 4);
        idx_text text = which % 2 == 0 ? (idx_text){.bytes = 9} : idx_make(1, (uint32_t[]){6}, 256);
        if (which == 3)
            text = idx_make(1, (uint32_t[]){3}, 256);
        text.at[text.bytes - 1] = 99; /* of labels: the last one */
        idx_put(folder, which, &text);
        ASSERT_FAILS(play(&n, true, &data, folder), CR_BAD_DATA, idx_names[which]);
        int agreed = n.agreed, allocated = n.allocated, sent = n.sent;
        assert_int_equal(play(&n, false, &data, folder), CR_BAD_DATA);
        assert_int_equal(n.agreed, agreed);
        assert_int_equal(n.allocated, allocated);
        assert_int_equal(n.sent, sent);
        node_free(&n);
    }
    idx_folder_remove(folder);
}

static void a_failing_follower_keeps_calling(void **state)
{
    (void)state;
    char folder[CR_PATH_MAX];
    idx_folder(folder);
    idx_put_set(folder, 4, 4);
    for (int fail_at = 0; fail_at < 4; fail_at++) {
        node n = {.fail_at = fail_at};
        cr_data leader, follower;
        ASSERT_OK(play(&n, true, &leader, folder));
        int agreed = n.agreed, allocated = n.allocated;
        ASSERT_FAILS(play(&n, false, &follower, folder), CR_INTERNAL, "out of memory");
        assert_int_equal(n.agreed, agreed);
        assert_int_equal(n.allocated, allocated);
        cr_data_free(&leader);
        node_free(&n);
    }
    idx_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_are_the_published_ones),
        cmocka_unit_test(digits_are_found_without_a_path),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(mnist_is_28_by_28),
        cmocka_unit_test(validation_is_a_view_of_the_first),
        cmocka_unit_test(order_is_a_permutation),
        cmocka_unit_test(order_is_keyed_by_seed_and_epoch),
        cmocka_unit_test(order_is_uniform),
        cmocka_unit_test(fetch_gives_value_over_255),
        cmocka_unit_test(fetch_of_many_rows),
        cmocka_unit_test(ranks_of_a_node_share_one_copy),
        cmocka_unit_test(leader_failures_reach_all),
        cmocka_unit_test(a_failing_follower_keeps_calling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
