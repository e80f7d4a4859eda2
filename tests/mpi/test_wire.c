/* dist: gradients on their way as bf16, and after the backward pass instead of during it. */
#include "trainer.h"

static cr_comm *comm;

/* Two roundings of at most 2^-8 each, of terms that partly cancel: measured at most 0.0027 of the
 * norm. */
#define BF16_TOLERANCE 0.01
#define ORDER_TOLERANCE 1e-6 /* see test_dist.c */

static trainer_plan plan_of(const char *agreement, const char *wire, bool overlap)
{
    trainer_plan plan = trainer_plan_make(agreement, "weight_norm", false);
    plan.dist.overlap = overlap;
    (void)snprintf(plan.dist.wire, CR_WORD_MAX, "%s", wire);
    return plan;
}

/* Steps by `plan` and by a plain one; the gradients are near each other, and the same on all ranks.
 */
static void check_near(const trainer_plan *plan, double tolerance)
{
    const trainer_plan plain = plan_of(plan->dist.agreement, "f32", true);
    trainer all, exact;
    trainer_create(&all, plan, comm);
    trainer_create(&exact, &plain, comm);
    for (uint32_t step = 0; step < 4; step++) {
        int samples = step == 2 ? 2 : TRAINER_BATCH; /* too few for all ranks, once */
        int64_t count = all.net->parameter_count;
        cr_dist_news news = {0}, exact_news = {0};
        ASSERT_OK(trainer_step(&all, &news, step, samples));
        ASSERT_OK(trainer_step(&exact, &exact_news, step, samples));
        assert_true(values_gap_float(all.gradient, exact.gradient, count) <= tolerance);
        assert_true(news.result.loss == exact_news.result.loss); /* never rounded to bf16 */
        assert_int_equal(news.result.samples, samples);
        ASSERT_OK(cr_comm_same(comm, cr_hash(all.gradient, (size_t)count * sizeof(float), 0),
                               "gradients"));
    }
    trainer_free(&all);
    trainer_free(&exact);
}

static void bf16_gradients_are_near_the_sums(void **state)
{
    (void)state;
    const char *const modes[] = {"root", "weights", "local"};
    for (int m = 0; m < 3; m++)
        for (int overlap = 0; overlap < 2; overlap++) {
            const trainer_plan plan = plan_of(modes[m], "bf16", overlap == 1);
            check_near(&plan, BF16_TOLERANCE);
        }
}

static void gradients_may_wait_for_the_backward_pass(void **state)
{
    (void)state;
    const char *const wires[] = {"f32", "bf16"};
    for (int w = 0; w < 2; w++)
        for (int overlap = 0; overlap < 2; overlap++) {
            const trainer_plan plan = plan_of("root", wires[w], overlap == 1);
            trainer all;
            cr_result result = {0};
            cr_dist_news news = {0};
            check_near(&plan, w == 0 ? ORDER_TOLERANCE : BF16_TOLERANCE);
            trainer_create(&all, &plan, comm);
            ASSERT_OK(cr_dist_begin(all.dist, 0, 1));
            trainer_forward(&all, &result, all.dist->count > 0 ? 0 : TRAINER_MICROS, TRAINER_MICRO);
            ASSERT_OK(cr_dist_backward(all.dist, &result));
            assert_int_equal(all.dist->sent > 0, overlap == 1 && cr_comm_size(comm) > 1);
            ASSERT_OK(cr_dist_finish(all.dist, &news));
            trainer_free(&all);
        }
}

/* Half of the gradients' bytes; what rides behind them is as it was. */
static void bf16_halves_the_bytes_of_gradients(void **state)
{
    (void)state;
    int64_t bytes[2];
    int64_t gradients = 0;
    for (int w = 0; w < 2; w++) {
        const trainer_plan plan = plan_of("weights", w == 0 ? "f32" : "bf16", true);
        trainer all;
        cr_dist_news news = {0};
        trainer_create(&all, &plan, comm);
        ASSERT_OK(trainer_step(&all, &news, 0, TRAINER_BATCH));
        bytes[w] = all.dist->wire_bytes;
        gradients = all.net->statistics_offset;
        trainer_free(&all);
    }
    assert_int_equal(bytes[0] - bytes[1], cr_comm_size(comm) > 1 ? 2 * gradients : 0);
}

static void deterministic_sums_are_never_rounded(void **state)
{
    (void)state;
    cr_net *net = NULL;
    cr_dist *dist = NULL;
    trainer_plan plan = plan_of("root", "bf16", true);
    trainer_make_net(&net, &plan);
    plan.dist.deterministic = true;
    ASSERT_FAILS(cr_dist_create(&dist, &plan.dist, comm, net, TRAINER_MICROS), CR_BAD_CONFIG,
                 "wire: bf16");
    assert_null(dist);
    cr_net_free(&net);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bf16_gradients_are_near_the_sums),
        cmocka_unit_test(gradients_may_wait_for_the_backward_pass),
        cmocka_unit_test(bf16_halves_the_bytes_of_gradients),
        cmocka_unit_test(deterministic_sums_are_never_rounded),
    };
    comm = mpi_begin(&argc, &argv);
    cr_engine_set_threads(1);
    return mpi_end(&comm, cmocka_run_group_tests(tests, NULL, NULL));
}
