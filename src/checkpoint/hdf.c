/*
 * hdf: files in memory (HDF5's core driver without a file behind it), its errors as ours, and
 * attributes.
 */
#include "hdf.h"

#include <stdio.h>
#include <string.h>

enum { REASON_MAX = 256 };

/* The core driver looks for a file of the given name even when it is to make one in memory; this
 * name can never exist. */
static const char NO_SUCH_FILE[] = "/dev/null/checkpoint";

/* ---- errors ---- */

static herr_t keep_innermost(unsigned position, const H5E_error2_t *error, void *reason)
{
    if (position == 0)
        (void)snprintf(reason, REASON_MAX, "%s", error->desc); /* a cut reason is still one */
    return 0;
}

static cr_status hdf_failed(cr_status code, const char *name, const char *verb)
{
    char reason[REASON_MAX] = "HDF5 gave no reason";
    (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, reason); /* else: no reason */
    return cr_fail(code, __FILE__, __LINE__, "%s: cannot %s: %s", name, verb, reason);
}

cr_status hdf_wrote(int64_t result, const char *name)
{
    return result >= 0 ? CR_OK : hdf_failed(CR_CANNOT_WRITE, name, "write");
}

cr_status hdf_was_read(int64_t result, const char *name)
{
    return result >= 0 ? CR_OK : hdf_failed(CR_BAD_DATA, name, "read");
}

cr_status hdf_closed(cr_status status, int64_t result, const char *name)
{
    return status != CR_OK ? status : hdf_wrote(result, name);
}

/* ---- files ---- */

static void silence(hdf_file *file)
{
    *file = (hdf_file){.id = H5I_INVALID_HID};
    (void)H5Eget_auto2(H5E_DEFAULT, &file->was_told, &file->was_told_data); /* stays as it was */
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);                            /* at worst: noise */
}

static void give_back(const hdf_file *file)
{
    (void)H5Eset_auto2(H5E_DEFAULT, file->was_told, file->was_told_data); /* at worst: silence */
}

void hdf_close(hdf_file *file)
{
    if (file->id < 0)
        return;
    (void)H5Fclose(file->id); /* memory only: the image has been taken, or is not wanted */
    file->id = H5I_INVALID_HID;
    give_back(file);
}

cr_status hdf_create(hdf_file *file, size_t bytes)
{
    silence(file);
    hid_t layout = H5Pcreate(H5P_FILE_CREATE);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (H5Pset_userblock(layout, HDF_USER_BLOCK) >= 0 && H5Pset_fapl_core(access, bytes, 0) >= 0)
        file->id = H5Fcreate(NO_SUCH_FILE, H5F_ACC_TRUNC, layout, access);
    cr_status status = hdf_wrote(file->id, "/");
    (void)H5Pclose(access); /* only lists of wishes */
    (void)H5Pclose(layout);
    if (status != CR_OK)
        give_back(file);
    return status;
}

/* HDF5 copies an image several times unless told how to copy: here a copy is the image itself. */
static void *image_malloc(size_t bytes, H5FD_file_image_op_t operation, void *image)
{
    (void)bytes;
    (void)operation;
    return image;
}

static void *image_memcpy(void *to, const void *from, size_t bytes, H5FD_file_image_op_t operation,
                          void *image)
{
    (void)bytes;
    (void)operation;
    (void)image;
    return to == from ? to : NULL;
}

static void *image_realloc(void *pointer, size_t bytes, H5FD_file_image_op_t operation, void *image)
{
    (void)pointer;
    (void)bytes;
    (void)operation;
    (void)image;
    return NULL; /* a file that is only read does not grow */
}

static herr_t image_free(void *pointer, H5FD_file_image_op_t operation, void *image)
{
    (void)pointer;
    (void)operation;
    (void)image;
    return 0; /* borrowed */
}

static void *image_share(void *image)
{
    return image;
}

static herr_t image_leave(void *image)
{
    (void)image;
    return 0;
}

cr_status hdf_open(hdf_file *file, void *image, size_t bytes)
{
    H5FD_file_image_callbacks_t borrow = {image_malloc, image_memcpy, image_realloc, image_free,
                                          image_share,  image_leave,  image};
    silence(file);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (H5Pset_fapl_core(access, HDF_USER_BLOCK, 0) >= 0 &&
        H5Pset_file_image_callbacks(access, &borrow) >= 0 &&
        H5Pset_file_image(access, image, bytes) >= 0)
        file->id = H5Fopen(NO_SUCH_FILE, H5F_ACC_RDONLY, access);
    cr_status status = hdf_was_read(file->id, "/");
    (void)H5Pclose(access); /* only a list of wishes */
    if (status != CR_OK)
        give_back(file);
    return status;
}

cr_status hdf_image(unsigned char **image, size_t *bytes, const hdf_file *file)
{
    unsigned char **memory = NULL; /* the core driver's handle: where its memory is */
    hsize_t room = 0;
    CR_TRY(hdf_wrote(H5Fflush(file->id, H5F_SCOPE_GLOBAL), "/"));
    CR_TRY(hdf_wrote(H5Fget_vfd_handle(file->id, H5P_DEFAULT, (void **)&memory), "/"));
    CR_TRY(hdf_wrote(H5Fget_filesize(file->id, &room), "/"));
    ssize_t used = H5Fget_file_image(file->id, NULL, 0); /* without the user block */
    CR_TRY(hdf_wrote(used, "/"));
    size_t total = HDF_USER_BLOCK + (size_t)used;
    CR_CHECK(total <= room, CR_INTERNAL, "HDF5 image: expected at most %llu bytes, found %zu",
             (unsigned long long)room, total);
    *image = *memory;
    *bytes = total;
    return CR_OK;
}

/* ---- types ---- */

hid_t hdf_type(cr_blob_type type)
{
    const hid_t types[] = {
        [CR_BLOB_F32] = H5T_IEEE_F32LE,
        [CR_BLOB_F64] = H5T_IEEE_F64LE,
        [CR_BLOB_I64] = H5T_STD_I64LE,
    };
    return types[type];
}

const char *hdf_type_word(cr_blob_type type)
{
    static const char *const words[] = {
        [CR_BLOB_F32] = "float32", [CR_BLOB_F64] = "float64", [CR_BLOB_I64] = "int64"};
    return words[type];
}

size_t hdf_type_bytes(cr_blob_type type)
{
    static const size_t bytes[] = {[CR_BLOB_F32] = 4, [CR_BLOB_F64] = 8, [CR_BLOB_I64] = 8};
    return bytes[type];
}

cr_status hdf_bytes(size_t *out, cr_blob_type type, int rank, const int64_t dims[4])
{
    size_t bytes = hdf_type_bytes(type);
    for (int d = 0; d < rank; d++)
        CR_TRY(cr_size_multiply(&bytes, bytes, (size_t)dims[d], "array"));
    *out = bytes;
    return CR_OK;
}
