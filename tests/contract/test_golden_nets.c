/*
 * golden_nets: 5 steps with momentum and weight decay on cnn_mnist and WRN-10-2 (both shortcuts),
 * exact and with top-k channel sampling, against what PyTorch found in float64 (tests/golden:
 * nets.py, make_cnn.py, make_wrn.py): the same picks; losses, gradients and how far the weights
 * have moved to 1e-4, norm-wise for each parameter.
 *
 * Weights and data come from a formula; gradients and moves are compared by their norm and two
 * projections on other numbers of the formula.
 */
#include "golden_nets.h"

enum { STEPS = 5, BATCH = 4, CLASSES = 10 };

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
     0.006},
    {"wrn_zero_pad", WIDE_RESNET("depth=10 width=2 leak=0.1 shortcut=zero_pad"), 0.02},
    {"wrn_projection", WIDE_RESNET("depth=10 width=2 leak=0.1 shortcut=projection"), 0.02},
};

static void set_batch(net_batch *batch, const cr_net *net, int step)
{
    for (int64_t i = 0; i < BATCH * net_features(net); i++)
        batch->x[i] = (float)golden_formula(i, 1000 + step);
    for (int b = 0; b < BATCH; b++)
        batch->labels[b] = (3 * b * b + step) % CLASSES;
}

static void compare_step(golden *g, updater *u, net_batch *batch, double rate, int step)
{
    cr_net *net = u->net;
    set_batch(batch, net, step);
    golden_step(g, net, net_step(net, batch, (uint32_t)step) / BATCH);
    updater_run(u, rate);
}

static void compare_run(golden *g, const subject *of, double ratio, const char *engine)
{
    net_wish wish = of->wish;
    updater u;
    wish.ratio = ratio;
    wish.engine = engine;
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, BATCH);
    golden_set_parameters(net);
    float *start = values_new(net->parameter_count, sizeof(float));
    memcpy(start, net->parameters, (size_t)net->parameter_count * sizeof(float));
    updater_start(&u, net, "momentum");
    u.optim.options.weight_decay = WEIGHT_DECAY;
    for (int step = 0; step < STEPS; step++)
        compare_step(g, &u, &batch, of->rate, step);
    golden_moves(g, net, start);
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
