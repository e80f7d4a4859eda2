/* rules: what every optimizer rule promises, over the table of rules. */
#include "check.h"
#include "options.h"

#include "colrow/optim.h"

#include <math.h>
#include <omp.h>

enum { LARGE = 100000, MARGIN = 8 };

typedef struct run {
    cr_optim_options options;
    int64_t count;
    const cr_optim_span *spans;
    int span_count;
    int threads, updates;
    float gradient_scale; /* gradients are multiplied by it */
} run;

static run run_of(const cr_optim_rule *rule, int64_t count, const cr_optim_span *spans,
                  int span_count)
{
    run r = {.count = count, .spans = spans, .span_count = span_count};
    r.threads = 1;
    r.updates = 3;
    r.gradient_scale = 1;
    options_default(cr_optim_option_table, &r.options);
    (void)snprintf(r.options.rule, CR_WORD_MAX, "%s", rule->name);
    options_default(rule->options, r.options.parameters);
    return r;
}

/* Parameter and gradient i repeat with period 5, so that alike elements must stay alike. */
static float start_of(int64_t i)
{
    return 1.0F + 0.3F * (float)(i % 5);
}

static float gradient_of(int64_t i, int update)
{
    return 0.1F * (float)(i % 5 - 2) + 0.05F * (float)update;
}

/* w [count + MARGIN] after the updates; returns the norm of the last. */
static double run_updates(float *w, const run *r)
{
    static float g[LARGE + MARGIN];
    double norm = 0;
    cr_optim optim;
    ASSERT_OK(cr_optim_create(&optim, &r->options, r->count, r->spans, r->span_count));
    int threads = omp_get_max_threads();
    omp_set_num_threads(r->threads);
    for (int64_t i = 0; i < r->count + MARGIN; i++)
        w[i] = start_of(i);
    for (int update = 0; update < r->updates; update++) {
        for (int64_t i = 0; i < r->count + MARGIN; i++)
            g[i] = gradient_of(i, update) * r->gradient_scale;
        ASSERT_OK(cr_optim_update(&optim, w, g, 0.1, &norm));
    }
    omp_set_num_threads(threads);
    cr_optim_free(&optim);
    return norm;
}

static void for_each_rule(void (*check)(const cr_optim_rule *))
{
    for (int r = 0; cr_optim_rules[r] != NULL; r++)
        check(cr_optim_rules[r]);
}

static void check_row(const cr_optim_rule *rule)
{
    assert_ptr_equal(cr_optim_rule_find(rule->name), rule);
    assert_ptr_equal(cr_optim_rule_options(rule->name), rule->options);
    assert_null(rule->states[CR_OPTIM_STATES]);
    const cr_option *option = rule->options;
    for (; option != NULL && option->name != NULL; option++)
        assert_true(option->offset < CR_OPTIM_PARAMETERS && option->fallback != NULL);
    const cr_optim_span span = {0, 10, 1, true, true};
    run r = run_of(rule, 10, &span, 1);
    cr_optim optim;
    ASSERT_OK(cr_optim_create(&optim, &r.options, 10, &span, 1));
    for (int s = 0; s < CR_OPTIM_STATES; s++) {
        assert_int_equal(optim.state[s] != NULL, rule->states[s] != NULL);
        for (int i = 0; i < 10 && optim.state[s] != NULL; i++)
            assert_true(optim.state[s][i] == 0);
    }
    cr_optim_free(&optim);
}

static void rows_are_complete(void **state)
{
    (void)state;
    for_each_rule(check_row);
}

/* Alike elements end alike wherever they stand in a vector or chunk, and, where no norm of all of
 * them counts, however many they are; nothing behind is touched. */
static void check_sizes(const cr_optim_rule *rule)
{
    const int64_t sizes[] = {0, 1, 15, 16, 17, LARGE};
    static float w[LARGE + MARGIN];
    float one[5 + MARGIN];
    const cr_optim_span five = {0, 5, 1, true, true};
    run small = run_of(rule, 5, &five, 1);
    small.options.weight_decay = 0.01;
    (void)run_updates(one, &small);
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        const cr_optim_span span = {0, sizes[s], 1, true, true};
        run r = run_of(rule, sizes[s], &span, 1);
        r.options.weight_decay = 0.01;
        (void)run_updates(w, &r);
        for (int64_t i = 0; i < sizes[s]; i++)
            assert_true(w[i] == (rule->measure == NULL ? one : w)[i % 5] && w[i] != start_of(i));
        for (int64_t i = sizes[s]; i < sizes[s] + MARGIN; i++)
            assert_true(w[i] == start_of(i));
    }
}

static void every_size_works(void **state)
{
    (void)state;
    for_each_rule(check_sizes);
}

static void check_threads(const cr_optim_rule *rule)
{
    static float one[LARGE + MARGIN], two[LARGE + MARGIN];
    const cr_optim_span spans[] = {{0, 70001, 1, true, true},
                                   {70001, LARGE - 70001, 1, false, false}};
    run r = run_of(rule, LARGE, spans, 2);
    r.options.weight_decay = 0.01;
    r.options.clip_norm = 0.5;
    double norm = run_updates(one, &r);
    assert_true(norm > 0.5);
    for (r.threads = 2; r.threads <= 3; r.threads++) {
        assert_true(run_updates(two, &r) == norm);
        assert_memory_equal(one, two, LARGE * sizeof(float));
    }
}

static void threads_do_not_change_bits(void **state)
{
    (void)state;
    for_each_rule(check_threads);
}

/* Each span goes its own way, whatever others there are, in any order; a parameter in no span stays
 * as it is. One span or several are the same where no norm of them counts. */
static void check_spans(const cr_optim_rule *rule)
{
    static float whole[LARGE + MARGIN], parts[LARGE + MARGIN], one[LARGE + MARGIN];
    const cr_optim_span all = {0, LARGE, 1, true, true};
    const cr_optim_span spans[] = {{50000, LARGE - 50000, 1, true, true},
                                   {0, 3, 1, true, true},
                                   {3, 0, 1, true, true},
                                   {4, 49996, 1, true, true}};
    run r = run_of(rule, LARGE, spans, 4);
    r.options.weight_decay = 0.01;
    (void)run_updates(parts, &r);
    assert_true(parts[3] == start_of(3));
    for (int s = 0; s < 4; s++) {
        r.spans = &spans[s];
        r.span_count = 1;
        (void)run_updates(one, &r);
        assert_memory_equal(one + spans[s].offset, parts + spans[s].offset,
                            (size_t)spans[s].count * sizeof(float));
    }
    r.spans = &all;
    (void)run_updates(whole, &r);
    parts[3] = whole[3];
    if (rule->measure == NULL)
        assert_memory_equal(whole, parts, LARGE * sizeof(float));
    else
        assert_memory_not_equal(whole, parts, LARGE * sizeof(float));
}

static void spans_do_not_touch_each_other(void **state)
{
    (void)state;
    for_each_rule(check_spans);
}

/* With a gradient of zero only decay moves anything, and only where it applies. */
static void check_decay(const cr_optim_rule *rule)
{
    float w[10 + MARGIN];
    const cr_optim_span spans[] = {{0, 5, 1, true, true}, {5, 5, 1, false, false}};
    run r = run_of(rule, 10, spans, 2);
    r.gradient_scale = 0;
    r.options.weight_decay = 0.1;
    (void)run_updates(w, &r);
    for (int i = 0; i < 5; i++) {
        assert_true(w[i] > 0 && w[i] < start_of(i));
        assert_true(w[5 + i] == start_of(5 + i));
    }
}

static void decay_is_by_span(void **state)
{
    (void)state;
    for_each_rule(check_decay);
}

/* Clipping to half of the norm is half of the gradient; halving is exact, the quotient nearly. */
static void check_clipping(const cr_optim_rule *rule)
{
    float clipped[10 + MARGIN], scaled[10 + MARGIN];
    const cr_optim_span span = {0, 10, 1, false, false};
    run r = run_of(rule, 10, &span, 1);
    r.updates = 1;
    r.options.clip_norm = 1e6; /* no clipping, but the norm */
    double norm = run_updates(clipped, &r);
    r.options.clip_norm = norm / 2;
    assert_true(run_updates(clipped, &r) == norm);
    r.options.clip_norm = 0;
    r.gradient_scale = 0.5F;
    assert_true(run_updates(scaled, &r) == -1.0);
    assert_memory_equal(clipped, scaled, sizeof(clipped));
}

static void clipping_scales_the_gradient(void **state)
{
    (void)state;
    for_each_rule(check_clipping);
}

/* f(w) = |w - 3|^2 / 2 goes down to a hundredth in 300 updates at rate 0.05, from |w - 3| = 2 (a
 * step of adam is about the rate: 40 of them would do). */
static void check_descent(const cr_optim_rule *rule)
{
    float w = 1;
    const cr_optim_span span = {0, 1, 1, true, false}; /* a rate by norms is another length */
    run r = run_of(rule, 1, &span, 1);
    cr_optim optim;
    ASSERT_OK(cr_optim_create(&optim, &r.options, 1, &span, 1));
    for (int update = 0; update < 300; update++) {
        const float g = w - 3;
        double norm = 0;
        ASSERT_OK(cr_optim_update(&optim, &w, &g, 0.05, &norm));
    }
    ASSERT_NEAR((double)w, 3.0, 0.2);
    cr_optim_free(&optim);
}

/* A rule that adapts changes two spans by the same share of their norm, whatever the size of their
 * gradients (beyond roundings of about 2^-24 of the weights, and lamb's epsilon beside gradients of
 * at least 1e-2); without adaptation it does not. */
static void check_adaptation(const cr_optim_rule *rule)
{
    float w[2][20 + MARGIN];
    double share[2][2]; /* adapted or not, small gradient or large */
    for (int adapt = 0; adapt < 2; adapt++)
        for (int size = 0; size < 2; size++) {
            const cr_optim_span span = {0, 20, 1, true, adapt == 1};
            run r = run_of(rule, 20, &span, 1);
            r.updates = 1;
            r.gradient_scale = size == 1 ? 100.0F : 1.0F;
            (void)run_updates(w[size], &r);
            double change = 0, norm = 0;
            for (int i = 0; i < 20; i++) {
                change += pow((double)w[size][i] - (double)start_of(i), 2);
                norm += pow((double)start_of(i), 2);
            }
            share[adapt][size] = sqrt(change / norm);
        }
    if (rule->measure == NULL)
        return;
    ASSERT_NEAR(share[1][0] / share[1][1], 1.0, 2e-3);
    assert_true(share[0][0] != share[1][0]);
}

static void norms_set_the_length(void **state)
{
    (void)state;
    for_each_rule(check_adaptation);
}

static void rules_descend(void **state)
{
    (void)state;
    for_each_rule(check_descent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_complete),
        cmocka_unit_test(every_size_works),
        cmocka_unit_test(threads_do_not_change_bits),
        cmocka_unit_test(spans_do_not_touch_each_other),
        cmocka_unit_test(decay_is_by_span),
        cmocka_unit_test(clipping_scales_the_gradient),
        cmocka_unit_test(norms_set_the_length),
        cmocka_unit_test(rules_descend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
