/*
 * scores: how important channel i of a contraction is, from the squared norms of its inputs X_i and
 * of its weights W_i.
 *
 *     norm         s_i = |X_i|_F |W_i|_F     Adelman & Silberstein 2018, eq. (3) and (8)
 *     weight_norm  s_i = |W_i|_F             known without the inputs, so ranks agree unasked
 *     uniform      s_i = 1
 */
#include "colrow/sample.h"

#include <math.h>
#include <string.h>

static void combine_norm(double *scores, const double *inputs, const double *weights, int n)
{
    for (int i = 0; i < n; i++)
        scores[i] = sqrt(inputs[i] * weights[i]);
}

static void combine_weight_norm(double *scores, const double *inputs, const double *weights, int n)
{
    (void)inputs;
    for (int i = 0; i < n; i++)
        scores[i] = sqrt(weights[i]);
}

static void combine_uniform(double *scores, const double *inputs, const double *weights, int n)
{
    (void)inputs;
    (void)weights;
    for (int i = 0; i < n; i++)
        scores[i] = 1.0;
}

static const cr_score scores_table[] = {
    {"norm", true, true, combine_norm},
    {"weight_norm", false, true, combine_weight_norm},
    {"uniform", false, false, combine_uniform},
    {0},
};

static const char *const names[] = {"norm", "weight_norm", "uniform", NULL};

const cr_score *cr_score_find(const char *name)
{
    for (const cr_score *score = scores_table; score->name != NULL; score++)
        if (strcmp(score->name, name) == 0)
            return score;
    return NULL;
}

const char *const *cr_score_names(void)
{
    return names;
}
