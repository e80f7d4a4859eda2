/* optim: each rule's arithmetic, clipping, spans, and the learning rate at the edges of schedules.
 */
#include "check.h"
#include "options.h"

#include "colrow/optim.h"

#include <math.h>

enum { SIZE = 4, STEPS = 5 };

static const float START[SIZE] = {0.5F, -1.25F, 2.0F, -0.03125F};

/* Gradient of parameter i at step t = 0 ...: exact in float. */
static double gradient_at(int i, int t)
{
    return (i + 1) * 0.25 - 0.125 * t * (i % 2 == 0 ? 1 : -1);
}

/* Options of a rule with its defaults, without decay or clipping. */
static cr_optim_options options_of(const char *rule)
{
    cr_optim_options options = {0};
    options_default(cr_optim_option_table, &options);
    (void)snprintf(options.rule, CR_WORD_MAX, "%s", rule);
    options_default(cr_optim_rule_options(rule), options.parameters);
    return options;
}

static void set(cr_optim_options *options, const char *name, const char *text)
{
    option_set(cr_optim_rule_options(options->rule), options->parameters, name, text);
}

/* Five updates of the four parameters. */
static void run(float w[SIZE], const cr_optim_options *options, double rate)
{
    const cr_optim_span span = {0, SIZE, 1, true, true};
    cr_optim optim;
    memcpy(w, START, sizeof(START));
    ASSERT_OK(cr_optim_create(&optim, options, SIZE, &span, 1));
    for (int t = 0; t < STEPS; t++) {
        float g[SIZE];
        double norm = 0;
        for (int i = 0; i < SIZE; i++)
            g[i] = (float)gradient_at(i, t);
        ASSERT_OK(cr_optim_update(&optim, w, g, rate, &norm));
        assert_true(norm == -1.0); /* not needed */
    }
    assert_int_equal(optim.step, STEPS);
    cr_optim_free(&optim);
    assert_null(optim.chunks);
}

/* An update makes about 8 roundings of values below 4, each off by at most 2^-24 of them; PyTorch
 * as many. */
static const double ROUNDING = 2 * STEPS * 8 * 4 * 0x1p-24;

static void check_near(const cr_optim_options *options, double rate, const double expected[SIZE])
{
    float w[SIZE];
    run(w, options, rate);
    for (int i = 0; i < SIZE; i++)
        ASSERT_NEAR((double)w[i], expected[i], ROUNDING);
}

/* From torch 2.15, float32: torch.optim.SGD and Adam on the four parameters above, w.grad set to
 * gradient_at(i, t), five steps; options as in the calls below. */
static void rules_agree_with_pytorch(void **state)
{
    (void)state;
    const double sgd[] = {0.476726413, -1.55754352, 1.65816176, -0.643574178};
    const double momentum[] = {0.344445437, -1.96091568, 1.01006639, -1.54044163};
    const double nesterov[] = {0.39622575, -2.00007915, 1.07399654, -1.567981};
    const double adam[] = {0.46583727, -1.29995477, 1.95129764, -0.0814738572};
    const double other_adam[] = {0.49136439, -1.29334795, 1.96227682, -0.0774002895};

    cr_optim_options options = options_of("sgd"); /* SGD(lr=0.1, weight_decay=0.1) */
    options.weight_decay = 0.1;
    check_near(&options, 0.1, sgd);

    options = options_of("momentum"); /* SGD(lr=0.1, momentum=0.9, weight_decay=0.1) */
    options.weight_decay = 0.1;
    check_near(&options, 0.1, momentum);
    set(&options, "momentum", "0.75"); /* and momentum=0.75, nesterov=True */
    set(&options, "nesterov", "true");
    check_near(&options, 0.1, nesterov);

    options = options_of("adam"); /* Adam(lr=0.01, weight_decay=0.1) */
    options.weight_decay = 0.1;
    check_near(&options, 0.01, adam);
    options = options_of("adam"); /* Adam(lr=0.01, betas=(0.5, 0.75), eps=0.125) */
    set(&options, "beta1", "0.5");
    set(&options, "beta2", "0.75");
    set(&options, "epsilon", "0.125");
    check_near(&options, 0.01, other_adam);
}

/* The rules once more in double, written down from the papers. */
static double twin_sgd(int i, double decay, double rate)
{
    double w = (double)START[i];
    for (int t = 0; t < STEPS; t++)
        w = w - rate * (gradient_at(i, t) + decay * w);
    return w;
}

static double twin_momentum(int i, double decay, double rate)
{
    double w = (double)START[i], v = 0;
    for (int t = 0; t < STEPS; t++) {
        v = 0.9 * v + gradient_at(i, t) + decay * w;
        w = w - rate * v;
    }
    return w;
}

static double twin_nesterov(int i, double decay, double rate)
{
    double w = (double)START[i], v = 0;
    for (int t = 0; t < STEPS; t++) {
        double g = gradient_at(i, t) + decay * w;
        v = 0.9 * v + g;
        w = w - rate * (g + 0.9 * v);
    }
    return w;
}

static double twin_adam(int i, double decay, double rate)
{
    double w = (double)START[i], m = 0, v = 0;
    for (int t = 1; t <= STEPS; t++) {
        double g = gradient_at(i, t - 1) + decay * w;
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        double unbiased_m = m / (1 - pow(0.9, t));
        double unbiased_v = v / (1 - pow(0.999, t));
        w = w - rate * unbiased_m / (sqrt(unbiased_v) + 1e-8);
    }
    return w;
}

static void check_twin(const cr_optim_options *options, double (*twin)(int, double, double))
{
    double expected[SIZE];
    for (int i = 0; i < SIZE; i++)
        expected[i] = twin(i, options->weight_decay, 0.05);
    check_near(options, 0.05, expected);
}

static void rules_agree_with_double_twins(void **state)
{
    (void)state;
    for (int decay = 0; decay < 2; decay++) {
        cr_optim_options options = options_of("sgd");
        options.weight_decay = 0.2 * decay;
        check_twin(&options, twin_sgd);
        options = options_of("adam");
        options.weight_decay = 0.2 * decay;
        check_twin(&options, twin_adam);
        options = options_of("momentum");
        options.weight_decay = 0.2 * decay;
        check_twin(&options, twin_momentum);
        set(&options, "nesterov", "true");
        check_twin(&options, twin_nesterov);
    }
}

/* ---- rows ------------------------------------------------------------------------------------ */

enum { ROWS = 6, WIDTH = 3, ALL = ROWS * WIDTH };

/* Rows of a step's gradient that are kept: pairs of neighbours in turn, and always the last one. */
static bool is_kept(int row, int step)
{
    return (row / 2 + step) % 3 == 0 || row == 5;
}

static int64_t kept_rows(void *self, int span, int64_t first, int64_t *rows)
{
    int step = *(const int *)self;
    int64_t end = first + *rows;
    assert_int_equal(span, 0);
    while (first < end && !is_kept((int)first, step))
        first++;
    for (*rows = 0; first + *rows < end && is_kept((int)(first + *rows), step);)
        ++*rows;
    return first;
}

static const float *gradient_rows(void *self, float *scratch, int span, int64_t first, int64_t rows)
{
    int step = *(const int *)self;
    assert_int_equal(span, 0);
    for (int64_t i = 0; i < rows * WIDTH; i++)
        scratch[i] = (float)gradient_at((int)(first * WIDTH + i) % SIZE, step);
    return scratch;
}

/* One row by itself, through the steps that keep it, on the optimizer's count of all steps. */
static void check_row(const cr_optim_options *options, int row, const float *found)
{
    const cr_optim_span span = {0, WIDTH, WIDTH, true, true};
    cr_optim optim;
    float w[WIDTH] = {1, -2, 0.5F};
    ASSERT_OK(cr_optim_create(&optim, options, WIDTH, &span, 1));
    for (int step = 0; step < STEPS; step++) {
        float g[WIDTH];
        double norm = 0;
        for (int i = 0; i < WIDTH; i++)
            g[i] = (float)gradient_at((row * WIDTH + i) % SIZE, step);
        optim.step = step;
        if (is_kept(row, step))
            ASSERT_OK(cr_optim_update(&optim, w, g, 0.1, &norm));
    }
    for (int i = 0; i < WIDTH; i++)
        assert_true(found[i] == w[i]);
    cr_optim_free(&optim);
}

static void rows_without_a_gradient_rest(void **state)
{
    static const char *const rules[] = {"sgd", "momentum", "adam"};
    const cr_optim_span span = {0, ALL, WIDTH, true, true};
    (void)state;
    for (int r = 0; r < 3; r++) {
        cr_optim_options options = options_of(rules[r]);
        options.weight_decay = 0.1;
        (void)snprintf(options.rows, CR_WORD_MAX, "kept");
        float w[ALL];
        cr_optim optim;
        ASSERT_OK(cr_optim_create(&optim, &options, ALL, &span, 1));
        for (int i = 0; i < ALL; i++)
            w[i] = (const float[]){1, -2, 0.5F}[i % WIDTH];
        for (int step = 0; step < STEPS; step++) {
            double norm = 0;
            const cr_optim_hooks hooks = {
                .self = &step, .gradient = gradient_rows, .kept = kept_rows};
            ASSERT_OK(cr_optim_update_by(&optim, w, &hooks, 0.1, &norm));
        }
        for (int row = 0; row < ROWS; row++)
            check_row(&options, row, w + (ptrdiff_t)row * WIDTH);
        cr_optim_free(&optim);
    }
}

/* |g| = 5 over two spans, without counting what lies between; sgd at rate 1 shows g itself. */
static void clipping_is_by_the_global_norm(void **state)
{
    (void)state;
    const float g[3] = {3, 100, 4};
    const cr_optim_span spans[] = {{0, 1, 1, false, false}, {2, 1, 1, false, false}};
    const double limits[] = {2.5, 5, 10};
    const float expected[] = {-1.5F, -3, -3};
    for (int i = 0; i < 3; i++) {
        float w[3] = {0};
        double norm = 0;
        cr_optim optim;
        cr_optim_options options = options_of("sgd");
        options.clip_norm = limits[i];
        ASSERT_OK(cr_optim_create(&optim, &options, 3, spans, 2));
        ASSERT_OK(cr_optim_update(&optim, w, g, 1.0, &norm));
        assert_true(norm == 5.0);
        assert_true(w[0] == expected[i] && w[1] == 0 && w[2] == expected[i] * 4 / 3);
        cr_optim_free(&optim);
    }
}

/* A square of 1e30 does not fit a float; the sum is in double. Clipped: sqrt(1/2) each. */
static void norm_does_not_overflow(void **state)
{
    (void)state;
    const float g[2] = {1e30F, 1e30F};
    const cr_optim_span span = {0, 2, 1, false, false};
    float w[2] = {0};
    double norm = 0;
    cr_optim optim;
    cr_optim_options options = options_of("sgd");
    options.clip_norm = 1;
    ASSERT_OK(cr_optim_create(&optim, &options, 2, &span, 1));
    ASSERT_OK(cr_optim_update(&optim, w, g, 1.0, &norm));
    ASSERT_NEAR(norm / ((double)1e30F * sqrt(2)), 1.0, 1e-15);
    ASSERT_NEAR((double)w[0], -sqrt(0.5), 2 * 0x1p-24);
    cr_optim_free(&optim);
}

static void broken_gradients_are_refused(void **state)
{
    (void)state;
    const float broken[] = {NAN, INFINITY};
    const cr_optim_span span = {0, 3, 1, false, false};
    cr_optim optim;
    cr_optim_options options = options_of("momentum");
    options.clip_norm = 1;
    ASSERT_OK(cr_optim_create(&optim, &options, 3, &span, 1));
    for (int i = 0; i < 2; i++) {
        const float g[3] = {1, broken[i], 1};
        float w[3] = {1, 2, 3};
        double norm = 7;
        ASSERT_FAILS(cr_optim_update(&optim, w, g, 1.0, &norm), CR_DIVERGED,
                     "update 1: expected a gradient of finite norm, found");
        assert_true(w[0] == 1 && w[2] == 3 && norm == 7); /* nothing was touched */
        assert_true(optim.step == 0 && optim.state[0][0] == 0);
    }
    cr_optim_free(&optim);
}

static void bad_set_ups_are_refused(void **state)
{
    (void)state;
    const cr_optim_span inside = {2, 8, 1, true, true};
    const cr_optim_span outside[] = {{-1, 2, 1, true, true},
                                     {0, -1, 1, true, true},
                                     {3, 8, 1, true, true},
                                     {11, 0, 1, true, true}};
    cr_optim optim;
    cr_optim_options options = options_of("sgd");
    for (int i = 0; i < 4; i++) {
        const cr_optim_span spans[] = {inside, outside[i]};
        ASSERT_FAILS(cr_optim_create(&optim, &options, 10, spans, 2), CR_INTERNAL, "span 1");
    }
    (void)snprintf(options.rule, CR_WORD_MAX, "adamw");
    ASSERT_FAILS(cr_optim_create(&optim, &options, 10, &inside, 1), CR_BAD_CONFIG, "'adamw'");
    assert_null(cr_optim_rule_options("adamw"));
    options = options_of("lars");
    (void)snprintf(options.rows, CR_WORD_MAX, "kept");
    ASSERT_FAILS(cr_optim_create(&optim, &options, 10, &inside, 1), CR_BAD_CONFIG,
                 "optimizer.rows: expected all for lars");
}

/* ---- learning rate --------------------------------------------------------------------------- */

static cr_rate_options rate_of(const char *schedule, double base)
{
    cr_rate_options options = {0};
    options_default(cr_rate_option_table, &options);
    (void)snprintf(options.schedule, CR_WORD_MAX, "%s", schedule);
    options.base = base;
    return options;
}

/* Of a run of `total` updates, `per_epoch` an epoch. */
static double rate_at(const cr_rate_options *options, int64_t step, int64_t total,
                      int64_t per_epoch)
{
    cr_rate rate = cr_rate_make(options, 1, options->warmup_steps, total);
    return cr_rate_at(&rate, step, step / per_epoch);
}

static const double TINY = 1e-14; /* a few roundings of doubles of about 1 */

static void warm_up_grows_to_the_base(void **state)
{
    (void)state;
    for (int i = 0; cr_rate_schedule_names()[i] != NULL; i++) {
        cr_rate_options options = rate_of(cr_rate_schedule_names()[i], 0.8);
        options.warmup_steps = 4;
        options.at = (cr_ints){1, {100}};
        ASSERT_NEAR(rate_at(&options, 0, 100, 10), 0.2, TINY);
        ASSERT_NEAR(rate_at(&options, 1, 100, 10), 0.4, TINY);
        ASSERT_NEAR(rate_at(&options, 3, 100, 10), 0.8, TINY);
        ASSERT_NEAR(rate_at(&options, 4, 100, 10), 0.8, TINY);
        options.warmup_steps = 0;
        ASSERT_NEAR(rate_at(&options, 0, 100, 10), 0.8, TINY);
    }
}

static cr_rate scaled(const char *scaling, int batch)
{
    cr_rate_options options = rate_of("constant", 0.1);
    (void)snprintf(options.scaling, CR_WORD_MAX, "%s", scaling);
    options.reference_batch = 256;
    ASSERT_OK(cr_rate_check(&options));
    return cr_rate_make(&options, batch, 5, 100);
}

/* Goyal et al. 2017: 0.1 at 256 is 3.2 at 8192, in equal increments from 0.1. */
static void batches_scale_the_rate(void **state)
{
    (void)state;
    cr_rate linear = scaled("linear", 8192);
    ASSERT_NEAR(cr_rate_at(&linear, 0, 0), 0.1 + 3.1 / 5, TINY);
    ASSERT_NEAR(cr_rate_at(&linear, 1, 0), 0.1 + 3.1 * 2 / 5, TINY);
    ASSERT_NEAR(cr_rate_at(&linear, 4, 0), 3.2, TINY);
    ASSERT_NEAR(cr_rate_at(&linear, 99, 0), 3.2, TINY);
    cr_rate root = scaled("sqrt", 1024);
    ASSERT_NEAR(cr_rate_at(&root, 0, 0), 0.1 + 0.1 / 5, TINY);
    ASSERT_NEAR(cr_rate_at(&root, 50, 0), 0.2, TINY);
    cr_rate smaller = scaled("linear", 64); /* nothing was raised: from 0 */
    ASSERT_NEAR(cr_rate_at(&smaller, 0, 0), 0.025 / 5, TINY);
    ASSERT_NEAR(cr_rate_at(&smaller, 50, 0), 0.025, TINY);
}

static void scaled_schedules_begin_at_the_scaled_rate(void **state)
{
    (void)state;
    cr_rate_options options = rate_of("cosine", 0.1);
    (void)snprintf(options.scaling, CR_WORD_MAX, "linear");
    options.reference_batch = 1;
    options.final = 0.05; /* as it stands */
    cr_rate rate = cr_rate_make(&options, 8, 20, 100);
    ASSERT_NEAR(cr_rate_at(&rate, 20, 0), 0.8, TINY);
    ASSERT_NEAR(cr_rate_at(&rate, 60, 0), 0.425, TINY);
    ASSERT_NEAR(cr_rate_at(&rate, 100, 0), 0.05, TINY);
}

static void constant_stays(void **state)
{
    (void)state;
    cr_rate_options options = rate_of("constant", 0.3);
    ASSERT_OK(cr_rate_check(&options));
    assert_true(rate_at(&options, 0, 0, 1) == 0.3);
    assert_true(rate_at(&options, INT64_C(1) << 40, 5, 1) == 0.3);
}

static void steps_change_at_their_updates(void **state)
{
    (void)state;
    cr_rate_options options = rate_of("steps", 1.0);
    options.at = (cr_ints){3, {10, 30, 20}}; /* in any order */
    ASSERT_OK(cr_rate_check(&options));
    ASSERT_NEAR(rate_at(&options, 9, 100, 5), 1.0, TINY);
    ASSERT_NEAR(rate_at(&options, 10, 100, 5), 0.1, TINY);
    ASSERT_NEAR(rate_at(&options, 19, 100, 5), 0.1, TINY);
    ASSERT_NEAR(rate_at(&options, 20, 100, 5), 0.01, TINY);
    options.factor = 0.5;
    ASSERT_NEAR(rate_at(&options, 30, 100, 5), 0.125, TINY);
}

static void exponential_is_a_staircase(void **state)
{
    (void)state;
    cr_rate_options options = rate_of("exponential", 2.0);
    options.factor = 0.5;
    ASSERT_OK(cr_rate_check(&options));
    ASSERT_NEAR(rate_at(&options, 6, 100, 7), 2.0, TINY); /* once an epoch of 7 */
    ASSERT_NEAR(rate_at(&options, 7, 100, 7), 1.0, TINY);
    ASSERT_NEAR(rate_at(&options, 21, 100, 7), 0.25, TINY);
    options.hold_epochs = 3;
    ASSERT_OK(cr_rate_check(&options));
    ASSERT_NEAR(rate_at(&options, 20, 100, 7), 2.0, TINY);
    ASSERT_NEAR(rate_at(&options, 21, 100, 7), 1.0, TINY);
    ASSERT_NEAR(rate_at(&options, 28, 100, 7), 0.5, TINY);
    options.every_steps = 2;
    ASSERT_FAILS(cr_rate_check(&options), CR_BAD_CONFIG, "hold_epochs: expected 1");
    options.hold_epochs = 1;
    ASSERT_NEAR(rate_at(&options, 1, 100, 7), 2.0, TINY);
    ASSERT_NEAR(rate_at(&options, 7, 100, 7), 0.25, TINY);
}

static void cosine_goes_to_the_final_rate(void **state)
{
    (void)state;
    cr_rate_options options = rate_of("cosine", 1.0);
    ASSERT_OK(cr_rate_check(&options));
    options.final = 0.2;
    ASSERT_NEAR(rate_at(&options, 0, 100, 10), 1.0, TINY);
    ASSERT_NEAR(rate_at(&options, 50, 100, 10), 0.6, TINY);
    ASSERT_NEAR(rate_at(&options, 100, 100, 10), 0.2, TINY);
    ASSERT_NEAR(rate_at(&options, 500, 100, 10), 0.2, TINY); /* a run made longer */
    options.warmup_steps = 20;
    ASSERT_NEAR(rate_at(&options, 20, 100, 10), 1.0, TINY);
    ASSERT_NEAR(rate_at(&options, 40, 100, 10), 0.2 + 0.4 * (1 + sqrt(0.5)), TINY);
    ASSERT_NEAR(rate_at(&options, 60, 100, 10), 0.6, TINY);
    ASSERT_NEAR(rate_at(&options, 20, 20, 10), 1.0, TINY); /* nothing but warm-up */
}

static void bad_rates_are_refused(void **state)
{
    (void)state;
    cr_rate_options options = rate_of("steps", 1.0);
    ASSERT_FAILS(cr_rate_check(&options), CR_BAD_CONFIG, "learning_rate.at: expected updates");
    options = rate_of("cosine", 1.0);
    options.at = (cr_ints){2, {10, 20}};
    ASSERT_FAILS(cr_rate_check(&options), CR_BAD_CONFIG, "'cosine' does not use it, found 2");
    options = rate_of("constant", 1.0);
    options.reference_batch = 128;
    ASSERT_FAILS(cr_rate_check(&options), CR_BAD_CONFIG,
                 "learning_rate.scaling: expected linear or sqrt with reference_batch 128");
    (void)snprintf(options.scaling, CR_WORD_MAX, "sqrt");
    options.reference_batch = 0;
    ASSERT_FAILS(cr_rate_check(&options), CR_BAD_CONFIG,
                 "learning_rate.reference_batch: expected the batch");
    (void)snprintf(options.scaling, CR_WORD_MAX, "cubic");
    ASSERT_FAILS(cr_rate_check(&options), CR_BAD_CONFIG, "found 'cubic'");
    options = rate_of("constant", 1.0);
    options.warmup_steps = 10;
    options.warmup_epochs = 0.5;
    ASSERT_FAILS(cr_rate_check(&options), CR_BAD_CONFIG, "found both (10 and 0.5)");
    options = rate_of("linear", 1.0);
    ASSERT_FAILS(cr_rate_check(&options), CR_BAD_CONFIG, "found 'linear'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_agree_with_pytorch),
        cmocka_unit_test(rules_agree_with_double_twins),
        cmocka_unit_test(rows_without_a_gradient_rest),
        cmocka_unit_test(clipping_is_by_the_global_norm),
        cmocka_unit_test(norm_does_not_overflow),
        cmocka_unit_test(broken_gradients_are_refused),
        cmocka_unit_test(bad_set_ups_are_refused),
        cmocka_unit_test(warm_up_grows_to_the_base),
        cmocka_unit_test(batches_scale_the_rate),
        cmocka_unit_test(scaled_schedules_begin_at_the_scaled_rate),
        cmocka_unit_test(constant_stays),
        cmocka_unit_test(steps_change_at_their_updates),
        cmocka_unit_test(exponential_is_a_staircase),
        cmocka_unit_test(cosine_goes_to_the_final_rate),
        cmocka_unit_test(bad_rates_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
