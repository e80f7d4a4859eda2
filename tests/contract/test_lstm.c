/*
 * lstm: the language model against its twin in double (support/twin_lstm.h): the loss, the carried
 * state and every parameter's gradient, by central differences, over windows of carried state;
 * exact, with the projection sampled, the whole model, single gates; shorter windows,
 * evaluations.
 */
#include "twin_lstm.h"

enum { WINDOWS = 3 };

/* Norm-wise, for each parameter: 1e-4 is asked for. */
static const double DERIVATIVE = 1e-5;

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
        cr_net_remember(a.net, a.net->gradient, (int64_t)ROWS * STEPS);
        assert_true(a.net->knows == plan->remembers &&
                    a.net->ahead == (window > 0 && plan->sampling.lookahead));
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
            net_wish wish = lstm_whole;
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
        net_wish wish = lstm_whole;
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

/* Picks by the norms of the last window, which are known before a window begins. */
static void remembered_norms_pick_as_well(void **state)
{
    (void)state;
    for (int ahead = 0; ahead < 2; ahead++) {
        net_wish wish = lstm_whole;
        wish.ratio = 0.5;
        wish.dropout = 0.3;
        wish.remembers = true;
        wish.lookahead = ahead == 1;
        cr_net_plan plan = net_plan(&wish);
        check_plan(&plan);
    }
}

static void set_layers(cr_net_plan *plan, const char *pattern, double ratio)
{
    cr_sample_layers *layers = &plan->sampling.layers;
    layers->at[layers->names.count].ratio = ratio;
    net_word(layers->names.value[layers->names.count++], pattern);
}

static void a_pattern_samples_single_gates(void **state)
{
    (void)state;
    cr_net_plan plan = net_plan(&lstm_whole);
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
    cr_net_plan plan = net_plan(&lstm_whole);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_gradients_are_derivatives),
        cmocka_unit_test(sampled_gradients_are_derivatives),
        cmocka_unit_test(remembered_norms_pick_as_well),
        cmocka_unit_test(a_pattern_samples_single_gates),
        cmocka_unit_test(shorter_windows_carry_on),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
