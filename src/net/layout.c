/*
 * layout: the one arena of a net. Parameters and gradients, weights gathered for a step, tensors
 * between segments, and what is kept for a backward pass, which shares its memory with evaluations.
 */
#include "chain.h"
#include "tiles.h"

/* Is segment s sampled in some step? */
static bool is_sampled(const cr_net *net, int s)
{
    return net->segments[s].least < net->segments[s].n;
}

/* The contraction or loss that decides which output channels of segment s are live; NULL: all are.
 */
static const cr_segment *decider(const cr_net *net, int s)
{
    if (cr_segment_apart(net, s))
        return NULL;
    const cr_tensor *target = &net->tensors[net->segments[s].target];
    if (target->dense)
        return NULL;
    const cr_segment *reader = &net->segments[target->reader];
    bool maps = net->layers[reader->consumer].type->mapping != NULL;
    return maps ? decider(net, target->reader) : reader;
}

int cr_net_live_most(const cr_net *net, int s)
{
    const cr_segment *reader = decider(net, s);
    return reader != NULL ? reader->most : cr_segment_channels(net, s);
}

int cr_net_live_asked(const cr_net *net, int s)
{
    const cr_segment *reader = decider(net, s);
    return reader != NULL ? reader->asked : cr_segment_channels(net, s);
}

/* Are there dead output channels of segment s in some step? */
static bool drops_outputs(const cr_net *net, int s)
{
    const cr_segment *reader = decider(net, s);
    return reader != NULL && reader->least < reader->n;
}

/* What is laid out next takes the place of what has been since `mark`; returns the larger of `most`
 * and how far that went. */
static size_t rewind_to(cr_arena *arena, size_t mark, size_t most)
{
    size_t used = arena->used;
    arena->used = mark;
    return used > most ? used : most;
}

bool cr_segment_prepares_each(const cr_net *net, int s)
{
    return net->prepares_each && cr_segment_contraction(net, s) != NULL &&
           cr_segment_operation(net, s) == NULL;
}

int64_t cr_segment_prepared_floats(const cr_net *net, int s, bool backward)
{
    const cr_segment *segment = &net->segments[s];
    const cr_contraction *type = cr_segment_contraction(net, s);
    if (type == NULL || type->prepared == NULL || (backward && segment->source == 0))
        return 0;
    cr_contract c = cr_segment_contract(net, s, segment->most, cr_net_live_most(net, s));
    c.samples = net->rows;
    return type->prepared(&c, backward);
}

static float *take_prepared(const cr_net *net, int s, bool backward, cr_arena *arena)
{
    int64_t floats = cr_segment_prepared_floats(net, s, backward);
    return floats > 0 ? cr_arena_take(arena, floats, sizeof(float)) : NULL;
}

/* Those of segments that share a place take turns: a product is done before the next weights are
 * prepared. */
static void lay_out_prepared(cr_net *net, cr_arena *arena)
{
    size_t mark = arena->used;
    size_t most = mark;
    for (int s = 0; s < net->segment_count; s++) {
        cr_segment *segment = &net->segments[s];
        if (!cr_segment_prepares_each(net, s))
            continue;
        segment->prepared = take_prepared(net, s, false, arena);
        most = rewind_to(arena, mark, most);
        segment->prepared_live = take_prepared(net, s, true, arena);
        most = rewind_to(arena, mark, most);
    }
    arena->used = most;
    for (int s = 0; s < net->segment_count; s++) {
        if (cr_segment_prepares_each(net, s))
            continue;
        net->segments[s].prepared = take_prepared(net, s, false, arena);
        net->segments[s].prepared_live = take_prepared(net, s, true, arena);
    }
}

static void lay_out_weights(cr_net *net, int s, cr_arena *arena)
{
    cr_segment *segment = &net->segments[s];
    const cr_layer *layer = &net->layers[segment->consumer];
    cr_pick_place(&segment->pick, segment->n, arena);
    if (cr_segment_contraction(net, s) == NULL)
        return;
    if (cr_segment_apart(net, s))
        cr_pick_place(&segment->whole, cr_kernel_out(layer), arena);
    int64_t taps = cr_kernel_taps(layer);
    int live = cr_net_live_most(net, s);
    if (is_sampled(net, s) && segment->way.score->needs_weights)
        segment->row_norms = cr_arena_take(arena, taps * segment->n, sizeof(double));
    if (is_sampled(net, s))
        segment->weights =
            cr_arena_take(arena, taps * segment->most * cr_kernel_out(layer), sizeof(float));
    if (drops_outputs(net, s) && (segment->source != 0 || net->tensors[segment->target].skips))
        segment->weights_live = cr_arena_take(arena, taps * segment->most * live, sizeof(float));
}

/* Does the consumer of segment s read the source itself, with nothing kept of it? */
static bool reads_source(const cr_net *net, int s)
{
    const cr_segment *segment = &net->segments[s];
    const cr_mapping *mapping = net->layers[segment->consumer].type->mapping;
    if (segment->chain_count > 0 || is_sampled(net, s))
        return false;
    return segment->source == 0 || (mapping != NULL && !mapping->keeps_input);
}

bool cr_segment_recomputes(const cr_net *net, int s)
{
    const cr_segment *segment = &net->segments[s];
    bool multiplies =
        cr_segment_contraction(net, s) != NULL && cr_segment_operation(net, s) == NULL;
    return net->recomputes && multiplies && segment->chain_count > 0 &&
           net->layers[segment->chain_first].type->channelwise->keeps_input;
}

static float *take_rows(const cr_net *net, int s, cr_arena *arena)
{
    int64_t rows = (int64_t)net->rows * cr_segment_positions(net, s);
    return cr_arena_take(arena, rows * net->segments[s].most, sizeof(float));
}

/* What segment s keeps of its chain; of inputs, those of layers from `first` on. */
static void lay_out_kept(cr_net *net, int s, int first, cr_arena *arena)
{
    cr_segment *segment = &net->segments[s];
    if (!reads_source(net, s))
        segment->kept = take_rows(net, s, arena);
    for (int i = 0; i < segment->chain_count; i++) {
        const cr_channelwise *type = net->layers[segment->chain_first + i].type->channelwise;
        if (type->keeps_input && i >= first)
            segment->before[i] = take_rows(net, s, arena);
        if (type->keeps_output && i + 1 < segment->chain_count)
            segment->after[i] = take_rows(net, s, arena);
    }
}

/* All that is kept for a backward pass. What can be worked out again lies in one place for all
 * segments, which need it one after another. */
static void lay_out_activations(cr_net *net, cr_arena *arena)
{
    size_t mark = arena->used;
    size_t most = mark;
    for (int s = 0; s < net->segment_count; s++)
        if (cr_segment_recomputes(net, s)) {
            lay_out_kept(net, s, 1, arena);
            most = rewind_to(arena, mark, most);
        }
    arena->used = most;
    for (int s = 0; s < net->segment_count; s++)
        if (cr_segment_recomputes(net, s))
            net->segments[s].before[0] = take_rows(net, s, arena);
        else
            lay_out_kept(net, s, 0, arena);
}

/* What operations keep, also in an evaluation. */
static void lay_out_memory(cr_net *net, cr_arena *arena)
{
    for (int l = 0; l < net->layer_count; l++) {
        cr_layer *layer = &net->layers[l];
        if (layer->memory_floats > 0)
            layer->memory = cr_arena_take(arena, net->rows * layer->memory_floats, sizeof(float));
    }
}

static void lay_out_statistics(cr_net *net, cr_arena *arena)
{
    net->statistics = cr_arena_take(arena, net->statistics_count, sizeof(float));
    for (int l = 0; l < net->layer_count; l++) {
        cr_layer *layer = &net->layers[l];
        if (layer->statistics == 0)
            continue;
        layer->factors = cr_arena_take(arena, 2 * (int64_t)layer->in.c, sizeof(float));
        layer->moments = cr_arena_take(arena, 3 * (int64_t)layer->in.c, sizeof(double));
        layer->lines = cr_arena_take(arena, 3 * (int64_t)layer->in.c, sizeof(float));
    }
}

/* Largest of what the segments share. */
typedef struct extent {
    int channels;
    int64_t strip, flow, sum, evaluation, prepared; /* floats */
    size_t work;                                    /* B */
} extent;

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void measure_products(const cr_net *net, int s, extent *most)
{
    const cr_segment *segment = &net->segments[s];
    const cr_contraction *type = cr_segment_contraction(net, s);
    if (type == NULL)
        return;
    cr_contract c = cr_segment_contract(net, s, segment->n, cr_segment_channels(net, s));
    c.samples = net->rows;
    if (type->prepared != NULL)
        most->prepared = larger(most->prepared, type->prepared(&c, false));
    if (type->work != NULL)
        most->work = (size_t)larger((int64_t)most->work, (int64_t)type->work(&c));
}

static extent measure(const cr_net *net)
{
    extent most = {.channels = cr_resample_channels(net)};
    for (int s = 0; s < net->segment_count; s++) {
        const cr_segment *segment = &net->segments[s];
        const cr_shape *out = &net->layers[segment->consumer].out;
        int64_t rows = (int64_t)net->rows * cr_segment_positions(net, s);
        most.channels = (int)larger(most.channels, segment->n);
        most.strip = larger(most.strip, 2 * cr_strip_floats(segment->n));
        most.evaluation = larger(most.evaluation, rows * segment->n);
        if (net->tensors[segment->source].dense)
            most.flow = larger(most.flow, rows * segment->most);
        if (segment->adds)
            most.sum = larger(most.sum, (int64_t)net->rows * out->h * out->w * out->c);
        measure_products(net, s, &most);
    }
    return most;
}

static void lay_out_shared(cr_net *net, const extent *most, cr_arena *arena)
{
    net->parameters = cr_arena_take(arena, net->parameter_count, sizeof(float));
    net->gradient = cr_arena_take(arena, cr_net_gradient_floats(net), sizeof(float));
    net->strip_floats = (most->strip + CR_ALIGNMENT - 1) / CR_ALIGNMENT * CR_ALIGNMENT;
    net->strips = cr_arena_take(arena, net->threads * net->strip_floats, sizeof(float));
    net->partial = cr_arena_take(arena, (int64_t)CR_TILES_MAX * 2 * most->channels, sizeof(double));
    net->norms[0] = cr_arena_take(arena, most->channels, sizeof(double));
    net->norms[1] = cr_arena_take(arena, most->channels, sizeof(double));
    net->scores = cr_arena_take(arena, most->channels, sizeof(double));
    net->draw_scratch = cr_arena_take(arena, 1, cr_draw_scratch(most->channels));
    net->flow = cr_arena_take(arena, most->flow, sizeof(float));
    net->sum = cr_arena_take(arena, most->sum, sizeof(float));
    net->work = cr_arena_take(arena, 1, most->work);
}

/* Called twice: to measure, and to place. What is kept for a backward pass and what an evaluation
 * needs share their memory. */
void cr_net_lay_out(cr_net *net, cr_arena *arena)
{
    extent most = measure(net);
    cr_remember_lay_out(net, arena);
    lay_out_shared(net, &most, arena);
    lay_out_statistics(net, arena);
    cr_tensors_place(net, arena);
    cr_resample_lay_out(net, arena);
    for (int s = 0; s < net->segment_count; s++)
        lay_out_weights(net, s, arena);
    lay_out_prepared(net, arena);
    size_t mark = arena->used;
    lay_out_memory(net, arena);
    size_t shared = arena->used;
    lay_out_activations(net, arena);
    size_t training = arena->used;
    net->activation_bytes = (int64_t)(training - mark);
    arena->used = shared;
    net->evaluation = cr_arena_take(arena, most.evaluation, sizeof(float));
    net->evaluation_weights = cr_arena_take(arena, most.prepared, sizeof(float));
    arena->used = arena->used > training ? arena->used : training;
}

int64_t cr_net_gradient_floats(const cr_net *net)
{
    return net->parameter_count + net->statistics_count + net->remembered_count +
           net->gradient_extra;
}

/* Most channels of the input of segment s that can carry gradient. */
static int active_most(const cr_net *net, int s)
{
    const cr_mapping *mapping = net->layers[net->segments[s].consumer].type->mapping;
    return mapping != NULL && mapping->channelwise ? cr_net_live_most(net, s)
                                                   : net->segments[s].most;
}

/* Those of the gradient of segment s's consumer at most. */
static int64_t consumer_floats(const cr_net *net, int s)
{
    const cr_layer *layer = &net->layers[net->segments[s].consumer];
    int64_t rows = 0;
    for (int i = 0; i < layer->parameter_count; i++) {
        const cr_parameter *p = &layer->parameters[i];
        bool sums = i == 0 && layer->type->contraction != NULL;
        rows += sums ? (int64_t)cr_kernel_taps(layer) * net->segments[s].most
                     : p->count / cr_parameter_row(p);
    }
    return rows > 0 ? rows * cr_net_live_most(net, s) : 0;
}

int64_t cr_net_message_floats(const cr_net *net)
{
    int64_t floats = net->statistics_count + net->remembered_count;
    for (int s = 0; s < net->segment_count; s++) {
        const cr_segment *segment = &net->segments[s];
        floats += consumer_floats(net, s);
        for (int i = 0; i < segment->chain_count; i++)
            floats += (int64_t)net->layers[segment->chain_first + i].parameter_count *
                      active_most(net, s);
    }
    return floats;
}
