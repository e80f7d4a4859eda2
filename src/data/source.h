/*
 * source: how a set comes into memory, once for all kinds. A kind only says what there is and
 * writes the bytes; who reads, who shares and that all ranks agree on success is done here.
 */
#ifndef CR_DATA_SOURCE_H
#define CR_DATA_SOURCE_H

#include "colrow/data.h"

/* The parts a source has. Images for validation are cut from the first later on; texts have one for
 * it. */
enum { SOURCE_TRAIN, SOURCE_TEST, SOURCE_PARTS, SOURCE_VALID = SOURCE_PARTS, SOURCE_TEXTS };

/* Both functions run on leaders alone and are not collective. */
typedef struct cr_data_source {
    void *self;
    int parts; /* SOURCE_PARTS, or SOURCE_TEXTS */
    /* Fill counts, shapes and classes, and all of a text but its tokens; on entry the shapes are
     * what the network wants, or 0. */
    cr_status (*describe)(void *self, cr_data_part parts[]);
    /* values [count, h, w, c], labels [count] of parts[which]; or values [text.count] the tokens of
     * a text, as uint32_t, and labels NULL */
    cr_status (*fill)(void *self, void *values, uint8_t *labels, const cr_data_part *part,
                      int which);
} cr_data_source;

/* Put the parts of `source` into `data`. Collective over the ranks of `share` (NULL: none):
 * all get the data or all fail, after equally many collective calls. */
cr_status cr_data_source_load(cr_data *data, const cr_data_source *source,
                              const cr_data_share *share);

#endif
