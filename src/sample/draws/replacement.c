/*
 * replacement: k draws, each of channel i with probability p_i = s_i / sum s, duplicates merged; so
 * there are at most k distinct channels (Adelman & Silberstein 2018, eq. (1) to (3)).
 *
 *     with scale      scale_i = c_i / (k p_i)     c_i: how often i was drawn
 *     without         scale_i = c_i
 */
#include "colrow/sample.h"

static void draw(cr_pick *pick, const cr_draw_request *request)
{
    int n = request->n;
    double *expected = request->scratch; /* [n] */
    int *count = (int *)(expected + n);  /* [n] */
    cr_random random = cr_random_start(request->key);
    for (int i = 0; i < n; i++)
        expected[i] = request->scores[i];
    cr_merge_count(count, expected, n, request->k, &random);
    double total = expected[n - 1];
    for (int i = 0; i < n; i++)
        expected[i] = request->k * (request->scores[i] / total); /* k p_i */
    cr_merge_pick(pick, count, expected, request->scale);
}

static bool can_scale(bool uniform)
{
    (void)uniform;
    return true;
}

const cr_draw cr_draw_replacement = {
    .name = "replacement", .varies = true, .merges = true, .can_scale = can_scale, .draw = draw};
