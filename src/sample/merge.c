/* merge: independent draws with replacement, channels that come several times made one. */
#include "colrow/sample.h"

#include <string.h>

/* The first i with target < cumulative[i], so that its weight is positive; 0 <= target < the last.
 * It is always among the `left` from `first`; there is no branch to guess wrong. */
static int find_channel(const double *cumulative, int n, double target)
{
    int first = 0;
    for (int left = n; left > 1;) {
        int half = left / 2;
        first += cumulative[first + half - 1] <= target ? half : 0;
        left -= half;
    }
    return first;
}

void cr_merge_count(int *count, double *weights, int n, int draws, cr_random *random)
{
    double total = 0;
    for (int i = 0; i < n; i++) {
        total += weights[i];
        weights[i] = total;
    }
    memset(count, 0, (size_t)n * sizeof(*count));
    for (int t = 0; t < draws; t++)
        count[find_channel(weights, n, cr_random_uniform(random) * total)]++;
}

void cr_merge_pick(cr_pick *pick, const int *count, const double *expected, bool scale)
{
    int kept = 0;
    pick->scaled = scale;
    for (int i = 0; i < pick->n; i++) {
        if (count[i] == 0)
            continue;
        pick->index[kept] = i;
        pick->scale[kept] = scale ? (float)(count[i] / expected[i]) : (float)count[i];
        pick->scaled = pick->scaled || count[i] > 1;
        kept++;
    }
    pick->k = kept;
}
