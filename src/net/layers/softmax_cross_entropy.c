/*
 * softmax_cross_entropy: loss = log sum_c exp(x_c) - sum_c q_c x_c, its gradient softmax(x) - q.
 *
 *     q = onehot(label)                         evaluating
 *     q = (1 - e) onehot(label) + e / classes   training, with label smoothing e (Szegedy et al.
 * 2016)
 *
 * Summed in double, shifted by the largest logit so that nothing overflows.
 */
#include "colrow/net.h"

#include <math.h>

static cr_status shape(cr_layer *layer)
{
    layer->out = (cr_shape){1, 1, 1};
    return CR_OK;
}

static int largest(const float *x, int n)
{
    int best = 0;
    for (int c = 1; c < n; c++)
        if (x[c] > x[best])
            best = c;
    return best;
}

/* sum_c (q_c - onehot_c) (x_c - best) for smoothing e: what is to be taken off the loss */
static double smoothed(const float *x, int label, int best, int classes, double e)
{
    double sum = 0;
    for (int c = 0; c < classes; c++)
        sum += (double)x[c] - x[best];
    return e * (sum / classes - ((double)x[label] - x[best]));
}

/* One sample: x [C]; dx [C], or NULL: nothing is smoothed. */
static void run_row(const cr_layer *layer, cr_result *result, float *dx, const float *x, int label,
                    double scale)
{
    int classes = layer->in.c;
    int best = largest(x, classes);
    double e = layer->plan.smoothing;
    double sum = 0;
    for (int c = 0; c < classes; c++)
        sum += exp((double)x[c] - x[best]);
    result->loss += log(sum) - ((double)x[label] - x[best]);
    result->correct += best == label;
    if (dx == NULL)
        return;
    if (e > 0)
        result->loss -= smoothed(x, label, best, classes, e);
    for (int c = 0; c < classes; c++) {
        double p = exp((double)x[c] - x[best]) / sum;
        double q = (1 - e) * (c == label) + e / classes;
        dx[c] = (float)(scale * (p - q));
    }
}

static void run(const cr_layer *layer, cr_result *result, float *dx, const float *x,
                const int *labels, int rows, double scale)
{
    int classes = layer->in.c;
    for (int row = 0; row < rows; row++) {
        int64_t start = (int64_t)row * classes;
        run_row(layer, result, dx == NULL ? NULL : dx + start, x + start, labels[row], scale);
    }
    result->samples += rows;
}

static const cr_loss loss = {.run = run};

const cr_layer_type cr_layer_type_softmax_cross_entropy = {
    .name = "softmax_cross_entropy",
    .shape = shape,
    .loss = &loss,
};
