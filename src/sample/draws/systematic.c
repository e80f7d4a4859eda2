/*
 * systematic: exactly k channels with the inclusion probabilities p_i of inclusion.c (in proportion
 * to the scores, at most 1, k in sum), so shapes are constant (Madow 1949; in random order: Hartley
 * & Rao 1962).
 *
 * The channels that are not certain are laid end to end in random order, channel i with length p_i
 * < 1, on a line whose length is the number still wanted. With one uniform start u, those that
 * cover u, u + 1, u + 2 ... are taken: as many as wanted, and each with probability p_i. So
 *
 *     with scale      scale_i = 1 / p_i
 *     without         scale_i = 1
 *
 * is unbiased. With equal p_i every subset of k is equally likely, and the error is that of
 * no_replacement with uniform scores.
 */
#include "colrow/sample.h"

/* Put order [n] into random order (Fisher & Yates). */
static void shuffle(int *order, int n, cr_random *random)
{
    for (int left = n; left > 1; left--) {
        uint32_t other = cr_random_below(random, (uint32_t)left);
        int last = order[left - 1];
        order[left - 1] = order[other];
        order[other] = last;
    }
}

/* Mark those of order [n] that cover start, start + 1 ... on a line of length `wanted`. */
static void mark_covering(int *taken, const int *order, int n, int wanted, double start,
                          const double *p)
{
    double end = 0;
    int found = 0;
    for (int j = 0; j < n; j++) {
        end = j + 1 < n ? end + p[order[j]] : wanted; /* whatever the sum was rounded to */
        taken[order[j]] = end >= start + found;
        found += taken[order[j]];
    }
}

static void keep_marked(cr_pick *pick, const int *taken, const double *p, bool scale)
{
    pick->k = 0;
    pick->scaled = scale;
    for (int i = 0; i < pick->n; i++) {
        if (!taken[i])
            continue;
        pick->index[pick->k] = i;
        pick->scale[pick->k++] = scale ? (float)(1 / p[i]) : 1.0F;
    }
}

static void draw(cr_pick *pick, const cr_draw_request *request)
{
    int n = request->n;
    double *p = request->scratch; /* [n] */
    int *taken = (int *)(p + n);  /* [n] */
    int *order = pick->index;     /* [n] until the pick is known */
    int certain = 0;
    int open = 0;
    cr_random random = cr_random_start(request->key);
    cr_inclusion inclusion = cr_inclusion_make(request->scores, n, request->k);
    for (int i = 0; i < n; i++) {
        p[i] = cr_inclusion_of(&inclusion, request->scores[i]);
        taken[i] = p[i] >= 1;
        certain += taken[i];
        if (p[i] > 0 && p[i] < 1)
            order[open++] = i;
    }
    shuffle(order, open, &random);
    mark_covering(taken, order, open, request->k - certain, cr_random_uniform(&random), p);
    keep_marked(pick, taken, p, request->scale);
}

static bool can_scale(bool uniform)
{
    (void)uniform;
    return true;
}

const cr_draw cr_draw_systematic = {.name = "systematic", .can_scale = can_scale, .draw = draw};
