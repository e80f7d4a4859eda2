/*
 * softmax_projection: in blocks what a dense layer, a bias and softmax_cross_entropy give in one
 * piece, that piece worked out in double but for the loss's own gradient.
 */
#include "values.h"

#include "colrow/net.h"

enum { STEPS = 30, SAMPLES = 20, ROWS = STEPS * SAMPLES, K = 7, V = 37 }; /* three blocks */

typedef struct subject {
    cr_layer layer;
    float w[K * V], b[V], x[ROWS * K];
    int labels[ROWS];
    float dx[ROWS * K], dw[K * V], db[V];
    cr_result result;
} subject;

/* Parameters lie in w, and behind it in b. */
static void set_up(subject *a, double smoothing)
{
    memset(a, 0, sizeof *a);
    a->layer = (cr_layer){.type = cr_layer_type_find("softmax_projection"),
                          .name = "it",
                          .plan = {.width = V, .smoothing = smoothing},
                          .in = {STEPS, 1, K}};
    ASSERT_OK(a->layer.type->shape(&a->layer));
    assert_int_equal(a->layer.parameters[0].count, K * V);
    a->layer.parameters[1].offset = offsetof(subject, b) / 4 - offsetof(subject, w) / 4;
    values_uniform(a->w, K * V, 1);
    values_uniform(a->b, V, 2);
    values_uniform(a->x, ROWS * K, 3);
    values_labels(a->labels, ROWS, V, 4);
}

static void run(subject *a, int samples, bool training, bool accumulate, double scale)
{
    cr_pass pass = {.parameters = a->w,
                    .training = training,
                    .labels = a->labels,
                    .scale = scale,
                    .result = &a->result};
    cr_contract contract = {.layer = &a->layer,
                            .engine = cr_engine_find("openblas"),
                            .samples = samples,
                            .k = K,
                            .live = V};
    contract.work = values_new((int64_t)a->layer.type->contraction->work(&contract), 1);
    cr_turn turn = {.contract = contract,
                    .pass = &pass,
                    .x = a->x,
                    .w = a->w,
                    .w_live = a->w,
                    .dx = a->dx,
                    .dp = {a->dw, a->db},
                    .accumulate = accumulate};
    a->layer.type->operation->forward(&turn);
    if (training)
        a->layer.type->operation->backward(&turn);
    CR_FREE(contract.work);
}

/* Loss and gradients in one piece. */
typedef struct twin {
    cr_result result;
    double dx[ROWS * K], dw[K * V], db[V];
} twin;

static void add_row(twin *t, const subject *a, int row, const float *dz)
{
    for (int v = 0; v < V; v++) {
        t->db[v] += dz[v];
        for (int i = 0; i < K; i++) {
            t->dx[row * K + i] += (double)dz[v] * a->w[i * V + v];
            t->dw[i * V + v] += (double)dz[v] * a->x[row * K + i];
        }
    }
}

static twin *twin_new(const subject *a, bool training, double scale)
{
    twin *t = values_new(1, sizeof *t);
    cr_layer loss = {.type = cr_layer_type_find("softmax_cross_entropy"),
                     .plan = {.smoothing = a->layer.plan.smoothing},
                     .in = {1, 1, V}};
    for (int row = 0; row < ROWS; row++) {
        float z[V], dz[V];
        for (int v = 0; v < V; v++) {
            double sum = a->b[v];
            for (int i = 0; i < K; i++)
                sum += (double)a->x[row * K + i] * a->w[i * V + v];
            z[v] = (float)sum;
        }
        loss.type->loss->run(&loss, &t->result, training ? dz : NULL, z, a->labels + row, 1, scale);
        if (training)
            add_row(t, a, row, dz);
    }
    return t;
}

static void check_result(const subject *a, const twin *t)
{
    ASSERT_NEAR(a->result.loss, t->result.loss, 1e-6 * t->result.loss);
    assert_int_equal(a->result.correct, t->result.correct);
    assert_int_equal(a->result.samples, ROWS);
}

static void blocks_are_one_piece(void **state)
{
    (void)state;
    for (int smooth = 0; smooth < 2; smooth++) {
        subject a;
        set_up(&a, 0.1 * smooth);
        values_poison(a.dx, ROWS * K);
        values_poison(a.dw, K * V);
        values_poison(a.db, V);
        run(&a, SAMPLES, true, false, 0.25);
        twin *t = twin_new(&a, true, 0.25);
        check_result(&a, t);
        assert_true(values_gap(a.dx, t->dx, ROWS * K) < 1e-6);
        assert_true(values_gap(a.dw, t->dw, K * V) < 1e-6);
        assert_true(values_gap(a.db, t->db, V) < 1e-6);
        CR_FREE(t);
    }
}

static void gradients_add_up(void **state)
{
    (void)state;
    subject a;
    set_up(&a, 0);
    run(&a, SAMPLES, true, false, 0.5);
    run(&a, SAMPLES, true, true, 0.25);
    twin *t = twin_new(&a, true, 0.75);
    assert_true(values_gap(a.dw, t->dw, K * V) < 1e-6);
    assert_true(values_gap(a.db, t->db, V) < 1e-6);
    CR_FREE(t);
}

/* A rank without a share: nothing is added, and what is to be replaced becomes zero. */
static void no_samples_give_zeros(void **state)
{
    (void)state;
    subject a;
    set_up(&a, 0);
    values_poison(a.dw, K * V);
    values_poison(a.db, V);
    run(&a, 0, true, false, 1);
    for (int i = 0; i < K * V; i++)
        assert_true(a.dw[i] == 0 && a.db[i % V] == 0);
    a.dw[3] = 1;
    a.db[2] = 2;
    run(&a, 0, true, true, 1);
    assert_true(a.dw[3] == 1 && a.db[2] == 2);
    assert_true(a.result.loss == 0 && a.result.samples == 0);
}

static void evaluations_are_the_loss_alone(void **state)
{
    (void)state;
    subject a;
    set_up(&a, 0.5); /* which training alone minds */
    run(&a, SAMPLES, false, false, 1);
    twin *t = twin_new(&a, false, 1);
    check_result(&a, t);
    CR_FREE(t);
}

/* Of equal logits the first is the largest. */
static void ties_go_to_the_first(void **state)
{
    (void)state;
    subject a;
    set_up(&a, 0);
    memset(a.w, 0, sizeof a.w);
    for (int v = 0; v < V; v++)
        a.b[v] = v == 5 || v == 9;
    for (int row = 0; row < ROWS; row++)
        a.labels[row] = row % 3 == 0 ? 5 : 9;
    run(&a, SAMPLES, false, false, 1);
    assert_int_equal(a.result.correct, ROWS / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_one_piece),  cmocka_unit_test(gradients_add_up),
        cmocka_unit_test(no_samples_give_zeros), cmocka_unit_test(evaluations_are_the_loss_alone),
        cmocka_unit_test(ties_go_to_the_first),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
