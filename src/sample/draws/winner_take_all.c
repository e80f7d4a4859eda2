/*
 * winner_take_all: the channels C with the largest scores for certain, the others by k - |C| draws
 * with replacement (WTA-CRS: Liu, Wang, Zhong et al., "Winner-Take-All Column Row Sampling for
 * Memory Efficient Adaptation of Language Model", NeurIPS 2023).
 *
 * With q_i = s_i / sum s and the rest R = 1 - sum_C q, a draw takes channel j outside of C with
 * probability q_j / R, and is scaled by R / ((k - |C|) q_j). C is to make the bound R / (k - |C|)
 * of the error least. Adding the next largest, q, does not raise it as long as
 *
 *     (R - q) / (k - |C| - 1) <= R / (k - |C|)     <=>     q >= R / (k - |C|)
 *
 * which is how the certain ones of inclusion.c are found: C is those, and the scale is 1 / p_j with
 * the p of that file. So
 *
 *     with scale      scale_i = 1 in C, else c_i / p_i     c_i: how often i was drawn
 *     without         scale_i = 1 in C, else c_i
 *
 * Unbiased; error sum_j |X_j|^2 / p_j - |sum_j X_j|^2 / (k - |C|), j outside of C.
 */
#include "colrow/sample.h"

static void draw(cr_pick *pick, const cr_draw_request *request)
{
    int n = request->n;
    double *p = request->scratch; /* [n] */
    int *count = (int *)(p + n);  /* [n] */
    int certain = 0;
    cr_random random = cr_random_start(request->key);
    cr_inclusion inclusion = cr_inclusion_make(request->scores, n, request->k);
    for (int i = 0; i < n; i++) {
        p[i] = cr_inclusion_of(&inclusion, request->scores[i]);
        certain += p[i] >= 1;
        p[i] = p[i] >= 1 ? 0 : p[i]; /* not to be drawn */
    }
    cr_merge_count(count, p, n, request->k - certain, &random);
    for (int i = 0; i < n; i++) {
        p[i] = cr_inclusion_of(&inclusion, request->scores[i]);
        count[i] = p[i] >= 1 ? 1 : count[i];
    }
    cr_merge_pick(pick, count, p, request->scale);
}

static bool can_scale(bool uniform)
{
    (void)uniform;
    return true;
}

const cr_draw cr_draw_winner_take_all = {.name = "winner_take_all",
                                         .varies = true,
                                         .merges = true,
                                         .can_scale = can_scale,
                                         .draw = draw};
