/*
 * checkpoint: named arrays and attributes in one HDF5 file, whole, checksummed, verified. Knows no
 * ranks and no networks; one process writes, any may read. Not collective.
 *
 * Every data set carries an attribute `xxh64` (of its bytes as stored); the root group carries
 * `xxh64_all` (of all data sets in the order of their names and of all /run attributes:
 * src/checkpoint/contents.h) and `format_version`. The first 512 bytes, HDF5's user block, hold a
 * line of text with the format, the size and an xxh64 of all other bytes
 * (src/checkpoint/image.h): it is checked before anything else is believed. h5py reads the file
 * without colrow. Equal contents make equal files, byte for byte.
 *
 * Writing and reading each hold the whole file in memory for a moment.
 */
#ifndef COLROW_CHECKPOINT_H
#define COLROW_CHECKPOINT_H

#include "colrow/base.h"

#define CR_CHECKPOINT_FORMAT 1

typedef enum cr_blob_type { CR_BLOB_F32, CR_BLOB_F64, CR_BLOB_I64 } cr_blob_type;

/* A named array; its groups are made as needed. */
typedef struct cr_blob {
    const char *name; /* absolute, "/parameters/fc1/kernel" */
    cr_blob_type type;
    int rank; /* 1 to 4 */
    int64_t dims[4];
    const char *dimensions; /* names, comma-separated: "IN,OUT"; stored as attribute `dimensions` */
    void *data;             /* borrowed: read from by write, written to by read */
} cr_blob;

typedef enum cr_attribute_type {
    CR_ATTRIBUTE_I64,
    CR_ATTRIBUTE_F64,
    CR_ATTRIBUTE_TEXT
} cr_attribute_type;

/* A named value on the group /run. */
typedef struct cr_attribute {
    const char *name;
    cr_attribute_type type;
    int64_t i64;
    double f64;
    char *text;    /* read: allocated, the caller frees with CR_FREE; write: borrowed */
    bool optional; /* read: may be missing; its value is then left as it is */
} cr_attribute;

/* Write `path` whole or not at all (temporary, sync, rename, sync the folder). A failure leaves no
 * temporary and the older file of that name as it was. CR_CANNOT_WRITE. */
cr_status cr_checkpoint_write(const char *path, const cr_blob *blobs, int blob_count,
                              const cr_attribute *attributes, int attribute_count);

/* Does every checksum of `path` hold and is its format known? CR_BAD_DATA saying what does not. */
cr_status cr_checkpoint_verify(const char *path);

/* Read the attributes named, after checking the file's bytes as a whole. A missing one that is not
 * optional, or one of another type, is CR_BAD_DATA, and no text is left to free. */
cr_status cr_checkpoint_attributes(const char *path, cr_attribute *attributes, int count);

/* Verify, then read the arrays named; type, rank and dims must be those of the file, and every
 * data set of the file under the given `scope` groups (comma-separated, e.g. "/parameters") must be
 * asked for: else CR_BAD_DATA naming the array, expected and found. Nothing is written to the
 * blobs' data unless all of it checks. */
cr_status cr_checkpoint_read(const char *path, const cr_blob *blobs, int count, const char *scope);

/* A list of the data sets of a file: for colrow info. */
typedef struct cr_checkpoint_entry {
    char name[256];
    char dimensions[64];
    cr_blob_type type;
    int rank;
    int64_t dims[4]; /* 0 beyond the rank */
    uint64_t xxh64;  /* of its bytes */
} cr_checkpoint_entry;

/* The data sets in the order of their names; the caller frees *entries with CR_FREE. */
cr_status cr_checkpoint_list(cr_checkpoint_entry **entries, int *count, const char *path);

/* "folder/step-NNNNNNNN.h5" */
cr_status cr_checkpoint_name(char out[CR_PATH_MAX], const char *folder, int64_t step);

/* The newest checkpoint of `folder` that verifies; warns of each newer one that does not. *found is
 * false, and the status CR_OK, when there is no checkpoint at all; CR_BAD_DATA when there are some
 * and none verifies. */
cr_status cr_checkpoint_newest(char out[CR_PATH_MAX], bool *found, const char *folder);

/* Remove all but the newest `keep` checkpoints of `folder` (keep 0: remove nothing), never the
 * newest, and never `best` (a path; NULL: none). Nothing goes before one of those that stay has
 * been verified; those that do not verify are warned of, and older ones stay instead. */
cr_status cr_checkpoint_prune(const char *folder, int keep, const char *best);

#endif
