/*
 * golden_nets: 5 steps with momentum and weight decay on cnn_mnist and WRN-10-2 (both shortcuts),
 * exact and with top-k channel sampling, against what PyTorch found in float64 (tests/golden:
 * nets.py, make_cnn.py, make_wrn.py): the same picks; losses, gradients and how far the weights
 * have moved to 1e-4, norm-wise for each parameter.
 *
 * Weights and data come from a formula; gradients and moves are compared by their norm and two
 * projections on other numbers of the formula.
 */
#include "golden.h"
#include "updates.h"

enum { STEPS = 5, BATCH = 4, CLASSES = 10, PROJECTIONS = 2 };

static const double CLOSE = 1e-4;
static const double WEIGHT_DECAY = 0.01;

/* A run of a file: exact, then sampled. */
typedef struct subject {
    const char *file;
    net_wish wish;
    double rate;
} subject;

#define WIDE_RESNET(words)                                                                         \
    {                                                                                              \
        .model = "wide_resnet", .input = {8, 8, 48}, .classes = CLASSES, .exact = {"conv0", "fc"}, \
        .rows = BATCH, .options = words                                                            \
    }

static const subject subjects[] = {
    {"cnn",
     {.model = "cnn_mnist",
      .input = {7, 7, 16},
      .classes = CLASSES,
      .exact = {"conv1", "fc2"},
      .rows = BATCH},
     0.01},
    {"wrn_zero_pad", WIDE_RESNET("depth=10 width=2 leak=0.1 shortcut=zero_pad"), 0.02},
    {"wrn_projection", WIDE_RESNET("depth=10 width=2 leak=0.1 shortcut=projection"), 0.02},
};

/* Number i of sequence `which`, in (-1, 1): nets.py's. */
static double formula(int64_t i, int64_t which)
{
    return 2.0 * (double)((31 * i * i + 17 * i + 101 * which * which + 7) % 10007) / 10007 - 1;
}

/* ---- where a run begins ---------------------------------------------------------------------- */

/* Kernels as He et al. 2015 spread them, the others near their initial value. */
static void set_parameters(cr_net *net)
{
    for (int i = 0; cr_net_parameter(net, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(net, i);
        double fan_in = (double)(p->count / cr_parameter_row(p));
        double scale = p->rank > 1 ? sqrt(6 / fan_in) : 0.2;
        for (int64_t j = 0; j < p->count; j++)
            net->parameters[p->offset + j] = (float)(p->initial + scale * formula(j, i));
    }
}

static void set_batch(net_batch *batch, const cr_net *net, int step)
{
    for (int64_t i = 0; i < BATCH * net_features(net); i++)
        batch->x[i] = (float)formula(i, 1000 + step);
    for (int b = 0; b < BATCH; b++)
        batch->labels[b] = (3 * b * b + step) % CLASSES;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static void compare_pick(golden *g, const cr_net *net, int s)
{
    const cr_pick *pick = &net->segments[s].pick;
    golden_next(g, net->layers[net->segments[s].consumer].name);
    assert_int_equal(g->count, pick->k);
    for (int j = 0; j < pick->k; j++)
        if ((int)g->value[j] != pick->index[j])
            fail_msg("%s: kept channel %d, expected %g", g->name, pick->index[j], g->value[j]);
}

/* A projection of an error e is about |e| / sqrt(3). */
static void compare_array(golden *g, const float *found, const cr_parameter *p, int step)
{
    char name[2 * CR_WORD_MAX];
    double norm = 0, projections[PROJECTIONS] = {0};
    (void)snprintf(name, sizeof name, "%s/%s", p->layer, p->name);
    golden_next(g, name);
    assert_int_equal(g->count, 1 + PROJECTIONS);
    for (int64_t i = 0; i < p->count; i++) {
        norm += (double)found[i] * found[i];
        for (int d = 0; d < PROJECTIONS; d++)
            projections[d] += found[i] * formula(i, 500 + d);
    }
    double gap = fabs(sqrt(norm) - g->value[0]);
    for (int d = 0; d < PROJECTIONS; d++)
        gap = fmax(gap, sqrt(3) * fabs(projections[d] - g->value[1 + d]));
    if (!(gap <= CLOSE * g->value[0]))
        fail_msg("%s in step %d is off by %.3g", name, step, gap / g->value[0]);
}

static void compare_step(golden *g, updater *u, net_batch *batch, double rate, int step)
{
    cr_net *net = u->net;
    set_batch(batch, net, step);
    double loss = net_step(net, batch, (uint32_t)step) / BATCH;
    double expected = golden_number(g, "loss");
    ASSERT_NEAR(loss, expected, CLOSE * expected);
    for (int s = 0; s < net->segment_count; s++)
        if (net->segments[s].most < net->segments[s].n)
            compare_pick(g, net, s);
    float *dense = net_gradient(net);
    for (int i = 0; cr_net_parameter(net, i) != NULL; i++)
        compare_array(g, dense + cr_net_parameter(net, i)->offset, cr_net_parameter(net, i), step);
    CR_FREE(dense);
    updater_run(u, rate);
}

/* How far the weights have moved from where they began. */
static void compare_moves(golden *g, const cr_net *net, const float *start)
{
    float *moved = values_new(net->parameter_count, sizeof(float));
    for (int64_t i = 0; i < net->parameter_count; i++)
        moved[i] = net->parameters[i] - start[i];
    for (int i = 0; cr_net_parameter(net, i) != NULL; i++)
        compare_array(g, moved + cr_net_parameter(net, i)->offset, cr_net_parameter(net, i), STEPS);
    CR_FREE(moved);
}

static void compare_run(golden *g, const subject *of, double ratio, const char *engine)
{
    net_wish wish = of->wish;
    updater u;
    wish.ratio = ratio;
    wish.engine = engine;
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, BATCH);
    set_parameters(net);
    float *start = values_new(net->parameter_count, sizeof(float));
    memcpy(start, net->parameters, (size_t)net->parameter_count * sizeof(float));
    updater_start(&u, net, "momentum");
    u.optim.options.weight_decay = WEIGHT_DECAY;
    for (int step = 0; step < STEPS; step++)
        compare_step(g, &u, &batch, of->rate, step);
    compare_moves(g, net, start);
    CR_FREE(start);
    updater_free(&u);
    net_batch_free(&batch);
    cr_net_free(&net);
}

static void check_file(int number)
{
    for (int e = 0; cr_engines[e] != NULL; e++) {
        golden g;
        golden_open(&g, subjects[number].file);
        compare_run(&g, &subjects[number], 1, cr_engines[e]->name);
        compare_run(&g, &subjects[number], 0.5, cr_engines[e]->name);
        golden_close(&g);
    }
}

static void cnn_mnist_is_pytorchs(void **state)
{
    (void)state;
    check_file(0);
}

static void wide_resnet_with_zero_pad_is_pytorchs(void **state)
{
    (void)state;
    check_file(1);
}

static void wide_resnet_with_projection_is_pytorchs(void **state)
{
    (void)state;
    check_file(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cnn_mnist_is_pytorchs),
        cmocka_unit_test(wide_resnet_with_zero_pad_is_pytorchs),
        cmocka_unit_test(wide_resnet_with_projection_is_pytorchs),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
