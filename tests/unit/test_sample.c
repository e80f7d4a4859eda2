/* sample: picks, selection, scores, and what each draw promises beyond the contract. */
#include "check.h"

#include "colrow/sample.h"

#include <math.h>

enum { MOST = 1000 };

/* A pick for n channels and a draw's scratch, in one arena. */
typedef struct bench {
    cr_arena arena;
    cr_pick pick;
    void *scratch;
} bench;

static void lay_out(bench *b, int n)
{
    cr_pick_place(&b->pick, n, &b->arena);
    b->scratch = cr_arena_take(&b->arena, (int64_t)cr_draw_scratch(n), 1);
}

static void bench_start(bench *b, int n)
{
    *b = (bench){0};
    lay_out(b, n); /* measures */
    assert_null(b->pick.index);
    ASSERT_OK(cr_arena_create(&b->arena, b->arena.used));
    lay_out(b, n);
}

/* Draw k of the n scores with the named draw. */
static void draw_named(bench *b, const char *name, const double *scores, int n, int k,
                       uint32_t step)
{
    cr_draw_request request = {.n = n, .k = k, .scores = scores, .scratch = b->scratch};
    request.key = (cr_random_key){.seed = 11, .stream = CR_STREAM_SAMPLE, .step = step};
    ASSERT_OK(cr_sample_draw(&b->pick, cr_draw_find(name), &request));
}

static void pick_starts_as_all(void **state)
{
    (void)state;
    bench b;
    bench_start(&b, 5);
    assert_true(cr_pick_is_all(&b.pick));
    assert_int_equal(b.pick.k, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(b.pick.index[i], i);
        assert_true(b.pick.scale[i] == 1.0F);
    }
    cr_pick_scale(&b.pick, 5, 2.0F);
    assert_false(cr_pick_is_all(&b.pick)); /* all, but scaled */
    cr_pick_scale(&b.pick, 4, 1.0F);
    assert_false(cr_pick_is_all(&b.pick));
    cr_arena_free(&b.arena);
}

static void hash_covers_every_part(void **state)
{
    (void)state;
    bench b;
    bench_start(&b, 8);
    uint64_t hash[5];
    hash[0] = b.pick.hash;
    cr_pick_scale(&b.pick, 3, 1.0F);
    cr_pick_seal(&b.pick);
    hash[1] = b.pick.hash;
    b.pick.index[2] = 6;
    cr_pick_seal(&b.pick);
    hash[2] = b.pick.hash;
    b.pick.scale[0] = 1.5F;
    cr_pick_seal(&b.pick);
    hash[3] = b.pick.hash;
    b.pick.n = 7;
    cr_pick_seal(&b.pick);
    hash[4] = b.pick.hash;
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++)
            assert_true(hash[i] != hash[j]);
    b.pick.index[5] = 7; /* behind the k used: does not count */
    cr_pick_seal(&b.pick);
    assert_true(b.pick.hash == hash[4]);
    cr_arena_free(&b.arena);
}

/* The slow twin: i is kept when fewer than k others come before it. */
static void select_slowly(int *index, const double *values, int n, int k)
{
    int kept = 0;
    for (int i = 0; i < n; i++) {
        int before = 0;
        for (int j = 0; j < n; j++)
            before += values[j] > values[i] || (values[j] == values[i] && j < i);
        if (before < k)
            index[kept++] = i;
    }
    assert_int_equal(kept, k);
}

static void check_selection(const double *values, int n)
{
    const int sizes[] = {0, 1, 2, n / 3, n / 2, n - 1, n};
    static int fast[MOST], slow[MOST], scratch[MOST];
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        int k = sizes[s] < n ? sizes[s] : n;
        cr_select_largest(fast, values, n, k, scratch);
        select_slowly(slow, values, n, k);
        assert_memory_equal(fast, slow, (size_t)k * sizeof(int));
    }
}

static void selection_agrees_with_slow_twin(void **state)
{
    (void)state;
    static double values[5][MOST];
    cr_random random = cr_random_start((cr_random_key){.seed = 3, .stream = CR_STREAM_TEST});
    for (int i = 0; i < MOST; i++) {
        values[0][i] = cr_random_normal(&random);                /* both signs */
        values[1][i] = 5.0 + 1e-13 * cr_random_uniform(&random); /* the last bits count */
        values[2][i] = cr_random_below(&random, 4);              /* many ties */
        values[3][i] = 0.0;                                      /* all equal */
        values[4][i] = i % 3 == 0 ? -INFINITY : pow(-1, i) * exp(60 * cr_random_normal(&random));
    }
    values[3][7] = -0.0;
    for (int v = 0; v < 5; v++) {
        check_selection(values[v], MOST);
        check_selection(values[v], 7);
        check_selection(values[v], 1);
    }
}

static void scores_follow_the_norms(void **state)
{
    (void)state;
    const double inputs[] = {4, 0, 9};
    const double weights[] = {9, 5, 16};
    const double expected[3][3] = {{6, 0, 12}, {3, sqrt(5), 4}, {1, 1, 1}};
    int count = 0;
    for (; cr_score_names()[count] != NULL; count++) {
        const cr_score *score = cr_score_find(cr_score_names()[count]);
        assert_non_null(score);
        double scores[3];
        score->combine(scores, score->needs_inputs ? inputs : NULL,
                       score->needs_weights ? weights : NULL, 3);
        for (int i = 0; i < 3; i++)
            ASSERT_NEAR(scores[i], expected[count][i], 1e-15 * expected[count][i]);
    }
    assert_int_equal(count, 3);
    assert_null(cr_score_find("nonsense"));
}

static void top_takes_the_largest(void **state)
{
    (void)state;
    const double scores[] = {1, 5, 3, 5, 3, 0, 3};
    const int expected[] = {1, 2, 3, 4}; /* of the three 3s those with the lower index */
    bench b;
    bench_start(&b, 7);
    draw_named(&b, "top", scores, 7, 4, 0);
    assert_int_equal(b.pick.k, 4);
    assert_false(b.pick.scaled);
    assert_memory_equal(b.pick.index, expected, sizeof(expected));
    cr_arena_free(&b.arena);
}

/* Zero scores only after all others, then by index; scores at the ends of double's range. */
static void no_replacement_takes_zeros_last(void **state)
{
    (void)state;
    const double scores[] = {0, 3, 0, 1e300, 0, 0, 5e-324};
    const int expected[] = {0, 1, 2, 3, 6};
    bench b;
    bench_start(&b, 7);
    for (uint32_t step = 0; step < 50; step++) {
        draw_named(&b, "no_replacement", scores, 7, 5, step);
        assert_int_equal(b.pick.k, 5);
        assert_memory_equal(b.pick.index, expected, sizeof(expected));
    }
    cr_arena_free(&b.arena);
}

/* Scores 1, 2, 5 and k = 2. A pair comes in either order: P{a,b} = s_a/S s_b/(S-s_a) + s_b/S
 * s_a/(S-s_b); so the one left out is 0 with 10/8 (1/6 + 1/3) = 0.625, 1 with 5/8 (1/7 + 1/3), 2
 * with 2/8 (1/7 + 1/6). A share of 20,000 has a standard error of at most 0.0035. */
static void no_replacement_is_successive(void **state)
{
    (void)state;
    enum { DRAWS = 20000 };
    const double scores[] = {1, 2, 5};
    const double left_out[] = {10.0 / 8 * (1.0 / 6 + 1.0 / 3), 5.0 / 8 * (1.0 / 7 + 1.0 / 3),
                               2.0 / 8 * (1.0 / 7 + 1.0 / 6)};
    double share[3] = {0};
    bench b;
    bench_start(&b, 3);
    for (uint32_t step = 0; step < DRAWS; step++) {
        draw_named(&b, "no_replacement", scores, 3, 2, step);
        share[3 - b.pick.index[0] - b.pick.index[1]] += 1.0 / DRAWS;
    }
    for (int i = 0; i < 3; i++)
        ASSERT_NEAR(share[i], left_out[i], 4 * 0.0035);
    cr_arena_free(&b.arena);
}

/* Without scale each channel counts as often as it was drawn: k in all, k p_i on average. The
 * variance of one count is k p_i (1 - p_i) <= 1.25, that of a mean of 20,000 has root 0.008. */
static void replacement_counts_its_draws(void **state)
{
    (void)state;
    enum { DRAWS = 20000 };
    const double scores[] = {0, 1, 4, 0, 5, 0};
    double mean[6] = {0};
    bench b;
    bench_start(&b, 6);
    for (uint32_t step = 0; step < DRAWS; step++) {
        draw_named(&b, "replacement", scores, 6, 5, step);
        double total = 0, most = 0;
        for (int i = 0; i < b.pick.k; i++) {
            total += b.pick.scale[i];
            most = fmax(most, b.pick.scale[i]);
            mean[b.pick.index[i]] += b.pick.scale[i] / DRAWS;
        }
        assert_true(total == 5.0);
        assert_int_equal(b.pick.scaled, most > 1);
    }
    for (int i = 0; i < 6; i++)
        ASSERT_NEAR(mean[i], 5 * scores[i] / 10, scores[i] > 0 ? 4 * 0.008 : 0);
    cr_arena_free(&b.arena);
}

/* p = min(1, s / level) adds up to k; the level is where no other choice of certain ones is. */
static void check_inclusion(const double *scores, int n, int k)
{
    cr_inclusion inclusion = cr_inclusion_make(scores, n, k);
    double sum = 0;
    for (int i = 0; i < n; i++) {
        double p = cr_inclusion_of(&inclusion, scores[i]);
        assert_true(p >= 0 && p <= 1);
        for (int j = 0; j < n; j++) { /* larger score, larger p; in proportion below 1 */
            double other = cr_inclusion_of(&inclusion, scores[j]);
            assert_true(scores[j] < scores[i] || other >= p);
            if (p < 1 && other < 1 && scores[i] > 0 && scores[j] > 0)
                ASSERT_NEAR(p * scores[j], other * scores[i], 1e-12 * p * scores[j]);
        }
        sum += p;
    }
    ASSERT_NEAR(sum, k, 1e-12 * n);
}

static void inclusion_is_water_filled(void **state)
{
    (void)state;
    enum { LENGTH = 60 };
    double scores[LENGTH];
    cr_random random = cr_random_start((cr_random_key){.seed = 6, .stream = CR_STREAM_TEST});
    const double few[] = {0, 7, 0, 0, 2, 0};
    for (int kind = 0; kind < 4; kind++) {
        for (int i = 0; i < LENGTH; i++) /* even, uneven, very uneven, with zeros */
            scores[i] = pow(cr_random_uniform(&random), 1 + 4 * kind) * (kind < 3 || i % 3 > 0);
        for (int k = 1; k < LENGTH; k++)
            check_inclusion(scores, LENGTH, k);
    }
    for (int k = 1; k < 6; k++)
        check_inclusion(few, 6, k);
    cr_inclusion inclusion = cr_inclusion_make(few, 6, 4); /* two certain, four zeros share two */
    assert_true(cr_inclusion_of(&inclusion, 7) == 1 && cr_inclusion_of(&inclusion, 2) == 1);
    ASSERT_NEAR(cr_inclusion_of(&inclusion, 0), 0.5, 1e-15);
}

/* Zeros fill up what is asked for, and the size does not change with the start. */
static void systematic_keeps_its_size(void **state)
{
    (void)state;
    const double scores[] = {0, 3, 0, 1, 0, 2, 0};
    bench b;
    bench_start(&b, 7);
    for (uint32_t step = 0; step < 5000; step++)
        for (int k = 1; k < 7; k++) {
            draw_named(&b, "systematic", scores, 7, k, step);
            assert_int_equal(b.pick.k, k);
        }
    cr_arena_free(&b.arena);
}

static int adaptive_count(const double *scores, int n, double share, int minimum)
{
    bench b;
    bench_start(&b, n);
    cr_draw_request request = {.n = n,
                               .k = cr_sample_count(share, minimum, n),
                               .share = share,
                               .minimum = minimum,
                               .scores = scores,
                               .scratch = b.scratch};
    ASSERT_OK(cr_sample_draw(&b.pick, cr_draw_find("adaptive"), &request));
    double sum = 0, total = 0, least = INFINITY;
    for (int i = 0; i < n; i++)
        total += scores[i];
    for (int j = 0; j < b.pick.k; j++) {
        sum += scores[b.pick.index[j]];
        least = fmin(least, scores[b.pick.index[j]]);
    }
    assert_true(sum >= share * total * (1 - 1e-9));                  /* the share is reached */
    assert_true(b.pick.k == minimum || sum - least < share * total); /* and not without one */
    assert_true(b.pick.k <= cr_draw_most(cr_draw_find("adaptive"), n, request.k));
    int count = b.pick.k;
    cr_arena_free(&b.arena);
    return count;
}

static void adaptive_keeps_as_few_as_do(void **state)
{
    (void)state;
    const double uneven[] = {1, 80, 1, 10, 1, 1, 1, 1, 2, 2};
    const double even[] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1};
    assert_int_equal(adaptive_count(uneven, 10, 0.5, 1), 1);
    assert_int_equal(adaptive_count(uneven, 10, 0.8, 1), 1);
    assert_int_equal(adaptive_count(uneven, 10, 0.81, 1), 2);
    assert_int_equal(adaptive_count(uneven, 10, 0.93, 1), 4);
    assert_int_equal(adaptive_count(uneven, 10, 0.5, 3), 3);
    assert_int_equal(adaptive_count(even, 10, 0.3, 1), 3);
    assert_int_equal(adaptive_count(even, 10, 0.35, 1), 4);
    assert_int_equal(adaptive_count(even, 3, 0.5, 1), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pick_starts_as_all),
        cmocka_unit_test(hash_covers_every_part),
        cmocka_unit_test(selection_agrees_with_slow_twin),
        cmocka_unit_test(scores_follow_the_norms),
        cmocka_unit_test(top_takes_the_largest),
        cmocka_unit_test(no_replacement_takes_zeros_last),
        cmocka_unit_test(no_replacement_is_successive),
        cmocka_unit_test(replacement_counts_its_draws),
        cmocka_unit_test(inclusion_is_water_filled),
        cmocka_unit_test(systematic_keeps_its_size),
        cmocka_unit_test(adaptive_keeps_as_few_as_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
