/* nets: small networks for tests, a micro-batch for them, and one step of a net that decides alone.
 */
#ifndef TEST_NETS_H
#define TEST_NETS_H

#include "options.h"
#include "values.h"

#include "colrow/net.h"

/* What a test wants of a net; zero or NULL: the default, an mlp. */
typedef struct net_wish {
    const char *model;
    cr_ints sizes;         /* of an mlp; another model has ... */
    cr_shape input;        /* ... its input, */
    int classes;           /* its classes, an option of the model, */
    const char *options;   /* and options of its own: "name=value name=value" */
    const char *exact[4];  /* layers never sampled */
    double dropout, ratio; /* dropout is an option of the model */
    const char *draw, *scores, *engine, *precision, *initializer;
    bool scale;
    struct {
        const char *method, *draw;
        double ratio; /* 0: no second sampling */
        int minimum;
    } backward;
    bool everything; /* no liveness */
    bool remembers;  /* scores are by the norms of the last step */
    bool lookahead;
    int rows; /* of a micro-batch at most */
    uint64_t seed;
} net_wish;

#define NET_SIZES(...)                                                                             \
    ((cr_ints){.count = (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), .value = {__VA_ARGS__}})

static inline void net_word(cr_word to, const char *word)
{
    if (word != NULL)
        (void)snprintf(to, sizeof(cr_word), "%s", word);
}

static inline void net_model_options(void *parameters, const net_wish *wish)
{
    const cr_option *table = cr_model_options(wish->model);
    char text[256], *rest = NULL;
    options_default(table, parameters);
    (void)snprintf(text, sizeof text, "%.17g", wish->dropout);
    option_set(table, parameters, "dropout", text);
    (void)snprintf(text, sizeof text, "%s", wish->options != NULL ? wish->options : "");
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *equals = strchr(word, '=');
        *equals = '\0';
        option_set(table, parameters, word, equals + 1);
    }
}

/* The options that a list or the plan's number of classes goes into. */
static inline void net_model_sizes(void *parameters, const net_wish *wish, int classes)
{
    for (const cr_option *o = cr_model_options(wish->model); o->name != NULL; o++) {
        if (strcmp(o->name, "sizes") == 0)
            memcpy((char *)parameters + o->offset, &wish->sizes, sizeof wish->sizes);
        if (strcmp(o->name, "classes") == 0)
            memcpy((char *)parameters + o->offset, &classes, sizeof classes);
    }
}

static inline void net_plan_backward(cr_backward_options *options, const net_wish *wish)
{
    options_default(cr_backward_option_table, options);
    net_word(options->method, wish->backward.method);
    net_word(options->draw, wish->backward.draw);
    options->ratio = wish->backward.ratio > 0 ? wish->backward.ratio : 1;
    options->minimum = wish->backward.minimum > 0 ? wish->backward.minimum : 1;
}

static inline cr_net_plan net_plan(const net_wish *asked)
{
    net_wish wish = *asked;
    if (wish.model == NULL) {
        wish.model = "mlp";
        wish.input = (cr_shape){1, 1, wish.sizes.value[0]};
        wish.classes = wish.sizes.value[wish.sizes.count - 1];
    }
    cr_net_plan plan = {.engine = wish.engine != NULL ? wish.engine : "openblas",
                        .precision = wish.precision,
                        .input = wish.input,
                        .classes = wish.classes,
                        .rows = wish.rows,
                        .seed = wish.seed,
                        .remembers = wish.remembers,
                        .everything = wish.everything};
    options_default(cr_net_option_table, &plan.options);
    options_default(cr_sample_option_table, &plan.sampling);
    net_model_options(plan.options.parameters, &wish);
    net_model_sizes(plan.options.parameters, &wish, plan.classes);
    net_word(plan.options.model, wish.model);
    net_word(plan.options.initializer, wish.initializer);
    net_word(plan.sampling.draw, wish.draw);
    net_word(plan.sampling.scores, wish.scores);
    for (int i = 0; i < 4 && wish.exact[i] != NULL; i++)
        net_word(plan.sampling.exact.value[plan.sampling.exact.count++], wish.exact[i]);
    net_plan_backward(&plan.sampling.backward, &wish);
    plan.sampling.scale = wish.scale;
    plan.sampling.lookahead = wish.lookahead;
    plan.sampling.ratio = wish.ratio > 0 ? wish.ratio : 1;
    return plan;
}

/* A net with initial weights, and biases (gamma, beta) that are not zero (one); freed with
 * cr_net_free. */
static inline cr_net *net_of(const cr_net_plan *plan)
{
    cr_net *net = NULL;
    ASSERT_OK(cr_net_create(&net, plan));
    cr_net_initialize(net);
    for (int i = 0; cr_net_parameter(net, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(net, i);
        if (p->rank > 1)
            continue;
        values_uniform(net->parameters + p->offset, p->count, 50 + (uint32_t)i);
        for (int64_t c = 0; c < p->count; c++)
            net->parameters[p->offset + c] =
                (float)p->initial + 0.2F * net->parameters[p->offset + c];
    }
    return net;
}

static inline cr_net *net_new(const net_wish *wish)
{
    cr_net_plan plan = net_plan(wish);
    return net_of(&plan);
}

/* A net under construction, as a model gets it; freed with cr_net_free. */
static inline cr_net *net_bare(cr_shape input)
{
    enum { ROOM = 16 };
    cr_net *net = values_new(1, sizeof *net);
    net->tensors = values_new(ROOM, sizeof *net->tensors);
    net->tensors[0].shape = input;
    net->tensor_count = 1;
    return net;
}

/* Values of a sample. */
static inline int64_t net_features(const cr_net *net)
{
    return (int64_t)net->input.h * net->input.w * net->input.c;
}

/* Samples and labels. */
typedef struct net_batch {
    int rows;
    float *x;    /* [rows, features]; owned */
    int *labels; /* [rows, positions]; owned */
} net_batch;

/* Tokens of windows. */
static inline void net_tokens(float *x, int count, int classes, uint32_t which)
{
    int *tokens = values_new(count, sizeof(int));
    values_labels(tokens, count, classes, which);
    for (int i = 0; i < count; i++)
        x[i] = (float)tokens[i];
    CR_FREE(tokens);
}

static inline net_batch net_batch_new(const cr_net *net, int rows)
{
    net_batch batch = {.rows = rows};
    batch.x = values_new(rows * net_features(net), sizeof(float));
    batch.labels = values_new((int64_t)rows * net->positions, sizeof(int));
    if (net->positions > 1)
        net_tokens(batch.x, rows * net->positions, net->classes, 30);
    else
        values_uniform(batch.x, rows * net_features(net), 30);
    values_labels(batch.labels, rows * net->positions, net->classes, 31);
    return batch;
}

static inline void net_batch_free(net_batch *batch)
{
    CR_FREE(batch->x);
    CR_FREE(batch->labels);
}

/* Forward and backward over `rows` samples of the batch from `first` on, as one micro-batch of the
 * step that cr_net_begin began. The loss is the mean over the whole batch. */
static inline void net_pass(cr_net *net, cr_result *result, const net_batch *batch, int first,
                            int rows, bool fresh)
{
    const float *x = batch->x + first * net_features(net);
    const int *labels = batch->labels + (int64_t)first * net->positions;
    ASSERT_OK(cr_net_forward(net, result, x, labels, rows, (uint32_t)first, 1.0 / batch->rows));
    ASSERT_OK(cr_net_backward(net, fresh, NULL, NULL));
}

/* A whole step on the batch as one micro-batch; returns the summed loss. */
static inline double net_step(cr_net *net, const net_batch *batch, uint32_t step)
{
    cr_result result = {0};
    cr_net_begin(net, step, &cr_net_alone);
    net_pass(net, &result, batch, 0, batch->rows, true);
    return result.loss;
}

/* Deciding as another net has: an agreement whose `self` is that net. */
static inline cr_status net_choose_as(void *self, cr_net *net, int s, cr_pick *pick)
{
    const cr_pick *from = &((const cr_net *)self)->segments[s].pick;
    (void)net;
    pick->k = from->k;
    pick->scaled = from->scaled;
    memcpy(pick->index, from->index, (size_t)from->k * sizeof *pick->index);
    memcpy(pick->scale, from->scale, (size_t)from->k * sizeof *pick->scale);
    cr_pick_seal(pick);
    return CR_OK;
}

/* The step's gradient, dense [parameter_count]; freed with CR_FREE. */
static inline float *net_gradient(const cr_net *net)
{
    float *dense = values_new(net->parameter_count, sizeof(float));
    cr_net_spread(net, dense, net->gradient);
    return dense;
}

/* ---- spoiling memory ------------------------------------------------------------------------- */

/* Rows of the input of segment s for a whole micro-batch. */
static inline int64_t net_rows(const cr_net *net, int s)
{
    const cr_shape *in = &net->layers[net->segments[s].consumer].in;
    return (int64_t)net->rows * in->h * in->w;
}

/* Floats of a tensor's gradient at most: compact where all of it follows one pick. */
static inline int64_t net_gradient_floats(const cr_net *net, const cr_tensor *tensor)
{
    int writer = tensor->first_writer;
    int channels = tensor->dense ? tensor->shape.c : cr_net_live_most(net, writer);
    return (int64_t)net->rows * tensor->shape.h * tensor->shape.w * channels;
}

static inline void net_poison_weights(cr_net *net, int s)
{
    cr_segment *segment = &net->segments[s];
    const cr_layer *layer = &net->layers[segment->consumer];
    if (layer->type->contraction == NULL)
        return;
    int64_t rows = layer->parameters[0].count / layer->in.c / layer->out.c * segment->most;
    values_poison(segment->weights, rows * layer->out.c);
    values_poison(segment->weights_live, rows * cr_net_live_most(net, s));
    cr_contract c = {.layer = layer, .engine = net->engine, .samples = net->rows};
    c.out = layer->out.c;
    c.k = segment->most;
    c.live = cr_net_live_most(net, s);
    if (segment->prepared != NULL)
        values_poison(segment->prepared, layer->type->contraction->prepared(&c, false));
    if (segment->prepared_live != NULL)
        values_poison(segment->prepared_live, layer->type->contraction->prepared(&c, true));
}

static inline void net_poison_segment(cr_net *net, int s)
{
    cr_segment *segment = &net->segments[s];
    int64_t kept = net_rows(net, s) * segment->most;
    values_poison(segment->kept, kept);
    for (int i = 0; i < segment->chain_count; i++) {
        values_poison(segment->before[i], kept);
        values_poison(segment->after[i], kept);
    }
    net_poison_weights(net, s);
}

static inline void net_poison_layer(cr_layer *layer)
{
    for (int c = 0; layer->statistics > 0 && c < 2 * layer->in.c; c++) {
        layer->factors[c] = NAN;
        layer->moments[c] = layer->moments[layer->in.c + c] = NAN;
    }
    values_poison(layer->lines, layer->statistics > 0 ? 3 * (int64_t)layer->in.c : 0);
}

/* Spoil everything a step may not read before it has written it. */
static inline void net_poison(cr_net *net)
{
    int64_t flow = 0, sum = 0;
    for (int s = 0; s < net->segment_count; s++) {
        const cr_segment *segment = &net->segments[s];
        const cr_layer *consumer = &net->layers[segment->consumer];
        int64_t out = (int64_t)net->rows * consumer->out.h * consumer->out.w * consumer->out.c;
        bool flows = net->tensors[segment->source].dense;
        flow = flows ? values_larger(flow, net_rows(net, s) * segment->most) : flow;
        sum = segment->adds ? values_larger(sum, out) : sum;
        net_poison_segment(net, s);
    }
    for (int t = 1; t < net->tensor_count; t++) {
        const cr_tensor *tensor = &net->tensors[t];
        values_poison(tensor->values,
                      (int64_t)net->rows * tensor->shape.h * tensor->shape.w * tensor->shape.c);
        values_poison(tensor->gradient, net_gradient_floats(net, tensor));
    }
    for (int l = 0; l < net->layer_count; l++) {
        net_poison_layer(&net->layers[l]);
        values_poison(net->layers[l].memory, net->rows * net->layers[l].memory_floats);
    }
    if (net->backward != NULL) /* the copies lie one behind the other */
        values_poison(net->thin.x, net->thin.prepared - net->thin.x);
    values_poison(net->flow, flow);
    values_poison(net->sum, sum);
    values_poison(net->gradient, net->parameter_count + net->statistics_count);
}

/* A step gives the same bits where all that it may not read has been spoiled. */
static inline void net_check_poison_plan(const cr_net_plan *plan)
{
    cr_net *net = net_of(plan);
    net_batch batch = net_batch_new(net, plan->rows);
    double loss = net_step(net, &batch, 6);
    float *expected = net_gradient(net);
    net_poison(net);
    assert_true(net_step(net, &batch, 6) == loss);
    float *found = net_gradient(net);
    assert_same_bits(found, expected, net->parameter_count);
    CR_FREE(found);
    CR_FREE(expected);
    net_batch_free(&batch);
    cr_net_free(&net);
}

static inline void net_check_poison(const net_wish *wish)
{
    cr_net_plan plan = net_plan(wish);
    net_check_poison_plan(&plan);
}

#endif
