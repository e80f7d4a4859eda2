/*
 * remember: before the first step scores are by weights alone; after a step they are by the mean
 * squares of the inputs over all its micro-batches; picks are chosen before a step begins.
 */
#include "nets.h"

enum { ROWS = 4, BATCH = 10 }; /* micro-batches of 4, 4 and 2 */

static const net_wish kinds[] = {
    {.sizes = NET_SIZES(20, 40, 30, 5), .ratio = 0.4, .rows = ROWS, .seed = 3, .remembers = true},
    {.model = "wide_resnet",
     .input = {8, 8, 48},
     .classes = 10,
     .options = "depth=10 width=1",
     .dropout = 0.3,
     .exact = {"conv0", "fc"},
     .ratio = 0.5,
     .rows = ROWS,
     .seed = 3,
     .remembers = true},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* An agreement that adds the norms of the micro-batch under way up as well. */
typedef struct counter {
    cr_net *from; /* whose picks are taken */
    double *sums; /* [segments, 64] owned */
} counter;

enum { MOST = 64 };

static cr_status count(void *self, cr_net *net, int s, cr_pick *pick)
{
    counter *c = self;
    const double *norms = cr_net_norms(net, s);
    for (int i = 0; i < net->segments[s].n; i++)
        c->sums[s * MOST + i] += norms[i];
    return net_choose_as(c->from, net, s, pick);
}

/* A step of the batch in micro-batches. */
static void step(cr_net *net, const net_batch *batch, uint32_t number)
{
    cr_result result = {0};
    cr_net_begin(net, number, &cr_net_alone);
    for (int first = 0; first < BATCH; first += ROWS)
        net_pass(net, &result, batch, first, BATCH - first < ROWS ? BATCH - first : ROWS,
                 first == 0);
    cr_net_remember(net, net->gradient, BATCH);
}

static void norms_are_those_of_all_micro_batches(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        net_wish plain = kinds[kind];
        plain.remembers = false;
        cr_net *net = net_new(&kinds[kind]);
        cr_net *other = net_new(&plain);
        net_batch batch = net_batch_new(net, BATCH);
        counter c = {net, values_new((int64_t)net->segment_count * MOST, sizeof(double))};
        const cr_agreement agreement = {&c, count};
        int remembered = 0;
        step(net, &batch, 6);
        for (int first = 0; first < BATCH; first += ROWS) { /* each as a step: it asks anew */
            cr_result result = {0};
            cr_net_begin(other, 6, &agreement);
            net_pass(other, &result, &batch, first, BATCH - first < ROWS ? BATCH - first : ROWS,
                     true);
        }
        for (int s = 0; s < net->segment_count; s++) {
            const float *means = cr_net_remembered(net, s);
            double rows = (double)net_rows(net, s) / net->rows * BATCH;
            assert_int_equal(means != NULL, net->segments[s].least < net->segments[s].n);
            for (int i = 0; means != NULL && i < net->segments[s].n; i++)
                ASSERT_NEAR(means[i], c.sums[s * MOST + i] / rows, 3e-7 * means[i]); /* 3 floats */
            remembered += means != NULL;
        }
        assert_true(remembered >= 3);
        CR_FREE(c.sums);
        net_batch_free(&batch);
        cr_net_free(&net);
        cr_net_free(&other);
    }
}

static void before_the_first_step_weights_decide(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        net_wish by_weights = kinds[kind];
        by_weights.remembers = false;
        by_weights.scores = "weight_norm";
        cr_net *net = net_new(&kinds[kind]);
        cr_net *other = net_new(&by_weights);
        net_batch batch = net_batch_new(net, BATCH);
        int changed = 0;
        assert_false(net->knows);
        step(net, &batch, 0);
        step(other, &batch, 0);
        assert_true(net->knows);
        for (int s = 0; s < net->segment_count; s++)
            assert_true(net->segments[s].pick.hash == other->segments[s].pick.hash);
        step(net, &batch, 1);
        for (int s = 0; s < net->segment_count; s++)
            changed += net->segments[s].pick.hash != other->segments[s].pick.hash;
        assert_true(changed > 0); /* then inputs do */
        net_batch_free(&batch);
        cr_net_free(&net);
        cr_net_free(&other);
    }
}

/* The second step by the means of the first, the inputs of the second being others. */
static void the_last_step_decides(void **state)
{
    (void)state;
    cr_net *net = net_new(&kinds[0]);
    net_batch batch = net_batch_new(net, BATCH);
    step(net, &batch, 0);
    for (int64_t i = 0; i < BATCH * net_features(net); i++)
        batch.x[i] *= i % net_features(net) < 8 ? 100.0F : 0.01F; /* 8 of 20 are kept */
    step(net, &batch, 1);
    assert_int_equal(net->segments[0].pick.k, 8);
    assert_true(net->segments[0].pick.index[7] > 7);
    step(net, &batch, 2);
    assert_int_equal(net->segments[0].pick.index[7], 7);
    net_batch_free(&batch);
    cr_net_free(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norms_are_those_of_all_micro_batches),
        cmocka_unit_test(before_the_first_step_weights_decide),
        cmocka_unit_test(the_last_step_decides),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
