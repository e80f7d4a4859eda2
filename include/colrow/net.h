/*
 * net: a network as segments. A segment is a chain of channelwise layers (bias, batch norm, ReLU,
 * dropout ...) and the consumer at its end: a contraction (dense, conv2d), a mapping (pooling ...),
 * the loss, or an operation that is more than one product (embedding, lstm_cell ...). Segments read
 * and write tensors:
 *
 *     x (source) --chain--> kept --consumer--> y (target; set, or added to a residual stream)
 *
 * Sampling keeps k of the n channels of `kept` (the segment's pick). The chain is worked out twice
 * on tiles that stay in cache: once for all channels to score them (nothing is written), once for
 * the kept channels, written compact. Backwards, only the kept channels carry gradient. Where a
 * tensor has one reader, the segment before it needs only those of its output channels: they are
 * *live* (design: liveness). A residual sum, a second reader or a flatten makes the gradient dense
 * again. With sampling.lookahead, and picks that are known before a step, the segment before works
 * nothing else out either: then x is compact from the beginning, and of the channels left out the
 * running statistics and remembered norms stay what they were.
 *
 * Knows no ranks: who decides on a pick is a cr_agreement, given by the caller. Nothing is
 * collective here. One micro-batch at a time; a step's picks are chosen in its first one.
 */
#ifndef COLROW_NET_H
#define COLROW_NET_H

#include "colrow/base.h"
#include "colrow/engine.h"
#include "colrow/net_layer.h"
#include "colrow/sample.h"

/* ---- options and models --------------------------------------------------------------------- */
#define CR_NET_PARAMETERS 65536 /* B, for the options of one model */

typedef struct cr_net_options {
    cr_word model;            /* file name in models/ */
    cr_word initializer;      /* truncated_normal | normal | uniform | xavier | he | fan_in */
    double initializer_scale; /* standard deviation, half-width, or gain: see initialize.c */
    double initializer_bias;  /* value of every bias */
    double label_smoothing;   /* share of the label spread over all classes, while training */
    _Alignas(16) unsigned char parameters[CR_NET_PARAMETERS]; /* the model's own options */
} cr_net_options;

extern const cr_option cr_net_option_table[];
const char *const *cr_initializer_names(void);

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

/* What lies between segments, for one micro-batch. */
typedef struct cr_tensor {
    cr_shape shape;
    int first_writer, last_user; /* segments; between them it lives */
    int readers;                 /* segments that read it */
    int reader;                  /* the last of them */
    bool dense;      /* its gradient has all channels: a residual sum, two readers, a flatten */
    bool skips;      /* looking ahead, the channels that its reader drops are not worked out: values
                        [rows, k] */
    cr_pick all;     /* its channels, all of them */
    float *values;   /* [rows, C]; tensors that never live together share memory */
    float *gradient; /* [rows, C], or compact [rows, k] where it is not dense; likewise */
    bool has_gradient; /* in a backward pass: someone has written it */
} cr_tensor;

typedef struct cr_segment {
    int chain_first, chain_count; /* layers of the chain */
    int consumer;                 /* the contraction or mapping; the loss of the last segment */
    int source, target;           /* tensors; target -1: the loss */
    bool adds;                    /* y is added to the target */
    bool fills;                   /* y is channels [column, column + OUT) of the target */
    int column;
    cr_sample_way way;     /* how its pick is chosen */
    int n;                 /* channels that its pick is of: those of its input, or the features */
    int least;             /* channels asked of the draw in any step at least; n: never sampled */
    int most;              /* channels that the draw can keep in any step at most */
    int asked;             /* channels asked of the draw this step ... */
    double ratio;          /* ... which are this share; 1: exact */
    cr_pick pick;          /* of its input channels, this step's */
    const cr_pick *active; /* channels with gradient: `pick`; behind a mapping its target's */
    const cr_pick *live;   /* output channels that are needed backwards */
    cr_pick whole;         /* all of the kernel's, where they are not those of the target */

    const float *x; /* [rows, n] raw input of this micro-batch */
    float *kept;    /* [rows, k] end of the chain, NULL where x serves; owned by the arena. Shared
                       where it is recomputed: then good from cr_net_input on */
    float *before[CR_CHAIN_MAX];     /* [rows, k] inputs that chain layers keep, NULL where none */
    float *after[CR_CHAIN_MAX];      /* [rows, k] outputs, likewise; the last one's is `kept` */
    const float *input;              /* [rows, k] what the consumer gets: kept, or x */
    float *weights;                  /* [taps, k, OUT] gathered */
    float *weights_live;             /* [taps, k, kO] gathered for the input gradient */
    float *prepared, *prepared_live; /* the same as the engine wants them, where it does */
    const float *w_kept;             /* [taps, k, OUT] not prepared */
    const float *w, *w_live;         /* what the products use */
    double *row_norms;         /* [rows of the kernel] squared norms, where scores need them */
    bool has_row_norms;        /* of all rows, once the scores have asked for them */
    double *squares;           /* [n] squared norms of its input over the micro-batch, where the net
                                  remembers them; NULL elsewhere */
    int64_t remembered_offset; /* in the net's `remembered` */
    cr_macs macs[3];           /* forward, input gradient, weight gradient */

    /* The second sampling, where the backward products have one (resample.c): */
    double backward_ratio;     /* of this step; 1: none */
    cr_pick examples, outputs; /* of this micro-batch: its samples, and of the live outputs */
    bool thin_weights;         /* its weight gradient follows one of these picks */
    bool thin_inputs;          /* its input gradient follows `outputs` */
    const float *w_outputs;    /* [taps, k, kO] the live weights, not prepared */
    double *output_norms;      /* [kO] their squared norms by output, this step */
} cr_segment;

/* Who decides on a pick. `choose` fills the pick of `segment`; it may call cr_net_choose. */
typedef struct cr_agreement {
    void *self;
    cr_status (*choose)(void *self, cr_net *net, int segment, cr_pick *pick);
} cr_agreement;

/* A piece of the state that a sample carries from one window to the next. */
typedef struct cr_state_part {
    const char *layer, *name; /* "lstm1.cell", "c" or "h" */
    int64_t offset, count;    /* floats, in a sample's state */
} cr_state_part;

/* Who adds up the sums that batch norm makes in training passes over all the micro-batches that are
 * under way together, in place; all of them call it as often, one after another, empty ones too. */
typedef struct cr_sharing {
    void *self;
    cr_status (*sum)(void *self, double *values, int count);
} cr_sharing;

/* A finished piece of the compact gradient. */
typedef struct cr_block {
    const cr_layer *layer;
    const cr_parameter *parameter;
    const cr_pick *in, *out; /* rows and columns kept; `in` NULL: all rows */
    int64_t offset, count;   /* in the compact gradient */
} cr_block;

struct cr_net {
    cr_net_options options;
    cr_sample_options sampling;
    const cr_backward_method *backward; /* NULL: no step samples in the backward products */
    const cr_draw *backward_draw;
    const cr_engine *engine;
    cr_shape input;
    int classes;
    int rows;      /* samples of a micro-batch at most */
    int positions; /* labels of a sample: the steps of a window; 1 for nets that see no windows */
    uint64_t seed;

    cr_layer *layers; /* [layer_count], owned */
    int layer_count;
    cr_segment *segments; /* [segment_count], owned */
    int segment_count;
    cr_tensor *tensors; /* [tensor_count], owned; the first is the data */
    int tensor_count;
    int *slots;  /* [tensor_count] memory that each tensor has; owned */
    int current; /* while building: tensor that the next chain reads */
    int pending; /* while building: layers of that chain so far */

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

    cr_pass pass;       /* of the micro-batch under way */
    int pass_rows;      /* its samples */
    bool picked;        /* the picks of this step are chosen */
    bool liveness;      /* false: every output channel counts as live, to check the rest */
    bool recomputes;    /* what follows a batch norm is worked out again in the backward pass */
    bool prepares_each; /* weights are prepared for each micro-batch, where they are used */
    bool measured;      /* row_norms are those of the parameters as they are now */
    const cr_agreement *agreement;
    const cr_sharing *sharing; /* borrowed; NULL: statistics are those of one micro-batch */

    int64_t state_floats;       /* carried from one window of a sample to its next; 0: none */
    cr_state_part *state_parts; /* what they are, ended by one without a name; owned */
    float *state;               /* [rows, state_floats] of the next pass; borrowed; NULL: zeros */

    int64_t statistics_count;  /* floats of running statistics */
    float *statistics;         /* mean and variance of each batch norm; owned by the arena */
    int64_t statistics_offset; /* of this step's, in the compact gradient */

    bool remembers;            /* scores are by the norms of the last step (remember.c) */
    bool knows;                /* there has been one */
    bool ahead;                /* this step looks ahead: see cr_tensor.skips */
    int64_t remembered_count;  /* input channels of all segments that are sampled in some step */
    float *remembered;         /* mean squares of each; 1 before the first step; of the arena */
    int64_t remembered_offset; /* of this step's sums, in the compact gradient */

    float *flow;       /* [rows, k] an input gradient on its way into a dense one */
    float *sum;        /* [rows, C] an output on its way into a residual sum */
    float *evaluation; /* [rows, C] end of a chain while evaluating, over the training tensors */
    float *evaluation_weights; /* a kernel prepared while evaluating, likewise */
    void *work;                /* of the engine */
    float *strips;             /* [threads, strip_floats] strips of a chain at work */
    double *partial;           /* [CR_TILES_MAX, 2, C] sums and sums of squares by tile */
    double *norms[2];          /* [C] of inputs and of weights */
    double *scores;            /* [C] */
    void *draw_scratch;
    cr_thin thin;
    int threads;              /* when it was laid out */
    int64_t strip_floats;     /* two of the longest strips */
    int64_t activation_bytes; /* of what is kept for the backward pass of a micro-batch */
    cr_arena arena;           /* all arrays above but layers, segments and blocks */
};

/* What a net is made from. */
typedef struct cr_net_plan {
    cr_net_options options;
    const cr_model *model; /* NULL: the one that options names */
    cr_sample_options sampling;
    const char *engine, *precision; /* see cr_engine_choose */
    cr_shape input;                 /* of the data */
    int classes;
    int rows;                       /* samples of a micro-batch */
    int64_t (*extra)(int segments); /* floats to keep free behind the gradient; NULL: none */
    uint64_t seed;
    bool remembers;  /* score by the norms that inputs had in the last step: picks are then known
                        before a step begins */
    bool recomputes; /* keep less for the backward pass: work out again what follows a batch norm */
    bool prepares_each; /* prepare weights for each micro-batch, all layers' in one place, instead
                           of once a step: as fast when a step has one, and needs less memory */
    bool everything; /* no liveness: work out every output channel's gradient, to check the rest */
} cr_net_plan;

/* Build the model, lay out all memory. The caller frees. CR_BAD_CONFIG for shapes that do not fit,
 * a sampling pattern that matches no layer, a combination of sampling options without closed form.
 */
cr_status cr_net_create(cr_net **out, const cr_net_plan *plan);
void cr_net_free(cr_net **net);

/* For models: append a layer. Channelwise layers wait for the consumer that ends their chain;
 * contractions and mappings write a new tensor, which becomes the current one. CR_BAD_CONFIG naming
 * the layer when shapes do not fit, or the loss is there already. */
cr_status cr_net_add(cr_net *net, const cr_layer_plan *plan);

/* The same for a contraction or mapping whose output is added to `tensor`, which becomes current.
 */
cr_status cr_net_add_into(cr_net *net, const cr_layer_plan *plan, int tensor);

/* The same for a contraction whose outputs are channels [column, column + OUT) of a tensor of so
 * many. *tensor: it, or -1: it is made. Others fill the rest. */
cr_status cr_net_add_columns(cr_net *net, const cr_layer_plan *plan, int *tensor, int column,
                             int channels);

/* The current tensor, and making another one current. */
int cr_net_current(const cr_net *net);
void cr_net_continue_from(cr_net *net, int tensor);

/* Values from the initializer, keyed by (seed, layer). */
void cr_net_initialize(cr_net *net);

/* From the next step on, keep these shares of channels and in the backward products; such as the
 * net was made for: the options' own, or those of their schedules. */
void cr_net_set_ratios(cr_net *net, double ratio, double backward);

/* From the next step on, statistics are shared by `sharing`, which must outlive its use; NULL: by
 * nobody. */
void cr_net_share(cr_net *net, const cr_sharing *sharing);

/* Begin a step: forget the picks and gradients of the last one. */
void cr_net_begin(cr_net *net, uint32_t step, const cr_agreement *agreement);

/* Forward pass, loss and its gradient over one micro-batch; adds to *result, maybe as late as in
 * cr_net_backward. x [rows, input], labels [rows, positions] and *result stay until then; rows may
 * be 0. first_sample: position in the global batch. scale: 1 / samples of the global batch; the
 * loss is summed over the positions of a sample. */
cr_status cr_net_forward(cr_net *net, cr_result *result, const float *x, const int *labels,
                         int rows, uint32_t first_sample, double scale);

/* The state [rows, state_floats] of the samples that the next passes get: a pass begins with it and
 * leaves in it what the samples' next windows begin with. No gradient flows into it. NULL, as in
 * the beginning: a pass begins with zeros, and nothing is given back. The caller's. */
void cr_net_set_state(cr_net *net, float *state);

/* Part number `i` of a sample's state; NULL beyond the last. */
const cr_state_part *cr_net_state_parts(const cr_net *net, int i);

/* The next passes get windows of so many steps: x and labels are [rows, steps]; 1 to those the net
 * was made for, as in the beginning. Only for nets that see windows. */
void cr_net_set_steps(cr_net *net, int steps);

/* Called when the gradient's first `end` floats are final; `self` as given. */
typedef cr_status (*cr_net_finished)(void *self, int64_t end);

/* Backward pass of the micro-batch last given to cr_net_forward; its gradients are added to those
 * of the step, or replace them when `first`. `finished` may be NULL. */
cr_status cr_net_backward(cr_net *net, bool first, cr_net_finished finished, void *self);

/* Exact loss and hits over rows samples; adds to *result. labels [rows, positions]. */
cr_status cr_net_evaluate(cr_net *net, cr_result *result, const float *x, const int *labels,
                          int rows);

/* Exact pass over rows samples by their own statistics; adds the mean and variance of every batch
 * norm to sums [statistics_count]. For running statistics that fit an exact evaluation. */
void cr_net_observe(cr_net *net, double *sums, const float *x, int rows);

/* What the consumer of `segment` got in the last forward pass, [rows, k]; good until another
 * segment's is asked for, or the next pass. */
const float *cr_net_input(cr_net *net, int segment);

/* For agreements: squared norms [n] of the input channels of `segment` over the micro-batch under
 * way, or of the last step where the net remembers; its own, which may be changed before the draw;
 * NULL where scores need none. */
double *cr_net_norms(cr_net *net, int segment);

/* For agreements: score the input channels of `segment` by the norms that cr_net_norms gave, and
 * draw its pick. `who` keys draws that are to differ between ranks; 0 where they agree. */
cr_status cr_net_draw(cr_net *net, int segment, cr_pick *pick, uint32_t who);

/* For agreements: both. */
cr_status cr_net_choose(cr_net *net, int segment, cr_pick *pick, uint32_t who);

/* The same as a cr_agreement, for one process that decides alone. */
extern const cr_agreement cr_net_alone;

/* After the step's sums over `micro_batches`: move the running statistics towards the mean of those
 * in the summed compact gradient. */
void cr_net_update_statistics(cr_net *net, const float *compact, int micro_batches);

/* After the step's sums, which are of so many labels (cr_result.samples): remember the norms of the
 * inputs, which ride in the compact gradient. Nothing where the net remembers none. */
void cr_net_remember(cr_net *net, const float *compact, int64_t labels);

/* The mean squares [n] that the net remembers of the input channels of `segment`; NULL: none. What
 * is written there counts once net->knows is set. */
float *cr_net_remembered(const cr_net *net, int segment);

/* Floats of a gradient at most, with what rides behind it and what is kept free. */
int64_t cr_net_gradient_floats(const cr_net *net);

/* Rows [first, first + rows) of the gradient of parameter number `i` (cr_net_parameter), dense,
 * [rows, C or OUT]: in `scratch`, or where it lies when nothing was sampled. A parameter of one
 * dimension is one row. */
const float *cr_net_gradient_rows(const cr_net *net, float *scratch, const float *compact, int i,
                                  int64_t first, int64_t rows);

/* Of its rows [first, first + *rows), the first that sampling kept; *rows gets how many neighbours
 * from it on are kept as well, 0: none of all is. */
int64_t cr_net_kept_rows(const cr_net *net, int i, int64_t first, int64_t *rows);

/* The whole gradient, dense [parameter_count], zero where nothing was sampled. */
void cr_net_spread(const cr_net *net, float *dense, const float *compact);

/* Take note that these rows of parameter `i` have new values, while they are in cache: their norms
 * are what the next step's scores need. After all rows that have: cr_net_measured. */
void cr_net_measure_rows(cr_net *net, int i, int64_t first, int64_t rows);
void cr_net_measured(cr_net *net);

/* Number of parameters without padding, of the whole net. */
int64_t cr_net_size(const cr_net *net);

/* Parameter number `i` in the order of the layers; NULL beyond the last. */
const cr_parameter *cr_net_parameter(const cr_net *net, int i);

/* Output channels of the contraction of segment `s` that can be live at most, and those that the
 * draw of their reader is asked for. */
int cr_net_live_most(const cr_net *net, int s);
int cr_net_live_asked(const cr_net *net, int s);

/* Floats of a step's compact gradients at most, statistics included. */
int64_t cr_net_message_floats(const cr_net *net);

/* Multiply-accumulates a sample of segment `s` for k kept inputs and `live` outputs: exact, paper,
 * executed of the product `p` (0 forward, 1 input gradient, 2 weight gradient). A second sampling
 * is counted as it is in a whole micro-batch; fractions are cut off. */
cr_macs cr_net_macs(const cr_net *net, int s, int p, int k, int live);

/* Sum of the counters of all segments and products. */
cr_macs cr_net_counted(const cr_net *net);

/* 1 - paper / exact and 1 - executed / exact; 0 when nothing was counted. */
double cr_macs_reduction_paper(const cr_macs *macs);
double cr_macs_reduction_executed(const cr_macs *macs);

#endif
