/*
 * optim: optimizers over flat arrays, learning-rate schedules, clipping. The same on every rank,
 * never collective.
 */
#ifndef COLROW_OPTIM_H
#define COLROW_OPTIM_H

#include "colrow/base.h"

#define CR_OPTIM_PARAMETERS 64 /* B, for the options of one rule */
#define CR_OPTIM_STATES 2      /* arrays a rule may keep */
#define CR_OPTIM_NORMS 2       /* norms a rule may take of a span */

typedef struct cr_optim_options {
    cr_word rule;        /* file name in rules/ */
    double weight_decay; /* L2: weight_decay * w is added to the gradient of weights that decay */
    double clip_norm;    /* largest global norm of the gradient; 0: no clipping */
    cr_word rows;        /* all | kept: those without a gradient rest, weights and states */
    cr_words no_decay; /* patterns of parameters that do not decay, beside those of one dimension */
    cr_words no_adaptation; /* likewise of those that rules with norms treat without them */
    _Alignas(16) unsigned char parameters[CR_OPTIM_PARAMETERS]; /* the rule's own options */
} cr_optim_options;

extern const cr_option cr_optim_option_table[];

/* A run of parameters with one treatment. */
typedef struct cr_optim_span {
    int64_t offset, count; /* in the flat array */
    int64_t row;           /* floats of a row, at least 1; count is a multiple */
    bool decay;            /* weight decay applies (kernels), or not (bias, batch norm) */
    bool adapt;            /* rules with norms adapt the rate to those of this span */
} cr_optim_span;

/* What one call of a rule's function sees: a span's slice of the flat arrays. */
typedef struct cr_optim_slice {
    int64_t count;
    float *w;                      /* [count] parameters, updated */
    const float *g;                /* [count] gradients; NULL in an update that needs none */
    float *state[CR_OPTIM_STATES]; /* [count] each, updated */
    double rate;                   /* learning rate */
    double decay;                  /* weight decay, 0 where none applies */
    double gradient_scale;         /* from clipping: g counts as gradient_scale * g */
    int64_t step;                  /* 1 for the first update */
    bool adapt;                    /* the span's */
    double norms[CR_OPTIM_NORMS];  /* of the whole span, as measured; only for `update` */
    const void *parameters;        /* the rule's own options */
} cr_optim_slice;

typedef struct cr_optim_rule {
    const char *name;                        /* = file name = config word */
    const cr_option *options;                /* beyond those of cr_optim_options; NULL: none */
    const char *states[CR_OPTIM_STATES + 1]; /* names of its arrays, ended by NULL */
    /* A pass over all slices before any update, for rules that need norms of whole spans: adds the
     * slice's share of their squares to squares. Leaves w alone. NULL: no norms */
    void (*measure)(const cr_optim_slice *slice, double squares[CR_OPTIM_NORMS]);
    bool takes_in; /* `measure` takes the gradient into the states: `update` is given none */
    void (*update)(const cr_optim_slice *slice);
} cr_optim_rule;

/* All rules, ended by NULL; made by CMake from the files of rules/. */
extern const cr_optim_rule *const cr_optim_rules[];
const cr_optim_rule *cr_optim_rule_find(const char *name);
const char *const *cr_optim_rule_names(void);
const cr_option *cr_optim_rule_options(const char *name);

/* A piece of a span that one thread updates: whole rows where there are rows. */
typedef struct cr_optim_chunk {
    int span;
    int64_t start, count; /* floats of the span */
} cr_optim_chunk;

typedef struct cr_optim {
    const cr_optim_rule *rule;
    cr_optim_options options;
    int64_t count;                 /* floats in each flat array */
    float *state[CR_OPTIM_STATES]; /* [count], owned; NULL where the rule keeps none */
    int64_t step;                  /* updates done */
    const cr_optim_span *spans;    /* borrowed */
    int span_count;
    cr_optim_chunk *chunks; /* [chunk_count], owned: the spans in pieces that threads share */
    double *squares;        /* [chunk_count, CR_OPTIM_NORMS], owned: sums of a chunk, for norms */
    double *norms;          /* [span_count, CR_OPTIM_NORMS], owned: of a rule that measures */
    int64_t chunk_count;
    float *scratch; /* [threads, chunk_most], owned: gradients on their way in */
    int64_t chunk_most;
    int threads; /* when it was made */
} cr_optim;

/* Refuse options that do not go together (CR_BAD_CONFIG): a rule with norms of whole spans updates
 * all rows. */
cr_status cr_optim_check(const cr_optim_options *options);

/* State for `count` parameters, zero. `spans` must outlive it. The caller frees. CR_BAD_CONFIG as
 * cr_optim_check. */
cr_status cr_optim_create(cr_optim *optim, const cr_optim_options *options, int64_t count,
                          const cr_optim_span *spans, int span_count);
void cr_optim_free(cr_optim *optim);

/* Where gradients come from when they do not lie as the parameters do, which rows have one, and who
 * wants to know that a piece is updated while it is still in cache. Called by several threads at
 * once, for disjoint rows. */
typedef struct cr_optim_hooks {
    void *self;
    /* gradient of the rows [first, first + rows) of span `span`, [rows, row] floats: written to
     * `scratch`, or wherever it already lies */
    const float *(*gradient)(void *self, float *scratch, int span, int64_t first, int64_t rows);
    /* the first of the rows [first, first + *rows) of span `span` with a gradient; *rows gets how
     * many neighbours from it on have one, 0: none of all. NULL: all have */
    int64_t (*kept)(void *self, int span, int64_t first, int64_t *rows);
    void (*updated)(void *self, int span, int64_t first, int64_t rows); /* NULL: nobody */
} cr_optim_hooks;

/* One update of w [count] by the gradients that `hooks` gives; as cr_optim_update. They are read
 * once, once more for clipping, and once more by a rule with norms that does not take them in: what
 * lies compact is spread out anew, which costs less memory than holding it. */
cr_status cr_optim_update_by(cr_optim *optim, float *w, const cr_optim_hooks *hooks, double rate,
                             double *norm);

/* One update of w [count] by gradients g [count] at learning rate `rate`; clips by the global norm
 * over all spans where asked. *norm gets the gradient's norm before clipping, or -1 when it was not
 * needed. CR_DIVERGED when a norm that was needed is not finite; w is then as it was. Norms count
 * the zeros of what sampling left out. Threads do not change the bits. */
cr_status cr_optim_update(cr_optim *optim, float *w, const float *g, double rate, double *norm);

/* ---- learning rate --------------------------------------------------------------------------- */
typedef struct cr_rate_options {
    double base;          /* learning rate after warm-up, before scaling */
    cr_word scaling;      /* none | linear | sqrt: how the base grows with the batch */
    int reference_batch;  /* the batch that `base` is meant for; 0 where nothing is scaled */
    cr_word schedule;     /* constant | steps | exponential | cosine */
    cr_ints at;           /* steps: updates after which `factor` is applied */
    double factor;        /* steps, exponential: what the rate is multiplied by */
    int64_t every_steps;  /* exponential: updates between two applications of `factor`; 0: once an
                             epoch */
    int hold_epochs;      /* exponential, once an epoch: epochs before the first `factor` */
    double final;         /* cosine: the rate at the end */
    int64_t warmup_steps; /* updates over which the rate grows linearly; 0: none, or ... */
    double warmup_epochs; /* ... as many as so many epochs have */
} cr_rate_options;

extern const cr_option cr_rate_option_table[];
const char *const *cr_rate_schedule_names(void);
const char *const *cr_rate_scaling_names(void);

/* Refuse options that do not go together (CR_BAD_CONFIG), e.g. `steps` without `at`. */
cr_status cr_rate_check(const cr_rate_options *options);

/* The rates of a run, settled. */
typedef struct cr_rate {
    cr_rate_options options;
    double base;    /* scaled */
    double start;   /* where warm-up begins: the base before scaling where that raised it, else 0 */
    int64_t warmup; /* updates of it */
    int64_t total;  /* updates of the run */
} cr_rate;

/* Of a run of `total` updates that begins with `batch`; `warmup` of them, in place of the options'
 * steps or epochs, are warm-up. */
cr_rate cr_rate_make(const cr_rate_options *options, int batch, int64_t warmup, int64_t total);

/* Rate of update number `step` (0 for the first), which whole `epochs` precede: warm-up, then the
 * schedule on the count of all updates. */
double cr_rate_at(const cr_rate *rate, int64_t step, int64_t epochs);

#endif
