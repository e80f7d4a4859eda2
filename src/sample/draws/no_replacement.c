/*
 * no_replacement: k distinct channels one after another, each with probability s_i / sum s over
 * those that are left (successive sampling).
 *
 * The same in one pass: give each channel an exponential waiting time of rate s_i, e_i = -log(u_i)
 * / s_i, and take the k that come first (Efraimidis & Spirakis 2006). Channels of score zero come
 * after all others, ties to the lower index.
 *
 * The probability that a channel is among the k has a closed form only for equal scores, k / n;
 * so there is a scale, n / k, only for those.
 */
#include "colrow/sample.h"

#include <float.h>
#include <math.h>

/* -e_i: larger is earlier. A time too large for a double still comes before never. */
static double earliness(double score, double u)
{
    return score > 0 ? fmax(log(u) / score, -DBL_MAX) : -INFINITY;
}

static void draw(cr_pick *pick, const cr_draw_request *request)
{
    int n = request->n;
    int k = request->k;
    double *early = request->scratch; /* [n] */
    int *candidates = (int *)(early + n);
    cr_random random = cr_random_start(request->key);
    for (int i = 0; i < n; i++)
        early[i] = earliness(request->scores[i], cr_random_uniform(&random));
    cr_select_largest(pick->index, early, n, k, candidates);
    cr_pick_scale(pick, k, request->scale ? (float)((double)n / k) : 1.0F);
}

static bool can_scale(bool uniform)
{
    return uniform;
}

const cr_draw cr_draw_no_replacement = {
    .name = "no_replacement", .can_scale = can_scale, .draw = draw};
