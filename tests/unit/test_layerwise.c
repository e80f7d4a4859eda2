/*
 * rules with norms of whole layers (lars, lamb), against what numpy found in float64
 * (tests/golden/make_rules.py, rules.txt); and what becomes of numbers that are not finite.
 */
#include "golden.h"
#include "options.h"

#include "colrow/optim.h"

#include <math.h>

enum { KERNEL = 12, BIAS = 5, SIZE = KERNEL + BIAS, STEPS = 5 };

/* The kernel in rows of 4, so that chunks would be cut between them; the bias is one row. */
static const cr_optim_span spans[] = {{0, KERNEL, 4, true, true}, {KERNEL, BIAS, 5, false, false}};

typedef struct beginning {
    double rates[STEPS], decay, clip;
    float start[SIZE], gradients[STEPS][SIZE];
} beginning;

static void read_floats(golden *g, const char *name, float out[SIZE])
{
    golden_next(g, name);
    assert_int_equal(g->count, SIZE);
    for (int i = 0; i < SIZE; i++)
        out[i] = (float)g->value[i];
}

static void read_beginning(golden *g, beginning *b)
{
    golden_next(g, "rates");
    assert_int_equal(g->count, STEPS);
    memcpy(b->rates, g->value, sizeof b->rates);
    b->decay = golden_number(g, "decay");
    b->clip = golden_number(g, "clip");
    read_floats(g, "start", b->start);
    for (int t = 0; t < STEPS; t++)
        read_floats(g, "gradient", b->gradients[t]);
}

typedef struct setting {
    const char *name, *value;
} setting;

static cr_optim_options options_of(const char *rule, const setting *settings)
{
    cr_optim_options options = {0};
    options_default(cr_optim_option_table, &options);
    (void)snprintf(options.rule, CR_WORD_MAX, "%s", rule);
    options_default(cr_optim_rule_options(rule), options.parameters);
    for (int i = 0; settings[i].name != NULL; i++)
        option_set(cr_optim_rule_options(rule), options.parameters, settings[i].name,
                   settings[i].value);
    return options;
}

/* An update makes about 10 roundings of values below 4, each off by at most 2^-24 of them. */
static const double ROUNDING = STEPS * 10 * 4 * 0x1p-24;

static void compare(golden *g, const beginning *b, const char *record, cr_optim_options options,
                    double rate_scale)
{
    cr_optim optim;
    float w[SIZE];
    options.weight_decay = b->decay;
    options.clip_norm = b->clip;
    memcpy(w, b->start, sizeof w);
    ASSERT_OK(cr_optim_create(&optim, &options, SIZE, spans, 2));
    for (int t = 0; t < STEPS; t++) {
        double norm = 0;
        ASSERT_OK(cr_optim_update(&optim, w, b->gradients[t], rate_scale * b->rates[t], &norm));
        assert_true((norm > b->clip) == (t != 2));
    }
    cr_optim_free(&optim);
    golden_next(g, record);
    for (int i = 0; i < SIZE; i++)
        ASSERT_NEAR((double)w[i], g->value[i], ROUNDING);
}

static void rules_agree_with_numpy(void **state)
{
    (void)state;
    golden g;
    beginning b;
    const setting inside[] = {
        {"momentum", "0.75"}, {"trust", "0.02"}, {"momentum_correction", "false"}, {NULL, NULL}};
    const setting outside[] = {{"momentum", "0.75"}, {"trust", "0.02"}, {NULL, NULL}};
    const setting lamb[] = {
        {"beta1", "0.5"}, {"beta2", "0.75"}, {"epsilon", "0.0009765625"}, {NULL, NULL}};
    golden_open(&g, "rules");
    read_beginning(&g, &b);
    compare(&g, &b, "lars.inside", options_of("lars", inside), 1);
    compare(&g, &b, "lars.outside", options_of("lars", outside), 1);
    compare(&g, &b, "lamb", options_of("lamb", lamb), 0.1);
    golden_close(&g);
}

/* lars without adaptation is momentum, in both of its forms; the rate changes meanwhile. */
static void plain_lars_is_momentum(void **state)
{
    (void)state;
    const cr_optim_span span = {0, SIZE, 1, true, false};
    const char *const forms[] = {"true", "false"};
    const double rates[] = {0.5, 0.125, 1};
    float w[2][2][SIZE]; /* form, rule */
    for (int form = 0; form < 2; form++)
        for (int rule = 0; rule < 2; rule++) {
            const setting settings[] = {{"momentum_correction", forms[form]}, {NULL, NULL}};
            cr_optim_options options = options_of(rule == 0 ? "lars" : "momentum", settings);
            cr_optim optim;
            double norm = 0;
            options.weight_decay = 0.1;
            ASSERT_OK(cr_optim_create(&optim, &options, SIZE, &span, 1));
            for (int i = 0; i < SIZE; i++)
                w[form][rule][i] = 1 + 0.125F * (float)i;
            for (int t = 0; t < 3; t++) {
                float g[SIZE];
                for (int i = 0; i < SIZE; i++)
                    g[i] = (float)(i - 8) * 0.25F + (float)t;
                ASSERT_OK(cr_optim_update(&optim, w[form][rule], g, rates[t], &norm));
            }
            cr_optim_free(&optim);
        }
    for (int i = 0; i < SIZE; i++) {
        ASSERT_NEAR((double)w[0][0][i], (double)w[0][1][i], ROUNDING);
        ASSERT_NEAR((double)w[1][0][i], (double)w[1][1][i], ROUNDING);
    }
    assert_true(fabs((double)w[0][0][0] - (double)w[1][0][0]) > 0.1);
}

/* Where all weights or the whole gradient are zero there is no quotient of norms: the plain rate.
 */
static void zeros_are_no_trouble(void **state)
{
    (void)state;
    const cr_optim_span span = {0, 4, 4, true, true};
    const char *const rules[] = {"lars", "lamb"};
    const setting none[] = {{NULL, NULL}};
    for (int r = 0; r < 2; r++) {
        const cr_optim_options options = options_of(rules[r], none);
        float w[4] = {0};
        float g[4] = {2, 2, 2, 2};
        double norm = 0;
        cr_optim optim;
        ASSERT_OK(cr_optim_create(&optim, &options, 4, &span, 1));
        ASSERT_OK(cr_optim_update(&optim, w, g, 0.25, &norm));
        for (int i = 0; i < 4; i++) /* lamb's direction is 1, but for epsilon */
            ASSERT_NEAR((double)w[i], r == 0 ? -0.5 : -0.25, 1e-6);
        cr_optim_free(&optim);
        ASSERT_OK(cr_optim_create(&optim, &options, 4, &span, 1));
        float still[4] = {1, 2, 3, 4};
        memset(g, 0, sizeof g);
        ASSERT_OK(cr_optim_update(&optim, still, g, 0.25, &norm));
        for (int i = 0; i < 4; i++)
            assert_true(still[i] == (float)(i + 1));
        cr_optim_free(&optim);
    }
}

static void broken_gradients_are_refused(void **state)
{
    (void)state;
    const float broken[] = {NAN, INFINITY};
    const char *const rules[] = {"lars", "lamb"};
    const setting none[] = {{NULL, NULL}};
    for (int r = 0; r < 4; r++) {
        const cr_optim_options options = options_of(rules[r / 2], none);
        float w[SIZE] = {1, 2, 3}, g[SIZE] = {0};
        double norm = 7;
        cr_optim optim;
        g[4] = broken[r % 2];
        ASSERT_OK(cr_optim_create(&optim, &options, SIZE, spans, 2));
        ASSERT_FAILS(cr_optim_update(&optim, w, g, 1.0, &norm), CR_DIVERGED,
                     "update 1: expected parameters and gradients of finite norm, found");
        assert_true(w[0] == 1 && w[4] == 0 && norm == 7 && optim.step == 0);
        cr_optim_free(&optim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_agree_with_numpy),
        cmocka_unit_test(plain_lars_is_momentum),
        cmocka_unit_test(zeros_are_no_trouble),
        cmocka_unit_test(broken_gradients_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
