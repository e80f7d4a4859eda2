/*
 * study: what approximations do, measured apart from training. The error of products whose channels
 * are sampled (Adelman & Silberstein 2018, figures 1a and 1b, and the same for convolutions).
 */
#ifndef COLROW_STUDY_H
#define COLROW_STUDY_H

#include "colrow/base.h"
#include "colrow/comm.h"
#include "colrow/engine.h"
#include "colrow/sample.h"
#include "colrow/train.h"

/* ---- a product as its channels see it --------------------------------------------------------
 * Y = sum over channels i of Y_i, what channel i alone gives: A^(i) (x) B_(i) of a matrix product,
 * I^[i] * K_[i] of a convolution. A matrix product [N, IN] [IN, OUT] is the convolution of N images
 * of one pixel by a kernel of one. */
typedef struct cr_product {
    int n;           /* channels */
    double *gram;    /* [n, n] <Y_i, Y_j> */
    double *inputs;  /* [n] |X_i|_F^2 */
    double *weights; /* [n] |W_i|_F^2 */
    double size;     /* |X|_F |W|_F */
    double edge;     /* sum E_i and ... */
    double cross;    /* ... sum R_i of eq. (7), both over sum |X_i|_F^2 |W_i|_F^2 */

    cr_conv_sizes sizes;
    const cr_engine *engine; /* in f32 */
    int taps;                /* K^2 */
    int chunk;               /* images unfolded at a time */
    float *patches;          /* [chunk OH OW, taps, n] what each output position sees */
    float *inner;            /* [taps n, taps n] patches^T patches */
    float *outer;            /* [taps n, taps n] W W^T */
    cr_arena arena;          /* all arrays above */
} cr_product;

/* Memory for products of these sizes. The caller frees. CR_BAD_CONFIG when there are more taps and
 * channels than such arrays are good for. Not collective. */
cr_status cr_product_create(cr_product **out, const cr_conv_sizes *sizes, const cr_engine *engine);
void cr_product_free(cr_product **product);

/* Work it out for x [N, H, W, IN] and w [K, K, IN, OUT]. */
void cr_product_fill(cr_product *product, const float *x, const float *w);

/* |Y - sum over kept channels of scale_i Y_i|_F / (|X|_F |W|_F); lack: scratch of n doubles. */
double cr_product_error(const cr_product *product, const cr_pick *pick, double *lack);

/* Scores [n] of channels: those of cr_score_names, or "optimal": s_i = |Y_i|_F, eq. (7) and (15)
 * with the terms E and R. CR_BAD_CONFIG when there is none of that name. */
cr_status cr_product_scores(double *scores, const cr_product *product, const char *name);

/* ---- study error ----------------------------------------------------------------------------- */
typedef struct cr_error_options {
    cr_ints sizes;      /* rows of A (or images), channels, columns of B (or output channels) */
    int kernel;         /* K x K, odd; 1: matrices */
    int image;          /* pixels of an image's side */
    cr_ratios means;    /* case -> mean of B's entries; A's have mean 0, both deviation 1 */
    cr_ints percents;   /* of the channels kept */
    int repeats;        /* that errors are averaged over: products, or draws of a captured layer */
    cr_words estimates; /* DRAW/SCORES or DRAW/SCORES/scale; none: those of the figures */
    cr_word layer;      /* whose product a training step gives; "" for random ones */
    cr_word engine;
    int64_t seed;
} cr_error_options;

extern const cr_option cr_error_option_table[];

/* Measure errors and write error.csv, error.json, error.gp and (where there is gnuplot) error.svg
 * into `folder`. `run` gives the layer to capture, NULL: random products. The ranks share the
 * repeats. CR_BAD_CONFIG for options that do not go together. Collective. */
cr_status cr_error_study(const cr_error_options *options, cr_comm *comm, cr_run *run,
                         const char *folder);

/* The product of the contraction `name` in an exact forward pass over the first micro-batch of the
 * first epoch; the run must sample nothing. The caller frees. CR_BAD_CONFIG naming the layers when
 * there is none of that name. Not collective. */
cr_status cr_capture(cr_product **out, cr_run *run, const char *name);

#endif
