/*
 * golden: 5 steps of Adam on a small mlp, exact, with top-k column-row sampling, with a second
 * sampling inside the backward products, and with that of meProp, against what
 * PyTorch found in float64 (tests/golden/make_mlp.py, mlp.txt): the same picks; losses, gradients
 * and final weights to 1e-5, norm-wise for each parameter.
 */
#include "golden.h"
#include "updates.h"

enum { LAYERS = 3, PARAMETERS = 2 * LAYERS, STEPS = 5 };

static const double CLOSE = 1e-5;

/* What both kinds begin from. */
typedef struct beginning {
    net_wish wish;
    double rate, ratio;
    double start[PARAMETERS][GOLDEN_MOST];
    net_batch batch[STEPS];
} beginning;

static void read_batch(golden *g, net_batch *batch, int rows)
{
    batch->rows = rows;
    golden_next(g, "x");
    batch->x = values_new(g->count, sizeof(float));
    for (int i = 0; i < g->count; i++)
        batch->x[i] = (float)g->value[i];
    golden_next(g, "labels");
    assert_int_equal(g->count, rows);
    batch->labels = values_new(rows, sizeof(int));
    for (int i = 0; i < rows; i++)
        batch->labels[i] = (int)g->value[i];
}

static void read_beginning(golden *g, beginning *b)
{
    *b = (beginning){.wish.seed = 1};
    golden_next(g, "sizes");
    assert_int_equal(g->count, LAYERS + 1);
    b->wish.sizes.count = g->count;
    for (int i = 0; i < g->count; i++)
        b->wish.sizes.value[i] = (int)g->value[i];
    b->wish.rows = (int)golden_number(g, "batch");
    assert_int_equal(golden_number(g, "steps"), STEPS);
    b->rate = golden_number(g, "rate");
    b->ratio = golden_number(g, "ratio");
    for (int i = 0; i < PARAMETERS; i++) {
        golden_next(g, "start");
        memcpy(b->start[i], g->value, sizeof g->value);
    }
    for (int step = 0; step < STEPS; step++)
        read_batch(g, &b->batch[step], b->wish.rows);
}

/* ---- comparing ------------------------------------------------------------------------------- */

static void compare_array(golden *g, const char *name, const float *found, const cr_parameter *p,
                          int step)
{
    golden_next(g, name);
    assert_int_equal(g->count, p->count);
    double gap = values_gap(found + p->offset, g->value, p->count);
    if (!(gap <= CLOSE))
        fail_msg("%s of %s/%s after step %d is off by %.3g", name, p->layer, p->name, step, gap);
}

static void compare_pick(golden *g, const char *name, const cr_pick *pick)
{
    golden_next(g, name);
    assert_int_equal(g->count, pick->k);
    for (int j = 0; j < pick->k; j++) {
        assert_int_equal(g->value[j], pick->index[j]);
        assert_true(pick->scale[j] == 1);
    }
}

/* A way of training, and the names of its records. */
typedef struct kind {
    bool sampled;
    const char *method; /* of the backward products; NULL: none */
    const char *loss, *pick, *gradient, *final;
} kind;

#define KIND(sampled, method, name)                                                                \
    {                                                                                              \
        sampled, method, name ".loss", name ".pick", name ".gradient", name ".final"               \
    }

static const kind kinds[] = {
    KIND(false, NULL, "exact"),
    KIND(true, NULL, "sampled"),
    KIND(true, "crs", "backward"),
    KIND(false, "meprop", "meprop"),
};

static void compare_step(golden *g, const kind *names, updater *u, const beginning *b, int step)
{
    double loss = net_step(u->net, &b->batch[step], (uint32_t)step) / b->wish.rows;
    double expected = golden_number(g, names->loss);
    ASSERT_NEAR(loss, expected, CLOSE * expected);
    for (int s = 0; s < LAYERS; s++)
        compare_pick(g, names->pick, &u->net->segments[s].pick);
    float *dense = net_gradient(u->net);
    for (int i = 0; i < PARAMETERS; i++)
        compare_array(g, names->gradient, dense, cr_net_parameter(u->net, i), step);
    CR_FREE(dense);
    updater_run(u, b->rate);
}

static void compare_run(golden *g, const kind *names, const beginning *b, const char *engine)
{
    net_wish wish = b->wish;
    wish.ratio = names->sampled ? b->ratio : 1;
    wish.backward.method = names->method;
    wish.backward.ratio = names->method != NULL ? b->ratio : 1;
    wish.engine = engine;
    cr_net *net = net_new(&wish);
    for (int i = 0; i < PARAMETERS; i++) {
        const cr_parameter *p = cr_net_parameter(net, i);
        for (int64_t j = 0; j < p->count; j++)
            net->parameters[p->offset + j] = (float)b->start[i][j];
    }
    updater u;
    updater_start(&u, net, "adam");
    for (int step = 0; step < STEPS; step++)
        compare_step(g, names, &u, b, step);
    for (int i = 0; i < PARAMETERS; i++)
        compare_array(g, names->final, net->parameters, cr_net_parameter(net, i), STEPS - 1);
    updater_free(&u);
    cr_net_free(&net);
}

static void steps_are_pytorchs(void **state)
{
    (void)state;
    for (int e = 0; cr_engines[e] != NULL; e++) {
        golden g;
        static beginning b;
        golden_open(&g, "mlp");
        read_beginning(&g, &b);
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
            compare_run(&g, &kinds[i], &b, cr_engines[e]->name);
        for (int step = 0; step < STEPS; step++)
            net_batch_free(&b.batch[step]);
        golden_close(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(steps_are_pytorchs)};
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
