/*
 * ways: layers whose channels are taken in another way than those of the others (sampling.layers).
 * A layer with a draw of its own keeps what it would keep where all layers have that draw; with all
 * channels kept nothing of it shows; and layers of several ways in one net share no stale memory.
 */
#include "nets.h"

enum { ROWS = 20 };

static const net_wish small = {.sizes = {4, {40, 30, 24, 6}}, .rows = ROWS, .seed = 4};

static cr_sample_layer *layer_of(cr_net_plan *plan, const char *pattern)
{
    cr_sample_layers *layers = &plan->sampling.layers;
    net_word(layers->names.value[layers->names.count], pattern);
    return &layers->at[layers->names.count++];
}

/* The gradient of a step; freed with CR_FREE. */
static float *gradient_of(const cr_net_plan *plan, int64_t *count)
{
    cr_net *net = net_of(plan);
    net_batch batch = net_batch_new(net, ROWS);
    (void)net_step(net, &batch, 3);
    float *dense = net_gradient(net);
    *count = net->parameter_count;
    net_batch_free(&batch);
    cr_net_free(&net);
    return dense;
}

static void assert_same_gradients(const cr_net_plan *a, const cr_net_plan *b)
{
    int64_t count = 0;
    float *found = gradient_of(a, &count);
    float *expected = gradient_of(b, &count);
    assert_same_bits(found, expected, count);
    CR_FREE(found);
    CR_FREE(expected);
}

/* Only fc2 is sampled, by `way`; once as its own way, and once as that of all. */
static void check_way(const char *draw, const char *scores, bool scale)
{
    net_wish wish = small;
    wish.exact[0] = "fc1";
    wish.exact[1] = "fc3";
    wish.draw = draw;
    wish.scores = scores;
    wish.scale = scale;
    wish.ratio = 0.4;
    cr_net_plan all = net_plan(&wish);
    if (cr_sample_check(&all.sampling) != CR_OK)
        return;
    wish.draw = "winner_take_all"; /* has a closed form, by any scores */
    wish.scores = strcmp(scores, "norm") == 0 ? "uniform" : "norm";
    wish.scale = !scale;
    wish.ratio = 1;
    cr_net_plan own = net_plan(&wish);
    cr_sample_layer *layer = layer_of(&own, "fc2");
    layer->ratio = 0.4;
    net_word(layer->draw, draw);
    net_word(layer->scores, scores);
    net_word(layer->scale, scale ? "true" : "false");
    assert_same_gradients(&own, &all);
}

static void a_way_of_its_own_is_that_of_all(void **state)
{
    (void)state;
    for (int d = 0; cr_draw_names()[d] != NULL; d++)
        for (int s = 0; cr_score_names()[s] != NULL; s++)
            for (int scale = 0; scale < 2; scale++)
                check_way(cr_draw_names()[d], cr_score_names()[s], scale == 1);
}

/* A minimum of its own keeps so many channels; it is all of them in the end. */
static void all_channels_are_the_exact_operation(void **state)
{
    (void)state;
    net_wish wish = small;
    cr_net_plan exact = net_plan(&wish);
    wish.ratio = 0.4;
    cr_net_plan whole = net_plan(&wish);
    cr_sample_layer *layer = layer_of(&whole, "fc*");
    net_word(layer->draw, "systematic");
    net_word(layer->scale, "true");
    layer->minimum = 20;
    cr_net *net = net_of(&whole);
    assert_int_equal(net->segments[0].asked, 20);
    assert_int_equal(net->segments[2].asked, 20);
    cr_net_free(&net);
    layer->minimum = 1 << 20;
    assert_same_gradients(&whole, &exact);
}

/* Every layer has room for what its own draw may keep, and no stale memory is read. */
static void check_ways(const cr_net_plan *plan)
{
    cr_net *net = net_of(plan);
    for (int s = 0; s < 3; s++) {
        const cr_segment *segment = &net->segments[s];
        const cr_draw *draw = cr_draw_find(plan->sampling.layers.at[s].draw);
        assert_int_equal(segment->most, cr_draw_most(draw, segment->n, segment->asked));
    }
    cr_net_free(&net);
    net_check_poison_plan(plan);
}

/* Scores by inputs, by weights and by neither; a draw that may keep more than it is asked for, one
 * whose number varies, one that merges. */
static void ways_do_not_mix(void **state)
{
    (void)state;
    const char *const draws[] = {"adaptive", "bernoulli", "replacement"};
    const char *const layers[] = {"fc1", "fc2", "fc3"};
    for (int turn = 0; turn < 6; turn++) {
        net_wish wish = small;
        wish.ratio = 0.5;
        wish.remembers = turn >= 3;
        cr_net_plan plan = net_plan(&wish);
        for (int l = 0; l < 3; l++) {
            cr_sample_layer *layer = layer_of(&plan, layers[l]);
            net_word(layer->draw, draws[(l + turn) % 3]);
            net_word(layer->scores, cr_score_names()[l]);
        }
        check_ways(&plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_way_of_its_own_is_that_of_all),
        cmocka_unit_test(all_channels_are_the_exact_operation),
        cmocka_unit_test(ways_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
