/*
 * networks: whole convolutional nets, exact and sampled, with dropout. The gradient of each
 * parameter against derivatives of a twin in double (support/twin.h); the gradient with liveness
 * against that without, where everything is computed; k = n against exact; less memory against
 * more.
 */
#include "twin.h"

/* Norm-wise, for each parameter. Float rounding leaves 4e-6 here with plain convolutions, measured;
 * Winograd may round ten times as much. */
static const double DERIVATIVE = 1e-4;

/* Of the twin's ReLUs and maxima: roundings move a value by less, so both nets choose alike. */
static const double MARGIN = 1e-6;

/* Inputs have the number of values that the models ask for, in smaller images of more channels: so
 * tensors are small, and odd where the net allows it (7 x 7, 4 x 4, 2 x 2). */
static const net_wish cnn = {
    .model = "cnn_mnist", .input = {7, 7, 16}, .classes = 10, .exact = {"conv1", "fc2"}, .rows = 2};

#define WIDE_RESNET(words)                                                                         \
    {                                                                                              \
        .model = "wide_resnet", .input = {8, 8, 48}, .classes = 10, .exact = {"conv0", "fc"},      \
        .rows = 3, .options = words                                                                \
    }

/* width 1: only identity blocks in the first group; 2: its first block has a shortcut as well, of
 * the activated input; depth 16: identity blocks in every group */
static const net_wish resnets[] = {
    WIDE_RESNET("depth=10 width=1 shortcut=zero_pad"),
    WIDE_RESNET("depth=10 width=2 shortcut=zero_pad leak=0.1"),
    WIDE_RESNET("depth=10 width=1 shortcut=projection"),
    WIDE_RESNET("depth=10 width=2 shortcut=projection"),
    WIDE_RESNET("depth=16 width=1 shortcut=zero_pad leak=0.1"),
};

enum { RESNETS = sizeof resnets / sizeof *resnets };

/* ---- derivatives ----------------------------------------------------------------------------- */

static bool check_net(const net_wish *wish)
{
    cr_net *net = net_new(wish);
    bool usable = twin_check_net(net, wish->rows, DERIVATIVE, MARGIN, wish->options);
    cr_net_free(&net);
    return usable;
}

/* With the first seed that keeps the margin; one in twenty does not. */
static void check_some_seed(net_wish wish)
{
    wish.initializer = "he";
    for (wish.seed = 11; wish.seed < 16; wish.seed++)
        if (check_net(&wish))
            return;
    fail_msg("no seed keeps every choice away from another");
}

static void gradients_of_cnn_mnist(void **state)
{
    (void)state;
    net_wish wish = cnn;
    check_some_seed(wish);
    wish.dropout = 0.5;
    wish.ratio = 0.5;
    check_some_seed(wish);
}

static void gradients_of_wide_resnets(void **state)
{
    (void)state;
    for (int i = 0; i < RESNETS; i++) {
        net_wish wish = resnets[i];
        if (i == 1 || i == 2)
            check_some_seed(wish);
        wish.dropout = i == 1 || i == 2 ? 0.3 : 0;
        wish.ratio = 0.5;
        check_some_seed(wish);
    }
}

/* Draws with unbiased weights, the classifier and (but for the first) every layer sampled. */
static void gradients_of_scaled_draws(void **state)
{
    (void)state;
    net_wish wish = resnets[2];
    wish.exact[0] = NULL;
    wish.ratio = 0.4;
    wish.scale = true;
    wish.draw = "replacement";
    check_some_seed(wish);
    wish.draw = "bernoulli"; /* k differs from layer to layer and step to step */
    check_some_seed(wish);
    wish = cnn;
    wish.exact[0] = NULL;
    wish.ratio = 0.4;
    wish.scale = true;
    wish.draw = "systematic";
    check_some_seed(wish);
    wish.draw = "no_replacement";
    wish.scores = "uniform";
    check_some_seed(wish);
}

/* ---- liveness -------------------------------------------------------------------------------- */

/* The same picks; what liveness does not compute is zero. Float sums of as many terms in another
 * order: 3e-7 measured. */
static void check_liveness(net_wish wish)
{
    wish.initializer = "he";
    wish.ratio = 0.5;
    wish.dropout = 0.3;
    cr_net *net = net_new(&wish);
    wish.everything = true;
    cr_net *all = net_new(&wish);
    net_batch batch = net_batch_new(net, wish.rows);
    double loss = net_step(net, &batch, 7);
    assert_true(net_step(all, &batch, 7) == loss);
    for (int s = 0; s < net->segment_count; s++)
        assert_true(net->segments[s].pick.hash == all->segments[s].pick.hash);
    assert_true(net->gradient_count < all->gradient_count);
    float *found = net_gradient(net), *expected = net_gradient(all);
    for (int i = 0; cr_net_parameter(net, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(net, i);
        double gap = values_gap_float(found + p->offset, expected + p->offset, p->count);
        if (!(gap <= 1e-5))
            fail_msg("%s/%s: with and without liveness are apart by %.3g", p->layer, p->name, gap);
    }
    CR_FREE(found);
    CR_FREE(expected);
    net_batch_free(&batch);
    cr_net_free(&net);
    cr_net_free(&all);
}

static void liveness_changes_no_gradient(void **state)
{
    (void)state;
    check_liveness(cnn);
    for (int i = 0; i < RESNETS; i++)
        check_liveness(resnets[i]);
}

/* ---- k = n ----------------------------------------------------------------------------------- */

/* A step by the plan, dense; the net's hash of picks goes nowhere. */
static float *step_of(const cr_net_plan *plan, int rows, double *loss)
{
    cr_net *net = NULL;
    ASSERT_OK(cr_net_create(&net, plan));
    cr_net_initialize(net);
    net_batch batch = net_batch_new(net, rows);
    *loss = net_step(net, &batch, 2);
    float *dense = net_gradient(net);
    net_batch_free(&batch);
    cr_net_free(&net);
    return dense;
}

static void check_all_kept(net_wish wish)
{
    double loss = 0, expected_loss = 1;
    wish.dropout = 0.3;
    cr_net_plan plan = net_plan(&wish);
    cr_net *net = NULL;
    ASSERT_OK(cr_net_create(&net, &plan));
    int64_t count = net->parameter_count;
    cr_net_free(&net);
    float *expected = step_of(&plan, wish.rows, &expected_loss);
    plan.sampling.ratio = 0.5;
    plan.sampling.minimum = 1 << 20; /* k = n everywhere */
    float *found = step_of(&plan, wish.rows, &loss);
    assert_true(loss == expected_loss);
    assert_same_bits(found, expected, count);
    CR_FREE(found);
    CR_FREE(expected);
}

static void all_kept_is_exact_bit_for_bit(void **state)
{
    (void)state;
    check_all_kept(cnn);
    check_all_kept(resnets[1]);
    check_all_kept(resnets[2]);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* The dense gradient of the second of two steps of two micro-batches each, and what it took. */
static float *second_step(const cr_net_plan *plan, size_t *memory, int64_t *activations)
{
    cr_net *net = net_of(plan);
    net_batch batch = net_batch_new(net, 2 * plan->rows - 1);
    for (uint32_t step = 0; step < 2; step++) {
        cr_result result = {0};
        cr_net_begin(net, step, &cr_net_alone);
        net_pass(net, &result, &batch, 0, plan->rows, true);
        net_pass(net, &result, &batch, plan->rows, plan->rows - 1, false);
        cr_net_remember(net, net->gradient, batch.rows);
    }
    float *dense = net_gradient(net);
    *memory = net->arena.size;
    *activations = net->activation_bytes;
    net_batch_free(&batch);
    cr_net_free(&net);
    return dense;
}

static int64_t parameters_of(const cr_net_plan *plan)
{
    cr_net *net = net_of(plan);
    int64_t count = net->parameter_count;
    cr_net_free(&net);
    return count;
}

/* normalizes: batch norms stand before contractions, so that there is something to recompute */
static void check_less_memory(const net_wish *wish, bool normalizes)
{
    cr_net_plan plan = net_plan(wish);
    int64_t count = parameters_of(&plan);
    size_t memory[3];
    int64_t activations[3];
    float *expected = second_step(&plan, &memory[0], &activations[0]);
    for (int i = 1; i < 3; i++) {
        plan.prepares_each = true;
        plan.recomputes = i == 2;
        float *found = second_step(&plan, &memory[i], &activations[i]);
        assert_same_bits(found, expected, count);
        CR_FREE(found);
        net_check_poison_plan(&plan);
    }
    CR_FREE(expected);
    assert_true(memory[1] < memory[0] && activations[1] == activations[0]);
    assert_true(normalizes ? activations[2] < activations[1] : activations[2] == activations[1]);
}

static void less_memory_changes_no_bit(void **state)
{
    (void)state;
    net_wish wish = cnn;
    check_less_memory(&wish, false);
    wish.dropout = wish.ratio = 0.5;
    check_less_memory(&wish, false);
    for (int i = 0; i < RESNETS; i++) {
        wish = resnets[i];
        wish.dropout = i % 2 == 0 ? 0.3 : 0;
        wish.ratio = i > 0 ? 0.5 : 1;
        wish.remembers = wish.lookahead = i == 3;
        wish.backward.ratio = i == 4 ? 0.5 : 0;
        check_less_memory(&wish, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_cnn_mnist),
        cmocka_unit_test(gradients_of_wide_resnets),
        cmocka_unit_test(gradients_of_scaled_draws),
        cmocka_unit_test(liveness_changes_no_gradient),
        cmocka_unit_test(all_kept_is_exact_bit_for_bit),
        cmocka_unit_test(less_memory_changes_no_bit),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
