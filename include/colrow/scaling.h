/*
 * scaling: how the time of a step goes with the number of ranks. Short runs on several numbers of
 * ranks are compared, and a model of a step is fitted to them, which tells what more ranks, or
 * another network between them, would do. Knows no ranks itself: nothing here is collective.
 */
#ifndef COLROW_SCALING_H
#define COLROW_SCALING_H

#include "colrow/base.h"
#include "colrow/net.h"
#include "colrow/sweep.h"

/* ---- measured runs ---------------------------------------------------------------------------
 * A cell holds the finished runs that differ in nothing but the round: medians over them. */
typedef struct cr_scaling_cell {
    char folder[CR_PATH_MAX]; /* of its first run */
    int runs;
    int ranks, threads;
    int batch;                  /* of all ranks together */
    double ratio;               /* sampling.ratio */
    double step_ms;             /* median step */
    double phase_ms[CR_PHASES]; /* a step */
    double comm_ms;      /* a step with gradients in flight; NaN: not measured; of these ... */
    double comm_wait_ms; /* ... they were waited for, and of those ... */
    double comm_lead_ms; /* ... for ranks that still worked; NaN: not known */
    double wire_bytes;   /* a step and rank, and ... */
    double dense_bytes;  /* ... those of dense gradients */
} cr_scaling_cell;

typedef struct cr_scaling {
    cr_scaling_cell *cells; /* [count] by ratio, exact first, then ranks, then batch; owned */
    int count;
    int runs;                         /* that they were made from */
    cr_word version, engine, numbers; /* what all have in common; numbers: the precision */
} cr_scaling;

/* Read the runs in `paths` [count]: folders of runs, or folders of such folders. The caller frees.
 * CR_BAD_DATA naming run and key when a run is not finished, when runs differ in anything but
 * batch, ranks, sampling.ratio and what takes no time (seed, rate, length, evaluations), when a
 * batch fits neither strong nor weak scaling, or when a sampled run has no exact one beside it. */
cr_status cr_scaling_read(cr_scaling *out, const char *const *paths, int count);
void cr_scaling_free(cr_scaling *scaling);

/* The two ways of adding ranks, and what a cell is compared with: the one of fewest ranks that has
 * its batch (strong), or its batch a rank (weak). */
typedef struct cr_scaling_kind {
    const char *name;
    bool (*pairs)(const cr_scaling_cell *a, const cr_scaling_cell *b); /* of one ratio */
    double (*efficiency)(const cr_scaling_cell *base, const cr_scaling_cell *cell);
} cr_scaling_kind;

extern const cr_scaling_kind cr_scaling_kinds[2]; /* strong, weak */

/* What `cell` is compared with, which may be itself; NULL when it stands alone in this kind. One
 * that stands alone in both counts as strong scaling, compared with itself. */
const cr_scaling_cell *cr_scaling_base(const cr_scaling *scaling, const cr_scaling_kind *kind,
                                       const cr_scaling_cell *cell);

/* The exact cell of its ranks and batch. */
const cr_scaling_cell *cr_scaling_exact(const cr_scaling *scaling, const cr_scaling_cell *cell);

/* Share of the communication that computing hid (cr_hidden_share); NaN: not measured. */
double cr_scaling_hidden(const cr_scaling_cell *cell);

/* Write scaling.csv, scaling.md and pictures into `folder`. */
cr_status cr_scaling_report(const cr_scaling *scaling, const char *folder);

/* ---- a network between ranks: Hockney 1994 ----------------------------------------------------
 */
typedef struct cr_network {
    double latency;   /* alpha, s a message */
    double byte_time; /* beta, s a byte */
} cr_network;

/* Seconds for the sum of `bytes` bytes over `ranks` on all of them; for `bytes` from one to all. */
double cr_network_allreduce(const cr_network *network, double bytes, int ranks);
double cr_network_broadcast(const cr_network *network, double bytes, int ranks);

/* ---- what a rank does in a step -------------------------------------------------------------- */
typedef enum cr_event_kind {
    CR_EVENT_AGREE, /* a pick to all: computing waits for it */
    CR_EVENT_SUM,   /* a bucket of gradients goes into flight, behind those before it */
    CR_EVENT_WAIT,  /* until all are there */
    CR_EVENT_END
} cr_event_kind;

typedef struct cr_event {
    double seconds; /* of computing before it */
    cr_event_kind kind;
    double bytes;
} cr_event;

typedef struct cr_pattern {
    cr_event *events; /* [count], owned */
    int count;
} cr_pattern;

/* The step of a rank that takes `samples` samples, computing at the pace of `cell` (a measured one
 * of the same ratio) and talking as the net does, whose ratio is set. The caller frees. */
typedef struct cr_pattern_plan {
    const cr_net *net;
    const cr_scaling_cell *cell;
    double samples; /* of a step, of this rank */
    int micro_batch;
    int64_t bucket_bytes;
    int float_bytes; /* of a gradient on its way */
    bool overlaps;   /* sums go on during the backward pass, instead of after it */
    bool agrees;     /* each pick is broadcast */
} cr_pattern_plan;

cr_status cr_pattern_make(cr_pattern *out, const cr_pattern_plan *plan);
void cr_pattern_free(cr_pattern *pattern);

typedef struct cr_step_time {
    double step, agree, wait, comm; /* s; comm: the sums by themselves, waited for or not */
} cr_step_time;

cr_step_time cr_pattern_time(const cr_pattern *pattern, const cr_network *network, int ranks);

/* Write it as text: a line an event, "seconds kind bytes". CR_CANNOT_WRITE. */
cr_status cr_pattern_write(const cr_pattern *pattern, const char *path);

/* ---- the model ------------------------------------------------------------------------------- */
typedef struct cr_scaling_options {
    double latency;   /* us; 0: as fitted */
    double bandwidth; /* Gbit/s; 0: as fitted */
    int ranks;        /* predict up to so many */
} cr_scaling_options;

extern const cr_option cr_scaling_option_table[];

/* A measured step, and what a rank does in it. */
typedef struct cr_observation {
    cr_pattern pattern; /* owned */
    int ranks;
    double seconds; /* of the step */
} cr_observation;

/* Fit by least squares of log(model / measured) over observations of more than one rank,
 * without number `left_out` (-1: with all). */
cr_network cr_network_fit(const cr_observation *observations, int count, int left_out);

/* Fit the model to measured runs, say how far off it is on runs that it was not fitted to, and
 * write model.csv, pictures and patterns of a step (pattern-RATIO.txt) into `folder`. */
cr_status cr_scaling_model(const cr_scaling *scaling, const cr_scaling_options *options,
                           const char *folder);

#endif
