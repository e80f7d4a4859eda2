/*
 * softmax_cross_entropy: loss = log sum_c exp(x_c) - x_label, its gradient softmax(x) -
 * onehot(label). Summed in double, shifted by the largest logit so that nothing overflows.
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

/* One sample: x [C], dx [C] or NULL. */
static void run_row(cr_result *result, float *dx, const float *x, int label, int classes,
                    double scale)
{
    int best = largest(x, classes);
    double sum = 0;
    for (int c = 0; c < classes; c++)
        sum += exp((double)x[c] - x[best]);
    result->loss += log(sum) - ((double)x[label] - x[best]);
    result->correct += best == label;
    if (dx == NULL)
        return;
    for (int c = 0; c < classes; c++) {
        double p = exp((double)x[c] - x[best]) / sum;
        dx[c] = (float)(scale * (p - (c == label)));
    }
}

static void run(const cr_layer *layer, cr_result *result, float *dx, const float *x,
                const int *labels, int rows, double scale)
{
    int classes = layer->in.c;
    for (int row = 0; row < rows; row++) {
        int64_t start = (int64_t)row * classes;
        run_row(result, dx == NULL ? NULL : dx + start, x + start, labels[row], classes, scale);
    }
    result->samples += rows;
}

static const cr_loss loss = {.run = run};

const cr_layer_type cr_layer_type_softmax_cross_entropy = {
    .name = "softmax_cross_entropy",
    .shape = shape,
    .loss = &loss,
};
