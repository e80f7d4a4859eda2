/*
 * contents: what an open checkpoint holds, and whether its checksums are those of what it holds.
 *
 * `xxh64_all` chains (each piece hashed with the hash so far as the seed, starting at 0):
 *   for each data set, in the order of their names (strcmp):
 *     name and a 0; type (0 float32, 1 float64, 2 int64), rank and 4 dims (0 beyond the rank) as
 *     int64; attribute `dimensions` and a 0; attribute `xxh64` as uint64
 *   for each attribute of /run, in the order of their names:
 *     name and a 0; type (0 int64, 1 float64, 2 text) as int64; the number, or the text and a 0
 *   the format version as int64
 */
#ifndef CONTENTS_H
#define CONTENTS_H

#include "hdf.h"

/* The data sets in the order of their names; the caller frees *entries with CR_FREE. */
cr_status contents_list(cr_checkpoint_entry **entries, int *count, hid_t file);

/* What `xxh64_all` ought to be. */
cr_status contents_hash(uint64_t *out, hid_t file);

/* Read a data set's array. */
cr_status contents_load(void *out, hid_t file, const char *name, cr_blob_type type);

/* Recompute every checksum: CR_BAD_DATA naming the first that differs. */
cr_status contents_check(hid_t file);

#endif
