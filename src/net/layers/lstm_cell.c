/*
 * lstm_cell: the recurrence of an LSTM over the steps t of a window (Zaremba et al. 2014, section
 * 3.1, with biases). x [N, T, 4H] is what the layer's input gives to the gates i, j, f, o:
 *
 *     z_t = x_t + h_{t-1} W + b        W [H, 4H]; of h_{t-1} the picked channels alone
 *     i, f, o = sigmoid(z), j = tanh(z); the forget gate's z with forget_bias added
 *     c_t = f c_{t-1} + i j            h_t = o tanh(c_t)
 *
 * c_{-1} and h_{-1} are the carried state, constant to the gradient (truncated backpropagation).
 * Backwards, from the last step to the first, with dh_t = dy_t + dz_{t+1} W^T:
 *
 *     dc_t = dh_t o (1 - tanh(c_t)^2) + f_{t+1} dc_{t+1}
 *     dz = (dc j i (1 - i), dc i (1 - j^2), dc c_{t-1} f (1 - f), dh tanh(c) o (1 - o))
 *     dx = dz       dW = sum over t of h_{t-1}^T dz_t, one product       db = sum of dz
 *
 * The product with W is made step by step, [N, k] by [k, 4H], by weights prepared once.
 */
#include "colrow/net.h"

#include <string.h>

#include "squash.h"

enum { GATES = 4, PARALLEL = 1 << 12 /* cells worth waking threads for */ };

static const cr_option options[] = {
    {.name = "forget_bias",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_layer_plan, forget_bias),
     .fallback = "0",
     .low = -100,
     .high = 100,
     .help = "added to what opens the forget gate"},
    {.name = NULL},
};

static cr_status shape(cr_layer *layer)
{
    int cells = layer->in.c / GATES;
    CR_CHECK(layer->in.c % GATES == 0 && layer->in.w == 1, CR_BAD_CONFIG,
             "layer %s: expected a window of steps x 1 x 4 values a cell, found %d x %d x %d",
             layer->name, layer->in.h, layer->in.w, layer->in.c);
    layer->out = (cr_shape){layer->in.h, 1, cells};
    layer->state = 2 * (int64_t)cells; /* c, h */
    layer->memory_floats = (int64_t)layer->in.h * layer->in.c + (layer->in.h + 1) * (int64_t)cells;
    layer->parameter_count = 2;
    layer->parameters[0] = cr_parameter_kernel(cells, layer->in.c);
    layer->parameters[1] = cr_parameter_bias(layer->in.c);
    return CR_OK;
}

/* The arrays of a pass; sample n's begin at n times their size of a sample. */
typedef struct work {
    int samples, steps, cells, k;
    float *gates; /* [N, T, 4H] i, j, f, o; of the layer's memory */
    float *c;     /* [N, T + 1, H] the first those carried; likewise */
    float *sum;   /* [N, 4H] h_{t-1} W */
    float *dh;    /* [N, k] what the next step gives to h */
    float *dc;    /* [N, H] and to c */
    void *engine; /* its scratch */
} work;

/* Of the product of a step, sample n's row in x or dx coming `ldx` behind that of n - 1. */
static cr_dense_sizes step_sizes(const cr_contract *c, int ldx, int ldy)
{
    int out = c->layer->in.c;
    return (cr_dense_sizes){c->samples, c->k, out, ldx, out, ldy};
}

/* Of the weight gradient, a product of all steps. */
static cr_dense_sizes window_sizes(const cr_contract *c)
{
    cr_dense_sizes sizes = step_sizes(c, c->k, c->layer->in.c);
    sizes.n *= c->layer->in.h;
    return sizes;
}

static work lay_out(const cr_contract *c, cr_arena *arena)
{
    const cr_layer *layer = c->layer;
    cr_dense_sizes sizes = window_sizes(c);
    int64_t cells = layer->out.c;
    work a = {.samples = c->samples, .steps = layer->in.h, .cells = layer->out.c, .k = c->k};
    a.sum = cr_arena_take(arena, c->samples * cells * GATES, sizeof *a.sum);
    a.dh = cr_arena_take(arena, c->samples * cells, sizeof *a.dh);
    a.dc = cr_arena_take(arena, c->samples * cells, sizeof *a.dc);
    a.engine = cr_arena_take(arena, 1, c->engine->dense_work(&sizes, cr_engine_threads()));
    return a;
}

static work work_of(const cr_contract *c)
{
    const cr_layer *layer = c->layer;
    cr_arena arena = {.base = c->work, .size = SIZE_MAX};
    work a = lay_out(c, &arena);
    a.gates = layer->memory;
    a.c = layer->memory + (int64_t)c->samples * layer->in.h * layer->in.c;
    return a;
}

static size_t work_bytes(const cr_contract *c)
{
    cr_arena measured = {0};
    (void)lay_out(c, &measured); /* nowhere */
    return measured.used;
}

/* ---- forward --------------------------------------------------------------------------------- */

/* The last output, at a step: [N, H], so many floats from one sample's to the next; NULL: zeros. */
typedef struct last {
    const float *h;
    int64_t stride;
} last;

static last last_output(const cr_turn *turn, const work *a, int t)
{
    if (t == 0)
        return (last){turn->state != NULL ? turn->state + a->cells : NULL, turn->state_stride};
    return (last){turn->y + (int64_t)(t - 1) * a->cells, (int64_t)a->steps * a->cells};
}

/* to [k] = h [H] at the pick; zeros where h is NULL */
static void keep(float *restrict to, const float *restrict h, const cr_pick *pick)
{
    if (h == NULL)
        memset(to, 0, (size_t)pick->k * sizeof *to);
    else
        for (int q = 0; q < pick->k; q++)
            to[q] = h[pick->index[q]];
}

/* sum [N, 4H] = h_{t-1} W; what it was of is kept for the backward pass. */
static void contract(const cr_turn *turn, const work *a, int t)
{
    last h = last_output(turn, a, t);
    int64_t stride = (int64_t)a->steps * a->k;
    float *kept = turn->kept != NULL ? turn->kept + (int64_t)t * a->k : NULL;
    for (int n = 0; kept != NULL && n < a->samples; n++)
        keep(kept + n * stride, h.h != NULL ? h.h + n * h.stride : NULL, turn->pick);
    int out = GATES * a->cells;
    if (h.h == NULL) {
        memset(a->sum, 0, (size_t)a->samples * (size_t)out * sizeof *a->sum);
        return;
    }
    cr_dense_sizes sizes =
        step_sizes(&turn->contract, (int)(kept != NULL ? stride : h.stride), out);
    turn->contract.engine->repeated_forward(a->sum, kept != NULL ? kept : h.h, turn->w, &sizes,
                                            a->engine);
}

/* One sample's step: z [4H] = x + sum + b becomes the gates; c and h [H]. */
static void squash(float *restrict gates, float *restrict c, float *restrict h,
                   const float *restrict x, const float *restrict sum, const float *restrict b,
                   const float *restrict c_last, int cells, float forget_bias)
{
#pragma omp simd
    for (int q = 0; q < cells; q++) {
        int qj = cells + q, qf = 2 * cells + q, qo = 3 * cells + q;
        float i = cr_sigmoid(x[q] + sum[q] + b[q]);
        float j = cr_tanh(x[qj] + sum[qj] + b[qj]);
        float f = cr_sigmoid(x[qf] + sum[qf] + b[qf] + forget_bias);
        float o = cr_sigmoid(x[qo] + sum[qo] + b[qo]);
        float cell = f * c_last[q] + i * j;
        gates[q] = i;
        gates[qj] = j;
        gates[qf] = f;
        gates[qo] = o;
        c[q] = cell;
        h[q] = o * cr_tanh(cell);
    }
}

static void step_forward(const cr_turn *turn, const work *a, int t)
{
    const cr_layer *layer = turn->contract.layer;
    const float *b = turn->pass->parameters + layer->parameters[1].offset;
    int64_t cells = a->cells;
    contract(turn, a, t);
#pragma omp parallel for schedule(static) if (a->samples * cells >= PARALLEL)
    for (int n = 0; n < a->samples; n++) {
        int64_t row = (int64_t)n * a->steps + t;
        float *c = a->c + (row + n) * cells; /* that of the step before */
        squash(a->gates + row * GATES * cells, c + cells, turn->y + row * cells,
               turn->x + row * GATES * cells, a->sum + (int64_t)n * GATES * cells, b, c, a->cells,
               (float)layer->plan.forget_bias);
    }
}

static void forward(const cr_turn *turn)
{
    work a = work_of(&turn->contract);
    size_t bytes = (size_t)a.cells * sizeof(float);
    int64_t window = (int64_t)(a.steps + 1) * a.cells;
    for (int n = 0; n < a.samples; n++) {
        if (turn->state != NULL)
            memcpy(a.c + n * window, turn->state + n * turn->state_stride, bytes);
        else
            memset(a.c + n * window, 0, bytes);
    }
    for (int t = 0; t < a.steps; t++)
        step_forward(turn, &a, t);
    for (int n = 0; turn->state != NULL && n < a.samples; n++) {
        float *state = turn->state + n * turn->state_stride;
        memcpy(state, a.c + n * window + (int64_t)a.steps * a.cells, bytes);
        memcpy(state + a.cells, turn->y + ((int64_t)(n + 1) * a.steps - 1) * a.cells, bytes);
    }
}

/* ---- backward -------------------------------------------------------------------------------- */

/* One sample's step: dz [4H] from dh [H], which has all of it; dc [H] in place, to the step before.
 */
static void unsquash(float *restrict dz, float *restrict dc, const float *restrict dh,
                     const float *restrict gates, const float *restrict c, int cells)
{
    const float *restrict c_last = c - cells;
#pragma omp simd
    for (int q = 0; q < cells; q++) {
        int qj = cells + q, qf = 2 * cells + q, qo = 3 * cells + q;
        float i = gates[q], j = gates[qj], f = gates[qf], o = gates[qo];
        float out = cr_tanh(c[q]);
        float cell = dc[q] + dh[q] * o * (1 - out * out);
        dz[q] = cell * j * i * (1 - i);
        dz[qj] = cell * i * (1 - j * j);
        dz[qf] = cell * c_last[q] * f * (1 - f);
        dz[qo] = dh[q] * out * o * (1 - o);
        dc[q] = cell * f;
    }
}

/* total [H] = dy + what the next step gives to the kept channels */
static void add_next(float *restrict total, const float *restrict dy, const float *restrict dh,
                     const cr_pick *pick)
{
    memcpy(total, dy, (size_t)pick->n * sizeof *total);
    for (int q = 0; q < pick->k; q++)
        total[pick->index[q]] += dh[q];
}

static void step_backward(const cr_turn *turn, const work *a, int t)
{
    int64_t cells = a->cells;
    bool has_next = t + 1 < a->steps;
#pragma omp parallel for schedule(static) if (a->samples * cells >= PARALLEL)
    for (int n = 0; n < a->samples; n++) {
        int64_t row = (int64_t)n * a->steps + t;
        const float *dh = turn->dy + row * cells;
        float *total = a->sum + (int64_t)n * GATES * cells;
        if (has_next) {
            add_next(total, dh, a->dh + (int64_t)n * a->k, turn->pick);
            dh = total;
        }
        unsquash(turn->dx + row * GATES * cells, a->dc + n * cells, dh,
                 a->gates + row * GATES * cells, a->c + (row + n + 1) * cells, a->cells);
    }
    if (t == 0)
        return;
    int out = GATES * a->cells;
    cr_dense_sizes sizes = step_sizes(&turn->contract, a->k, a->steps * out);
    turn->contract.engine->repeated_input_gradient(a->dh, turn->dx + (int64_t)t * out, turn->w_live,
                                                   &sizes, a->engine);
}

/* db [4H] (+)= the sum of dz [rows, 4H] */
static void bias_gradient(const cr_turn *turn, const work *a)
{
    enum { BLOCK = 64 };
    int64_t rows = (int64_t)a->samples * a->steps;
    int out = GATES * a->cells;
#pragma omp parallel for schedule(static) if (rows * a->cells >= PARALLEL)
    for (int first = 0; first < out; first += BLOCK) {
        double sums[BLOCK] = {0};
        int count = out - first < BLOCK ? out - first : BLOCK;
        for (int64_t row = 0; row < rows; row++)
            for (int q = 0; q < count; q++)
                sums[q] += turn->dx[row * out + first + q];
        for (int q = 0; q < count; q++)
            turn->dp[1][first + q] =
                (float)(turn->accumulate ? turn->dp[1][first + q] + sums[q] : sums[q]);
    }
}

static void backward(const cr_turn *turn)
{
    work a = work_of(&turn->contract);
    memset(a.dc, 0, (size_t)a.samples * (size_t)a.cells * sizeof(float));
    for (int t = a.steps - 1; t >= 0; t--)
        step_backward(turn, &a, t);
    cr_dense_sizes sizes = window_sizes(&turn->contract);
    turn->contract.engine->dense_weight_gradient(turn->dp[0], turn->kept, turn->dx, &sizes,
                                                 turn->accumulate, a.engine);
    bias_gradient(turn, &a);
}

/* ---- the tables ------------------------------------------------------------------------------ */

static void channel_norms(const cr_layer *layer, double *norms, const double *rows)
{
    memcpy(norms, rows, (size_t)layer->out.c * sizeof *norms); /* a channel is one row */
}

static int64_t prepared(const cr_contract *c, bool backward)
{
    cr_dense_sizes sizes = step_sizes(c, c->k, c->layer->in.c);
    return c->engine->repeated_prepared(&sizes, backward);
}

static void prepare(const cr_contract *c, float *prepared_w, const float *w, bool backward)
{
    cr_dense_sizes sizes = step_sizes(c, c->k, c->layer->in.c);
    c->engine->repeated_prepare(prepared_w, w, &sizes, backward);
}

static const cr_contraction contraction = {
    .channel_norms = channel_norms, .prepared = prepared, .prepare = prepare, .work = work_bytes};

static const cr_operation operation = {.recurs = true, .forward = forward, .backward = backward};

const cr_layer_type cr_layer_type_lstm_cell = {
    .name = "lstm_cell",
    .options = options,
    .shape = shape,
    .contraction = &contraction,
    .operation = &operation,
};
