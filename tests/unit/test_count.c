/* count: multiply-accumulates of a run, against counts made by hand. */
#include "nets.h"

/* One step of 6 + 4 samples in two micro-batches, then the counters of ten samples. */
static cr_macs count(const net_wish *wish)
{
    net_wish of_rows = *wish;
    of_rows.rows = 10;
    cr_net *net = net_new(&of_rows);
    net_batch batch = net_batch_new(net, 10);
    cr_result result = {0};
    cr_net_begin(net, 0, &cr_net_alone);
    net_pass(net, &result, &batch, 0, 6, true);
    net_pass(net, &result, &batch, 6, 4, false);
    cr_macs macs = cr_net_counted(net);
    net_batch_free(&batch);
    cr_net_free(&net);
    return macs;
}

/* exact: forward 784 500 + 500 500 + 500 10 = 647000, weight gradients the same, input gradients
 *        without the first layer's 392000: 3 647000 - 392000 = 1549000
 * paper: the forward fraction for all three: k = 313, 200, 200 of 784, 500, 500:
 *        2 (313 500 + 200 500 + 200 10) + 200 500 + 200 10 = 619000
 * executed: the backward products only at live outputs:
 *        258500 + (313 200 + 200 200 + 200 10) + (200 200 + 200 10) = 405100 */
static void the_mnist_mlp_at_40_percent(void **state)
{
    (void)state;
    net_wish wish = {.sizes = NET_SIZES(784, 500, 500, 10), .ratio = 0.4};
    cr_macs macs = count(&wish);
    assert_int_equal(macs.exact, 10 * 1549000);
    assert_int_equal(macs.paper, 10 * 619000);
    assert_int_equal(macs.executed, 10 * 405100);
    ASSERT_NEAR(cr_macs_reduction_paper(&macs), 0.6004, 5e-5);
    ASSERT_NEAR(cr_macs_reduction_executed(&macs), 0.7385, 5e-5);
}

static void an_exact_net_reduces_nothing(void **state)
{
    (void)state;
    cr_macs macs = count(&(net_wish){.sizes = NET_SIZES(20, 9, 4)});
    assert_int_equal(macs.exact, 10 * (2 * (20 * 9 + 9 * 4) + 9 * 4));
    assert_int_equal(macs.paper, macs.exact);
    assert_int_equal(macs.executed, macs.exact);
    assert_true(cr_macs_reduction_paper(&macs) == 0);
    assert_true(cr_macs_reduction_executed(&macs) == 0);
}

/* A draw with replacement counts the distinct channels it kept. */
static void distinct_channels_count(void **state)
{
    (void)state;
    net_wish wish = {.sizes = NET_SIZES(50, 40, 10), .ratio = 0.8, .rows = 10};
    wish.draw = "replacement";
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, 10);
    (void)net_step(net, &batch, 0);
    int64_t k0 = net->segments[0].pick.k;
    int64_t k1 = net->segments[1].pick.k;
    assert_true(k0 < 40 && k1 < 32); /* some were drawn twice */
    cr_macs macs = cr_net_counted(net);
    assert_int_equal(macs.paper, 10 * (2 * k0 * 40 + 3 * k1 * 10));
    assert_int_equal(macs.executed, 10 * (k0 * 40 + k0 * k1 + 3 * k1 * 10));
    net_batch_free(&batch);
    cr_net_free(&net);
}

/* The three products of one segment, and none for the gradient of the data. */
static void products_of_a_segment(void **state)
{
    (void)state;
    cr_net *net = net_new(&(net_wish){.sizes = NET_SIZES(50, 40, 10), .rows = 1});
    for (int s = 0; s < 2; s++) {
        int n = s == 0 ? 50 : 40;
        int out = s == 0 ? 40 : 10;
        for (int p = 0; p < 3; p++) {
            cr_macs macs = cr_net_macs(net, s, p, 7, 5);
            bool none = s == 0 && p == 1;
            assert_int_equal(macs.exact, none ? 0 : n * out);
            assert_int_equal(macs.paper, none ? 0 : 7 * out);
            assert_int_equal(macs.executed, none ? 0 : p == 0 ? 7 * out : 7 * 5);
        }
    }
    cr_net_free(&net);
}

/* Counts a sample of a net whose picks are as large as they can be. */
static cr_macs planned(const cr_net *net)
{
    cr_macs sum = {0};
    for (int s = 0; s + 1 < net->segment_count; s++) {
        if (net->layers[net->segments[s].consumer].type->contraction == NULL)
            continue;
        for (int p = 0; p < 3; p++) {
            cr_macs one = cr_net_macs(net, s, p, net->segments[s].most, cr_net_live_most(net, s));
            sum.exact += one.exact;
            sum.paper += one.paper;
            sum.executed += one.executed;
        }
    }
    return sum;
}

static void check_planned(const cr_net_plan *plan, double paper, double executed)
{
    cr_net *net = NULL;
    ASSERT_OK(cr_net_create(&net, plan));
    cr_macs macs = planned(net);
    ASSERT_NEAR(cr_macs_reduction_paper(&macs), paper, 5e-5);
    ASSERT_NEAR(cr_macs_reduction_executed(&macs), executed, 5e-5);
    cr_net_free(&net);
}

/* forward: conv1 784 25 32 = 627200, conv2 196 25 32 64 = 10035200, fc1 3136 1024 = 3211264, fc2
 * 10240; the same backwards but for conv1's input gradient: 3 13883904 - 627200 = 41024512 */
static void cnn_mnist_at_30_percent(void **state)
{
    (void)state;
    net_wish wish = {.model = "cnn_mnist", .input = {28, 28, 1}, .classes = 10, .rows = 1};
    wish.ratio = 0.3;
    cr_net *net = net_new(&wish);
    cr_macs macs = planned(net);
    assert_int_equal(macs.exact, 41024512);
    /* conv2 keeps 9 of 32, fc1 940 of 3136, fc2 307 of 1024, conv1 its one channel */
    int64_t conv2 = 196 * 25 * 9 * 64, fc1 = 940 * 1024, fc2 = 307 * 10;
    assert_int_equal(macs.paper, 2 * 627200 + 3 * (conv2 + fc1 + fc2));
    /* live: 9 channels of conv1, all of conv2 (a flatten), 307 of fc1 */
    assert_int_equal(macs.executed,
                     627200 + 784 * 25 * 9 + 3 * conv2 + fc1 + 2 * 940 * 307 + 3 * fc2);
    cr_net_free(&net);
}

/* WRN-28-10, worked out from the shapes by a program of its own: 5214.6 million forward; at least
 * 10 channels are kept, of the first block's 16. Then only the layers with 320 and 640 filters. */
static void wide_resnet_at_50_percent(void **state)
{
    (void)state;
    const net_wish wish = {.model = "wide_resnet",
                           .input = {32, 32, 3},
                           .classes = 100,
                           .options = "depth=28 width=10",
                           .exact = {"fc"},
                           .ratio = 0.5,
                           .rows = 1};
    cr_net_plan plan = net_plan(&wish);
    plan.sampling.minimum = 10;
    check_planned(&plan, 0.4994, 0.5758);
    plan.sampling.ratio = 1;
    plan.sampling.layers = (cr_sample_layers){{1, {"group[23].*"}}, {{.ratio = 0.5}}};
    check_planned(&plan, 0.3393, 0.3921);
}

/* ---- a second sampling ------------------------------------------------------------------------
 */

/* A step of 50 samples, by sample; the plan says the same. */
static cr_macs count_step(net_wish wish)
{
    wish.rows = 50;
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, 50);
    (void)net_step(net, &batch, 0);
    cr_macs macs = cr_net_counted(net), plan = planned(net);
    assert_true(macs.exact == 50 * plan.exact && macs.paper == 50 * plan.paper &&
                macs.executed == 50 * plan.executed);
    net_batch_free(&batch);
    cr_net_free(&net);
    return plan;
}

/* forward: 258500 as above; weight gradients of 10 samples of 50, a fifth of the above: 51700, or
 * 20920 at live outputs; input gradients of 25 of fc2's 500 outputs, which are live, and all of
 * fc3's: 200 25 + 200 10 = 7000 */
static void the_mnist_mlp_at_40_and_5_percent(void **state)
{
    (void)state;
    net_wish wish = {.sizes = NET_SIZES(784, 500, 500, 10), .ratio = 0.4};
    wish.backward.ratio = 0.05;
    wish.backward.minimum = 10;
    cr_macs macs = count_step(wish);
    assert_int_equal(macs.exact, 1549000);
    assert_int_equal(macs.paper, 258500 + 51700 + 7000);
    assert_int_equal(macs.executed, 258500 + 20920 + 7000);
    ASSERT_NEAR(cr_macs_reduction_paper(&macs), 0.795, 0.01); /* table 2 */
}

/* Half of 500 outputs, of which 200 are live: the paper, which knows no dead ones, pays for 250. */
static void more_outputs_than_are_live(void **state)
{
    (void)state;
    net_wish wish = {.sizes = NET_SIZES(784, 500, 500, 10), .ratio = 0.4};
    wish.backward.ratio = 0.5;
    cr_macs macs = count_step(wish);
    assert_int_equal(macs.paper, 258500 + 258500 / 2 + 200 * 250 + 200 * 5);
    assert_int_equal(macs.executed, 258500 + 104600 / 2 + 200 * 200 + 200 * 5);
}

/* forward 647000; 30 of 500 and 1 of 10 (or all 10) outputs in both products:
 * 784 30 + 2 (500 30 + 500) = 54520 */
static void meprop_at_6_percent(void **state)
{
    (void)state;
    net_wish wish = {.sizes = NET_SIZES(784, 500, 500, 10)};
    wish.backward.method = "meprop";
    wish.backward.ratio = 0.06;
    cr_macs macs = count_step(wish);
    assert_int_equal(macs.paper, 647000 + 54520);
    assert_int_equal(macs.executed, macs.paper);
    ASSERT_NEAR(cr_macs_reduction_paper(&macs), 0.547, 0.01);
    wish.backward.minimum = 10;
    macs = count_step(wish);
    assert_int_equal(macs.paper, 647000 + 54520 + 2 * 4500);
}

/* conv2 keeps 12 of 32, fc1 1254 of 3136, fc2 409 of 1024; 10 of 50 samples, conv1's included; 12
 * of conv2's 64 outputs, 204 of fc1's 1024, all of fc2's. Fifths are cut off. */
static void cnn_mnist_at_40_and_20_percent(void **state)
{
    (void)state;
    net_wish wish = {.model = "cnn_mnist", .input = {28, 28, 1}, .classes = 10, .rows = 50};
    wish.ratio = 0.4;
    wish.backward.ratio = 0.2;
    wish.backward.minimum = 10;
    cr_net *net = net_new(&wish);
    cr_macs macs = planned(net);
    int64_t conv1 = 784 * 25 * 32, conv2 = 196 * 25 * 12, fc1 = 1254, fc2 = 409;
    int64_t forward = conv1 + conv2 * 64 + fc1 * 1024 + fc2 * 10;
    int64_t inputs = conv2 * 12 + fc1 * 204 + fc2 * 10;
    assert_int_equal(macs.paper,
                     forward + inputs + conv1 / 5 + conv2 * 64 / 5 + fc1 * 1024 / 5 + fc2 * 10 / 5);
    assert_int_equal(macs.executed, forward + inputs + 784 * 25 * 12 / 5 + conv2 * 64 / 5 +
                                        fc1 * 409 / 5 + fc2 * 10 / 5);
    ASSERT_NEAR(cr_macs_reduction_paper(&macs), 0.81, 0.005);
    cr_net_free(&net);
}

/* Samples and outputs drawn twice are multiplied once. */
static void distinct_samples_count(void **state)
{
    (void)state;
    net_wish wish = {.sizes = NET_SIZES(30, 40, 10), .rows = 20};
    wish.backward.draw = "replacement";
    wish.backward.ratio = 0.8;
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, 20);
    (void)net_step(net, &batch, 0);
    const cr_segment *s = net->segments;
    assert_true(s[0].examples.k < 16 && s[1].examples.k < 16 && s[1].outputs.k <= 8);
    cr_macs macs = cr_net_counted(net);
    assert_int_equal(macs.executed, 20 * (30 * 40 + 40 * 10) + s[0].examples.k * 30 * 40 +
                                        s[1].examples.k * 40 * 10 + 20 * 40 * s[1].outputs.k);
    assert_int_equal(macs.paper, macs.executed); /* of an exact forward pass */
    net_batch_free(&batch);
    cr_net_free(&net);
}

static void nothing_counted_reduces_nothing(void **state)
{
    (void)state;
    cr_macs none = {0};
    assert_true(cr_macs_reduction_paper(&none) == 0);
    assert_true(cr_macs_reduction_executed(&none) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mnist_mlp_at_40_percent),
        cmocka_unit_test(an_exact_net_reduces_nothing),
        cmocka_unit_test(distinct_channels_count),
        cmocka_unit_test(products_of_a_segment),
        cmocka_unit_test(cnn_mnist_at_30_percent),
        cmocka_unit_test(wide_resnet_at_50_percent),
        cmocka_unit_test(the_mnist_mlp_at_40_and_5_percent),
        cmocka_unit_test(more_outputs_than_are_live),
        cmocka_unit_test(meprop_at_6_percent),
        cmocka_unit_test(cnn_mnist_at_40_and_20_percent),
        cmocka_unit_test(distinct_samples_count),
        cmocka_unit_test(nothing_counted_reduces_nothing),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
