/*
 * forward, backward, chain, gradient: one step of a net. What picks are chosen from, micro-batches
 * and empty ones, what is final when, threads, poisoned memory.
 */
#include "updates.h"

static const net_wish exact = {.sizes = {4, {40, 30, 24, 6}}, .rows = 50, .seed = 4};

static net_wish sampled(void)
{
    net_wish wish = exact;
    wish.ratio = 0.4;
    wish.dropout = 0.25;
    return wish;
}

static void assert_close(const cr_net *net, const float *found, const float *expected,
                         double tolerance)
{
    for (int i = 0; cr_net_parameter(net, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(net, i);
        double gap = values_gap_float(found + p->offset, expected + p->offset, p->count);
        if (!(gap <= tolerance))
            fail_msg("%s/%s is off by %.3g", p->layer, p->name, gap);
    }
}

/* ---- picks ----------------------------------------------------------------------------------- */

/* Squared norms of segment s's input channels after its chain, by running the chain on all of them
 * here. Tiles and all: the net's must agree to a few roundings in double. */
static void naive_input_norms(const cr_net *net, int s, double *norms)
{
    const cr_segment *segment = &net->segments[s];
    int count = net->pass_rows * segment->n;
    float *y = values_new(count, sizeof(float));
    cr_tile whole = {.rows = net->pass_rows, .k = segment->n};
    memcpy(y, segment->x, (size_t)count * sizeof(float));
    for (int i = 0; i < segment->chain_count; i++) {
        const cr_layer *layer = &net->layers[segment->chain_first + i];
        layer->type->channelwise->forward(layer, &net->pass, y, &whole);
    }
    for (int c = 0; c < segment->n; c++)
        norms[c] = 0;
    for (int i = 0; i < count; i++)
        norms[i % segment->n] += (double)y[i] * y[i];
    CR_FREE(y);
}

static void naive_weight_norms(const cr_net *net, int s, double *norms)
{
    const cr_layer *layer = &net->layers[net->segments[s].consumer];
    const float *w = net->parameters + layer->parameters[0].offset;
    for (int i = 0; i < layer->in.c; i++) {
        norms[i] = 0;
        for (int o = 0; o < layer->out.c; o++)
            norms[i] += (double)w[i * layer->out.c + o] * w[i * layer->out.c + o];
    }
}

/* Squares are rounded and eight added up in single precision (net/columns.c): 8 * 2^-24, half of
 * it for the root, and what sums in double add. */
#define SCORE_ERROR 2.5e-7

/* s_i = |X_i| |W_i| (eq. 3), and the k channels of largest score. */
static cr_status choose_and_check(void *self, cr_net *net, int s, cr_pick *pick)
{
    double inputs[64], weights[64];
    int n = net->segments[s].n;
    ++*(int *)self;
    CR_TRY(cr_net_choose(net, s, pick, 0));
    naive_input_norms(net, s, inputs);
    naive_weight_norms(net, s, weights);
    double least_kept = INFINITY, most_left = 0;
    int next = 0;
    for (int i = 0; i < n; i++) {
        double score = sqrt(inputs[i] * weights[i]);
        ASSERT_NEAR(net->scores[i], score, SCORE_ERROR * score);
        bool kept = next < pick->k && pick->index[next] == i;
        next += kept;
        if (kept)
            least_kept = fmin(least_kept, score);
        else
            most_left = fmax(most_left, score);
    }
    assert_int_equal(pick->k, cr_sample_count(0.4, 0, n));
    assert_int_equal(next, pick->k);
    assert_true(least_kept >= most_left);
    return CR_OK;
}

/* Also after an update, whose loop has measured the norms of the new weights. */
static void scores_are_norms_and_picks_the_largest(void **state)
{
    (void)state;
    net_wish wish = sampled();
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, 50);
    int asked = 0;
    cr_agreement agreement = {&asked, choose_and_check};
    updater u;
    updater_start(&u, net, "adam");
    for (uint32_t step = 0; step < 3; step++) {
        cr_result result = {0};
        cr_net_begin(net, step, &agreement);
        net_pass(net, &result, &batch, 0, 25, true);
        net_pass(net, &result, &batch, 25, 25, false); /* keeps the picks of the first */
        updater_run(&u, 0.1);
    }
    assert_int_equal(asked, 3 * 3);
    updater_free(&u);
    net_batch_free(&batch);
    cr_net_free(&net);
}

/* Rows of segment s's kernel: those whose channel was not kept are as before; how many are not. */
static int changed_rows(const cr_net *net, int s, const float *before)
{
    const cr_pick *pick = &net->segments[s].pick;
    const cr_parameter *p = &net->layers[net->segments[s].consumer].parameters[0];
    int64_t row = cr_parameter_row(p);
    int next = 0;
    int changed = 0;
    for (int i = 0; i < pick->n; i++) {
        int64_t at = p->offset + i * row;
        bool kept = next < pick->k && pick->index[next] == i;
        next += kept;
        if (kept)
            changed += memcmp(net->parameters + at, before + at, (size_t)row * sizeof(float)) != 0;
        else
            assert_same_bits(net->parameters + at, before + at, row);
    }
    return changed;
}

/* With rows: kept, neither decay nor velocity moves a row in a step that did not keep its channel;
 * and the scores' norms are those of all rows still. */
static void rows_left_out_rest(void **state)
{
    (void)state;
    net_wish wish = sampled();
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, 50);
    int64_t count = net->parameter_count;
    float *before = values_new(count, sizeof(float));
    int asked = 0;
    cr_agreement agreement = {&asked, choose_and_check};
    updater u;
    updater_start(&u, net, "momentum");
    net_word(u.optim.options.rows, "kept");
    for (uint32_t step = 0; step < 3; step++) {
        cr_result result = {0};
        memcpy(before, net->parameters, (size_t)count * sizeof(float));
        cr_net_begin(net, step, &agreement);
        net_pass(net, &result, &batch, 0, 50, true);
        updater_run(&u, 0.1);
        for (int s = 0; s < net->segment_count; s++)
            if (net->segments[s].pick.k < net->segments[s].pick.n)
                assert_in_range(changed_rows(net, s, before), 1, net->segments[s].pick.k);
    }
    assert_int_equal(asked, 3 * 3);
    updater_free(&u);
    CR_FREE(before);
    net_batch_free(&batch);
    cr_net_free(&net);
}

/* Norms measured for one step do not serve the next: weights may have changed some other way. */
static void measured_norms_serve_one_step(void **state)
{
    (void)state;
    net_wish wish = sampled();
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, 50);
    int asked = 0;
    cr_agreement agreement = {&asked, choose_and_check};
    updater u;
    updater_start(&u, net, "sgd");
    (void)net_step(net, &batch, 0);
    updater_run(&u, 0.1);
    (void)net_step(net, &batch, 1);
    values_uniform(net->parameters, net->parameter_count, 40);
    cr_result result = {0};
    cr_net_begin(net, 2, &agreement);
    net_pass(net, &result, &batch, 0, 50, true);
    assert_int_equal(asked, 3);
    updater_free(&u);
    net_batch_free(&batch);
    cr_net_free(&net);
}

static void a_nan_is_named(void **state)
{
    (void)state;
    net_wish wish = sampled();
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, 50);
    cr_result result = {0};
    net->parameters[cr_net_parameter(net, 2)->offset] = NAN;
    cr_net_begin(net, 12, &cr_net_alone);
    ASSERT_FAILS(cr_net_forward(net, &result, batch.x, batch.labels, 50, 0, 0.02), CR_DIVERGED,
                 "step 12 layer fc2: ");
    net_batch_free(&batch);
    cr_net_free(&net);
}

/* ---- micro-batches --------------------------------------------------------------------------- */

/* Masks are keyed by the sample's place in the global batch, so the only difference is the order of
 * sums over samples: 50 terms, 50 u = 3e-6 at the very most, 1e-6 norm-wise. */
static void check_micro_batches(const net_wish *wish, const int *cut, int pieces)
{
    cr_net *whole = net_new(wish);
    cr_net *net = net_new(wish);
    net_batch batch = net_batch_new(net, 50);
    cr_result result = {0};
    int first = 0;
    double loss = net_step(whole, &batch, 1);
    float *expected = net_gradient(whole);
    cr_agreement same = {whole, net_choose_as};
    net_poison(net);
    cr_net_begin(net, 1, &same);
    for (int i = 0; i < pieces; i++) {
        net_pass(net, &result, &batch, first, cut[i], i == 0);
        first += cut[i];
    }
    float *found = net_gradient(net);
    assert_int_equal(first, 50);
    assert_int_equal(result.samples, 50);
    ASSERT_NEAR(result.loss, loss, 1e-6 * loss);
    assert_close(net, found, expected, 1e-6);
    CR_FREE(found);
    CR_FREE(expected);
    net_batch_free(&batch);
    cr_net_free(&whole);
    cr_net_free(&net);
}

static void micro_batches_add_up_to_the_batch(void **state)
{
    (void)state;
    net_wish some = sampled();
    check_micro_batches(&exact, (const int[]){25, 25}, 2);
    check_micro_batches(&some, (const int[]){25, 25}, 2);
    check_micro_batches(&some, (const int[]){17, 17, 16}, 3);
    check_micro_batches(&some, (const int[]){0, 30, 0, 20}, 4); /* empty ones change nothing */
}

/* A rank without a share takes part with no samples: a gradient of zeros, no loss, any picks. */
static void no_rows_give_a_zero_gradient(void **state)
{
    (void)state;
    const net_wish wishes[] = {exact, sampled()};
    for (int i = 0; i < 2; i++) {
        cr_net *net = net_new(&wishes[i]);
        net_batch batch = net_batch_new(net, 50);
        cr_result result = {0};
        net_poison(net);
        cr_net_begin(net, 1, &cr_net_alone);
        net_pass(net, &result, &batch, 0, 0, true);
        float *dense = net_gradient(net);
        for (int64_t j = 0; j < net->parameter_count; j++)
            assert_true(dense[j] == 0);
        assert_true(result.loss == 0 && result.samples == 0);
        CR_FREE(dense);
        net_batch_free(&batch);
        cr_net_free(&net);
    }
}

/* ---- schedules ------------------------------------------------------------------------------- */

/* The gradient of a step with the ratios that `net` has now, and of a net made for these alone. */
static void check_as_if_made_for(cr_net *net, net_batch *batch, net_wish wish, double ratio,
                                 double backward)
{
    wish.ratio = ratio;
    wish.backward.ratio = backward;
    cr_net *fixed = net_new(&wish);
    double loss = net_step(fixed, batch, 7);
    net_poison(net);
    assert_true(net_step(net, batch, 7) == loss);
    assert_int_equal(net->gradient_count, fixed->gradient_count);
    float *found = net_gradient(net), *expected = net_gradient(fixed);
    assert_same_bits(found, expected, net->parameter_count);
    CR_FREE(found);
    CR_FREE(expected);
    cr_net_free(&fixed);
}

/* Up and down within the range it was made for; memory is planned for all of it. */
static void check_schedule(net_wish wish)
{
    const double ratios[] = {1, 0.4, 0.7, 0.4, 1};
    const double backward[] = {0.5, 1, 0.2, 0.5, 1};
    cr_net *net = NULL;
    cr_net_plan plan = net_plan(&wish);
    plan.sampling.schedule = (cr_ratios){2, {"1", "2"}, {0.4, 0.7}};
    plan.sampling.backward.schedule = (cr_ratios){3, {"0", "1", "2"}, {0.5, 0.2, 1}};
    ASSERT_OK(cr_net_create(&net, &plan));
    cr_net *values = net_new(&wish);
    memcpy(net->parameters, values->parameters,
           (size_t)net->parameter_count * sizeof *net->parameters);
    net_batch batch = net_batch_new(net, wish.rows);
    for (int i = 0; i < 5; i++) {
        if (i > 0) /* it begins with the first */
            cr_net_set_ratios(net, ratios[i], backward[i]);
        check_as_if_made_for(net, &batch, wish, ratios[i], backward[i]);
    }
    net_batch_free(&batch);
    cr_net_free(&values);
    cr_net_free(&net);
}

static void a_scheduled_net_is_as_one_of_its_ratios(void **state)
{
    (void)state;
    net_wish wish = exact;
    check_schedule(wish);
    wish.backward.method = "meprop";
    wish.dropout = 0.2;
    wish.exact[0] = "fc2";
    check_schedule(wish);
    check_schedule((net_wish){
        .model = "wide_resnet", .input = {8, 8, 48}, .classes = 10, .rows = 6, .seed = 3});
}

/* ---- memory and time ------------------------------------------------------------------------- */

static void nothing_stale_is_read(void **state)
{
    (void)state;
    net_wish wish = sampled();
    net_check_poison(&exact);
    for (int d = 0; cr_draws[d] != NULL; d++) {
        wish.draw = cr_draws[d]->name;
        net_check_poison(&wish);
    }
}

/* The gradient as it was when its first `end` floats were called final. */
typedef struct witness {
    const cr_net *net;
    float *seen; /* [parameter_count]; owned */
    int64_t end;
    int calls;
} witness;

static cr_status note_finished(void *self, int64_t end)
{
    witness *w = self;
    assert_true(end >= w->end);
    memcpy(w->seen + w->end, w->net->gradient + w->end, (size_t)(end - w->end) * sizeof(float));
    w->end = end;
    w->calls++;
    return CR_OK;
}

static void finished_gradients_are_final(void **state)
{
    (void)state;
    net_wish wish = sampled();
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, 50);
    cr_result result = {0};
    witness w = {.net = net, .seen = values_new(net->parameter_count, sizeof(float))};
    cr_net_begin(net, 1, &cr_net_alone);
    ASSERT_OK(cr_net_forward(net, &result, batch.x, batch.labels, 50, 0, 0.02));
    ASSERT_OK(cr_net_backward(net, true, note_finished, &w));
    assert_int_equal(w.calls, 4); /* one a segment, so that sending begins early */
    assert_int_equal(w.end, net->gradient_count);
    assert_same_bits(w.seen, net->gradient, net->gradient_count);
    CR_FREE(w.seen);
    net_batch_free(&batch);
    cr_net_free(&net);
}

/* The gradient of some steps, in nets wide enough that loops are shared among threads. */
static float *gradient_with(int threads, double ratio)
{
    net_wish wish = {.sizes = NET_SIZES(300, 400, 280, 10),
                     .rows = 256,
                     .seed = 4,
                     .ratio = ratio,
                     .dropout = 0.1};
    cr_engine_set_threads(threads);
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, 256);
    updater u;
    updater_start(&u, net, "momentum");
    for (uint32_t step = 0; step < 2; step++) {
        (void)net_step(net, &batch, step);
        updater_run(&u, 0.01);
    }
    (void)net_step(net, &batch, 2);
    float *dense = net_gradient(net);
    updater_free(&u);
    net_batch_free(&batch);
    cr_net_free(&net);
    cr_engine_set_threads(1);
    return dense;
}

static void threads_do_not_change_the_bits(void **state)
{
    (void)state;
    const int64_t least = 300 * 400 + 400 * 280 + 280 * 10; /* floats compared */
    for (int i = 0; i < 2; i++) {
        float *one = gradient_with(1, i == 0 ? 1 : 0.5);
        for (int threads = 2; threads <= 3; threads++) {
            float *more = gradient_with(threads, i == 0 ? 1 : 0.5);
            assert_same_bits(more, one, least);
            CR_FREE(more);
        }
        CR_FREE(one);
    }
}

/* Rows asked for piece by piece are those of the whole. */
static void gradient_rows_are_the_dense_gradients(void **state)
{
    (void)state;
    net_wish wish = sampled();
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, 50);
    float scratch[2048];
    (void)net_step(net, &batch, 1);
    float *dense = net_gradient(net);
    for (int i = 0; cr_net_parameter(net, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(net, i);
        int64_t row = cr_parameter_row(p);
        for (int64_t first = 0; first < p->count / row; first += 7) {
            int64_t left = p->count / row - first;
            int64_t rows = left < 7 ? left : 7;
            values_poison(scratch, rows * row);
            const float *found = cr_net_gradient_rows(net, scratch, net->gradient, i, first, rows);
            assert_same_bits(found, dense + p->offset + first * row, rows * row);
        }
    }
    CR_FREE(dense);
    net_batch_free(&batch);
    cr_net_free(&net);
}

/* Products of a step are phases of their own; an evaluation's count as evaluation. */
static void contractions_are_phases(void **state)
{
    (void)state;
    net_wish wish = sampled();
    cr_net *net = net_new(&wish);
    net_batch batch = net_batch_new(net, 50);
    cr_result result = {0};
    double forward = cr_phase_seconds(CR_PHASE_CONTRACT_FORWARD);
    double backward = cr_phase_seconds(CR_PHASE_CONTRACT_BACKWARD);
    (void)net_step(net, &batch, 1);
    assert_true(cr_phase_seconds(CR_PHASE_CONTRACT_FORWARD) > forward);
    assert_true(cr_phase_seconds(CR_PHASE_CONTRACT_BACKWARD) > backward);
    forward = cr_phase_seconds(CR_PHASE_CONTRACT_FORWARD);
    ASSERT_OK(cr_net_evaluate(net, &result, batch.x, batch.labels, 50));
    assert_true(cr_phase_seconds(CR_PHASE_CONTRACT_FORWARD) == forward);
    net_batch_free(&batch);
    cr_net_free(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_norms_and_picks_the_largest),
        cmocka_unit_test(rows_left_out_rest),
        cmocka_unit_test(measured_norms_serve_one_step),
        cmocka_unit_test(a_nan_is_named),
        cmocka_unit_test(micro_batches_add_up_to_the_batch),
        cmocka_unit_test(no_rows_give_a_zero_gradient),
        cmocka_unit_test(a_scheduled_net_is_as_one_of_its_ratios),
        cmocka_unit_test(nothing_stale_is_read),
        cmocka_unit_test(finished_gradients_are_final),
        cmocka_unit_test(threads_do_not_change_the_bits),
        cmocka_unit_test(gradient_rows_are_the_dense_gradients),
        cmocka_unit_test(contractions_are_phases),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
