/* arrays: the arrays of a run that a checkpoint holds. */
#ifndef TRAIN_ARRAYS_H
#define TRAIN_ARRAYS_H

#include "colrow/train.h"

enum { CR_ARRAY_NAME_MAX = 256 /* B */ };

/* Begins as zeros; most of the arrays lie in the run. */
typedef struct cr_arrays {
    cr_blob *blobs;                   /* [count], owned */
    char (*names)[CR_ARRAY_NAME_MAX]; /* [count], owned */
    int count;
    float *states; /* of the streams of a text, part by part (carry.c); owned */
} cr_arrays;

/* Parameters and statistics; `with_training` what training goes on from, the optimizer's arrays and
 * the streams' states; `with_norms` those that the net remembers. The caller frees, after a failure
 * too. */
cr_status cr_arrays_list(cr_arrays *all, const cr_run *run, bool with_training, bool with_norms);
void cr_arrays_free(cr_arrays *all);

/* Does the checkpoint `path` have all norms that the net remembers? Not when it is of a run that
 * agreed in another way or sampled other layers; the net then begins without. */
cr_status cr_arrays_have_norms(bool *all, const cr_net *net, const char *path);

#endif
