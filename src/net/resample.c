/*
 * resample: the second sampling, inside the backward products, on the tensors that the forward's
 * left: x [N, .., k], dy [N, .., kO], w [.., k, kO] (Adelman & Silberstein 2018, section 5). Each
 * micro-batch has its own picks, of samples b in B and of outputs o in O, with scales s:
 *
 *     crs       dw = sum over B of s_b x_b^T dy_b           scores |x_b|_F |dy_b|_F
 *               dx = sum over O of s_o dy_o w_o^T           scores |dy_o|_F |w_o|_F
 *     meprop    dw_o = s_o x^T dy_o for o in O, else 0, and the same dx; scores |dy_o|_F
 *
 * A sample of a convolution is all its positions, an output its channel. The random numbers are
 * keyed by the micro-batch's first sample, so ranks need not agree: the picks change no tensor's
 * shape, not even the gradients' of meprop, which are zero in columns that other micro-batches
 * fill. k of the outputs is a share of all the layer's, as if the dead ones had been there and come
 * last. A draw may keep fewer or more than was asked for: copies have room for all.
 */
#include "chain.h"
#include "tiles.h"

#include <math.h>
#include <string.h>

/* ---- how many -------------------------------------------------------------------------------- */

int cr_resample_examples(const cr_net *net, int s, int samples)
{
    return cr_sample_count(net->segments[s].backward_ratio, net->sampling.backward.minimum,
                           samples);
}

int cr_resample_outputs(const cr_net *net, int s)
{
    return cr_sample_count(net->segments[s].backward_ratio, net->sampling.backward.minimum,
                           cr_kernel_out(&net->layers[net->segments[s].consumer]));
}

bool cr_resample_thins_inputs(const cr_net *net, int s)
{
    const cr_segment *segment = &net->segments[s];
    return net->backward != NULL && segment->source != 0 &&
           cr_resample_outputs(net, s) < segment->live->k;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int cr_resample_channels(const cr_net *net)
{
    int64_t most = 0;
    for (int s = 0; net->backward != NULL && s < net->segment_count; s++)
        most = larger(most, net->layers[net->segments[s].consumer].out.c);
    return net->backward != NULL ? (int)larger(most, net->rows) : 0;
}

static void lay_out_copies(cr_net *net, cr_arena *arena)
{
    int64_t x = 0, dy = 0, w = 0, prepared = 0;
    for (int s = 0; s < net->segment_count; s++) {
        const cr_segment *segment = &net->segments[s];
        const cr_layer *layer = &net->layers[segment->consumer];
        if (cr_segment_contraction(net, s) == NULL)
            continue;
        int64_t live = cr_net_live_most(net, s);
        x = larger(x, (int64_t)net->rows * cr_segment_positions(net, s) * segment->most);
        dy = larger(dy, (int64_t)net->rows * layer->out.h * layer->out.w * live);
        w = larger(w, (int64_t)cr_kernel_taps(layer) * segment->most * live);
        prepared = larger(prepared, cr_segment_prepared_floats(net, s, true));
    }
    net->thin = (cr_thin){.x = cr_arena_take(arena, x, sizeof(float)),
                          .dy = cr_arena_take(arena, dy, sizeof(float)),
                          .w = cr_arena_take(arena, w, sizeof(float)),
                          .prepared = cr_arena_take(arena, prepared, sizeof(float))};
}

void cr_resample_lay_out(cr_net *net, cr_arena *arena)
{
    if (net->backward == NULL)
        return;
    lay_out_copies(net, arena);
    for (int s = 0; s < net->segment_count; s++) {
        cr_segment *segment = &net->segments[s];
        int out = net->layers[segment->consumer].out.c;
        if (cr_segment_contraction(net, s) == NULL)
            continue;
        cr_pick_place(&segment->examples, net->rows, arena);
        cr_pick_place(&segment->outputs, out, arena);
        segment->output_norms = cr_arena_take(arena, out, sizeof(double));
    }
}

/* ---- scores ---------------------------------------------------------------------------------- */

/* norms [samples] of x [samples, size] */
static void sample_norms(double *norms, const float *x, int samples, int64_t size)
{
#pragma omp parallel for schedule(static) if (cr_worth_threads(samples * size))
    for (int b = 0; b < samples; b++)
        cr_kernel_row_norms(norms + b, x + b * size, 1, (int)size);
}

/* norms [n] of the columns of x [rows, n] */
static void column_norms(double *norms, const float *x, int64_t rows, int n)
{
    enum { BLOCK = 64 }; /* columns summed together, in registers */
#pragma omp parallel for schedule(static) if (cr_worth_threads(rows * n))
    for (int first = 0; first < n; first += BLOCK) {
        double sums[BLOCK] = {0};
        int count = n - first < BLOCK ? n - first : BLOCK;
        for (int64_t row = 0; row < rows; row++)
            for (int c = 0; c < count; c++) {
                double value = x[row * n + first + c];
                sums[c] += value * value;
            }
        memcpy(norms + first, sums, (size_t)count * sizeof *norms);
    }
}

/* Positions of a sample in the output of segment s. */
static int64_t out_positions(const cr_net *net, int s)
{
    const cr_shape *out = &net->layers[net->segments[s].consumer].out;
    return (int64_t)out->h * out->w;
}

void cr_resample_weigh(cr_net *net, int s)
{
    cr_segment *segment = &net->segments[s];
    int64_t rows = (int64_t)cr_kernel_taps(&net->layers[segment->consumer]) * segment->pick.k;
    if (cr_resample_thins_inputs(net, s) && net->backward->with_weights)
        column_norms(segment->output_norms, segment->w_outputs, rows, segment->live->k);
}

/* ---- picks ----------------------------------------------------------------------------------- */

static cr_status draw(cr_net *net, int s, cr_pick *pick, int k, cr_stream stream)
{
    const cr_layer *layer = &net->layers[net->segments[s].consumer];
    const cr_draw *way = net->backward_draw;
    cr_draw_request request = {
        .n = pick->n,
        .k = k,
        .share = net->segments[s].backward_ratio,
        .minimum = net->sampling.backward.minimum,
        .scores = net->scores,
        .scale = way->can_scale != NULL && way->can_scale(false),
        .key = {net->seed, stream, (uint32_t)layer->index, net->pass.step, net->pass.first_sample},
        .scratch = net->draw_scratch};
    cr_status status = cr_sample_draw(pick, way, &request);
    return status == CR_OK
               ? CR_OK
               : cr_fail_prefix(status, "backward, step %u layer %s", net->pass.step, layer->name);
}

/* scores [n] from two squared norms [n]; `b` NULL: ones */
static void combine(double *scores, const double *a, const double *b, int n)
{
    for (int i = 0; i < n; i++)
        scores[i] = sqrt(b != NULL ? a[i] * b[i] : a[i]);
}

static cr_status choose_examples(cr_net *net, int s, const float *dy)
{
    cr_segment *segment = &net->segments[s];
    int samples = net->pass_rows;
    sample_norms(net->norms[0], segment->input, samples,
                 (int64_t)cr_segment_positions(net, s) * segment->pick.k);
    sample_norms(net->norms[1], dy, samples, out_positions(net, s) * segment->live->k);
    combine(net->scores, net->norms[0], net->norms[1], samples);
    segment->examples.n = samples;
    return draw(net, s, &segment->examples, cr_resample_examples(net, s, samples),
                CR_STREAM_EXAMPLES);
}

static cr_status choose_outputs(cr_net *net, int s, const float *dy)
{
    cr_segment *segment = &net->segments[s];
    int live = segment->live->k;
    column_norms(net->norms[0], dy, net->pass_rows * out_positions(net, s), live);
    combine(net->scores, net->norms[0], net->backward->with_weights ? segment->output_norms : NULL,
            live);
    segment->outputs.n = live;
    return draw(net, s, &segment->outputs, cr_resample_outputs(net, s), CR_STREAM_OUTPUTS);
}

cr_status cr_resample_choose(cr_net *net, int s, const float *dy)
{
    cr_segment *segment = &net->segments[s];
    int samples = net->pass_rows;
    segment->thin_weights = false;
    segment->thin_inputs = false;
    if (net->backward == NULL || samples == 0)
        return CR_OK;
    bool by_sample = net->backward->by_sample;
    segment->thin_inputs = cr_resample_thins_inputs(net, s);
    segment->thin_weights = by_sample ? cr_resample_examples(net, s, samples) < samples
                                      : cr_resample_outputs(net, s) < segment->live->k;
    cr_phase previous = cr_phase_enter(CR_PHASE_SAMPLE);
    if (by_sample && segment->thin_weights)
        CR_TRY(choose_examples(net, s, dy));
    if (segment->thin_inputs || (!by_sample && segment->thin_weights))
        CR_TRY(choose_outputs(net, s, dy));
    cr_phase_leave(previous);
    return CR_OK;
}

/* ---- copies ---------------------------------------------------------------------------------- */

/* to [B, size] = scale_b from_b, from [N, size] */
static void gather_samples(float *to, const float *from, int64_t size, const cr_pick *pick,
                           bool scaled)
{
#pragma omp parallel for schedule(static) if (cr_worth_threads(pick->k * size))
    for (int j = 0; j < pick->k; j++) {
        const float *restrict row = from + pick->index[j] * size;
        float *restrict out = to + j * size;
        float scale = scaled ? pick->scale[j] : 1.0F;
        for (int64_t i = 0; i < size; i++)
            out[i] = scale * row[i];
    }
}

/* to [rows, O] = scale_o from_o, from [rows, n] */
static void gather_columns(float *to, const float *from, int64_t rows, const cr_pick *pick)
{
    int k = pick->k;
#pragma omp parallel for schedule(static) if (cr_worth_threads(rows * k))
    for (int64_t row = 0; row < rows; row++)
        for (int q = 0; q < k; q++)
            to[row * k + q] = pick->scale[q] * from[row * pick->n + pick->index[q]];
}

/* dw [rows, n] (+)= columns [rows, O] at O */
static void spread_columns(float *dw, const float *columns, int64_t rows, const cr_pick *pick,
                           bool accumulate)
{
    int k = pick->k;
    if (!accumulate)
        memset(dw, 0, (size_t)(rows * pick->n) * sizeof *dw);
    for (int64_t row = 0; row < rows; row++)
        for (int q = 0; q < k; q++)
            dw[row * pick->n + pick->index[q]] += columns[row * k + q];
}

/* ---- products -------------------------------------------------------------------------------- */

static void weights_by_sample(cr_net *net, int s, float *dw, const float *dy, bool accumulate)
{
    const cr_segment *segment = &net->segments[s];
    const cr_pick *pick = &segment->examples;
    cr_contract c = cr_segment_contract(net, s, segment->pick.k, segment->live->k);
    c.samples = pick->k;
    gather_samples(net->thin.x, segment->input, (int64_t)cr_segment_positions(net, s) * c.k, pick,
                   false);
    gather_samples(net->thin.dy, dy, out_positions(net, s) * c.live, pick, true);
    cr_segment_contraction(net, s)->weight_gradient(&c, dw, net->thin.x, net->thin.dy, accumulate);
}

static void weights_by_output(cr_net *net, int s, float *dw, const float *dy, bool accumulate)
{
    const cr_segment *segment = &net->segments[s];
    const cr_pick *pick = &segment->outputs;
    cr_contract c = cr_segment_contract(net, s, segment->pick.k, pick->k);
    gather_columns(net->thin.dy, dy, net->pass_rows * out_positions(net, s), pick);
    cr_segment_contraction(net, s)->weight_gradient(&c, net->thin.w, segment->input, net->thin.dy,
                                                    false);
    spread_columns(dw, net->thin.w, (int64_t)cr_kernel_taps(c.layer) * c.k, pick, accumulate);
}

void cr_resample_weight_gradient(cr_net *net, int s, float *dw, const float *dy, bool accumulate)
{
    if (net->backward->by_sample)
        weights_by_sample(net, s, dw, dy, accumulate);
    else
        weights_by_output(net, s, dw, dy, accumulate);
}

void cr_resample_input_gradient(cr_net *net, int s, float *dx, const float *dy)
{
    const cr_segment *segment = &net->segments[s];
    const cr_contraction *type = cr_segment_contraction(net, s);
    const cr_pick *pick = &segment->outputs;
    const float *w = net->thin.w;
    cr_contract c = cr_segment_contract(net, s, segment->pick.k, pick->k);
    gather_columns(net->thin.dy, dy, net->pass_rows * out_positions(net, s), pick);
    cr_kernel_gather_live(net->thin.w, segment->w_outputs, (int64_t)cr_kernel_taps(c.layer) * c.k,
                          pick->n, pick);
    if (segment->prepared_live != NULL) {
        type->prepare(&c, net->thin.prepared, w, true);
        w = net->thin.prepared;
    }
    type->input_gradient(&c, dx, net->thin.dy, w);
}
