/*
 * onednn: direct convolutions by oneDNN, in f32, or in bf16 with sums in f32. So are dense products
 * in bf16; in f32 they are those that engines share. Where bf16 is no faster than f32 by Winograd,
 * `auto` takes the latter for the convolutions that it fits.
 */
#include "convolution.h"
#include "dense.h"
#include "onednn/convolve.h"
#include "onednn/dense.h"
#include "onednn/gradient.h"
#include "repeated.h"

static bool fits(const cr_conv_sizes *sizes)
{
    (void)sizes;
    return true;
}

/* ---- f32 ---------------------------------------------------------------------------------------
 */

static int64_t f32_prepared(const cr_conv_sizes *sizes, bool backward)
{
    (void)backward;
    return cr_onednn_prepared(dnnl_f32, sizes);
}

static void f32_prepare(float *prepared, const float *w, const cr_conv_sizes *sizes, bool backward)
{
    cr_onednn_prepare(dnnl_f32, prepared, w, sizes, backward);
}

static size_t f32_work(const cr_conv_sizes *sizes, int threads)
{
    return cr_onednn_work(dnnl_f32, sizes, threads);
}

static void f32_forward(float *y, const float *x, const float *prepared, const cr_conv_sizes *sizes,
                        void *work)
{
    cr_onednn_forward(dnnl_f32, y, x, prepared, sizes, work);
}

static void f32_input_gradient(float *dx, const float *dy, const float *prepared,
                               const cr_conv_sizes *sizes, void *work)
{
    cr_onednn_input_gradient(dnnl_f32, dx, dy, prepared, sizes, work);
}

static void f32_weight_gradient(float *dw, const float *x, const float *dy,
                                const cr_conv_sizes *sizes, bool accumulate, void *work)
{
    cr_onednn_weight_gradient(dnnl_f32, dw, x, dy, sizes, accumulate, work);
}

static const cr_convolution direct_f32 = {
    .name = "onednn",
    .fits = fits,
    .prepared = f32_prepared,
    .prepare = f32_prepare,
    .work = f32_work,
    .forward = f32_forward,
    .input_gradient = f32_input_gradient,
    .weight_gradient = f32_weight_gradient,
};

/* ---- bf16 --------------------------------------------------------------------------------------
 */

/* What is really multiplied: oneDNN 2.6.3's bf16 input gradient of 1x1 kernels is wrong for some
 * sizes with an odd number of output channels. Such convolutions stay in f32. */
static dnnl_data_type_t type_for(const cr_conv_sizes *sizes)
{
    return sizes->kernel > 1 || sizes->out % 2 == 0 ? dnnl_bf16 : dnnl_f32;
}

/* Fewer channels of a 1x1 convolution may stay in f32. */
static int64_t bf16_prepared(const cr_conv_sizes *sizes, bool backward)
{
    (void)backward;
    return cr_onednn_prepared(sizes->kernel > 1 ? dnnl_bf16 : dnnl_f32, sizes);
}

static void bf16_prepare(float *prepared, const float *w, const cr_conv_sizes *sizes, bool backward)
{
    cr_onednn_prepare(type_for(sizes), prepared, w, sizes, backward);
}

static size_t bf16_work(const cr_conv_sizes *sizes, int threads)
{
    size_t bf16 = cr_onednn_work(dnnl_bf16, sizes, threads);
    size_t f32 = sizes->kernel > 1 ? 0 : cr_onednn_work(dnnl_f32, sizes, threads);
    return bf16 > f32 ? bf16 : f32;
}

static void bf16_forward(float *y, const float *x, const float *prepared,
                         const cr_conv_sizes *sizes, void *work)
{
    cr_onednn_forward(type_for(sizes), y, x, prepared, sizes, work);
}

static void bf16_input_gradient(float *dx, const float *dy, const float *prepared,
                                const cr_conv_sizes *sizes, void *work)
{
    cr_onednn_input_gradient(type_for(sizes), dx, dy, prepared, sizes, work);
}

static void bf16_weight_gradient(float *dw, const float *x, const float *dy,
                                 const cr_conv_sizes *sizes, bool accumulate, void *work)
{
    cr_onednn_weight_gradient(type_for(sizes), dw, x, dy, sizes, accumulate, work);
}

static const cr_convolution direct_bf16 = {
    .name = "onednn_bf16",
    .fits = fits,
    .prepared = bf16_prepared,
    .prepare = bf16_prepare,
    .work = bf16_work,
    .forward = bf16_forward,
    .input_gradient = bf16_input_gradient,
    .weight_gradient = bf16_weight_gradient,
};

/* ---- the processor -----------------------------------------------------------------------------
 */

/* Instruction sets are masks, each with all that it builds on. DNNL_MAX_CPU_ISA can take some away.
 */
static bool has(dnnl_cpu_isa_t set)
{
    return (dnnl_get_effective_cpu_isa() & set) == set;
}

static const char *bf16_lacks(void)
{
    return has(dnnl_cpu_isa_avx512_core_bf16) ? NULL : "AVX512-BF16 or AMX";
}

static const char *f32_remark(void)
{
    return "convolves directly; for 3x3 kernels engine: openblas, by Winograd, is faster";
}

static const char *bf16_remark(void)
{
    return has(dnnl_cpu_isa_avx512_core_amx)
               ? NULL
               : "convolves directly; no AMX here: engine: auto takes Winograd in f32 "
                 "where that is faster";
}

static const char *mixed_remark(void)
{
    return "no AMX here: 3x3 and 5x5 convolutions of stride 1 by Winograd in f32, which is faster; "
           "all else by onednn";
}

/* ---- rows --------------------------------------------------------------------------------------
 */

static const cr_convolution *const in_f32[] = {&direct_f32, NULL};
static const cr_convolution *const in_bf16[] = {&direct_bf16, NULL};

/* Measured on Zen 5, two threads: Winograd of stride 1 in f32 has 1.4 to 2.1 times the rate of
 * direct convolution in bf16 with 64 to 640 channels, 0.9 to 1.9 times with 16 and 32; of stride 2
 * 0.7 to 1.3 times, in the three products together 0.8 to 1 times. */
static const cr_convolution *const mixed[] = {&cr_convolution_winograd4, &direct_bf16, NULL};

#define CR_DENSE_IN_BF16                                                                           \
    .dense_prepared = cr_onednn_dense_prepared, .dense_prepare = cr_onednn_dense_prepare,          \
    .dense_work = cr_onednn_dense_work, .dense_forward = cr_onednn_dense_forward,                  \
    .dense_input_gradient = cr_onednn_dense_input_gradient,                                        \
    .dense_weight_gradient = cr_onednn_dense_weight_gradient,                                      \
    .repeated_prepared = cr_onednn_dense_prepared, .repeated_prepare = cr_onednn_dense_prepare,    \
    .repeated_forward = cr_onednn_dense_forward,                                                   \
    .repeated_input_gradient = cr_onednn_dense_input_gradient

static const cr_engine auto_bf16 = {
    .name = "auto",
    .precision = "bf16",
    .lacks = bf16_lacks,
    .remark = mixed_remark,
    CR_DENSE_IN_BF16,
    .convolutions = mixed,
};

static const cr_engine *instead_of_bf16(void)
{
    return has(dnnl_cpu_isa_avx512_core_amx) ? NULL : &auto_bf16;
}

static const cr_engine onednn_bf16 = {
    .name = "onednn",
    .precision = "bf16",
    .lacks = bf16_lacks,
    .remark = bf16_remark,
    .instead = instead_of_bf16,
    CR_DENSE_IN_BF16,
    .convolutions = in_bf16,
};

const cr_engine cr_engine_onednn = {
    .name = "onednn",
    .precision = "f32",
    .bf16 = &onednn_bf16,
    .remark = f32_remark,
    .dense_prepared = cr_dense_prepared,
    .dense_work = cr_dense_work,
    .dense_forward = cr_dense_forward,
    .dense_input_gradient = cr_dense_input_gradient,
    .dense_weight_gradient = cr_dense_weight_gradient,
    .repeated_prepared = cr_repeated_prepared,
    .repeated_prepare = cr_repeated_prepare,
    .repeated_forward = cr_repeated_forward,
    .repeated_input_gradient = cr_repeated_input_gradient,
    .convolutions = in_f32,
};
