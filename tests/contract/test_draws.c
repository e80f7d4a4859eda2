/* draws: what every draw promises, over the tables of draws and scores. */
#include "draws.h"

#include <math.h>

enum { N = 100 };

static void check_pick(const cr_pick *pick)
{
    assert_true(pick->k >= 1 && pick->k <= pick->n);
    for (int i = 0; i < pick->k; i++) {
        assert_true(pick->index[i] > (i == 0 ? -1 : pick->index[i - 1]));
        assert_true(pick->index[i] < pick->n);
        assert_true(pick->scale[i] > 0 && isfinite(pick->scale[i]));
        assert_true(pick->scaled || pick->scale[i] == 1.0F);
    }
    cr_pick sealed = *pick;
    cr_pick_seal(&sealed);
    assert_true(sealed.hash == pick->hash);
}

static void check_same(const draw_trial *a, const draw_trial *b)
{
    assert_int_equal(a->pick.k, b->pick.k);
    assert_true(a->pick.hash == b->pick.hash);
    assert_memory_equal(a->pick.index, b->pick.index, (size_t)a->pick.k * sizeof(int));
    assert_memory_equal(a->pick.scale, b->pick.scale, (size_t)a->pick.k * sizeof(float));
}

/* Scores of n channels with some ties, every `zero`-th of them 0 unless they are uniform. */
static void make_scores(double *scores, const draw_combination *c, int n, int zero)
{
    double *norms = scores + n;
    for (int i = 0; i < n; i++)
        norms[i] = i % zero == zero - 1 ? 0.0 : 1.0 + i % 7;
    c->score->combine(scores, norms, norms, n);
}

/* k = n is exact; else k are kept, or another number within the bounds that the draw gives. */
static void check_count(const cr_pick *pick, const cr_draw *draw, int k)
{
    int most = cr_draw_most(draw, pick->n, k);
    assert_in_range(most, k < pick->n ? k : pick->n, pick->n);
    assert_in_range(pick->k, 1, most);
    if (k >= pick->n)
        assert_true(cr_pick_is_all(pick));
    else if (!draw->varies)
        assert_int_equal(pick->k, k);
    else if (draw->most == NULL)
        assert_true(pick->k <= k);
}

static void check_sizes(const draw_combination *c)
{
    const int sizes[] = {1, 2, 9, 64, 1000};
    static double scores[2 * 1000];
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        int n = sizes[s];
        const int counts[] = {1, n / 2, n - 1, n, n + 3};
        make_scores(scores, c, n, 5);
        draw_trial first, again;
        draw_trial_start(&first, n, scores);
        draw_trial_start(&again, n, scores);
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
            int k = counts[i] > 1 ? counts[i] : 1;
            draw_once(&first, c, k, 1);
            draw_once(&again, c, k, 2); /* leaves other things behind */
            draw_once(&again, c, k, 1);
            check_pick(&first.pick);
            check_same(&first, &again);
            check_count(&first.pick, c->draw, k);
        }
        draw_trial_end(&first);
        draw_trial_end(&again);
    }
}

static void picks_are_valid_and_repeatable(void **state)
{
    (void)state;
    for_each_combination(check_sizes);
}

/* A draw that has unbiased weights is random; each part of the key must matter to it. */
static void check_keys(const draw_combination *c)
{
    static double scores[2 * N];
    make_scores(scores, c, N, N + 1);
    draw_trial t;
    draw_trial_start(&t, N, scores);
    uint64_t hash[4];
    for (int i = 0; i < 4; i++) {
        t.request.key = (cr_random_key){
            .seed = 4 + (i == 1), .stream = CR_STREAM_SAMPLE, .layer = (uint32_t)(i == 2)};
        draw_once(&t, c, N / 2, (uint32_t)(i == 3));
        hash[i] = t.pick.hash;
    }
    for (int i = 1; i < 4 && c->draw->can_scale != NULL; i++)
        assert_true(hash[i] != hash[0]);
    draw_trial_end(&t);
}

static void other_key_other_pick(void **state)
{
    (void)state;
    for_each_combination(check_keys);
}

/* Channels of score zero are left alone while others can be had: k = 30 of 50 that are not zero. */
static void check_zeros(const draw_combination *c)
{
    static double scores[2 * N];
    make_scores(scores, c, N, 2);
    draw_trial t;
    draw_trial_start(&t, N, scores);
    for (uint32_t step = 0; step < 20; step++) {
        draw_once(&t, c, 30, step);
        check_pick(&t.pick);
        for (int i = 0; i < t.pick.k; i++)
            assert_true(scores[t.pick.index[i]] > 0);
    }
    draw_once(&t, c, 80, 0); /* more than there are */
    check_pick(&t.pick);
    check_count(&t.pick, c->draw, 80);
    memset(scores, 0, sizeof(scores));
    draw_once(&t, c, 30, 0);
    check_pick(&t.pick);
    draw_trial_end(&t);
}

static void zero_scores_come_last(void **state)
{
    (void)state;
    for_each_combination(check_zeros);
}

static void check_broken(const draw_combination *c)
{
    const double broken[] = {NAN, INFINITY, -INFINITY};
    static double scores[2 * N];
    draw_trial t;
    draw_trial_start(&t, N, scores);
    for (int i = 0; i < 3; i++) {
        make_scores(scores, c, N, 5);
        scores[3] = broken[i];
        t.request.k = 10;
        uint64_t before = t.pick.hash;
        ASSERT_FAILS(cr_sample_draw(&t.pick, c->draw, &t.request), CR_DIVERGED,
                     "score of channel 3 is not finite");
        assert_true(t.pick.hash == before);
    }
    draw_trial_end(&t);
}

static void broken_scores_are_refused(void **state)
{
    (void)state;
    for_each_combination(check_broken);
}

/* A draw that says it varies does, one that does not keeps k every time; and none keeps more than
 * it says, however often it is asked. */
static void check_variation(const draw_combination *c)
{
    static double scores[2 * N];
    bool differs = false;
    make_scores(scores, c, N, N + 1);
    draw_trial t;
    draw_trial_start(&t, N, scores);
    for (uint32_t step = 0; step < 2000; step++) {
        draw_once(&t, c, 6, step);
        check_count(&t.pick, c->draw, 6);
        differs = differs || t.pick.k != 6;
    }
    bool random = c->draw->can_scale != NULL; /* else scores alone decide */
    assert_true(!random || differs == c->draw->varies);
    draw_trial_end(&t);
}

static void counts_vary_as_announced(void **state)
{
    (void)state;
    for_each_combination(check_variation);
}

/* Equal scores say nothing: a random draw has kept every channel at some time, with the same mean.
 */
static void check_ties(const draw_combination *c)
{
    double scores[N], seen[N] = {0};
    enum { STEPS = 2000, KEPT = 20 };
    for (int i = 0; i < N; i++)
        scores[i] = 3.7;
    draw_trial t;
    draw_trial_start(&t, N, scores);
    for (uint32_t step = 0; step < STEPS; step++) {
        draw_once(&t, c, KEPT, step);
        for (int j = 0; j < t.pick.k; j++)
            seen[t.pick.index[j]] += 1.0 / STEPS;
    }
    /* a share of 2000 has a standard error of at most 0.009; 100 of them within 4.5 */
    for (int i = 0; i < N && c->draw->can_scale != NULL; i++)
        ASSERT_NEAR(seen[i], c->draw->merges ? 1 - pow(1 - 1.0 / N, KEPT) : KEPT / (double)N,
                    4.5 * 0.009);
    for (int i = 0; i < N && c->draw->can_scale == NULL; i++)
        assert_true(seen[i] == 0 || i < KEPT); /* the lower index */
    draw_trial_end(&t);
}

static void ties_are_broken_fairly_or_by_index(void **state)
{
    (void)state;
    for_each_combination(check_ties);
}

static void names_find_their_draw(void **state)
{
    (void)state;
    int count = 0;
    for (; cr_draws[count] != NULL; count++) {
        assert_string_equal(cr_draws[count]->name, cr_draw_names()[count]);
        assert_ptr_equal(cr_draw_find(cr_draws[count]->name), cr_draws[count]);
    }
    assert_null(cr_draw_names()[count]);
    assert_null(cr_draw_find("nonsense"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_find_their_draw),
        cmocka_unit_test(picks_are_valid_and_repeatable),
        cmocka_unit_test(other_key_other_pick),
        cmocka_unit_test(zero_scores_come_last),
        cmocka_unit_test(counts_vary_as_announced),
        cmocka_unit_test(ties_are_broken_fairly_or_by_index),
        cmocka_unit_test(broken_scores_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
