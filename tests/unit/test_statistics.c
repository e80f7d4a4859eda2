/*
 * statistics: running mean and variance of batch norm: what a step gathers over its micro-batches,
 * how the running ones follow, what an evaluation makes of them; and gradients of micro-batches,
 * each normalised by its own statistics.
 */
#include "nets.h"

enum { HALF = 3, ROWS = 2 * HALF };

static const net_wish usual = {.model = "wide_resnet",
                               .input = {8, 8, 48},
                               .classes = 10,
                               .options = "depth=10 width=2 momentum=0.75",
                               .exact = {"conv0", "fc"},
                               .rows = ROWS,
                               .seed = 8};

static net_wish sampled(void)
{
    net_wish wish = usual;
    wish.ratio = 0.5;
    wish.dropout = 0.3;
    return wish;
}

static const float *gathered(const cr_net *net)
{
    return net->gradient + net->statistics_offset;
}

/* ---- micro-batches --------------------------------------------------------------------------- */

/* One step of half the batch from sample `first` on, by the picks of another net. */
static void half_step(cr_net *net, cr_net *picks, const net_batch *batch, int first)
{
    cr_result result = {0};
    const cr_agreement same = {picks, net_choose_as};
    cr_net_begin(net, 4, &same);
    net_pass(net, &result, batch, first, HALF, true);
}

/* Two micro-batches, and each of them in a net of its own: gradients and statistics add up. A sum
 * of two is rounded once or twice, the gradients' own sums are in another order. */
static void micro_batches_add_up(void **state)
{
    (void)state;
    net_wish wish = sampled();
    cr_net *both = net_new(&wish);
    cr_net *halves[2] = {net_new(&wish), net_new(&wish)};
    net_batch batch = net_batch_new(both, ROWS);
    cr_result result = {0};
    cr_net_begin(both, 4, &cr_net_alone);
    net_pass(both, &result, &batch, 0, HALF, true);
    net_pass(both, &result, &batch, HALF, HALF, false);
    for (int i = 0; i < 2; i++)
        half_step(halves[i], both, &batch, i * HALF);
    assert_int_equal(both->gradient_count, halves[0]->gradient_count);
    for (int64_t i = 0; i < both->statistics_count; i++) {
        double a = gathered(halves[0])[i], b = gathered(halves[1])[i];
        ASSERT_NEAR(gathered(both)[i], a + b, 2e-7 * (fabs(a) + fabs(b)));
    }
    float *found = net_gradient(both);
    float *first = net_gradient(halves[0]), *second = net_gradient(halves[1]);
    for (int64_t i = 0; i < both->parameter_count; i++)
        first[i] += second[i];
    for (int i = 0; cr_net_parameter(both, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(both, i);
        assert_true(values_gap_float(found + p->offset, first + p->offset, p->count) <= 1e-6);
    }
    CR_FREE(found);
    CR_FREE(first);
    CR_FREE(second);
    net_batch_free(&batch);
    cr_net_free(&both);
    cr_net_free(&halves[0]);
    cr_net_free(&halves[1]);
}

/* A rank without a share adds nothing: neither to gradients nor to statistics. */
static void an_empty_micro_batch_adds_nothing(void **state)
{
    (void)state;
    net_wish wish = sampled();
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, ROWS);
    (void)net_step(net, &batch, 4);
    int64_t count = net->gradient_count;
    float *expected = values_new(count, sizeof(float));
    memcpy(expected, net->gradient, (size_t)count * sizeof(float));
    cr_result result = {0};
    net_pass(net, &result, &batch, 0, 0, false);
    assert_same_bits(net->gradient, expected, count);
    net_pass(net, &result, &batch, 0, 0, true);
    for (int64_t i = 0; i < count; i++)
        assert_true(net->gradient[i] == 0);
    assert_true(result.loss == 0);
    CR_FREE(expected);
    net_batch_free(&batch);
    cr_net_free(&net);
}

/* ---- running statistics ---------------------------------------------------------------------- */

/* The first batch norm of all normalises conv0's output: its mean and unbiased variance, worked out
 * here, in double as the net does: they differ by the roundings of float. */
static void a_step_gathers_means_and_unbiased_variances(void **state)
{
    (void)state;
    cr_net *net = net_new(&usual);
    net_batch batch = net_batch_new(net, ROWS);
    (void)net_step(net, &batch, 0);
    const cr_layer *bn = &net->layers[1];
    assert_string_equal(bn->type->name, "batch_norm");
    int channels = bn->in.c, rows = ROWS * bn->in.h * bn->in.w;
    float *x = values_new((int64_t)rows * channels, sizeof(float));
    cr_result result = {0};
    ASSERT_OK(cr_net_forward(net, &result, batch.x, batch.labels, ROWS, 0, 1));
    memcpy(x, net->segments[1].before[0], (size_t)rows * (size_t)channels * sizeof(float));
    for (int c = 0; c < channels; c++) {
        double mean = 0, variance = 0;
        for (int row = 0; row < rows; row++)
            mean += (double)x[row * channels + c] / rows;
        for (int row = 0; row < rows; row++)
            variance += pow(x[row * channels + c] - mean, 2) / (rows - 1);
        ASSERT_NEAR(gathered(net)[bn->statistics_offset + c], mean, 1e-6);
        ASSERT_NEAR(gathered(net)[bn->statistics_offset + channels + c], variance, 1e-6 * variance);
    }
    CR_FREE(x);
    net_batch_free(&batch);
    cr_net_free(&net);
}

/* r becomes momentum r + (1 - momentum) times the mean over the micro-batches. */
static void running_statistics_follow(void **state)
{
    (void)state;
    cr_net *net = net_new(&usual);
    net_batch batch = net_batch_new(net, ROWS);
    cr_result result = {0};
    for (int l = 0; l < net->layer_count; l++) { /* mean 0, variance 1 at first */
        const cr_layer *layer = &net->layers[l];
        for (int64_t i = 0; i < layer->statistics; i++)
            assert_true(net->statistics[layer->statistics_offset + i] == (i < layer->in.c ? 0 : 1));
    }
    values_uniform(net->statistics, net->statistics_count, 9);
    float *before = values_new(net->statistics_count, sizeof(float));
    memcpy(before, net->statistics, (size_t)net->statistics_count * sizeof(float));
    cr_net_begin(net, 1, &cr_net_alone);
    net_pass(net, &result, &batch, 0, HALF, true);
    net_pass(net, &result, &batch, HALF, HALF, false);
    assert_same_bits(net->statistics, before, net->statistics_count); /* until told */
    cr_net_update_statistics(net, net->gradient, 2);
    for (int64_t i = 0; i < net->statistics_count; i++)
        ASSERT_NEAR(net->statistics[i], 0.75 * before[i] + 0.25 * gathered(net)[i] / 2,
                    1e-7 * fabs(net->statistics[i]) + 1e-12);
    CR_FREE(before);
    net_batch_free(&batch);
    cr_net_free(&net);
}

/* With the batch's own statistics as running ones (variances not unbiased, as a training pass takes
 * them) an evaluation has a training pass's loss. */
static void evaluation_takes_running_statistics(void **state)
{
    (void)state;
    cr_net *net = net_new(&usual);
    net_batch batch = net_batch_new(net, ROWS);
    cr_result other = {0}, found = {0};
    double loss = net_step(net, &batch, 0);
    ASSERT_OK(cr_net_evaluate(net, &other, batch.x, batch.labels, ROWS));
    assert_true(fabs(other.loss - loss) > 1e-2 * loss);
    (void)net_step(net, &batch, 0);
    for (int l = 0; l < net->layer_count; l++) {
        const cr_layer *layer = &net->layers[l];
        double rows = ROWS * layer->in.h * layer->in.w;
        for (int64_t i = 0; i < layer->statistics; i++) {
            int64_t at = layer->statistics_offset + i;
            net->statistics[at] =
                (float)(gathered(net)[at] * (i < layer->in.c ? 1 : (rows - 1) / rows));
        }
    }
    ASSERT_OK(cr_net_evaluate(net, &found, batch.x, batch.labels, ROWS));
    ASSERT_NEAR(found.loss, loss, 1e-5 * loss);
    net_batch_free(&batch);
    cr_net_free(&net);
}

/* cr_net_observe gathers, exactly and without dropout, what a step of an exact net gathers. */
static void observing_is_exact(void **state)
{
    (void)state;
    net_wish wish = sampled();
    cr_net *exact = net_new(&usual), *net = net_new(&wish);
    net_batch batch = net_batch_new(net, ROWS);
    double *sums = values_new(net->statistics_count, sizeof(double));
    memcpy(net->parameters, exact->parameters, (size_t)net->parameter_count * sizeof(float));
    (void)net_step(exact, &batch, 0);
    cr_net_observe(net, sums, batch.x, ROWS);
    cr_net_observe(net, sums, batch.x, ROWS);
    for (int64_t i = 0; i < net->statistics_count; i++)
        ASSERT_NEAR(sums[i], 2 * gathered(exact)[i], 1e-5 * fabs(sums[i]) + 1e-6);
    CR_FREE(sums);
    net_batch_free(&batch);
    cr_net_free(&exact);
    cr_net_free(&net);
}

/* A step after an evaluation or observation, which use the memory of its tensors, is the same. */
static void evaluation_leaves_training_alone(void **state)
{
    (void)state;
    net_wish wish = sampled();
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, ROWS);
    cr_result result = {0};
    double *sums = values_new(net->statistics_count, sizeof(double));
    double loss = net_step(net, &batch, 3);
    float *expected = net_gradient(net);
    ASSERT_OK(cr_net_evaluate(net, &result, batch.x, batch.labels, ROWS));
    cr_net_observe(net, sums, batch.x, ROWS);
    assert_true(net_step(net, &batch, 3) == loss);
    float *found = net_gradient(net);
    assert_same_bits(found, expected, net->parameter_count);
    CR_FREE(sums);
    CR_FREE(found);
    CR_FREE(expected);
    net_batch_free(&batch);
    cr_net_free(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(micro_batches_add_up),
        cmocka_unit_test(an_empty_micro_batch_adds_nothing),
        cmocka_unit_test(a_step_gathers_means_and_unbiased_variances),
        cmocka_unit_test(running_statistics_follow),
        cmocka_unit_test(evaluation_takes_running_statistics),
        cmocka_unit_test(observing_is_exact),
        cmocka_unit_test(evaluation_leaves_training_alone),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
