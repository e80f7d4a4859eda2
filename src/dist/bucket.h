/* bucket.h: gradients on their way. */
#ifndef DIST_BUCKET_H
#define DIST_BUCKET_H

#include "colrow/dist.h"

/* The wire of that name; f32 where none is called so. */
const cr_dist_wire *cr_wire_find(const char *name);
const char *const *cr_wire_names(void);

/* B of a full bucket. */
int64_t cr_bucket_bytes(const cr_dist *dist);

/* The cr_net_finished of a rank's last backward pass in a step: what has become final goes off when
 * it fills a bucket. self: cr_dist. Collective. */
cr_status cr_bucket_finished(void *self, int64_t end);

/* Send what is left of values: gradients up to `end`, and behind them sums that must be exact, up
 * to `end_all`; then wait for everything. Collective. */
cr_status cr_bucket_rest(cr_dist *dist, float *values, int64_t end, int64_t end_all);

#endif
