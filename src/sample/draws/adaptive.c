/*
 * adaptive: the largest scores, and no more of them than are needed to reach the share `ratio` of
 * the sum of all scores; at least `minimum`. Ties go to the lower index. Without scale: it is
 * biased as `top` is.
 *
 * The k largest of n hold at least k / n of the sum. So where `top` keeps floor(ratio n), at most
 * one more is kept here, when all scores are equal; and fewer the more unequal they are.
 */
#include "colrow/sample.h"

static const double ROUNDING = 1e-9; /* of sums, relative: n equal scores are to need ratio n */

static int most(int n, int k)
{
    return k < n ? k + 1 : n;
}

/* Select the `count` largest into pick->index; returns their sum. */
static double select_sum(cr_pick *pick, const cr_draw_request *request, int count)
{
    int *candidates = (int *)((double *)request->scratch + request->n);
    double sum = 0;
    cr_select_largest(pick->index, request->scores, request->n, count, candidates);
    for (int j = 0; j < count; j++)
        sum += request->scores[pick->index[j]];
    return sum;
}

static void draw(cr_pick *pick, const cr_draw_request *request)
{
    double total = 0;
    for (int i = 0; i < request->n; i++)
        total += request->scores[i];
    double wanted = request->share * total * (1 - ROUNDING);
    int low = request->minimum > 1 ? request->minimum : 1;
    int high = most(request->n, request->k);
    while (low < high) { /* the least count that suffices is in [low, high] */
        int middle = low + (high - low) / 2;
        if (select_sum(pick, request, middle) >= wanted)
            high = middle;
        else
            low = middle + 1;
    }
    (void)select_sum(pick, request, low);
    cr_pick_scale(pick, low, 1.0F);
}

const cr_draw cr_draw_adaptive = {.name = "adaptive", .varies = true, .most = most, .draw = draw};
