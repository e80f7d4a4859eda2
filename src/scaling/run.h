/* run: one finished run as scaling sees it. */
#ifndef SCALING_RUN_H
#define SCALING_RUN_H

#include "colrow/scaling.h"

/* What must be the same in all runs, but for the engine and the threads, which the cell has. */
typedef struct cr_identity {
    cr_word version, engine, numbers;
    char *config; /* as resolved, without what may differ; owned */
} cr_identity;

/* Read summary.json and config.yaml of a run. The caller frees the identity. CR_BAD_DATA naming
 * what is missing. */
cr_status cr_scaling_run_read(cr_scaling_cell *cell, cr_identity *identity, const char *folder);
void cr_identity_free(cr_identity *identity);

/* CR_BAD_DATA naming the first thing in which `other` differs from `first`. */
cr_status cr_scaling_run_compare(const cr_scaling_cell *first, const cr_identity *identity,
                                 const cr_scaling_cell *other, const cr_identity *theirs);

#endif
