/* idx_files: handmade IDX files, plain or gzip, right or damaged, for the tests of data. */
#ifndef TEST_IDX_FILES_H
#define TEST_IDX_FILES_H

#include "check.h"

#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

typedef struct idx_text {
    size_t bytes;
    uint8_t at[16384];
} idx_text;

/* An IDX file of `dimensions` sizes whose value number i is i % modulus. */
static inline idx_text idx_make(int dimensions, const uint32_t *size, int modulus)
{
    idx_text text = {.bytes = 4, .at = {0, 0, 8, (uint8_t)dimensions}};
    size_t count = 1;
    for (int i = 0; i < dimensions; i++) {
        for (int shift = 24; shift >= 0; shift -= 8)
            text.at[text.bytes++] = (uint8_t)(size[i] >> shift);
        count *= size[i];
    }
    assert_true(text.bytes + count <= sizeof text.at);
    for (size_t i = 0; i < count; i++)
        text.at[text.bytes++] = (uint8_t)(i % (size_t)modulus);
    return text;
}

static inline void idx_write_gzip(const char *path, const idx_text *text)
{
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, text->at, (unsigned)text->bytes), (int)text->bytes);
    assert_int_equal(gzclose(file), Z_OK);
}

/* A fresh folder under /tmp; the caller gives it to idx_folder_remove. */
static inline void idx_folder(char out[CR_PATH_MAX])
{
    (void)snprintf(out, CR_PATH_MAX, "/tmp/colrow-idx-XXXXXX");
    assert_non_null(mkdtemp(out));
}

static const char *const idx_names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                        "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

/* Write file number `which` of a set's four. */
static inline void idx_put(const char *folder, int which, const idx_text *text)
{
    char path[CR_PATH_MAX];
    ASSERT_OK(cr_path_join(path, folder, idx_names[which]));
    ASSERT_OK(cr_file_write(path, text->at, text->bytes));
}

/* A whole set: 6 + 3 images of h x w whose labels are 0, 1, 2 ... */
static inline void idx_put_set(const char *folder, uint32_t h, uint32_t w)
{
    for (int which = 0; which < 4; which++) {
        bool images = which % 2 == 0;
        uint32_t size[] = {which < 2 ? 6 : 3, h, w};
        idx_text text = idx_make(images ? 3 : 1, size, 256);
        idx_put(folder, which, &text);
    }
}

static inline void idx_folder_remove(const char *folder)
{
    char path[CR_PATH_MAX];
    for (int which = 0; which < 4; which++) {
        ASSERT_OK(cr_path_join(path, folder, idx_names[which]));
        (void)unlink(path); /* a test writes what it needs */
    }
    assert_int_equal(rmdir(folder), 0);
}

#endif
