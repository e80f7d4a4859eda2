/* dense: Y = X W, dX = dY W^T and dW (+)= X^T dY as products of matrices. */
#include "dense.h"

#include "product.h"

void cr_dense_forward(float *y, const float *x, const float *w, const cr_dense_sizes *sizes)
{
    cr_product_shared(&(cr_product){.m = sizes->n,
                                    .n = sizes->out,
                                    .k = sizes->in,
                                    .a = x,
                                    .b = w,
                                    .c = y,
                                    .lda = sizes->ldx,
                                    .ldb = sizes->ldw,
                                    .ldc = sizes->ldy});
}

void cr_dense_input_gradient(float *dx, const float *dy, const float *w,
                             const cr_dense_sizes *sizes)
{
    cr_product_shared(&(cr_product){.transpose_b = true,
                                    .m = sizes->n,
                                    .n = sizes->in,
                                    .k = sizes->out,
                                    .a = dy,
                                    .b = w,
                                    .c = dx,
                                    .lda = sizes->ldy,
                                    .ldb = sizes->ldw,
                                    .ldc = sizes->ldx});
}

void cr_dense_weight_gradient(float *dw, const float *x, const float *dy,
                              const cr_dense_sizes *sizes, bool accumulate)
{
    cr_product_shared(&(cr_product){.transpose_a = true,
                                    .m = sizes->in,
                                    .n = sizes->out,
                                    .k = sizes->n,
                                    .a = x,
                                    .b = dy,
                                    .c = dw,
                                    .lda = sizes->ldx,
                                    .ldb = sizes->ldy,
                                    .ldc = sizes->ldw,
                                    .add = accumulate});
}
