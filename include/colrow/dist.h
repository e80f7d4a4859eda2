/*
 * dist: ranks as one trainer. Agreement on picks, gradients in flight while the backward pass goes
 * on, their sum. The only module that knows both ranks and networks.
 *
 * A step, on every rank:  cr_dist_begin,  cr_net_forward + cr_dist_backward for each micro-batch of
 * the rank (an empty one where it has none),  cr_dist_finish,  the update.
 */
#ifndef COLROW_DIST_H
#define COLROW_DIST_H

#include "colrow/base.h"
#include "colrow/comm.h"
#include "colrow/net.h"

typedef struct cr_batch_norm_options {
    bool sync; /* statistics are those of the global batch, not of a micro-batch */
} cr_batch_norm_options;

extern const cr_option cr_batch_norm_option_table[];

typedef struct cr_dist_options {
    cr_word agreement;    /* root | global | weights | stale | local */
    bool deterministic;   /* sums along one fixed tree over the micro-batches */
    int64_t bucket_bytes; /* gradients go into flight in pieces of at least so many bytes ... */
    bool overlap;         /* ... while the backward pass goes on; false: all after it */
    cr_word wire;         /* f32 | bf16: gradients on their way */
    cr_batch_norm_options batch_norm;
} cr_dist_options;

extern const cr_option cr_dist_option_table[];

typedef struct cr_dist cr_dist;

/* One way of agreeing on picks. */
typedef struct cr_dist_mode {
    const char *name;
    bool equal;  /* all ranks have the same pick, so gradients travel compact */
    bool alone;  /* each rank draws for itself */
    bool blind;  /* knows nothing of the inputs */
    bool shared; /* what it knows depends on how the micro-batches are shared out: see `global` */
    bool remembers; /* it goes by what the net remembers of the last step */
    cr_status (*choose)(void *self, cr_net *net, int segment, cr_pick *pick); /* self: cr_dist */
} cr_dist_mode;

const char *const *cr_dist_mode_names(void);

/* What gradients are on their way. */
typedef struct cr_dist_wire {
    const char *name;
    int bytes;   /* of a value */
    bool rounds; /* sums are not those of the values */
    cr_status (*begin)(cr_comm *comm, float *values, int64_t count);
} cr_dist_wire;

/* What ranks tell each other with the gradients: each is summed over ranks. */
typedef struct cr_dist_news {
    cr_result result; /* of this rank's micro-batches; of the global batch after the sum */
    bool stop;        /* this rank was asked to stop; any was */
    bool save;        /* rank 0 wants a checkpoint */
} cr_dist_news;

#define CR_TREE_PARTS 40 /* partial sums a rank can hold: 2 log2(micro-batches) and some */

struct cr_dist {
    cr_comm *comm; /* borrowed */
    cr_net *net;   /* borrowed */
    cr_dist_options options;
    const cr_dist_mode *mode;
    const cr_dist_wire *wire;
    cr_agreement agreement; /* for cr_net_begin */
    cr_sharing sharing;     /* of batch norm's statistics */
    int *message;           /* a pick as it travels; owned */
    double *norms;          /* of another rank, on their way into a sum: see sum.h; owned */
    int *owners;            /* [micro_batches_most] rank of each, deterministic only; owned */
    int micro_batches_most;

    int64_t step;                  /* under way, from 1 */
    int micro_batches;             /* of this step, on all ranks */
    int first, count;              /* this rank's */
    int done;                      /* of them, backward passes */
    int64_t bucket;                /* B that go into flight at a time */
    int64_t sent;                  /* floats of the gradient in flight */
    cr_result result;              /* of this rank, so far */
    float *home;                   /* the net's own gradient array */
    float *dense;                  /* [parameter_count + tail] local mode only; owned */
    float *buffers[CR_TREE_PARTS]; /* partial sums of the tree: `home`, the others owned */
    int buffer_count;
    cr_tree_part parts[CR_TREE_PARTS];
    int part_count;

    int64_t wire_bytes;  /* handed to MPI for sums and picks since the beginning, this rank */
    int64_t dense_bytes; /* what dense gradients would have been */
};

/* Floats that a net of so many segments must keep free behind its gradient (cr_net_plan.extra). */
int64_t cr_dist_extra(int segments);

/* Floats of a step's gradients as they travel, at most: without the tail and messages of agreement.
 */
int64_t cr_dist_message_floats(const cr_dist_options *options, const cr_net *net);

/* Must the net remember the norms of the last step (cr_net_plan.remembers)? */
bool cr_dist_remembers(const cr_dist_options *options);

/* For a net and at most `micro_batches` micro-batches a step, all ranks together. comm and net must
 * outlive it. CR_BAD_CONFIG when the ranks are more than the micro-batches, or fewer although batch
 * norm's statistics are to be those of the global batch, or the options do not go together; the
 * same on all ranks. The caller frees. Not collective. */
cr_status cr_dist_create(cr_dist **out, const cr_dist_options *options, cr_comm *comm, cr_net *net,
                         int micro_batches);
void cr_dist_free(cr_dist **dist);

/* Refuse options that do not go together with those of sampling (CR_BAD_CONFIG). */
cr_status cr_dist_check(const cr_dist_options *options, const cr_sample_options *sampling);

/* This rank's share of `micro_batches`: an aligned run [first, first + count), maybe empty. */
void cr_dist_share(int *first, int *count, int micro_batches, int rank, int ranks);

/* Is a bucket of so many bytes, with so many still to come, full? Towards the end buckets become
 * smaller, so that little is left to be waited for when the backward pass is over. */
bool cr_dist_is_full(int64_t bytes, int64_t left, int64_t bucket);

/* Begin step number `step`, which has so many micro-batches on all ranks. Not collective. */
cr_status cr_dist_begin(cr_dist *dist, uint32_t step, int micro_batches);

/* Backward pass of the micro-batch just given to cr_net_forward, and what it found. The last one of
 * a rank sends gradients off while they become final. Collective over the last. */
cr_status cr_dist_backward(cr_dist *dist, const cr_result *result);

/* Wait for the sums, and move the net's running statistics by them; *news becomes the sum of all
 * ranks' news. CR_RANKS naming layer, step and rank
 * when picks were not equal. Collective. */
cr_status cr_dist_finish(cr_dist *dist, cr_dist_news *news);

/* Rows of the gradient of the global batch, after cr_dist_finish: for parameter `i` of the net, as
 * cr_net_gradient_rows. self: cr_dist. Not collective. */
const float *cr_dist_gradient_rows(void *self, float *scratch, int i, int64_t first, int64_t rows);

/* Which of them sampling kept, as cr_net_kept_rows; all where each rank samples for itself. Not
 * collective. */
int64_t cr_dist_kept_rows(const cr_dist *dist, int i, int64_t first, int64_t *rows);

#endif
