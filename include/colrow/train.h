/*
 * train: the story of a run. Options of everything, a step, an epoch, an evaluation, what is saved
 * and what is reported.
 *
 * Every function that takes a cr_run is collective over its communicator unless it says otherwise:
 * it fails on all ranks or on none. A failure that only one rank can see (in the middle of a step)
 * ends the job there, with that rank's name.
 */
#ifndef COLROW_TRAIN_H
#define COLROW_TRAIN_H

#include "colrow/base.h"
#include "colrow/checkpoint.h"
#include "colrow/comm.h"
#include "colrow/config.h"
#include "colrow/data.h"
#include "colrow/dist.h"
#include "colrow/net.h"
#include "colrow/optim.h"
#include "colrow/sample.h"

#define COLROW_VERSION "0.1.0"

/* ---- options: one config file ---------------------------------------------------------------- */
typedef struct cr_checkpoint_options {
    int64_t every_steps;  /* 0: not by steps */
    double every_minutes; /* 0: not by time */
    int keep;             /* newest files kept; 0: all */
    double stop_minutes;  /* save and stop after so long; 0: never */
} cr_checkpoint_options;

typedef struct cr_evaluate_options {
    int every_epochs;        /* 0: never */
    int recalibrate_batches; /* micro-batches of training data that batch norm's statistics are
                                taken from, exactly, before an evaluation; 0: the running ones */
    int streams;             /* that a text is cut into */
} cr_evaluate_options;

typedef struct cr_log_options {
    int64_t every_steps; /* between two lines of metrics.jsonl */
    cr_word level;       /* error | warn | info | debug */
} cr_log_options;

typedef struct cr_run_options {
    int batch;                /* samples of a step, all ranks together */
    cr_ratios batch_schedule; /* epoch -> what `batch` is from then on */
    int micro_batch;          /* samples a rank works on at once; 0: about batch / ranks */
    bool recompute;           /* see cr_net_plan.recomputes */
    bool one_each;            /* settled: a rank has one micro-batch in a step, not more */
    int epochs;               /* 0: by steps */
    int64_t steps;            /* updates; 0: by epochs */
    int64_t check_every;      /* steps between comparisons of the ranks' weights; 0: never */
    cr_word engine, precision;
    int threads; /* a rank; 0: chosen from the machine */
    int64_t seed;
    double watchdog_seconds; /* that a rank may wait for others; 0: for ever */
    cr_net_options network;
    cr_data_options data;
    cr_optim_options optimizer;
    cr_rate_options learning_rate;
    cr_sample_options sampling;
    cr_dist_options dist;
    cr_checkpoint_options checkpoint;
    cr_evaluate_options evaluate;
    cr_log_options log;
} cr_run_options;

/* From a file and overrides; every value is there afterwards. Not collective. */
cr_status cr_options_load(cr_run_options *options, const char *path, const char *const *overrides,
                          int count);

/* The same from text, e.g. that of a checkpoint; `name` stands for the file. Not collective. */
cr_status cr_options_parse(cr_run_options *options, const char *text, const char *name,
                           const char *const *overrides, int count);

/* The same from a document; `name` stands for it where its values do not go together. Not
 * collective. */
cr_status cr_options_bind(cr_run_options *options, const cr_config *config, const char *name);

/* All values as YAML; the caller frees *text. Not collective. */
cr_status cr_options_format(char **text, const cr_run_options *options);

/* Every key with default, range and help; the caller frees *text. Not collective. */
cr_status cr_options_describe(char **text);

/* Settle what depends on the number of ranks (micro_batch) or on the kind of data (a text is not
 * shuffled) and refuse what does not go together (CR_BAD_CONFIG). Not collective. */
cr_status cr_options_settle(cr_run_options *options, int ranks);

/* ---- the course of a run: which samples make an update -----------------------------------------
 * An epoch has one batch, and an update for every whole or partial batch of its samples. */
typedef struct cr_place {
    int64_t epoch;     /* from 0 */
    int64_t step;      /* updates of this epoch that precede */
    int64_t per_epoch; /* updates of this epoch */
    int batch;         /* samples of its updates, but perhaps the last */
} cr_place;

/* Of update number `step` (0 for the first), with `samples` an epoch. Not collective. */
cr_place cr_course_place(const cr_run_options *options, int64_t samples, int64_t step);

/* Epochs that precede, the part of the one under way included. Not collective. */
double cr_place_epochs(const cr_place *place);

/* Updates of the first `epochs` epochs, rounded to a whole one. Not collective. */
int64_t cr_course_steps(const cr_run_options *options, int64_t samples, double epochs);

/* The largest batch of any epoch. Not collective. */
int cr_course_largest(const cr_run_options *options);

/* Shape and classes that the network asks for, 0 where it takes what the data has, and the streams
 * of a text. Not collective. */
cr_status cr_options_wanted(cr_data_wanted *wanted, const cr_run_options *options);

/* The network that a run of these options trains, to tell what it costs: not initialized, shares of
 * schedules at their largest. Opens the data where the network takes its shape from them. The
 * caller frees. Not collective. */
cr_status cr_options_net(cr_net **out, const cr_run_options *options);

/* ---- what a run is judged by ------------------------------------------------------------------
 */
typedef struct cr_measure {
    const char *name;   /* in logs and, as valid_NAME and test_NAME, in files */
    const char *labels; /* what there is one label for each: "samples" or "words" */
    int digits;         /* shown after the point */
    bool less;          /* less is better */
    bool of_loss;       /* known from the loss alone, so of training too */
    double (*of)(double loss, double accuracy); /* means over the labels */
} cr_measure;

/* The one for data of a kind: perplexity of texts, accuracy of images. Not collective. */
const cr_measure *cr_measure_for(const char *kind);

/* Of an evaluation; NaN of none. Not collective. */
double cr_measure_of(const cr_measure *measure, const cr_result *result);

/* ---- a run ----------------------------------------------------------------------------------- */
typedef struct cr_progress {
    int64_t step;          /* updates done */
    int64_t epoch;         /* whole epochs done */
    double epoch_loss;     /* summed over the labels of the epoch under way ... */
    int64_t epoch_samples; /* ... and how many they are */
    double train_loss;     /* mean over the last whole epoch; NaN before the first */
    double seconds;        /* in steps, since step 0 */
    int64_t best_epoch; /* epoch (from 1) of the best validation; 0 before the first evaluation */
    double valid_loss, valid_accuracy, test_loss, test_accuracy; /* at the best epoch; NaN: none */
    int64_t macs_exact, macs_paper, macs_executed;               /* on all ranks together */
    int64_t wire_bytes, dense_bytes;                             /* of rank 0, since step 0 */
} cr_progress;

typedef struct cr_meter {
    float *step_ms; /* [capacity] of the steps of this session; owned */
    int64_t capacity, count;
    double seconds;              /* in steps, this session */
    int64_t samples;             /* labels trained on, this session */
    double started;              /* cr_seconds() at the first step */
    double saved;                /* cr_seconds() of the last checkpoint */
    double shown;                /* cr_seconds() of the last progress line */
    double interval_loss;        /* summed since the last metrics line ... */
    int64_t interval_samples;    /* ... over so many samples ... */
    double interval_seconds;     /* ... in so many seconds of steps */
    double gradient_norm;        /* of the last step; -1 when it was not needed */
    double phases[2][CR_PHASES]; /* s, before and after the session's first step */
    cr_comm_seconds comm[2];     /* likewise */
} cr_meter;

/* How long each rank worked in some steps, before it waited for others. */
typedef struct cr_tally {
    int ranks;
    double *ms;       /* [ranks] summed over the steps; owned */
    double *sorted;   /* [ranks] scratch; owned */
    int64_t *slowest; /* [ranks] steps in which it was the slowest; owned */
    double most_ms;   /* of the slowest rank of each step, summed over the steps */
    int64_t steps;
} cr_tally;

/* The rank with the most work, against the others. */
typedef struct cr_straggler {
    int rank;
    double ms;        /* a step, of that rank; NaN: of no steps */
    double median_ms; /* of the ranks; the lower one where they are even */
    double share;     /* of the steps in which it was the slowest */
    double lead_ms;   /* a step, by which rank 0 was done before the step's slowest rank */
    bool slow;        /* so much and so often that something is wrong with it */
} cr_straggler;

/* The caller frees; not collective, as all four. */
cr_status cr_tally_create(cr_tally *tally, int ranks);
void cr_tally_free(cr_tally *tally);
void cr_tally_clear(cr_tally *tally);

/* Add the steps of ms [ranks, steps]; and find the straggler of all those added. */
void cr_tally_add(cr_tally *tally, const float *ms, int steps);
cr_straggler cr_tally_find(cr_tally *tally);

/* Share of the messages' time that work hid: 1 - (waited - lead) / (in_flight - lead), within 0 and
 * 1, of times in one unit: with gradients in flight, waiting for them, and the lead on the slowest
 * rank, which no network could have shortened (NaN: not known, taken as 0). NaN where nothing was
 * in flight. */
double cr_hidden_share(double in_flight, double waited, double lead);

/* What the ranks note of their work between two metrics lines. */
typedef struct cr_work {
    float *own; /* [capacity] ms of this rank's steps since the last line; owned */
    float *all; /* [ranks, capacity] of all ranks; rank 0's, as all below; owned */
    int capacity, count;
    cr_tally interval, session;
    bool warned; /* of a slow rank */
} cr_work;

typedef struct cr_run {
    cr_comm *comm; /* borrowed */
    cr_run_options options;
    char *config;             /* the options as resolved, YAML; owned */
    char folder[CR_PATH_MAX]; /* of the output; "" when nothing is written */
    int lock;                 /* descriptor of the folder's lock on rank 0, -1: none */

    cr_data data;
    cr_net *net;
    cr_dist *dist;
    cr_optim optim;
    cr_optim_span *spans; /* of the optimizer; owned */
    float *x;             /* [micro_batch, features]; owned */
    int *labels;          /* [micro_batch, positions]; owned */
    float *carried; /* [batch, state_floats] what the streams of a text carry from step to step,
                       up to date for those of this rank; owned */
    float *carried_there; /* [micro_batch, state_floats] the same in an evaluation; owned */
    double *observed;     /* [statistics] sums while recalibrating; owned */
    float *running;       /* [statistics] the running ones meanwhile; owned */
    bool recalibrated;    /* the net has statistics for an evaluation */
    uint32_t *order;      /* [train.count] of the epoch under way; owned */
    int64_t order_epoch;  /* which one it is; -1: none yet */

    int64_t total; /* updates */
    cr_rate rate;
    cr_progress progress;
    cr_meter meter;
    cr_work work;
    bool stopping; /* a signal or the time limit asked to end */
} cr_run;

/* Data, network, optimizer, initial weights; options as settled. The caller frees, after which the
 * ranks may make another run. */
cr_status cr_run_create(cr_run **out, cr_comm *comm, const cr_run_options *options);
void cr_run_free(cr_run **run);

/* Make and lock the output folder. Refuses (CR_CANNOT_WRITE) a folder that another run holds, or
 * that has checkpoints unless `resuming`. Removes stale temporaries. */
cr_status cr_run_open_folder(cr_run *run, const char *folder, bool resuming);

/* Continue from `path`, or from the newest good checkpoint of the folder when path is "". Starts
 * from the beginning, saying so, when the folder has none. CR_BAD_CONFIG when seed, batch or data
 * differ from the checkpoint's; CR_BAD_DATA when it cannot be read or is of another network. */
cr_status cr_run_resume(cr_run *run, const char *path);

/* Load parameters only, for an evaluation. */
cr_status cr_run_load(cr_run *run, const char *path);

/* Write config.yaml, then train to the end, reporting and saving; CR_STOPPED when a signal or the
 * time limit ended it after a checkpoint was saved. */
cr_status cr_run_train(cr_run *run);

/* Take batch norm's statistics for an exact evaluation from evaluate.recalibrate_batches
 * micro-batches of training data (nothing when that is 0), until they are given back. */
cr_status cr_run_recalibrate(cr_run *run);
void cr_run_give_back_statistics(cr_run *run); /* not collective */

/* Exact loss and accuracy over a part of the data; a text is read stream by stream, each from
 * nothing. */
cr_status cr_run_evaluate(cr_run *run, cr_result *result, const cr_data_part *part);

/* The same over two parts, which the ranks share out together; empty ones have no result. */
cr_status cr_run_evaluate_both(cr_run *run, cr_result results[2],
                               const cr_data_part *const parts[2]);

/* Where update number `step` (0 for the first) stands, and its learning rate. Not collective. */
cr_place cr_run_place(const cr_run *run, int64_t step);
double cr_run_rate(const cr_run *run, int64_t step);

/* xxh64 of all parameters in the order of the layers. Not collective. */
uint64_t cr_run_weights_hash(const cr_run *run);

/* Every options.check_every steps: CR_RANKS naming step, layer, parameter and rank unless all ranks
 * have the same weights. */
cr_status cr_run_check(cr_run *run);

/* On SIGTERM, SIGINT and SIGUSR1 set a flag that the next step notices. Not collective. */
cr_status cr_signals_catch(void);
bool cr_signals_caught(void);

#endif
