/*
 * digits: 1,438 + 359 handwritten digits of 8x8, which come with colrow (../digits/README.md).
 *
 * They are looked for in data.path, in $COLROW_DATA/digits, where they were installed, and in the
 * source tree.
 */
#include "colrow/data.h"
#include "reader.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CLASSES = 10 };

/* Does `folder` have the set? */
static bool has_digits(const char *folder)
{
    char path[CR_PATH_MAX];
    char found[CR_PATH_MAX];
    return cr_path_join(path, folder, "train-images-idx3-ubyte") == CR_OK &&
           cr_reader_find(found, path);
}

/* "share/colrow/digits" beside the "bin" of the running program, wherever it was moved to. */
static bool find_beside_program(char out[CR_PATH_MAX])
{
    char program[CR_PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return false;
    program[length] = '\0';
    for (int up = 0; up < 2; up++) /* the file, then "bin" */
        if (strrchr(program, '/') != NULL)
            *strrchr(program, '/') = '\0';
    return cr_path_join(out, program, "share/colrow/digits") == CR_OK && has_digits(out);
}

/* Where it is; the last place to look when it is nowhere, so that opening names a file. */
static const char *find_folder(char chosen[CR_PATH_MAX], const char *path)
{
    const char *root = getenv("COLROW_DATA");
    if (path[0] != '\0')
        return path;
    if (root != NULL && cr_path_join(chosen, root, "digits") == CR_OK && has_digits(chosen))
        return chosen;
    if (find_beside_program(chosen))
        return chosen;
    if (has_digits(COLROW_INSTALLED_DATA "/digits"))
        return COLROW_INSTALLED_DATA "/digits";
    return COLROW_SOURCE_DATA;
}

static cr_status open_set(cr_data *data, const cr_data_options *options, const cr_data_share *share)
{
    char chosen[CR_PATH_MAX];
    CR_TRY(cr_idx_open(data, find_folder(chosen, options->path), CLASSES, share));
    return CR_OK;
}

const cr_data_set cr_data_set_digits = {.name = "digits", .open = open_set};
