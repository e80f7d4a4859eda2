/*
 * global: every rank draws from the squared norms of the first micro-batch of each rank, summed.
 * One process works the same picks out layer by layer: the norms of a layer's inputs are those that
 * the picks of the layers before it leave.
 */
#include "trainer.h"

static cr_comm *comm;

enum { SEGMENTS = 4, CHANNELS = 64 };

/* Picks as far as they are known, and the norms of the next one so far. */
typedef struct search {
    cr_net *settled[SEGMENTS]; /* [known] nets that hold the pick of one segment each; owned */
    int known;
    double norms[CHANNELS];
    bool draws; /* the norms are all there: draw */
} search;

static cr_status choose(void *self, cr_net *net, int s, cr_pick *pick)
{
    search *all = self;
    if (s < all->known) {
        trainer_copy_pick(pick, &all->settled[s]->segments[s].pick);
        return CR_OK;
    }
    double *norms = cr_net_norms(net, s);
    for (int c = 0; s == all->known && norms != NULL && c < net->segments[s].n; c++) {
        if (all->draws)
            norms[c] = all->norms[c];
        else
            all->norms[c] += norms[c];
    }
    return cr_net_draw(net, s, pick, 0);
}

/* Forward passes of the first micro-batch of each rank. */
static void pass_all(trainer *t, search *all, uint32_t step, int samples)
{
    const cr_agreement agreement = {all, choose};
    int size = cr_comm_size(comm);
    for (int rank = 0; rank < (all->draws ? 1 : size); rank++) {
        int first = 0, count = 0;
        cr_result result = {0};
        cr_dist_share(&first, &count, trainer_micros(samples), rank, size);
        cr_net_begin(t->net, step, &agreement);
        if (count > 0)
            trainer_forward(t, &result, first, samples);
    }
}

/* Settle the picks of the step, one segment after another. */
static void settle(search *all, const trainer_plan *plan, uint32_t step, int samples)
{
    for (all->known = 0; all->known < SEGMENTS - 1; all->known++) {
        trainer t;
        trainer_create(&t, plan, NULL);
        memset(all->norms, 0, sizeof all->norms);
        all->draws = false;
        pass_all(&t, all, step, samples);
        all->draws = true;
        pass_all(&t, all, step, samples);
        all->settled[all->known] = t.net;
        CR_FREE(t.gradient);
    }
}

static void check_step(trainer *all, const trainer_plan *plan, uint32_t step, int samples)
{
    search found = {0};
    trainer alone;
    cr_dist_news news = {0};
    cr_result result = {0};
    const cr_agreement agreement = {&found, choose};
    ASSERT_OK(trainer_step(all, &news, step, samples));
    trainer_create(&alone, plan, NULL);
    settle(&found, plan, step, samples);
    trainer_alone_by(&alone, &result, step, samples, &agreement);
    for (int s = 0; s < SEGMENTS; s++)
        assert_true(all->net->segments[s].pick.hash == alone.net->segments[s].pick.hash);
    assert_true(values_gap_float(all->gradient, alone.gradient, alone.net->parameter_count) <=
                1e-6); /* another order of sums; as in test_dist */
    if (plan->dist.deterministic)
        assert_same_bits(all->gradient, alone.gradient, alone.net->parameter_count);
    for (int s = 0; s < SEGMENTS - 1; s++)
        cr_net_free(&found.settled[s]);
    trainer_free(&alone);
}

/* A draw that goes by every score: other norms would show. */
static trainer_plan usual(const char *scores, bool deterministic)
{
    trainer_plan plan = trainer_plan_make("global", scores, deterministic);
    plan.sampling.scale = strcmp(scores, "norm") == 0;
    (void)snprintf(plan.sampling.draw, CR_WORD_MAX, "%s",
                   plan.sampling.scale ? "systematic" : "top");
    return plan;
}

static void picks_are_those_of_the_first_micro_batches(void **state)
{
    (void)state;
    const int samples[] = {TRAINER_BATCH, 12, 1, TRAINER_BATCH}; /* 12, 1: ranks without any */
    for (int s = 0; cr_score_names()[s] != NULL; s++) {
        trainer_plan plan = usual(cr_score_names()[s], false);
        trainer all;
        trainer_create(&all, &plan, comm);
        for (uint32_t step = 0; step < 4; step++)
            check_step(&all, &plan, step, samples[step]);
        trainer_free(&all);
    }
}

/* One micro-batch a rank: the bits of the batch, whoever sums it up. */
static void deterministic_picks_are_those_of_the_batch(void **state)
{
    (void)state;
    int size = cr_comm_size(comm);
    trainer_plan plan = usual("norm", true);
    trainer all;
    trainer_create(&all, &plan, NULL);
    ASSERT_OK(cr_dist_create(&all.dist, &plan.dist, comm, all.net, size));
    check_step(&all, &plan, 0, size * TRAINER_MICRO);
    check_step(&all, &plan, 1, size * TRAINER_MICRO - 2);
    check_step(&all, &plan, 2, 3);
    trainer_free(&all);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picks_are_those_of_the_first_micro_batches),
        cmocka_unit_test(deterministic_picks_are_those_of_the_batch),
    };
    comm = mpi_begin(&argc, &argv);
    cr_engine_set_threads(1);
    return mpi_end(&comm, cmocka_run_group_tests(tests, NULL, NULL));
}
