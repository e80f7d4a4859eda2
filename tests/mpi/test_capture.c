/* capture: the product of a layer is that of the tensors which a forward pass really multiplies. */
#include "mpi_main.h"
#include "values.h"

#include "colrow/study.h"

static cr_comm *comm;

static const char mlp[] = "network: {model: mlp, sizes: [64, 30, 10], initializer: he}\n"
                          "data: {kind: digits}\n"
                          "batch: 40\n"
                          "epochs: 1\n"
                          "learning_rate: {base: 0.1}\n";

static const char cnn[] = "network: {model: cnn_mnist}\n"
                          "data: {kind: synthetic, samples: 4, test_samples: 1}\n"
                          "batch: 8\n" /* more than there are samples */
                          "steps: 1\n"
                          "learning_rate: {base: 0.1}\n";

static const char resnet[] = "network: {model: wide_resnet, depth: 10, width: 1}\n"
                             "data: {kind: synthetic, samples: 8, test_samples: 1}\n"
                             "batch: 8\n"
                             "steps: 1\n"
                             "learning_rate: {base: 0.1}\n";

static cr_run *run_new(const char *config)
{
    cr_run *run = NULL;
    cr_run_options options = {0};
    ASSERT_OK(cr_options_parse(&options, config, "test", NULL, 0));
    ASSERT_OK(cr_options_settle(&options, cr_comm_size(comm)));
    ASSERT_OK(cr_run_create(&run, comm, &options));
    return run;
}

static const float *kernel_of(const cr_net *net, const char *layer)
{
    for (int i = 0; cr_net_parameter(net, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(net, i);
        if (strcmp(p->layer, layer) == 0 && p->rank > 1)
            return net->parameters + p->offset;
    }
    fail_msg("no kernel of %s", layer);
    return NULL;
}

/* |Y|^2 = 1^T G 1 of a product */
static double square_of(const cr_product *p)
{
    double sum = 0;
    for (int i = 0; i < p->n * p->n; i++)
        sum += p->gram[i];
    return sum;
}

/* |x W|^2 for x [rows, in] and W [in, out] */
static double plain_square(const float *x, const float *w, int rows, int in, int out)
{
    double square = 0;
    for (int r = 0; r < rows; r++)
        for (int o = 0; o < out; o++) {
            double y = 0;
            for (int i = 0; i < in; i++)
                y += (double)x[r * in + i] * w[i * out + o];
            square += y * y;
        }
    return square;
}

/* fc1 multiplies the data; fc2 what the bias and the ReLU (here of zero biases) make of that. */
static void dense_layers(void **state)
{
    (void)state;
    cr_run *run = run_new(mlp);
    cr_product *first = NULL, *second = NULL;
    float hidden[40 * 30];
    ASSERT_OK(cr_capture(&first, run, "fc1"));
    ASSERT_OK(cr_capture(&second, run, "fc2"));
    const float *w = kernel_of(run->net, "fc1");
    int rows = run->options.micro_batch;
    assert_int_equal(first->n, 64);
    assert_int_equal(second->n, 30);
    double square = plain_square(run->x, w, rows, 64, 30);
    ASSERT_NEAR(square_of(first), square, 1e-5 * square);
    for (int r = 0; r < rows; r++)
        for (int o = 0; o < 30; o++) {
            double y = 0;
            for (int i = 0; i < 64; i++)
                y += (double)run->x[r * 64 + i] * w[i * 30 + o];
            hidden[r * 30 + o] = (float)(y > 0 ? y : 0);
        }
    square = plain_square(hidden, kernel_of(run->net, "fc2"), rows, 30, 10);
    ASSERT_NEAR(square_of(second), square, 1e-5 * square);
    cr_product_free(&first);
    cr_product_free(&second);
    cr_run_free(&run);
}

/* What later layers' recomputed inputs have taken the place of is worked out again. */
static void recomputed_inputs(void **state)
{
    static const char *const layers[] = {"group1.block1.conv1", "group2.block1.conv2", "fc"};
    char again[sizeof resnet + 32];
    (void)state;
    (void)snprintf(again, sizeof again, "%srecompute: true\n", resnet);
    cr_run *kept = run_new(resnet), *run = run_new(again);
    for (int i = 0; i < 3; i++) {
        cr_product *expected = NULL, *found = NULL;
        ASSERT_OK(cr_capture(&expected, kept, layers[i]));
        ASSERT_OK(cr_capture(&found, run, layers[i]));
        assert_int_equal(found->n, expected->n);
        assert_true(square_of(expected) > 0);
        for (int j = 0; j < found->n * found->n; j++)
            assert_true(found->gram[j] == expected->gram[j]);
        cr_product_free(&expected);
        cr_product_free(&found);
    }
    cr_run_free(&kept);
    cr_run_free(&run);
}

/* conv1 reads the data: 28 x 28, 5 x 5 taps; what it gives is in the net's tensor behind it. */
static void convolutions(void **state)
{
    (void)state;
    cr_run *run = run_new(cnn);
    cr_product *p = NULL;
    ASSERT_OK(cr_capture(&p, run, "conv1"));
    int rows = p->sizes.n;
    assert_int_equal(rows, run->options.micro_batch < 4 ? run->options.micro_batch : 4);
    assert_int_equal(p->n, 1);
    assert_int_equal(p->taps, 25);
    double input = 0, square = 0;
    for (int i = 0; i < rows * 28 * 28; i++)
        input += (double)run->x[i] * run->x[i];
    ASSERT_NEAR(p->inputs[0], input, 1e-6 * input);
    const float *w = kernel_of(run->net, "conv1");
    for (int at = 0; at < rows * 28 * 28 * 32; at++) {
        int image = at / 32 / 784, oh = at / 32 % 784 / 28, ow = at / 32 % 28;
        double y = 0;
        for (int tap = 0; tap < 25; tap++) {
            int h = oh + tap / 5 - 2, v = ow + tap % 5 - 2;
            if (h >= 0 && h < 28 && v >= 0 && v < 28)
                y += (double)run->x[image * 784 + h * 28 + v] * w[tap * 32 + at % 32];
        }
        square += y * y;
    }
    ASSERT_NEAR(square_of(p), square, 1e-5 * square);
    cr_product_free(&p);
    ASSERT_OK(cr_capture(&p, run, "fc1")); /* flattened: features are its channels */
    assert_int_equal(p->n, 7 * 7 * 64);
    cr_product_free(&p);
    cr_run_free(&run);
}

static void unknown_layers_are_refused(void **state)
{
    (void)state;
    cr_run *run = run_new(mlp);
    cr_product *p = NULL;
    ASSERT_FAILS(cr_capture(&p, run, "relu1"), CR_BAD_CONFIG,
                 "expected one of fc1, fc2, found 'relu1'");
    assert_null(p);
    cr_run_free(&run);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_layers),
        cmocka_unit_test(convolutions),
        cmocka_unit_test(recomputed_inputs),
        cmocka_unit_test(unknown_layers_are_refused),
    };
    cr_engine_set_threads(1);
    comm = mpi_begin(&argc, &argv);
    return mpi_end(&comm, cmocka_run_group_tests(tests, NULL, NULL));
}
