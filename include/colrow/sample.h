/*
 * sample: column-row sampling. Which k of the n input features or channels of a contraction are
 * multiplied, and with what scale (Adelman & Silberstein 2018, sections 3.1 and 4).
 *
 * Nothing here is collective: ranks agree on a pick in dist.
 */
#ifndef COLROW_SAMPLE_H
#define COLROW_SAMPLE_H

#include "colrow/base.h"

/* The set kept: the only thing that sampling produces. */
typedef struct cr_pick {
    int n;         /* channels there are; capacity of the arrays */
    int k;         /* distinct channels kept */
    bool scaled;   /* false: every scale is 1 */
    int *index;    /* [n], the first k used: ascending, distinct */
    float *scale;  /* [n], the first k used */
    uint64_t hash; /* of n, k, indices and scales */
} cr_pick;

/* Lay the arrays of a pick for n channels into `arena`; the pick is then all n (cr_pick_all). */
void cr_pick_place(cr_pick *pick, int n, cr_arena *arena);

/* Make it all n channels, unscaled: the exact operation. */
void cr_pick_all(cr_pick *pick);

/* Is it all channels, unscaled? Then a contraction takes the exact path. */
bool cr_pick_is_all(const cr_pick *pick);

/* Recompute pick->hash after the arrays were filled. */
void cr_pick_seal(cr_pick *pick);

/* A second sampling, inside the backward products (Adelman & Silberstein 2018, section 5). */
typedef struct cr_backward_options {
    cr_word method;     /* crs | meprop */
    cr_word draw;       /* file name in draws/; scaled where it has a closed form */
    double ratio;       /* of samples and of output channels kept; 1, or 0 for unset: all */
    int minimum;        /* of either kept at least */
    cr_ratios schedule; /* as that of cr_sample_options, for this ratio */
} cr_backward_options;

/* What some layers have of their own; zero or "": as the others. */
typedef struct cr_sample_layer {
    double ratio;
    int minimum;
    cr_word draw, scores;
    cr_word scale; /* true | false */
} cr_sample_layer;

typedef struct cr_sample_layers {
    cr_words names;
    cr_sample_layer at[CR_LIST_MAX];
} cr_sample_layers;

/* Names of layers to keep exact, or with a way of their own, are glob patterns; of those in
 * `layers` the first that matches has all the say. */
typedef struct cr_sample_options {
    cr_word draw;            /* file name in draws/ */
    cr_word scores;          /* norm | weight_norm | uniform */
    bool scale;              /* unbiased weights */
    double ratio;            /* of channels kept, in (0, 1] */
    int minimum;             /* channels kept at least */
    cr_words exact;          /* layers never sampled */
    cr_sample_layers layers; /* before the fields above */
    cr_ratios schedule;      /* when -> what `ratio` is from then on; 1 is exact, `layers` or not */
    bool lookahead;          /* channels that the next layer drops are not worked out either */
    cr_backward_options backward;
} cr_sample_options;

extern const cr_option cr_sample_option_table[];
extern const cr_option cr_backward_option_table[];

/* Refuse a combination that has no closed form (CR_BAD_CONFIG): e.g. scale with `top`, or with
 * `no_replacement` unless the scores are uniform; and schedules that cannot be read. */
cr_status cr_sample_check(const cr_sample_options *options);

/* The ratio of the layer `name`: 1 where `exact` matches, that of its `layers`, else `ratio`. With
 * a schedule, a `ratio` of 1 is that of every layer. */
double cr_sample_ratio(const cr_sample_options *options, const char *name);

/* The ratio of the layer's backward products: 1 where `exact` matches, else backward.ratio. */
double cr_sample_backward_ratio(const cr_sample_options *options, const char *name);

/* k = max(minimum, floor(ratio n)), at most n, at least 1. (ratio n is rounded down after adding
 * 1e-9, so that 0.3 * 10 is 3.) */
int cr_sample_count(double ratio, int minimum, int n);

/* ---- schedules: a ratio by epoch or step -------------------------------------------------------
 * A key says from when on its ratio holds: "2", "0.5" epochs or "500 steps" from the beginning. */

/* CR_BAD_CONFIG naming `key` unless the schedule's keys can be read, are all in one unit, and
 * ascend. */
cr_status cr_schedule_check(const cr_ratios *schedule, const char *key);

/* The ratio after `step` steps, which are `epochs` epochs; `ratio` before the first key. */
double cr_schedule_ratio(const cr_ratios *schedule, double ratio, int64_t step, double epochs);

/* Smallest and largest ratio of any step. */
void cr_schedule_range(double *low, double *high, const cr_ratios *schedule, double ratio);

/* ---- methods of the second sampling ------------------------------------------------------------
 */
typedef struct cr_backward_method {
    const char *name;
    bool by_sample; /* the weight gradient sums over picked samples; else it has picked outputs */
    bool with_weights; /* an output's score has the norm of its weights */
} cr_backward_method;

/* NULL when there is none of that name. */
const cr_backward_method *cr_backward_method_find(const char *name);
const char *const *cr_backward_method_names(void);

/* ---- scores: s_i, how important channel i is ------------------------------------------------ */
typedef struct cr_score {
    const char *name;
    bool needs_inputs;  /* |X_i|^2 */
    bool needs_weights; /* |W_i|^2 */
    /* scores [n] from squared norms [n] of inputs and of weights (NULL where not needed) */
    void (*combine)(double *scores, const double *inputs, const double *weights, int n);
} cr_score;

/* NULL when there is none of that name. */
const cr_score *cr_score_find(const char *name);
const char *const *cr_score_names(void);

/* ---- draws: how k are taken ----------------------------------------------------------------- */
typedef struct cr_draw_request {
    int n, k;
    double share;         /* of the scores, for draws that go by it: the layer's ratio */
    int minimum;          /* kept at least, by draws that may keep fewer than k; at most k */
    const double *scores; /* [n], not negative */
    bool uniform;         /* the scores are all equal by construction (scores: uniform) */
    bool scale;           /* unbiased weights wanted */
    cr_random_key key;    /* of this layer and step */
    void *scratch;        /* for cr_sample_draw: cr_draw_scratch(n) bytes, 64-byte aligned;
                             a draw itself is given n doubles and n ints behind them */
} cr_draw_request;

typedef struct cr_draw {
    const char *name; /* = file name = config word */
    bool varies;      /* how many are kept differs from draw to draw */
    bool merges;      /* duplicates become one, and scales count them even where none are asked */
    /* The most it keeps of n channels when k < n are asked for; NULL: k. */
    int (*most)(int n, int k);
    /* Does it have unbiased weights in closed form, for scores uniform or not? NULL: never. */
    bool (*can_scale)(bool uniform);
    /* Fill pick->k, index, scale, scaled (the caller seals). No allocation; same request, same
     * pick. */
    void (*draw)(cr_pick *pick, const cr_draw_request *request);
} cr_draw;

/* All draws, ended by NULL; made by CMake from the files of draws/. */
extern const cr_draw *const cr_draws[];
const cr_draw *cr_draw_find(const char *name);
const char *const *cr_draw_names(void);
size_t cr_draw_scratch(int n); /* B */

/* Most channels that a draw keeps of n when k are asked for: what memory must be there for. */
int cr_draw_most(const cr_draw *draw, int n, int k);

/* Draw and seal. k >= n gives all channels, unscaled, whatever the draw. Scores that are all zero
 * count as uniform. Fails with CR_DIVERGED on a score that is not finite. */
cr_status cr_sample_draw(cr_pick *pick, const cr_draw *draw, const cr_draw_request *request);

/* ---- the way of a layer ---------------------------------------------------------------------- */

typedef struct cr_sample_way {
    const cr_draw *draw;
    const cr_score *score;
    bool scale;
    int minimum;
} cr_sample_way;

/* How the channels of the layer `name` are taken, by options that passed cr_sample_check. */
cr_sample_way cr_sample_way_of(const cr_sample_options *options, const char *name);

/* A score that needs inputs, which some layers may have; NULL: none does. */
const cr_score *cr_sample_from_inputs(const cr_sample_options *options);

/* ---- helpers shared by the draws ------------------------------------------------------------ */

/* Keep the first k of the indices, all with one scale; pick->scaled says whether that is not 1. */
void cr_pick_scale(cr_pick *pick, int k, float scale);

/* Inclusion probabilities that add up to k and follow the scores: p = min(1, score / level). */
typedef struct cr_inclusion {
    double level;   /* a channel with at least this score is certain */
    double of_zero; /* p of a channel whose score is 0 */
} cr_inclusion;

/* The one water level for scores [n], not all zero; 1 <= k < n. */
cr_inclusion cr_inclusion_make(const double *scores, int n, int k);
double cr_inclusion_of(const cr_inclusion *inclusion, double score);

/* count [n]: how often each channel comes in `draws` independent draws with probabilities in
 * proportion to weights [n], which become their own cumulative sums. */
void cr_merge_count(int *count, double *weights, int n, int draws, cr_random *random);

/* Keep what was counted, once each. Scale: count / expected [n], or the count where no scale is
 * wanted. */
void cr_merge_pick(cr_pick *pick, const int *count, const double *expected, bool scale);

/* The k largest of values [n], ties to the lower index, as ascending indices; scratch: n ints. */
void cr_select_largest(int *index, const double *values, int n, int k, int *scratch);

#endif
