/*
 * sgd: stochastic gradient descent.
 *
 *     w <- w - rate (c g + decay w)        c: the scale from clipping
 */
#include "colrow/optim.h"

static void update(const cr_optim_slice *slice)
{
    float *restrict w = slice->w;       /* [count] */
    const float *restrict g = slice->g; /* [count] */
    const float rate = (float)slice->rate;
    const float decay = (float)slice->decay;
    const float clip = (float)slice->gradient_scale;
#pragma omp simd
    for (int64_t i = 0; i < slice->count; i++)
        w[i] -= rate * (clip * g[i] + decay * w[i]);
}

const cr_optim_rule cr_optim_rule_sgd = {.name = "sgd", .update = update};
