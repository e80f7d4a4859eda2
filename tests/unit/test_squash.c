/*
 * squash: exp, sigmoid and tanh against the C library's in double, at steps fine enough to meet
 * every way in which they round; the errors that squash.h states.
 */
#include "check.h"

#include "../../src/net/squash.h"

#include <math.h>

enum { POINTS = 2000000 };

static double point(int i, double limit)
{
    return (float)(limit * (2.0 * i / POINTS - 1));
}

static void exp_is_exp(void **state)
{
    (void)state;
    double worst = 0;
    for (int i = 0; i <= POINTS; i++) {
        double x = point(i, 87);
        worst = fmax(worst, fabs(cr_exp((float)x) / exp(x) - 1));
    }
    assert_true(worst < 0x1p-22);
    assert_true(cr_exp(0) == 1);
    assert_true(cr_exp(-1e30F) >= 0 && cr_exp(-1e30F) < 0x1p-125F);
    assert_true(cr_exp(1e30F) > 0x1p126F && isfinite(cr_exp(1e30F)));
}

static void sigmoid_is_sigmoid(void **state)
{
    (void)state;
    double worst = 0;
    for (int i = 0; i <= POINTS; i++) {
        double x = point(i, 30);
        worst = fmax(worst, fabs(cr_sigmoid((float)x) - 1 / (1 + exp(-x))));
    }
    assert_true(worst < 0x1p-23);
    assert_true(cr_sigmoid(-INFINITY) < 1e-37F && cr_sigmoid(INFINITY) == 1);
}

static void tanh_is_tanh(void **state)
{
    (void)state;
    double worst = 0, relative = 0;
    for (int i = 0; i <= POINTS; i++) {
        double x = point(i, 10);
        double off = fabs(cr_tanh((float)x) - tanh(x));
        worst = fmax(worst, off);
        relative = x != 0 ? fmax(relative, off / fabs(tanh(x))) : relative;
    }
    assert_true(worst < 0x1p-22);
    assert_true(relative < 0x1p-20);
    assert_true(cr_tanh(-INFINITY) == -1 && cr_tanh(INFINITY) == 1);
    assert_true(cr_tanh(0) == 0);
}

static void what_is_no_number_stays_none(void **state)
{
    (void)state;
    assert_true(isnan(cr_exp(NAN)) && isnan(cr_sigmoid(NAN)) && isnan(cr_tanh(NAN)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_exp),
        cmocka_unit_test(sigmoid_is_sigmoid),
        cmocka_unit_test(tanh_is_tanh),
        cmocka_unit_test(what_is_no_number_stays_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
