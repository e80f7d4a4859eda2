/*
 * reference: the contractions as their definitions read, summed in double. Slow; the oracle that
 * every other engine is compared with.
 */
#include "colrow/engine.h"

/* Y_bo = sum_i X_bi W_io */
static void dense_forward(float *y, const float *x, const float *w, const cr_dense_sizes *sizes)
{
    for (int b = 0; b < sizes->n; b++) {
        for (int o = 0; o < sizes->out; o++) {
            double sum = 0;
            for (int i = 0; i < sizes->in; i++)
                sum += (double)x[(int64_t)b * sizes->ldx + i] * w[(int64_t)i * sizes->ldw + o];
            y[(int64_t)b * sizes->ldy + o] = (float)sum;
        }
    }
}

/* dX_bi = sum_o dY_bo W_io */
static void dense_input_gradient(float *dx, const float *dy, const float *w,
                                 const cr_dense_sizes *sizes)
{
    for (int b = 0; b < sizes->n; b++) {
        for (int i = 0; i < sizes->in; i++) {
            double sum = 0;
            for (int o = 0; o < sizes->out; o++)
                sum += (double)dy[(int64_t)b * sizes->ldy + o] * w[(int64_t)i * sizes->ldw + o];
            dx[(int64_t)b * sizes->ldx + i] = (float)sum;
        }
    }
}

/* dW_io (+)= sum_b X_bi dY_bo */
static void dense_weight_gradient(float *dw, const float *x, const float *dy,
                                  const cr_dense_sizes *sizes, bool accumulate)
{
    for (int i = 0; i < sizes->in; i++) {
        for (int o = 0; o < sizes->out; o++) {
            float *target = &dw[(int64_t)i * sizes->ldw + o];
            double sum = accumulate ? *target : 0;
            for (int b = 0; b < sizes->n; b++)
                sum += (double)x[(int64_t)b * sizes->ldx + i] * dy[(int64_t)b * sizes->ldy + o];
            *target = (float)sum;
        }
    }
}

const cr_engine cr_engine_reference = {
    .name = "reference",
    .dense_forward = dense_forward,
    .dense_input_gradient = dense_input_gradient,
    .dense_weight_gradient = dense_weight_gradient,
};
