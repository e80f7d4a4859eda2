/* tail.h: what travels behind the gradients. */
#ifndef DIST_TAIL_H
#define DIST_TAIL_H

#include "colrow/dist.h"

/* Floats of a tail for so many segments (the loss's included). */
int64_t cr_tail_count(int segments);

/* Write this rank's news and the hashes of its picks. */
void cr_tail_write(float *tail, const cr_net *net, const cr_dist_news *news);

/* Read the sum of `terms` tails. Where `equal` picks are expected, CR_RANKS naming layer and step
 * unless every term had the hashes that this rank has. */
cr_status cr_tail_read(cr_dist_news *news, const float *tail, const cr_net *net, int terms,
                       bool equal);

#endif
