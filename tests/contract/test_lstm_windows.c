/*
 * lstm_windows: what the lstm model carries from window to window and under which names, and what
 * must not matter: how samples are cut into micro-batches, threads, a draw of all channels; what is
 * counted, and what is refused.
 */
#include "twin_lstm.h"

/* ---- windows and states ---------------------------------------------------------------------- */

/* A step from a state of its own; the gradient, dense. */
static float *gradient_from(cr_net *net, float *state, const lstm_batch *batch)
{
    cr_result result = {0};
    cr_net_begin(net, 7, &cr_net_alone);
    cr_net_set_state(net, state);
    ASSERT_OK(cr_net_forward(net, &result, batch->x, batch->labels, batch->rows, 0, 1));
    ASSERT_OK(cr_net_backward(net, true, NULL, NULL));
    return net_gradient(net);
}

static net_wish half(void)
{
    net_wish wish = lstm_whole;
    wish.ratio = 0.5;
    wish.dropout = 0.3;
    return wish;
}

static void no_state_is_one_of_zeros(void **state)
{
    (void)state;
    net_wish wish = half();
    float zeros[ROWS * STATE] = {0};
    cr_net *net = net_new(&wish);
    lstm_batch batch = lstm_batch_new(net, ROWS, STEPS, 5);
    float *with = gradient_from(net, zeros, &batch);
    float *without = gradient_from(net, NULL, &batch);
    assert_same_bits(without, with, net->parameter_count);
    CR_FREE(with);
    CR_FREE(without);
    lstm_batch_free(&batch);
    cr_net_free(&net);
}

static void state_has_names(void **state)
{
    (void)state;
    static const char *const names[] = {"c", "h"};
    cr_net *net = net_new(&lstm_whole);
    int64_t offset = 0;
    int i = 0;
    for (; cr_net_state_parts(net, i) != NULL; i++) {
        const cr_state_part *part = cr_net_state_parts(net, i);
        assert_string_equal(part->layer, i < 2 ? "lstm1.recurrent" : "lstm2.recurrent");
        assert_string_equal(part->name, names[i % 2]);
        assert_true(part->offset == offset && part->count == CELLS);
        offset += part->count;
    }
    assert_int_equal(i, 4);
    assert_int_equal(net->state_floats, offset);
    assert_int_equal(net->positions, STEPS);
    cr_net_free(&net);
}

/* ---- micro-batches, threads, ratios ------------------------------------------------------------
 */

/* Gradients of two micro-batches add up to those of one, an empty third adds nothing. */
static void micro_batches_add_up(void **state)
{
    (void)state;
    float carried[ROWS * STATE];
    cr_result result = {0};
    cr_net *net = net_new(&lstm_whole);
    lstm_batch batch = lstm_batch_new(net, ROWS, STEPS, 5);
    values_uniform(carried, ROWS * STATE, 6);
    float *one = gradient_from(net, carried, &batch);
    values_uniform(carried, ROWS * STATE, 6);
    cr_net_begin(net, 7, &cr_net_alone);
    for (int first = 0; first <= ROWS; first += 2) {
        int rows = ROWS - first < 2 ? ROWS - first : 2;
        rows = first >= 2 * 2 ? 0 : rows;
        cr_net_set_state(net, carried + first * STATE);
        ASSERT_OK(cr_net_forward(net, &result, batch.x + first * STEPS,
                                 batch.labels + first * STEPS, rows, (uint32_t)first, 1));
        ASSERT_OK(cr_net_backward(net, first == 0, NULL, NULL));
    }
    float *more = net_gradient(net);
    assert_int_equal(result.samples, ROWS * STEPS);
    assert_true(values_gap_float(more, one, net->parameter_count) < 1e-6);
    CR_FREE(one);
    CR_FREE(more);
    lstm_batch_free(&batch);
    cr_net_free(&net);
}

/* Large enough that threads share all that they can. */
static float *gradient_of_threads(int threads, int64_t *count)
{
    enum { WIDE_ROWS = 8 };
    net_wish wish = {.model = "lstm",
                     .input = {STEPS, 1, 1},
                     .classes = 600,
                     .options = "hidden=520 layers=1 unroll=4",
                     .dropout = 0.5,
                     .ratio = 0.5,
                     .rows = WIDE_ROWS};
    cr_engine_set_threads(threads);
    cr_net *net = net_new(&wish);
    lstm_batch batch = lstm_batch_new(net, WIDE_ROWS, STEPS, 5);
    float *state = values_new(WIDE_ROWS * net->state_floats, sizeof(float));
    values_uniform(state, WIDE_ROWS * net->state_floats, 6);
    float *dense = gradient_from(net, state, &batch);
    *count = net->parameter_count;
    CR_FREE(state);
    lstm_batch_free(&batch);
    cr_net_free(&net);
    cr_engine_set_threads(1);
    return dense;
}

static void threads_do_not_change_the_bits(void **state)
{
    (void)state;
    int64_t count = 0;
    float *one = gradient_of_threads(1, &count);
    for (int threads = 2; threads <= 3; threads++) {
        float *more = gradient_of_threads(threads, &count);
        assert_same_bits(more, one, count);
        CR_FREE(more);
    }
    CR_FREE(one);
}

/* k = n by the minimum: the draw is asked for all, which is the exact operation. */
static void all_kept_is_exact(void **state)
{
    (void)state;
    cr_net_plan plan = net_plan(&lstm_whole);
    cr_net *exact = net_of(&plan);
    plan.sampling.ratio = 0.5;
    plan.sampling.minimum = CELLS;
    cr_net *all = net_of(&plan);
    lstm_batch batch = lstm_batch_new(exact, ROWS, STEPS, 5);
    float *expected = gradient_from(exact, NULL, &batch);
    float *found = gradient_from(all, NULL, &batch);
    assert_same_bits(found, expected, exact->parameter_count);
    CR_FREE(expected);
    CR_FREE(found);
    lstm_batch_free(&batch);
    cr_net_free(&exact);
    cr_net_free(&all);
}

/* The paper's count for W2 at 50% of 2 x 650 cells and 10,000 words: a reduction of 0.245. */
static void the_projection_halved_saves_a_quarter(void **state)
{
    (void)state;
    net_wish wish = {.model = "lstm",
                     .input = {2, 1, 1},
                     .classes = 10000,
                     .options = "unroll=2",
                     .exact = {"lstm*"},
                     .ratio = 0.5,
                     .rows = 1};
    cr_net *net = net_new(&wish);
    lstm_batch batch = lstm_batch_new(net, 1, 2, 5);
    float *dense = gradient_from(net, NULL, &batch);
    cr_macs counted = cr_net_counted(net);
    assert_true(counted.exact == 3 * 2 * 13260000LL);
    ASSERT_NEAR(cr_macs_reduction_paper(&counted), 0.245, 0.0002);
    ASSERT_NEAR(cr_macs_reduction_executed(&counted), 0.245, 0.0002);
    CR_FREE(dense);
    lstm_batch_free(&batch);
    cr_net_free(&net);
}

/* ---- what does not fit ----------------------------------------------------------------------- */

static void a_second_sampling_is_refused(void **state)
{
    (void)state;
    cr_net *net = NULL;
    net_wish wish = lstm_whole;
    wish.backward.method = "crs";
    wish.backward.draw = "top";
    wish.backward.ratio = 0.5;
    cr_net_plan plan = net_plan(&wish);
    ASSERT_FAILS(cr_net_create(&net, &plan), CR_BAD_CONFIG, "no second sampling");
}

static void a_window_of_other_steps_is_refused(void **state)
{
    (void)state;
    cr_net *net = NULL;
    cr_net_plan plan = net_plan(&lstm_whole);
    plan.input = (cr_shape){STEPS + 1, 1, 1};
    ASSERT_FAILS(cr_net_create(&net, &plan), CR_BAD_CONFIG, "4 values a sample, found 5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_state_is_one_of_zeros),
        cmocka_unit_test(state_has_names),
        cmocka_unit_test(micro_batches_add_up),
        cmocka_unit_test(threads_do_not_change_the_bits),
        cmocka_unit_test(all_kept_is_exact),
        cmocka_unit_test(the_projection_halved_saves_a_quarter),
        cmocka_unit_test(a_second_sampling_is_refused),
        cmocka_unit_test(a_window_of_other_steps_is_refused),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
