/*
 * api: oneDNN 2 describes an operation first and memory by value; oneDNN 3 goes straight to the
 * primitive's descriptor and hides memory descriptors behind pointers. Nothing but that is told
 * apart here.
 */
#include "api.h"

enum { RANK = 4 };

/* Sizes, strides and padding in oneDNN's order. */
typedef struct geometry {
    dnnl_dims_t x, w, y; /* [N, IN, H, W], [OUT, IN, K, K], [N, OUT, OH, OW] */
    dnnl_dims_t strides, before, after;
    dnnl_data_type_t x_type, w_type, y_type;
} geometry;

/* Padding below or to the right; 0 also where the last rows or columns are not used. */
static int pad_after(int side, int out, int pad, const cr_conv_sizes *s)
{
    int after = (out - 1) * s->stride + s->kernel - side - pad;
    return after > 0 ? after : 0;
}

static geometry geometry_of(const cr_onednn_convolution *c, cr_onednn_product product)
{
    const cr_conv_sizes *s = &c->sizes;
    return (geometry){
        .x = {s->n, s->in, s->h, s->w},
        .w = {s->out, s->in, s->kernel, s->kernel},
        .y = {s->n, s->out, s->oh, s->ow},
        .strides = {s->stride, s->stride},
        .before = {s->pad_top, s->pad_left},
        .after = {pad_after(s->h, s->oh, s->pad_top, s), pad_after(s->w, s->ow, s->pad_left, s)},
        .x_type = product == CR_ONEDNN_INPUT_GRADIENT ? dnnl_f32 : c->type,
        .w_type = product == CR_ONEDNN_WEIGHT_GRADIENT ? dnnl_f32 : c->type,
        .y_type = product == CR_ONEDNN_FORWARD ? dnnl_f32 : c->type};
}

static size_t scratch_of(const_dnnl_primitive_desc_t desc)
{
    return dnnl_memory_desc_get_size(
        dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0));
}

static bool fits(const_dnnl_primitive_desc_t desc, const cr_onednn_convolution *c)
{
    dnnl_query_t weights = c->product == CR_ONEDNN_WEIGHT_GRADIENT ? dnnl_query_diff_weights_md
                                                                   : dnnl_query_weights_md;
    return dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(desc, weights, 0)) <=
               c->weights_most &&
           scratch_of(desc) <= c->scratch_most;
}

static void plain_strides(dnnl_dims_t strides, const cr_conv_sizes *s, int rows)
{
    strides[0] = 1;
    strides[1] = s->out;
    strides[2] = (int64_t)s->kernel * rows * s->out;
    strides[3] = (int64_t)rows * s->out;
}

/* A, B and C of a matrix product as oneDNN has them. */
typedef struct operand {
    dnnl_dims_t dims, strides;
    dnnl_data_type_t type;
} operand;

enum { A, B, C, OPERANDS };

static void operands_of(operand out[OPERANDS], const cr_onednn_matmul *m)
{
    out[A] = (operand){{m->m, m->k}, {m->a_row, m->a_column}, dnnl_bf16};
    out[B] = (operand){{m->k, m->n}, {m->b_row, m->b_column}, dnnl_bf16};
    out[C] = (operand){{m->m, m->n}, {m->c_row, 1}, dnnl_f32};
}

#if DNNL_VERSION_MAJOR < 3

static dnnl_status_t describe_operation(dnnl_convolution_desc_t *out,
                                        const cr_onednn_convolution *c, cr_onednn_product product)
{
    geometry g = geometry_of(c, product);
    dnnl_memory_desc_t x;
    dnnl_memory_desc_t w;
    dnnl_memory_desc_t y;
    (void)dnnl_memory_desc_init_by_tag(&x, RANK, g.x, g.x_type,
                                       dnnl_nhwc); /* bad: the next fails */
    (void)dnnl_memory_desc_init_by_tag(&w, RANK, g.w, g.w_type, dnnl_format_tag_any);
    (void)dnnl_memory_desc_init_by_tag(&y, RANK, g.y, g.y_type, dnnl_nhwc);
    if (product == CR_ONEDNN_INPUT_GRADIENT)
        return dnnl_convolution_backward_data_desc_init(out, dnnl_convolution_direct, &x, &w, &y,
                                                        g.strides, g.before, g.after);
    if (product == CR_ONEDNN_WEIGHT_GRADIENT)
        return dnnl_convolution_backward_weights_desc_init(out, dnnl_convolution_direct, &x, &w,
                                                           NULL, &y, g.strides, g.before, g.after);
    return dnnl_convolution_forward_desc_init(out, dnnl_forward_training, dnnl_convolution_direct,
                                              &x, &w, NULL, &y, g.strides, g.before, g.after);
}

/* The gradients take the forward product as a hint. */
static dnnl_status_t describe_hint(dnnl_primitive_desc_t *out, const cr_onednn_convolution *c,
                                   dnnl_engine_t engine)
{
    dnnl_convolution_desc_t operation;
    dnnl_status_t status = describe_operation(&operation, c, CR_ONEDNN_FORWARD);
    *out = NULL;
    if (status != dnnl_success || c->product == CR_ONEDNN_FORWARD)
        return status;
    return dnnl_primitive_desc_create(out, &operation, NULL, engine, NULL);
}

dnnl_status_t cr_onednn_describe(dnnl_primitive_desc_t *out, const cr_onednn_convolution *c,
                                 const_dnnl_primitive_attr_t attributes, dnnl_engine_t engine)
{
    dnnl_convolution_desc_t operation;
    dnnl_primitive_desc_t hint = NULL;
    dnnl_primitive_desc_iterator_t each = NULL;
    *out = NULL;
    dnnl_status_t status = describe_operation(&operation, c, c->product);
    if (status == dnnl_success)
        status = describe_hint(&hint, c, engine);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_iterator_create(&each, &operation, attributes, engine, hint);
    while (status == dnnl_success && *out == NULL) {
        *out = dnnl_primitive_desc_iterator_fetch(each);
        if (fits(*out, c))
            break;
        (void)dnnl_primitive_desc_destroy(*out); /* of something that is there */
        *out = NULL;
        status = dnnl_primitive_desc_iterator_next(each);
    }
    (void)dnnl_primitive_desc_iterator_destroy(each);
    (void)dnnl_primitive_desc_destroy(hint);
    return status;
}

dnnl_status_t cr_onednn_describe_matmul(dnnl_primitive_desc_t *out, const cr_onednn_matmul *m,
                                        const_dnnl_primitive_attr_t attributes,
                                        dnnl_engine_t engine)
{
    operand of[OPERANDS];
    dnnl_memory_desc_t memory[OPERANDS];
    dnnl_matmul_desc_t operation;
    dnnl_primitive_desc_iterator_t each = NULL;
    operands_of(of, m);
    *out = NULL;
    for (int i = 0; i < OPERANDS; i++)
        (void)dnnl_memory_desc_init_by_strides(&memory[i], 2, of[i].dims, of[i].type,
                                               of[i].strides); /* bad: the next fails */
    dnnl_status_t status =
        dnnl_matmul_desc_init(&operation, &memory[A], &memory[B], NULL, &memory[C]);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_iterator_create(&each, &operation, attributes, engine, NULL);
    while (status == dnnl_success && *out == NULL) {
        *out = dnnl_primitive_desc_iterator_fetch(each);
        if (scratch_of(*out) <= m->scratch_most)
            break;
        (void)dnnl_primitive_desc_destroy(*out); /* of something that is there */
        *out = NULL;
        status = dnnl_primitive_desc_iterator_next(each);
    }
    (void)dnnl_primitive_desc_iterator_destroy(each);
    return status;
}

dnnl_status_t cr_onednn_plain_weights(dnnl_memory_t *out, const cr_conv_sizes *s, int rows,
                                      float *data, dnnl_engine_t engine)
{
    dnnl_memory_desc_t desc;
    dnnl_dims_t dims = {s->out, s->in, s->kernel, s->kernel};
    dnnl_dims_t strides;
    plain_strides(strides, s, rows);
    dnnl_status_t status = dnnl_memory_desc_init_by_strides(&desc, RANK, dims, dnnl_f32, strides);
    return status == dnnl_success ? dnnl_memory_create(out, &desc, engine, data) : status;
}

dnnl_status_t cr_onednn_describe_reorder(dnnl_primitive_desc_t *out, const_dnnl_memory_t from,
                                         const_dnnl_memory_t to,
                                         const_dnnl_primitive_attr_t attributes,
                                         dnnl_engine_t engine)
{
    const dnnl_memory_desc_t *source = NULL;
    const dnnl_memory_desc_t *target = NULL;
    (void)dnnl_memory_get_memory_desc(from, &source); /* of something that is there */
    (void)dnnl_memory_get_memory_desc(to, &target);
    return dnnl_reorder_primitive_desc_create(out, source, engine, target, engine, attributes);
}

dnnl_status_t cr_onednn_append_sum(dnnl_post_ops_t operations)
{
    return dnnl_post_ops_append_sum(operations, 1.0F);
}

#else

static dnnl_status_t describe(dnnl_primitive_desc_t *out, const cr_onednn_convolution *c,
                              cr_onednn_product product, const_dnnl_primitive_desc_t hint,
                              const_dnnl_primitive_attr_t attributes, dnnl_engine_t engine)
{
    geometry g = geometry_of(c, product);
    dnnl_memory_desc_t x = NULL;
    dnnl_memory_desc_t w = NULL;
    dnnl_memory_desc_t y = NULL;
    dnnl_status_t status = dnnl_invalid_arguments;
    (void)dnnl_memory_desc_create_with_tag(&x, RANK, g.x, g.x_type,
                                           dnnl_nhwc); /* NULL: the next fails */
    (void)dnnl_memory_desc_create_with_tag(&w, RANK, g.w, g.w_type, dnnl_format_tag_any);
    (void)dnnl_memory_desc_create_with_tag(&y, RANK, g.y, g.y_type, dnnl_nhwc);
    if (product == CR_ONEDNN_INPUT_GRADIENT)
        status = dnnl_convolution_backward_data_primitive_desc_create(
            out, engine, dnnl_convolution_direct, x, w, y, g.strides, NULL, g.before, g.after, hint,
            attributes);
    else if (product == CR_ONEDNN_WEIGHT_GRADIENT)
        status = dnnl_convolution_backward_weights_primitive_desc_create(
            out, engine, dnnl_convolution_direct, x, w, NULL, y, g.strides, NULL, g.before, g.after,
            hint, attributes);
    else
        status = dnnl_convolution_forward_primitive_desc_create(
            out, engine, dnnl_forward_training, dnnl_convolution_direct, x, w, NULL, y, g.strides,
            NULL, g.before, g.after, attributes);
    (void)dnnl_memory_desc_destroy(x);
    (void)dnnl_memory_desc_destroy(w);
    (void)dnnl_memory_desc_destroy(y);
    return status;
}

dnnl_status_t cr_onednn_describe(dnnl_primitive_desc_t *out, const cr_onednn_convolution *c,
                                 const_dnnl_primitive_attr_t attributes, dnnl_engine_t engine)
{
    dnnl_primitive_desc_t hint = NULL; /* the gradients take the forward product as one */
    dnnl_status_t status = dnnl_success;
    *out = NULL;
    if (c->product != CR_ONEDNN_FORWARD)
        status = describe(&hint, c, CR_ONEDNN_FORWARD, NULL, NULL, engine);
    if (status == dnnl_success)
        status = describe(out, c, c->product, hint, attributes, engine);
    while (status == dnnl_success && !fits(*out, c))
        status = dnnl_primitive_desc_next_impl(*out);
    (void)dnnl_primitive_desc_destroy(hint);
    return status;
}

dnnl_status_t cr_onednn_describe_matmul(dnnl_primitive_desc_t *out, const cr_onednn_matmul *m,
                                        const_dnnl_primitive_attr_t attributes,
                                        dnnl_engine_t engine)
{
    operand of[OPERANDS];
    dnnl_memory_desc_t memory[OPERANDS] = {NULL};
    operands_of(of, m);
    for (int i = 0; i < OPERANDS; i++)
        (void)dnnl_memory_desc_create_with_strides(&memory[i], 2, of[i].dims, of[i].type,
                                                   of[i].strides); /* NULL: the next fails */
    dnnl_status_t status = dnnl_matmul_primitive_desc_create(out, engine, memory[A], memory[B],
                                                             NULL, memory[C], attributes);
    while (status == dnnl_success && scratch_of(*out) > m->scratch_most)
        status = dnnl_primitive_desc_next_impl(*out);
    for (int i = 0; i < OPERANDS; i++)
        (void)dnnl_memory_desc_destroy(memory[i]);
    return status;
}

dnnl_status_t cr_onednn_plain_weights(dnnl_memory_t *out, const cr_conv_sizes *s, int rows,
                                      float *data, dnnl_engine_t engine)
{
    dnnl_memory_desc_t desc = NULL;
    dnnl_dims_t dims = {s->out, s->in, s->kernel, s->kernel};
    dnnl_dims_t strides;
    plain_strides(strides, s, rows);
    dnnl_status_t status =
        dnnl_memory_desc_create_with_strides(&desc, RANK, dims, dnnl_f32, strides);
    if (status == dnnl_success)
        status = dnnl_memory_create(out, desc, engine, data);
    (void)dnnl_memory_desc_destroy(desc);
    return status;
}

dnnl_status_t cr_onednn_describe_reorder(dnnl_primitive_desc_t *out, const_dnnl_memory_t from,
                                         const_dnnl_memory_t to,
                                         const_dnnl_primitive_attr_t attributes,
                                         dnnl_engine_t engine)
{
    const_dnnl_memory_desc_t source = NULL;
    const_dnnl_memory_desc_t target = NULL;
    (void)dnnl_memory_get_memory_desc(from, &source); /* of something that is there */
    (void)dnnl_memory_get_memory_desc(to, &target);
    return dnnl_reorder_primitive_desc_create(out, source, engine, target, engine, attributes);
}

dnnl_status_t cr_onednn_append_sum(dnnl_post_ops_t operations)
{
    return dnnl_post_ops_append_sum(operations, 1.0F, 0, dnnl_data_type_undef);
}

#endif
