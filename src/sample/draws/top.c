/*
 * top: the k channels with the largest scores, ties to the lower index, without scale: the
 * deterministic top-k of Adelman & Silberstein 2018, section 3.1. It is biased, so it never scales.
 */
#include "colrow/sample.h"

static void draw(cr_pick *pick, const cr_draw_request *request)
{
    int *candidates = (int *)((double *)request->scratch + request->n);
    cr_select_largest(pick->index, request->scores, request->n, request->k, candidates);
    cr_pick_scale(pick, request->k, 1.0F);
}

const cr_draw cr_draw_top = {.name = "top", .can_scale = NULL, .draw = draw};
