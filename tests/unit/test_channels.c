/* channels: kept channels of rows taken together and put apart, against plain loops; nothing else
 * read, nothing else written. Copies and single sums: the same bits. */
#include "values.h"

#include "../../src/net/channels.h"

enum { MOST = 1500, ROWS = 5, GUARD = 32 };

static const float MARK = 12345;

typedef struct trial {
    int n, k, index[MOST];
    float *all, *kept; /* [ROWS, n], [ROWS, k], and marks behind */
} trial;

/* Keeps each channel with the probability share / 8, but at least one. */
static trial trial_new(int n, uint32_t share, uint32_t which)
{
    cr_random random = values_random(which);
    trial t = {.n = n};
    for (int c = 0; c < n; c++)
        if (cr_random_below(&random, 8) < share || (t.k == 0 && c == n - 1))
            t.index[t.k++] = c;
    t.all = values_new((int64_t)ROWS * n + GUARD, sizeof(float));
    t.kept = values_new((int64_t)ROWS * t.k + GUARD, sizeof(float));
    for (int i = 0; i < ROWS * n + GUARD; i++)
        t.all[i] = MARK;
    for (int i = 0; i < ROWS * t.k + GUARD; i++)
        t.kept[i] = MARK;
    return t;
}

static void trial_free(trial *t)
{
    CR_FREE(t->all);
    CR_FREE(t->kept);
}

static void check_gather(int n, uint32_t share)
{
    trial t = trial_new(n, share, (uint32_t)n);
    values_uniform(t.all, (int64_t)ROWS * n, 1);
    cr_channels_gather(t.kept, t.all, ROWS, n, t.index, t.k);
    for (int i = 0; i < ROWS * t.k; i++)
        assert_true(t.kept[i] == t.all[i / t.k * n + t.index[i % t.k]]);
    for (int i = 0; i < GUARD; i++)
        assert_true(t.kept[ROWS * t.k + i] == MARK);
    trial_free(&t);
}

static void check_add(int n, uint32_t share)
{
    trial t = trial_new(n, share, (uint32_t)n);
    float *expected = values_new((int64_t)ROWS * n + GUARD, sizeof(float));
    values_uniform(t.all, (int64_t)ROWS * n, 1);
    values_uniform(t.kept, (int64_t)ROWS * t.k, 2);
    memcpy(expected, t.all, ((size_t)ROWS * (size_t)n + GUARD) * sizeof(float));
    for (int i = 0; i < ROWS * t.k; i++)
        expected[i / t.k * n + t.index[i % t.k]] += t.kept[i];
    cr_channels_add(t.all, t.kept, ROWS, n, t.index, t.k);
    assert_same_bits(t.all, expected, (int64_t)ROWS * n + GUARD);
    CR_FREE(expected);
    trial_free(&t);
}

static void picks_of_any_size(void **state)
{
    static const int sizes[] = {1, 2, 15, 16, 17, 31, 33, 160, 639, 640, 641, 700, MOST};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (uint32_t share = 0; share <= 8; share += 2) {
            check_gather(sizes[i], share);
            check_add(sizes[i], share);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picks_of_any_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
