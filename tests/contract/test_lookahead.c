/*
 * lookahead: output channels that the next layer drops are not worked out. Nothing else may change:
 * the gradient against derivatives of a twin in double, which works all channels out, and against
 * the same net without lookahead; running statistics and remembered norms of the channels left out
 * stay; an evaluation sees all channels. Memory holds NaN where a step has not written.
 */
#include "engines.h"
#include "twin.h"

/* Norm-wise, as in test_networks: Winograd may round ten times as much as 4e-6. */
static const double DERIVATIVE = 1e-4;
static const double MARGIN = 1e-6;

enum { ROWS = 3 };

/* No layer but the first and the classifier is exact: every other one has a pick. */
static const net_wish nets[] = {
    {.sizes = NET_SIZES(24, 40, 30, 6)},
    {.model = "cnn_mnist", .input = {7, 7, 16}, .classes = 10},
    {.model = "wide_resnet",
     .input = {8, 8, 48},
     .classes = 10,
     .options = "depth=10 width=2 shortcut=zero_pad leak=0.1"},
    {.model = "wide_resnet",
     .input = {8, 8, 48},
     .classes = 10,
     .options = "depth=10 width=1 shortcut=projection"},
};
enum { NETS = sizeof nets / sizeof *nets };

static net_wish looking_ahead(int i)
{
    net_wish wish = nets[i];
    wish.rows = ROWS;
    wish.ratio = 0.4;
    wish.initializer = "he";
    wish.seed = 11;
    wish.remembers = true;
    wish.lookahead = true;
    return wish;
}

/* A step after which the next one looks ahead. */
static void first_step(cr_net *net, const net_batch *batch)
{
    (void)net_step(net, batch, 3);
    assert_false(net->ahead);
    cr_net_remember(net, net->gradient, batch->rows);
    assert_true(net->knows);
}

static int skipping(const cr_net *net)
{
    int count = 0;
    for (int t = 0; t < net->tensor_count; t++)
        count += net->tensors[t].skips;
    return count;
}

/* ---- gradients ------------------------------------------------------------------------------- */

static bool check_net(const net_wish *wish)
{
    cr_net *net = net_new(wish);
    net_batch batch = net_batch_new(net, ROWS);
    first_step(net, &batch);
    bool usable = twin_check_net(net, ROWS, DERIVATIVE, MARGIN, wish->options);
    assert_true(net->ahead && skipping(net) > 0);
    net_batch_free(&batch);
    cr_net_free(&net);
    return usable;
}

static void check_some_seed(net_wish wish)
{
    for (; wish.seed < 16; wish.seed++)
        if (check_net(&wish))
            return;
    fail_msg("no seed keeps every choice away from another");
}

static void gradients_are_those_of_a_net_that_works_all_out(void **state)
{
    (void)state;
    for (int i = 0; i < NETS; i++) {
        net_wish wish = looking_ahead(i);
        check_some_seed(wish);
        wish.dropout = 0.3;
        wish.draw = "bernoulli"; /* k differs from layer to layer and step to step */
        wish.scale = true;
        check_some_seed(wish);
        wish.backward.ratio = 0.5;
        check_some_seed(wish);
    }
}

/* ---- against the net without ----------------------------------------------------------------- */
typedef struct pair {
    cr_net *ahead, *plain;
    net_batch batch;
} pair;

static void start(pair *p, net_wish wish)
{
    p->ahead = net_new(&wish);
    wish.lookahead = false;
    p->plain = net_new(&wish);
    p->batch = net_batch_new(p->ahead, ROWS);
    first_step(p->ahead, &p->batch);
    first_step(p->plain, &p->batch);
    assert_same_bits(p->ahead->remembered, p->plain->remembered, p->ahead->remembered_count);
    for (cr_net *net = p->ahead; net != NULL; net = net == p->ahead ? p->plain : NULL) {
        cr_net_update_statistics(net, net->gradient, 1);
        net_poison(net);
    }
}

static void finish(pair *p)
{
    net_batch_free(&p->batch);
    cr_net_free(&p->ahead);
    cr_net_free(&p->plain);
}

/* Products of fewer outputs may be summed in another order. */
static void check_gradients(const pair *p)
{
    float *found = net_gradient(p->ahead), *expected = net_gradient(p->plain);
    for (int i = 0; cr_net_parameter(p->ahead, i) != NULL; i++) {
        const cr_parameter *q = cr_net_parameter(p->ahead, i);
        double gap = values_gap_float(found + q->offset, expected + q->offset, q->count);
        if (!(gap <= 1e-4))
            fail_msg("%s/%s: with and without lookahead are apart by %.3g", q->layer, q->name, gap);
    }
    CR_FREE(found);
    CR_FREE(expected);
}

static void lookahead_changes_no_gradient(void **state)
{
    (void)state;
    for (int i = 0; i < NETS; i++)
        for (int e = 0; engines_at(e) != NULL; e++) {
            pair p;
            net_wish wish = looking_ahead(i);
            wish.engine = engines_at(e)->name;
            if (engines_in_bf16(engines_at(e)))
                continue; /* there a rounding may turn a ReLU: see test_precision */
            start(&p, wish);
            double loss = net_step(p.ahead, &p.batch, 4);
            assert_true(p.ahead->ahead && !p.plain->ahead);
            ASSERT_NEAR(net_step(p.plain, &p.batch, 4), loss, 1e-5 * loss);
            for (int s = 0; s < p.ahead->segment_count; s++)
                assert_true(p.ahead->segments[s].pick.hash == p.plain->segments[s].pick.hash);
            check_gradients(&p);
            finish(&p);
        }
}

/* Micro-batches add up, an empty one adds nothing. */
static void micro_batches_add_up(void **state)
{
    (void)state;
    pair p;
    cr_result results[2] = {0};
    start(&p, looking_ahead(0)); /* without batch norm a cut changes nothing */
    for (int i = 0; i < 2; i++) {
        cr_net *net = i == 0 ? p.ahead : p.plain;
        cr_net_begin(net, 4, &cr_net_alone);
        net_pass(net, &results[i], &p.batch, 0, 2, true);
        net_pass(net, &results[i], &p.batch, 0, 0, false);
        net_pass(net, &results[i], &p.batch, 2, 1, false);
    }
    ASSERT_NEAR(results[0].loss, results[1].loss, 1e-5 * results[1].loss);
    check_gradients(&p);
    finish(&p);
}

/* ---- what stays ------------------------------------------------------------------------------ */

static bool has(const cr_pick *pick, int channel)
{
    for (int j = 0; j < pick->k; j++)
        if (pick->index[j] == channel)
            return true;
    return false;
}

/* Of the channels worked out what the other net has; of the others what was before. */
static void check_channel(double found, double other, double before, bool worked_out)
{
    if (worked_out)
        ASSERT_NEAR(found, other, 1e-5 * (fabs(other) + 1));
    else
        assert_true(found == before);
}

/* Channel c of the input of segment s, and of the batch norms before it. */
static void check_input(const pair *p, int s, int c, const float *norms, const float *statistics)
{
    const cr_net *net = p->ahead;
    const cr_segment *segment = &net->segments[s];
    bool worked_out = !net->tensors[segment->source].skips || has(segment->active, c);
    int64_t at = segment->remembered_offset + c;
    if (segment->squares != NULL)
        check_channel(net->remembered[at], p->plain->remembered[at], norms[at], worked_out);
    for (int l = 0; l < segment->chain_count; l++) {
        const cr_layer *layer = &net->layers[segment->chain_first + l];
        for (int64_t v = c; v < layer->statistics; v += segment->n) {
            at = layer->statistics_offset + v;
            check_channel(net->statistics[at], p->plain->statistics[at], statistics[at],
                          worked_out);
        }
    }
}

static float *copy_of(const float *values, int64_t count)
{
    float *copy = values_new(count, sizeof *copy);
    memcpy(copy, values, (size_t)count * sizeof *copy);
    return copy;
}

static void step_and_follow(cr_net *net, const net_batch *batch)
{
    (void)net_step(net, batch, 4);
    cr_net_remember(net, net->gradient, batch->rows);
    cr_net_update_statistics(net, net->gradient, 1);
}

static void statistics_and_norms_of_the_others_stay(void **state)
{
    (void)state;
    for (int i = 0; i < NETS; i++) {
        pair p;
        start(&p, looking_ahead(i));
        const cr_net *net = p.ahead;
        float *norms = copy_of(net->remembered, net->remembered_count);
        float *statistics = copy_of(net->statistics, net->statistics_count);
        for (int j = 0; j < p.batch.rows * net_features(net); j++)
            p.batch.x[j] *= 1.5F; /* so that nothing stays by itself */
        step_and_follow(p.ahead, &p.batch);
        step_and_follow(p.plain, &p.batch);
        for (int s = 0; s < net->segment_count; s++)
            for (int c = 0; c < net->segments[s].n; c++)
                check_input(&p, s, c, norms, statistics);
        CR_FREE(norms);
        CR_FREE(statistics);
        finish(&p);
    }
}

/* Exact, by all channels: what the other net finds. */
static void an_evaluation_sees_all_channels(void **state)
{
    (void)state;
    for (int i = 0; i < NETS; i++) {
        pair p;
        cr_result found = {0}, expected = {0};
        start(&p, looking_ahead(i));
        (void)net_step(p.ahead, &p.batch, 4);
        ASSERT_OK(cr_net_evaluate(p.ahead, &found, p.batch.x, p.batch.labels, ROWS));
        ASSERT_OK(cr_net_evaluate(p.plain, &expected, p.batch.x, p.batch.labels, ROWS));
        assert_true(found.loss == expected.loss);
        finish(&p);
    }
}

/* ---- multiply-accumulates -------------------------------------------------------------------- */

/* MLP 784-500-500-10 at 40%: k = 313, 200, 200. */
static void the_forward_product_shrinks_too(void **state)
{
    (void)state;
    net_wish wish = {.sizes = NET_SIZES(784, 500, 500, 10),
                     .rows = 2,
                     .ratio = 0.4,
                     .remembers = true,
                     .lookahead = true};
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, 2);
    first_step(net, &batch);
    cr_macs before = cr_net_counted(net);
    (void)net_step(net, &batch, 4);
    cr_macs after = cr_net_counted(net), planned = {0};
    int64_t executed = INT64_C(2) * (2 * 313 * 200 + 3 * 200 * 200 + 3 * 200 * 10);
    assert_int_equal(after.executed - before.executed, executed);
    assert_int_equal(after.paper - before.paper, before.paper);
    for (int s = 0; s < 3; s++)
        for (int product = 0; product < 3; product++)
            planned.executed +=
                cr_net_macs(net, s, product, net->segments[s].asked, cr_net_live_asked(net, s))
                    .executed;
    assert_int_equal(planned.executed, executed / 2);
    net_batch_free(&batch);
    cr_net_free(&net);
}

/* conv1 of cnn_mnist works out what conv2, behind a pooling layer, keeps; before the flatten all.
 */
static void it_reaches_through_pooling(void **state)
{
    (void)state;
    net_wish wish = looking_ahead(1);
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, ROWS);
    first_step(net, &batch);
    int64_t before[2] = {net->segments[0].macs[0].executed, net->segments[2].macs[0].executed};
    (void)net_step(net, &batch, 4);
    assert_int_equal(net->segments[2].pick.k, 12); /* of 32 */
    assert_int_equal(net->segments[0].macs[0].executed - before[0], before[0] / 32 * 12);
    assert_int_equal(net->segments[2].macs[0].executed, 2 * before[1]);
    net_batch_free(&batch);
    cr_net_free(&net);
}

static void it_wants_picks_that_are_known(void **state)
{
    (void)state;
    net_wish wish = looking_ahead(0);
    cr_net *net = NULL;
    wish.remembers = false;
    cr_net_plan plan = net_plan(&wish);
    ASSERT_FAILS(cr_net_create(&net, &plan), CR_BAD_CONFIG, "sampling.lookahead");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_those_of_a_net_that_works_all_out),
        cmocka_unit_test(lookahead_changes_no_gradient),
        cmocka_unit_test(micro_batches_add_up),
        cmocka_unit_test(statistics_and_norms_of_the_others_stay),
        cmocka_unit_test(an_evaluation_sees_all_channels),
        cmocka_unit_test(the_forward_product_shrinks_too),
        cmocka_unit_test(it_reaches_through_pooling),
        cmocka_unit_test(it_wants_picks_that_are_known),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
