/* primitive: see primitive.h. */
#include "primitive.h"

#include "room.h"

#include <omp.h>
#include <stddef.h>

/* A call that can only fail when memory runs out, or by a bug of ours. */
#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) != dnnl_success)                                                                \
            cr_assert_failed(#call, __FILE__, __LINE__);                                           \
    } while (0)

/* What x, weights and y are called in each product. */
static const struct {
    int arguments[3];
    dnnl_query_t queries[3];
} roles[] = {
    [CR_ONEDNN_FORWARD] = {{DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
                           {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md}},
    [CR_ONEDNN_INPUT_GRADIENT] = {{DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST},
                                  {dnnl_query_diff_src_md, dnnl_query_weights_md,
                                   dnnl_query_diff_dst_md}},
    [CR_ONEDNN_WEIGHT_GRADIENT] = {{DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST},
                                   {dnnl_query_src_md, dnnl_query_diff_weights_md,
                                    dnnl_query_diff_dst_md}},
};

/* The processor, as oneDNN sees it: one for the life of the process, because the primitives that
 * oneDNN keeps refer to it. */
static dnnl_engine_t processor(void)
{
    static dnnl_engine_t engine = NULL;
#pragma omp critical(cr_onednn_processor)
    if (engine == NULL)
        MUST(dnnl_engine_create(&engine, dnnl_cpu, 0));
    return engine;
}

static void set_sum(dnnl_primitive_attr_t attributes)
{
    dnnl_post_ops_t after = NULL;
    MUST(dnnl_post_ops_create(&after));
    MUST(cr_onednn_append_sum(after));
    MUST(dnnl_primitive_attr_set_post_ops(attributes, after));
    MUST(dnnl_post_ops_destroy(after));
}

/* add: the result to what is there */
static dnnl_primitive_attr_t attributes_new(bool add)
{
    dnnl_primitive_attr_t attributes = NULL;
    MUST(dnnl_primitive_attr_create(&attributes));
    MUST(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user));
    if (add)
        set_sum(attributes);
    return attributes;
}

static void finish(cr_onednn_primitive *p)
{
    MUST(dnnl_primitive_create(&p->primitive, p->desc));
    p->scratch = dnnl_memory_desc_get_size(
        dnnl_primitive_desc_query_md(p->desc, dnnl_query_scratchpad_md, 0));
}

cr_onednn_primitive cr_onednn_make(cr_onednn_product product, dnnl_data_type_t type,
                                   const cr_conv_sizes *sizes)
{
    cr_onednn_primitive p = {.product = product};
    dnnl_data_type_t weights = product == CR_ONEDNN_WEIGHT_GRADIENT ? dnnl_f32 : type;
    cr_onednn_convolution convolution = {.product = product,
                                         .type = type,
                                         .sizes = *sizes,
                                         .weights_most =
                                             cr_onednn_room(weights, cr_onednn_weights_most(sizes)),
                                         .scratch_most = cr_onednn_scratch_most(sizes)};
    dnnl_primitive_attr_t attributes = attributes_new(false);
    int threads = omp_get_max_threads();
    omp_set_num_threads(1); /* oneDNN makes it for so many */
    MUST(cr_onednn_describe(&p.desc, &convolution, attributes, processor()));
    finish(&p);
    omp_set_num_threads(threads);
    MUST(dnnl_primitive_attr_destroy(attributes));
    return p;
}

cr_onednn_primitive cr_onednn_make_matmul(const cr_onednn_matmul *matmul)
{
    cr_onednn_primitive p = {.product = CR_ONEDNN_FORWARD};
    dnnl_primitive_attr_t attributes = attributes_new(matmul->add);
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    MUST(cr_onednn_describe_matmul(&p.desc, matmul, attributes, processor()));
    finish(&p);
    omp_set_num_threads(threads);
    MUST(dnnl_primitive_attr_destroy(attributes));
    return p;
}

void cr_onednn_free(cr_onednn_primitive *primitive)
{
    MUST(dnnl_primitive_destroy(primitive->primitive));
    MUST(dnnl_primitive_desc_destroy(primitive->desc));
    *primitive = (cr_onednn_primitive){0};
}

/* What the descriptor calls `query`, at `data`. */
static dnnl_memory_t memory_of(const_dnnl_primitive_desc_t desc, dnnl_query_t query, void *data)
{
    dnnl_memory_t memory = NULL;
    MUST(dnnl_memory_create(&memory, dnnl_primitive_desc_query_md(desc, query, 0), processor(),
                            data));
    return memory;
}

dnnl_memory_t cr_onednn_weights(const cr_onednn_primitive *primitive, void *data)
{
    return memory_of(primitive->desc, roles[primitive->product].queries[1], data);
}

void cr_onednn_weights_free(dnnl_memory_t *weights)
{
    MUST(dnnl_memory_destroy(*weights));
    *weights = NULL;
}

static void execute(const_dnnl_primitive_t primitive, int count, const dnnl_exec_arg_t *arguments)
{
    dnnl_stream_t stream = NULL;
    MUST(dnnl_stream_create(&stream, processor(), dnnl_stream_default_flags));
    MUST(dnnl_primitive_execute(primitive, stream, count, arguments));
    MUST(dnnl_stream_wait(stream));
    MUST(dnnl_stream_destroy(stream));
}

void cr_onednn_run(const cr_onednn_primitive *p, const void *x, dnnl_memory_t weights,
                   const void *y, void *scratch)
{
    const int *arguments = roles[p->product].arguments;
    const dnnl_query_t *queries = roles[p->product].queries;
    dnnl_memory_t left =
        memory_of(p->desc, queries[0], (void *)x); /* written if it is the result */
    dnnl_memory_t right = memory_of(p->desc, queries[2], (void *)y);
    dnnl_memory_t pad = memory_of(p->desc, dnnl_query_scratchpad_md, scratch);
    execute(p->primitive, 4,
            (dnnl_exec_arg_t[]){{arguments[0], left},
                                {arguments[1], weights},
                                {arguments[2], right},
                                {DNNL_ARG_SCRATCHPAD, pad}});
    MUST(dnnl_memory_destroy(left));
    MUST(dnnl_memory_destroy(right));
    MUST(dnnl_memory_destroy(pad));
}

static void copy(dnnl_memory_t from, dnnl_memory_t to, bool add)
{
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_primitive_attr_t attributes = attributes_new(add);
    MUST(cr_onednn_describe_reorder(&desc, from, to, attributes, processor()));
    MUST(dnnl_primitive_create(&primitive, desc));
    execute(primitive, 2, (dnnl_exec_arg_t[]){{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
    MUST(dnnl_primitive_destroy(primitive));
    MUST(dnnl_primitive_desc_destroy(desc));
    MUST(dnnl_primitive_attr_destroy(attributes));
}

void cr_onednn_import(dnnl_memory_t weights, const float *w, const cr_conv_sizes *sizes)
{
    dnnl_memory_t plain = NULL;
    /* only read */
    MUST(cr_onednn_plain_weights(&plain, sizes, sizes->in, (float *)w, processor()));
    copy(plain, weights, false);
    MUST(dnnl_memory_destroy(plain));
}

void cr_onednn_export(float *w, dnnl_memory_t weights, const cr_conv_sizes *sizes, int rows,
                      bool add)
{
    dnnl_memory_t plain = NULL;
    MUST(cr_onednn_plain_weights(&plain, sizes, rows, w, processor()));
    copy(weights, plain, add);
    MUST(dnnl_memory_destroy(plain));
}
