/*
 * net: a network as segments. A segment is a chain of channelwise layers (bias, ReLU, dropout ...)
 * and the contraction (dense ...) or loss that consumes it:
 *
 *     x --chain--> kept --contraction--> y = x of the next segment
 *
 * Sampling keeps k of the n channels of `kept` (the segment's pick). The chain is worked out twice
 * on tiles that stay in cache: once for all channels to score them (nothing is written), once for
 * the kept channels, written compact. Backwards, only the kept channels carry gradient, so the
 * segment before needs only those of its output channels: they are *live* (design: liveness).
 *
 * Knows no ranks: who decides on a pick is a cr_agreement, given by the caller. Nothing is
 * collective here. One micro-batch at a time; a step's picks are chosen in its first one.
 */
#ifndef COLROW_NET_H
#define COLROW_NET_H

#include "colrow/base.h"
#include "colrow/engine.h"
#include "colrow/sample.h"

/* Shape of one sample's tensor, NHWC without N. */
typedef struct cr_shape {
    int h, w, c;
} cr_shape;

/* ---- parameters ----------------------------------------------------------------------------- */
typedef struct cr_parameter {
    cr_word layer;    /* the group it is stored under, "fc1" */
    const char *name; /* "kernel", "bias" */
    int rank;         /* 1 to 4 */
    int dims[4];
    const char *dimensions; /* "IN,OUT" */
    int64_t offset, count;  /* in the flat array; offsets are multiples of 16 floats */
    int segment;            /* whose consumer or chain it belongs to */
    bool decay;             /* weight decay applies */
    int fan_in, fan_out;    /* for initialisation; 0 for biases */
} cr_parameter;

/* ---- layers --------------------------------------------------------------------------------- */
typedef struct cr_layer cr_layer;
typedef struct cr_layer_type cr_layer_type;

#define CR_LAYER_PARAMETERS 2

struct cr_layer {
    const cr_layer_type *type;
    cr_word name;
    int index; /* in the net; keys its random numbers */
    cr_shape in, out;
    double rate; /* dropout: share dropped */
    int parameter_count;
    cr_parameter parameters[CR_LAYER_PARAMETERS];
};

/* What is the same for a whole pass over one micro-batch. */
typedef struct cr_pass {
    const float *parameters; /* flat */
    uint64_t seed;
    uint32_t step;         /* of the run; keys dropout and draws */
    uint32_t first_sample; /* position of the micro-batch's first sample in the global batch */
    bool training;         /* false: exact, no dropout */
} cr_pass;

/* A piece of a compact tensor [rows, k]. */
typedef struct cr_tile {
    int64_t first_row; /* in the micro-batch */
    int rows;
    int k;            /* channels in the tensor */
    const int *index; /* [k] which ones; NULL: all in order */
} cr_tile;

/* Layers that treat channels one by one, in place. */
typedef struct cr_channelwise {
    bool keeps_output; /* `backward` needs the layer's output */
    /* y [rows, k] in place */
    void (*forward)(const cr_layer *layer, const cr_pass *pass, float *y, const cr_tile *tile);
    /* dy [rows, k] in place; y the layer's output, NULL unless keeps_output; NULL: identity */
    void (*backward)(const cr_layer *layer, const cr_pass *pass, float *dy, const float *y,
                     const cr_tile *tile);
    /* dp [k] (+)= gradient of the layer's only parameter for dy [rows, k]; NULL: no parameter */
    void (*parameter_gradient)(float *dp, const float *dy, const cr_tile *whole, bool accumulate);
} cr_channelwise;

/* Layers that contract over input channels. w is the kernel in the flat array. */
typedef struct cr_contraction {
    /* norms [rows] = squared norm of each row [OUT] of a kernel from row `first` on; w [rows, OUT]
     */
    void (*row_norms)(const cr_layer *layer, double *norms, const float *w, int64_t rows);
    /* norms [IN] = squared norm of each input channel's weights, from those of all rows */
    void (*channel_norms)(const cr_layer *layer, double *norms, const double *row_norms);
    /* kept [k, OUT] = scale_i W[I, :] */
    void (*gather)(const cr_layer *layer, float *kept, const float *w, const cr_pick *pick);
    /* live [k, kO] = kept[:, O] */
    void (*gather_live)(const cr_layer *layer, float *live, const float *kept, int k,
                        const cr_pick *out);
    /* y [rows, OUT] = x [rows, k] w [k, OUT] */
    void (*forward)(const cr_layer *layer, const cr_engine *engine, float *y, const float *x,
                    const float *w, int rows, int k);
    /* dx [rows, k] = dy [rows, kO] w [k, kO]^T */
    void (*input_gradient)(const cr_layer *layer, const cr_engine *engine, float *dx,
                           const float *dy, const float *w, int rows, int k, int live);
    /* dw [k, kO] (+)= x [rows, k]^T dy [rows, kO] */
    void (*weight_gradient)(const cr_layer *layer, const cr_engine *engine, float *dw,
                            const float *x, const float *dy, int rows, int k, int live,
                            bool accumulate);
    /* to [rows, OUT]: rows [first, first + rows) of the gradient whose (I, O) is scale_i block
     * [k, kO], zero elsewhere */
    void (*spread)(const cr_layer *layer, float *to, const float *block, const cr_pick *in,
                   const cr_pick *out, int64_t first, int64_t rows);
    /* multiply-accumulates of one product for one sample with k input and `live` output channels */
    int64_t (*macs)(const cr_layer *layer, int k, int live);
} cr_contraction;

/* The end of a net. */
typedef struct cr_result {
    double loss;     /* summed over samples */
    int64_t correct; /* samples whose largest logit is the label's */
    int64_t samples;
} cr_result;

typedef struct cr_loss {
    /* Add the micro-batch's loss and hits to *result; dx [rows, C] = gradient of scale * loss, NULL
     * when only evaluating. x [rows, C] logits, labels [rows]. */
    void (*run)(const cr_layer *layer, cr_result *result, float *dx, const float *x,
                const int *labels, int rows, double scale);
} cr_loss;

/* One kind of layer; exactly one of the three tables is there. */
struct cr_layer_type {
    const char *name; /* = file name = config word */
    /* Set layer->out and its parameters from layer->in (and out.c where that is free). */
    cr_status (*shape)(cr_layer *layer);
    const cr_channelwise *channelwise;
    const cr_contraction *contraction;
    const cr_loss *loss;
};

/* All kinds of layers, ended by NULL; made by CMake from the files of layers/. */
extern const cr_layer_type *const cr_layer_types[];
const cr_layer_type *cr_layer_type_find(const char *name);
const char *const *cr_layer_type_names(void);

/* ---- options and models --------------------------------------------------------------------- */
#define CR_NET_PARAMETERS 1024 /* B, for the options of one model */

typedef struct cr_net_options {
    cr_word model;            /* file name in models/ */
    cr_word initializer;      /* truncated_normal | normal | uniform | xavier | he | fan_in */
    double initializer_scale; /* standard deviation, half-width, or gain: see initialize.c */
    double initializer_bias;  /* value of every bias */
    _Alignas(16) unsigned char parameters[CR_NET_PARAMETERS]; /* the model's own options */
} cr_net_options;

extern const cr_option cr_net_option_table[];
const char *const *cr_initializer_names(void);

typedef struct cr_net cr_net;

typedef struct cr_model {
    const char *name;         /* = file name = config word */
    const cr_option *options; /* beyond those of cr_net_options */
    /* Input shape and classes the network asks for; 0 where it takes what the data has. */
    cr_status (*wants)(const void *parameters, cr_shape *input, int *classes);
    /* Add the layers, contraction by contraction, the loss last (cr_net_add). */
    cr_status (*build)(cr_net *net, const void *parameters);
} cr_model;

/* All models, ended by NULL; made by CMake from the files of models/. */
extern const cr_model *const cr_models[];
const cr_model *cr_model_find(const char *name);
const char *const *cr_model_names(void);
const cr_option *cr_model_options(const char *name);

/* ---- a net ---------------------------------------------------------------------------------- */
#define CR_CHAIN_MAX 8
#define CR_TILES_MAX 64 /* tiles a micro-batch is cut into, whatever the number of threads */

/* Multiply-accumulates of the three products of a contraction, summed over samples. */
typedef struct cr_macs {
    int64_t exact;    /* nothing sampled */
    int64_t paper;    /* the forward fraction charged to all products */
    int64_t executed; /* multiplied */
} cr_macs;

typedef struct cr_segment {
    int chain_first, chain_count; /* layers of the chain */
    int consumer;                 /* the contraction, or the loss of the last segment */
    int n;                        /* channels of its input */
    int most;     /* channels its pick can hold at most; n where it is never sampled */
    double ratio; /* of channels to keep; 1: exact */
    cr_pick pick; /* of its input channels, this step's */

    const float *x; /* [rows, n] raw input of this micro-batch: data, or y of the segment before */
    float *kept;    /* [rows, k] end of the chain; owned by the arena */
    float *stash[CR_CHAIN_MAX]; /* [rows, k] outputs that chain layers keep, NULL where none */
    const float *input;         /* [rows, k] what the consumer gets: kept, or x */
    float *y;                   /* [rows, OUT] of a contraction */
    float *weights;             /* [k, OUT] gathered; owned */
    float *weights_live;        /* [k, kO] gathered for the input gradient; owned */
    const float *w, *w_live;    /* what the products use: gathered, or the parameter itself */
    double *row_norms;          /* [rows of the kernel] squared norms, where scores need them */
    cr_macs macs[3];            /* forward, input gradient, weight gradient */
} cr_segment;

/* Who decides on a pick. `choose` fills the pick of `segment`; it may call cr_net_scores. */
typedef struct cr_agreement {
    void *self;
    cr_status (*choose)(void *self, cr_net *net, int segment, cr_pick *pick);
} cr_agreement;

/* A finished piece of the compact gradient. */
typedef struct cr_block {
    const cr_layer *layer;
    const cr_parameter *parameter;
    const cr_pick *in, *out; /* rows and columns kept; `in` NULL for a [C] parameter */
    int64_t offset, count;   /* in the compact gradient */
} cr_block;

struct cr_net {
    cr_net_options options;
    cr_sample_options sampling;
    const cr_score *score;
    const cr_draw *draw;
    const cr_engine *engine;
    cr_shape input;
    int classes;
    int rows; /* samples of a micro-batch at most */
    uint64_t seed;

    cr_layer *layers; /* [layer_count], owned */
    int layer_count, layer_capacity;
    cr_segment *segments; /* [segment_count], owned */
    int segment_count;

    int64_t parameter_count;   /* floats in the flat array, padding included */
    float *parameters;         /* owned by the arena */
    float *gradient;           /* compact; [parameter_count + extra]; the caller may swap it */
    int64_t gradient_count;    /* floats in use this step, padding included */
    int64_t gradient_extra;    /* floats kept free behind it */
    cr_block *blocks;          /* in the order in which backward finishes them; owned */
    const cr_parameter **list; /* [list_count] parameters in the order of the layers; owned */
    int *block_of;             /* [list_count] block of each this step; owned */
    int list_count;
    int block_count; /* of this step; the same every step */

    cr_pass pass;  /* of the micro-batch under way */
    int pass_rows; /* its samples */
    bool picked;   /* the picks of this step are chosen */
    bool measured; /* row_norms are those of the parameters as they are now */
    const cr_agreement *agreement;

    float *flow[2];       /* [rows, C] gradients on their way back, alternating */
    float *evaluation[2]; /* [rows, C] activations of an evaluation, over the training tensors */
    float *tiles;         /* [threads, tile_floats] the chain at work while scoring */
    double *partial;      /* [CR_TILES_MAX, C] sums of squares by tile */
    double *norms[2];     /* [C] of inputs and of weights */
    double *scores;       /* [C] */
    void *draw_scratch;
    int threads; /* when it was laid out */
    int64_t tile_floats;
    cr_arena arena; /* all arrays above but layers, segments and blocks */
};

/* What a net is made from. */
typedef struct cr_net_plan {
    cr_net_options options;
    cr_sample_options sampling;
    const char *engine;
    cr_shape input; /* of the data */
    int classes;
    int rows;                       /* samples of a micro-batch */
    int64_t (*extra)(int segments); /* floats to keep free behind the gradient; NULL: none */
    uint64_t seed;
} cr_net_plan;

/* Build the model, lay out all memory. The caller frees. CR_BAD_CONFIG for shapes that do not fit,
 * a sampling pattern that matches no layer, a combination of sampling options without closed form.
 */
cr_status cr_net_create(cr_net **out, const cr_net_plan *plan);
void cr_net_free(cr_net **net);

/* For models: append a layer of `type`. `width` is its number of output channels where the type
 * leaves that free (dense), `rate` dropout's share; otherwise 0. */
cr_status cr_net_add(cr_net *net, const char *type, const char *name, int width, double rate);

/* Values from the initializer, keyed by (seed, layer). */
void cr_net_initialize(cr_net *net);

/* Begin a step: forget the picks and gradients of the last one. */
void cr_net_begin(cr_net *net, uint32_t step, const cr_agreement *agreement);

/* Forward pass, loss and its gradient over one micro-batch; adds to *result. x [rows, input],
 * labels [rows], both unchanged until cr_net_backward; rows may be 0. first_sample: position in the
 * global batch. scale: 1 / samples of the global batch. */
cr_status cr_net_forward(cr_net *net, cr_result *result, const float *x, const int *labels,
                         int rows, uint32_t first_sample, double scale);

/* Called when the gradient's first `end` floats are final; `self` as given. */
typedef cr_status (*cr_net_finished)(void *self, int64_t end);

/* Backward pass of the micro-batch last given to cr_net_forward; its gradients are added to those
 * of the step, or replace them when `first`. `finished` may be NULL. */
cr_status cr_net_backward(cr_net *net, bool first, cr_net_finished finished, void *self);

/* Exact loss and hits over rows samples; adds to *result. */
cr_status cr_net_evaluate(cr_net *net, cr_result *result, const float *x, const int *labels,
                          int rows);

/* For agreements: score the input channels of `segment` over the micro-batch under way and draw its
 * pick. `who` keys draws that are to differ between ranks; 0 where they agree. */
cr_status cr_net_choose(cr_net *net, int segment, cr_pick *pick, uint32_t who);

/* The same as a cr_agreement, for one process that decides alone. */
extern const cr_agreement cr_net_alone;

/* Is the step's compact gradient the dense one (nothing was sampled)? */
bool cr_net_gradient_is_dense(const cr_net *net);

/* Rows [first, first + rows) of the gradient of parameter number `i` (cr_net_parameter), dense,
 * [rows, C or OUT]: in `scratch`, or where it lies when nothing was sampled. A parameter of one
 * dimension is one row. */
const float *cr_net_gradient_rows(const cr_net *net, float *scratch, const float *compact, int i,
                                  int64_t first, int64_t rows);

/* The whole gradient, dense [parameter_count], zero where nothing was sampled. */
void cr_net_spread(const cr_net *net, float *dense, const float *compact);

/* Take note that these rows of parameter `i` have new values, while they are in cache: their norms
 * are what the next step's scores need. After all of them: cr_net_measured. */
void cr_net_measure_rows(cr_net *net, int i, int64_t first, int64_t rows);
void cr_net_measured(cr_net *net);

/* Number of parameters without padding, of the whole net. */
int64_t cr_net_size(const cr_net *net);

/* Parameter number `i` in the order of the layers; NULL beyond the last. */
const cr_parameter *cr_net_parameter(const cr_net *net, int i);

/* Floats of a row of a parameter: its last dimension. */
int64_t cr_parameter_row(const cr_parameter *parameter);

/* Multiply-accumulates a sample of segment `s` for k kept inputs and `live` outputs: exact, paper,
 * executed of the product `p` (0 forward, 1 input gradient, 2 weight gradient). */
cr_macs cr_net_macs(const cr_net *net, int s, int p, int k, int live);

/* Sum of the counters of all segments and products. */
cr_macs cr_net_counted(const cr_net *net);

/* 1 - paper / exact and 1 - executed / exact; 0 when nothing was counted. */
double cr_macs_reduction_paper(const cr_macs *macs);
double cr_macs_reduction_executed(const cr_macs *macs);

#endif
