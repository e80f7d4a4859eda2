/* checkpoint: what is written is what is read, bit for bit; whatever is damaged is told. */
#include "check.h"

#include "colrow/checkpoint.h"

#include <dirent.h>
#include <fcntl.h>
#include <float.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { USER_BLOCK = 512 };

/* ---- a folder a test, and a small checkpoint ---- */

typedef struct fixture {
    char folder[64];
    char path[CR_PATH_MAX];
} fixture;

static int setup(void **state)
{
    static fixture now;
    (void)snprintf(now.folder, sizeof now.folder, "/tmp/colrow-checkpoint-XXXXXX");
    if (mkdtemp(now.folder) == NULL)
        return -1;
    *state = &now;
    return cr_path_join(now.path, now.folder, "x.h5") == CR_OK ? 0 : -1;
}

/* Remove the folder's files; returns how many there were. */
static int empty(const char *folder)
{
    char path[CR_PATH_MAX];
    int count = 0;
    DIR *listing = opendir(folder);
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        ASSERT_OK(cr_path_join(path, folder, entry->d_name));
        assert_int_equal(unlink(path), 0);
        count++;
    }
    (void)closedir(listing);
    return count;
}

static int teardown(void **state)
{
    fixture *now = *state;
    (void)empty(now->folder);
    (void)umount(now->folder); /* in one test it is a file system of its own */
    return rmdir(now->folder);
}

typedef struct sample {
    float kernel[3][5];
    float bias[5];
    double moment[2][1][2][3];
    int64_t counts[2][2][1];
    float nothing[1];
} sample;

enum { SAMPLE_BLOBS = 5 };

static sample sample_make(void)
{
    sample s = {.nothing = {7}};
    for (int i = 0; i < 15; i++)
        s.kernel[i / 5][i % 5] = (float)i / 7;
    uint32_t odd_nan = 0x7fa12345u;
    memcpy(&s.bias[0], &odd_nan, 4);
    s.bias[1] = -0.0f;
    s.bias[2] = FLT_TRUE_MIN;
    s.bias[3] = FLT_MAX;
    for (int i = 0; i < 12; i++)
        s.moment[i / 6][0][i / 3 % 2][i % 3] = i * DBL_TRUE_MIN;
    s.counts[0][0][0] = INT64_MIN;
    s.counts[1][1][0] = INT64_MAX;
    return s;
}

static void sample_blobs(cr_blob blobs[SAMPLE_BLOBS], sample *s)
{
    const cr_blob all[SAMPLE_BLOBS] = {
        {"/parameters/fc1/kernel", CR_BLOB_F32, 2, {3, 5}, "IN,OUT", s->kernel},
        {"/parameters/fc1/bias", CR_BLOB_F32, 1, {5}, "OUT", s->bias},
        {"/optimizer/m/fc1/kernel", CR_BLOB_F64, 4, {2, 1, 2, 3}, "KH,KW,IC,OC", s->moment},
        {"/statistics/counts", CR_BLOB_I64, 3, {2, 2, 1}, "", s->counts},
        {"/statistics/none", CR_BLOB_F32, 1, {0}, "C", s->nothing},
    };
    memcpy(blobs, all, sizeof all);
}

static char config_text[] = "network: {model: mlp} # \xc3\xa9\nseed: 7\n";
static char no_text[] = "";

static const cr_attribute sample_attributes[] = {
    {.name = "step", .type = CR_ATTRIBUTE_I64, .i64 = 812},
    {.name = "best", .type = CR_ATTRIBUTE_F64, .f64 = 0.1},
    {.name = "config", .type = CR_ATTRIBUTE_TEXT, .text = config_text},
    {.name = "note", .type = CR_ATTRIBUTE_TEXT, .text = no_text},
};

static void sample_write(const char *path)
{
    sample s = sample_make();
    cr_blob blobs[SAMPLE_BLOBS];
    sample_blobs(blobs, &s);
    ASSERT_OK(cr_checkpoint_write(path, blobs, SAMPLE_BLOBS, sample_attributes, 4));
}

static void load(unsigned char **bytes, size_t *count, const char *path)
{
    char *text = NULL;
    ASSERT_OK(cr_file_read(&text, count, path));
    *bytes = (unsigned char *)text;
}

/* Without a sync: these are many. */
static void store(const char *path, const unsigned char *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

/* Make the first line right again, so that what is inside has to show the damage. */
static void seal(unsigned char *bytes, size_t count)
{
    uint64_t hash = cr_hash(bytes + USER_BLOCK, count - USER_BLOCK, 0);
    memset(bytes, 0, USER_BLOCK);
    (void)snprintf((char *)bytes, USER_BLOCK,
                   "colrow checkpoint, format 1, %zu bytes, xxh64 %016" PRIx64 "\n", count, hash);
}

/* ---- round trip ---- */

static void arrays_come_back_bit_for_bit(void **state)
{
    fixture *now = *state;
    sample_write(now->path);
    ASSERT_OK(cr_checkpoint_verify(now->path));
    sample expected = sample_make();
    sample found;
    cr_blob blobs[SAMPLE_BLOBS];
    memset(&found, 0x55, sizeof found);
    found.nothing[0] = 7; /* an array of no elements: not to be touched */
    sample_blobs(blobs, &found);
    ASSERT_OK(
        cr_checkpoint_read(now->path, blobs, SAMPLE_BLOBS, "/parameters,/optimizer,/statistics"));
    assert_memory_equal(found.kernel, expected.kernel, sizeof found.kernel);
    assert_memory_equal(found.bias, expected.bias, sizeof found.bias);
    assert_memory_equal(found.moment, expected.moment, sizeof found.moment);
    assert_memory_equal(found.counts, expected.counts, sizeof found.counts);
    assert_true(found.nothing[0] == 7);
    ASSERT_OK(cr_checkpoint_read(now->path, blobs, 2, "/parameters")); /* a part of it */
}

static void attributes_come_back_bit_for_bit(void **state)
{
    fixture *now = *state;
    enum { LONG = 100000 }; /* above the 64 KiB of an HDF5 object header */
    char *text = NULL;
    double odd_nan;
    uint64_t bits = UINT64_C(0xfff8000000abcdef);
    memcpy(&odd_nan, &bits, 8);
    ASSERT_OK(cr_alloc((void **)&text, LONG + 1));
    memset(text, 'x', LONG);
    const cr_attribute in[] = {{.name = "a", .type = CR_ATTRIBUTE_I64, .i64 = INT64_MIN},
                               {.name = "b", .type = CR_ATTRIBUTE_F64, .f64 = odd_nan},
                               {.name = "c", .type = CR_ATTRIBUTE_TEXT, .text = text},
                               {.name = "d", .type = CR_ATTRIBUTE_TEXT, .text = config_text},
                               {.name = "e", .type = CR_ATTRIBUTE_TEXT, .text = no_text}};
    cr_attribute out[] = {{.name = "e", .type = CR_ATTRIBUTE_TEXT},
                          {.name = "d", .type = CR_ATTRIBUTE_TEXT},
                          {.name = "c", .type = CR_ATTRIBUTE_TEXT},
                          {.name = "b", .type = CR_ATTRIBUTE_F64},
                          {.name = "a", .type = CR_ATTRIBUTE_I64}};
    ASSERT_OK(cr_checkpoint_write(now->path, NULL, 0, in, 5));
    ASSERT_OK(cr_checkpoint_verify(now->path));
    ASSERT_OK(cr_checkpoint_attributes(now->path, out, 5));
    assert_string_equal(out[0].text, "");
    assert_string_equal(out[1].text, config_text);
    assert_string_equal(out[2].text, text);
    assert_memory_equal(&out[3].f64, &odd_nan, 8);
    assert_true(out[4].i64 == INT64_MIN);
    for (int i = 0; i < 3; i++)
        CR_FREE(out[i].text);
    CR_FREE(text);
}

static void wrong_attributes_are_told(void **state)
{
    fixture *now = *state;
    sample_write(now->path);
    cr_attribute missing[] = {{.name = "config", .type = CR_ATTRIBUTE_TEXT},
                              {.name = "epoch", .type = CR_ATTRIBUTE_I64}};
    ASSERT_FAILS(cr_checkpoint_attributes(now->path, missing, 2), CR_BAD_DATA,
                 "x.h5: /run: epoch: expected an attribute, found none");
    assert_null(missing[0].text);
    cr_attribute other = {.name = "step", .type = CR_ATTRIBUTE_F64};
    ASSERT_FAILS(cr_checkpoint_attributes(now->path, &other, 1), CR_BAD_DATA, "unexpected type");
    other.type = CR_ATTRIBUTE_TEXT;
    ASSERT_FAILS(cr_checkpoint_attributes(now->path, &other, 1), CR_BAD_DATA, "unexpected type");
}

static void optional_attributes_may_be_missing(void **state)
{
    fixture *now = *state;
    sample_write(now->path);
    cr_attribute late = {.name = "seconds", .type = CR_ATTRIBUTE_F64, .f64 = 2.5, .optional = true};
    ASSERT_OK(cr_checkpoint_attributes(now->path, &late, 1));
    assert_true(late.f64 == 2.5);
    cr_attribute other = {.name = "step", .type = CR_ATTRIBUTE_F64, .optional = true};
    ASSERT_FAILS(cr_checkpoint_attributes(now->path, &other, 1), CR_BAD_DATA, "unexpected type");
}

static void list_is_in_order_of_names(void **state)
{
    fixture *now = *state;
    sample s = sample_make();
    cr_checkpoint_entry *entries = NULL;
    int count = 0;
    sample_write(now->path);
    ASSERT_OK(cr_checkpoint_list(&entries, &count, now->path));
    assert_int_equal(count, SAMPLE_BLOBS);
    for (int i = 1; i < count; i++)
        assert_true(strcmp(entries[i - 1].name, entries[i].name) < 0);
    assert_string_equal(entries[2].name, "/parameters/fc1/kernel");
    assert_string_equal(entries[2].dimensions, "IN,OUT");
    assert_int_equal(entries[2].type, CR_BLOB_F32);
    assert_int_equal(entries[2].rank, 2);
    assert_int_equal(entries[2].dims[0], 3);
    assert_int_equal(entries[2].dims[1], 5);
    assert_true(entries[2].xxh64 == cr_hash(s.kernel, sizeof s.kernel, 0));
    CR_FREE(entries);
}

static void equal_contents_make_equal_files(void **state)
{
    fixture *now = *state;
    unsigned char *first = NULL, *second = NULL;
    size_t first_count = 0, second_count = 0;
    sample_write(now->path);
    load(&first, &first_count, now->path);
    sample_write(now->path); /* over the older one */
    load(&second, &second_count, now->path);
    assert_int_equal(first_count, second_count);
    assert_memory_equal(first, second, first_count);
    CR_FREE(first);
    CR_FREE(second);
    assert_int_equal(empty(now->folder), 1); /* no temporary */
}

static void h5py_reads_it(void **state)
{
    fixture *now = *state;
    char command[CR_PATH_MAX + 1024];
    if (system("python3 -c 'import h5py' 2>/dev/null") != 0) {
        print_message("h5py not found: not tried\n");
        skip();
    }
    sample_write(now->path);
    (void)snprintf(command, sizeof command,
                   "python3 -c '\n"
                   "import h5py, sys, numpy as n\n"
                   "f = h5py.File(sys.argv[1], \"r\")\n"
                   "k = f[\"/parameters/fc1/kernel\"]\n"
                   "assert k.dtype == n.float32 and k.shape == (3, 5)\n"
                   "assert (k[:] == (n.arange(15, dtype=n.float32) / n.float32(7))"
                   ".reshape(3, 5)).all()\n"
                   "assert k.attrs[\"dimensions\"] == \"IN,OUT\"\n"
                   "assert f[\"/statistics/counts\"][1, 1, 0] == 2**63 - 1\n"
                   "assert f[\"/run\"].attrs[\"step\"] == 812\n"
                   "assert f[\"/run\"].attrs[\"best\"] == 0.1\n"
                   "assert f[\"/run\"].attrs[\"config\"].endswith(\"# \\u00e9\\nseed: 7\\n\")\n"
                   "assert f.attrs[\"format_version\"] == 1\n' '%s'",
                   now->path);
    assert_int_equal(system(command), 0);
}

/* ---- damage ---- */

static void every_truncation_is_told(void **state)
{
    fixture *now = *state;
    unsigned char *bytes = NULL;
    size_t count = 0;
    sample_write(now->path);
    load(&bytes, &count, now->path);
    for (size_t length = 0; length < count; length += length < 600 ? 1 : 97) {
        store(now->path, bytes, length);
        ASSERT_FAILS(cr_checkpoint_verify(now->path), CR_BAD_DATA, now->path);
    }
    store(now->path, bytes, count - 1);
    ASSERT_FAILS(cr_checkpoint_verify(now->path), CR_BAD_DATA, "truncated");
    CR_FREE(bytes);
}

static void every_flipped_bit_is_told(void **state)
{
    fixture *now = *state;
    unsigned char *bytes = NULL;
    size_t count = 0;
    sample_write(now->path);
    load(&bytes, &count, now->path);
    int file = open(now->path, O_WRONLY);
    for (size_t i = 0; i < count * 8; i += i < USER_BLOCK * 8 ? 1 : 7) { /* one or more a byte */
        unsigned char flipped = (unsigned char)(bytes[i / 8] ^ (1u << i % 8));
        assert_int_equal(pwrite(file, &flipped, 1, (off_t)(i / 8)), 1);
        ASSERT_FAILS(cr_checkpoint_verify(now->path), CR_BAD_DATA,
                     i / 8 < USER_BLOCK ? "x.h5: " : "x.h5: damaged: expected xxh64");
        assert_int_equal(pwrite(file, &bytes[i / 8], 1, (off_t)(i / 8)), 1);
    }
    assert_int_equal(close(file), 0);
    ASSERT_OK(cr_checkpoint_verify(now->path)); /* all of them are back */
    CR_FREE(bytes);
}

/* Flip a bit of the one place that holds `part`, and seal the file again. */
static void damage_inside(const char *path, const void *part, size_t length)
{
    unsigned char *bytes = NULL;
    size_t count = 0;
    sample_write(path);
    load(&bytes, &count, path);
    unsigned char *place = memmem(bytes, count, part, length);
    assert_non_null(place);
    place[length - 1] ^= 1;
    seal(bytes, count);
    store(path, bytes, count);
    CR_FREE(bytes);
}

static void damage_under_a_right_seal_is_told(void **state)
{
    fixture *now = *state;
    sample s = sample_make();
    sample found = {.kernel = {{0}}};
    cr_blob blobs[SAMPLE_BLOBS];
    int64_t step = 812;
    sample_blobs(blobs, &found);
    damage_inside(now->path, s.kernel, sizeof s.kernel);
    ASSERT_FAILS(cr_checkpoint_verify(now->path), CR_BAD_DATA, "/parameters/fc1/kernel: damaged");
    ASSERT_FAILS(cr_checkpoint_read(now->path, blobs, 1, ""), CR_BAD_DATA, "damaged");
    assert_true(found.kernel[0][1] == 0);
    damage_inside(now->path, config_text, sizeof config_text - 1);
    ASSERT_FAILS(cr_checkpoint_verify(now->path), CR_BAD_DATA, "xxh64_all: damaged");
    damage_inside(now->path, &step, sizeof step);
    ASSERT_FAILS(cr_checkpoint_verify(now->path), CR_BAD_DATA, "xxh64_all: damaged");
}

/* ---- other files ---- */

static void another_network_is_told(void **state)
{
    fixture *now = *state;
    sample found = {.kernel = {{0}}};
    cr_blob blobs[SAMPLE_BLOBS];
    sample_write(now->path);
    sample_blobs(blobs, &found);
    blobs[0].dims[1] = 4;
    ASSERT_FAILS(cr_checkpoint_read(now->path, blobs, 2, "/parameters"), CR_BAD_DATA,
                 "x.h5: /parameters/fc1/kernel: expected 3 x 4, found 3 x 5");
    blobs[0].rank = 1;
    ASSERT_FAILS(cr_checkpoint_read(now->path, blobs, 2, "/parameters"), CR_BAD_DATA,
                 "expected 3, found 3 x 5");
    sample_blobs(blobs, &found);
    blobs[1].type = CR_BLOB_F64;
    ASSERT_FAILS(cr_checkpoint_read(now->path, blobs, 2, "/parameters"), CR_BAD_DATA,
                 "/parameters/fc1/bias: expected float64, found float32");
    blobs[1].name = "/parameters/fc9/bias";
    ASSERT_FAILS(cr_checkpoint_read(now->path, blobs, 2, "/parameters"), CR_BAD_DATA,
                 "/parameters/fc9/bias: expected 5, found nothing");
    sample_blobs(blobs, &found);
    ASSERT_FAILS(cr_checkpoint_read(now->path, blobs, 1, "/run,/parameters"), CR_BAD_DATA,
                 "/parameters/fc1/bias: expected nothing, found 5: of another network or");
    assert_true(found.kernel[0][1] == 0); /* nothing was given out */
    ASSERT_OK(cr_checkpoint_read(now->path, blobs, 1, "/param"));
}

static void other_files_are_told(void **state)
{
    fixture *now = *state;
    unsigned char *bytes = NULL;
    size_t count = 0;
    sample_write(now->path);
    load(&bytes, &count, now->path);
    bytes[strlen("colrow checkpoint, format ")] = '2';
    store(now->path, bytes, count);
    ASSERT_FAILS(cr_checkpoint_verify(now->path), CR_BAD_DATA,
                 "x.h5: format version 2, this program reads 1");
    store(now->path, bytes + USER_BLOCK, count - USER_BLOCK); /* an HDF5 file of someone else */
    ASSERT_FAILS(cr_checkpoint_verify(now->path), CR_BAD_DATA, "expected a colrow checkpoint");
    memset(bytes + USER_BLOCK, 'x', count - USER_BLOCK); /* well sealed nonsense */
    seal(bytes, count);
    store(now->path, bytes, count);
    ASSERT_FAILS(cr_checkpoint_verify(now->path), CR_BAD_DATA, "cannot read");
    CR_FREE(bytes);
    ASSERT_FAILS(cr_checkpoint_verify("/nowhere/x.h5"), CR_BAD_DATA, "/nowhere/x.h5: cannot open");
    ASSERT_FAILS(cr_checkpoint_verify(now->folder), CR_BAD_DATA, "expected a file");
}

/* ---- what cannot be written ---- */

static void wrong_places_and_names_are_told(void **state)
{
    fixture *now = *state;
    sample s = sample_make();
    cr_blob blobs[SAMPLE_BLOBS];
    sample_blobs(blobs, &s);
    ASSERT_FAILS(cr_checkpoint_write("/nowhere/x.h5", blobs, 1, NULL, 0), CR_CANNOT_WRITE,
                 "/nowhere/");
    ASSERT_FAILS(cr_checkpoint_write(now->folder, blobs, 1, NULL, 0), CR_CANNOT_WRITE, now->folder);
    blobs[1].name = blobs[0].name;
    ASSERT_FAILS(cr_checkpoint_write(now->path, blobs, 2, NULL, 0), CR_CANNOT_WRITE,
                 "x.h5: /parameters/fc1/kernel: cannot write: name already exists");
    blobs[1].rank = 5;
    ASSERT_FAILS(cr_checkpoint_write(now->path, blobs, 2, NULL, 0), CR_INTERNAL, "found 5");
    assert_int_equal(empty(now->folder), 0);
}

static void full_disk_leaves_the_older_file(void **state)
{
    fixture *now = *state;
    enum { COUNT = 100000 }; /* 400 kB onto 256 kB */
    float *data = NULL;
    if (mount("tmpfs", now->folder, "tmpfs", 0, "size=256k") != 0) {
        print_message("mounting is not permitted: full disk not tried\n");
        skip();
    }
    sample_write(now->path);
    ASSERT_OK(cr_alloc((void **)&data, COUNT * sizeof *data));
    const cr_blob blob = {"/parameters/large", CR_BLOB_F32, 1, {COUNT}, "OUT", data};
    ASSERT_FAILS(cr_checkpoint_write(now->path, &blob, 1, NULL, 0), CR_CANNOT_WRITE,
                 "No space left on device");
    CR_FREE(data);
    ASSERT_OK(cr_checkpoint_verify(now->path));
    cr_attribute step = {.name = "step", .type = CR_ATTRIBUTE_I64};
    ASSERT_OK(cr_checkpoint_attributes(now->path, &step, 1));
    assert_int_equal(step.i64, 812);
    assert_int_equal(empty(now->folder), 1); /* no temporary */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(arrays_come_back_bit_for_bit),
        TEST(attributes_come_back_bit_for_bit),
        TEST(wrong_attributes_are_told),
        TEST(optional_attributes_may_be_missing),
        TEST(list_is_in_order_of_names),
        TEST(equal_contents_make_equal_files),
        TEST(h5py_reads_it),
        TEST(every_truncation_is_told),
        TEST(every_flipped_bit_is_told),
        TEST(damage_under_a_right_seal_is_told),
        TEST(another_network_is_told),
        TEST(other_files_are_told),
        TEST(wrong_places_and_names_are_told),
        TEST(full_disk_leaves_the_older_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
