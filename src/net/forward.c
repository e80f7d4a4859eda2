/* forward: segment by segment: statistics, pick, chain, consumer; at the end the loss and its
 * gradient. */
#include "chain.h"
#include "tiles.h"

#include <string.h>

/* ---- picks ----------------------------------------------------------------------------------- */

double *cr_net_norms(cr_net *net, int s)
{
    const cr_score *score = net->segments[s].way.score;
    if (score->needs_inputs && net->remembers)
        cr_remember_recall(net, s, net->norms[0]);
    else if (score->needs_inputs)
        cr_chain_norms(net, s, net->norms[0]);
    return score->needs_inputs ? net->norms[0] : NULL;
}

cr_status cr_net_draw(cr_net *net, int s, cr_pick *pick, uint32_t who)
{
    const cr_segment *segment = &net->segments[s];
    const cr_layer *consumer = &net->layers[segment->consumer];
    const cr_sample_way *way = &segment->way;
    if (way->score->needs_weights)
        cr_segment_weight_norms(net, s, net->norms[1]);
    way->score->combine(net->scores, net->norms[0], net->norms[1], segment->n);
    cr_draw_request request = {
        .n = segment->n,
        .k = segment->asked,
        .share = segment->ratio,
        .minimum = way->minimum,
        .scores = net->scores,
        .uniform = !way->score->needs_inputs && !way->score->needs_weights,
        .scale = way->scale,
        .key = {net->seed, CR_STREAM_SAMPLE, (uint32_t)consumer->index, net->pass.step, who},
        .scratch = net->draw_scratch};
    cr_status status = cr_sample_draw(pick, way->draw, &request);
    return status == CR_OK
               ? CR_OK
               : cr_fail_prefix(status, "step %u layer %s", net->pass.step, consumer->name);
}

cr_status cr_net_choose(cr_net *net, int s, cr_pick *pick, uint32_t who)
{
    (void)cr_net_norms(net, s);
    return cr_net_draw(net, s, pick, who);
}

static cr_status choose_alone(void *self, cr_net *net, int segment, cr_pick *pick)
{
    (void)self;
    return cr_net_choose(net, segment, pick, 0);
}

const cr_agreement cr_net_alone = {.choose = choose_alone};

/* ---- weights --------------------------------------------------------------------------------- */

/* Weights [taps, k, OUT] as the engine wants them for one product; `prepared` NULL: as they are. */
static const float *prepare(const cr_net *net, int s, const float *w, float *prepared,
                            const cr_contract *c, bool backward)
{
    if (prepared == NULL)
        return w;
    cr_phase previous = cr_phase_enter(CR_PHASE_PREPARE);
    cr_segment_contraction(net, s)->prepare(c, prepared, w, backward);
    cr_phase_leave(previous);
    return prepared;
}

static void prepare_kept(cr_net *net, int s)
{
    cr_segment *segment = &net->segments[s];
    cr_contract c = cr_segment_contract(net, s, segment->pick.k, 0);
    segment->w = prepare(net, s, segment->w_kept, segment->prepared, &c, false);
}

void cr_segment_prepare_live(cr_net *net, int s)
{
    cr_segment *segment = &net->segments[s];
    cr_contract c = cr_segment_contract(net, s, segment->pick.k, segment->live->k);
    segment->w_live = prepare(net, s, segment->w_outputs, segment->prepared_live, &c, true);
}

static cr_status choose(cr_net *net, int s)
{
    cr_segment *segment = &net->segments[s];
    if (cr_segment_contraction(net, s) == NULL || segment->asked == segment->n)
        return CR_OK;
    return net->agreement->choose(net->agreement->self, net, s, &segment->pick);
}

/* Of weights [taps, k, OUT] those of live outputs: [taps, k, kO]. */
static const float *gather_outputs(cr_net *net, int s, const float *w)
{
    cr_segment *segment = &net->segments[s];
    const cr_layer *layer = &net->layers[segment->consumer];
    int out = cr_kernel_out(layer);
    if (segment->live->k == out)
        return w;
    cr_kernel_gather_live(segment->weights_live, w,
                          (int64_t)cr_kernel_taps(layer) * segment->pick.k, out, segment->live);
    return segment->weights_live;
}

/* The weights that a segment's pick keeps. */
static void gather_kept(cr_net *net, int s)
{
    cr_segment *segment = &net->segments[s];
    if (cr_segment_contraction(net, s) == NULL)
        return;
    segment->w_kept = cr_segment_kernel(net, s);
    if (segment->asked < segment->n) {
        cr_kernel_gather(segment->weights, segment->w_kept, &net->layers[segment->consumer],
                         &segment->pick);
        segment->w_kept = segment->weights;
    }
    if (cr_tensor_is_compact(net, segment->target))
        segment->w_kept = gather_outputs(net, s, segment->w_kept);
    if (!cr_segment_prepares_each(net, s))
        prepare_kept(net, s);
}

/* Both, when the segment's input is there; once a step. */
static cr_status pick_channels(cr_net *net, int s)
{
    if (net->picked)
        return CR_OK;
    cr_phase previous = cr_phase_enter(CR_PHASE_SAMPLE);
    CR_TRY(choose(net, s));
    gather_kept(net, s);
    cr_phase_leave(previous);
    return CR_OK;
}

/* The weights of live outputs, when all picks are known. */
static void gather_live(cr_net *net, int s)
{
    cr_segment *segment = &net->segments[s];
    if (cr_segment_contraction(net, s) == NULL || segment->source == 0)
        return; /* the data needs no gradient */
    segment->w_outputs = segment->w_kept;
    if (!cr_tensor_is_compact(net, segment->target))
        segment->w_outputs = gather_outputs(net, s, segment->w_kept);
    cr_resample_weigh(net, s);
    if (!cr_resample_thins_inputs(net, s) && !cr_segment_prepares_each(net, s))
        cr_segment_prepare_live(net, s);
}

static void finish_picks(cr_net *net)
{
    if (net->picked)
        return;
    cr_phase previous = cr_phase_enter(CR_PHASE_SAMPLE);
    for (int s = 0; s < net->segment_count; s++)
        gather_live(net, s);
    cr_gradient_plan(net);
    net->picked = true;
    net->measured = false; /* until the next update has measured them */
    cr_phase_leave(previous);
}

/* The same for all segments before any input is there: by what the net remembers. */
static cr_status pick_ahead(cr_net *net)
{
    if (net->picked)
        return CR_OK;
    cr_phase previous = cr_phase_enter(CR_PHASE_SAMPLE);
    for (int s = 0; s < net->segment_count; s++)
        CR_TRY(choose(net, s));
    for (int s = 0; s < net->segment_count; s++)
        gather_kept(net, s);
    cr_phase_leave(previous);
    finish_picks(net);
    return CR_OK;
}

/* ---- a training pass ------------------------------------------------------------------------- */

cr_contract cr_segment_contract(const cr_net *net, int s, int k, int live)
{
    const cr_segment *segment = &net->segments[s];
    return (cr_contract){.layer = &net->layers[segment->consumer],
                         .ldy = segment->fills ? net->tensors[segment->target].shape.c : 0,
                         .engine = net->engine,
                         .samples = net->pass_rows,
                         .k = k,
                         .out = cr_segment_outputs(net, s),
                         .live = live,
                         .work = net->work};
}

void cr_net_begin(cr_net *net, uint32_t step, const cr_agreement *agreement)
{
    net->pass = (cr_pass){.parameters = net->parameters,
                          .statistics = net->statistics,
                          .seed = net->seed,
                          .step = step,
                          .training = true,
                          .observes = true};
    net->agreement = agreement;
    net->picked = false;
    net->ahead = net->sampling.lookahead && (net->knows || net->remembered_count == 0);
    for (int s = 0; s < net->segment_count; s++)
        if (!cr_pick_is_all(&net->segments[s].pick))
            cr_pick_all(&net->segments[s].pick);
}

static cr_phase product_phase(const cr_net *net)
{
    return net->pass.training ? CR_PHASE_CONTRACT_FORWARD : CR_PHASE_EVALUATE;
}

/* The consumer's output [rows, OUT] from its input, all channels or kept ones. */
static void consume(cr_net *net, int s, float *y, const float *x, const float *w, int k)
{
    const cr_layer *layer = &net->layers[net->segments[s].consumer];
    if (layer->type->mapping != NULL) {
        const cr_layer mapping = cr_segment_mapping(net, s);
        layer->type->mapping->forward(&mapping, y, x, net->pass_rows);
        return;
    }
    cr_contract c = cr_segment_contract(net, s, k, layer->out.c);
    cr_phase previous = cr_phase_enter(product_phase(net));
    layer->type->contraction->forward(&c, y, x, w);
    cr_phase_leave(previous);
}

/* The same added to y; false, with nothing done, where the consumer cannot. */
static bool consume_onto(cr_net *net, int s, float *y, const float *x, const float *w, int k)
{
    const cr_contraction *type = cr_segment_contraction(net, s);
    if (type == NULL || type->add == NULL)
        return false;
    cr_contract c = cr_segment_contract(net, s, k, net->layers[net->segments[s].consumer].out.c);
    cr_phase previous = cr_phase_enter(product_phase(net));
    bool done = type->add(&c, y, x, w);
    cr_phase_leave(previous);
    return done;
}

static void add_into(float *restrict to, const float *restrict from, int64_t count)
{
#pragma omp parallel for simd schedule(static) if (cr_worth_threads(count))
    for (int64_t i = 0; i < count; i++)
        to[i] += from[i];
}

/* The consumer's output into the target tensor, or added to it. */
static void write_target(cr_net *net, int s, const float *x, const float *w, int k)
{
    const cr_segment *segment = &net->segments[s];
    cr_tensor *target = &net->tensors[segment->target];
    int64_t count = (int64_t)net->pass_rows * target->shape.h * target->shape.w * target->shape.c;
    if (!segment->adds) {
        consume(net, s, target->values + segment->column, x, w, k);
        return;
    }
    if (consume_onto(net, s, target->values, x, w, k))
        return;
    consume(net, s, net->sum, x, w, k);
    add_into(target->values, net->sum, count);
}

/* An operation that keeps its input makes it by itself. */
static void operate(cr_net *net, int s, const float *x, const float *w, float *kept)
{
    cr_turn turn = cr_segment_turn(net, s);
    turn.x = x;
    turn.w = w;
    turn.kept = kept;
    cr_segment_operation(net, s)->forward(&turn);
}

static cr_status run_segment(cr_net *net, int s, const float *data)
{
    cr_segment *segment = &net->segments[s];
    bool recurs = cr_segment_recurs(net, s);
    segment->x = segment->source == 0 ? data : net->tensors[segment->source].values;
    net->tensors[segment->source].has_gradient = false;
    CR_TRY(cr_chain_prepare(net, s));
    cr_remember_take(net, s);
    CR_TRY(pick_channels(net, s));
    if (recurs)
        segment->input = segment->kept;
    else
        cr_chain_write(net, s);
    if (cr_segment_prepares_each(net, s))
        prepare_kept(net, s);
    if (cr_segment_operation(net, s) != NULL)
        operate(net, s, recurs ? segment->x : segment->input, segment->w, segment->kept);
    else if (segment->target >= 0)
        write_target(net, s, segment->input, segment->w, segment->pick.k);
    return CR_OK;
}

cr_status cr_net_forward(cr_net *net, cr_result *result, const float *x, const int *labels,
                         int rows, uint32_t first_sample, double scale)
{
    int last = net->segment_count - 1;
    const cr_layer *loss = &net->layers[net->segments[last].consumer];
    CR_ASSERT(rows <= net->rows);
    net->pass.first_sample = first_sample;
    net->pass.labels = labels;
    net->pass.scale = scale;
    net->pass.result = result;
    net->pass_rows = rows;
    cr_phase previous = cr_phase_enter(CR_PHASE_FORWARD);
    if (net->remembers)
        CR_TRY(pick_ahead(net));
    for (int s = 0; s < net->segment_count; s++)
        CR_TRY(run_segment(net, s, x));
    finish_picks(net);
    for (int s = 0; s < net->segment_count; s++)
        cr_segment_count(net, s, 0);
    (void)cr_phase_enter(CR_PHASE_LOSS);
    if (loss->type->loss != NULL)
        loss->type->loss->run(loss, result, cr_tensor_gradient_of(net, last),
                              net->segments[last].input, labels, rows, scale);
    cr_phase_leave(previous);
    return CR_OK;
}

/* ---- an evaluation --------------------------------------------------------------------------- */

/* A kernel as the engine wants it, for one product. */
static const float *prepare_whole(cr_net *net, int s)
{
    const cr_contraction *type = cr_segment_contraction(net, s);
    const float *w = type != NULL ? cr_segment_kernel(net, s) : NULL;
    if (type == NULL || type->prepared == NULL)
        return w;
    cr_contract c = cr_segment_contract(net, s, net->segments[s].n, 0);
    if (type->prepared(&c, false) == 0)
        return w;
    type->prepare(&c, net->evaluation_weights, w, false);
    return net->evaluation_weights;
}

/* All segments on all channels. */
static void run_exact(cr_net *net, const float *x)
{
    const cr_pass *pass = &net->pass;
    for (int s = 0; s < net->segment_count; s++) {
        cr_segment *segment = &net->segments[s];
        const cr_layer *consumer = &net->layers[segment->consumer];
        segment->x = segment->source == 0 ? x : net->tensors[segment->source].values;
        const float *input = segment->x;
        if (segment->chain_count > 0) {
            cr_chain_evaluate(net, s, net->evaluation);
            input = net->evaluation;
        }
        const float *w = prepare_whole(net, s);
        if (consumer->type->operation != NULL)
            operate(net, s, input, w, NULL);
        else if (segment->target >= 0)
            write_target(net, s, input, w, segment->n);
        else if (pass->result != NULL)
            consumer->type->loss->run(consumer, pass->result, NULL, input, pass->labels,
                                      net->pass_rows, 1);
    }
}

cr_status cr_net_evaluate(cr_net *net, cr_result *result, const float *x, const int *labels,
                          int rows)
{
    CR_ASSERT(rows <= net->rows);
    net->pass = (cr_pass){.parameters = net->parameters,
                          .statistics = net->statistics,
                          .seed = net->seed,
                          .labels = labels,
                          .result = result};
    net->pass_rows = rows;
    run_exact(net, x);
    return CR_OK;
}

void cr_net_observe(cr_net *net, double *sums, const float *x, int rows)
{
    CR_ASSERT(rows <= net->rows);
    net->pass = (cr_pass){.parameters = net->parameters,
                          .statistics = net->statistics,
                          .seed = net->seed,
                          .observes = true};
    net->pass_rows = rows;
    run_exact(net, x);
    for (int l = 0; l < net->layer_count; l++) {
        const cr_layer *layer = &net->layers[l];
        for (int64_t i = 0; i < layer->statistics; i++)
            sums[layer->statistics_offset + i] += cr_layer_statistic(layer, i, rows);
    }
}
