/*
 * bernoulli: each channel by itself, with its inclusion probability p_i (inclusion.c: in proportion
 * to the scores, at most 1, k in sum). How many are kept varies: k on average.
 *
 * A draw that keeps nothing is drawn again; that happens with probability e = prod (1 - p_i), at
 * most exp(-k). What is left keeps channel i with probability p_i / (1 - e), so
 *
 *     with scale      scale_i = (1 - e) / p_i
 *     without         scale_i = 1
 *
 * is unbiased as it stands, with the error (X_i: what channel i adds to the product AB)
 *
 *     (1 - e) sum_i (1 / p_i - 1) |X_i|^2 - e |AB|^2
 *
 * and 1 / (1 - e) times k are kept on average. Memory is planned for the most that can be kept. The
 * number's variance is at most v = k (1 - k / n); by Bernstein's inequality it exceeds
 * k + 6 sqrt(v) + 12 with a probability below 2e-8, and such a draw is drawn again, too. (The bias
 * of that is below what float scales can tell.)
 */
#include "colrow/sample.h"

#include <math.h>

static int most(int n, int k)
{
    double bound = k + 6 * sqrt(k * (1 - (double)k / n)) + 12;
    return bound < n ? (int)bound : n;
}

/* One try, into pick->index; returns how many are kept. */
static int take(cr_pick *pick, const double *p, cr_random *random)
{
    int kept = 0;
    for (int i = 0; i < pick->n; i++)
        if (cr_random_uniform(random) < p[i])
            pick->index[kept++] = i;
    return kept;
}

static void draw(cr_pick *pick, const cr_draw_request *request)
{
    int n = request->n;
    int limit = most(n, request->k);
    double *p = request->scratch; /* [n] */
    double empty = 1;             /* probability of keeping nothing */
    cr_random random = cr_random_start(request->key);
    cr_inclusion inclusion = cr_inclusion_make(request->scores, n, request->k);
    for (int i = 0; i < n; i++) {
        p[i] = cr_inclusion_of(&inclusion, request->scores[i]);
        empty *= 1 - p[i];
    }
    int kept = take(pick, p, &random);
    while (kept == 0 || kept > limit)
        kept = take(pick, p, &random);
    pick->k = kept;
    pick->scaled = request->scale;
    for (int j = 0; j < kept; j++)
        pick->scale[j] = request->scale ? (float)((1 - empty) / p[pick->index[j]]) : 1.0F;
}

static bool can_scale(bool uniform)
{
    (void)uniform;
    return true;
}

const cr_draw cr_draw_bernoulli = {
    .name = "bernoulli", .varies = true, .most = most, .can_scale = can_scale, .draw = draw};
