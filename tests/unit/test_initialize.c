/* initialize: each initializer's distribution, and what its numbers depend on. */
#include "nets.h"

static const cr_ints sizes = {3, {300, 200, 10}};

/* fc1's kernel: 60000 values, fan_in 300, fan_out 200. */
enum { COUNT = 60000, FAN_IN = 300, FAN_OUT = 200 };

static cr_net *make(const char *initializer, double scale, double bias, uint64_t seed)
{
    cr_net *net = NULL;
    cr_net_plan plan =
        net_plan(&(net_wish){.sizes = sizes, .rows = 1, .seed = seed, .initializer = initializer});
    plan.options.initializer_scale = scale;
    plan.options.initializer_bias = bias;
    ASSERT_OK(cr_net_create(&net, &plan));
    cr_net_initialize(net);
    return net;
}

static const float *values_of(const cr_net *net, int i)
{
    return net->parameters + cr_net_parameter(net, i)->offset;
}

typedef struct moments {
    double mean, deviation, most; /* most: largest absolute value */
} moments;

static moments measure(const char *initializer, double scale)
{
    cr_net *net = make(initializer, scale, 0, 1);
    const float *w = values_of(net, 0);
    moments m = {0};
    double square = 0;
    for (int i = 0; i < COUNT; i++) {
        m.mean += (double)w[i] / COUNT;
        square += (double)w[i] * w[i] / COUNT;
        m.most = fmax(m.most, fabs(w[i]));
    }
    m.deviation = sqrt(square);
    cr_net_free(&net);
    return m;
}

/* The standard deviation of N(0, 1) cut at 2: sqrt(1 - 4 pdf(2) / (2 cdf(2) - 1)). */
static const double CUT = 0.879626;

/* deviation and bound as the comment of initialize.c defines them; bound 0: none */
typedef struct expectation {
    const char *name;
    double scale; /* as given; 0: the default */
    double deviation, bound;
} expectation;

/* Over 60000 values the standard error of the mean is deviation / 245; that of the deviation is
 * deviation / 346 for a normal, less for the others. Four of each. */
static void check_distribution(const expectation *e)
{
    moments m = measure(e->name, e->scale);
    ASSERT_NEAR(m.mean, 0, 4 * e->deviation / 245);
    ASSERT_NEAR(m.deviation, e->deviation, 4 * e->deviation / 346);
    if (e->bound == 0) {
        assert_true(m.most > 3.5 * e->deviation); /* has tails */
    } else {
        assert_true(m.most <= e->bound * 1.000001);
        assert_true(m.most > 0.99 * e->bound);
    }
}

static void distributions_are_as_documented(void **state)
{
    (void)state;
    const double root3 = sqrt(3);
    const double xavier = sqrt(6.0 / (FAN_IN + FAN_OUT));
    const double he = sqrt(2.0 / FAN_IN);
    const double fan_in = sqrt(1.0 / FAN_IN);
    const expectation all[] = {
        {"normal", 0, 0.1, 0},
        {"normal", 0.5, 0.5, 0},
        {"truncated_normal", 0, 0.1 * CUT, 0.2},
        {"truncated_normal", 0.03, 0.03 * CUT, 0.06},
        {"uniform", 0, 0.05 / root3, 0.05},
        {"uniform", 2, 2 / root3, 2},
        {"xavier", 0, xavier / root3, xavier},
        {"xavier", 3, 3 * xavier / root3, 3 * xavier},
        {"he", 0, he, 0},
        {"he", 0.5, 0.5 * he, 0},
        {"fan_in", 0, fan_in / root3, fan_in},
        {"fan_in", 2, 2 * fan_in / root3, 2 * fan_in},
    };
    size_t count = sizeof all / sizeof *all;
    for (size_t i = 0; i < count; i++)
        check_distribution(&all[i]);
    for (int i = 0; cr_initializer_names()[i] != NULL; i++) { /* none is forgotten above */
        bool found = false;
        for (size_t j = 0; j < count; j++)
            found = found || strcmp(all[j].name, cr_initializer_names()[i]) == 0;
        assert_true(found);
    }
}

static void biases_are_constant(void **state)
{
    (void)state;
    cr_net *net = make("normal", 0, 0.25, 1);
    assert_string_equal(cr_net_parameter(net, 1)->name, "bias");
    for (int64_t i = 0; i < cr_net_parameter(net, 1)->count; i++)
        assert_true(values_of(net, 1)[i] == 0.25F);
    cr_net_free(&net);
}

/* Share of the first values of two kernels that agree. */
static int agreeing(const float *a, const float *b)
{
    int same = 0;
    for (int i = 0; i < 2000; i++)
        same += a[i] == b[i];
    return same;
}

static void numbers_depend_on_seed_and_layer_alone(void **state)
{
    (void)state;
    cr_engine_set_threads(2);
    cr_net *net = make("normal", 0, 0, 1);
    cr_engine_set_threads(1);
    cr_net *same = make("normal", 0, 0, 1);
    cr_net *other = make("normal", 0, 0, 2);
    assert_same_bits(values_of(same, 0), values_of(net, 0), COUNT);
    assert_true(agreeing(values_of(net, 0), values_of(other, 0)) < 10);
    assert_true(agreeing(values_of(net, 0), values_of(net, 2)) < 10); /* fc2's kernel: 2000 */
    cr_net_free(&net);
    cr_net_free(&same);
    cr_net_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distributions_are_as_documented),
        cmocka_unit_test(biases_are_constant),
        cmocka_unit_test(numbers_depend_on_seed_and_layer_alone),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
