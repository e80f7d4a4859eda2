/*
 * image: the bytes of a checkpoint file as a whole. Its user block holds one line of text, zeros
 * to the end of the block:
 *
 *     colrow checkpoint, format 1, BYTES bytes, xxh64 HASH
 *
 * BYTES is the size of the file, HASH the xxh64 (16 hexadecimal digits) of all that follows the
 * block. It is checked before HDF5 sees a byte: the library may crash on damaged files.
 */
#ifndef IMAGE_H
#define IMAGE_H

#include "colrow/base.h"

/* Fill the user block of an image that is complete otherwise. */
void image_seal(unsigned char *image, size_t bytes);

/* Read a file and check it: *image, which the caller frees, holds `bytes` bytes that are those
 * that were written. CR_BAD_DATA. */
cr_status image_read(unsigned char **image, size_t *bytes, const char *path);

#endif
