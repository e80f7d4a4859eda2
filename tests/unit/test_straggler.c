/* straggler: the rank that works longest, by all steps and by single ones. */
#include "check.h"

#include "colrow/train.h"

#include <math.h>

enum { STEPS = 12, RANKS = 5 };

/* ms [ranks, STEPS]: rank r works base[r] ms, and `extra` more in the steps of its own turn. */
static void make(float *ms, const float *base, int ranks, float extra)
{
    for (int r = 0; r < ranks; r++)
        for (int s = 0; s < STEPS; s++)
            ms[r * STEPS + s] = base[r] + (s % ranks == r ? extra : 0);
}

static cr_straggler find(const float *base, int ranks, float extra, int times)
{
    cr_tally tally;
    float ms[RANKS * STEPS];
    make(ms, base, ranks, extra);
    ASSERT_OK(cr_tally_create(&tally, ranks));
    for (int i = 0; i < times; i++)
        cr_tally_add(&tally, ms, STEPS);
    cr_straggler found = cr_tally_find(&tally);
    assert_int_equal(tally.steps, times * STEPS);
    cr_tally_clear(&tally);
    assert_true(isnan(cr_tally_find(&tally).ms));
    cr_tally_free(&tally);
    return found;
}

static void the_slow_rank_is_found_wherever_it_is(void **state)
{
    (void)state;
    for (int slow = 0; slow < RANKS; slow++)
        for (int times = 1; times <= 3; times++) {
            float base[RANKS] = {2, 3, 4, 5, 6};
            base[slow] = 9;
            cr_straggler s = find(base, RANKS, 0, times);
            assert_int_equal(s.rank, slow);
            ASSERT_NEAR(s.ms, 9, 1e-9);
            ASSERT_NEAR(s.median_ms, slow <= 2 ? 5 : 4, 1e-9);
            ASSERT_NEAR(s.share, 1, 0);
            assert_true(s.slow);
        }
}

/* Of two ranks the faster one is the median: the other can be slow. */
static void one_of_two_can_be_slow(void **state)
{
    (void)state;
    cr_straggler s = find((const float[]){10, 16}, 2, 0, 1);
    assert_true(s.slow && s.rank == 1);
    ASSERT_NEAR(s.median_ms, 10, 1e-9);
    s = find((const float[]){10, 14}, 2, 0, 1);
    assert_true(!s.slow && s.rank == 1);
}

/* Ranks that are slow in turns: one of them has most work, none is to blame. */
static void turns_are_no_straggler(void **state)
{
    (void)state;
    cr_straggler s = find((const float[]){1, 1.1F, 1, 1}, 4, 20, 1);
    assert_int_equal(s.rank, 1);
    ASSERT_NEAR(s.share, 0.25, 1e-9);
    assert_false(s.slow);
}

static void few_steps_prove_nothing(void **state)
{
    (void)state;
    cr_tally tally;
    const float ms[] = {1, 1, 1, 9, 9, 9};
    ASSERT_OK(cr_tally_create(&tally, 2));
    for (int i = 0; i < 4; i++) {
        cr_tally_add(&tally, ms, 3);
        assert_int_equal(cr_tally_find(&tally).slow, i == 3);
    }
    cr_tally_free(&tally);
}

/* In turns, two ranks lose half of the difference each. */
static void the_lead_of_rank_0_is_step_by_step(void **state)
{
    (void)state;
    ASSERT_NEAR(find((const float[]){2, 5}, 2, 0, 2).lead_ms, 3, 1e-9);
    ASSERT_NEAR(find((const float[]){5, 2}, 2, 0, 1).lead_ms, 0, 1e-9);
    ASSERT_NEAR(find((const float[]){3, 3}, 2, 4, 1).lead_ms, 2, 1e-9);
}

static void waiting_for_a_slower_rank_is_no_communication(void **state)
{
    (void)state;
    ASSERT_NEAR(cr_hidden_share(100, 20, 0), 0.8, 1e-12);
    ASSERT_NEAR(cr_hidden_share(100, 20, NAN), 0.8, 1e-12);
    ASSERT_NEAR(cr_hidden_share(110, 30, 10), 0.8, 1e-12);
    ASSERT_NEAR(cr_hidden_share(100, 20, 30), 1, 1e-12);
    ASSERT_NEAR(cr_hidden_share(100, 120, 0), 0, 0);
    assert_true(isnan(cr_hidden_share(0, 0, 0)) && isnan(cr_hidden_share(NAN, NAN, 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_slow_rank_is_found_wherever_it_is),
        cmocka_unit_test(one_of_two_can_be_slow),
        cmocka_unit_test(turns_are_no_straggler),
        cmocka_unit_test(few_steps_prove_nothing),
        cmocka_unit_test(the_lead_of_rank_0_is_step_by_step),
        cmocka_unit_test(waiting_for_a_slower_rank_is_no_communication),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
