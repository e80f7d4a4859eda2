/*
 * lamb: layer-wise adaptive moments (You et al. 2020, algorithm 2): Adam's direction for every
 * parameter, its length for every layer by the norm of the weights. Decay is decoupled: a part of
 * the direction, not of the gradient.
 *
 *     m <- b1 m + (1 - b1) c g                             c: the scale from clipping
 *     v <- b2 v + (1 - b2) (c g)^2
 *     u = m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + epsilon) + decay w
 *     w <- w - rate |w| / |u| u                            rate u without adaptation, or where a
 *                                                          norm is zero
 *
 * The norms' pass moves m and v, which are then all that the update needs.
 */
#include "colrow/optim.h"

#include <math.h>

typedef struct lamb_options {
    double beta1, beta2, epsilon;
} lamb_options;

_Static_assert(sizeof(lamb_options) <= CR_OPTIM_PARAMETERS, "a rule's options must fit");

enum { WEIGHTS, DIRECTION };

/* What makes the direction of a parameter from its m, v and w. */
typedef struct direction {
    float mean, root; /* scales of m, and of the root of v */
    float epsilon, decay;
} direction;

static direction direction_of(const cr_optim_slice *slice)
{
    const lamb_options *options = slice->parameters;
    const double t = (double)slice->step;
    return (direction){.mean = (float)(1.0 / (1.0 - pow(options->beta1, t))),
                       .root = (float)(1.0 / sqrt(1.0 - pow(options->beta2, t))),
                       .epsilon = (float)options->epsilon,
                       .decay = (float)slice->decay};
}

static float at(direction d, float m, float v, float w)
{
    return d.mean * m / (d.root * sqrtf(v) + d.epsilon) + d.decay * w;
}

static void measure(const cr_optim_slice *slice, double squares[CR_OPTIM_NORMS])
{
    const lamb_options *options = slice->parameters;
    const direction d = direction_of(slice);
    const float *restrict w = slice->w;  /* [count] */
    const float *restrict g = slice->g;  /* [count] */
    float *restrict m = slice->state[0]; /* [count] */
    float *restrict v = slice->state[1]; /* [count] */
    const float clip = (float)slice->gradient_scale;
    const float keep1 = (float)options->beta1;
    const float take1 = (float)(1.0 - options->beta1);
    const float keep2 = (float)options->beta2;
    const float take2 = (float)(1.0 - options->beta2);
    double weights = 0;
    double length = 0;
#pragma omp simd reduction(+ : weights, length)
    for (int64_t i = 0; i < slice->count; i++) {
        float slope = clip * g[i];
        m[i] = keep1 * m[i] + take1 * slope;
        v[i] = keep2 * v[i] + take2 * slope * slope;
        double u = at(d, m[i], v[i], w[i]);
        weights += (double)w[i] * (double)w[i];
        length += u * u;
    }
    squares[WEIGHTS] += weights;
    squares[DIRECTION] += length;
}

static void update(const cr_optim_slice *slice)
{
    const direction d = direction_of(slice);
    const double *norms = slice->norms;
    bool adapts = slice->adapt && norms[WEIGHTS] > 0 && norms[DIRECTION] > 0;
    const float rate =
        (float)(adapts ? slice->rate * norms[WEIGHTS] / norms[DIRECTION] : slice->rate);
    float *restrict w = slice->w;              /* [count] */
    const float *restrict m = slice->state[0]; /* [count] */
    const float *restrict v = slice->state[1]; /* [count] */
#pragma omp simd
    for (int64_t i = 0; i < slice->count; i++)
        w[i] -= rate * at(d, m[i], v[i], w[i]);
}

static const cr_option option_table[] = {
    {.name = "beta1",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(lamb_options, beta1),
     .fallback = "0.9",
     .low = 0,
     .high = 0.999999,
     .help = "share of the mean gradient kept from update to update"},
    {.name = "beta2",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(lamb_options, beta2),
     .fallback = "0.999",
     .low = 0,
     .high = 0.999999,
     .help = "share of the mean squared gradient kept from update to update"},
    {.name = "epsilon",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(lamb_options, epsilon),
     .fallback = "1e-6",
     .low = 1e-30,
     .high = 1,
     .help = "added to the root of the mean squared gradient"},
    {.name = NULL},
};

const cr_optim_rule cr_optim_rule_lamb = {.name = "lamb",
                                          .options = option_table,
                                          .states = {"mean", "mean_square"},
                                          .measure = measure,
                                          .takes_in = true,
                                          .update = update};
