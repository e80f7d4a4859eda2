/* batch_norm: what it makes of a micro-batch, of channels without spread, of one row, and of
 * running statistics. Its derivatives and compact form: contract/test_layers.c. */
#include "values.h"

#include "colrow/net.h"

enum { C = 5, ROWS = 24, COUNT = C * ROWS };

static const double EPSILON = 1e-3;

typedef struct trial {
    cr_layer layer;
    const cr_channelwise *type;
    float parameters[2 * C]; /* gamma, beta */
    float running[2 * C];    /* mean, variance */
    float factors[2 * C], lines[3 * C];
    double moments[3 * C];
    cr_pass pass;
} trial;

static void start(trial *t, bool observes)
{
    *t = (trial){.layer = {.type = cr_layer_type_find("batch_norm"),
                           .name = "bn",
                           .in = {1, 1, C},
                           .plan = {.epsilon = EPSILON, .momentum = 0.9}}};
    t->type = t->layer.type->channelwise;
    ASSERT_OK(t->layer.type->shape(&t->layer));
    t->layer.parameters[1].offset = C;
    t->layer.factors = t->factors;
    t->layer.moments = t->moments;
    t->layer.lines = t->lines;
    values_uniform(t->parameters, 2 * C, 1);
    for (int c = 0; c < C; c++) {
        t->running[c] = 0.5F * (float)c;
        t->running[C + c] = 0.25F + (float)c;
    }
    t->pass =
        (cr_pass){.parameters = t->parameters, .statistics = t->running, .observes = observes};
}

static void moments_of(double *mean, double *variance, const float *x, int rows)
{
    memset(mean, 0, C * sizeof *mean);
    memset(variance, 0, C * sizeof *variance);
    for (int i = 0; i < rows * C; i++)
        mean[i % C] += (double)x[i] / rows;
    for (int i = 0; i < rows * C; i++)
        variance[i % C] += (x[i] - mean[i % C]) * (x[i] - mean[i % C]) / rows;
}

/* y [rows, C] in place, with the statistics of its own values */
static void normalise(trial *t, float *y, int rows)
{
    double mean[C], variance[C];
    moments_of(mean, variance, y, rows);
    t->type->observe(&t->layer, mean, variance, rows);
    t->type->prepare(&t->layer, &t->pass);
    t->type->forward(&t->layer, &t->pass, y, &(cr_tile){.rows = rows, .k = C, .of_rows = rows});
}

/* dy [rows, C] in place; dp = dgamma, dbeta */
static void go_back(trial *t, float *dp, float *dy, const float *x, int rows)
{
    float *const targets[] = {dp, dp + C};
    const cr_kept kept = {.x = x};
    const cr_tile whole = {.rows = rows, .k = C, .of_rows = rows};
    double sums[2 * C] = {0};
    t->type->sum(sums, dy, &kept, &whole);
    t->type->parameter_gradient(&t->layer, &t->pass, targets, sums, &whole, false);
    t->type->prepare_backward(&t->layer, &t->pass, sums, &whole);
    t->type->backward(&t->layer, &t->pass, dy, &kept, &whole);
}

static void it_has_gamma_beta_and_running_statistics(void **state)
{
    (void)state;
    trial t;
    start(&t, true);
    assert_int_equal(t.layer.parameter_count, 2);
    assert_string_equal(t.layer.parameters[0].name, "gamma");
    assert_string_equal(t.layer.parameters[1].name, "beta");
    assert_true(t.layer.parameters[0].initial == 1 && t.layer.parameters[1].initial == 0);
    assert_false(t.layer.parameters[0].decay || t.layer.parameters[1].decay);
    assert_int_equal(t.layer.parameters[0].count, C);
    assert_int_equal(t.layer.statistics, 2 * C);
}

/* Each channel of y has the mean beta and the variance gamma^2 v / (v + epsilon). 24 roundings. */
static void outputs_have_the_spread_of_gamma_and_the_mean_beta(void **state)
{
    (void)state;
    trial t;
    float y[COUNT];
    double before[2][C], after[2][C];
    start(&t, true);
    values_uniform(y, COUNT, 2);
    for (int i = 0; i < COUNT; i++)
        y[i] = 3 * y[i] + (float)(i % C);
    moments_of(before[0], before[1], y, ROWS);
    normalise(&t, y, ROWS);
    moments_of(after[0], after[1], y, ROWS);
    for (int c = 0; c < C; c++) {
        double gamma = t.parameters[c];
        ASSERT_NEAR(after[0][c], t.parameters[C + c], 1e-6);
        ASSERT_NEAR(after[1][c], gamma * gamma * before[1][c] / (before[1][c] + EPSILON), 1e-6);
    }
}

/* Running statistics and nothing else: what was observed must not matter. */
static void evaluation_takes_running_statistics(void **state)
{
    (void)state;
    trial t;
    float x[COUNT], y[COUNT];
    start(&t, false);
    values_uniform(x, COUNT, 2);
    memcpy(y, x, sizeof y);
    normalise(&t, y, ROWS);
    for (int i = 0; i < COUNT; i++) {
        int c = i % C;
        double normal = (x[i] - t.running[c]) / sqrt(t.running[C + c] + EPSILON);
        ASSERT_NEAR(y[i], t.parameters[c] * normal + t.parameters[C + c], 1e-6);
    }
}

/* All values equal, as in a channel that a ReLU has killed: y = beta, and no gradient is infinite:
 * dx = gamma / sqrt(epsilon) (dy - mean dy), dgamma = 0. */
static void a_constant_channel_gives_beta(void **state)
{
    (void)state;
    trial t;
    float x[COUNT], y[COUNT], dy[COUNT], g[COUNT], dp[2 * C];
    double mean[C], variance[C];
    start(&t, true);
    for (int i = 0; i < COUNT; i++)
        x[i] = (float)(i % C) / 4;
    memcpy(y, x, sizeof y);
    normalise(&t, y, ROWS);
    values_uniform(g, COUNT, 3);
    memcpy(dy, g, sizeof dy);
    go_back(&t, dp, dy, x, ROWS);
    moments_of(mean, variance, g, ROWS);
    for (int i = 0; i < COUNT; i++) {
        int c = i % C;
        double steep = t.parameters[c] / sqrt(EPSILON); /* 32 at most */
        ASSERT_NEAR(y[i], t.parameters[C + c], 1e-5);
        ASSERT_NEAR(dy[i], steep * (g[i] - mean[c]), 1e-5);
    }
    for (int c = 0; c < C; c++) {
        ASSERT_NEAR(dp[c], 0, 1e-5);
        ASSERT_NEAR(dp[C + c], ROWS * mean[c], 1e-5);
    }
}

/* One row is its own mean: y = beta whatever x, so nothing flows back to x and gamma. */
static void one_row_gives_beta(void **state)
{
    (void)state;
    trial t;
    float x[C], y[C], dy[C], g[C], dp[2 * C];
    start(&t, true);
    values_uniform(x, C, 2);
    values_uniform(g, C, 3);
    memcpy(y, x, sizeof y);
    memcpy(dy, g, sizeof dy);
    normalise(&t, y, 1);
    go_back(&t, dp, dy, x, 1);
    for (int c = 0; c < C; c++) {
        ASSERT_NEAR(y[c], t.parameters[C + c], 4e-6); /* factors of 32, rounded */
        ASSERT_NEAR(dy[c], 0, 4e-6);
        ASSERT_NEAR(dp[c], 0, 4e-6);
        assert_true(dp[C + c] == g[c]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_has_gamma_beta_and_running_statistics),
        cmocka_unit_test(outputs_have_the_spread_of_gamma_and_the_mean_beta),
        cmocka_unit_test(evaluation_takes_running_statistics),
        cmocka_unit_test(a_constant_channel_gives_beta),
        cmocka_unit_test(one_row_gives_beta),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
