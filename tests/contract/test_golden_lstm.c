/*
 * golden_lstm: 5 windows of carried state with momentum and weight decay on the lstm model, exact,
 * with the projection sampled, and with all contractions sampled, against what PyTorch found in
 * float64 (tests/golden: nets.py, make_lstm.py): the same picks; losses, gradients, the state in
 * the end and how far the weights have moved to 1e-4, norm-wise.
 */
#include "golden_nets.h"

enum { WINDOWS = 5, BATCH = 4, UNROLL = 6, VOCABULARY = 40 };

static const double WEIGHT_DECAY = 0.01;
static const double RATE = 0.02;

static const net_wish wishes[] = {
    {.ratio = 1},
    {.ratio = 0.5, .exact = {"lstm*"}},
    {.ratio = 0.5},
};

enum { WISHES = sizeof wishes / sizeof *wishes };

static int token(int i, int window, int a, int b)
{
    i += 1000 * window;
    return (a * i * i + b * i) % 10007 % VOCABULARY;
}

static double run_window(cr_net *net, float *state, int window)
{
    float x[BATCH * UNROLL];
    int labels[BATCH * UNROLL];
    cr_result result = {0};
    for (int i = 0; i < BATCH * UNROLL; i++) {
        x[i] = (float)token(i, window, 31, 17);
        labels[i] = token(i, window, 7, 5);
    }
    cr_net_begin(net, (uint32_t)window, &cr_net_alone);
    cr_net_set_state(net, state);
    ASSERT_OK(cr_net_forward(net, &result, x, labels, BATCH, 0, 1.0 / BATCH));
    ASSERT_OK(cr_net_backward(net, true, NULL, NULL));
    return result.loss / BATCH;
}

static void compare_run(golden *g, net_wish wish, const char *engine)
{
    updater u;
    wish.model = "lstm";
    wish.options = "hidden=24 layers=2 unroll=6";
    wish.input = (cr_shape){UNROLL, 1, 1};
    wish.classes = VOCABULARY;
    wish.rows = BATCH;
    wish.engine = engine;
    cr_net *net = net_new(&wish);
    golden_set_parameters(net);
    float *start = values_new(net->parameter_count, sizeof(float));
    float *state = values_new(BATCH * net->state_floats, sizeof(float));
    memcpy(start, net->parameters, (size_t)net->parameter_count * sizeof(float));
    updater_start(&u, net, "momentum");
    u.optim.options.weight_decay = WEIGHT_DECAY;
    for (int window = 0; window < WINDOWS; window++) {
        golden_step(g, net, run_window(net, state, window));
        updater_run(&u, RATE);
    }
    golden_moves(g, net, start);
    golden_values(g, "state", state, BATCH * net->state_floats);
    CR_FREE(start);
    CR_FREE(state);
    updater_free(&u);
    cr_net_free(&net);
}

static void lstm_is_pytorchs(void **state)
{
    (void)state;
    for (int e = 0; cr_engines[e] != NULL; e++) {
        golden g;
        golden_open(&g, "lstm");
        for (int w = 0; w < WISHES; w++)
            compare_run(&g, wishes[w], cr_engines[e]->name);
        golden_close(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lstm_is_pytorchs)};
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
