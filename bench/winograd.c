/*
 * winograd: our Winograd (engine openblas) against oneDNN's, which versions 2 have for x86 and 3 no
 * longer. oneDNN gets what it likes: activations in blocks of 16 channels, weights in a form of its
 * own. Both are timed in turn, the product alone; medians. GFLOP/s are counted as direct
 * convolution.
 */
#include "colrow/engine.h"

#include "bench.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPEATS = 9, IMAGES = 32, KERNEL = 3, PRODUCTS = 3, RANK = 4, ARGUMENTS = 4 };

#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) != dnnl_success) {                                                              \
            fprintf(stderr, "winograd: failed: %s\n", #call);                                      \
            exit(CR_INTERNAL);                                                                     \
        }                                                                                          \
    } while (0)

static const struct {
    int side, in, out;
} shapes[] = {{32, 160, 160}, {32, 80, 160}, {32, 80, 80},  {16, 320, 320}, {16, 160, 320},
              {16, 160, 160}, {8, 640, 640}, {8, 320, 640}, {8, 320, 320}};

enum { SHAPES = sizeof shapes / sizeof *shapes };

static const char *const names[PRODUCTS] = {"forward", "input gradient", "weight gradient"};

/* ---- oneDNN's ----------------------------------------------------------------------------------
 */

typedef struct theirs {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arguments[ARGUMENTS];
    void *data[ARGUMENTS];
} theirs;

static dnnl_convolution_desc_t operation_of(const cr_conv_sizes *s, int product)
{
    dnnl_convolution_desc_t operation;
    dnnl_memory_desc_t x;
    dnnl_memory_desc_t w;
    dnnl_memory_desc_t y;
    const dnnl_dims_t stride = {1, 1};
    const dnnl_dims_t pad = {1, 1};
    MUST(dnnl_memory_desc_init_by_tag(&x, RANK, (dnnl_dims_t){s->n, s->in, s->h, s->w}, dnnl_f32,
                                      dnnl_nChw16c));
    MUST(dnnl_memory_desc_init_by_tag(&w, RANK, (dnnl_dims_t){s->out, s->in, KERNEL, KERNEL},
                                      dnnl_f32, dnnl_format_tag_any));
    MUST(dnnl_memory_desc_init_by_tag(&y, RANK, (dnnl_dims_t){s->n, s->out, s->h, s->w}, dnnl_f32,
                                      dnnl_nChw16c));
    if (product == 0)
        MUST(dnnl_convolution_forward_desc_init(&operation, dnnl_forward_training,
                                                dnnl_convolution_winograd, &x, &w, NULL, &y, stride,
                                                pad, pad));
    else if (product == 1)
        MUST(dnnl_convolution_backward_data_desc_init(&operation, dnnl_convolution_winograd, &x, &w,
                                                      &y, stride, pad, pad));
    else
        MUST(dnnl_convolution_backward_weights_desc_init(&operation, dnnl_convolution_winograd, &x,
                                                         &w, NULL, &y, stride, pad, pad));
    return operation;
}

/* Argument number i of the primitive, as its descriptor wants it. */
static void add_argument(theirs *t, int i, int argument, dnnl_query_t query)
{
    const dnnl_memory_desc_t *desc = dnnl_primitive_desc_query_md(t->desc, query, 0);
    t->data[i] = bench_numbers((int64_t)(dnnl_memory_desc_get_size(desc) / sizeof(float)), 1);
    t->arguments[i].arg = argument;
    MUST(dnnl_memory_create(&t->arguments[i].memory, desc, t->engine, t->data[i]));
}

static void add_arguments(theirs *t, int product)
{
    add_argument(t, 0, product == 1 ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC,
                 product == 1 ? dnnl_query_diff_src_md : dnnl_query_src_md);
    add_argument(t, 1, product == 2 ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS,
                 product == 2 ? dnnl_query_diff_weights_md : dnnl_query_weights_md);
    add_argument(t, 2, product == 0 ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST,
                 product == 0 ? dnnl_query_dst_md : dnnl_query_diff_dst_md);
    add_argument(t, 3, DNNL_ARG_SCRATCHPAD, dnnl_query_scratchpad_md);
}

static theirs theirs_new(const cr_conv_sizes *s, int product)
{
    theirs t = {0};
    dnnl_primitive_desc_t hint = NULL;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_convolution_desc_t forward = operation_of(s, 0);
    dnnl_convolution_desc_t operation = operation_of(s, product);
    MUST(dnnl_engine_create(&t.engine, dnnl_cpu, 0));
    MUST(dnnl_stream_create(&t.stream, t.engine, dnnl_stream_default_flags));
    MUST(dnnl_primitive_attr_create(&attributes));
    MUST(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user));
    MUST(dnnl_primitive_desc_create(&hint, &forward, attributes, t.engine, NULL));
    MUST(dnnl_primitive_desc_create(&t.desc, &operation, attributes, t.engine,
                                    product > 0 ? hint : NULL));
    MUST(dnnl_primitive_create(&t.primitive, t.desc));
    MUST(dnnl_primitive_desc_destroy(hint));
    MUST(dnnl_primitive_attr_destroy(attributes));
    add_arguments(&t, product);
    return t;
}

static void theirs_run(theirs *t)
{
    MUST(dnnl_primitive_execute(t->primitive, t->stream, ARGUMENTS, t->arguments));
    MUST(dnnl_stream_wait(t->stream));
}

static void theirs_free(theirs *t)
{
    for (int i = 0; i < ARGUMENTS; i++) {
        MUST(dnnl_memory_destroy(t->arguments[i].memory));
        CR_FREE(t->data[i]);
    }
    MUST(dnnl_primitive_destroy(t->primitive));
    MUST(dnnl_primitive_desc_destroy(t->desc));
    MUST(dnnl_stream_destroy(t->stream));
    MUST(dnnl_engine_destroy(t->engine));
}

/* ---- ours --------------------------------------------------------------------------------------
 */

typedef struct ours {
    const cr_engine *engine;
    cr_conv_sizes sizes;
    float *x, *w, *y, *prepared;
    void *work;
} ours;

static ours ours_new(const cr_conv_sizes *s, int product)
{
    ours o = {.engine = cr_engine_find("openblas"), .sizes = *s};
    bool backward = product == 1;
    int64_t pixels = (int64_t)s->n * s->h * s->w;
    size_t work = cr_conv_work(o.engine, s, cr_engine_threads());
    o.x = bench_numbers(pixels * s->in, 1);
    o.y = bench_numbers(pixels * s->out, 2);
    o.w = bench_numbers((int64_t)KERNEL * KERNEL * s->in * s->out, 3);
    o.prepared = bench_numbers(cr_conv_prepared(o.engine, s, backward), 4);
    o.work = bench_numbers((int64_t)(work / sizeof(float)), 5);
    cr_conv_prepare(o.engine, o.prepared, o.w, s, backward);
    return o;
}

static void ours_run(ours *o, int product)
{
    if (product == 0)
        cr_conv_forward(o->engine, o->y, o->x, o->prepared, &o->sizes, o->work);
    else if (product == 1)
        cr_conv_input_gradient(o->engine, o->x, o->y, o->prepared, &o->sizes, o->work);
    else
        cr_conv_weight_gradient(o->engine, o->w, o->x, o->y, &o->sizes, false, o->work);
}

static void ours_free(ours *o)
{
    CR_FREE(o->x);
    CR_FREE(o->w);
    CR_FREE(o->y);
    CR_FREE(o->prepared);
    CR_FREE(o->work);
}

/* ---- in turn -----------------------------------------------------------------------------------
 */

static void compare(const cr_conv_sizes *s, int product)
{
    double seconds[2][REPEATS];
    theirs t = theirs_new(s, product);
    ours o = ours_new(s, product);
    for (int r = -1; r < REPEATS; r++) { /* the first warms up */
        double start = cr_seconds();
        ours_run(&o, product);
        double between = cr_seconds();
        theirs_run(&t);
        seconds[0][r < 0 ? 0 : r] = between - start;
        seconds[1][r < 0 ? 0 : r] = cr_seconds() - between;
    }
    double operations = 2e-9 * s->n * s->h * s->w * KERNEL * KERNEL * (double)s->in * s->out;
    double our_rate = operations / bench_median(seconds[0], REPEATS);
    double their_rate = operations / bench_median(seconds[1], REPEATS);
    printf("%3d -> %3d channels, %2d x %2d  %-16s %5.0f GF/s %5.0f GF/s %6.2fx\n", s->in, s->out,
           s->h, s->w, names[product], our_rate, their_rate, our_rate / their_rate);
    theirs_free(&t);
    ours_free(&o);
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 1;
    if (threads < 1) {
        fprintf(stderr, "usage: %s [THREADS]\n", argv[0]);
        return CR_BAD_CONFIG;
    }
    cr_engine_set_threads(threads);
    printf("%d images, %d thread(s)%34s %15s\n", IMAGES, threads, "ours", "oneDNN's");
    for (int i = 0; i < SHAPES; i++)
        for (int product = 0; product < PRODUCTS; product++)
            compare(&(cr_conv_sizes){.n = IMAGES,
                                     .h = shapes[i].side,
                                     .w = shapes[i].side,
                                     .in = shapes[i].in,
                                     .out = shapes[i].out,
                                     .kernel = KERNEL,
                                     .stride = 1,
                                     .pad_top = 1,
                                     .pad_left = 1,
                                     .oh = shapes[i].side,
                                     .ow = shapes[i].side},
                    product);
    return CR_OK;
}
