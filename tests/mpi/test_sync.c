/*
 * batch norm over all ranks (network.batch_norm.sync): a step of one micro-batch a rank is that of
 * one rank with all samples in one micro-batch: losses, gradients and running statistics. Sums of
 * floats are in another order, so both are within 1e-5 of each other, norm-wise for each parameter.
 */
#include "mpi_main.h"
#include "nets.h"

#include "colrow/dist.h"

static cr_comm *comm;

enum { OWN = 3 }; /* samples of a rank's micro-batch */

static const double CLOSE = 1e-5;

static net_wish wish_of(double ratio, int rows)
{
    return (net_wish){.model = "wide_resnet",
                      .input = {8, 8, 48},
                      .classes = 10,
                      .options = "depth=10 width=2 momentum=0.75",
                      .exact = {"conv0", "fc"},
                      .ratio = ratio,
                      .dropout = 0.3,
                      .rows = rows,
                      .seed = 8};
}

typedef struct trial {
    cr_net *own, *all; /* of a rank's micro-batch; of the whole batch, worked out by every rank */
    cr_dist *dist;
    net_batch batch; /* the whole */
    float *gradient; /* of the step on all ranks, dense */
} trial;

static void start(trial *t, double ratio, bool sync, bool deterministic)
{
    int ranks = cr_comm_size(comm);
    const net_wish wish = wish_of(ratio, OWN), whole = wish_of(ratio, ranks * OWN);
    cr_net_plan plan = net_plan(&wish);
    cr_dist_options options = {.agreement = "root", .bucket_bytes = 1024};
    options.deterministic = deterministic;
    options.batch_norm.sync = sync;
    plan.extra = cr_dist_extra;
    t->own = net_of(&plan);
    t->all = net_new(&whole);
    t->batch = net_batch_new(t->all, ranks * OWN);
    t->gradient = values_new(t->own->parameter_count, sizeof(float));
    ASSERT_OK(cr_dist_create(&t->dist, &options, comm, t->own, ranks));
}

static void finish(trial *t)
{
    cr_dist_free(&t->dist);
    cr_net_free(&t->own);
    cr_net_free(&t->all);
    net_batch_free(&t->batch);
    CR_FREE(t->gradient);
}

/* A step of the first `samples` samples on all ranks; the last ones may have none. */
static double step_on_ranks(trial *t, int samples)
{
    cr_dist_news news = {0};
    cr_result result = {0};
    int64_t start = (int64_t)cr_comm_rank(comm) * OWN;
    int left = samples - (int)start > 0 ? samples - (int)start : 0;
    int rows = left < OWN ? left : OWN;
    ASSERT_OK(cr_dist_begin(t->dist, 4, (samples + OWN - 1) / OWN));
    ASSERT_OK(cr_net_forward(t->own, &result, t->batch.x + start * net_features(t->own),
                             t->batch.labels + start, rows, (uint32_t)start, 1.0 / samples));
    ASSERT_OK(cr_dist_backward(t->dist, &result));
    ASSERT_OK(cr_dist_finish(t->dist, &news));
    for (int i = 0; cr_net_parameter(t->own, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(t->own, i);
        float *to = t->gradient + p->offset;
        const float *rows_of =
            cr_dist_gradient_rows(t->dist, to, i, 0, p->count / cr_parameter_row(p));
        if (rows_of != to)
            memcpy(to, rows_of, (size_t)p->count * sizeof *to);
    }
    return news.result.loss;
}

/* The same step in one micro-batch, by the same picks. */
static double step_alone(trial *t, int samples)
{
    cr_result result = {0};
    const cr_agreement same = {t->own, net_choose_as};
    cr_net_begin(t->all, 4, &same);
    ASSERT_OK(
        cr_net_forward(t->all, &result, t->batch.x, t->batch.labels, samples, 0, 1.0 / samples));
    ASSERT_OK(cr_net_backward(t->all, true, NULL, NULL));
    cr_net_update_statistics(t->all, t->all->gradient, 1);
    return result.loss;
}

/* Norm-wise, the largest of all parameters; *statistics gets the running ones' gap. */
static double gap(double *statistics, const trial *t)
{
    double worst = 0;
    float *expected = net_gradient(t->all);
    for (int i = 0; cr_net_parameter(t->all, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(t->all, i);
        double one = values_gap_float(t->gradient + p->offset, expected + p->offset, p->count);
        worst = one > worst ? one : worst;
    }
    CR_FREE(expected);
    *statistics =
        values_gap_float(t->own->statistics, t->all->statistics, t->all->statistics_count);
    return worst;
}

static void compare(double ratio, bool deterministic, int samples)
{
    trial t = {0};
    double statistics = 0;
    start(&t, ratio, true, deterministic);
    double loss = step_on_ranks(&t, samples);
    double expected = step_alone(&t, samples);
    ASSERT_NEAR(loss, expected, CLOSE * expected);
    double worst = gap(&statistics, &t);
    if (!(worst <= CLOSE && statistics <= CLOSE))
        fail_msg("ratio %g, %d samples: gradients are off by %.3g, statistics by %.3g", ratio,
                 samples, worst, statistics);
    finish(&t);
}

static void steps_are_those_of_one_micro_batch(void **state)
{
    (void)state;
    int all = cr_comm_size(comm) * OWN;
    compare(1, false, all);
    compare(1, true, all);
    compare(0.5, false, all);
    compare(0.5, true, all - 1);
}

/* The last step of an epoch may have fewer samples than ranks have room for. */
static void ranks_without_samples_take_part(void **state)
{
    (void)state;
    if (cr_comm_size(comm) > 1)
        compare(0.5, false, (cr_comm_size(comm) - 1) * OWN - 1);
}

/* Without it each micro-batch goes by itself: far off, or the test above shows nothing. */
static void without_sync_it_is_another_step(void **state)
{
    (void)state;
    trial t = {0};
    double statistics = 0;
    start(&t, 1, false, false);
    (void)step_on_ranks(&t, cr_comm_size(comm) * OWN);
    (void)step_alone(&t, cr_comm_size(comm) * OWN);
    double worst = gap(&statistics, &t);
    assert_true((worst > 100 * CLOSE) == (cr_comm_size(comm) > 1));
    finish(&t);
}

static void several_micro_batches_a_rank_are_refused(void **state)
{
    (void)state;
    trial t = {0};
    cr_dist *dist = NULL;
    cr_dist_options options = {.agreement = "root", .bucket_bytes = 1024, .batch_norm = {true}};
    int ranks = cr_comm_size(comm);
    char words[96];
    start(&t, 1, false, false);
    (void)snprintf(words, sizeof words,
                   "network.batch_norm.sync: expected one micro-batch a rank (%d)", ranks);
    ASSERT_FAILS(cr_dist_create(&dist, &options, comm, t.own, ranks + 1), CR_BAD_CONFIG, words);
    (void)snprintf(options.agreement, CR_WORD_MAX, "local");
    ASSERT_FAILS(cr_dist_create(&dist, &options, comm, t.own, ranks), CR_BAD_CONFIG,
                 "expected an agreement in which all ranks keep the same channels, found local");
    finish(&t);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_those_of_one_micro_batch),
        cmocka_unit_test(ranks_without_samples_take_part),
        cmocka_unit_test(without_sync_it_is_another_step),
        cmocka_unit_test(several_micro_batches_a_rank_are_refused),
    };
    comm = mpi_begin(&argc, &argv);
    cr_engine_set_threads(1);
    return mpi_end(&comm, cmocka_run_group_tests(tests, NULL, NULL));
}
