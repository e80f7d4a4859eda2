/*
 * inclusion: probabilities p_i of being kept that follow the scores s_i and add up to k.
 *
 * Among the unbiased estimates sum_i (1_i / p_i) X_i with independent 1_i, the error
 *
 *     sum_i (1 / p_i - 1) |X_i|_F^2,     |X_i|_F = s_i,     sum p_i = k,  p_i <= 1
 *
 * is least for p_i = min(1, s_i / t): water poured until k fill up, t the level. (Without the limit
 * of 1 the p_i are proportional to the s_i, as in Adelman & Silberstein 2018, eq. (3).)
 *
 * The level: those found certain so far being m, the others share k - m, so t = sum s / (k - m)
 * over the others; whoever reaches that is certain as well. The level only falls, and a few passes
 * do. Where fewer than k scores are positive those are certain, and the zeros share what is left.
 */
#include "colrow/sample.h"

#include <math.h>

/* How many scores reach the level; *rest becomes the sum of the others. */
static int count_certain(double *rest, const double *scores, int n, double level)
{
    int certain = 0;
    double sum = 0;
    for (int i = 0; i < n; i++) {
        bool reaches = scores[i] >= level;
        certain += reaches;
        sum += reaches ? 0 : scores[i];
    }
    *rest = sum;
    return certain;
}

cr_inclusion cr_inclusion_make(const double *scores, int n, int k)
{
    double level = INFINITY;
    double rest = 0;
    int certain = count_certain(&rest, scores, n, level);
    for (int before = -1; certain > before && certain < k && rest > 0;) {
        level = rest / (k - certain);
        before = certain;
        certain = count_certain(&rest, scores, n, level);
    }
    bool zeros_share = rest == 0 && certain < k;
    return (cr_inclusion){level, zeros_share ? (double)(k - certain) / (n - certain) : 0};
}

double cr_inclusion_of(const cr_inclusion *inclusion, double score)
{
    if (score == 0)
        return inclusion->of_zero;
    return score >= inclusion->level ? 1 : score / inclusion->level;
}
