/*
 * draw: one pick from one draw. Here is what all draws share: the exact case, scores that cannot be
 * used, scores that are all zero.
 *
 * Scratch is n doubles of ones (for scores that are all zero), then n doubles and n ints for the
 * draw itself.
 */
#include "colrow/sample.h"

#include <math.h>

/* Doubles for n channels, so that what follows stands on a 64-byte boundary. */
static size_t padded(int n)
{
    const size_t line = CR_ALIGNMENT / sizeof(double);
    return ((size_t)n + line - 1) / line * line;
}

size_t cr_draw_scratch(int n)
{
    return padded(n) * (2 * sizeof(double) + sizeof(int));
}

int cr_draw_most(const cr_draw *draw, int n, int k)
{
    int most = k < n && draw->most != NULL ? draw->most(n, k) : k;
    return most < n ? most : n;
}

static cr_status largest_score(double *largest, const cr_draw_request *request)
{
    double most = 0;
    for (int i = 0; i < request->n; i++) {
        double score = request->scores[i];
        CR_CHECK(isfinite(score), CR_DIVERGED, "score of channel %d is not finite: found %g", i,
                 score);
        CR_ASSERT(score >= 0);
        most = fmax(most, score);
    }
    *largest = most;
    return CR_OK;
}

cr_status cr_sample_draw(cr_pick *pick, const cr_draw *draw, const cr_draw_request *request)
{
    CR_ASSERT(request->n == pick->n && request->k >= 1);
    if (request->k >= request->n) {
        cr_pick_all(pick);
        return CR_OK;
    }
    double largest = 0;
    CR_TRY(largest_score(&largest, request));
    double *ones = request->scratch;
    cr_draw_request usable = *request;
    usable.scratch = ones + padded(request->n);
    if (largest == 0) {
        for (int i = 0; i < request->n; i++)
            ones[i] = 1.0;
        usable.scores = ones;
        usable.uniform = true;
    }
    draw->draw(pick, &usable);
    cr_pick_seal(pick);
    return CR_OK;
}
