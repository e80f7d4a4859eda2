/*
 * onednn: direct convolutions by oneDNN, in f32, or in bf16 with sums in f32. So are dense products
 * in bf16; in f32 they are those that engines share.
 */
#include "convolution.h"
#include "dense.h"
#include "onednn/convolve.h"
#include "onednn/dense.h"
#include "onednn/gradient.h"
#include "repeated.h"

/* ---- either precision --------------------------------------------------------------------------
 */

/* What is really multiplied: oneDNN 2.6.3's bf16 input gradient of 1x1 kernels is wrong for some
 * sizes with an odd number of output channels. Such convolutions stay in f32. */
static dnnl_data_type_t type_for(dnnl_data_type_t type, const cr_conv_sizes *sizes)
{
    return sizes->kernel > 1 || sizes->out % 2 == 0 ? type : dnnl_f32;
}

static void prepare(dnnl_data_type_t type, float *prepared, const float *w,
                    const cr_conv_sizes *sizes, bool backward)
{
    if (sizes->in > 0 && sizes->out > 0)
        cr_onednn_prepare(type_for(type, sizes), prepared, w, sizes, backward);
}

static void forward(dnnl_data_type_t type, float *y, const float *x, const float *prepared,
                    const cr_conv_sizes *sizes, void *work)
{
    int64_t count = (int64_t)sizes->n * sizes->oh * sizes->ow * sizes->out;
    if (!cr_convolution_empty(sizes, y, count, false))
        cr_onednn_forward(type_for(type, sizes), y, x, prepared, sizes, work);
}

static void input_gradient(dnnl_data_type_t type, float *dx, const float *dy, const float *prepared,
                           const cr_conv_sizes *sizes, void *work)
{
    int64_t count = (int64_t)sizes->n * sizes->h * sizes->w * sizes->in;
    if (!cr_convolution_empty(sizes, dx, count, false))
        cr_onednn_input_gradient(type_for(type, sizes), dx, dy, prepared, sizes, work);
}

static void weight_gradient(dnnl_data_type_t type, float *dw, const float *x, const float *dy,
                            const cr_conv_sizes *sizes, bool accumulate, void *work)
{
    int64_t count = (int64_t)sizes->kernel * sizes->kernel * sizes->in * sizes->out;
    if (!cr_convolution_empty(sizes, dw, count, accumulate))
        cr_onednn_weight_gradient(type_for(type, sizes), dw, x, dy, sizes, accumulate, work);
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
    prepare(dnnl_f32, prepared, w, sizes, backward);
}

static size_t f32_work(const cr_conv_sizes *sizes, int threads)
{
    return cr_onednn_work(dnnl_f32, sizes, threads);
}

static void f32_forward(float *y, const float *x, const float *prepared, const cr_conv_sizes *sizes,
                        void *work)
{
    forward(dnnl_f32, y, x, prepared, sizes, work);
}

static void f32_input_gradient(float *dx, const float *dy, const float *prepared,
                               const cr_conv_sizes *sizes, void *work)
{
    input_gradient(dnnl_f32, dx, dy, prepared, sizes, work);
}

static void f32_weight_gradient(float *dw, const float *x, const float *dy,
                                const cr_conv_sizes *sizes, bool accumulate, void *work)
{
    weight_gradient(dnnl_f32, dw, x, dy, sizes, accumulate, work);
}

/* ---- bf16 --------------------------------------------------------------------------------------
 */

static int64_t bf16_prepared(const cr_conv_sizes *sizes, bool backward)
{
    (void)backward;
    return cr_onednn_prepared(sizes->kernel > 1 ? dnnl_bf16 : dnnl_f32, sizes);
}

static void bf16_prepare(float *prepared, const float *w, const cr_conv_sizes *sizes, bool backward)
{
    prepare(dnnl_bf16, prepared, w, sizes, backward);
}

/* Fewer channels of a 1x1 convolution may be multiplied in f32. */
static size_t bf16_work(const cr_conv_sizes *sizes, int threads)
{
    size_t bf16 = cr_onednn_work(dnnl_bf16, sizes, threads);
    size_t f32 = sizes->kernel > 1 ? 0 : cr_onednn_work(dnnl_f32, sizes, threads);
    return bf16 > f32 ? bf16 : f32;
}

static void bf16_forward(float *y, const float *x, const float *prepared,
                         const cr_conv_sizes *sizes, void *work)
{
    forward(dnnl_bf16, y, x, prepared, sizes, work);
}

static void bf16_input_gradient(float *dx, const float *dy, const float *prepared,
                                const cr_conv_sizes *sizes, void *work)
{
    input_gradient(dnnl_bf16, dx, dy, prepared, sizes, work);
}

static void bf16_weight_gradient(float *dw, const float *x, const float *dy,
                                 const cr_conv_sizes *sizes, bool accumulate, void *work)
{
    weight_gradient(dnnl_bf16, dw, x, dy, sizes, accumulate, work);
}

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
               : "no AMX here: for 3x3 kernels precision: f32 with engine: openblas, by Winograd, "
                 "is faster; dense products gain";
}

/* ---- rows --------------------------------------------------------------------------------------
 */

static const cr_engine in_bf16 = {
    .name = "onednn",
    .precision = "bf16",
    .lacks = bf16_lacks,
    .remark = bf16_remark,
    .dense_prepared = cr_onednn_dense_prepared,
    .dense_prepare = cr_onednn_dense_prepare,
    .dense_work = cr_onednn_dense_work,
    .dense_forward = cr_onednn_dense_forward,
    .dense_input_gradient = cr_onednn_dense_input_gradient,
    .dense_weight_gradient = cr_onednn_dense_weight_gradient,
    .repeated_prepared = cr_onednn_dense_prepared,
    .repeated_prepare = cr_onednn_dense_prepare,
    .repeated_forward = cr_onednn_dense_forward,
    .repeated_input_gradient = cr_onednn_dense_input_gradient,
    .conv_prepared = bf16_prepared,
    .conv_prepare = bf16_prepare,
    .conv_work = bf16_work,
    .conv_forward = bf16_forward,
    .conv_input_gradient = bf16_input_gradient,
    .conv_weight_gradient = bf16_weight_gradient,
};

const cr_engine cr_engine_onednn = {
    .name = "onednn",
    .precision = "f32",
    .bf16 = &in_bf16,
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
    .conv_prepared = f32_prepared,
    .conv_prepare = f32_prepare,
    .conv_work = f32_work,
    .conv_forward = f32_forward,
    .conv_input_gradient = f32_input_gradient,
    .conv_weight_gradient = f32_weight_gradient,
};
