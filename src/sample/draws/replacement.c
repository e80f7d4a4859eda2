/*
 * replacement: k draws, each of channel i with probability p_i = s_i / sum s, duplicates merged; so
 * there are at most k distinct channels (Adelman & Silberstein 2018, eq. (1) to (3)).
 *
 *     with scale      scale_i = c_i / (k p_i)     c_i: how often i was drawn
 *     without         scale_i = c_i
 */
#include "colrow/sample.h"

#include <string.h>

/* The first i with target < cumulative[i], so that its score is positive; 0 <= target < the last.
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

static void count_draws(int *count, double *cumulative, const cr_draw_request *request)
{
    int n = request->n;
    double total = 0;
    for (int i = 0; i < n; i++) {
        total += request->scores[i];
        cumulative[i] = total;
    }
    memset(count, 0, (size_t)n * sizeof(*count));
    cr_random random = cr_random_start(request->key);
    for (int t = 0; t < request->k; t++)
        count[find_channel(cumulative, n, cr_random_uniform(&random) * total)]++;
}

static void draw(cr_pick *pick, const cr_draw_request *request)
{
    int n = request->n;
    double *cumulative = request->scratch; /* [n] */
    int *count = (int *)(cumulative + n);  /* [n] */
    count_draws(count, cumulative, request);
    double total = cumulative[n - 1];
    int kept = 0;
    pick->scaled = request->scale;
    for (int i = 0; i < n; i++) {
        if (count[i] == 0)
            continue;
        double expected = request->k * (request->scores[i] / total); /* k p_i */
        pick->index[kept] = i;
        pick->scale[kept] = request->scale ? (float)(count[i] / expected) : (float)count[i];
        pick->scaled = pick->scaled || count[i] > 1;
        kept++;
    }
    pick->k = kept;
}

static bool can_scale(bool uniform)
{
    (void)uniform;
    return true;
}

const cr_draw cr_draw_replacement = {
    .name = "replacement", .merges = true, .can_scale = can_scale, .draw = draw};
