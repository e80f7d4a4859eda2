/* course: where an update stands when the batch changes between epochs, against counting on from
 * the first; and schedules that are none. */
#include "check.h"

#include "colrow/train.h"

enum { SAMPLES = 103, EPOCHS = 9 };

static cr_run_options grows(void)
{
    return (cr_run_options){.batch = 10, .batch_schedule = {3, {"2", "3", "7"}, {20, 103, 7}}};
}

static const int batches[EPOCHS] = {10, 10, 20, 103, 103, 103, 103, 7, 7};

static void places_follow_each_other(void **state)
{
    (void)state;
    const cr_run_options options = grows();
    int64_t step = 0;
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        assert_int_equal(cr_course_steps(&options, SAMPLES, epoch), step);
        int64_t first = step;
        for (int taken = 0; taken < SAMPLES; taken += batches[epoch], step++) {
            cr_place place = cr_course_place(&options, SAMPLES, step);
            assert_int_equal(place.epoch, epoch);
            assert_int_equal(place.step, step - first);
            assert_int_equal(place.step * place.batch, taken);
            assert_int_equal(place.batch, batches[epoch]);
        }
        cr_place last = cr_course_place(&options, SAMPLES, step - 1);
        assert_int_equal(last.per_epoch, step - first);
        double epochs = cr_place_epochs(&last);
        assert_true(epochs < epoch + 1 && epochs >= epoch);
    }
    assert_int_equal(cr_course_largest(&options), 103);
}

static void parts_of_epochs_are_rounded(void **state)
{
    (void)state;
    const cr_run_options options = grows();
    assert_int_equal(cr_course_steps(&options, SAMPLES, 0.5), 6); /* of 11: 5.5 */
    assert_int_equal(cr_course_steps(&options, SAMPLES, 2.5), 22 + 3);
    assert_int_equal(cr_course_steps(&options, SAMPLES, 3.25), 22 + 6);
    const cr_run_options constant = {.batch = 10};
    assert_int_equal(cr_course_steps(&constant, 100, 0.3), 3);
    assert_int_equal(cr_course_largest(&constant), 10);
}

static const char text[] = "network: {model: mlp, sizes: [64, 10]}\n"
                           "data: {kind: digits}\n"
                           "batch: 48\n"
                           "micro_batch: 16\n"
                           "epochs: 3\n"
                           "learning_rate: {base: 0.1}\n";

static void refuse(const char *override, const char *part)
{
    static cr_run_options options;
    cr_status status = cr_options_parse(&options, text, "test", &override, 1);
    if (status == CR_OK)
        status = cr_options_settle(&options, 2);
    ASSERT_FAILS(status, CR_BAD_CONFIG, part);
}

static void bad_schedules_are_refused(void **state)
{
    (void)state;
    static cr_run_options options;
    const char *good = "batch_schedule={1: 96, 2: 32}";
    ASSERT_OK(cr_options_parse(&options, text, "test", &good, 1));
    ASSERT_OK(cr_options_settle(&options, 2));
    refuse("batch_schedule={0: 96}",
           "expected whole epochs from 1 on before each batch, found `0`");
    refuse("batch_schedule={1.5: 96}", "found `1.5`");
    refuse("batch_schedule={30 steps: 96}", "found `30 steps`");
    refuse("batch_schedule={2: 96, 1: 192}", "found `1` after `2`");
    refuse("batch_schedule={1: 96.5}", "expected a whole number of samples, found 96.5");
    refuse("batch_schedule={1: 0}", "batch_schedule");
    refuse("batch_schedule={1: 100}", "expected multiples of micro_batch, 16, found 100");
    refuse("batch_schedule={1: 16}", "expected at least a micro-batch of 16 for each of 2 ranks");
}

/* Of 3 micro-batches, and 6 from epoch 1 on. */
static void micro_batches_of_a_rank(void **state)
{
    (void)state;
    static cr_run_options options;
    const char *grows = "batch_schedule={1: 96}";
    ASSERT_OK(cr_options_parse(&options, text, "test", NULL, 0));
    ASSERT_OK(cr_options_settle(&options, 2));
    assert_false(options.one_each);
    ASSERT_OK(cr_options_settle(&options, 3));
    assert_true(options.one_each);
    ASSERT_OK(cr_options_parse(&options, text, "test", &grows, 1));
    ASSERT_OK(cr_options_settle(&options, 3));
    assert_false(options.one_each);
}

static void texts_have_one_batch(void **state)
{
    (void)state;
    static cr_run_options options;
    const char *const overrides[] = {"data.kind=text", "batch_schedule={1: 96}"};
    ASSERT_OK(cr_options_parse(&options, text, "test", overrides, 2));
    ASSERT_FAILS(cr_options_settle(&options, 2), CR_BAD_CONFIG,
                 "batch_schedule: expected none with a text (data.kind: text)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_follow_each_other),  cmocka_unit_test(parts_of_epochs_are_rounded),
        cmocka_unit_test(bad_schedules_are_refused), cmocka_unit_test(micro_batches_of_a_rank),
        cmocka_unit_test(texts_have_one_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
