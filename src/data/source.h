/*
 * source: how a set comes into memory, once for all kinds. A kind only says what there is and
 * writes the bytes; who reads, who shares and that all ranks agree on success is done here.
 */
#ifndef CR_DATA_SOURCE_H
#define CR_DATA_SOURCE_H

#include "colrow/data.h"

/* The parts a source has; the third, for validation, is cut from the first later on. */
enum { SOURCE_TRAIN, SOURCE_TEST, SOURCE_PARTS };

/* Both functions run on leaders alone and are not collective. */
typedef struct cr_data_source {
    void *self;
    /* Fill counts, shapes and classes; on entry the shapes are what the network wants, or 0. */
    cr_status (*describe)(void *self, cr_data_part parts[SOURCE_PARTS]);
    /* values [count, h, w, c], labels [count] of parts[which] */
    cr_status (*fill)(void *self, uint8_t *values, uint8_t *labels, const cr_data_part *part,
                      int which);
} cr_data_source;

/* Put train and test of `source` into `data`. Collective over the ranks of `share` (NULL: none):
 * all get the data or all fail, after equally many collective calls. */
cr_status cr_data_source_load(cr_data *data, const cr_data_source *source,
                              const cr_data_share *share);

#endif
