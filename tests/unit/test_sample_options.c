/* sample_options: what a user may ask for, layer by layer, and what is refused. */
#include "check.h"
#include "options.h"

#include "colrow/sample.h"

static void count_is_rounded_down_within_bounds(void **state)
{
    (void)state;
    assert_int_equal(cr_sample_count(0.3, 1, 10), 3);
    assert_int_equal(cr_sample_count(0.4, 1, 784), 313);
    assert_int_equal(cr_sample_count(0.4, 1, 500), 200);
    assert_int_equal(cr_sample_count(0.999, 1, 10), 9);
    assert_int_equal(cr_sample_count(1.0, 1, 10), 10);
    assert_int_equal(cr_sample_count(0.01, 1, 10), 1);
    assert_int_equal(cr_sample_count(0.1, 10, 50), 10);
    assert_int_equal(cr_sample_count(0.1, 10, 6), 6);
    for (int n = 1; n <= 200; n++) /* i / n of n is i, however it rounds */
        for (int i = 1; i <= n; i++)
            assert_int_equal(cr_sample_count((double)i / n, 1, n), i);
}

static void ratio_goes_by_layer_name(void **state)
{
    (void)state;
    cr_sample_options options = {.ratio = 0.5,
                                 .exact = {2, {"conv1", "last*"}},
                                 .layers = {{3, {"conv?", "group3.*", "*"}},
                                            {{.ratio = 0.2}, {.ratio = 0.3}, {.ratio = 0.4}}}};
    assert_true(cr_sample_ratio(&options, "conv1") == 1.0); /* exact comes first */
    assert_true(cr_sample_ratio(&options, "last.dense") == 1.0);
    assert_true(cr_sample_ratio(&options, "conv2") == 0.2);
    assert_true(cr_sample_ratio(&options, "group3.block0.conv1") == 0.3);
    assert_true(cr_sample_ratio(&options, "conv22") == 0.4);
    options.layers.names.count = 2;
    assert_true(cr_sample_ratio(&options, "conv22") == 0.5);
}

/* What a layer does not have of its own is as with the others; the first pattern has all the say.
 */
static void a_layer_may_have_its_own_way(void **state)
{
    (void)state;
    cr_sample_options options = {.draw = "bernoulli",
                                 .scores = "norm",
                                 .scale = true,
                                 .ratio = 0.5,
                                 .minimum = 3,
                                 .layers = {{4, {"fc1", "fc2", "*2", "last"}},
                                            {{.draw = "top", .scale = "false", .minimum = 7},
                                             {.ratio = 0.2, .scores = "uniform"},
                                             {.ratio = 0.3, .draw = "replacement"},
                                             {.draw = "no_replacement"}}}};
    const struct {
        const char *name, *draw, *scores;
        bool scale;
        int minimum;
        double ratio;
    } rows[] = {
        {"fc0", "bernoulli", "norm", true, 3, 0.5},
        {"fc1", "top", "norm", false, 7, 0.5},
        {"fc2", "bernoulli", "uniform", true, 3, 0.2},
        {"conv2", "replacement", "norm", true, 3, 0.3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_sample_way way = cr_sample_way_of(&options, rows[i].name);
        assert_string_equal(way.draw->name, rows[i].draw);
        assert_string_equal(way.score->name, rows[i].scores);
        assert_int_equal(way.scale, rows[i].scale);
        assert_int_equal(way.minimum, rows[i].minimum);
        assert_true(cr_sample_ratio(&options, rows[i].name) == rows[i].ratio);
    }
    ASSERT_FAILS(cr_sample_check(&options), CR_BAD_CONFIG,
                 "sampling.layers.last.scale: expected false, as draw 'no_replacement'");
    options.layers.names.count = 3;
    ASSERT_OK(cr_sample_check(&options));
    (void)snprintf(options.layers.at[1].draw, CR_WORD_MAX, "tpo");
    ASSERT_FAILS(cr_sample_check(&options), CR_BAD_CONFIG,
                 "sampling.layers.fc2.draw: expected the name of a draw, found 'tpo'");
}

static void scores_from_inputs_are_found(void **state)
{
    (void)state;
    cr_sample_options options = {
        .draw = "top", .scores = "uniform", .layers = {{1, {"fc1"}}, {{.scores = "weight_norm"}}}};
    assert_null(cr_sample_from_inputs(&options));
    (void)snprintf(options.layers.at[0].scores, CR_WORD_MAX, "norm");
    assert_string_equal(cr_sample_from_inputs(&options)->name, "norm");
    (void)snprintf(options.scores, CR_WORD_MAX, "norm");
    options.layers.names.count = 0;
    assert_string_equal(cr_sample_from_inputs(&options)->name, "norm");
}

/* With a schedule, a ratio of 1 is exact training, also where a layer has its own. */
static void a_scheduled_one_is_exact(void **state)
{
    (void)state;
    cr_sample_options options = {.ratio = 0.5, .layers = {{1, {"conv?"}}, {{.ratio = 0.2}}}};
    options.schedule = (cr_ratios){2, {"1", "2"}, {0.5, 1}};
    assert_true(cr_sample_ratio(&options, "conv2") == 0.2);
    assert_true(cr_sample_ratio(&options, "fc") == 0.5);
    options.ratio = 1;
    assert_true(cr_sample_ratio(&options, "conv2") == 1);
    options.schedule.count = 0;
    assert_true(cr_sample_ratio(&options, "conv2") == 0.2);
}

static void the_backward_ratio_knows_exact_layers(void **state)
{
    (void)state;
    cr_sample_options options = {.ratio = 0.5, .exact = {1, {"fc*"}}, .backward.ratio = 0.1};
    assert_true(cr_sample_backward_ratio(&options, "conv1") == 0.1);
    assert_true(cr_sample_backward_ratio(&options, "fc2") == 1);
    options.backward.ratio = 0; /* unset */
    assert_true(cr_sample_backward_ratio(&options, "conv1") == 1);
}

static cr_status check_with(const char *draw, const char *scores, bool scale)
{
    cr_sample_options options = {.scale = scale, .ratio = 0.5, .minimum = 1};
    (void)snprintf(options.draw, CR_WORD_MAX, "%s", draw);
    (void)snprintf(options.scores, CR_WORD_MAX, "%s", scores);
    return cr_sample_check(&options);
}

static void only_closed_forms_are_scaled(void **state)
{
    (void)state;
    ASSERT_OK(check_with("top", "norm", false));
    ASSERT_OK(check_with("replacement", "norm", true));
    ASSERT_OK(check_with("replacement", "uniform", true));
    ASSERT_OK(check_with("no_replacement", "norm", false));
    ASSERT_OK(check_with("no_replacement", "uniform", true));
    ASSERT_FAILS(check_with("top", "norm", true), CR_BAD_CONFIG, "'top' with scores 'norm'");
    ASSERT_FAILS(check_with("top", "uniform", true), CR_BAD_CONFIG, "sampling.scale");
    ASSERT_FAILS(check_with("no_replacement", "norm", true), CR_BAD_CONFIG, "sampling.scale");
    ASSERT_FAILS(check_with("no_replacement", "weight_norm", true), CR_BAD_CONFIG, "weight_norm");
    ASSERT_FAILS(check_with("tpo", "norm", false), CR_BAD_CONFIG, "found 'tpo'");
    ASSERT_FAILS(check_with("top", "norms", false), CR_BAD_CONFIG, "found 'norms'");
}

static void bad_schedules_are_named(void **state)
{
    (void)state;
    cr_sample_options options = {.draw = "top", .scores = "norm", .ratio = 1, .minimum = 1};
    options.schedule = (cr_ratios){2, {"3", "1"}, {0.5, 1}};
    ASSERT_FAILS(cr_sample_check(&options), CR_BAD_CONFIG, "sampling.schedule: ");
    options.schedule.count = 1;
    ASSERT_OK(cr_sample_check(&options));
    options.backward.schedule = (cr_ratios){1, {"soon"}, {0.5}};
    ASSERT_FAILS(cr_sample_check(&options), CR_BAD_CONFIG, "sampling.backward.schedule: ");
}

static void defaults_are_exact_training(void **state)
{
    (void)state;
    cr_sample_options options = {0};
    options_default(cr_sample_option_table, &options);
    ASSERT_OK(cr_sample_check(&options));
    assert_string_equal(options.draw, "top");
    assert_string_equal(options.scores, "norm");
    assert_false(options.scale);
    assert_int_equal(options.minimum, 1);
    assert_true(cr_sample_ratio(&options, "any") == 1.0);
    options_default(cr_backward_option_table, &options.backward);
    ASSERT_OK(cr_sample_check(&options));
    assert_true(cr_sample_backward_ratio(&options, "any") == 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(count_is_rounded_down_within_bounds),
        cmocka_unit_test(ratio_goes_by_layer_name),
        cmocka_unit_test(a_layer_may_have_its_own_way),
        cmocka_unit_test(scores_from_inputs_are_found),
        cmocka_unit_test(a_scheduled_one_is_exact),
        cmocka_unit_test(the_backward_ratio_knows_exact_layers),
        cmocka_unit_test(only_closed_forms_are_scaled),
        cmocka_unit_test(bad_schedules_are_named),
        cmocka_unit_test(defaults_are_exact_training),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
