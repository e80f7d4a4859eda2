/* sum.h: sums over ranks in the middle of a pass. */
#ifndef DIST_SUM_H
#define DIST_SUM_H

#include "colrow/dist.h"

/* Doubles that are summed at once at most. */
size_t cr_sum_most(const cr_net *net);

/* Sum `count` values over ranks in place; along a fixed tree where runs are deterministic. Nothing
 * on a single rank. Collective. */
cr_status cr_sum_over_ranks(cr_dist *dist, double *values, int count);

/* Let batch norm's statistics be those of the global batch where they are to be; CR_BAD_CONFIG when
 * its samples are not under way together. Not collective. */
cr_status cr_sum_statistics(cr_dist *dist);

#endif
