/* net: how a model becomes layers, segments and flat arrays; what is refused; exact evaluation. */
#include "nets.h"

static const net_wish usual = {.sizes = {4, {30, 20, 12, 5}}, .rows = 16, .seed = 2};

/* ---- creation -------------------------------------------------------------------------------- */

static void an_mlp_has_these_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *layer, *name;
        int rank, in, out, segment;
        bool decay;
    } expected[] = {{"fc1", "kernel", 2, 30, 20, 0, true}, {"fc1", "bias", 1, 20, 0, 1, false},
                    {"fc2", "kernel", 2, 20, 12, 1, true}, {"fc2", "bias", 1, 12, 0, 2, false},
                    {"fc3", "kernel", 2, 12, 5, 2, true},  {"fc3", "bias", 1, 5, 0, 3, false}};
    cr_net *net = net_new(&usual);
    for (int i = 0; i < 6; i++) {
        const cr_parameter *p = cr_net_parameter(net, i);
        assert_string_equal(p->layer, expected[i].layer); /* a bias has its dense layer's */
        assert_string_equal(p->name, expected[i].name);
        assert_int_equal(p->rank, expected[i].rank);
        assert_int_equal(p->dims[0], expected[i].in);
        if (p->rank > 1)
            assert_int_equal(p->dims[1], expected[i].out);
        assert_int_equal(p->decay, expected[i].decay);
        assert_int_equal(p->segment, expected[i].segment);
        assert_int_equal(cr_parameter_row(p), p->dims[p->rank - 1]);
    }
    assert_null(cr_net_parameter(net, 6));
    assert_int_equal(cr_net_size(net), 30 * 20 + 20 + 20 * 12 + 12 + 12 * 5 + 5);
    cr_net_free(&net);
}

static void parameters_do_not_overlap(void **state)
{
    (void)state;
    cr_net *net = net_new(&usual);
    bool *taken = values_new(net->parameter_count, sizeof *taken);
    assert_int_equal((uintptr_t)net->parameters % CR_ALIGNMENT, 0);
    for (int i = 0; cr_net_parameter(net, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(net, i);
        assert_int_equal(p->offset % 16, 0);
        assert_true(p->offset + p->count <= net->parameter_count);
        for (int64_t j = 0; j < p->count; j++) {
            assert_false(taken[p->offset + j]);
            taken[p->offset + j] = true;
        }
    }
    CR_FREE(taken);
    cr_net_free(&net);
}

static void names_are_unlike(void **state)
{
    (void)state;
    cr_net *net = net_new(&usual);
    for (int i = 0; cr_net_parameter(net, i) != NULL; i++)
        for (int j = 0; j < i; j++)
            assert_false(
                strcmp(cr_net_parameter(net, i)->layer, cr_net_parameter(net, j)->layer) == 0 &&
                strcmp(cr_net_parameter(net, i)->name, cr_net_parameter(net, j)->name) == 0);
    cr_net_free(&net);
}

static void segments_end_with_what_contracts(void **state)
{
    (void)state;
    net_wish wish = usual;
    wish.dropout = 0.2;
    wish.ratio = 0.4;
    cr_net *net = net_new(&wish);
    static const int chains[] = {0, 3, 3, 1}; /* bias, relu, dropout; bias alone before the loss */
    static const int most[] = {12, 8, 4, 5};  /* floor(0.4 n); the loss is never sampled */
    assert_int_equal(net->segment_count, 4);
    for (int s = 0; s < 4; s++) {
        assert_int_equal(net->segments[s].n, usual.sizes.value[s]);
        assert_int_equal(net->segments[s].chain_count, chains[s]);
        assert_int_equal(net->segments[s].most, most[s]);
    }
    assert_non_null(net->layers[net->segments[3].consumer].type->loss);
    cr_net_free(&net);
}

static void exact_and_layers_are_patterns(void **state)
{
    (void)state;
    cr_net *net = NULL;
    cr_net_plan plan = net_plan(&usual);
    plan.sampling.ratio = 0.5;
    plan.sampling.exact.count = 1;
    net_word(plan.sampling.exact.value[0], "fc[1]");
    plan.sampling.layers.names.count = 1;
    net_word(plan.sampling.layers.names.value[0], "*3");
    plan.sampling.layers.at[0].ratio = 0.25;
    ASSERT_OK(cr_net_create(&net, &plan));
    assert_int_equal(net->segments[0].most, 30);
    assert_int_equal(net->segments[1].most, 10);
    assert_int_equal(net->segments[2].most, 3);
    cr_net_free(&net);
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void assert_refused(const cr_net_plan *plan, const char *part)
{
    cr_net *net = NULL;
    ASSERT_FAILS(cr_net_create(&net, plan), CR_BAD_CONFIG, part);
    assert_null(net);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    cr_net_plan plan = net_plan(&usual);
    plan.input.c = 31;
    assert_refused(&plan, "expected data of 30 values a sample, found 1 x 1 x 31");
    plan = net_plan(&usual);
    plan.classes = 4;
    assert_refused(&plan, "expected data of 5 classes, found 4");
    plan = net_plan(&(net_wish){.sizes = {1, {30}}, .rows = 1});
    assert_refused(&plan, "network.sizes: expected at least 2 numbers");
}

static void unknown_names_are_refused(void **state)
{
    (void)state;
    cr_net_plan plan = net_plan(&usual);
    plan.engine = "abacus";
    assert_refused(&plan, "no engine is called abacus");
    plan = net_plan(&usual);
    net_word(plan.options.model, "mpl");
    assert_refused(&plan, "network.model: no model is called mpl");
    plan = net_plan(&usual);
    net_word(plan.sampling.draw, "bottom");
    assert_refused(&plan, "sampling.draw");
    plan = net_plan(&usual);
    plan.sampling.exact.count = 1;
    net_word(plan.sampling.exact.value[0], "conv*");
    assert_refused(&plan,
                   "sampling.exact: expected a pattern that matches a layer (fc1, fc2, fc3), "
                   "found conv*");
    plan = net_plan(&usual);
    plan.sampling.layers.names.count = 1;
    net_word(plan.sampling.layers.names.value[0], "fc4");
    assert_refused(&plan, "sampling.layers: expected a pattern");
}

static void scale_without_closed_form_is_refused(void **state)
{
    (void)state;
    cr_net_plan plan = net_plan(&usual);
    plan.sampling.ratio = 0.5;
    plan.sampling.scale = true;
    assert_refused(&plan, "sampling.scale: expected false, as draw 'top'");
}

/* ---- convolutional models -------------------------------------------------------------------- */

static const net_wish resnet = {.model = "wide_resnet",
                                .input = {32, 32, 3},
                                .classes = 100,
                                .options = "depth=10 width=2 shortcut=projection",
                                .rows = 1};

/* Groups of parameters as they are stored, by where they lie in the net; weights alone decay. */
static void a_wide_resnet_has_these_parameters(void **state)
{
    (void)state;
    static const char *const first[] = {
        "conv0/kernel",
        "group1.block1.bn1/gamma",
        "group1.block1.bn1/beta",
        "group1.block1.shortcut/kernel",
        "group1.block1.conv1/kernel",
        "group1.block1.bn2/gamma",
        "group1.block1.bn2/beta",
        "group1.block1.conv2/kernel",
        "group2.block1.bn1/gamma",
    };
    cr_net *net = net_new(&resnet);
    char name[2 * CR_WORD_MAX];
    for (int i = 0; cr_net_parameter(net, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(net, i);
        (void)snprintf(name, sizeof name, "%s/%s", p->layer, p->name);
        if (i < (int)(sizeof first / sizeof *first))
            assert_string_equal(name, first[i]);
        assert_int_equal(p->decay, strcmp(p->name, "kernel") == 0);
    }
    int64_t convolutions =
        9 * (3 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64 + 64 * 128 + 128 * 128);
    int64_t shortcuts = 16 * 32 + 32 * 64 + 64 * 128;
    int64_t norms = 2 * (16 + 32 + 32 + 64 + 64 + 128 + 128);
    assert_int_equal(cr_net_size(net), convolutions + shortcuts + norms + 128 * 100 + 100);
    assert_int_equal(net->statistics_count, norms);
    cr_net_free(&net);
}

static void the_first_convolution_is_never_sampled(void **state)
{
    (void)state;
    net_wish wish = resnet;
    wish.ratio = 0.5;
    cr_net *net = net_new(&wish);
    for (int s = 0; s < net->segment_count; s++) {
        const cr_segment *segment = &net->segments[s];
        const cr_layer *consumer = &net->layers[segment->consumer];
        bool sampled = consumer->type->contraction != NULL && segment->source != 0;
        assert_int_equal(segment->most, sampled ? segment->n / 2 : segment->n);
    }
    cr_net_free(&net);
}

static void impossible_models_are_refused(void **state)
{
    (void)state;
    net_wish wish = resnet;
    wish.options = "depth=12";
    cr_net_plan plan = net_plan(&wish);
    assert_refused(&plan, "network.depth: expected 6 n + 4");
    plan = net_plan(&resnet);
    plan.input = (cr_shape){28, 28, 1};
    assert_refused(&plan, "expected data of 3072 values a sample, found 28 x 28 x 1");
    plan = net_plan(&resnet);
    plan.sampling.exact.count = 1;
    net_word(plan.sampling.exact.value[0], "*.conv3");
    assert_refused(&plan, "sampling.exact: expected a pattern that matches a layer (conv0, ");
}

static void layers_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    const cr_layer_plan conv = {.type = "conv2d", .name = "c", .width = 6, .kernel = 3};
    const cr_layer_plan pool = {.type = "max_pool", .name = "p", .kernel = 2, .stride = 2};
    const cr_layer_plan relu = {.type = "relu", .name = "r"};
    const cr_layer_plan dense = {.type = "dense", .name = "d", .width = 4};
    cr_net *net = net_bare((cr_shape){8, 6, 5});
    ASSERT_FAILS(cr_net_add(net, &(cr_layer_plan){.type = "conv3d", .name = "x"}), CR_BAD_CONFIG,
                 "layer x: no layer is called conv3d");
    ASSERT_OK(cr_net_add(net, &conv));
    ASSERT_FAILS(cr_net_add_into(net, &conv, 0), CR_BAD_CONFIG,
                 "layer c: expected 8 x 6 x 5 as the shortcut of the residual has (the data), "
                 "found 8 x 6 x 6");
    ASSERT_FAILS(
        cr_net_add_into(net, &pool, 1), CR_BAD_CONFIG,
        "layer p: expected 8 x 6 x 6 as the shortcut of the residual has (c), found 4 x 3 x 6");
    cr_net_free(&net);
    net = net_bare((cr_shape){8, 6, 5});
    ASSERT_OK(cr_net_add(net, &relu));
    ASSERT_FAILS(cr_net_add(net, &dense), CR_BAD_CONFIG, "layer d: expected one position a sample");
    cr_net_free(&net);
    net = net_bare((cr_shape){8, 6, 5});
    for (int i = 0; i <= CR_CHAIN_MAX; i++)
        ASSERT_OK(cr_net_add(net, &relu));
    ASSERT_FAILS(cr_net_add(net, &conv), CR_BAD_CONFIG, "layer c: expected at most 8 layers");
    cr_net_free(&net);
}

/* ---- evaluation ------------------------------------------------------------------------------ */

/* One forward pass of an exact net without dropout, the loss of which is also that of a sampled
 * net with dropout when it is evaluated: the same kernels on the same numbers, so the same bits. */
static void evaluation_is_exact(void **state)
{
    (void)state;
    net_wish sampled = usual;
    sampled.dropout = 0.5;
    sampled.ratio = 0.3;
    cr_net *exact = net_new(&usual);
    cr_net *net = net_new(&sampled);
    memcpy(net->parameters, exact->parameters, (size_t)net->parameter_count * sizeof(float));
    net_batch batch = net_batch_new(net, 16);
    cr_result expected = {0}, found = {0};
    cr_net_begin(exact, 0, &cr_net_alone);
    net_pass(exact, &expected, &batch, 0, 16, true);
    (void)net_step(net, &batch, 0);
    ASSERT_OK(cr_net_evaluate(net, &found, batch.x, batch.labels, 16));
    assert_true(found.loss == expected.loss);
    assert_int_equal(found.correct, expected.correct);
    assert_int_equal(found.samples, 16);
    net_batch_free(&batch);
    cr_net_free(&exact);
    cr_net_free(&net);
}

/* It uses the memory of training tensors: a step after it finds what a step needs all the same. */
static void evaluation_leaves_training_alone(void **state)
{
    (void)state;
    net_wish wish = usual;
    wish.dropout = 0.2;
    wish.ratio = 0.5;
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, 16);
    cr_result result = {0};
    double loss = net_step(net, &batch, 3);
    float *expected = net_gradient(net);
    cr_macs counted = cr_net_counted(net);
    ASSERT_OK(cr_net_evaluate(net, &result, batch.x, batch.labels, 16));
    cr_macs after = cr_net_counted(net);
    assert_memory_equal(&counted, &after, sizeof after); /* training's counters */
    assert_true(net_step(net, &batch, 3) == loss);
    float *found = net_gradient(net);
    assert_same_bits(found, expected, net->parameter_count);
    CR_FREE(found);
    CR_FREE(expected);
    net_batch_free(&batch);
    cr_net_free(&net);
}

/* The option reaches the loss of any model; what an evaluation says stays. */
static void label_smoothing_is_for_training(void **state)
{
    (void)state;
    cr_net_plan plan = net_plan(&usual);
    cr_net *plain = net_of(&plan);
    plan.options.label_smoothing = 0.5;
    cr_net *smooth = net_of(&plan);
    net_batch batch = net_batch_new(plain, 16);
    cr_result results[2];
    memset(results, 0, sizeof results);
    double loss = net_step(plain, &batch, 0);
    assert_true(fabs(net_step(smooth, &batch, 0) - loss) > 1e-3 * loss);
    ASSERT_OK(cr_net_evaluate(plain, &results[0], batch.x, batch.labels, 16));
    ASSERT_OK(cr_net_evaluate(smooth, &results[1], batch.x, batch.labels, 16));
    assert_true(results[0].loss == results[1].loss);
    net_batch_free(&batch);
    cr_net_free(&plain);
    cr_net_free(&smooth);
}

static void freeing_nothing_is_fine(void **state)
{
    (void)state;
    cr_net *net = NULL;
    cr_net_free(&net);
    assert_null(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_mlp_has_these_parameters),
        cmocka_unit_test(parameters_do_not_overlap),
        cmocka_unit_test(names_are_unlike),
        cmocka_unit_test(segments_end_with_what_contracts),
        cmocka_unit_test(exact_and_layers_are_patterns),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(unknown_names_are_refused),
        cmocka_unit_test(scale_without_closed_form_is_refused),
        cmocka_unit_test(a_wide_resnet_has_these_parameters),
        cmocka_unit_test(the_first_convolution_is_never_sampled),
        cmocka_unit_test(impossible_models_are_refused),
        cmocka_unit_test(layers_that_do_not_fit_are_refused),
        cmocka_unit_test(evaluation_is_exact),
        cmocka_unit_test(evaluation_leaves_training_alone),
        cmocka_unit_test(label_smoothing_is_for_training),
        cmocka_unit_test(freeing_nothing_is_fine),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
