/*
 * net_layer: what a layer is. A part of net.h, which has it: the kinds of layers as tables of
 * functions, and what those get to work on. Each kind is a file of src/net/layers.
 */
#ifndef COLROW_NET_LAYER_H
#define COLROW_NET_LAYER_H

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
    int fan_in, fan_out;    /* for initialisation; 0: not drawn, but ... */
    double initial;         /* ... this value; a "bias" has options.initializer_bias */
} cr_parameter;

/* Weights of IN inputs and OUT outputs, "kernel"; and what is added to OUT outputs, "bias". */
cr_parameter cr_parameter_kernel(int in, int out);
cr_parameter cr_parameter_bias(int out);

/* Floats of a row: its last dimension. */
int64_t cr_parameter_row(const cr_parameter *parameter);

/* ---- layers --------------------------------------------------------------------------------- */
typedef struct cr_layer cr_layer;
typedef struct cr_result cr_result;
typedef struct cr_layer_type cr_layer_type;
typedef struct cr_net cr_net;

#define CR_LAYER_PARAMETERS 2

/* What a model says of a layer; a type takes what it knows, and may describe that by options. */
typedef struct cr_layer_plan {
    const char *type, *name;
    int width;          /* output channels: dense, conv2d, zero_pad, embedding, lstm; classes */
    int vocabulary;     /* embedding: tokens there are */
    int kernel;         /* conv2d, pooling: K, 0 for 1 */
    int stride;         /* conv2d, pooling, zero_pad; 0 for 1, for K where pooling */
    bool valid;         /* conv2d, pooling: no padding; else SAME as TensorFlow has it */
    bool each_position; /* dense: the same weights at every position; else it flattens */
    double forget_bias; /* lstm: added to what opens the forget gate */
    double rate;        /* dropout: share dropped */
    double slope;       /* relu: factor below zero */
    double epsilon;     /* batch_norm: added to the variance */
    double momentum;    /* batch_norm: share of the running statistics kept a step */
    double smoothing;   /* a loss: share of the label that all classes get, while training */
} cr_layer_plan;

struct cr_layer {
    const cr_layer_type *type;
    cr_word name;
    int index; /* in the net; keys its random numbers */
    cr_layer_plan plan;
    cr_shape in, out;
    int pad_top, pad_left; /* conv2d, pooling */
    int parameter_count;
    cr_parameter parameters[CR_LAYER_PARAMETERS];
    int64_t state;        /* floats that a sample carries from one window to the next; else 0 ... */
    int64_t state_offset; /* ... and where they begin in a sample's state */
    int64_t memory_floats;     /* kept of a sample between an operation's passes ... */
    float *memory;             /* ... [rows, memory_floats]; of the arena */
    int64_t statistics;        /* floats of running statistics: 2 C for batch_norm, else 0 ... */
    int64_t statistics_offset; /* ... and where they begin in the net's flat array */
    float *factors;            /* [2, C] batch_norm: y = factors[0] x + factors[1]; of the arena */
    double *moments;  /* [3, C] mean, 1 / sqrt(variance + epsilon), variance of the batch ... */
    int64_t observed; /* ... and of how many rows; of all that a cr_sharing adds up */
    float *lines;     /* [3, C] batch_norm: dx = lines[0] dy + lines[1] x + lines[2], kept ones */
};

/* Compact copies for the second sampling, of the largest segment. */
typedef struct cr_thin {
    float *x;        /* [examples, positions, k] */
    float *dy;       /* [examples, positions, kO] or [rows, outputs] */
    float *w;        /* [taps, k, outputs] weights, or their gradient */
    float *prepared; /* the weights as the engine wants them, where it does */
} cr_thin;

/* What is the same for a whole pass over one micro-batch. */
typedef struct cr_pass {
    const float *parameters; /* flat */
    const float *statistics; /* flat, running */
    uint64_t seed;
    uint32_t step;         /* of the run; keys dropout and draws */
    uint32_t first_sample; /* position of the micro-batch's first sample in the global batch */
    bool training;         /* false: exact, no dropout */
    bool observes;         /* batch norm by the micro-batch's own statistics, not by the running */
    const int *labels;     /* [rows, positions] */
    double scale;          /* of the loss whose gradient is taken */
    cr_result *result;     /* what the loss adds to; NULL: not wanted */
} cr_pass;

/* A piece of a compact tensor [rows, k]. */
typedef struct cr_tile {
    int64_t first_row; /* in the micro-batch */
    int rows;
    int k;            /* channels in the tensor */
    const int *index; /* [k] which ones; NULL: all in order */
    int64_t of_rows;  /* rows of the whole tensor */
} cr_tile;

/* What the backward pass of a channelwise layer gets beside dy; [rows, k] of the same tile. */
typedef struct cr_kept {
    const float *x; /* the layer's input, NULL unless keeps_input */
    const float *y; /* the layer's output, NULL unless keeps_output */
} cr_kept;

/* Layers that treat channels one by one, in place. */
typedef struct cr_channelwise {
    bool keeps_input, keeps_output; /* what `backward` needs */
    /* Take the mean and variance [C] of the micro-batch's input, of so many rows: NULL unless it
     * has statistics. */
    void (*observe)(cr_layer *layer, const double *mean, const double *variance, int64_t rows);
    /* Before a pass's first `forward`, training or not; NULL: nothing to prepare */
    void (*prepare)(cr_layer *layer, const cr_pass *pass);
    /* y [rows, k] in place */
    void (*forward)(const cr_layer *layer, const cr_pass *pass, float *y, const cr_tile *tile);
    /* sums [2, k] += over a tile's rows of dy [rows, k], what parameter_gradient needs of all;
     * NULL: no parameter */
    void (*sum)(double *sums, const float *dy, const cr_kept *kept, const cr_tile *tile);
    /* dp[i] [k] (+)= gradients of the layer's parameters, from the sums; before any `backward` */
    void (*parameter_gradient)(cr_layer *layer, const cr_pass *pass,
                               float *const dp[CR_LAYER_PARAMETERS], const double *sums,
                               const cr_tile *whole, bool accumulate);
    /* what `backward` needs of the sums of all rows that were observed, whole->of_rows; NULL: it
     * needs none */
    void (*prepare_backward)(cr_layer *layer, const cr_pass *pass, const double *sums,
                             const cr_tile *whole);
    /* dy [rows, k] in place, one tile; NULL: identity */
    void (*backward)(const cr_layer *layer, const cr_pass *pass, float *dy, const cr_kept *kept,
                     const cr_tile *tile);
} cr_channelwise;

/* A contraction at work: what its products need beside the tensors. */
typedef struct cr_contract {
    const cr_layer *layer;
    const cr_engine *engine;
    int samples; /* of the micro-batch */
    int k;       /* kept input channels */
    int out;     /* output channels that are worked out, in the forward product */
    int live;    /* live output channels, in the backward products */
    int ldy;     /* floats from one row of y or dy to the next; 0: those of a row */
    void *work;  /* of cr_contraction.work bytes */
} cr_contract;

/* Layers that contract over input channels. w is the kernel in the flat array; its rows are [OUT].
 */
typedef struct cr_contraction {
    /* norms [IN] = squared norm of each input channel's weights, from those of all rows */
    void (*channel_norms)(const cr_layer *layer, double *norms, const double *row_norms);
    /* Are the weights brought into another form (once a step)? Floats of it; 0: no */
    int64_t (*prepared)(const cr_contract *c, bool backward);
    void (*prepare)(const cr_contract *c, float *prepared, const float *w, bool backward);
    size_t (*work)(const cr_contract *c); /* B of scratch; NULL: none */
    /* y [.., out] from x [.., k] and the (prepared) kept weights */
    void (*forward)(const cr_contract *c, float *y, const float *x, const float *w);
    /* y += the same; false, with nothing done: the caller has to add. NULL: always */
    bool (*add)(const cr_contract *c, float *y, const float *x, const float *w);
    /* dx [.., k] from dy [.., live] and the (prepared) live weights */
    void (*input_gradient)(const cr_contract *c, float *dx, const float *dy, const float *w);
    /* dw [rows of k, live] (+)= from x and dy */
    void (*weight_gradient)(const cr_contract *c, float *dw, const float *x, const float *dy,
                            bool accumulate);
} cr_contraction;

/* Layers without parameters between tensors of other shapes: pooling, shortcuts, flatten. */
typedef struct cr_mapping {
    bool channelwise; /* channels map one to one: liveness passes through */
    bool keeps_input; /* `backward` needs the input */
    /* y [samples, out] from x [samples, in], all channels */
    void (*forward)(const cr_layer *layer, float *y, const float *x, int samples);
    /* dx [samples, h, w, k] from dy [samples, oh, ow, k]; x [samples, in] all channels, the input
     */
    void (*backward)(const cr_layer *layer, float *dx, const float *dy, const float *x,
                     const cr_tile *channels, int samples);
} cr_mapping;

/* The end of a net. */
struct cr_result {
    double loss;     /* summed over labels */
    int64_t correct; /* labels whose logit is the largest */
    int64_t samples; /* labels: samples x positions of the net */
};

typedef struct cr_loss {
    /* Add the micro-batch's loss and hits to *result; dx [rows, C] = gradient of scale * loss, NULL
     * when only evaluating, which nothing smooths. x [rows, C] logits, labels [rows]. */
    void (*run)(const cr_layer *layer, cr_result *result, float *dx, const float *x,
                const int *labels, int rows, double scale);
} cr_loss;

/* A layer at work that makes its passes by itself. */
typedef struct cr_turn {
    cr_contract contract;
    const cr_pass *pass;
    const float *x;      /* [rows, k] its input; [rows, C] of one that recurs */
    float *y;            /* [rows, OUT] */
    const float *w;      /* [k, ..] the (prepared) kept weights, of one that contracts ... */
    const float *w_live; /* ... and those (prepared) for the input gradient, in the backward pass */
    const cr_pick *pick; /* what the contraction sums over; NULL: all, in an evaluation */
    float *kept;         /* [rows, k] of one that recurs: that sum's terms; NULL: not wanted */
    float *state;        /* of the first sample, this layer's; NULL: zeros */
    int64_t state_stride; /* floats from a sample's state to the next one's */
    const float *dy;      /* [rows, live] */
    float *dx;            /* [rows, k], or [rows, C] of one that recurs; NULL: not wanted */
    float *dp[CR_LAYER_PARAMETERS]; /* gradients, [k, ..] that of the contraction's weights ... */
    bool accumulate;                /* ... are added to what is there, or replace it */
} cr_turn;

/* Layers that are more than one product: a lookup, a recurrence, a loss with weights. Those of
 * them that contract over channels have that table as well, for picks and counts. */
typedef struct cr_operation {
    bool recurs; /* contracts over its own last output, which it carries, and not over x */
    bool ends;   /* it is a loss: while training all happens in `backward` */
    void (*forward)(const cr_turn *turn);
    void (*backward)(const cr_turn *turn);
} cr_operation;

/* One kind of layer; exactly one of the first four tables is there, or `operation`, or `expand`. */
struct cr_layer_type {
    const char *name;         /* = file name = config word */
    const cr_option *options; /* of cr_layer_plan, for lists of layers; NULL: none */
    bool shares_name;         /* in lists of layers, with the layer before it, unless it has one */
    /* Set layer->out, its parameters and statistics from layer->in and layer->plan. */
    cr_status (*shape)(cr_layer *layer);
    const cr_channelwise *channelwise;
    const cr_contraction *contraction;
    const cr_mapping *mapping;
    const cr_loss *loss;
    const cr_operation *operation;
    /* Several layers under one name: add them, in place of a layer. */
    cr_status (*expand)(cr_net *net, const cr_layer_plan *plan);
};

/* Does a layer of this kind end a net? */
bool cr_layer_type_ends(const cr_layer_type *type);

/* All kinds of layers, ended by NULL; made by CMake from the files of layers/. */
extern const cr_layer_type *const cr_layer_types[];
const cr_layer_type *cr_layer_type_find(const char *name);
const char *const *cr_layer_type_names(void);

#endif
