/* outcome: what the runs of a sweep have come to, and which of them differ in their seed alone. */
#ifndef SWEEP_OUTCOME_H
#define SWEEP_OUTCOME_H

#include "colrow/sweep.h"

enum { CR_FAILURE_MAX = 512 /* B */ };

/* A run. */
typedef struct cr_outcome {
    const cr_sweep_run *run;
    double ratio;                 /* sampling.ratio as resolved */
    int group;                    /* of runs that differ in their seed alone */
    cr_record record;             /* empty when there is none yet */
    char failure[CR_FAILURE_MAX]; /* "" when it has not failed */
} cr_outcome;

typedef struct cr_outcomes {
    const cr_sweep *sweep;
    cr_outcome *all; /* [count], owned */
    int *first;      /* [group_count] the first run of each group; owned */
    int count, group_count;
    const char *axes[CR_GRIDS_MAX * CR_AXES_MAX]; /* [axis_count] of all grids, each once */
    int axis_count;
} cr_outcomes;

/* Read them from their folders below `folder`. The caller frees. */
cr_status cr_outcomes_read(cr_outcomes *out, const cr_sweep *sweep, const char *folder);
void cr_outcomes_free(cr_outcomes *outcomes);

/* What the runs of the outcome's group have in common; "" where nothing varies but the seed. */
void cr_outcome_label(char out[CR_RUN_NAME_MAX], const cr_outcome *outcome);

/* Is results' mean taken over this axis? */
bool cr_axis_is_seed(const char *axis);

/* A figure over the finished runs of a group. */
cr_mean cr_outcomes_mean(const cr_outcomes *outcomes, int group, cr_figure figure);

/* Does any group have the figure? */
bool cr_outcomes_have(const cr_outcomes *outcomes, cr_figure figure);

/* The pictures of a sweep. */
cr_status cr_outcomes_draw(const cr_outcomes *outcomes, const char *folder);

#endif
