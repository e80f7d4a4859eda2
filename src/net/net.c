/* net: from a model to layers, segments, and one arena with everything a step needs. */
#include "colrow/net.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "chain.h"

enum { LAYERS_AT_FIRST = 32, PADDING = CR_ALIGNMENT / (int)sizeof(float) };

/* ---- layers ---------------------------------------------------------------------------------- */

static cr_status reserve_layer(cr_net *net)
{
    if (net->layer_count < net->layer_capacity)
        return CR_OK;
    int capacity = net->layer_capacity == 0 ? LAYERS_AT_FIRST : 2 * net->layer_capacity;
    cr_layer *layers = NULL;
    CR_TRY(cr_alloc((void **)&layers, (size_t)capacity * sizeof *layers));
    if (net->layer_count > 0)
        memcpy(layers, net->layers, (size_t)net->layer_count * sizeof *layers);
    CR_FREE(net->layers);
    net->layers = layers;
    net->layer_capacity = capacity;
    return CR_OK;
}

cr_status cr_net_add(cr_net *net, const char *type, const char *name, int width, double rate)
{
    CR_TRY(reserve_layer(net));
    cr_layer *layer = &net->layers[net->layer_count];
    *layer = (cr_layer){.type = cr_layer_type_find(type),
                        .index = net->layer_count,
                        .in = net->input,
                        .out = {1, 1, width},
                        .rate = rate};
    CR_CHECK(layer->type != NULL, CR_BAD_CONFIG, "layer %s: no layer is called %s", name, type);
    CR_CHECK(strlen(name) < sizeof layer->name, CR_BAD_CONFIG,
             "layer %s: expected a name shorter than %d bytes", name, CR_WORD_MAX);
    (void)snprintf(layer->name, sizeof layer->name, "%s", name);
    if (net->layer_count > 0)
        layer->in = net->layers[net->layer_count - 1].out;
    CR_TRY(layer->type->shape(layer));
    for (int i = 0; i < layer->parameter_count; i++)
        memcpy(layer->parameters[i].layer, layer->name, sizeof(cr_word));
    net->layer_count++;
    return CR_OK;
}

/* ---- segments -------------------------------------------------------------------------------- */

static int count_segments(const cr_net *net)
{
    int count = 0;
    for (int l = 0; l < net->layer_count; l++)
        count += net->layers[l].type->channelwise == NULL;
    return count;
}

static cr_status make_segments(cr_net *net)
{
    int count = count_segments(net);
    const cr_layer *last = &net->layers[net->layer_count - 1];
    CR_CHECK(last->type->loss != NULL, CR_INTERNAL, "the model does not end with a loss");
    CR_TRY(cr_alloc((void **)&net->segments, (size_t)count * sizeof *net->segments));
    CR_TRY(cr_alloc((void **)&net->blocks, (size_t)net->layer_count * sizeof *net->blocks));
    int chain = 0;
    for (int l = 0; l < net->layer_count; l++) {
        const cr_layer *layer = &net->layers[l];
        if (layer->type->channelwise != NULL) {
            chain++;
            continue;
        }
        CR_CHECK(chain <= CR_CHAIN_MAX, CR_BAD_CONFIG,
                 "layer %s: expected at most %d layers between contractions, found %d", layer->name,
                 CR_CHAIN_MAX, chain);
        net->segments[net->segment_count++] = (cr_segment){.chain_first = l - chain,
                                                           .chain_count = chain,
                                                           .consumer = l,
                                                           .n = layer->in.c,
                                                           .most = layer->in.c,
                                                           .ratio = 1};
        chain = 0;
    }
    return CR_OK;
}

static void place_parameters(cr_net *net, cr_layer *layer, int segment)
{
    for (int i = 0; i < layer->parameter_count; i++) {
        layer->parameters[i].segment = segment;
        layer->parameters[i].offset = net->parameter_count;
        net->parameter_count += (layer->parameters[i].count + PADDING - 1) / PADDING * PADDING;
    }
}

/* Offsets follow the order in which the backward pass finishes gradients, so that an exact step's
 * gradients lie as the parameters do and need no copy. */
static void place_all_parameters(cr_net *net)
{
    for (int s = net->segment_count - 1; s >= 0; s--) {
        const cr_segment *segment = &net->segments[s];
        place_parameters(net, &net->layers[segment->consumer], s);
        for (int i = segment->chain_count - 1; i >= 0; i--)
            place_parameters(net, &net->layers[segment->chain_first + i], s);
    }
}

static cr_status list_parameters(cr_net *net)
{
    size_t most = (size_t)net->layer_count * CR_LAYER_PARAMETERS;
    CR_TRY(cr_alloc((void **)&net->list, most * sizeof *net->list));
    CR_TRY(cr_alloc((void **)&net->block_of, most * sizeof *net->block_of));
    for (int l = 0; l < net->layer_count; l++)
        for (int i = 0; i < net->layers[l].parameter_count; i++)
            net->list[net->list_count++] = &net->layers[l].parameters[i];
    return CR_OK;
}

/* ---- sampling -------------------------------------------------------------------------------- */

static cr_status check_pattern(const cr_net *net, const char *key, const char *pattern)
{
    char known[1024] = "";
    for (int s = 0; s + 1 < net->segment_count; s++) {
        const char *name = net->layers[net->segments[s].consumer].name;
        if (fnmatch(pattern, name, 0) == 0)
            return CR_OK;
        size_t used = strlen(known);
        (void)snprintf(known + used, sizeof known - used, "%s%s", used > 0 ? ", " : "", name);
    }
    return cr_fail(CR_BAD_CONFIG, __FILE__, __LINE__,
                   "sampling.%s: expected a pattern that matches a layer (%s), found %s", key,
                   known, pattern);
}

static cr_status set_sampling(cr_net *net)
{
    const cr_sample_options *sampling = &net->sampling;
    for (int i = 0; i < sampling->exact.count; i++)
        CR_TRY(check_pattern(net, "exact", sampling->exact.value[i]));
    for (int i = 0; i < sampling->layers.count; i++)
        CR_TRY(check_pattern(net, "layers", sampling->layers.name[i]));
    for (int s = 0; s + 1 < net->segment_count; s++) {
        cr_segment *segment = &net->segments[s];
        segment->ratio = cr_sample_ratio(sampling, net->layers[segment->consumer].name);
        segment->most = cr_sample_count(segment->ratio, sampling->minimum, segment->n);
    }
    return CR_OK;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int64_t positions(const cr_net *net, int s)
{
    const cr_shape *in = &net->layers[net->segments[s].consumer].in;
    return (int64_t)in->h * in->w;
}

/* Can segment s be sampled? */
static bool is_sampled(const cr_net *net, int s)
{
    return net->segments[s].most < net->segments[s].n;
}

static bool keeps_output(const cr_net *net, int layer)
{
    return net->layers[layer].type->channelwise->keeps_output;
}

static void lay_out_weights(cr_net *net, int s, cr_arena *arena)
{
    cr_segment *segment = &net->segments[s];
    cr_pick_place(&segment->pick, segment->n, arena);
    if (cr_segment_contraction(net, s) == NULL)
        return;
    int out = net->layers[segment->consumer].out.c;
    int64_t rows = net->layers[segment->consumer].parameters[0].count / out;
    int64_t row = rows / segment->n; /* rows of a channel */
    if (is_sampled(net, s) && net->score->needs_weights)
        segment->row_norms = cr_arena_take(arena, rows, sizeof(double));
    if (is_sampled(net, s))
        segment->weights = cr_arena_take(arena, row * segment->most * out, sizeof(float));
    if (is_sampled(net, s + 1))
        segment->weights_live =
            cr_arena_take(arena, row * segment->most * net->segments[s + 1].most, sizeof(float));
}

static void lay_out_tensors(cr_net *net, int s, cr_arena *arena)
{
    cr_segment *segment = &net->segments[s];
    const cr_layer *consumer = &net->layers[segment->consumer];
    int64_t rows = net->rows * positions(net, s);
    if (segment->chain_count > 0 || is_sampled(net, s))
        segment->kept = cr_arena_take(arena, rows * segment->most, sizeof(float));
    for (int i = 0; i + 1 < segment->chain_count; i++)
        if (keeps_output(net, segment->chain_first + i))
            segment->stash[i] = cr_arena_take(arena, rows * segment->most, sizeof(float));
    if (cr_segment_contraction(net, s) != NULL)
        segment->y = cr_arena_take(
            arena, (int64_t)net->rows * consumer->out.h * consumer->out.w * consumer->out.c,
            sizeof(float));
}

/* Largest tensors and channel counts of the net. */
typedef struct extent {
    int channels;        /* of any input */
    int64_t activations; /* floats of any tensor, all channels */
    int64_t gradients;   /* floats of any tensor, kept channels */
    int64_t tile;        /* floats of any tile */
} extent;

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static extent measure(const cr_net *net)
{
    extent most = {0};
    for (int s = 0; s < net->segment_count; s++) {
        const cr_segment *segment = &net->segments[s];
        int64_t rows = net->rows * positions(net, s);
        most.channels = (int)larger(most.channels, segment->n);
        most.activations = larger(most.activations, rows * segment->n);
        most.gradients = larger(most.gradients, rows * segment->most);
        most.tile = larger(most.tile, (int64_t)cr_chain_tile_rows(rows) * segment->n);
    }
    return most;
}

/* Called twice: to measure, and to place. Training and evaluation tensors share their memory. */
static void lay_out(cr_net *net, cr_arena *arena)
{
    extent most = measure(net);
    int64_t gradient = net->parameter_count + net->gradient_extra;
    net->parameters = cr_arena_take(arena, net->parameter_count, sizeof(float));
    net->gradient = cr_arena_take(arena, gradient, sizeof(float));
    net->tile_floats = most.tile;
    net->tiles = cr_arena_take(arena, net->threads * most.tile, sizeof(float));
    net->partial = cr_arena_take(arena, (int64_t)CR_TILES_MAX * most.channels, sizeof(double));
    net->norms[0] = cr_arena_take(arena, most.channels, sizeof(double));
    net->norms[1] = cr_arena_take(arena, most.channels, sizeof(double));
    net->scores = cr_arena_take(arena, most.channels, sizeof(double));
    net->draw_scratch = cr_arena_take(arena, 1, cr_draw_scratch(most.channels));
    for (int s = 0; s < net->segment_count; s++)
        lay_out_weights(net, s, arena);

    size_t mark = arena->used;
    for (int s = 0; s < net->segment_count; s++)
        lay_out_tensors(net, s, arena);
    for (int i = 0; i < 2; i++)
        net->flow[i] = cr_arena_take(arena, most.gradients, sizeof(float));
    size_t training = arena->used;
    arena->used = mark;
    for (int i = 0; i < 2; i++)
        net->evaluation[i] = cr_arena_take(arena, most.activations, sizeof(float));
    arena->used = arena->used > training ? arena->used : training;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static cr_status look_up(cr_net *net, const cr_net_plan *plan)
{
    CR_TRY(cr_sample_check(&plan->sampling));
    net->score = cr_score_find(plan->sampling.scores);
    net->draw = cr_draw_find(plan->sampling.draw);
    net->engine = cr_engine_find(plan->engine);
    CR_CHECK(net->score != NULL && net->draw != NULL, CR_BAD_CONFIG,
             "sampling: no draw %s or no scores %s", plan->sampling.draw, plan->sampling.scores);
    CR_CHECK(net->engine != NULL, CR_BAD_CONFIG, "engine: no engine is called %s", plan->engine);
    return CR_OK;
}

static cr_status check_fit(const cr_model *model, const cr_net_plan *plan)
{
    cr_shape want = {0};
    int classes = 0;
    const cr_shape *have = &plan->input;
    CR_TRY(model->wants(plan->options.parameters, &want, &classes));
    int64_t wanted = (int64_t)want.h * want.w * want.c;
    int64_t found = (int64_t)have->h * have->w * have->c;
    CR_CHECK(wanted == 0 || wanted == found, CR_BAD_CONFIG,
             "network: expected data of %lld values a sample, found %d x %d x %d = %lld",
             (long long)wanted, have->h, have->w, have->c, (long long)found);
    CR_CHECK(classes == 0 || classes == plan->classes, CR_BAD_CONFIG,
             "network: expected data of %d classes, found %d", classes, plan->classes);
    return CR_OK;
}

static cr_status build(cr_net *net, const cr_net_plan *plan)
{
    const cr_model *model = cr_model_find(plan->options.model);
    CR_CHECK(model != NULL, CR_BAD_CONFIG, "network.model: no model is called %s",
             plan->options.model);
    CR_TRY(check_fit(model, plan));
    CR_TRY(look_up(net, plan));
    CR_TRY(model->build(net, net->options.parameters));
    CR_TRY(make_segments(net));
    CR_TRY(set_sampling(net));
    place_all_parameters(net);
    CR_TRY(list_parameters(net));
    net->gradient_extra = plan->extra != NULL ? plan->extra(net->segment_count) : 0;
    cr_arena measured = {0};
    lay_out(net, &measured);
    CR_TRY(cr_arena_create(&net->arena, measured.used));
    lay_out(net, &net->arena);
    return CR_OK;
}

cr_status cr_net_create(cr_net **out, const cr_net_plan *plan)
{
    cr_net *net = NULL;
    CR_TRY(cr_alloc((void **)&net, sizeof *net));
    net->options = plan->options;
    net->sampling = plan->sampling;
    net->input = plan->input;
    net->classes = plan->classes;
    net->rows = plan->rows;
    net->seed = plan->seed;
    net->threads = cr_engine_threads();
    cr_status status = build(net, plan);
    if (status != CR_OK) {
        cr_trail_add(__FILE__, __LINE__);
        cr_net_free(&net);
        return status;
    }
    *out = net;
    return CR_OK;
}

void cr_net_free(cr_net **net)
{
    if (*net == NULL)
        return;
    cr_arena_free(&(*net)->arena);
    CR_FREE((*net)->layers);
    CR_FREE((*net)->segments);
    CR_FREE((*net)->blocks);
    CR_FREE((*net)->list);
    CR_FREE((*net)->block_of);
    CR_FREE(*net);
}

const cr_parameter *cr_net_parameter(const cr_net *net, int i)
{
    return i < net->list_count ? net->list[i] : NULL;
}

int64_t cr_parameter_row(const cr_parameter *parameter)
{
    return parameter->dims[parameter->rank - 1];
}

int64_t cr_net_size(const cr_net *net)
{
    int64_t size = 0;
    for (int i = 0; cr_net_parameter(net, i) != NULL; i++)
        size += cr_net_parameter(net, i)->count;
    return size;
}
