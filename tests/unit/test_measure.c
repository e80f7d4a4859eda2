/* measure: accuracy of images, perplexity of texts. */
#include "check.h"

#include "colrow/train.h"

#include <math.h>

static void images_are_judged_by_accuracy(void **state)
{
    (void)state;
    const cr_measure *measure = cr_measure_for("digits");
    cr_result result = {.loss = 20, .correct = 3, .samples = 4};
    assert_string_equal(measure->name, "accuracy");
    assert_false(measure->less || measure->of_loss);
    assert_true(cr_measure_of(measure, &result) == 0.75);
    assert_true(isnan(cr_measure_of(measure, &(cr_result){0})));
    assert_ptr_equal(cr_measure_for("nothing"), measure);
}

static void texts_are_judged_by_perplexity(void **state)
{
    (void)state;
    const cr_measure *measure = cr_measure_for("text");
    cr_result result = {.loss = 8 * log(100), .correct = 3, .samples = 8};
    assert_string_equal(measure->name, "perplexity");
    assert_true(measure->less && measure->of_loss);
    ASSERT_NEAR(cr_measure_of(measure, &result), 100, 1e-12);
    assert_true(isnan(cr_measure_of(measure, &(cr_result){0})));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_are_judged_by_accuracy),
        cmocka_unit_test(texts_are_judged_by_perplexity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
