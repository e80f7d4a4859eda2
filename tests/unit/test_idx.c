/* idx: good files plain and gzip, and every way in which one can be bad. */
#include "check.h"
#include "idx_files.h"

#include "colrow/data.h"

static const uint32_t cube[] = {5, 4, 3};
enum { CUBE = 60, CUBE_HEAD = 16 };

typedef struct fixture {
    char folder[CR_PATH_MAX];
    char plain[CR_PATH_MAX];
    char gzip[CR_PATH_MAX];
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    idx_folder(f->folder);
    ASSERT_OK(cr_path_join(f->plain, f->folder, "x"));
    ASSERT_OK(cr_path_join(f->gzip, f->folder, "x.gz"));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    (void)unlink(f->plain); /* either may be absent */
    (void)unlink(f->gzip);
    idx_folder_remove(f->folder);
    free(f);
    return 0;
}

/* Header, then values: what a reader of a file does. */
static cr_status read_both(uint8_t values[CUBE], const char *path)
{
    cr_idx_header header;
    CR_TRY(cr_idx_header_read(&header, path));
    CR_CHECK(header.size[0] * header.size[1] * header.size[2] == CUBE, CR_INTERNAL, "another size");
    CR_TRY(cr_idx_values_read(values, &header, path));
    return CR_OK;
}

static cr_status read_plain(const fixture *f, const idx_text *text)
{
    uint8_t values[CUBE];
    ASSERT_OK(cr_file_write(f->plain, text->at, text->bytes));
    return read_both(values, f->plain);
}

static cr_status read_gzip(const fixture *f, const idx_text *text)
{
    uint8_t values[CUBE];
    idx_write_gzip(f->gzip, text);
    return read_both(values, f->plain); /* finds the .gz beside the name it was given */
}

static void check_cube(const char *path)
{
    cr_idx_header header;
    uint8_t values[CUBE];
    ASSERT_OK(cr_idx_header_read(&header, path));
    assert_int_equal(header.dimensions, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(header.size[i], cube[i]);
    ASSERT_OK(cr_idx_values_read(values, &header, path));
    for (int i = 0; i < CUBE; i++)
        assert_int_equal(values[i], i);
}

static void good_files_are_read(void **state)
{
    const fixture *f = *state;
    idx_text text = idx_make(3, cube, 256);
    idx_write_gzip(f->gzip, &text);
    check_cube(f->plain); /* only x.gz is there */
    check_cube(f->gzip);
    ASSERT_OK(cr_file_write(f->plain, text.at, text.bytes));
    text.at[CUBE_HEAD]++; /* the .gz must not matter any more */
    idx_write_gzip(f->gzip, &text);
    check_cube(f->plain);
}

static void fewer_dimensions_count_one(void **state)
{
    const fixture *f = *state;
    idx_text text = idx_make(1, cube, 256);
    cr_idx_header header;
    ASSERT_OK(cr_file_write(f->plain, text.at, text.bytes));
    ASSERT_OK(cr_idx_header_read(&header, f->plain));
    assert_int_equal(header.dimensions, 1);
    assert_int_equal(header.size[0], 5);
    assert_int_equal(header.size[1], 1);
    assert_int_equal(header.size[2], 1);
}

static void absent_files_are_named(void **state)
{
    const fixture *f = *state;
    uint8_t values[CUBE];
    ASSERT_FAILS(read_both(values, f->plain), CR_BAD_DATA, f->plain);
    ASSERT_FAILS(read_both(values, f->folder), CR_BAD_DATA, "expected a file");
}

static void damaged_headers(void **state)
{
    const fixture *f = *state;
    for (int i = 0; i < 4; i++) {
        idx_text text = idx_make(3, cube, 256);
        text.at[i] = (uint8_t)(text.at[i] + 1); /* 4 dimensions, type 09, or no zero */
        ASSERT_FAILS(read_plain(f, &text), CR_BAD_DATA, "x: expected an IDX file of bytes");
    }
    idx_text text = idx_make(3, cube, 256);
    text.at[3] = 0;
    ASSERT_FAILS(read_plain(f, &text), CR_BAD_DATA, "found 00 00 08 00");
    text = (idx_text){.bytes = 0};
    ASSERT_FAILS(read_plain(f, &text), CR_BAD_DATA, "expected 4 bytes of header, found 0");
    text = idx_make(3, cube, 256);
    text.bytes = CUBE_HEAD - 5;
    ASSERT_FAILS(read_plain(f, &text), CR_BAD_DATA, "expected 12 bytes of header, found 7");
}

static void zero_sizes(void **state)
{
    const fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        uint32_t size[] = {5, 4, 3};
        size[i] = 0;
        idx_text text = idx_make(3, size, 256);
        ASSERT_FAILS(read_plain(f, &text), CR_BAD_DATA, "sizes of at least 1, found 0");
    }
}

/* 2^96 values, and 2^32 - 1: neither may be believed, plain or packed. */
static void huge_sizes_are_not_believed(void **state)
{
    const fixture *f = *state;
    idx_text text = idx_make(3, cube, 256);
    memset(text.at + 4, 0xff, 12);
    ASSERT_FAILS(read_plain(f, &text), CR_BAD_DATA, "4294967295 x 4294967295");
    assert_int_equal(unlink(f->plain), 0);
    ASSERT_FAILS(read_gzip(f, &text), CR_BAD_DATA, "x.gz: expected 4294967295 x 4294967295");
    text = idx_make(1, cube, 256);
    memset(text.at + 4, 0xff, 4);
    ASSERT_FAILS(read_gzip(f, &text), CR_BAD_DATA, "4294967295 x 1 x 1");
}

/* The bound for gzip must not refuse the best that deflate can do: a run of one value. */
static void long_runs_are_believed(void **state)
{
    const fixture *f = *state;
    enum { LONG = 4 << 20 };
    cr_idx_header header;
    uint8_t *text = calloc(1, 8 + LONG);
    uint8_t *values = malloc(LONG);
    assert_non_null(text);
    assert_non_null(values);
    memcpy(text, (uint8_t[]){0, 0, 8, 1, 0, 0x40, 0, 0}, 8);
    gzFile file = gzopen(f->gzip, "wb9");
    assert_int_equal(gzwrite(file, text, 8 + LONG), 8 + LONG);
    assert_int_equal(gzclose(file), Z_OK);
    ASSERT_OK(cr_idx_header_read(&header, f->plain));
    ASSERT_OK(cr_idx_values_read(values, &header, f->plain));
    assert_memory_equal(values, text + 8, LONG);
    free(values);
    free(text);
}

static void truncated_and_trailing_plain(void **state)
{
    const fixture *f = *state;
    idx_text text = idx_make(3, cube, 256);
    text.bytes--;
    ASSERT_FAILS(read_plain(f, &text), CR_BAD_DATA, "x: expected 76 bytes, found 75");
    text.bytes += 3;
    ASSERT_FAILS(read_plain(f, &text), CR_BAD_DATA, "x: expected 76 bytes, found 78");
}

static void truncated_and_trailing_in_gzip(void **state)
{
    const fixture *f = *state;
    idx_text text = idx_make(3, cube, 256);
    text.bytes--;
    ASSERT_FAILS(read_gzip(f, &text), CR_BAD_DATA, "expected 60 bytes of values, found 59");
    text.bytes += 2;
    ASSERT_FAILS(read_gzip(f, &text), CR_BAD_DATA, "x.gz: expected the end after the values");
}

/* Cut the packed file at every length, and flip a bit in every byte: nothing passes but what gzip
 * itself does not look at: its first 10 bytes (time, system, flags) and the bits that fill up the
 * last byte before the checksum. */
static void damaged_gzip(void **state)
{
    const fixture *f = *state;
    idx_text text = idx_make(3, cube, 256);
    char *packed = NULL;
    size_t bytes = 0;
    uint8_t values[CUBE];
    idx_write_gzip(f->gzip, &text);
    ASSERT_OK(cr_file_read(&packed, &bytes, f->gzip));
    for (size_t cut = 0; cut < bytes; cut++) {
        ASSERT_OK(cr_file_write(f->gzip, packed, cut));
        ASSERT_FAILS(read_both(values, f->plain), CR_BAD_DATA, "x.gz: expected");
    }
    for (size_t i = 10; i < bytes; i++) {
        int bit = i == bytes - 9 ? 1 : 4;
        packed[i] = (char)(packed[i] ^ bit);
        ASSERT_OK(cr_file_write(f->gzip, packed, bytes));
        ASSERT_FAILS(read_both(values, f->plain), CR_BAD_DATA, "x.gz: expected");
        packed[i] = (char)(packed[i] ^ bit);
    }
    ASSERT_OK(cr_file_write(f->gzip, packed, bytes)); /* and undamaged it is right again */
    check_cube(f->plain);
    CR_FREE(packed);
}

static void a_file_that_changed_is_refused(void **state)
{
    const fixture *f = *state;
    const uint32_t other[] = {5, 3, 4};
    idx_text text = idx_make(3, other, 256);
    cr_idx_header header = {.dimensions = 3, .size = {5, 4, 3}};
    uint8_t values[CUBE];
    ASSERT_OK(cr_file_write(f->plain, text.at, text.bytes));
    ASSERT_FAILS(cr_idx_values_read(values, &header, f->plain), CR_BAD_DATA, "header read before");
}

/* ---- sets of four files ---------------------------------------------------------------------- */

static cr_status open_folder(const fixture *f)
{
    cr_data data = {0};
    cr_status status = cr_idx_open(&data, f->folder, 10, NULL);
    cr_data_free(&data);
    return status;
}

static void put(const fixture *f, int which, int dimensions, const uint32_t *size)
{
    idx_text text = idx_make(dimensions, size, 256);
    idx_put(f->folder, which, &text);
}

static void a_set_needs_matching_files(void **state)
{
    const fixture *f = *state;
    idx_put_set(f->folder, 4, 4);
    ASSERT_OK(open_folder(f));
    put(f, 1, 1, (uint32_t[]){5});
    ASSERT_FAILS(open_folder(f), CR_BAD_DATA,
                 "train-labels-idx1-ubyte: expected a label for each of 6 images, found 5");
    put(f, 1, 1, (uint32_t[]){6});
    put(f, 2, 1, (uint32_t[]){3});
    ASSERT_FAILS(open_folder(f), CR_BAD_DATA, "expected 3 dimensions, found 1");
    put(f, 2, 3, (uint32_t[]){3, 4, 5});
    ASSERT_FAILS(open_folder(f), CR_BAD_DATA,
                 "t10k-images-idx3-ubyte: expected images of 4 x 4 as for training, found 4 x 5");
    put(f, 2, 3, (uint32_t[]){3, 4, 4});
    put(f, 3, 2, (uint32_t[]){3, 1});
    ASSERT_FAILS(open_folder(f), CR_BAD_DATA, "expected 1 dimensions, found 2");
}

static void labels_out_of_range_are_named(void **state)
{
    const fixture *f = *state;
    idx_put_set(f->folder, 4, 4);
    idx_text text = idx_make(1, (uint32_t[]){3}, 256);
    text.at[8 + 2] = 10;
    idx_put(f->folder, 3, &text);
    ASSERT_FAILS(open_folder(f), CR_BAD_DATA,
                 "t10k-labels-idx1-ubyte: sample 2: expected a label below 10, found 10");
}

static void a_missing_file_is_named(void **state)
{
    const fixture *f = *state;
    char path[CR_PATH_MAX];
    for (int which = 0; which < 4; which++) {
        idx_put_set(f->folder, 4, 4);
        ASSERT_OK(cr_path_join(path, f->folder, idx_names[which]));
        assert_int_equal(unlink(path), 0);
        ASSERT_FAILS(open_folder(f), CR_BAD_DATA, idx_names[which]);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(good_files_are_read),
        CASE(fewer_dimensions_count_one),
        CASE(absent_files_are_named),
        CASE(damaged_headers),
        CASE(zero_sizes),
        CASE(huge_sizes_are_not_believed),
        CASE(long_runs_are_believed),
        CASE(truncated_and_trailing_plain),
        CASE(truncated_and_trailing_in_gzip),
        CASE(damaged_gzip),
        CASE(a_file_that_changed_is_refused),
        CASE(a_set_needs_matching_files),
        CASE(labels_out_of_range_are_named),
        CASE(a_missing_file_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
