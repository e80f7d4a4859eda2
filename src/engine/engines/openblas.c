/*
 * openblas: the contractions as products of any CBLAS. Convolutions become products in one of
 * several ways.
 */
#include "convolution.h"
#include "dense.h"
#include "repeated.h"

static const cr_convolution *const convolutions[] = {
    &cr_convolution_winograd4, &cr_convolution_winograd4_stride2, &cr_convolution_direct,
    &cr_convolution_im2col, NULL};

const cr_engine cr_engine_openblas = {
    .name = "openblas",
    .precision = "f32",
    .dense_prepared = cr_dense_prepared,
    .dense_work = cr_dense_work,
    .dense_forward = cr_dense_forward,
    .dense_input_gradient = cr_dense_input_gradient,
    .dense_weight_gradient = cr_dense_weight_gradient,
    .repeated_prepared = cr_repeated_prepared,
    .repeated_prepare = cr_repeated_prepare,
    .repeated_forward = cr_repeated_forward,
    .repeated_input_gradient = cr_repeated_input_gradient,
    .convolutions = convolutions,
};
