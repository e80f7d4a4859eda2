/*
 * layer_lists: networks that a list in YAML describes. What the lists say of a model of ours is
 * that model, bit for bit; the gradient of any other is the derivative of its twin in double
 * (support/twin.h), residuals in residuals and all the places where a tensor must be made included.
 */
#include "twin.h"

#include "colrow/train.h"

enum { ROWS = 3, CLASSES = 5, STEPS = 3 };

/* As in test_networks.c. */
static const double DERIVATIVE = 1e-4;
static const double MARGIN = 1e-6;

static cr_run_options *options_of(const char *network)
{
    static cr_run_options options;
    char text[4096];
    (void)snprintf(text, sizeof text,
                   "{steps: 1, learning_rate: {base: 1}, sampling: {minimum: 1}, network: %s}",
                   network);
    ASSERT_OK(cr_options_parse(&options, text, "m.yaml", NULL, 0));
    return &options;
}

static cr_net_plan plan_of(const char *network, double ratio, uint64_t seed)
{
    const cr_run_options *options = options_of(network);
    cr_net_plan plan = {.options = options->network,
                        .sampling = options->sampling,
                        .engine = "openblas",
                        .rows = ROWS,
                        .seed = seed};
    cr_data_wanted wanted = {0};
    ASSERT_OK(cr_options_wanted(&wanted, options));
    plan.input = (cr_shape){wanted.h, wanted.w, wanted.c};
    plan.classes = wanted.classes;
    plan.sampling.ratio = ratio;
    return plan;
}

/* ---- gradients ------------------------------------------------------------------------------- */

#define NETWORK(layers)                                                                            \
    "{model: layers, initializer: he, input: [6, 6, 4], classes: 5, layers: [" layers              \
    ", dense: {features: 5}, bias, softmax_cross_entropy]}"

#define CONV "conv2d: {filters: 8, kernel: 3}"

static const char *const lists[] = {
    /* every kind */
    NETWORK(CONV ", bias, relu, max_pool: {kernel: 2}, batch_norm, relu: {slope: 0.1}, "
                 "conv2d: {filters: 6, kernel: 3, padding: valid}, dropout: {rate: 0.3}, "
                 "average_pool, dense: {features: 7}, relu"),
    /* mapping after mapping, with chains before and between them */
    NETWORK(CONV ", batch_norm, relu, max_pool: {kernel: 2}, batch_norm, bias, "
                 "average_pool: {kernel: 2, stride: 1}, relu, " CONV ", average_pool"),
    /* a shortcut of each kind; a residual right behind another, and a chain before it */
    NETWORK(CONV ", residual: {layers: [batch_norm, relu, " CONV "]}, batch_norm, relu, "
                 "residual: {shortcut: [conv2d: {filters: 6, kernel: 1, stride: 2}, batch_norm], "
                 "layers: [conv2d: {filters: 6, kernel: 3, stride: 2}, relu, "
                 "conv2d: {filters: 6, kernel: 3}]}, "
                 "residual: {shortcut: [zero_pad: {channels: 9}], "
                 "layers: [relu, conv2d: {filters: 9, kernel: 3}]}, relu, average_pool"),
    /* branches that end with channelwise layers or mappings; the sum is activated */
    NETWORK(CONV ", residual: {layers: [" CONV ", batch_norm]}, relu: {slope: 0.5}, "
                 "residual: {layers: [relu]}, residual: {shortcut: [max_pool: {kernel: 2}], "
                 "layers: [average_pool: {kernel: 2}]}, bias, average_pool"),
    /* in one another, at the beginning, in the middle, at the end and in the shortcut */
    NETWORK(CONV ", residual: {layers: [residual: {layers: [relu, " CONV "]}, relu, " CONV "]}, "
                 "residual: {layers: [" CONV ", residual: {layers: [relu, " CONV "]}]}, "
                 "residual: {shortcut: [residual: {layers: [relu, " CONV "]}], "
                 "layers: [residual: {shortcut: [" CONV "], layers: [relu, " CONV "]}, relu, " CONV
                 "]}, average_pool"),
    /* of the data itself */
    NETWORK("residual: {layers: [conv2d: {filters: 4, kernel: 3}, relu]}, relu, " CONV
            ", average_pool"),
    NETWORK("residual: {shortcut: [conv2d: {filters: 8, kernel: 1}], layers: [" CONV
            "]}, relu, average_pool"),
};

/* A step after which the next one looks ahead. */
static void prepare_to_look_ahead(cr_net *net)
{
    net_batch batch = net_batch_new(net, ROWS);
    (void)net_step(net, &batch, 3);
    cr_net_remember(net, net->gradient, ROWS);
    net_batch_free(&batch);
}

/* Whatever a ReLU or maximum chooses must keep a margin: one seed in twenty does not. */
static void check_gradients(const char *network, double ratio, bool lookahead)
{
    bool usable = false;
    for (uint64_t seed = 11; seed < 16 && !usable; seed++) {
        cr_net_plan plan = plan_of(network, ratio, seed);
        plan.remembers = plan.sampling.lookahead = lookahead;
        cr_net *net = net_of(&plan);
        if (lookahead)
            prepare_to_look_ahead(net);
        usable = twin_check_net(net, ROWS, DERIVATIVE, MARGIN, network);
        cr_net_free(&net);
    }
    assert_true(usable);
}

static void gradients_are_derivatives(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        check_gradients(lists[i], 1, false);
        check_gradients(lists[i], 0.5, false);
        check_gradients(lists[i], 0.5, true);
    }
}

/* ---- the same networks ----------------------------------------------------------------------- */

#define BLOCK(n, head, middle, strided, channels)                                                  \
    "residual: {name: group" n ".block1, " head middle ", relu: {slope: 0.1}, "                    \
    "conv2d: {name: conv1, filters: " channels ", kernel: 3, stride: " strided "}, batch_norm, "   \
    "relu: {slope: 0.1}, dropout: {rate: 0.3}, "                                                   \
    "conv2d: {name: conv2, filters: " channels ", kernel: 3}]}, "

#define ZEROS(channels) "shortcut: [zero_pad: {channels: " channels ", stride: 2}], "

static const char *const pairs[][2] = {
    {"{model: mlp, sizes: [144, 20, 5], dropout: 0.5}",
     "{model: layers, input: [144], classes: 5, layers: [dense: {name: fc1, features: 20}, bias, "
     "relu, dropout: {rate: 0.5}, dense: {name: fc2, features: 5}, bias, softmax_cross_entropy]}"},
    {"{model: cnn_mnist}",
     "{model: layers, input: [28, 28, 1], classes: 10, layers: ["
     "conv2d: {name: conv1, filters: 32, kernel: 5}, bias, relu, max_pool: {kernel: 2}, "
     "conv2d: {name: conv2, filters: 64, kernel: 5}, bias, relu, max_pool: {kernel: 2}, "
     "dense: {name: fc1, features: 1024}, bias, relu, dropout: {rate: 0.5}, "
     "dense: {name: fc2, features: 10}, bias, softmax_cross_entropy]}"},
    {"{model: wide_resnet, depth: 10, width: 1, classes: 10, leak: 0.1, dropout: 0.3}",
     "{model: layers, input: [32, 32, 3], classes: 10, layers: ["
     "conv2d: {name: conv0, filters: 16, kernel: 3}, " BLOCK("1", "", "layers: [batch_norm", "1",
                                                             "16")
         BLOCK("2", ZEROS("32"), "layers: [batch_norm", "2", "32")
             BLOCK("3", ZEROS("64"), "layers: [batch_norm", "2",
                   "64") "batch_norm, relu: {slope: 0.1}, average_pool, dense: {name: fc, "
                         "features: 10}, bias, "
                         "softmax_cross_entropy]}"},
    {"{model: lstm, vocabulary: 12, hidden: 8, layers: 2, unroll: 5, forget_bias: 1}",
     "{model: layers, input: [5, 1, 1], classes: 12, layers: ["
     "embedding: {features: 8, vocabulary: 12}, dropout: {rate: 0.5}, "
     "lstm: {name: lstm1, features: 8, forget_bias: 1}, dropout: {rate: 0.5}, "
     "lstm: {name: lstm2, features: 8, forget_bias: 1}, dropout: {rate: 0.5}, "
     "softmax_projection: {name: projection, classes: 12}]}"},
};

/* The gradients of some steps of a net, whose weights stay, one behind the other. */
static float *gradients_of(const char *network, double ratio, int64_t *count, double *loss)
{
    cr_net_plan plan = plan_of(network, ratio, 3);
    cr_net *net = net_of(&plan);
    net_batch batch = net_batch_new(net, ROWS);
    *count = STEPS * net->parameter_count;
    *loss = 0;
    float *all = values_new(*count, sizeof(float));
    for (int step = 0; step < STEPS; step++) {
        *loss += net_step(net, &batch, (uint32_t)step);
        cr_net_spread(net, all + step * net->parameter_count, net->gradient);
    }
    net_batch_free(&batch);
    cr_net_free(&net);
    return all;
}

static void check_pair(const char *model, const char *list, double ratio)
{
    int64_t count = 0, expected_count = 0;
    double loss = 0, expected_loss = 1;
    float *expected = gradients_of(model, ratio, &expected_count, &expected_loss);
    float *found = gradients_of(list, ratio, &count, &loss);
    assert_int_equal(count, expected_count);
    assert_true(loss == expected_loss);
    assert_same_bits(found, expected, count);
    CR_FREE(found);
    CR_FREE(expected);
}

/* Contractions are called as in the model: exact layers and ratios of layers are chosen by name. */
static void check_names(const char *model, const char *list)
{
    cr_net_plan plans[2] = {plan_of(model, 1, 3), plan_of(list, 1, 3)};
    cr_net *net[2] = {net_of(&plans[0]), net_of(&plans[1])};
    assert_int_equal(net[0]->layer_count, net[1]->layer_count);
    for (int l = 0; l < net[0]->layer_count; l++)
        if (net[0]->layers[l].type->contraction != NULL)
            assert_string_equal(net[1]->layers[l].name, net[0]->layers[l].name);
    cr_net_free(&net[0]);
    cr_net_free(&net[1]);
}

static void models_of_ours_are_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        check_names(pairs[i][0], pairs[i][1]);
        check_pair(pairs[i][0], pairs[i][1], 1);
        check_pair(pairs[i][0], pairs[i][1], 0.5);
    }
}

/* ---- tensors --------------------------------------------------------------------------------- */

enum { SEGMENTS_MOST = 8 };

/* Segment by segment: the tensor it reads, and the one it writes, or adds to where `adds`. The data
 * is tensor 0. A residual must not add to what the one around it still has to read. */
static const struct {
    const char *network;
    struct {
        int source, target, adds;
    } segments[SEGMENTS_MOST];
} graphs[] = {
    {NETWORK(CONV ", residual: {layers: [relu, " CONV "]}, average_pool"),
     {{0, 1, 0}, {1, 1, 1}, {1, 2, 0}}},
    {NETWORK(CONV ", residual: {shortcut: [" CONV "], layers: [relu, " CONV "]}, average_pool"),
     {{0, 1, 0}, {1, 2, 0}, {1, 2, 1}, {2, 3, 0}}},
    {NETWORK(CONV ", residual: {layers: [residual: {layers: [relu, " CONV "]}, " CONV
                  "]}, average_pool"),
     {{0, 1, 0}, {1, 2, 0}, {2, 2, 1}, {2, 1, 1}, {1, 3, 0}}},
    {NETWORK(CONV ", residual: {shortcut: [residual: {layers: [" CONV "]}], layers: [" CONV
                  "]}, average_pool"),
     {{0, 1, 0}, {1, 2, 0}, {2, 2, 1}, {1, 2, 1}, {2, 3, 0}}},
    {NETWORK(CONV ", residual: {layers: [" CONV ", residual: {layers: [" CONV "]}]}, average_pool"),
     {{0, 1, 0}, {1, 2, 0}, {2, 2, 1}, {2, 1, 1}, {1, 3, 0}}},
    {NETWORK(CONV ", relu, residual: {layers: [" CONV ", relu]}, average_pool"),
     {{0, 1, 0}, {1, 2, 0}, {2, 3, 0}, {3, 2, 1}, {2, 4, 0}}},
    {NETWORK("residual: {shortcut: [" CONV "], layers: [" CONV "]}, average_pool"),
     {{0, 1, 0}, {0, 1, 1}, {1, 2, 0}}},
    {NETWORK("residual: {layers: [conv2d: {filters: 4, kernel: 3}]}, average_pool"),
     {{0, 1, 0}, {1, 1, 1}, {1, 2, 0}}},
};

static void residuals_add_what_they_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof graphs / sizeof *graphs; i++) {
        cr_net_plan plan = plan_of(graphs[i].network, 1, 1);
        cr_net *net = net_of(&plan);
        for (int s = 0; graphs[i].segments[s].target > 0; s++) {
            assert_int_equal(net->segments[s].source, graphs[i].segments[s].source);
            assert_int_equal(net->segments[s].target, graphs[i].segments[s].target);
            assert_int_equal(net->segments[s].adds, graphs[i].segments[s].adds);
        }
        cr_net_free(&net);
    }
}

/* ---- names ----------------------------------------------------------------------------------- */

static void layers_without_a_name_get_one(void **state)
{
    (void)state;
    const char *const names[] = {"conv2d_1",         "conv2d_1",        "a.input",
                                 "a.relu_1",         "a.conv2d_2",      "a.conv2d_2",
                                 "residual_2.input", "residual_2.zero", "residual_2.relu_2",
                                 "residual_2.sum",   "average_pool_1",  "dense_1",
                                 "dense_1",          "the_end"};
    cr_net_plan plan = plan_of(
        "{model: layers, input: [6, 6, 4], classes: 5, layers: [" CONV
        ", bias, residual: {name: a, layers: [relu, " CONV "]}, bias, residual: {layers: "
        "[relu], shortcut: [zero_pad: {name: zero}]}, average_pool, dense: {features: 5}, bias, "
        "softmax_cross_entropy: {name: the_end}]}",
        1, 1);
    cr_net *net = net_of(&plan);
    assert_int_equal(net->layer_count, sizeof names / sizeof *names);
    for (int l = 0; l < net->layer_count; l++)
        assert_string_equal(net->layers[l].name, names[l]);
    cr_net_free(&net);
}

/* ---- refusals -------------------------------------------------------------------------------- */

/* A network of images of 6 x 6 x 4 and 5 classes, a line an element, the first on line 2. */
static void assert_refused(const char *elements, const char *words)
{
    cr_net *net = NULL;
    char text[2048];
    (void)snprintf(text, sizeof text,
                   "{model: layers, input: [6, 6, 4], classes: 5, layers: [\n%s]}", elements);
    cr_net_plan plan = plan_of(text, 1, 1);
    ASSERT_FAILS(cr_net_create(&net, &plan), CR_BAD_CONFIG, words);
    assert_null(net);
}

#define END ", dense: {features: 5}, softmax_cross_entropy"

static void lists_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    const char *const cases[][2] = {
        {"", "m.yaml: network.layers: expected at least one element, found none"},
        {"relu, softmax_cross_entropy", "layer softmax_cross_entropy_1: expected 1 x 1 x 5, a "
                                        "value for each class, found 6 x 6 x 4"},
        {"average_pool, zero_pad: {channels: 5}, softmax_cross_entropy",
         "network: expected a layer with weights, found none"},
        {"dense: {features: 5}", "network: expected a loss as its last layer, found dense_1"},
        {"dense: {features: 5},\n softmax_cross_entropy,\n relu",
         "m.yaml:4: network.layers.relu: layer relu_1: expected nothing behind the loss"},
        {"dense: {features: 7}, softmax_cross_entropy",
         "layer softmax_cross_entropy_1: expected 1 x 1 x 5, a value for each class, found 1 x 1 x "
         "7"},
        {CONV ",\n relu" END,
         "m.yaml:3: network.layers.dense: layer dense_1: expected one position a "
         "sample, found 6 x 6"},
        {"conv2d: {filters: 8, kernel: 7, padding: valid}" END,
         "m.yaml:2: network.layers.conv2d: layer conv2d_1: expected a kernel of at most the image, "
         "6 x 6, "
         "found 7"},
        {CONV ",\n max_pool: {kernel: 7, padding: valid}" END,
         "m.yaml:3: network.layers.max_pool: layer max_pool_1: expected a kernel of at most the "
         "image, 6 x 6, found 7"},
        {"conv2d: {filters: 8, kernel: 2}" END, "layer conv2d_1: expected an odd kernel, found 2"},
        {CONV ", zero_pad: {channels: 7}" END, "layer zero_pad_1: expected at least the"},
        {"batch_norm, " CONV END, "m.yaml:2: network.layers.conv2d: layer batch_norm_1: "
                                  "expected a contraction between the data and the first"},
        {CONV ", residual: {layers: [\n conv2d: {name: a, filters: 9, kernel: 3}]}" END,
         "m.yaml:3: network.layers.residual.layers.conv2d: layer residual_1.a: expected 6 x 6 x 8 "
         "as the shortcut of the "
         "residual has (conv2d_1), found 6 x 6 x 9"},
        {CONV ",\n residual: {shortcut: [\n max_pool: {kernel: 2}],\n layers: [\n" CONV "]}" END,
         "m.yaml:6: network.layers.residual.layers.conv2d: layer residual_1.conv2d_2: expected 3 x "
         "3 x 8 as the shortcut of "
         "the residual has (residual_1.max_pool_1), found 6 x 6 x 8"},
        {CONV ",\n residual: {name: b, layers: [\n max_pool: {kernel: 2},\n relu]}" END,
         "m.yaml:3: network.layers.residual: layer b.sum: expected 6 x 6 x 8 as the shortcut of "
         "the residual "
         "has (conv2d_1), found 3 x 3 x 8"},
        {CONV ",\n residual: {layers: []}" END,
         "m.yaml:3: network.layers.residual: residual residual_1: expected at least one element in "
         "`layers`"},
        {CONV ", residual: {layers: [\n softmax_cross_entropy]}" END,
         "m.yaml:3: network.layers.residual.layers.softmax_cross_entropy: layer "
         "residual_1.softmax_cross_entropy_1: expected the loss at the end"},
        {"dense: {name: a, features: 5},\n dense: {name: a, features: 5}, softmax_cross_entropy",
         "layer a: expected another name, found a second kernel of this one"},
        {"dense: {name: ../a, features: 5}",
         "m.yaml:2: network.layers.dense: expected a name of letters, digits"},
        {"embedding: {features: 8, vocabulary: 5}" END,
         "layer embedding_1: expected one token at each position, found 4 values"},
        {"lstm: {features: 8}" END,
         "layer lstm_1.recurrent: expected a window of steps x 1 x 4 values a cell, found 6 x 6"},
        {CONV ", softmax_projection: {classes: 5}",
         "layer conv2d_1: expected 6 x 1 positions, the steps of a window, found 6 x 6"},
        {"residual: {name: 0123456789012345678901234567890123456789, layers: [\n"
         "dense: {name: 0123456789012345678901234567890123456789, features: 5}]}",
         "expected a name shorter than 64 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(cases[i][0], cases[i][1]);
}

/* Windows of 4 tokens out of 9. */
static void lists_for_windows_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    const char *const cases[][2] = {
        {"embedding: {features: 8, vocabulary: 5}, softmax_projection: {classes: 9}",
         "layer embedding_1: expected a vocabulary of 9 as the data has, found 5"},
        {"embedding: {features: 8, vocabulary: 9}, softmax_projection: {classes: 7}",
         "layer softmax_projection_1: expected 9 classes as the data has, found 7"},
        {"dropout: {rate: 0.5}, embedding: {features: 8, vocabulary: 9}",
         "layer embedding_1: expected a tensor of its own before it"},
        {"embedding: {features: 8, vocabulary: 9}, max_pool: {kernel: 2}, "
         "softmax_projection: {classes: 9}",
         "layer softmax_projection_1: expected 4 x 1 positions, the steps of a window, found 2"},
        {"embedding: {features: 7, vocabulary: 9}, lstm_cell, softmax_projection: {classes: 9}",
         "layer lstm_cell_1: expected a window of steps x 1 x 4 values a cell, found 4 x 1 x 7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_net *net = NULL;
        char text[1024];
        (void)snprintf(text, sizeof text,
                       "{model: layers, input: [4, 1, 1], classes: 9, layers: [%s]}", cases[i][0]);
        cr_net_plan plan = plan_of(text, 1, 1);
        ASSERT_FAILS(cr_net_create(&net, &plan), CR_BAD_CONFIG, cases[i][1]);
    }
}

/* The data's own shape counts, and must be the one that a list asks for. */
static void input_and_classes_are_the_datas(void **state)
{
    (void)state;
    cr_net *net = NULL;
    cr_net_plan plan = plan_of(NETWORK(CONV ", average_pool"), 1, 1);
    plan.input = (cr_shape){4, 9, 4};
    ASSERT_FAILS(cr_net_create(&net, &plan), CR_BAD_CONFIG,
                 "network.input: expected 4 x 9 x 4 as the data has, found 6 x 6 x 4");
    plan = plan_of("{model: layers, layers: [dense: {features: 5}, softmax_cross_entropy]}", 1, 1);
    assert_int_equal(plan.input.c, 0);
    assert_int_equal(plan.classes, 0);
    plan.input = (cr_shape){3, 2, 4};
    plan.classes = 5;
    net = net_of(&plan);
    assert_int_equal(net->layers[0].in.c, 24);
    cr_net_free(&net);
    cr_data_wanted wanted = {0};
    cr_run_options *options = options_of("{model: layers, input: [6, 6], layers: [relu]}");
    ASSERT_FAILS(cr_options_wanted(&wanted, options), CR_BAD_CONFIG,
                 "network.input: expected [rows, columns, channels] or [features], found 2");
    options = options_of("{model: layers, input: [4096, 4096, 2], layers: [relu]}");
    ASSERT_FAILS(cr_options_wanted(&wanted, options), CR_BAD_CONFIG,
                 "network.input: expected at most 16777216 values a sample, found more");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_derivatives),
        cmocka_unit_test(models_of_ours_are_lists),
        cmocka_unit_test(residuals_add_what_they_say),
        cmocka_unit_test(layers_without_a_name_get_one),
        cmocka_unit_test(lists_that_do_not_fit_are_refused),
        cmocka_unit_test(lists_for_windows_that_do_not_fit_are_refused),
        cmocka_unit_test(input_and_classes_are_the_datas),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
