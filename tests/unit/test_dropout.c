/* dropout: how much is dropped, what keys it, and that it does nothing when evaluating. Its
 * derivative and compact form: contract/test_layers.c. */
#include "values.h"

#include "colrow/net.h"

static const cr_pass training = {.seed = 5, .step = 2, .first_sample = 40, .training = true};

enum { MANY = 256 * 200 };

/* The mask of a pass over ones. */
static void dropout_mask(float *y, cr_pass pass, int index, int first_row, int rows)
{
    cr_layer layer = {.type = cr_layer_type_find("dropout"),
                      .name = "it",
                      .index = index,
                      .in = {1, 1, 200},
                      .plan = {.rate = 0.3}};
    cr_tile tile = {first_row, rows, 200, NULL, 256};
    for (int i = 0; i < rows * 200; i++)
        y[i] = 1;
    layer.type->channelwise->forward(&layer, &pass, y, &tile);
}

/* Standard errors over 51200 values: 0.0020 of the share, sqrt(0.3 / 0.7 / 51200) of the mean. */
static void dropout_drops_its_share_and_keeps_the_mean(void **state)
{
    (void)state;
    static float y[MANY];
    double mean = 0, dropped = 0;
    dropout_mask(y, training, 3, 0, 256);
    for (int i = 0; i < MANY; i++) {
        assert_true(y[i] == 0 || fabs(y[i] - 1 / 0.7) < 1e-6);
        mean += y[i] / (double)MANY;
        dropped += (y[i] == 0) / (double)MANY;
    }
    ASSERT_NEAR(dropped, 0.3, 4 * 0.0020);
    ASSERT_NEAR(mean, 1.0, 4 * 0.0029);
}

/* Two independent masks agree on 0.3^2 + 0.7^2 = 0.58 of the values. */
static void assert_unlike(const float *a, const float *b)
{
    double same = 0;
    for (int i = 0; i < MANY; i++)
        same += (a[i] == b[i]) / (double)MANY;
    ASSERT_NEAR(same, 0.58, 4 * 0.0022);
}

static void dropout_is_keyed_by_seed_step_layer_and_sample(void **state)
{
    (void)state;
    static float y[MANY], other[MANY];
    cr_pass pass = training;
    dropout_mask(y, pass, 3, 0, 256);
    dropout_mask(other, pass, 4, 0, 256);
    assert_unlike(y, other);
    cr_pass changed = pass;
    changed.seed++;
    dropout_mask(other, changed, 3, 0, 256);
    assert_unlike(y, other);
    changed = pass;
    changed.step++;
    dropout_mask(other, changed, 3, 0, 256);
    assert_unlike(y, other);
    changed = pass;
    changed.first_sample++; /* the same samples, one row further on */
    dropout_mask(other, changed, 3, 0, 255);
    assert_same_bits(other, y + 200, 255 * 200);
    dropout_mask(other, pass, 3, 100, 50); /* a tile of them */
    assert_same_bits(other, y + 100 * 200, 50 * 200);
}

enum { WIDE = 1031, POSITIONS = 2 }; /* more channels than are masked at a time, no whole blocks */

/* Is a value dropped? Number `at` of the sample's, by its definition. */
static bool is_dropped(uint32_t at, uint32_t sample)
{
    const cr_random_key key = {training.seed, CR_STREAM_DROPOUT, 3, training.step,
                               training.first_sample + sample};
    uint32_t block[4];
    cr_random_block(block, &key, at / 4);
    return cr_random_unit(block[at % 4]) < 0.3F;
}

/* All channels, then every third. */
static void dropout_is_a_function_of_the_place(void **state)
{
    (void)state;
    static float y[2 * POSITIONS * WIDE];
    static int thirds[WIDE];
    cr_layer layer = {.type = cr_layer_type_find("dropout"),
                      .index = 3,
                      .in = {POSITIONS, 1, WIDE},
                      .plan = {.rate = 0.3}};
    for (int i = 0; i < WIDE; i++)
        thirds[i] = 3 * i;
    for (int step = 1; step <= 3; step += 2) {
        int k = (WIDE + step - 1) / step;
        cr_tile tile = {0, 2 * POSITIONS, k, step == 1 ? NULL : thirds, 2 * POSITIONS};
        for (int i = 0; i < tile.rows * k; i++)
            y[i] = 1;
        layer.type->channelwise->forward(&layer, &training, y, &tile);
        for (int i = 0; i < tile.rows * k; i++) {
            int row = i / k;
            uint32_t at = (uint32_t)(row % POSITIONS * WIDE + i % k * step);
            assert_int_equal(y[i] == 0, is_dropped(at, (uint32_t)(row / POSITIONS)));
        }
    }
}

static void dropout_does_nothing_when_evaluating(void **state)
{
    (void)state;
    static float y[MANY];
    cr_pass pass = training;
    pass.training = false;
    dropout_mask(y, pass, 3, 0, 256);
    for (int i = 0; i < MANY; i++)
        assert_true(y[i] == 1);
}

static void dropout_of_everything_is_refused(void **state)
{
    (void)state;
    cr_layer layer = {.type = cr_layer_type_find("dropout"), .name = "it", .in = {1, 1, 4}};
    layer.plan.rate = 1;
    ASSERT_FAILS(layer.type->shape(&layer), CR_BAD_CONFIG, "layer it: expected a dropout rate");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dropout_drops_its_share_and_keeps_the_mean),
        cmocka_unit_test(dropout_is_keyed_by_seed_step_layer_and_sample),
        cmocka_unit_test(dropout_is_a_function_of_the_place),
        cmocka_unit_test(dropout_does_nothing_when_evaluating),
        cmocka_unit_test(dropout_of_everything_is_refused),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
