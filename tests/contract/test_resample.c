/*
 * resample: the second sampling, inside the backward products, by each method and every draw.
 * Gradients against derivatives of a twin in double that is thinned alike (support/twin.h), picks
 * against scores worked out here, k = n against none, micro-batches against their sum, and the mean
 * of unbiased draws against the exact gradient.
 */
#include "twin.h"

enum { ROWS = 12, DIRECTIONS = 2 };

/* Norm-wise, for each parameter, as in test_networks.c; Winograd's roundings are the largest. */
static const double DERIVATIVE = 1e-4;

/* Of the twin's ReLUs and maxima: roundings move a value by less, so both nets choose alike. */
static const double MARGIN = 1e-6;

static const net_wish mlp = {.sizes = {4, {14, 21, 16, 6}}, .rows = ROWS, .dropout = 0.2};

static const net_wish cnn = {
    .model = "cnn_mnist", .input = {7, 7, 16}, .classes = 10, .rows = 6, .dropout = 0.3};

static const net_wish resnet = {.model = "wide_resnet",
                                .input = {8, 8, 48},
                                .classes = 10,
                                .rows = 5,
                                .options = "depth=10 width=1 shortcut=projection"};

static void with(net_wish *wish, const char *method, const char *draw, double ratio)
{
    wish->initializer = "he";
    wish->backward.method = method;
    wish->backward.draw = draw;
    wish->backward.ratio = ratio;
    wish->backward.minimum = 2;
}

/* ---- derivatives ----------------------------------------------------------------------------- */

/* Are products thinned that should be: all weight gradients, and an input gradient at least? */
static void check_thin(const cr_net *net)
{
    int inputs = 0;
    for (int s = 0; s < net->segment_count; s++) {
        if (net->layers[net->segments[s].consumer].type->contraction == NULL)
            continue;
        assert_true(net->segments[s].thin_weights);
        inputs += net->segments[s].thin_inputs;
    }
    assert_true(inputs > 0);
}

/* Two steps, so that the second works in used memory; the second is compared. Returns false, and
 * compares nothing, when the twin comes too near another choice. */
static bool check_net(const net_wish *wish)
{
    cr_net *net = net_new(wish);
    net_batch batch = net_batch_new(net, wish->rows);
    twin t;
    (void)net_step(net, &batch, 4);
    net_poison(net);
    double loss = net_step(net, &batch, 5);
    check_thin(net);
    float *dense = net_gradient(net);
    twin_start(&t, net, &batch);
    ASSERT_NEAR(loss, twin_loss(&t), 1e-5 * loss);
    bool usable = t.margin > MARGIN;
    for (int i = 0; usable && cr_net_parameter(net, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(net, i);
        double gap = twin_gap(&t, dense + p->offset, p, DIRECTIONS);
        if (!(gap <= DERIVATIVE))
            fail_msg("%s by %s: %s/%s is off by %.3g", wish->backward.method, wish->backward.draw,
                     p->layer, p->name, gap);
    }
    twin_free(&t);
    net_batch_free(&batch);
    CR_FREE(dense);
    cr_net_free(&net);
    return usable;
}

static void check_some_seed(net_wish wish)
{
    for (wish.seed = 11; wish.seed < 16; wish.seed++)
        if (check_net(&wish))
            return;
    fail_msg("no seed keeps every choice away from another");
}

static void check_methods(const net_wish *wish, const char *draw, double backward)
{
    for (int m = 0; cr_backward_method_names()[m] != NULL; m++) {
        net_wish one = *wish;
        with(&one, cr_backward_method_names()[m], draw, backward);
        check_some_seed(one);
    }
}

static void gradients_of_an_mlp(void **state)
{
    (void)state;
    for (int d = 0; cr_draws[d] != NULL; d++) {
        for (int e = 0; cr_engines[e] != NULL; e++) {
            net_wish wish = mlp;
            wish.engine = cr_engines[e]->name;
            check_methods(&wish, cr_draws[d]->name, 0.4); /* after an exact forward */
            wish.ratio = 0.7;
            wish.draw = "replacement";
            wish.scale = true;
            check_methods(&wish, cr_draws[d]->name, 0.4);
        }
    }
}

static void gradients_of_convolutions(void **state)
{
    (void)state;
    const net_wish nets[] = {cnn, resnet};
    for (int i = 0; i < 2; i++) {
        net_wish wish = nets[i];
        check_methods(&wish, "top", 0.4);
        wish.ratio = 0.6;
        check_methods(&wish, "replacement", 0.4);
    }
}

/* ---- picks ----------------------------------------------------------------------------------- */

static double norm(const float *x, int64_t count, int64_t stride)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)x[i * stride] * x[i * stride];
    return sqrt(sum);
}

/* The pick holds the k largest of scores [n]. */
static void check_largest(const cr_pick *pick, int k, const double *scores, int n)
{
    double least = INFINITY, most = 0;
    int next = 0;
    assert_int_equal(pick->k, k);
    for (int i = 0; i < n; i++) {
        if (next < k && pick->index[next] == i) {
            least = fmin(least, scores[i]);
            next++;
        } else {
            most = fmax(most, scores[i]);
        }
    }
    assert_int_equal(next, k);
    assert_true(least > most);
}

/* Where dy of a contraction lies when a net with one hidden layer has run backwards. */
static const float *dy_of(const cr_net *net, int s)
{
    return net->tensors[net->segments[s].target].gradient;
}

/* Samples and outputs whose norms are far apart, in another order than those of dy. */
static void spread_norms(cr_net *net, net_batch *batch)
{
    const cr_layer *last = &net->layers[net->segments[1].consumer];
    float *w = net->parameters + last->parameters[0].offset;
    int64_t features = net_features(net);
    for (int64_t i = 0; i < batch->rows * features; i++)
        batch->x[i] *= (float)(1 + 7 * (i / features) % 5);
    for (int64_t i = 0; i < last->parameters[0].count; i++)
        w[i] *= (float)(1 + 7 * (i % last->out.c) % 17) / 8;
}

/* crs: |x_b| |dy_b| of what the forward kept; |dy_o| |w_o| of its scaled weights. meprop: |dy_o|. A
 * quarter of all outputs: 10 of 40, of which 20 are live, and 4 of 17. */
static void check_picks(const char *method)
{
    net_wish wish = {.sizes = NET_SIZES(30, 40, 17), .rows = 20, .ratio = 0.5, .seed = 3};
    with(&wish, method, "top", 0.25);
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, 20);
    double scores[64];
    spread_norms(net, &batch);
    (void)net_step(net, &batch, 0);
    bool crs = net->backward->by_sample;
    for (int s = 0; s < 2; s++) {
        const cr_segment *segment = &net->segments[s];
        int k = segment->pick.k, live = segment->live->k;
        const float *x = segment->input, *dy = dy_of(net, s);
        for (int b = 0; b < 20; b++, x += k, dy += live)
            scores[b] = norm(x, k, 1) * norm(dy, live, 1);
        if (crs)
            check_largest(&segment->examples, 5, scores, 20);
        assert_int_equal(segment->thin_inputs, s == 1); /* the data needs no gradient */
        if (crs && s == 0)
            continue;
        for (int o = 0; o < live; o++)
            scores[o] = norm(dy_of(net, s) + o, 20, live) *
                        (crs ? norm(segment->w_outputs + o, k, live) : 1);
        check_largest(&segment->outputs, s == 0 ? 10 : 4, scores, live);
    }
    net_batch_free(&batch);
    cr_net_free(&net);
}

static void picks_are_the_largest_by_norms(void **state)
{
    (void)state;
    check_picks("crs");
    check_picks("meprop");
}

/* ---- nothing left out ------------------------------------------------------------------------ */

static void check_all_kept(net_wish wish, const char *method)
{
    wish.seed = 2;
    cr_net *exact = net_new(&wish);
    with(&wish, method, "top", 0.1);
    wish.initializer = NULL;
    wish.backward.minimum = 1 << 20;
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, wish.rows);
    (void)net_step(exact, &batch, 3);
    (void)net_step(net, &batch, 3);
    assert_non_null(net->backward);
    assert_same_bits(net->gradient, exact->gradient, exact->gradient_count);
    net_batch_free(&batch);
    cr_net_free(&exact);
    cr_net_free(&net);
}

static void all_kept_is_none_bit_for_bit(void **state)
{
    (void)state;
    const net_wish nets[] = {mlp, cnn, resnet};
    for (int i = 0; i < 3; i++) {
        net_wish wish = nets[i];
        for (int m = 0; cr_backward_method_names()[m] != NULL; m++) {
            wish.ratio = m == 0 ? 0.5 : 1;
            check_all_kept(wish, cr_backward_method_names()[m]);
        }
    }
}

static void exact_layers_are_exact(void **state)
{
    (void)state;
    net_wish wish = mlp;
    with(&wish, "crs", "top", 0.4);
    wish.exact[0] = "fc2";
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, ROWS);
    (void)net_step(net, &batch, 0);
    for (int s = 0; s < 3; s++) {
        assert_int_equal(net->segments[s].thin_weights, s != 1);
        assert_int_equal(net->segments[s].thin_inputs, s == 2);
    }
    net_batch_free(&batch);
    cr_net_free(&net);
}

/* ---- micro-batches --------------------------------------------------------------------------- */

/* Samples [first, first + rows) alone, added to sum [parameter_count]. */
static void add_alone(cr_net *net, float *sum, const net_batch *batch, int first, int rows)
{
    cr_result result = {0};
    cr_net_begin(net, 6, &cr_net_alone);
    net_pass(net, &result, batch, first, rows, true);
    float *dense = net_gradient(net);
    for (int64_t i = 0; i < net->parameter_count; i++)
        sum[i] += dense[i];
    CR_FREE(dense);
}

/* Each micro-batch draws for itself, keyed by where it lies in the batch; a small one and an empty
 * one among them. Float sums in another order: 1e-6. */
static void check_micro_batches(const char *method, const char *draw)
{
    const int cuts[] = {0, ROWS, ROWS + 1, ROWS + 1, 2 * ROWS};
    net_wish wish = mlp;
    with(&wish, method, draw, 0.4);
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, 2 * ROWS);
    float *expected = values_new(net->parameter_count, sizeof(float));
    cr_result result = {0};
    for (int i = 0; i < 4; i++)
        add_alone(net, expected, &batch, cuts[i], cuts[i + 1] - cuts[i]);
    net_poison(net);
    cr_net_begin(net, 6, &cr_net_alone);
    for (int i = 0; i < 4; i++)
        net_pass(net, &result, &batch, cuts[i], cuts[i + 1] - cuts[i], i == 0);
    float *found = net_gradient(net);
    assert_true(values_gap_float(found, expected, net->parameter_count) <= 1e-6);
    CR_FREE(found);
    CR_FREE(expected);
    net_batch_free(&batch);
    cr_net_free(&net);
}

/* The same samples again, further on in the batch, are other draws. */
static void check_place_counts(void)
{
    net_wish wish = mlp;
    cr_result result = {0};
    wish.dropout = 0;
    with(&wish, "crs", "replacement", 0.4);
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, 2 * ROWS);
    size_t half = (size_t)(ROWS * net_features(net));
    memcpy(batch.x + half, batch.x, half * sizeof *batch.x);
    memcpy(batch.labels + ROWS, batch.labels, ROWS * sizeof *batch.labels);
    uint64_t hash[3];
    cr_net_begin(net, 6, &cr_net_alone);
    for (int i = 0; i < 3; i++) {
        net_pass(net, &result, &batch, i % 2 * ROWS, ROWS, i == 0);
        hash[i] = net->segments[1].examples.hash ^ net->segments[1].outputs.hash;
    }
    assert_true(hash[0] != hash[1] && hash[0] == hash[2]);
    net_batch_free(&batch);
    cr_net_free(&net);
}

static void micro_batches_draw_for_themselves(void **state)
{
    (void)state;
    check_place_counts();
    for (int m = 0; cr_backward_method_names()[m] != NULL; m++)
        for (int d = 0; cr_draws[d] != NULL; d++)
            check_micro_batches(cr_backward_method_names()[m], cr_draws[d]->name);
}

/* The gradient of a step in a net wide enough that loops are shared among threads. */
static float *gradient_with(int threads, const char *method)
{
    net_wish wish = {.sizes = NET_SIZES(1200, 1100, 1000, 10), .rows = 300, .seed = 4};
    with(&wish, method, "top", 0.9);
    cr_engine_set_threads(threads);
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, 300);
    (void)net_step(net, &batch, 2);
    float *dense = net_gradient(net);
    net_batch_free(&batch);
    cr_net_free(&net);
    cr_engine_set_threads(1);
    return dense;
}

static void threads_do_not_change_the_bits(void **state)
{
    (void)state;
    for (int m = 0; cr_backward_method_names()[m] != NULL; m++) {
        float *one = gradient_with(1, cr_backward_method_names()[m]);
        float *more = gradient_with(2, cr_backward_method_names()[m]);
        assert_same_bits(more, one, 1200 * 1100 + 1100 * 1000 + 1000 * 10);
        CR_FREE(one);
        CR_FREE(more);
    }
}

/* ---- the mean -------------------------------------------------------------------------------- */

enum { STEPS = 3000, PARAMETERS = 6 };

/* direction . gradient of each parameter */
static void project(double *out, const cr_net *net, const float *direction)
{
    float *dense = net_gradient(net);
    for (int i = 0; i < PARAMETERS; i++) {
        const cr_parameter *p = cr_net_parameter(net, i);
        out[i] = 0;
        for (int64_t j = p->offset; j < p->offset + p->count; j++)
            out[i] += (double)direction[j] * dense[j];
    }
    CR_FREE(dense);
}

/* 4.5 standard errors for each of six parameters, by two methods and a handful of draws. Float
 * rounding is 1e-7 of a gradient, far below them, but for the last bias, which nothing thins. */
static void check_mean(const char *method, const char *draw)
{
    net_wish wish = {.sizes = NET_SIZES(10, 12, 8, 5), .rows = 16, .seed = 5, .initializer = "he"};
    cr_net *exact = net_new(&wish);
    with(&wish, method, draw, 0.4);
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, 16);
    float *direction = values_new(net->parameter_count, sizeof(float));
    double expected[PARAMETERS], one[PARAMETERS], mean[PARAMETERS] = {0}, square[PARAMETERS] = {0};
    values_uniform(direction, net->parameter_count, 70);
    (void)net_step(exact, &batch, 0);
    project(expected, exact, direction);
    for (uint32_t step = 0; step < STEPS; step++) {
        (void)net_step(net, &batch, step);
        project(one, net, direction);
        for (int i = 0; i < PARAMETERS; i++) {
            mean[i] += one[i] / STEPS;
            square[i] += one[i] * one[i] / STEPS;
        }
    }
    for (int i = 0; i < PARAMETERS; i++) {
        double error = sqrt(fmax(square[i] - mean[i] * mean[i], 0) / STEPS);
        assert_true(i == PARAMETERS - 1 || error > 1e-6 * fabs(mean[i]));
        ASSERT_NEAR(mean[i], expected[i], 4.5 * error + 1e-6 * fabs(expected[i]));
    }
    CR_FREE(direction);
    net_batch_free(&batch);
    cr_net_free(&exact);
    cr_net_free(&net);
}

static void scaled_draws_are_unbiased(void **state)
{
    (void)state;
    for (int m = 0; cr_backward_method_names()[m] != NULL; m++)
        for (int d = 0; cr_draws[d] != NULL; d++)
            if (cr_draws[d]->can_scale != NULL && cr_draws[d]->can_scale(false))
                check_mean(cr_backward_method_names()[m], cr_draws[d]->name);
}

/* ---- failures -------------------------------------------------------------------------------- */

static void a_nan_is_named(void **state)
{
    (void)state;
    net_wish wish = mlp;
    cr_result result = {0};
    with(&wish, "crs", "top", 0.4);
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, ROWS);
    batch.x[3] = NAN;
    cr_net_begin(net, 8, &cr_net_alone);
    ASSERT_OK(cr_net_forward(net, &result, batch.x, batch.labels, ROWS, 0, 1));
    ASSERT_FAILS(cr_net_backward(net, true, NULL, NULL), CR_DIVERGED, "step 8 layer fc3");
    net_batch_free(&batch);
    cr_net_free(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_an_mlp),
        cmocka_unit_test(gradients_of_convolutions),
        cmocka_unit_test(picks_are_the_largest_by_norms),
        cmocka_unit_test(all_kept_is_none_bit_for_bit),
        cmocka_unit_test(exact_layers_are_exact),
        cmocka_unit_test(micro_batches_draw_for_themselves),
        cmocka_unit_test(threads_do_not_change_the_bits),
        cmocka_unit_test(scaled_draws_are_unbiased),
        cmocka_unit_test(a_nan_is_named),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
