/*
 * adam: Kingma & Ba 2015, algorithm 1, with epsilon outside the bias-corrected root as PyTorch has
 * it. Weight decay is added to the gradient (coupled L2, not AdamW).
 *
 *     g' = c g + decay w                                   c: the scale from clipping
 *     m <- b1 m + (1 - b1) g'
 *     v <- b2 v + (1 - b2) g'^2
 *     w <- w - rate / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + epsilon)
 */
#include "colrow/optim.h"

#include <math.h>

typedef struct adam_options {
    double beta1, beta2, epsilon;
} adam_options;

_Static_assert(sizeof(adam_options) <= CR_OPTIM_PARAMETERS, "a rule's options must fit");

static void update(const cr_optim_slice *slice)
{
    const adam_options *options = slice->parameters;
    float *restrict w = slice->w;        /* [count] */
    float *restrict m = slice->state[0]; /* [count] */
    float *restrict v = slice->state[1]; /* [count] */
    const float *restrict g = slice->g;  /* [count] */
    const double t = (double)slice->step;
    const float rate = (float)(slice->rate / (1.0 - pow(options->beta1, t)));
    const float root = (float)(1.0 / sqrt(1.0 - pow(options->beta2, t)));
    const float decay = (float)slice->decay;
    const float clip = (float)slice->gradient_scale;
    const float keep1 = (float)options->beta1;
    const float take1 = (float)(1.0 - options->beta1);
    const float keep2 = (float)options->beta2;
    const float take2 = (float)(1.0 - options->beta2);
    const float epsilon = (float)options->epsilon;
#pragma omp simd
    for (int64_t i = 0; i < slice->count; i++) {
        float slope = clip * g[i] + decay * w[i];
        m[i] = keep1 * m[i] + take1 * slope;
        v[i] = keep2 * v[i] + take2 * slope * slope;
        w[i] -= rate * m[i] / (sqrtf(v[i]) * root + epsilon);
    }
}

static const cr_option option_table[] = {
    {.name = "beta1",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(adam_options, beta1),
     .fallback = "0.9",
     .low = 0,
     .high = 0.999999,
     .help = "share of the mean gradient kept from update to update"},
    {.name = "beta2",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(adam_options, beta2),
     .fallback = "0.999",
     .low = 0,
     .high = 0.999999,
     .help = "share of the mean squared gradient kept from update to update"},
    {.name = "epsilon",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(adam_options, epsilon),
     .fallback = "1e-8",
     .low = 1e-30,
     .high = 1,
     .help = "added to the root of the mean squared gradient"},
    {.name = NULL},
};

const cr_optim_rule cr_optim_rule_adam = {
    .name = "adam", .options = option_table, .states = {"mean", "mean_square"}, .update = update};
