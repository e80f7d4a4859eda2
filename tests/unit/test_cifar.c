/* cifar: handmade files of known planes, plain and gzip, every way in which one can be bad, and one
 * copy shared by the ranks of a node. */
#include "check.h"
#include "node.h"

#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

enum { PIXELS = 1024, VALUES = 3 * PIXELS, RECORDS_MAX = 4, RECORD = 2 + VALUES };

typedef struct file {
    size_t bytes;
    uint8_t at[RECORDS_MAX * RECORD + 1];
} file;

/* A value that tells record, channel and pixel apart. */
static uint8_t value_of(int record, int channel, int pixel)
{
    return (uint8_t)(record * 71 + channel * 37 + pixel % 251);
}

/* Records first, first + 1 ...: labels `record` (behind a coarse label 19 where there are two). */
static file make(int labels, int first, int count)
{
    file f = {.bytes = 0};
    for (int record = first; record < first + count; record++) {
        if (labels == 2)
            f.at[f.bytes++] = 19;
        f.at[f.bytes++] = (uint8_t)record;
        for (int channel = 0; channel < 3; channel++)
            for (int pixel = 0; pixel < PIXELS; pixel++)
                f.at[f.bytes++] = value_of(record, channel, pixel);
    }
    return f;
}

/* ---- a folder -------------------------------------------------------------------------------- */

static const char *const names[] = {"train.bin",        "test.bin",         "data_batch_1.bin",
                                    "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                                    "data_batch_5.bin", "test_batch.bin"};

typedef struct fixture {
    cr_data_options options; /* path: the folder */
    cr_data data;
    node node;
    file file;
} fixture;

static int set_up(void **state)
{
    fixture *t = calloc(1, sizeof *t);
    assert_non_null(t);
    (void)snprintf(t->options.path, CR_PATH_MAX, "/tmp/colrow-cifar-XXXXXX");
    assert_non_null(mkdtemp(t->options.path));
    t->node.fail_at = -1;
    *state = t;
    return 0;
}

static void path_of(char out[CR_PATH_MAX], const fixture *t, const char *name, const char *end)
{
    ASSERT_OK(cr_path_join(out, t->options.path, name));
    (void)strncat(out, end, CR_PATH_MAX - strlen(out) - 1);
}

static void drop(const fixture *t, const char *name)
{
    char path[CR_PATH_MAX];
    path_of(path, t, name, "");
    (void)unlink(path); /* either may be absent */
    path_of(path, t, name, ".gz");
    (void)unlink(path);
}

static int tear_down(void **state)
{
    fixture *t = *state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        drop(t, names[i]);
    assert_int_equal(rmdir(t->options.path), 0);
    node_free(&t->node);
    free(t);
    return 0;
}

static void put(const fixture *t, const char *name, const file *f)
{
    char path[CR_PATH_MAX];
    path_of(path, t, name, "");
    ASSERT_OK(cr_file_write(path, f->at, f->bytes));
}

static void put_gzip(const fixture *t, const char *name, const file *f)
{
    char path[CR_PATH_MAX];
    path_of(path, t, name, ".gz");
    gzFile stream = gzopen(path, "wb1");
    assert_non_null(stream);
    if (f->bytes > 0)
        assert_int_equal(gzwrite(stream, f->at, (unsigned)f->bytes), (int)f->bytes);
    assert_int_equal(gzclose(stream), Z_OK);
}

/* Training records 0, 1, 2 and test records 3, 4, 5, 6. */
static void put_cifar100(fixture *t)
{
    (void)snprintf(t->options.kind, CR_WORD_MAX, "cifar100");
    t->file = make(2, 0, 3);
    put(t, "train.bin", &t->file);
    t->file = make(2, 3, 4);
    put(t, "test.bin", &t->file);
}

static cr_status open_set(fixture *t)
{
    return cr_data_open(&t->data, &t->options, NULL, NULL);
}

/* Records first, first + 1 ... with labels as made, NHWC. */
static void check_part(const cr_data_part *part, int first, int count, int classes)
{
    assert_int_equal(part->count, count);
    assert_true(part->h == 32 && part->w == 32 && part->c == 3);
    assert_int_equal(part->classes, classes);
    for (int i = 0; i < count; i++) {
        assert_int_equal(part->labels[i], first + i);
        for (int j = 0; j < VALUES; j++)
            assert_int_equal(part->values[i * VALUES + j], value_of(first + i, j % 3, j / 3));
    }
}

/* ---- good files ------------------------------------------------------------------------------ */

static void cifar100_has_fine_labels_and_nhwc(void **state)
{
    fixture *t = *state;
    put_cifar100(t);
    ASSERT_OK(open_set(t));
    check_part(&t->data.train, 0, 3, 100);
    check_part(&t->data.test, 3, 4, 100);
    cr_data_free(&t->data);
}

/* Five files of different lengths follow each other. */
static void cifar10_is_six_files(void **state)
{
    fixture *t = *state;
    const int counts[] = {1, 2, 1, 3, 1};
    int first = 0;
    (void)snprintf(t->options.kind, CR_WORD_MAX, "cifar10");
    for (int i = 0; i < 5; first += counts[i++]) {
        t->file = make(1, first, counts[i]);
        put(t, names[2 + i], &t->file);
    }
    t->file = make(1, 8, 2);
    put(t, "test_batch.bin", &t->file);
    ASSERT_OK(open_set(t));
    check_part(&t->data.train, 0, 8, 10);
    check_part(&t->data.test, 8, 2, 10);
    cr_data_free(&t->data);
    t->file.at[0] = 10;
    put(t, "test_batch.bin", &t->file);
    ASSERT_FAILS(open_set(t), CR_BAD_DATA,
                 "test_batch.bin: record 0: expected a label below 10, found 10");
    drop(t, "data_batch_4.bin");
    ASSERT_FAILS(open_set(t), CR_BAD_DATA, "data_batch_4.bin: expected this file, plain or .gz");
}

static void gzip_is_taken_too(void **state)
{
    fixture *t = *state;
    put_cifar100(t);
    drop(t, "test.bin");
    put_gzip(t, "test.bin", &t->file);
    ASSERT_OK(open_set(t));
    check_part(&t->data.train, 0, 3, 100);
    check_part(&t->data.test, 3, 4, 100);
    cr_data_free(&t->data);
}

/* ---- bad files ------------------------------------------------------------------------------- */

static void wrong_lengths_are_named(void **state)
{
    fixture *t = *state;
    const struct {
        size_t bytes;
        const char *message;
    } cases[] = {
        {2 * RECORD + 17, "train.bin: record 2: expected 3074 bytes, found only 17"},
        {3 * RECORD - 1, "train.bin: record 2: expected 3074 bytes, found only 3073"},
        {3 * RECORD + 1, "train.bin: record 3: expected 3074 bytes, found only 1"},
        {0, "train.bin: expected records of 3074 bytes, found an empty file"},
    };
    put_cifar100(t);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        t->file.bytes = cases[i].bytes;
        put(t, "train.bin", &t->file);
        ASSERT_FAILS(open_set(t), CR_BAD_DATA, cases[i].message);
    }
    drop(t, "train.bin");
    t->file.bytes = RECORD + 5;
    put_gzip(t, "train.bin", &t->file);
    ASSERT_FAILS(open_set(t), CR_BAD_DATA,
                 "train.bin.gz: record 1: expected 3074 bytes, found only 5");
    t->file.bytes = 0;
    put_gzip(t, "train.bin", &t->file);
    ASSERT_FAILS(open_set(t), CR_BAD_DATA, "train.bin.gz: expected records of 3074 bytes");
}

static void labels_out_of_range_are_named(void **state)
{
    fixture *t = *state;
    put_cifar100(t);
    t->file.at[2 * RECORD + 1] = 99;
    put(t, "test.bin", &t->file);
    ASSERT_OK(open_set(t));
    assert_int_equal(t->data.test.labels[2], 99);
    cr_data_free(&t->data);
    t->file.at[2 * RECORD + 1] = 100;
    put(t, "test.bin", &t->file);
    ASSERT_FAILS(open_set(t), CR_BAD_DATA,
                 "test.bin: record 2: expected a label below 100, found 100");
    t->file = make(2, 0, 2);
    t->file.at[RECORD] = 20; /* coarse */
    put(t, "train.bin", &t->file);
    ASSERT_FAILS(open_set(t), CR_BAD_DATA,
                 "train.bin: record 1: expected a label below 20, found 20");
}

static void damaged_gzip_is_refused(void **state)
{
    fixture *t = *state;
    char path[CR_PATH_MAX];
    char *packed = NULL;
    size_t bytes = 0;
    put_cifar100(t);
    drop(t, "test.bin");
    put_gzip(t, "test.bin", &t->file);
    path_of(path, t, "test.bin", ".gz");
    ASSERT_OK(cr_file_read(&packed, &bytes, path));
    const size_t cuts[] = {bytes - 1, bytes - 8, bytes / 2, 20};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        ASSERT_OK(cr_file_write(path, packed, cuts[i]));
        ASSERT_FAILS(open_set(t), CR_BAD_DATA, "test.bin.gz: expected sound data");
    }
    packed[bytes - 8] = (char)(packed[bytes - 8] ^ 1); /* of the checksum */
    ASSERT_OK(cr_file_write(path, packed, bytes));
    ASSERT_FAILS(open_set(t), CR_BAD_DATA, "test.bin.gz: expected sound data");
    CR_FREE(packed);
}

/* ---- sharing --------------------------------------------------------------------------------- */

/* The follower has no files, and gets the leader's memory. */
static void ranks_of_a_node_share_one_copy(void **state)
{
    fixture *t = *state;
    cr_data follower;
    put_cifar100(t);
    ASSERT_OK(node_play(&t->node, true, &t->data, &t->options, NULL));
    int agreed = t->node.agreed, allocated = t->node.allocated;
    drop(t, "train.bin");
    drop(t, "test.bin");
    ASSERT_OK(node_play(&t->node, false, &follower, &t->options, NULL));
    assert_int_equal(t->node.agreed, agreed);
    assert_int_equal(t->node.allocated, allocated);
    assert_memory_equal(&t->data, &follower, sizeof follower);
    check_part(&follower.test, 3, 4, 100);
    cr_data_free(&follower);
    assert_int_equal(t->node.released, allocated);
}

/* Early ones (a length) and late ones (a label). */
static void leader_failures_reach_all(void **state)
{
    fixture *t = *state;
    for (int late = 0; late < 2; late++) {
        put_cifar100(t);
        t->file.at[RECORD + 1] = 200;
        t->file.bytes -= late ? 0 : 1;
        put(t, "test.bin", &t->file);
        ASSERT_FAILS(node_play(&t->node, true, &t->data, &t->options, NULL), CR_BAD_DATA,
                     late ? "record 1" : "record 3");
        int agreed = t->node.agreed, allocated = t->node.allocated;
        assert_int_equal(node_play(&t->node, false, &t->data, &t->options, NULL), CR_BAD_DATA);
        assert_int_equal(t->node.agreed, agreed);
        assert_int_equal(t->node.allocated, allocated);
        node_free(&t->node);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(cifar100_has_fine_labels_and_nhwc),
        CASE(cifar10_is_six_files),
        CASE(gzip_is_taken_too),
        CASE(wrong_lengths_are_named),
        CASE(labels_out_of_range_are_named),
        CASE(damaged_gzip_is_refused),
        CASE(ranks_of_a_node_share_one_copy),
        CASE(leader_failures_reach_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
