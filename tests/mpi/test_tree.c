/* comm's sum along the fixed tree: the bits depend on the leaves alone, whoever owns them. */
#include "mpi_main.h"

#include <math.h>

enum { COUNT = 9, LEAVES = 17, SPLIT_LEAVES = 9, RANKS = 8 };

static cr_comm *comm;
static float leaf[LEAVES][COUNT];

/* Random signs and magnitudes over 2^+-20, so that another order of adding gives other bits. */
static void make_leaves(uint32_t step)
{
    cr_random random =
        cr_random_start((cr_random_key){.seed = 3, .stream = CR_STREAM_TEST, .step = step});
    for (int l = 0; l < LEAVES; l++)
        for (int i = 0; i < COUNT; i++) {
            double power = 40 * cr_random_uniform(&random) - 20;
            leaf[l][i] = (float)(cr_random_normal(&random) * exp2(power));
        }
}

/* The definition, literally: levels of pairs over the leaves [first, first + n), one without a
 * partner passes up. */
static void evaluate(float *sum, int first, int n)
{
    static float level[LEAVES][COUNT];
    memcpy(level, leaf[first], (size_t)n * sizeof *level);
    for (; n > 1; n = (n + 1) / 2)
        for (int node = 0; node < n; node += 2)
            for (int i = 0; i < COUNT; i++)
                level[node / 2][i] =
                    node + 1 < n ? level[node][i] + level[node + 1][i] : level[node][i];
    memcpy(sum, level[0], sizeof *level);
}

/* The maximal whole nodes inside [first, first + n), each with the sum of its leaves. */
static int make_parts(cr_tree_part *parts, float (*values)[COUNT], int first, int n)
{
    int count = 0;
    while (n > 0) {
        int level = 0;
        while ((first & ((2 << level) - 1)) == 0 && 2 << level <= n)
            level++;
        evaluate(values[count], first, 1 << level);
        parts[count] = (cr_tree_part){level, first >> level, values[count]};
        count++;
        first += 1 << level;
        n -= 1 << level;
    }
    return count;
}

/* Rank r owns `counts[r]` of the leaves, in order; the sum is the same everywhere. */
static void check_split(const int *counts, int leaves)
{
    int owners[LEAVES];
    int at = 0, first = 0;
    for (int r = 0; r < cr_comm_size(comm); r++) {
        first = r == cr_comm_rank(comm) ? at : first;
        for (int i = 0; i < counts[r]; i++)
            owners[at++] = r;
    }
    assert_int_equal(at, leaves);
    cr_tree_part parts[LEAVES];
    float values[LEAVES][COUNT], scratch[COUNT], out[COUNT], expected[COUNT];
    int mine = counts[cr_comm_rank(comm)];
    int n = make_parts(parts, values, first, mine);
    evaluate(expected, 0, leaves);
    /* where the result may land in a part's own array, as in dist, it does every other time */
    float *result = n > 0 && leaves % 2 == 0 ? values[n - 1] : out;
    ASSERT_OK(cr_comm_tree_sum(comm, result, parts, n, COUNT, owners, leaves, scratch));
    if (memcmp(result, expected, sizeof expected) != 0)
        fail_msg("rank %d of %d, %d leaves of which it has %d from %d", cr_comm_rank(comm),
                 cr_comm_size(comm), leaves, mine, first);
}

/* All ways to give the leaves left to the ranks from `rank` on. */
static void check_splits(int *counts, int rank, int left, int leaves)
{
    if (rank == cr_comm_size(comm) - 1) {
        counts[rank] = left;
        check_split(counts, leaves);
        return;
    }
    for (counts[rank] = 0; counts[rank] <= left; counts[rank]++)
        check_splits(counts, rank + 1, left - counts[rank], leaves);
}

static void few_leaves_owned_in_every_way(void **state)
{
    (void)state;
    int counts[RANKS];
    assert_in_range(cr_comm_size(comm), 1, RANKS);
    for (int leaves = 1; leaves <= SPLIT_LEAVES; leaves++) {
        make_leaves((uint32_t)leaves);
        check_splits(counts, 0, leaves, leaves);
    }
}

/* Near-equal runs, rounded down or up: each rank gets about the same, the last or first more. */
static void many_leaves_in_equal_runs(void **state)
{
    (void)state;
    int ranks = cr_comm_size(comm);
    int counts[RANKS];
    for (int leaves = 1; leaves <= LEAVES; leaves++)
        for (int up = 0; up < 2; up++) {
            make_leaves((uint32_t)(100 + leaves));
            for (int r = 0; r < ranks; r++)
                counts[r] = ((r + 1) * leaves + up * (ranks - 1)) / ranks -
                            (r * leaves + up * (ranks - 1)) / ranks;
            check_split(counts, leaves);
        }
}

/* The leaves can tell: added from left to right most sums of 4 or more have other bits. */
static void another_order_gives_other_bits(void **state)
{
    (void)state;
    int differing = 0;
    for (int leaves = 4; leaves <= LEAVES; leaves++) {
        float tree[COUNT], line[COUNT];
        make_leaves((uint32_t)(100 + leaves));
        evaluate(tree, 0, leaves);
        memcpy(line, leaf[0], sizeof line);
        for (int l = 1; l < leaves; l++)
            for (int i = 0; i < COUNT; i++)
                line[i] += leaf[l][i];
        differing += memcmp(tree, line, sizeof tree) != 0;
    }
    assert_true(differing >= 10); /* of 14 */
}

/* The same for doubles, a leaf a rank: pairs of ranks, then pairs of pairs. */
static void doubles_of_ranks(void **state)
{
    (void)state;
    double level[RANKS][COUNT], own[COUNT], scratch[COUNT];
    for (uint32_t step = 0; step < 20; step++) {
        make_leaves(step);
        for (int r = 0; r < cr_comm_size(comm); r++)
            for (int i = 0; i < COUNT; i++)
                level[r][i] = leaf[r][i] / 3.0;
        memcpy(own, level[cr_comm_rank(comm)], sizeof own);
        ASSERT_OK(cr_comm_sum_fixed(comm, own, COUNT, scratch));
        for (int n = cr_comm_size(comm); n > 1; n = (n + 1) / 2)
            for (int node = 0; node < n; node += 2)
                for (int i = 0; i < COUNT; i++)
                    level[node / 2][i] =
                        node + 1 < n ? level[node][i] + level[node + 1][i] : level[node][i];
        assert_memory_equal(own, level[0], sizeof own);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_order_gives_other_bits),
        cmocka_unit_test(few_leaves_owned_in_every_way),
        cmocka_unit_test(many_leaves_in_equal_runs),
        cmocka_unit_test(doubles_of_ranks),
    };
    comm = mpi_begin(&argc, &argv);
    return mpi_end(&comm, cmocka_run_group_tests(tests, NULL, NULL));
}
