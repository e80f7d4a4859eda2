/*
 * momentum: gradient descent with a velocity, in PyTorch's form (the rate outside the velocity;
 * Sutskever, Martens, Dahl & Hinton 2013 have it inside).
 *
 *     g' = c g + decay w                   c: the scale from clipping
 *     v <- m v + g'                        m: momentum
 *     w <- w - rate v                      or, with nesterov,  w - rate (g' + m v)
 *
 * Both are w - rate (a g' + b v): a = 0, b = 1, or a = 1, b = m.
 *
 * Here a change of the rate acts on all of the velocity. With the rate inside, v <- m v + rate g',
 * w <- w - v (momentum_correction: false), only on what is added from then on: that form is this
 * one again when v is scaled by the new rate over the old (Goyal et al. 2017, section 3, eq. (9),
 * (10)).
 */
#include "colrow/optim.h"

typedef struct momentum_options {
    double momentum;
    bool nesterov, momentum_correction;
} momentum_options;

_Static_assert(sizeof(momentum_options) <= CR_OPTIM_PARAMETERS, "a rule's options must fit");

static void update(const cr_optim_slice *slice)
{
    const momentum_options *options = slice->parameters;
    float *restrict w = slice->w;        /* [count] */
    float *restrict v = slice->state[0]; /* [count] */
    const float *restrict g = slice->g;  /* [count] */
    const float inner = options->momentum_correction ? 1.0F : (float)slice->rate;
    const float outer = options->momentum_correction ? (float)slice->rate : 1.0F;
    const float decay = (float)slice->decay;
    const float clip = (float)slice->gradient_scale;
    const float momentum = (float)options->momentum;
    const float a = options->nesterov ? 1.0F : 0.0F;
    const float b = options->nesterov ? momentum : 1.0F;
#pragma omp simd
    for (int64_t i = 0; i < slice->count; i++) {
        float slope = inner * (clip * g[i] + decay * w[i]);
        v[i] = momentum * v[i] + slope;
        w[i] -= outer * (a * slope + b * v[i]);
    }
}

static const cr_option option_table[] = {
    {.name = "momentum",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(momentum_options, momentum),
     .fallback = "0.9",
     .low = 0,
     .high = 0.999999,
     .help = "share of the velocity kept from update to update"},
    {.name = "nesterov",
     .kind = CR_OPTION_BOOL,
     .offset = offsetof(momentum_options, nesterov),
     .fallback = "false",
     .help = "look ahead along the velocity (Nesterov's form)"},
    {.name = "momentum_correction",
     .kind = CR_OPTION_BOOL,
     .offset = offsetof(momentum_options, momentum_correction),
     .fallback = "true",
     .help = "a change of the rate acts on all of the velocity; false: on what is added to it"},
    {.name = NULL},
};

const cr_optim_rule cr_optim_rule_momentum = {
    .name = "momentum", .options = option_table, .states = {"velocity"}, .update = update};
