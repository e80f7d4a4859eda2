/* net: from a model to layers, segments, and one arena with everything a step needs. */
#include "colrow/net.h"

#include <stdio.h>
#include <string.h>

#include "chain.h"

enum { PADDING = CR_ALIGNMENT / (int)sizeof(float) };

/* ---- layers ---------------------------------------------------------------------------------- */

static cr_status add_layer(cr_net *net, const cr_layer_plan *plan)
{
    CR_CHECK(net->current >= 0, CR_BAD_CONFIG, "layer %s: expected nothing behind the loss",
             plan->name);
    CR_TRY(cr_reserve((void **)&net->layers, net->layer_count, sizeof *net->layers));
    cr_layer *layer = &net->layers[net->layer_count];
    *layer = (cr_layer){.type = cr_layer_type_find(plan->type),
                        .index = net->layer_count,
                        .plan = *plan,
                        .in = net->pending > 0 ? layer[-1].out : net->tensors[net->current].shape};
    layer->plan.name = NULL; /* the caller's; ours is layer->name */
    CR_CHECK(layer->type != NULL, CR_BAD_CONFIG, "layer %s: no layer is called %s", plan->name,
             plan->type);
    CR_CHECK(strlen(plan->name) < sizeof layer->name, CR_BAD_CONFIG,
             "layer %s: expected a name shorter than %d bytes", plan->name, CR_WORD_MAX);
    (void)snprintf(layer->name, sizeof layer->name, "%s", plan->name);
    CR_TRY(layer->type->shape(layer));
    for (int i = 0; i < layer->parameter_count; i++)
        memcpy(layer->parameters[i].layer, layer->name, sizeof(cr_word));
    layer->state_offset = net->state_floats;
    net->state_floats += layer->state;
    layer->statistics_offset = net->statistics_count;
    net->statistics_count += layer->statistics;
    net->layer_count++;
    return CR_OK;
}

static cr_status add_tensor(cr_net *net, cr_shape shape)
{
    CR_TRY(cr_reserve((void **)&net->tensors, net->tensor_count, sizeof *net->tensors));
    net->tensors[net->tensor_count++] = (cr_tensor){.shape = shape};
    return CR_OK;
}

/* ---- segments -------------------------------------------------------------------------------- */

/* What a contraction's pick is of, or the channels of another layer's input. */
static int inputs_of(const cr_layer *layer)
{
    return layer->type->contraction != NULL ? cr_kernel_in(layer) : layer->in.c;
}

/* The last layer ends the chain that is pending. */
static cr_status close_segment(cr_net *net, int target, bool adds)
{
    int consumer = net->layer_count - 1;
    const cr_layer *layer = &net->layers[consumer];
    const cr_shape *read = &net->tensors[net->current].shape;
    bool flattens = layer->in.c != read->c;
    bool operates = layer->type->operation != NULL && !layer->type->operation->ends;
    CR_CHECK(net->pending <= CR_CHAIN_MAX, CR_BAD_CONFIG,
             "layer %s: expected at most %d layers between contractions, found %d", layer->name,
             CR_CHAIN_MAX, net->pending);
    CR_CHECK(!flattens || net->pending == 0, CR_BAD_CONFIG,
             "layer %s: expected one position a sample, found %d x %d; put a pooling or zero_pad "
             "layer (the identity) before it",
             layer->name, read->h, read->w);
    CR_CHECK(
        !operates || net->pending == 0, CR_BAD_CONFIG,
        "layer %s: expected a tensor of its own before it; put a zero_pad layer (the identity) "
        "there",
        layer->name);
    for (int i = consumer - net->pending; net->current == 0 && i < consumer; i++)
        CR_CHECK(net->layers[i].parameter_count == 0, CR_BAD_CONFIG,
                 "layer %s: expected a contraction between the data and the first layer with "
                 "parameters",
                 net->layers[i].name);
    int n = inputs_of(layer);
    CR_TRY(cr_reserve((void **)&net->segments, net->segment_count, sizeof *net->segments));
    net->segments[net->segment_count++] = (cr_segment){.chain_first = consumer - net->pending,
                                                       .chain_count = net->pending,
                                                       .consumer = consumer,
                                                       .source = net->current,
                                                       .target = target,
                                                       .adds = adds,
                                                       .n = n,
                                                       .least = n,
                                                       .most = n,
                                                       .asked = n,
                                                       .ratio = 1,
                                                       .backward_ratio = 1};
    net->pending = 0;
    net->current = target;
    return CR_OK;
}

cr_status cr_net_add(cr_net *net, const cr_layer_plan *plan)
{
    const cr_layer_type *type = cr_layer_type_find(plan->type);
    if (type != NULL && type->expand != NULL)
        return type->expand(net, plan);
    CR_TRY(add_layer(net, plan));
    const cr_layer *layer = &net->layers[net->layer_count - 1];
    if (layer->type->channelwise != NULL) {
        net->pending++;
        return CR_OK;
    }
    if (cr_layer_type_ends(layer->type))
        return close_segment(net, -1, false);
    CR_TRY(add_tensor(net, layer->out));
    return close_segment(net, net->tensor_count - 1, false);
}

/* The layer that a tensor comes from. */
static const char *writer_of(const cr_net *net, int tensor)
{
    const char *name = "the data";
    for (int s = 0; s < net->segment_count; s++)
        if (net->segments[s].target == tensor)
            name = net->layers[net->segments[s].consumer].name;
    return name;
}

cr_status cr_net_add_into(cr_net *net, const cr_layer_plan *plan, int tensor)
{
    CR_TRY(add_layer(net, plan));
    const cr_shape *out = &net->layers[net->layer_count - 1].out;
    const cr_shape *sum = &net->tensors[tensor].shape;
    CR_CHECK(out->h == sum->h && out->w == sum->w && out->c == sum->c, CR_BAD_CONFIG,
             "layer %s: expected %d x %d x %d as the shortcut of the residual has (%s), found "
             "%d x %d x %d",
             plan->name, sum->h, sum->w, sum->c, writer_of(net, tensor), out->h, out->w, out->c);
    return close_segment(net, tensor, true);
}

cr_status cr_net_add_columns(cr_net *net, const cr_layer_plan *plan, int *tensor, int column,
                             int channels)
{
    CR_TRY(add_layer(net, plan));
    const cr_shape *out = &net->layers[net->layer_count - 1].out;
    CR_ASSERT(column + out->c <= channels);
    if (*tensor < 0) {
        CR_TRY(add_tensor(net, (cr_shape){out->h, out->w, channels}));
        *tensor = net->tensor_count - 1;
    }
    CR_TRY(close_segment(net, *tensor, false));
    net->segments[net->segment_count - 1].fills = true;
    net->segments[net->segment_count - 1].column = column;
    return CR_OK;
}

int cr_net_current(const cr_net *net)
{
    return net->current;
}

void cr_net_continue_from(cr_net *net, int tensor)
{
    CR_ASSERT(net->pending == 0);
    net->current = tensor;
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

/* Parameters are stored under the names of their layer and their own. */
static cr_status check_name(const cr_net *net, const cr_parameter *p)
{
    for (int i = 0; i < net->list_count; i++)
        CR_CHECK(strcmp(net->list[i]->layer, p->layer) != 0 ||
                     strcmp(net->list[i]->name, p->name) != 0,
                 CR_BAD_CONFIG, "layer %s: expected another name, found a second %s of this one",
                 p->layer, p->name);
    return CR_OK;
}

static cr_status list_parameters(cr_net *net)
{
    size_t most = (size_t)net->layer_count * CR_LAYER_PARAMETERS;
    CR_TRY(cr_alloc((void **)&net->list, most * sizeof *net->list));
    CR_TRY(cr_alloc((void **)&net->block_of, most * sizeof *net->block_of));
    for (int l = 0; l < net->layer_count; l++) {
        for (int i = 0; i < net->layers[l].parameter_count; i++) {
            const cr_parameter *p = &net->layers[l].parameters[i];
            CR_TRY(check_name(net, p));
            net->list[net->list_count++] = p;
        }
    }
    return CR_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static cr_status look_up(cr_net *net, const cr_net_plan *plan)
{
    CR_TRY(cr_sample_check(&plan->sampling));
    CR_CHECK(!plan->sampling.lookahead || plan->remembers, CR_BAD_CONFIG,
             "sampling.lookahead: expected picks that are known before a step begins");
    return cr_engine_choose(&net->engine, plan->engine, plan->precision);
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

/* A loss gets a value for each class; one with weights makes them, at every step of a window. */
static cr_status loss_fits(cr_net *net, const cr_layer *loss)
{
    const cr_shape *in = &loss->in;
    if (loss->type->operation == NULL) {
        CR_CHECK(in->h == 1 && in->w == 1 && in->c == net->classes, CR_BAD_CONFIG,
                 "layer %s: expected 1 x 1 x %d, a value for each class, found %d x %d x %d",
                 loss->name, net->classes, in->h, in->w, in->c);
        return CR_OK;
    }
    CR_CHECK(cr_kernel_out(loss) == net->classes, CR_BAD_CONFIG,
             "layer %s: expected %d classes as the data has, found %d", loss->name, net->classes,
             cr_kernel_out(loss));
    net->positions = in->h * in->w;
    return CR_OK;
}

/* A window has as many labels as tokens, and every layer sees all of its steps. */
static cr_status check_windows(const cr_net *net)
{
    for (int l = 0; l < net->layer_count; l++) {
        const cr_layer *layer = &net->layers[l];
        CR_CHECK(layer->plan.vocabulary == 0 || layer->plan.vocabulary >= net->classes,
                 CR_BAD_CONFIG, "layer %s: expected a vocabulary of %d as the data has, found %d",
                 layer->name, net->classes, layer->plan.vocabulary);
        CR_CHECK(net->positions == 1 || (layer->in.h == net->input.h && layer->in.w == 1),
                 CR_BAD_CONFIG,
                 "layer %s: expected %d x 1 positions, the steps of a window, found %d x %d",
                 layer->name, net->input.h, layer->in.h, layer->in.w);
    }
    return CR_OK;
}

/* The loss gets a value for each class, and there is something to train. */
static cr_status check_end(cr_net *net)
{
    int last = net->layer_count - 1;
    CR_CHECK(net->current == -1, CR_BAD_CONFIG,
             "network: expected a loss as its last layer, found %s",
             last >= 0 ? net->layers[last].name : "no layer");
    CR_TRY(loss_fits(net, &net->layers[last]));
    bool has_weights = false;
    for (int s = 0; s < net->segment_count; s++)
        has_weights = has_weights || cr_segment_contraction(net, s) != NULL;
    CR_CHECK(has_weights, CR_BAD_CONFIG, "network: expected a layer with weights, found none");
    return CR_OK;
}

static cr_status build(cr_net *net, const cr_net_plan *plan)
{
    const cr_model *model = plan->model != NULL ? plan->model : cr_model_find(plan->options.model);
    CR_CHECK(model != NULL, CR_BAD_CONFIG, "network.model: no model is called %s",
             plan->options.model);
    CR_TRY(check_fit(model, plan));
    CR_TRY(look_up(net, plan));
    CR_TRY(add_tensor(net, net->input));
    CR_TRY(model->build(net, net->options.parameters));
    CR_TRY(check_end(net));
    CR_TRY(check_windows(net));
    net->layers[net->layer_count - 1].plan.smoothing = net->options.label_smoothing;
    CR_TRY(cr_net_plan_sampling(net));
    CR_TRY(cr_alloc((void **)&net->slots, (size_t)net->tensor_count * sizeof *net->slots));
    size_t blocks = (size_t)net->layer_count * CR_LAYER_PARAMETERS;
    CR_TRY(cr_alloc((void **)&net->blocks, blocks * sizeof *net->blocks));
    CR_TRY(cr_net_name_state(net));
    cr_tensors_link(net);
    place_all_parameters(net);
    CR_TRY(list_parameters(net));
    net->gradient_extra = plan->extra != NULL ? plan->extra(net->segment_count) : 0;
    cr_arena measured = {0};
    cr_net_lay_out(net, &measured);
    CR_TRY(cr_arena_create(&net->arena, measured.used));
    cr_net_lay_out(net, &net->arena);
    cr_remember_nothing(net);
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
    net->positions = 1;
    net->rows = plan->rows;
    net->seed = plan->seed;
    net->liveness = !plan->everything;
    net->remembers = plan->remembers;
    net->recomputes = plan->recomputes;
    net->prepares_each = plan->prepares_each;
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
    CR_FREE((*net)->tensors);
    CR_FREE((*net)->slots);
    CR_FREE((*net)->state_parts);
    CR_FREE((*net)->blocks);
    CR_FREE((*net)->list);
    CR_FREE((*net)->block_of);
    CR_FREE(*net);
}

bool cr_layer_type_ends(const cr_layer_type *type)
{
    return type->loss != NULL || (type->operation != NULL && type->operation->ends);
}

const cr_parameter *cr_net_parameter(const cr_net *net, int i)
{
    return i < net->list_count ? net->list[i] : NULL;
}

int64_t cr_net_size(const cr_net *net)
{
    int64_t size = 0;
    for (int i = 0; cr_net_parameter(net, i) != NULL; i++)
        size += cr_net_parameter(net, i)->count;
    return size;
}
