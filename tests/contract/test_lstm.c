/*
 * lstm: the language model against its twin in double (support/twin_lstm.h): the loss, the carried
 * state and every parameter's gradient, by central differences, over windows of carried state;
 * exact, with the projection sampled, the whole model, single gates; shorter windows, evaluations.
 */
#include "twin_lstm.h"

enum { ROWS = 3, STEPS = 4, CELLS = 6, CLASSES = 11, WINDOWS = 3, STATE = 2 * 2 * CELLS };

/* Norm-wise, for each parameter: 1e-4 is asked for. */
static const double DERIVATIVE = 1e-5;

static const net_wish whole = {.model = "lstm",
                               .input = {STEPS, 1, 1},
                               .classes = CLASSES,
                               .options = "hidden=6 layers=2 unroll=4 forget_bias=0.25",
                               .initializer = "xavier",
                               .rows = ROWS,
                               .seed = 3};

/* A net and the state of its samples, before and after a window, in both precisions. */
typedef struct subject {
    cr_net *net;
    lstm_twin twin;
    float state[ROWS * STATE];
    double begin[ROWS * STATE], end[ROWS * STATE];
} subject;

static void start(subject *a, const cr_net_plan *plan)
{
    memset(a, 0, sizeof *a);
    a->net = net_of(plan);
    assert_int_equal(a->net->state_floats, STATE);
    lstm_twin_start(&a->twin, a->net, STEPS, CELLS);
    a->twin.begin = a->begin;
}

static void finish(subject *a)
{
    lstm_twin_free(&a->twin);
    cr_net_free(&a->net);
}

/* One window as a step of its own; returns the loss. */
static double run_window(subject *a, const lstm_batch *batch, uint32_t step)
{
    cr_result result = {0};
    cr_net_begin(a->net, step, &cr_net_alone);
    cr_net_set_state(a->net, a->state);
    ASSERT_OK(cr_net_forward(a->net, &result, batch->x, batch->labels, batch->rows, 0, 1));
    ASSERT_OK(cr_net_backward(a->net, true, NULL, NULL));
    assert_int_equal(result.samples, batch->rows * a->net->positions);
    return result.loss;
}

static void check_gradients(subject *a)
{
    float *dense = net_gradient(a->net);
    for (int i = 0; cr_net_parameter(a->net, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(a->net, i);
        double *expected = values_new(p->count, sizeof(double));
        lstm_twin_gradient(&a->twin, expected, p);
        double gap = values_gap(dense + p->offset, expected, p->count);
        if (!(gap <= DERIVATIVE))
            fail_msg("%s/%s: the gradient is off by %.3g", p->layer, p->name, gap);
        CR_FREE(expected);
    }
    CR_FREE(dense);
}

/* Windows of carried state; the first begins with zeros. */
static void check_plan(const cr_net_plan *plan)
{
    subject a;
    start(&a, plan);
    for (uint32_t window = 0; window < WINDOWS; window++) {
        lstm_batch batch = lstm_batch_new(a.net, ROWS, STEPS, 2 * window);
        if (window > 0)
            net_poison(a.net);
        double loss = run_window(&a, &batch, window);
        a.twin.batch = &batch;
        a.twin.end = a.end;
        ASSERT_NEAR(loss, lstm_twin_loss(&a.twin), 1e-6 * loss);
        assert_true(values_gap(a.state, a.end, ROWS * STATE) <= 1e-6);
        a.twin.end = NULL;
        check_gradients(&a);
        memcpy(a.begin, a.end, sizeof a.begin);
        lstm_batch_free(&batch);
    }
    finish(&a);
}

static void exact_gradients_are_derivatives(void **state)
{
    (void)state;
    for (int e = 0; cr_engines[e] != NULL; e++) {
        for (int drop = 0; drop < 2; drop++) {
            net_wish wish = whole;
            wish.engine = cr_engines[e]->name;
            wish.dropout = drop == 1 ? 0.3 : 0;
            cr_net_plan plan = net_plan(&wish);
            check_plan(&plan);
        }
    }
}

/* Every draw, scaled where that has a closed form. */
static void sampled_gradients_are_derivatives(void **state)
{
    (void)state;
    for (int d = 0; cr_draws[d] != NULL; d++) {
        net_wish wish = whole;
        wish.draw = cr_draws[d]->name;
        wish.scale = cr_draws[d]->can_scale != NULL && cr_draws[d]->can_scale(false);
        wish.ratio = 0.5;
        wish.dropout = 0.3;
        cr_net_plan plan = net_plan(&wish);
        check_plan(&plan);
        net_word(plan.sampling.exact.value[plan.sampling.exact.count++], "lstm*");
        check_plan(&plan);
    }
}

static void set_layers(cr_net_plan *plan, const char *pattern, double ratio)
{
    cr_ratios *layers = &plan->sampling.layers;
    net_word(layers->name[layers->count], pattern);
    layers->value[layers->count++] = ratio;
}

static void a_pattern_samples_single_gates(void **state)
{
    (void)state;
    cr_net_plan plan = net_plan(&whole);
    set_layers(&plan, "lstm*.i", 0.5);
    check_plan(&plan);
    cr_net *net = net_of(&plan);
    for (int s = 0; s < net->segment_count; s++) {
        const cr_segment *segment = &net->segments[s];
        const char *name = net->layers[segment->consumer].name;
        bool is_gate = strcmp(name, "lstm1.i") == 0 || strcmp(name, "lstm2.i") == 0;
        assert_int_equal(segment->asked, is_gate ? CELLS / 2 : segment->n);
    }
    cr_net_free(&net);
}

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
    net_wish wish = whole;
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
    cr_net *net = net_new(&whole);
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

/* Values [rows, steps] of windows [rows, STEPS], from step `first` on. */
static lstm_batch piece_of(const lstm_batch *batch, int first, int steps)
{
    lstm_batch piece = {.rows = batch->rows};
    piece.x = values_new((int64_t)batch->rows * steps, sizeof(float));
    piece.labels = values_new((int64_t)batch->rows * steps, sizeof(int));
    for (int i = 0; i < batch->rows * steps; i++) {
        int from = i / steps * STEPS + first + i % steps;
        piece.x[i] = batch->x[from];
        piece.labels[i] = batch->labels[from];
    }
    return piece;
}

/* An evaluation is the twin's loss, in one window or in two shorter ones. */
static void shorter_windows_carry_on(void **state)
{
    (void)state;
    cr_net_plan plan = net_plan(&whole);
    subject a;
    start(&a, &plan);
    lstm_batch batch = lstm_batch_new(a.net, ROWS, STEPS, 5);
    a.twin.batch = &batch;
    a.twin.end = a.end;
    double loss = lstm_twin_loss(&a.twin);
    for (int cut = 0; cut < STEPS; cut++) { /* 0: one window */
        cr_result result = {0};
        memset(a.state, 0, sizeof a.state);
        cr_net_set_state(a.net, a.state);
        for (int first = 0; first < STEPS; first = first < cut ? cut : STEPS) {
            int steps = first < cut ? cut : STEPS - first;
            lstm_batch piece = piece_of(&batch, first, steps);
            cr_net_set_steps(a.net, steps);
            ASSERT_OK(cr_net_evaluate(a.net, &result, piece.x, piece.labels, ROWS));
            lstm_batch_free(&piece);
        }
        ASSERT_NEAR(result.loss, loss, 1e-6 * loss);
        assert_int_equal(result.samples, ROWS * STEPS);
        assert_true(values_gap(a.state, a.end, ROWS * STATE) <= 1e-6);
    }
    cr_net_set_steps(a.net, STEPS);
    assert_true(run_window(&a, &batch, 0) > 0);
    lstm_batch_free(&batch);
    finish(&a);
}

/* ---- micro-batches, threads, ratios ------------------------------------------------------------
 */

/* Gradients of two micro-batches add up to those of one, an empty third adds nothing. */
static void micro_batches_add_up(void **state)
{
    (void)state;
    float carried[ROWS * STATE];
    cr_result result = {0};
    cr_net *net = net_new(&whole);
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
    cr_net_plan plan = net_plan(&whole);
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
    net_wish wish = whole;
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
    cr_net_plan plan = net_plan(&whole);
    plan.input = (cr_shape){STEPS + 1, 1, 1};
    ASSERT_FAILS(cr_net_create(&net, &plan), CR_BAD_CONFIG, "4 values a sample, found 5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_gradients_are_derivatives),
        cmocka_unit_test(sampled_gradients_are_derivatives),
        cmocka_unit_test(a_pattern_samples_single_gates),
        cmocka_unit_test(no_state_is_one_of_zeros),
        cmocka_unit_test(state_has_names),
        cmocka_unit_test(shorter_windows_carry_on),
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
