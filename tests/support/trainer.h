/*
 * trainer: a small net on all ranks through dist, and the same step worked out by this process
 * alone, from the definition: every micro-batch by itself, then their sum.
 */
#ifndef TEST_TRAINER_H
#define TEST_TRAINER_H

#include "mpi_main.h"
#include "values.h"

#include "colrow/dist.h"
#include "colrow/net.h"

enum {
    TRAINER_INPUTS = 24,
    TRAINER_CLASSES = 5,
    TRAINER_MICRO = 5,  /* samples of a micro-batch */
    TRAINER_BATCH = 33, /* 7 micro-batches, the last of 3 samples */
    TRAINER_MICROS = 7
};

typedef struct trainer_plan {
    cr_dist_options dist;
    cr_sample_options sampling;
    const char *engine;
    cr_ints sizes;
} trainer_plan;

typedef struct trainer {
    cr_net *net;
    cr_dist *dist;   /* NULL: works alone */
    float *gradient; /* [parameter_count] of the step, dense */
    float x[TRAINER_BATCH * TRAINER_INPUTS];
    int labels[TRAINER_BATCH];
} trainer;

static inline trainer_plan trainer_plan_make(const char *agreement, const char *scores,
                                             bool deterministic)
{
    trainer_plan plan = {
        .dist = {.deterministic = deterministic, .bucket_bytes = 1024, .overlap = true},
        .sampling = {.draw = "top", .ratio = 0.4, .minimum = 1},
        .engine = "openblas",
        .sizes = {4, {TRAINER_INPUTS, 64, 48, TRAINER_CLASSES}},
    };
    (void)snprintf(plan.dist.agreement, CR_WORD_MAX, "%s", agreement);
    (void)snprintf(plan.sampling.scores, CR_WORD_MAX, "%s", scores);
    return plan;
}

static inline void trainer_make_net(cr_net **net, const trainer_plan *plan)
{
    cr_net_plan made = {.sampling = plan->sampling,
                        .engine = plan->engine,
                        .input = {1, 1, plan->sizes.value[0]},
                        .classes = plan->sizes.value[plan->sizes.count - 1],
                        .rows = TRAINER_MICRO,
                        .extra = cr_dist_extra,
                        .remembers = cr_dist_remembers(&plan->dist),
                        .seed = 4};
    (void)snprintf(made.options.model, CR_WORD_MAX, "mlp");
    (void)snprintf(made.options.initializer, CR_WORD_MAX, "he");
    made.options.initializer_scale = 1;
    made.options.initializer_bias = 0.1;
    for (const cr_option *option = cr_model_options("mlp"); option->name != NULL; option++)
        if (strcmp(option->name, "sizes") == 0)
            memcpy(made.options.parameters + option->offset, &plan->sizes, sizeof plan->sizes);
    ASSERT_OK(cr_net_create(net, &made));
    cr_net_initialize(*net);
}

/* comm NULL: alone. */
static inline void trainer_create(trainer *t, const trainer_plan *plan, cr_comm *comm)
{
    memset(t, 0, sizeof *t);
    trainer_make_net(&t->net, plan);
    if (comm != NULL)
        ASSERT_OK(cr_dist_create(&t->dist, &plan->dist, comm, t->net, TRAINER_MICROS));
    t->gradient = values_new(t->net->parameter_count, sizeof(float));
    values_uniform(t->x, TRAINER_BATCH * TRAINER_INPUTS, 1);
    values_labels(t->labels, TRAINER_BATCH, TRAINER_CLASSES, 2);
}

static inline void trainer_free(trainer *t)
{
    cr_dist_free(&t->dist);
    cr_net_free(&t->net);
    CR_FREE(t->gradient);
}

static inline int trainer_micros(int samples)
{
    return (samples + TRAINER_MICRO - 1) / TRAINER_MICRO;
}

/* Forward pass of micro-batch `number` of a step of so many samples; none when it is not there. */
static inline void trainer_forward(trainer *t, cr_result *result, int number, int samples)
{
    int start = number * TRAINER_MICRO;
    int left = samples - start > 0 ? samples - start : 0;
    const float *x = t->x + (left > 0 ? start * TRAINER_INPUTS : 0);
    ASSERT_OK(cr_net_forward(t->net, result, x, t->labels + (left > 0 ? start : 0),
                             left < TRAINER_MICRO ? left : TRAINER_MICRO, (uint32_t)start,
                             1.0 / samples));
}

/* A step on all ranks up to the sum; the status of cr_dist_finish. */
static inline cr_status trainer_step(trainer *t, cr_dist_news *news, uint32_t step, int samples)
{
    cr_dist *dist = t->dist;
    ASSERT_OK(cr_dist_begin(dist, step, trainer_micros(samples)));
    int passes = dist->count > 0 ? dist->count : 1; /* an empty one where it has none */
    for (int i = 0; i < passes; i++) {
        cr_result result = {0};
        trainer_forward(t, &result, dist->count > 0 ? dist->first + i : TRAINER_MICROS, samples);
        CR_TRY(cr_dist_backward(dist, &result));
    }
    CR_TRY(cr_dist_finish(dist, news));
    for (int i = 0; cr_net_parameter(t->net, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(t->net, i);
        float *to = t->gradient + p->offset;
        const float *rows = cr_dist_gradient_rows(dist, to, i, 0, p->count / cr_parameter_row(p));
        if (rows != to)
            memcpy(to, rows, (size_t)p->count * sizeof *to);
    }
    return CR_OK;
}

static inline void trainer_add(float *to, const float *from, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] += from[i];
}

/* The same step alone, by the picks of an agreement: a compact gradient of every micro-batch,
 * summed in pairs, the pairs in pairs ...: one without a partner passes up. */
static inline void trainer_alone_by(trainer *t, cr_result *result, uint32_t step, int samples,
                                    const cr_agreement *agreement)
{
    int64_t count = 0;
    float *sums[TRAINER_MICROS] = {NULL};
    int n = trainer_micros(samples);
    cr_net_begin(t->net, step, agreement);
    for (int m = 0; m < n; m++) {
        trainer_forward(t, result, m, samples);
        ASSERT_OK(cr_net_backward(t->net, true, NULL, NULL));
        count = t->net->gradient_count;
        sums[m] = values_new(count, sizeof(float));
        memcpy(sums[m], t->net->gradient, (size_t)count * sizeof(float));
    }
    for (int apart = 1; apart < n; apart *= 2)
        for (int m = 0; m + apart < n; m += 2 * apart)
            trainer_add(sums[m], sums[m + apart], count);
    cr_net_spread(t->net, t->gradient, sums[0]);
    cr_net_remember(t->net, sums[0], samples);
    for (int m = 0; m < n; m++)
        CR_FREE(sums[m]);
}

static inline void trainer_copy_pick(cr_pick *to, const cr_pick *from)
{
    to->k = from->k;
    to->scaled = from->scaled;
    memcpy(to->index, from->index, (size_t)from->k * sizeof *to->index);
    memcpy(to->scale, from->scale, (size_t)from->k * sizeof *to->scale);
    cr_pick_seal(to);
}

/* An agreement: what the net `self` has picked in this step. */
static inline cr_status trainer_choose_as(void *self, cr_net *net, int segment, cr_pick *pick)
{
    (void)net;
    trainer_copy_pick(pick, &((const cr_net *)self)->segments[segment].pick);
    return CR_OK;
}

static inline void trainer_alone(trainer *t, cr_result *result, uint32_t step, int samples)
{
    trainer_alone_by(t, result, step, samples, &cr_net_alone);
}

#endif
