/*
 * lars: layer-wise adaptive rate scaling (You, Gitman & Ginsburg 2017, algorithm 1): the rate of a
 * layer follows the norm of its weights over that of its gradient, so that one step changes every
 * layer by a like share of itself.
 *
 *     g' = c g                                         c: the scale from clipping
 *     local = trust |w| / (|g'| + decay |w|)           1 without adaptation, or where w or both
 *                                                      norms below are zero
 *     v <- m v + local (g' + decay w)                  m: momentum
 *     w <- w - rate v
 *
 * The paper has the rate inside the velocity: momentum_correction: false (see momentum.c). Of a
 * sampled layer |g| is the norm of the whole gradient, zeros where nothing was kept.
 */
#include "colrow/optim.h"

typedef struct lars_options {
    double momentum, trust;
    bool momentum_correction;
} lars_options;

_Static_assert(sizeof(lars_options) <= CR_OPTIM_PARAMETERS, "a rule's options must fit");

enum { WEIGHTS, GRADIENT };

static void measure(const cr_optim_slice *slice, double squares[CR_OPTIM_NORMS])
{
    const float clip = (float)slice->gradient_scale;
    double weights = 0;
    double gradient = 0;
    if (!slice->adapt)
        return;
#pragma omp simd reduction(+ : weights, gradient)
    for (int64_t i = 0; i < slice->count; i++) {
        double w = slice->w[i];
        double g = clip * slice->g[i];
        weights += w * w;
        gradient += g * g;
    }
    squares[WEIGHTS] += weights;
    squares[GRADIENT] += gradient;
}

/* The span's rate over that of all. */
static double local_rate(const cr_optim_slice *slice)
{
    const lars_options *options = slice->parameters;
    double weights = slice->norms[WEIGHTS];
    double change = slice->norms[GRADIENT] + slice->decay * weights;
    bool adapts = slice->adapt && weights > 0 && change > 0;
    return adapts ? options->trust * weights / change : 1.0;
}

static void update(const cr_optim_slice *slice)
{
    const lars_options *options = slice->parameters;
    const bool outside = options->momentum_correction;
    float *restrict w = slice->w;        /* [count] */
    float *restrict v = slice->state[0]; /* [count] */
    const float *restrict g = slice->g;  /* [count] */
    const float inner = (float)(local_rate(slice) * (outside ? 1.0 : slice->rate));
    const float outer = outside ? (float)slice->rate : 1.0F;
    const float decay = (float)slice->decay;
    const float clip = (float)slice->gradient_scale;
    const float momentum = (float)options->momentum;
#pragma omp simd
    for (int64_t i = 0; i < slice->count; i++) {
        v[i] = momentum * v[i] + inner * (clip * g[i] + decay * w[i]);
        w[i] -= outer * v[i];
    }
}

static const cr_option option_table[] = {
    {.name = "momentum",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(lars_options, momentum),
     .fallback = "0.9",
     .low = 0,
     .high = 0.999999,
     .help = "share of the velocity kept from update to update"},
    {.name = "trust",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(lars_options, trust),
     .fallback = "0.001",
     .low = 0,
     .high = 1e6,
     .above = true,
     .help = "trust coefficient: |change| over |weights| of a layer at a rate of 1"},
    {.name = "momentum_correction",
     .kind = CR_OPTION_BOOL,
     .offset = offsetof(lars_options, momentum_correction),
     .fallback = "true",
     .help = "a change of the rate acts on all of the velocity; false: on what is added to it"},
    {.name = NULL},
};

const cr_optim_rule cr_optim_rule_lars = {.name = "lars",
                                          .options = option_table,
                                          .states = {"velocity"},
                                          .measure = measure,
                                          .update = update};
