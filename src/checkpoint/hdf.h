/*
 * hdf: the few things a checkpoint needs of HDF5. Files live in memory only: HDF5 never touches a
 * disk, so a full disk, a lock that a cluster's file system does not know, or a damaged file
 * cannot trip it; what enters and leaves is a whole image of the file's bytes.
 */
#ifndef HDF_H
#define HDF_H

#include "colrow/checkpoint.h"

#include <endian.h>
#include <hdf5.h>

_Static_assert(BYTE_ORDER == LITTLE_ENDIAN,
               "arrays are stored as memory holds them: little-endian");

/* Bytes before HDF5's own: a user block, which HDF5 leaves alone and h5py skips unasked. */
#define HDF_USER_BLOCK 512

typedef struct hdf_file {
    hid_t id;             /* negative: not open */
    H5E_auto2_t was_told; /* how HDF5 told of errors before; given back by hdf_close */
    void *was_told_data;  /* its argument */
} hdf_file;

/* Make an empty file that will hold about `bytes` bytes; errors of HDF5 are silent until it is
 * closed. On failure there is nothing to close. */
cr_status hdf_create(hdf_file *file, size_t bytes);

/* Open an image for reading. It is borrowed, not copied: free it after hdf_close. */
cr_status hdf_open(hdf_file *file, void *image, size_t bytes);

/* Close the file; does nothing when it is not open. */
void hdf_close(hdf_file *file);

/* The bytes of a created file, user block first; they live until hdf_close. */
cr_status hdf_image(unsigned char **image, size_t *bytes, const hdf_file *file);

/* Status of an HDF5 call, which gives a negative number when it failed. */
cr_status hdf_wrote(int64_t result, const char *name);
cr_status hdf_was_read(int64_t result, const char *name);

/* Status of a function at its end: its own failure, or else that of closing what it wrote to. */
cr_status hdf_closed(cr_status status, int64_t result, const char *name);

/* Types of blobs: as HDF5 stores them, in words, bytes of an element. */
hid_t hdf_type(cr_blob_type type);
const char *hdf_type_word(cr_blob_type type);
size_t hdf_type_bytes(cr_blob_type type);

/* Bytes of an array; CR_INTERNAL when that overflows. */
cr_status hdf_bytes(size_t *out, cr_blob_type type, int rank, const int64_t dims[4]);

/* Write an attribute of `object`, a scalar of an HDF5 type. */
cr_status hdf_put(hid_t object, const char *name, hid_t type, const void *value);
cr_status hdf_put_text(hid_t object, const char *name, const char *text);
cr_status hdf_put_attribute(hid_t object, const cr_attribute *attribute);

/* Read an attribute; a missing one, or one of another type, is CR_BAD_DATA. */
cr_status hdf_get(hid_t object, const char *name, hid_t type, void *value);
cr_status hdf_get_text(hid_t object, const char *name, char **out); /* free with CR_FREE */

/* Read the attribute of that name and type into its value. */
cr_status hdf_get_attribute(hid_t object, cr_attribute *attribute);

/* What type an attribute has. */
cr_status hdf_attribute_type(hid_t object, const char *name, cr_attribute_type *out);

#endif
