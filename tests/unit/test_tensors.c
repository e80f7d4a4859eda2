/*
 * tensors: what lies between the segments of a convolutional net: whose gradient has all channels,
 * which channels are live, and that tensors which live together share no memory. And what must
 * hold however memory is shared: nothing stale is read, threads do not change the bits.
 */
#include "updates.h"

#include "../../src/net/chain.h"

static const net_wish cnn = {.model = "cnn_mnist",
                             .input = {28, 28, 1},
                             .classes = 10,
                             .exact = {"fc2"},
                             .ratio = 0.3,
                             .rows = 2};

static const net_wish resnets[] = {
    {.model = "wide_resnet",
     .input = {32, 32, 3},
     .classes = 10,
     .options = "depth=16 width=2 shortcut=zero_pad",
     .exact = {"fc"},
     .ratio = 0.5,
     .rows = 2},
    {.model = "wide_resnet",
     .input = {32, 32, 3},
     .classes = 10,
     .options = "depth=10 width=1 shortcut=projection",
     .exact = {"fc"},
     .ratio = 0.5,
     .rows = 2},
};

static const cr_segment *segment_of(const cr_net *net, const char *consumer)
{
    for (int s = 0; s < net->segment_count; s++)
        if (strcmp(net->layers[net->segments[s].consumer].name, consumer) == 0)
            return &net->segments[s];
    fail_msg("no segment ends with %s", consumer);
    return NULL;
}

static const cr_tensor *target_of(const cr_net *net, const char *consumer)
{
    return &net->tensors[segment_of(net, consumer)->target];
}

/* ---- liveness -------------------------------------------------------------------------------- */

/* conv1, pool1, conv2, pool2 and flatten, fc1, fc2: live is what the next contraction keeps, also
 * through a pooling; a flatten makes the gradient dense. */
static void liveness_of_cnn_mnist(void **state)
{
    (void)state;
    cr_net *net = net_new(&cnn);
    const cr_pick *kept = &segment_of(net, "conv2")->pick;
    assert_ptr_equal(segment_of(net, "pool1")->live, kept);
    assert_ptr_equal(segment_of(net, "pool1")->active, kept);
    assert_ptr_equal(segment_of(net, "conv1")->live, kept);
    assert_false(target_of(net, "conv1")->dense || target_of(net, "pool1")->dense);
    assert_true(target_of(net, "pool2")->dense);
    assert_int_equal(segment_of(net, "conv2")->live->k, 64);
    assert_int_equal(segment_of(net, "pool2")->active->k, 64);
    assert_ptr_equal(segment_of(net, "fc1")->live, &segment_of(net, "fc2")->pick);
    assert_int_equal(cr_net_live_most(net, 0), 9); /* floor(0.3 32) */
    assert_int_equal(segment_of(net, "conv1")->most, 1);
    assert_int_equal(segment_of(net, "fc1")->n, 3136);
    cr_net_free(&net);
}

/* Inside a block the second convolution's pick reaches back; its own output is a residual sum. */
static void liveness_of_a_block(void **state)
{
    (void)state;
    cr_net *net = net_new(&resnets[0]);
    const cr_segment *conv1 = segment_of(net, "group2.block2.conv1");
    const cr_segment *conv2 = segment_of(net, "group2.block2.conv2");
    assert_ptr_equal(conv1->live, &conv2->pick);
    assert_false(net->tensors[conv1->target].dense);
    assert_true(conv2->adds && net->tensors[conv2->target].dense);
    assert_int_equal(conv2->live->k, 64);
    assert_int_equal(conv2->target, conv1->source); /* an identity block adds to its input */
    const cr_tensor *stream = &net->tensors[segment_of(net, "group2.block1.shortcut")->target];
    assert_ptr_equal(stream, target_of(net, "group2.block2.conv2"));
    assert_ptr_equal(segment_of(net, "group2.block1.shortcut")->active,
                     &net->tensors[segment_of(net, "group2.block1.shortcut")->source].all);
    assert_true(target_of(net, "group1.block1.activated")->dense); /* two readers */
    assert_int_equal(target_of(net, "group1.block1.activated")->readers, 2);
    assert_ptr_equal(segment_of(net, "pool")->active, &segment_of(net, "fc")->pick);
    cr_net_free(&net);
}

/* zero_pad moves channels, so no pick passes through it: it wants all of its output's gradient even
 * where a sampled contraction is the only reader. */
static void a_mapping_that_moves_channels_wants_all_of_them(void **state)
{
    (void)state;
    const cr_layer_plan plans[] = {
        {.type = "conv2d", .name = "conv1", .width = 8, .kernel = 3},
        {.type = "zero_pad", .name = "pad", .width = 12},
        {.type = "conv2d", .name = "conv2", .width = 8, .kernel = 3},
        {.type = "average_pool", .name = "pool"},
        {.type = "dense", .name = "fc", .width = 3},
        {.type = "softmax_cross_entropy", .name = "loss"},
    };
    cr_net *net = net_bare((cr_shape){4, 4, 3});
    net->liveness = true;
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++)
        ASSERT_OK(cr_net_add(net, &plans[i]));
    cr_tensors_link(net);
    assert_true(target_of(net, "pad")->dense);
    assert_ptr_equal(segment_of(net, "conv1")->live, &target_of(net, "conv1")->all);
    assert_false(target_of(net, "conv2")->dense); /* what follows it is channelwise */
    cr_net_free(&net);
}

static void without_liveness_all_is_dense(void **state)
{
    (void)state;
    net_wish wish = resnets[0];
    wish.everything = true;
    cr_net *net = net_new(&wish);
    for (int t = 1; t < net->tensor_count; t++)
        assert_true(net->tensors[t].dense);
    cr_net_free(&net);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static bool apart(const float *a, int64_t floats_a, const float *b, int64_t floats_b)
{
    return a + floats_a <= b || b + floats_b <= a;
}

static int64_t floats_of(const cr_net *net, const cr_tensor *t)
{
    return (int64_t)net->rows * t->shape.h * t->shape.w * t->shape.c;
}

/* A tensor lives from the segment that first writes it to the last that reads or adds to it; its
 * gradient the same way back. */
static void check_memory(const net_wish *wish)
{
    cr_net *net = net_new(wish);
    int64_t all = 0, distinct = 0;
    for (int i = 1; i < net->tensor_count; i++) {
        const cr_tensor *a = &net->tensors[i];
        bool first = true; /* of those that lie there */
        for (int j = 1; j < i; j++) {
            const cr_tensor *b = &net->tensors[j];
            bool together = a->first_writer <= b->last_user && b->first_writer <= a->last_user;
            assert_true(!together ||
                        apart(a->values, floats_of(net, a), b->values, floats_of(net, b)));
            assert_true(!together || apart(a->gradient, net_gradient_floats(net, a), b->gradient,
                                           net_gradient_floats(net, b)));
            first = first && a->values != b->values;
        }
        all += floats_of(net, a);
        distinct += first ? floats_of(net, a) : 0;
    }
    assert_true(distinct < all); /* some do share */
    cr_net_free(&net);
}

static void tensors_that_live_together_share_nothing(void **state)
{
    (void)state;
    check_memory(&cnn);
    check_memory(&resnets[0]);
    check_memory(&resnets[1]);
}

static void nothing_stale_is_read(void **state)
{
    (void)state;
    for (int exact = 0; exact < 2; exact++) {
        net_wish wishes[] = {cnn, resnets[0], resnets[1]};
        for (int i = 0; i < 3; i++) {
            wishes[i].ratio = exact == 1 ? 1 : wishes[i].ratio;
            wishes[i].dropout = 0.2;
            net_check_poison(&wishes[i]);
        }
    }
    net_wish replaced = resnets[0]; /* k changes from step to step */
    replaced.draw = "replacement";
    replaced.dropout = 0.2;
    net_check_poison(&replaced);
}

/* ---- threads --------------------------------------------------------------------------------- */

/* The gradient of the second step, in tensors large enough that loops are shared among threads. */
static float *gradient_with(int threads, net_wish wish, int64_t *count)
{
    wish.rows = 24;
    wish.dropout = 0.1;
    cr_engine_set_threads(threads);
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, wish.rows);
    updater u;
    updater_start(&u, net, "momentum");
    (void)net_step(net, &batch, 0);
    updater_run(&u, 0.01);
    (void)net_step(net, &batch, 1);
    float *dense = net_gradient(net);
    *count = net->parameter_count;
    updater_free(&u);
    net_batch_free(&batch);
    cr_net_free(&net);
    cr_engine_set_threads(1);
    return dense;
}

static void threads_do_not_change_the_bits(void **state)
{
    (void)state;
    const net_wish wishes[] = {cnn, resnets[1]};
    for (int i = 0; i < 2; i++) {
        int64_t count = 0;
        float *one = gradient_with(1, wishes[i], &count);
        for (int threads = 2; threads <= 3; threads++) {
            float *more = gradient_with(threads, wishes[i], &count);
            assert_same_bits(more, one, count);
            CR_FREE(more);
        }
        CR_FREE(one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(liveness_of_cnn_mnist),
        cmocka_unit_test(liveness_of_a_block),
        cmocka_unit_test(a_mapping_that_moves_channels_wants_all_of_them),
        cmocka_unit_test(without_liveness_all_is_dense),
        cmocka_unit_test(tensors_that_live_together_share_nothing),
        cmocka_unit_test(nothing_stale_is_read),
        cmocka_unit_test(threads_do_not_change_the_bits),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
