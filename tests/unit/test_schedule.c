/* schedule: ratios by epoch and by step, their range, and times that are none. */
#include "check.h"

#include "colrow/sample.h"

static const cr_ratios epochs = {3, {"0.5", "2", "12"}, {0.7, 0.4, 1}};
static const cr_ratios steps = {2, {"0 steps", "30 steps"}, {0.25, 0.5}};

/* With 10 steps an epoch. */
static double ratio_at(const cr_ratios *schedule, double ratio, int64_t step)
{
    return cr_schedule_ratio(schedule, ratio, step, (double)step / 10);
}

static void ratios_hold_from_their_time_on(void **state)
{
    (void)state;
    const struct {
        const cr_ratios *schedule;
        int64_t step;
        double ratio;
    } cases[] = {
        {&epochs, 0, 0.9},         {&epochs, 4, 0.9},   {&epochs, 5, 0.7},   {&epochs, 19, 0.7},
        {&epochs, 20, 0.4},        {&epochs, 119, 0.4}, {&epochs, 120, 1.0}, {&epochs, 100000, 1.0},
        {&steps, 0, 0.25},         {&steps, 29, 0.25},  {&steps, 30, 0.5},   {&steps, 31, 0.5},
        {&(cr_ratios){0}, 7, 0.9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(ratio_at(cases[i].schedule, 0.9, cases[i].step) == cases[i].ratio);
}

/* Tenths of an epoch are no binary fractions; their steps are met all the same. */
static void parts_of_an_epoch(void **state)
{
    (void)state;
    for (int tenths = 1; tenths < 50; tenths++) {
        cr_ratios schedule = {.count = 1, .value = {0.5}};
        (void)snprintf(schedule.name[0], CR_WORD_MAX, "%d.%d", tenths / 10, tenths % 10);
        assert_true(ratio_at(&schedule, 1, tenths - 1) == 1);
        assert_true(ratio_at(&schedule, 1, tenths) == 0.5);
    }
}

static void check_range(const cr_ratios *schedule, double ratio, double low, double high)
{
    double found[2] = {0};
    cr_schedule_range(&found[0], &found[1], schedule, ratio);
    assert_true(found[0] == low && found[1] == high);
}

static void ranges_cover_what_is_in_force(void **state)
{
    (void)state;
    check_range(&epochs, 0.9, 0.4, 1);
    check_range(&epochs, 0.1, 0.1, 1);
    check_range(&steps, 1, 0.25, 0.5); /* the ratio itself never is */
    check_range(&(cr_ratios){0}, 0.3, 0.3, 0.3);
}

static void refuse(const char *first, const char *second, const char *part)
{
    cr_ratios schedule = {.count = 2, .value = {0.5, 1}};
    (void)snprintf(schedule.name[0], CR_WORD_MAX, "%s", first);
    (void)snprintf(schedule.name[1], CR_WORD_MAX, "%s", second);
    ASSERT_FAILS(cr_schedule_check(&schedule, "sampling.schedule"), CR_BAD_CONFIG, part);
}

static void times_that_are_none_are_refused(void **state)
{
    (void)state;
    const char *const none[] = {"two",  "",         ".",      "-1",           "1e3",  "inf",
                                "0x10", "3 epochs", "3steps", "3 steps more", "1.2.3"};
    ASSERT_OK(cr_schedule_check(&epochs, "k"));
    ASSERT_OK(cr_schedule_check(&steps, "k"));
    ASSERT_OK(cr_schedule_check(&(cr_ratios){0}, "k"));
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        refuse("0", none[i], "sampling.schedule: expected a number of epochs or `N steps`");
    refuse("12", "2", "found `2` after `12`");
    refuse("2", "2.0", "found `2.0` after `2`");
    refuse("2", "500 steps", "all in epochs or all in steps, found `2` and `500 steps`");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ratios_hold_from_their_time_on),
        cmocka_unit_test(parts_of_an_epoch),
        cmocka_unit_test(ranges_cover_what_is_in_force),
        cmocka_unit_test(times_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
