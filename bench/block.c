/*
 * block: what a training step of one residual block costs, with all that belongs to it. A net of
 * BLOCKS equal pre-activation blocks (batch norm, ReLU, 3x3 convolution, twice, and the sum) of a
 * stage of Wide ResNets does steps of SGD with momentum, exactly and with a share of the channels,
 * in turn; the medians are by phase, for one block. What comes before the blocks (a 1x1
 * convolution of one channel) and after them (pooling, a small dense layer) is counted with them;
 * it is some 2% of a step. Picks and gradients are compared with those of `reference` first.
 */
#include "colrow/net.h"
#include "colrow/optim.h"

#include "bench.h"

#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 2, CLASSES = 10, SPANS_MOST = 32 };

typedef struct options {
    const char *engine;
    const char *output; /* JSON lines; NULL for none */
    const char *only;   /* part of the names to run; NULL for all */
    int threads, repeats;
    double ratio; /* of the channels that are kept when sampling */
} options;

typedef struct stage {
    const char *name;
    int batch, side, channels;
} stage;

static const stage stages[] = {
    {"wrn-28-10 160", 32, 32, 160}, {"wrn-28-10 320", 32, 16, 320}, {"wrn-28-10 640", 32, 8, 640},
    {"wrn-16-4 64", 128, 32, 64},   {"wrn-16-4 128", 128, 16, 128}, {"wrn-16-4 256", 128, 8, 256},
    {"wrn-16-2 32", 128, 32, 32},   {"wrn-16-2 64", 128, 16, 64},   {"wrn-16-2 128", 128, 8, 128},
};

enum { STAGES = sizeof stages / sizeof *stages };

/* An error here is one of the bench: say it and end. */
static void must(cr_status status)
{
    if (status == CR_OK)
        return;
    fprintf(stderr, "block: %s\n", cr_error_message());
    exit(status);
}

/* ---- the net -----------------------------------------------------------------------------------
 */

static cr_status wants(const void *parameters, cr_shape *input, int *classes)
{
    (void)parameters; /* takes any input and classes */
    *input = (cr_shape){0};
    *classes = 0;
    return CR_OK;
}

static cr_status add_half(cr_net *net, int channels, int number, int sum)
{
    cr_word norm, relu, conv;
    (void)snprintf(norm, sizeof norm, "bn%d", number);
    (void)snprintf(relu, sizeof relu, "relu%d", number);
    (void)snprintf(conv, sizeof conv, "conv%d", number);
    const cr_layer_plan convolution = {
        .type = "conv2d", .name = conv, .width = channels, .kernel = 3};
    CR_TRY(cr_net_add(
        net,
        &(cr_layer_plan){.type = "batch_norm", .name = norm, .epsilon = 1e-3, .momentum = 0.9}));
    CR_TRY(cr_net_add(net, &(cr_layer_plan){.type = "relu", .name = relu, .slope = 0.1}));
    return sum < 0 ? cr_net_add(net, &convolution) : cr_net_add_into(net, &convolution, sum);
}

static cr_status build(cr_net *net, const void *parameters)
{
    int channels = *(const int *)parameters;
    const cr_layer_plan stem = {.type = "conv2d", .name = "stem", .width = channels, .kernel = 1};
    const cr_layer_plan head[] = {
        {.type = "average_pool", .name = "pool"},
        {.type = "dense", .name = "fc", .width = CLASSES},
        {.type = "softmax_cross_entropy", .name = "loss"},
    };
    CR_TRY(cr_net_add(net, &stem));
    for (int b = 0; b < BLOCKS; b++) {
        int sum = cr_net_current(net);
        CR_TRY(add_half(net, channels, 2 * b, -1));
        CR_TRY(add_half(net, channels, 2 * b + 1, sum));
    }
    for (size_t i = 0; i < sizeof head / sizeof *head; i++)
        CR_TRY(cr_net_add(net, &head[i]));
    return CR_OK;
}

static const cr_model blocks_model = {.name = "blocks", .wants = wants, .build = build};

/* ---- a step ------------------------------------------------------------------------------------
 */

typedef struct trial {
    cr_net *net;
    cr_optim optim;
    cr_optim_span spans[SPANS_MOST];
    float *x;    /* [batch, side, side, 1] */
    int *labels; /* [batch] */
    int batch;
    uint32_t step;
} trial;

static cr_net_plan plan_of(const stage *s, const char *engine, double ratio)
{
    cr_net_plan plan = {.model = &blocks_model,
                        .engine = engine,
                        .input = {s->side, s->side, 1},
                        .classes = CLASSES,
                        .rows = s->batch,
                        .seed = 1,
                        .options = {.initializer = "he", .initializer_scale = 1},
                        .sampling = {.draw = "top", .scores = "norm", .minimum = 1}};
    memcpy(plan.options.parameters, &s->channels, sizeof s->channels);
    plan.sampling.ratio = ratio;
    plan.sampling.exact = (cr_words){.count = 1, .value = {"fc"}};
    return plan;
}

static void make_spans(trial *t)
{
    const cr_optim_options momentum = {.rule = "momentum", .weight_decay = 5e-4};
    int count = 0;
    for (; cr_net_parameter(t->net, count) != NULL; count++) {
        const cr_parameter *p = cr_net_parameter(t->net, count);
        t->spans[count] =
            (cr_optim_span){p->offset, p->count, cr_parameter_row(p), p->decay, p->rank > 1};
    }
    must(cr_optim_create(&t->optim, &momentum, t->net->parameter_count, t->spans, count));
}

static void trial_start(trial *t, const stage *s, const char *engine, double ratio)
{
    int64_t features = (int64_t)s->batch * s->side * s->side;
    const cr_net_plan plan = plan_of(s, engine, ratio);
    *t = (trial){.batch = s->batch, .x = bench_numbers(features, 2)};
    must(cr_net_create(&t->net, &plan));
    cr_net_initialize(t->net);
    make_spans(t);
    must(cr_alloc((void **)&t->labels, (size_t)s->batch * sizeof(int)));
    for (int i = 0; i < s->batch; i++)
        t->labels[i] = i % CLASSES;
}

static void trial_free(trial *t)
{
    cr_net_free(&t->net);
    cr_optim_free(&t->optim);
    CR_FREE(t->x);
    CR_FREE(t->labels);
}

static const float *read_gradient(void *self, float *scratch, int span, int64_t first, int64_t rows)
{
    const cr_net *net = self;
    return cr_net_gradient_rows(net, scratch, net->gradient, span, first, rows);
}

static void measure_rows(void *self, int span, int64_t first, int64_t rows)
{
    cr_net_measure_rows(self, span, first, rows);
}

static void compute_gradient(trial *t, const cr_agreement *agreement)
{
    cr_result result = {0};
    cr_net_begin(t->net, t->step++, agreement);
    must(cr_net_forward(t->net, &result, t->x, t->labels, t->batch, 0, 1.0 / t->batch));
    must(cr_net_backward(t->net, true, NULL, NULL));
}

static void run_step(trial *t)
{
    const cr_optim_hooks hooks = {
        .self = t->net, .gradient = read_gradient, .updated = measure_rows};
    double norm = 0;
    compute_gradient(t, &cr_net_alone);
    cr_phase previous = cr_phase_enter(CR_PHASE_UPDATE);
    must(cr_optim_update_by(&t->optim, t->net->parameters, &hooks, 1e-3, &norm));
    cr_net_measured(t->net);
    cr_phase_leave(previous);
}

/* ---- verification ------------------------------------------------------------------------------
 */

/* An agreement whose `self` is another net: keep what that one kept. */
static cr_status choose_as(void *self, cr_net *net, int s, cr_pick *pick)
{
    const cr_pick *from = &((const cr_net *)self)->segments[s].pick;
    (void)net;
    pick->k = from->k;
    memcpy(pick->index, from->index, (size_t)from->k * sizeof *pick->index);
    memcpy(pick->scale, from->scale, (size_t)from->k * sizeof *pick->scale);
    cr_pick_seal(pick);
    return CR_OK;
}

/* Relative distance (Frobenius) of the gradients of a small net of the kind from reference's. */
static double verify(const stage *s, const char *engine, double ratio)
{
    const stage small = {s->name, 2, s->side < 8 ? s->side : 8,
                         s->channels < 48 ? s->channels : 48};
    trial found, expected;
    double apart = 0, size = 0;
    trial_start(&found, &small, engine, ratio);
    trial_start(&expected, &small, "reference", ratio);
    const cr_agreement same = {expected.net, choose_as};
    compute_gradient(&expected, &cr_net_alone);
    compute_gradient(&found, &same);
    for (int64_t i = 0; i < found.net->gradient_count; i++) {
        double a = found.net->gradient[i], b = expected.net->gradient[i];
        apart += (a - b) * (a - b);
        size += b * b;
    }
    trial_free(&found);
    trial_free(&expected);
    return sqrt(apart / size);
}

/* ---- timing ------------------------------------------------------------------------------------
 */

enum { EXACT, SAMPLED, SHARES, WHOLE = CR_PHASES, COLUMNS };

static double samples[SHARES][COLUMNS][REPEATS_MOST]; /* ms a block: each phase, and their sum */

static void measure(trial trials[SHARES], const options *o)
{
    for (int r = -1; r < o->repeats; r++) { /* the first warms up */
        for (int share = 0; share < SHARES; share++) {
            double before[CR_PHASES], sum = 0;
            cr_phase previous = cr_phase_enter(CR_PHASE_OTHER);
            for (int p = 0; p < CR_PHASES; p++)
                before[p] = cr_phase_seconds((cr_phase)p);
            run_step(&trials[share]);
            cr_phase_leave(previous);
            for (int p = 0; p < CR_PHASES; p++) {
                double ms = 1e3 * (cr_phase_seconds((cr_phase)p) - before[p]) / BLOCKS;
                samples[share][p][r < 0 ? 0 : r] = ms;
                sum += ms;
            }
            samples[share][WHOLE][r < 0 ? 0 : r] = sum;
        }
    }
}

static const char *column_name(int column)
{
    return column == WHOLE ? "step" : cr_phase_name((cr_phase)column);
}

static void write_json(FILE *file, const stage *s, const options *o, int share)
{
    fprintf(file,
            "{\"block\": \"%s\", \"engine\": \"%s\", \"threads\": %d, \"ratio\": %g, \"ms\": {",
            s->name, o->engine, o->threads, share == EXACT ? 1.0 : o->ratio);
    for (int c = 0; c < COLUMNS; c++) {
        fprintf(file, "%s\"%s\": ", c > 0 ? ", " : "", column_name(c));
        bench_write_list(file, samples[share][c], o->repeats);
    }
    fprintf(file, "}}\n");
}

static const cr_phase shown[] = {
    CR_PHASE_CONTRACT_FORWARD, CR_PHASE_CONTRACT_BACKWARD, CR_PHASE_FORWARD, CR_PHASE_SAMPLE,
    CR_PHASE_PREPARE,          CR_PHASE_BACKWARD,          CR_PHASE_UPDATE};

enum { SHOWN = sizeof shown / sizeof *shown };

static void print_head(void)
{
    printf("| block, batch | channels | ms | exact / this |");
    for (int p = 0; p < SHOWN; p++)
        printf(" %s |", cr_phase_name(shown[p]));
    printf(" outside contractions |\n|---|---|---|---|");
    for (int p = 0; p <= SHOWN; p++)
        printf("---|");
    printf("\n");
}

static void print_row(const stage *s, const options *o, int share)
{
    double ratios[REPEATS_MOST];
    double whole = bench_median(samples[share][WHOLE], o->repeats);
    double products = bench_median(samples[share][CR_PHASE_CONTRACT_FORWARD], o->repeats) +
                      bench_median(samples[share][CR_PHASE_CONTRACT_BACKWARD], o->repeats);
    for (int r = 0; r < o->repeats; r++)
        ratios[r] = samples[EXACT][WHOLE][r] / samples[share][WHOLE][r];
    printf("| %s, %d | %.0f%% | %.2f | %.2fx |", s->name, s->batch,
           share == EXACT ? 100.0 : 100 * o->ratio, whole, bench_median(ratios, o->repeats));
    for (int p = 0; p < SHOWN; p++)
        printf(" %.2f |", bench_median(samples[share][shown[p]], o->repeats));
    printf(" %.1f%% |\n", 100 * (1 - products / whole));
}

/* false: the engine's results are wrong */
static bool run_stage(const stage *s, const options *o, FILE *file)
{
    const double ratios[SHARES] = {[EXACT] = 1, [SAMPLED] = o->ratio};
    trial trials[SHARES];
    for (int share = 0; share < SHARES; share++) {
        double error = verify(s, o->engine, ratios[share]);
        if (!(error < 1e-4)) {
            fprintf(stderr, "%s: gradients off by %.2g from reference\n", s->name, error);
            return false;
        }
    }
    for (int share = 0; share < SHARES; share++)
        trial_start(&trials[share], s, o->engine, ratios[share]);
    measure(trials, o);
    for (int share = 0; share < SHARES; share++) {
        print_row(s, o, share);
        if (file != NULL)
            write_json(file, s, o, share);
        trial_free(&trials[share]);
    }
    (void)fflush(stdout);
    return true;
}

/* ---- command line ------------------------------------------------------------------------------
 */

static const struct argp_option arguments[] = {
    {"engine", 'e', "NAME", 0, "engine (openblas)", 0},
    {"threads", 't', "N", 0, "threads (1)", 0},
    {"repeats", 'r', "N", 0, "repeats, at most 101 (5)", 0},
    {"ratio", 'k', "RATIO", 0, "share of the channels kept when sampling (0.5)", 0},
    {"output", 'o', "FILE", 0, "write all times there, a JSON object a line", 0},
    {"block", 'b', "PART", 0, "only blocks whose name has this in it", 0},
    {0}};

static error_t parse(int key, char *value, struct argp_state *state)
{
    options *o = state->input;
    if (key == 'e')
        o->engine = value;
    else if (key == 't')
        o->threads = atoi(value);
    else if (key == 'r')
        o->repeats = atoi(value);
    else if (key == 'k')
        o->ratio = atof(value);
    else if (key == 'o')
        o->output = value;
    else if (key == 'b')
        o->only = value;
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

int main(int argc, char **argv)
{
    options o = {.engine = "openblas", .threads = 1, .repeats = 5, .ratio = 0.5};
    const struct argp command = {arguments, parse, NULL, "Time a residual block's training step.",
                                 NULL,      NULL,  NULL};
    if (argp_parse(&command, argc, argv, 0, NULL, &o) != 0)
        return CR_BAD_CONFIG;
    const cr_engine *engine = NULL;
    if (o.threads < 1 || o.repeats < 1 || o.repeats > REPEATS_MOST ||
        !(o.ratio > 0 && o.ratio <= 1)) {
        fprintf(stderr, "block: a number out of range; see --help\n");
        return CR_BAD_CONFIG;
    }
    must(cr_engine_choose(&engine, o.engine, NULL));
    o.engine = engine->name;
    FILE *file = o.output != NULL ? fopen(o.output, "w") : NULL;
    if (o.output != NULL && file == NULL) {
        perror(o.output);
        return CR_CANNOT_WRITE;
    }
    cr_engine_set_threads(o.threads);
    print_head();
    bool right = true;
    for (int s = 0; s < STAGES && right; s++)
        if (o.only == NULL || strstr(stages[s].name, o.only) != NULL)
            right = run_stage(&stages[s], &o, file);
    if (file != NULL && fclose(file) != 0)
        return CR_CANNOT_WRITE;
    return right ? CR_OK : CR_INTERNAL;
}
