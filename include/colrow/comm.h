/*
 * comm: the only place that knows MPI. Every failure of MPI is reported; a rank that fails in the
 * middle of a step aborts the job with its name (cr_comm_abort). No wait is for ever: see
 * cr_comm_watch.
 */
#ifndef COLROW_COMM_H
#define COLROW_COMM_H

#include "colrow/base.h"

typedef struct cr_comm cr_comm;

/* Start MPI and duplicate the world; every rank once. The caller frees. Collective. */
cr_status cr_comm_create(cr_comm **out, int *argc, char ***argv);

/* End MPI. Collective. */
void cr_comm_free(cr_comm **comm);

/* Not collective. */
int cr_comm_rank(const cr_comm *comm);
int cr_comm_size(const cr_comm *comm);
int cr_comm_node_rank(const cr_comm *comm); /* among the ranks that share memory */
int cr_comm_node_size(const cr_comm *comm);

/* End the job at once with exit code `code`, after logging the last error of this rank. Does not
 * return. Not collective: for failures in the middle of a step. */
_Noreturn void cr_comm_abort(cr_comm *comm, cr_status code);

/* ---- watchdog --------------------------------------------------------------------------------
 * A collective function in which a rank waits longer than the limit ends the job with CR_RANKS. The
 * message names the ranks that others wait for, lost or busy, and where every rank is. Inside a
 * call of MPI that hangs, as MPI's own start and end may, this process ends by itself, naming the
 * call. A thread counts the seconds; those in which the process is stopped do not count. */
#define CR_COMM_LIMIT 300 /* s, unless COLROW_WATCHDOG_SECONDS or a run sets another */

/* Set the limit of a wait in seconds; 0: none. Not collective, but for all ranks the same. */
void cr_comm_watch(cr_comm *comm, double seconds);

/* Say where this rank is: step under way, from 1 (0: in none), and layer (NULL: in none), whose
 * name must stay. The phase is known from the timers of base. Not collective. */
void cr_comm_at(cr_comm *comm, int64_t step, const char *layer);

/* ---- agreement ------------------------------------------------------------------------------ */

/* Does any rank have local != CR_OK? Then every rank gets a failure: the failing ones keep theirs,
 * the others get the code of the lowest failing rank with its message. Collective. */
cr_status cr_comm_any(cr_comm *comm, cr_status local);

/* CR_RANKS naming `what`, a rank that differs and both values, in hexadecimal digits as of a hash,
 * unless `value` is the same everywhere. Collective. */
cr_status cr_comm_same(cr_comm *comm, uint64_t value, const char *what);

/* root's `bytes` bytes to all. Collective. */
cr_status cr_comm_broadcast(cr_comm *comm, void *data, size_t bytes, int root);

/* Sum and largest of `count` doubles over ranks, in place. Collective. */
cr_status cr_comm_sum(cr_comm *comm, double *values, int count);
cr_status cr_comm_largest(cr_comm *comm, double *values, int count);

/* The sum of `count` doubles over ranks, in place, along the fixed binary tree over ranks: its bits
 * depend on the values and the number of ranks alone. scratch: [count]. Collective. */
cr_status cr_comm_sum_fixed(cr_comm *comm, double *values, int count, double *scratch);

/* own [count] of every rank, to rank 0: all [ranks, count]; the others' `all` may be NULL.
 * Collective. */
cr_status cr_comm_gather(cr_comm *comm, float *all, const float *own, int count);

/* ---- sums of gradients ----------------------------------------------------------------------
 * Sums in flight: at most CR_COMM_FLIGHTS at a time. */
#define CR_COMM_FLIGHTS 256

/* Start summing values [count] over all ranks in place; values must stay until cr_comm_wait.
 * Collective, in the same order on all ranks. CR_INTERNAL when too many are in flight. */
cr_status cr_comm_sum_begin(cr_comm *comm, float *values, int64_t count);

/* The same with half the bytes: values are rounded to bf16, to nearest even, summed in f32 in the
 * order of the ranks, and the sum is rounded again; the bits are the same on all ranks. CR_INTERNAL
 * beyond the room that was reserved. Collective. */
cr_status cr_comm_sum_begin_bf16(cr_comm *comm, float *values, int64_t count);

/* Room for `floats` values in flight as bf16; it stays. None may be in flight. Not collective. */
cr_status cr_comm_reserve_bf16(cr_comm *comm, int64_t floats);

/* Let messages in flight move on, and answer the watchdogs of other ranks; call it between layers.
 * Not collective. */
cr_status cr_comm_progress(cr_comm *comm);

/* Wait for all sums in flight. Collective. */
cr_status cr_comm_wait(cr_comm *comm);

/* Of this rank since the beginning. What was in flight but not waited for was hidden behind work.
 */
typedef struct cr_comm_seconds {
    double in_flight; /* s with some sum in flight, as far as this rank has noticed its landing */
    double waited;    /* s in cr_comm_wait */
} cr_comm_seconds;

/* Not collective. */
cr_comm_seconds cr_comm_seconds_of(const cr_comm *comm);

/* A node of the fixed binary tree over the leaves 0..leaves-1 (micro-batches): node j of level l
 * covers the leaves [j 2^l, (j+1) 2^l). */
typedef struct cr_tree_part {
    int level;
    int node;
    float *values; /* [count] the sum over its leaves; overwritten */
} cr_tree_part;

/* Append the node of the next leaf to this rank's `parts` [*n], and join siblings from the right
 * end as long as there are any: left + right. Not collective. */
void cr_comm_tree_push(cr_tree_part *parts, int *n, cr_tree_part part, int64_t count);

/* Sum over all leaves along the fixed tree, whatever the ranks: left + right at every inner node,
 * a node without a right sibling passes up. `parts` [n] are this rank's own maximal nodes, left to
 * right; `owners` [leaves] says which rank owns each leaf (ascending). The result lands in
 * out [count] on every rank. scratch: [count]. The bits depend on `leaves` and the values alone.
 * Collective. */
cr_status cr_comm_tree_sum(cr_comm *comm, float *out, cr_tree_part *parts, int n, int64_t count,
                           const int *owners, int leaves, float *scratch);

/* ---- memory of a node ----------------------------------------------------------------------- */

/* `bytes` bytes that all ranks of a node see; given back by cr_comm_unshare, or with the
 * communicator. Collective. */
cr_status cr_comm_share(cr_comm *comm, void **out, size_t bytes);

/* Give a block back and set the pointer to NULL; accepts a pointer to NULL. Collective over the
 * node. */
void cr_comm_unshare(cr_comm *comm, void **memory);

/* Wait until every rank of the node is here and its writes to shared memory are seen. Collective.
 */
cr_status cr_comm_share_sync(cr_comm *comm);

/* MPI's name and version, one line. Not collective. */
void cr_comm_library(char *out, size_t bytes);

#endif
