/* softmax_cross_entropy: against the textbook formula in double, at the ends of the range, and what
 * it counts as correct. */
#include "values.h"

#include "colrow/net.h"

enum { ROWS = 40, C = 10 };

static void run_smoothed(cr_result *result, float *dx, const float *x, const int *labels, int rows,
                         int classes, double scale, double smoothing)
{
    cr_layer layer = {.type = cr_layer_type_find("softmax_cross_entropy"),
                      .plan = {.smoothing = smoothing},
                      .in = {1, 1, classes}};
    layer.type->loss->run(&layer, result, dx, x, labels, rows, scale);
}

static void run(cr_result *result, float *dx, const float *x, const int *labels, int rows,
                int classes, double scale)
{
    run_smoothed(result, dx, x, labels, rows, classes, scale, 0);
}

/* - sum_c q_c log p_c, the cross-entropy of the smoothed label and the softmax */
static double twin_loss(const double *x, int label, double smoothing)
{
    double sum = 0, loss = 0;
    for (int c = 0; c < C; c++)
        sum += exp(x[c]);
    for (int c = 0; c < C; c++) {
        double q = smoothing / C + (c == label ? 1 - smoothing : 0);
        loss -= q * (x[c] - log(sum));
    }
    return loss;
}

/* Row `row` of x in double. */
static void widen(double *out, const float *x, int row)
{
    for (int c = 0; c < C; c++)
        out[c] = x[row * C + c];
}

/* Loss in double: a few roundings. Gradients against central differences of the twin, step 1e-5:
 * truncation below step^2, and rounding to float, 2^-24 of values below 0.5. */
static void compare_to_textbook(double smoothing)
{
    float x[ROWS * C], dx[ROWS * C];
    int labels[ROWS];
    double expected = 0;
    cr_result result = {0};
    values_uniform(x, ROWS * C, 1);
    for (int i = 0; i < ROWS * C; i++)
        x[i] *= 4;
    values_labels(labels, ROWS, C, 2);
    run_smoothed(&result, dx, x, labels, ROWS, C, 0.5, smoothing);
    for (int r = 0; r < ROWS; r++) {
        double row[C], total = 0;
        widen(row, x, r);
        expected += twin_loss(row, labels[r], smoothing);
        for (int c = 0; c < C; c++) {
            double at = row[c];
            row[c] = at + 1e-5;
            double above = twin_loss(row, labels[r], smoothing);
            row[c] = at - 1e-5;
            double below = twin_loss(row, labels[r], smoothing);
            row[c] = at;
            ASSERT_NEAR(dx[r * C + c], 0.5 * (above - below) / 2e-5, 5e-8);
            total += dx[r * C + c];
        }
        ASSERT_NEAR(total, 0, C * 3e-8); /* each rounded to float once */
    }
    ASSERT_NEAR(result.loss, expected, 1e-12 * expected);
    assert_int_equal(result.samples, ROWS);
}

static void loss_and_gradient_are_the_textbooks(void **state)
{
    (void)state;
    compare_to_textbook(0);
}

static void labels_are_smoothed(void **state)
{
    (void)state;
    compare_to_textbook(0.1);
    compare_to_textbook(0.9);
}

static void evaluations_are_not_smoothed(void **state)
{
    (void)state;
    const float x[] = {1, 2};
    const int label = 1;
    float dx[2];
    cr_result plain = {0}, evaluated = {0}, trained = {0};
    run(&plain, NULL, x, &label, 1, 2, 1);
    run_smoothed(&evaluated, NULL, x, &label, 1, 2, 1, 0.5);
    run_smoothed(&trained, dx, x, &label, 1, 2, 1, 0.5);
    assert_true(evaluated.loss == plain.loss && evaluated.correct == plain.correct);
    ASSERT_NEAR(trained.loss, plain.loss + 0.25, 1e-12); /* a quarter of 2 - 1 */
}

static void extreme_logits_stay_finite(void **state)
{
    (void)state;
    const float x[] = {1e4F, -1e4F, 0, -1e4F, 1e4F, 0, 1e4F, 1e4F, -1e4F};
    const int labels[] = {0, 0, 1};
    float dx[9];
    cr_result result = {0};
    run(&result, dx, x, labels, 3, 3, 1);
    ASSERT_NEAR(result.loss, 0 + 2e4 + log(2), 1e-9);
    const double expected[] = {0, 0, 0, -1, 1, 0, 0.5, -0.5, 0};
    for (int i = 0; i < 9; i++)
        ASSERT_NEAR(dx[i], expected[i], 1e-30);
    assert_int_equal(result.correct, 1); /* the tie of the last row goes to class 0 */
}

static void results_add_up_and_gradients_are_optional(void **state)
{
    (void)state;
    const float x[] = {1, 2, 3, 2};
    const int labels[] = {1, 1};
    cr_result once = {0}, twice = {.loss = 5, .correct = 7, .samples = 9};
    run(&once, NULL, x, labels, 2, 2, 1);
    run(&twice, NULL, x, labels, 2, 2, 1);
    ASSERT_NEAR(twice.loss, 5 + once.loss, 1e-12);
    assert_int_equal(once.correct, 1);
    assert_int_equal(twice.correct, 8);
    assert_int_equal(twice.samples, 11);
    run(&once, NULL, x, labels, 0, 2, 1);
    assert_int_equal(once.samples, 2);
}

static void a_nan_is_noticed(void **state)
{
    (void)state;
    for (int at = 0; at < 3; at++) {
        float x[] = {1, 2, 3};
        cr_result result = {0};
        x[at] = NAN;
        run(&result, NULL, x, &(int){1}, 1, 3, 1);
        assert_true(isnan(result.loss));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_and_gradient_are_the_textbooks),
        cmocka_unit_test(labels_are_smoothed),
        cmocka_unit_test(evaluations_are_not_smoothed),
        cmocka_unit_test(extreme_logits_stay_finite),
        cmocka_unit_test(results_add_up_and_gradients_are_optional),
        cmocka_unit_test(a_nan_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
