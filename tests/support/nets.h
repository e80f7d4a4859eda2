/* nets: small networks for tests, a micro-batch for them, and one step of a net that decides alone.
 */
#ifndef TEST_NETS_H
#define TEST_NETS_H

#include "options.h"
#include "values.h"

#include "colrow/net.h"

/* What a test wants of an mlp; zero or NULL: the default. */
typedef struct net_wish {
    cr_ints sizes;
    double dropout, ratio;
    const char *draw, *scores, *engine, *initializer;
    bool scale;
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

static inline void net_mlp_options(void *parameters, const net_wish *wish)
{
    const cr_option *table = cr_model_options("mlp");
    char text[32];
    options_default(table, parameters);
    (void)snprintf(text, sizeof text, "%.17g", wish->dropout);
    option_set(table, parameters, "dropout", text);
    for (const cr_option *option = table; option->name != NULL; option++)
        if (strcmp(option->name, "sizes") == 0)
            memcpy((char *)parameters + option->offset, &wish->sizes, sizeof wish->sizes);
}

static inline cr_net_plan net_plan(const net_wish *wish)
{
    cr_net_plan plan = {.engine = wish->engine != NULL ? wish->engine : "openblas",
                        .input = {1, 1, wish->sizes.value[0]},
                        .classes = wish->sizes.value[wish->sizes.count - 1],
                        .rows = wish->rows,
                        .seed = wish->seed};
    options_default(cr_net_option_table, &plan.options);
    options_default(cr_sample_option_table, &plan.sampling);
    net_mlp_options(plan.options.parameters, wish);
    net_word(plan.options.initializer, wish->initializer);
    net_word(plan.sampling.draw, wish->draw);
    net_word(plan.sampling.scores, wish->scores);
    plan.sampling.scale = wish->scale;
    plan.sampling.ratio = wish->ratio > 0 ? wish->ratio : 1;
    return plan;
}

/* An mlp with initial weights, and biases that are not zero; freed with cr_net_free. */
static inline cr_net *net_new(const net_wish *wish)
{
    cr_net *net = NULL;
    cr_net_plan plan = net_plan(wish);
    ASSERT_OK(cr_net_create(&net, &plan));
    cr_net_initialize(net);
    for (int i = 0; cr_net_parameter(net, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(net, i);
        if (p->rank > 1)
            continue;
        values_uniform(net->parameters + p->offset, p->count, 50 + (uint32_t)i);
        for (int64_t c = 0; c < p->count; c++)
            net->parameters[p->offset + c] *= 0.2F;
    }
    return net;
}

/* Samples and labels. */
typedef struct net_batch {
    int rows;
    float *x;    /* [rows, features]; owned */
    int *labels; /* [rows]; owned */
} net_batch;

static inline net_batch net_batch_new(const cr_net *net, int rows)
{
    net_batch batch = {.rows = rows};
    batch.x = values_new((int64_t)rows * net->segments[0].n, sizeof(float));
    batch.labels = values_new(rows, sizeof(int));
    values_uniform(batch.x, (int64_t)rows * net->segments[0].n, 30);
    values_labels(batch.labels, rows, net->classes, 31);
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
    const float *x = batch->x + (int64_t)first * net->segments[0].n;
    ASSERT_OK(cr_net_forward(net, result, x, batch->labels + first, rows, (uint32_t)first,
                             1.0 / batch->rows));
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

/* The step's gradient, dense [parameter_count]; freed with CR_FREE. */
static inline float *net_gradient(const cr_net *net)
{
    float *dense = values_new(net->parameter_count, sizeof(float));
    cr_net_spread(net, dense, net->gradient);
    return dense;
}

/* Spoil everything a step may not read before it has written it. */
static inline void net_poison(cr_net *net)
{
    for (int s = 0; s < net->segment_count; s++) {
        cr_segment *segment = &net->segments[s];
        const cr_layer *consumer = &net->layers[segment->consumer];
        int64_t rows = net->rows;
        if (segment->kept != NULL)
            values_poison(segment->kept, rows * segment->most);
        for (int i = 0; i < segment->chain_count; i++)
            values_poison(segment->stash[i], rows * segment->most);
        values_poison(segment->y, rows * consumer->out.c);
        if (s + 1 < net->segment_count && segment->most < segment->n)
            values_poison(segment->weights, (int64_t)segment->most * consumer->out.c);
        if (s + 1 < net->segment_count && segment->weights_live != NULL)
            values_poison(segment->weights_live,
                          (int64_t)segment->most * net->segments[s + 1].most);
    }
    int64_t widest = 0;
    for (int s = 0; s < net->segment_count; s++)
        widest = net->segments[s].most > widest ? net->segments[s].most : widest;
    for (int i = 0; i < 2; i++)
        values_poison(net->flow[i], net->rows * widest);
    values_poison(net->gradient, net->parameter_count);
}

#endif
