/*
 * dist: a step on all ranks gives the gradient, loss and picks of the same step on one; what it
 * sends is as small as the picks promise; ranks that disagree are found out.
 */
#include "trainer.h"

static cr_comm *comm;

/* Steps of a whole batch, of fewer micro-batches than 4 ranks, of one: ranks without any. */
static const int step_samples[] = {TRAINER_BATCH, 12, 2, 1, TRAINER_BATCH};
enum { STEPS = sizeof step_samples / sizeof *step_samples };

/* Sums in another order differ by roundings: measured at most 1.1e-7 of the norm, 7.5e-8 of the
 * loss. */
#define ORDER_TOLERANCE 1e-6

static void shares_are_contiguous_and_even(void **state)
{
    (void)state;
    for (int ranks = 1; ranks <= 9; ranks++)
        for (int micros = 1; micros <= 40; micros++) {
            int at = 0;
            for (int rank = 0; rank < ranks; rank++) {
                int first = -1, count = -1;
                cr_dist_share(&first, &count, micros, rank, ranks);
                assert_int_equal(first, at);
                assert_in_range(count, micros / ranks, (micros + ranks - 1) / ranks);
                assert_true(rank > 0 || count > 0); /* picks come from micro-batch 0 */
                at += count;
            }
            assert_int_equal(at, micros);
        }
}

/* ---- the gradient ---------------------------------------------------------------------------- */

/* What both remember of the step, by bits or up to the order of sums. */
static void check_norms(const cr_net *all, const cr_net *alone, bool same_bits)
{
    int64_t count = all->remembered_count;
    assert_int_equal(all->knows, all->remembers);
    if (same_bits)
        assert_same_bits(all->remembered, alone->remembered, count);
    else if (count > 0)
        assert_true(values_gap_float(all->remembered, alone->remembered, count) <= ORDER_TOLERANCE);
}

/* The steps on all ranks against each of them alone, by bits or up to the order of sums: then picks
 * by norms of the last step, which have roundings of their own, are copied. */
static void check_steps(const trainer_plan *plan)
{
    trainer all, alone;
    trainer_create(&all, plan, comm);
    trainer_create(&alone, plan, NULL);
    const cr_agreement copied = {all.net, trainer_choose_as};
    bool copies = all.net->remembers && !plan->dist.deterministic;
    for (uint32_t step = 0; step < STEPS; step++) {
        cr_dist_news news = {0};
        cr_result result = {0};
        int64_t count = all.net->parameter_count;
        ASSERT_OK(trainer_step(&all, &news, step, step_samples[step]));
        trainer_alone_by(&alone, &result, step, step_samples[step],
                         copies ? &copied : &cr_net_alone);
        for (int s = 0; s < all.net->segment_count; s++)
            assert_true(all.net->segments[s].pick.hash == alone.net->segments[s].pick.hash);
        assert_int_equal(news.result.samples, step_samples[step]);
        assert_int_equal(news.result.correct, result.correct);
        ASSERT_NEAR(news.result.loss, result.loss, ORDER_TOLERANCE * result.loss);
        assert_true(values_gap_float(all.gradient, alone.gradient, count) <= ORDER_TOLERANCE);
        if (plan->dist.deterministic)
            assert_same_bits(all.gradient, alone.gradient, count);
        check_norms(all.net, alone.net, plan->dist.deterministic);
    }
    trainer_free(&all);
    trainer_free(&alone);
}

/* Every draw, with scale and without, each way to agree, sums in any order and in the tree's. */
static void check_combinations(trainer_plan plan)
{
    for (int d = 0; cr_draw_names()[d] != NULL; d++)
        for (int scale = 0; scale < 2; scale++)
            for (int deterministic = 0; deterministic < 2; deterministic++) {
                (void)snprintf(plan.sampling.draw, CR_WORD_MAX, "%s", cr_draw_names()[d]);
                plan.sampling.scale = scale == 1;
                plan.dist.deterministic = deterministic == 1;
                if (cr_sample_check(&plan.sampling) == CR_OK)
                    check_steps(&plan);
            }
}

static void root_gives_the_gradient_of_one_rank(void **state)
{
    (void)state;
    for (int s = 0; cr_score_names()[s] != NULL; s++)
        check_combinations(trainer_plan_make("root", cr_score_names()[s], false));
}

static void weights_gives_the_gradient_of_one_rank(void **state)
{
    (void)state;
    check_combinations(trainer_plan_make("weights", "weight_norm", false));
    check_combinations(trainer_plan_make("weights", "uniform", false));
}

/* The norms of the last step, which may have had other samples, are those of all its micro-batches:
 * the same on any number of ranks. */
static void stale_gives_the_gradient_of_one_rank(void **state)
{
    (void)state;
    check_combinations(trainer_plan_make("stale", "norm", false));
    for (int deterministic = 0; deterministic < 2; deterministic++) {
        trainer_plan plan = trainer_plan_make("stale", "weight_norm", deterministic == 1);
        check_steps(&plan);
        plan = trainer_plan_make("stale", "norm", deterministic == 1);
        plan.sampling.lookahead = true;
        check_steps(&plan);
    }
}

static void exact_and_partly_exact_steps(void **state)
{
    (void)state;
    for (int deterministic = 0; deterministic < 2; deterministic++) {
        trainer_plan plan = trainer_plan_make("root", "norm", deterministic == 1);
        plan.sampling.exact = (cr_words){1, {"fc2"}};
        check_steps(&plan);
        plan.sampling.ratio = 1;
        check_steps(&plan);
        plan.engine = "reference";
        check_steps(&plan);
    }
}

/* Micro-batches draw for themselves in the backward products, wherever they are worked on. */
static void a_second_sampling_needs_no_agreement(void **state)
{
    (void)state;
    for (int m = 0; cr_backward_method_names()[m] != NULL; m++)
        for (int d = 0; cr_draw_names()[d] != NULL; d++)
            for (int deterministic = 0; deterministic < 2; deterministic++) {
                trainer_plan plan = trainer_plan_make("root", "norm", deterministic == 1);
                cr_backward_options *backward = &plan.sampling.backward;
                (void)snprintf(backward->method, CR_WORD_MAX, "%s", cr_backward_method_names()[m]);
                (void)snprintf(backward->draw, CR_WORD_MAX, "%s", cr_draw_names()[d]);
                backward->ratio = 0.4;
                backward->minimum = 2;
                check_steps(&plan);
            }
}

/* Small buckets leave during the backward pass, one large bucket after it; the sum is the same. */
static void buckets_of_any_size(void **state)
{
    (void)state;
    const int64_t sizes[] = {1024, 3000, 1 << 22};
    bool alone = cr_comm_size(comm) == 1;
    for (int i = 0; i < 3; i++) {
        trainer_plan plan = trainer_plan_make("root", "norm", false);
        trainer all;
        cr_result result = {0};
        plan.dist.bucket_bytes = sizes[i];
        check_steps(&plan);
        trainer_create(&all, &plan, comm);
        ASSERT_OK(cr_dist_begin(all.dist, 0, 1)); /* rank 0 has a micro-batch, others have none */
        bool mine = all.dist->count > 0;
        trainer_forward(&all, &result, mine ? 0 : TRAINER_MICROS, TRAINER_MICRO);
        assert_int_equal(all.dist->sent, 0);
        ASSERT_OK(cr_dist_backward(all.dist, &result));
        assert_int_equal(all.dist->sent > 0, !alone && sizes[i] < 1 << 22);
        cr_dist_news news = {0};
        ASSERT_OK(cr_dist_finish(all.dist, &news));
        trainer_free(&all);
    }
}

/* ---- local: each rank its own channels ------------------------------------------------------- */

static cr_status choose_as(void *self, cr_net *net, int segment, cr_pick *pick)
{
    return cr_net_choose(net, segment, pick, (uint32_t) * (int *)self);
}

/* What rank `rank` adds to the sum, in `t` of a process alone; its picks stay in the net. */
static void add_as_rank(trainer *t, float *sum, int rank, uint32_t step)
{
    int first = 0, count = 0;
    cr_result result = {0};
    cr_dist_share(&first, &count, TRAINER_MICROS, rank, cr_comm_size(comm));
    const cr_agreement agreement = {&rank, choose_as};
    cr_net_begin(t->net, step, &agreement);
    for (int m = first; m < first + count; m++) {
        trainer_forward(t, &result, m, TRAINER_BATCH);
        ASSERT_OK(cr_net_backward(t->net, m == first, NULL, NULL));
    }
    cr_net_spread(t->net, t->gradient, t->net->gradient);
    trainer_add(sum, t->gradient, t->net->parameter_count);
}

static void local_sums_dense_gradients(void **state)
{
    (void)state;
    const char *const draws[] = {"top", "no_replacement"};
    for (int d = 0; d < 2; d++) {
        trainer all, alone;
        trainer_plan plan = trainer_plan_make("local", d == 0 ? "norm" : "uniform", false);
        (void)snprintf(plan.sampling.draw, CR_WORD_MAX, "%s", draws[d]);
        trainer_create(&all, &plan, comm);
        trainer_create(&alone, &plan, NULL);
        for (uint32_t step = 0; step < 3; step++) {
            cr_dist_news news = {0};
            int64_t count = all.net->parameter_count;
            float *sum = values_new(count, sizeof *sum);
            uint64_t first_pick = 0;
            ASSERT_OK(trainer_step(&all, &news, step, TRAINER_BATCH));
            for (int rank = 0; rank < cr_comm_size(comm); rank++) {
                add_as_rank(&alone, sum, rank, step);
                uint64_t pick = alone.net->segments[1].pick.hash;
                assert_true(rank == 0 || pick != first_pick); /* channels differ, or no test */
                first_pick = rank == 0 ? pick : first_pick;
            }
            assert_true(values_gap_float(all.gradient, sum, count) <= ORDER_TOLERANCE);
            assert_int_equal(news.result.samples, TRAINER_BATCH);
            CR_FREE(sum);
        }
        if (cr_comm_size(comm) > 1) /* as many floats as there are parameters, and the tail */
            assert_true(all.dist->wire_bytes >= all.dist->dense_bytes);
        trainer_free(&all);
        trainer_free(&alone);
    }
}

/* ---- news and bytes -------------------------------------------------------------------------- */

static void news_reach_all(void **state)
{
    (void)state;
    int size = cr_comm_size(comm);
    for (int deterministic = 0; deterministic < 2; deterministic++) {
        trainer all;
        trainer_plan plan = trainer_plan_make("root", "norm", deterministic == 1);
        trainer_create(&all, &plan, comm);
        for (int who = -1; who < size; who++) /* -1: nobody */
            for (int save = 0; save < 2; save++)
                for (int samples = 2; samples <= TRAINER_BATCH; samples += TRAINER_BATCH - 2) {
                    cr_dist_news news = {.stop = cr_comm_rank(comm) == who,
                                         .save = cr_comm_rank(comm) == 0 && save == 1};
                    ASSERT_OK(trainer_step(&all, &news, 0, samples));
                    assert_int_equal(news.stop, who >= 0);
                    assert_int_equal(news.save, save);
                }
        trainer_free(&all);
    }
}

static int64_t padded(int64_t floats)
{
    return (floats + 15) / 16 * 16;
}

/* Floats of a step at 40% of 24-64-48-5, that is 9, 25, 19 and all 5 channels: the blocks of
 * kernels and biases, each padded to 64 B, then 5 numbers and 8 a segment (4 with the loss). */
static int64_t expected_floats(void)
{
    int64_t kernels = padded(9 * 25) + padded(25 * 19) + padded(19 * 5);
    int64_t biases = padded(25) + padded(19) + padded(5);
    return kernels + biases + 5 + 8 * 4;
}

static void bytes_sent_are_those_of_the_blocks(void **state)
{
    (void)state;
    enum { CHANNELS = 24 + 64 + 48 };
    static const struct {
        const char *name, *scores;
        bool deterministic;
        int64_t floats;                                                   /* of agreement, a step */
    } modes[] = {{"root", "weight_norm", false, 2 + 9 + 2 + 25 + 2 + 19}, /* k, scaled, k indices */
                 {"root", "norm", true, 2 + 9 + 2 + 25 + 2 + 19},
                 {"weights", "weight_norm", false, 0},
                 {"weights", "uniform", true, 0},
                 {"global", "norm", false, 2 * CHANNELS}, /* doubles */
                 {"stale", "norm", false, CHANNELS},
                 {"stale", "norm", true, CHANNELS},
                 {"stale", "uniform", true, 0}};
    const int64_t dense = 24 * 64 + 64 + 64 * 48 + 48 + 48 * 5 + 5;
    for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
        trainer all;
        cr_dist_news news = {0};
        trainer_plan plan =
            trainer_plan_make(modes[m].name, modes[m].scores, modes[m].deterministic);
        trainer_create(&all, &plan, comm);
        for (uint32_t step = 0; step < 3; step++)
            ASSERT_OK(trainer_step(&all, &news, step, TRAINER_BATCH));
        int64_t floats = expected_floats() + modes[m].floats;
        assert_int_equal(all.dist->wire_bytes, cr_comm_size(comm) > 1 ? 3 * 4 * floats : 0);
        assert_int_equal(all.dist->dense_bytes, 3 * 4 * dense);
        trainer_free(&all);
    }
}

/* ---- disagreement ---------------------------------------------------------------------------- */
typedef struct traitor {
    cr_dist *dist;
    int rank;    /* who keeps another channel ... */
    int segment; /* ... of this segment */
} traitor;

/* The channels agreed on, but one: the last becomes a neighbour that was not picked. */
static cr_status choose_other(void *self, cr_net *net, int segment, cr_pick *pick)
{
    const traitor *t = self;
    CR_TRY(t->dist->mode->choose(t->dist, net, segment, pick));
    if (segment != t->segment || cr_comm_rank(comm) != t->rank)
        return CR_OK;
    int *last = &pick->index[pick->k - 1];
    if (*last < pick->n - 1)
        ++*last;
    else
        for (int j = pick->k - 1; j >= 0 && pick->index[j] == pick->n - pick->k + j; j--)
            pick->index[j]--; /* a run at the end: some channel before it is free */
    cr_pick_seal(pick);
    return CR_OK;
}

static void a_rank_with_other_channels_is_found_out(void **state)
{
    (void)state;
    const char *const layers[] = {"fc1", "fc2", "fc3"};
    const char *const modes[] = {"root", "root", "stale", "stale", "global"};
    for (int m = 0; m < 5; m++)
        for (int segment = 0; segment < 3; segment++)
            for (int rank = 0; rank < cr_comm_size(comm) && cr_comm_size(comm) > 1; rank++) {
                trainer all;
                char words[64];
                cr_dist_news news = {0};
                trainer_plan plan = trainer_plan_make(modes[m], "norm", m % 2 == 1);
                trainer_create(&all, &plan, comm);
                traitor t = {all.dist, rank, segment};
                ASSERT_OK(trainer_step(&all, &news, 6, TRAINER_BATCH));
                all.dist->agreement = (cr_agreement){&t, choose_other};
                (void)snprintf(words, sizeof words, "step 7 layer %s: ", layers[segment]);
                cr_status status = trainer_step(&all, &news, 7, TRAINER_BATCH);
                ASSERT_FAILS(status, CR_RANKS, words);
                trainer_free(&all);
            }
}

/* One channel fewer than agreed on, as a draw that merges duplicates can give. */
static cr_status choose_fewer(void *self, cr_net *net, int segment, cr_pick *pick)
{
    const traitor *t = self;
    CR_TRY(t->dist->mode->choose(t->dist, net, segment, pick));
    if (segment == t->segment && cr_comm_rank(comm) == t->rank) {
        pick->k--;
        cr_pick_seal(pick);
    }
    return CR_OK;
}

/* Sums of different lengths would never end: it must be found out before them. */
static void a_rank_with_fewer_channels_is_found_out(void **state)
{
    (void)state;
    for (int deterministic = 0; deterministic < 2 && cr_comm_size(comm) > 1; deterministic++) {
        trainer all;
        cr_dist_news news = {0};
        trainer_plan plan = trainer_plan_make("weights", "weight_norm", deterministic == 1);
        (void)snprintf(plan.sampling.draw, sizeof plan.sampling.draw, "replacement");
        trainer_create(&all, &plan, comm);
        traitor t = {all.dist, cr_comm_size(comm) - 1, 1};
        all.dist->agreement = (cr_agreement){&t, choose_fewer};
        cr_status status = trainer_step(&all, &news, 7, TRAINER_BATCH);
        ASSERT_FAILS(status, CR_RANKS, "picked channels");
        trainer_free(&all);
    }
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void refuse(const trainer_plan *plan, int micro_batches, const char *words)
{
    cr_net *net = NULL;
    cr_dist *dist = NULL;
    trainer_make_net(&net, plan);
    ASSERT_FAILS(cr_dist_create(&dist, &plan->dist, comm, net, micro_batches), CR_BAD_CONFIG,
                 words);
    assert_null(dist);
    cr_net_free(&net);
}

static void what_does_not_go_together_is_refused(void **state)
{
    (void)state;
    trainer_plan plan = trainer_plan_make("root", "norm", false);
    refuse(&plan, cr_comm_size(comm) - 1, "at least as many micro-batches");
    plan = trainer_plan_make("weights", "norm", false);
    refuse(&plan, TRAINER_MICROS, "agreement: weights");
    plan = trainer_plan_make("local", "norm", true);
    refuse(&plan, TRAINER_MICROS, "deterministic");
    plan = trainer_plan_make("root", "norm", false);
    plan.sampling.lookahead = true;
    assert_int_equal(cr_dist_check(&plan.dist, &plan.sampling), CR_BAD_CONFIG);
    assert_non_null(strstr(cr_error_message(), "sampling.lookahead: expected agreement: stale"));
    plan = trainer_plan_make("global", "norm", true);
    refuse(&plan, TRAINER_MICROS, "expected one a rank");
    trainer all;
    plan = trainer_plan_make("root", "norm", true);
    trainer_create(&all, &plan, comm);
    ASSERT_FAILS(cr_dist_begin(all.dist, 3, TRAINER_MICROS + 1), CR_INTERNAL, "step 3");
    ASSERT_FAILS(cr_dist_begin(all.dist, 3, 0), CR_INTERNAL, "found 0");
    trainer_free(&all);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_contiguous_and_even),
        cmocka_unit_test(root_gives_the_gradient_of_one_rank),
        cmocka_unit_test(weights_gives_the_gradient_of_one_rank),
        cmocka_unit_test(stale_gives_the_gradient_of_one_rank),
        cmocka_unit_test(exact_and_partly_exact_steps),
        cmocka_unit_test(a_second_sampling_needs_no_agreement),
        cmocka_unit_test(buckets_of_any_size),
        cmocka_unit_test(local_sums_dense_gradients),
        cmocka_unit_test(news_reach_all),
        cmocka_unit_test(bytes_sent_are_those_of_the_blocks),
        cmocka_unit_test(a_rank_with_other_channels_is_found_out),
        cmocka_unit_test(a_rank_with_fewer_channels_is_found_out),
        cmocka_unit_test(what_does_not_go_together_is_refused),
    };
    comm = mpi_begin(&argc, &argv);
    cr_engine_set_threads(1);
    return mpi_end(&comm, cmocka_run_group_tests(tests, NULL, NULL));
}
