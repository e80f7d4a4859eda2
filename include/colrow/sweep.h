/*
 * sweep: what many runs tell together. The plan of a sweep, the results in the folders of runs,
 * their means over seeds, tables and pictures. Knows no ranks: nothing here is collective.
 */
#ifndef COLROW_SWEEP_H
#define COLROW_SWEEP_H

#include "colrow/base.h"
#include "colrow/config.h"
#include "colrow/train.h"

/* ---- the plan of a sweep --------------------------------------------------------------------
 * A YAML file with three keys:
 *
 *     base: ../mlp-mnist.yaml            # configuration of all runs; beside this file
 *     set: {checkpoint.keep: 1}          # overrides for all runs; keys as for -s
 *     vary:                              # axes; every combination is a run
 *       estimator:                       #   a map: overrides that go together, by name ...
 *         top: {sampling.draw: top}
 *         uniform: {sampling.draw: no_replacement, sampling.scores: uniform}
 *       sampling.ratio: [0.1, 0.4]       #   a list: values of one key
 *       seed: [1, 2, 3]                  #   results are averaged over the axis `seed`
 *
 * `vary` may also be a list of such maps, whose combinations add up; and a set of overrides may
 * name another `base`. */
#define CR_AXES_MAX 8
#define CR_GRIDS_MAX 16
#define CR_SWEEP_RUNS_MAX 4096
#define CR_RUN_NAME_MAX 200 /* B */

typedef struct cr_choice {
    cr_word name;         /* in tables */
    const cr_node *value; /* a value of the axis' key, or a map of overrides */
} cr_choice;

typedef struct cr_axis {
    const char *name; /* as in the file: a key where the choices are its values */
    bool keyed;       /* are they? */
    int count;
    cr_choice choices[CR_LIST_MAX];
} cr_axis;

typedef struct cr_grid {
    int count; /* of axes */
    cr_axis axes[CR_AXES_MAX];
} cr_grid;

typedef struct cr_sweep_run {
    char name[CR_RUN_NAME_MAX]; /* of its folder: "top,ratio=0.1,seed=2" */
    const cr_grid *grid;
    int choice[CR_AXES_MAX]; /* one of each axis */
} cr_sweep_run;

typedef struct cr_sweep {
    char path[CR_PATH_MAX];       /* of the file */
    cr_config *document;          /* what it says; owned */
    cr_config *shorter;           /* the overrides as a document; owned */
    const char *const *overrides; /* [override_count], borrowed */
    int override_count;
    cr_grid *grids; /* [grid_count], owned */
    int grid_count;
    cr_sweep_run *runs; /* [run_count], owned */
    int run_count;
} cr_sweep;

/* The plan in the file `path`. An override with the name of an axis takes the place of its values,
 * or picks some of its sets by name; the others are set in every run. `overrides` must outlive the
 * plan. The caller frees. CR_BAD_CONFIG with the line. */
cr_status cr_sweep_load(cr_sweep **out, const char *path, const char *const *overrides, int count);
void cr_sweep_free(cr_sweep **sweep);

/* What a run is made from; not settled for ranks. CR_BAD_CONFIG with the line. */
cr_status cr_sweep_options(cr_run_options *options, const cr_sweep *sweep, const cr_sweep_run *run);

/* The name of a run without its choices on the axes `without` (ended by NULL). */
void cr_sweep_label(char out[CR_RUN_NAME_MAX], const cr_sweep_run *run, const char *const *without);

/* The choice of a run on the axis `name`; "" when it has no such axis. */
const char *cr_sweep_choice(const cr_sweep_run *run, const char *name);

/* ---- where a run stands --------------------------------------------------------------------- */
typedef enum cr_sweep_state {
    CR_SWEEP_NEW,
    CR_SWEEP_BEGUN, /* there is something to go on from, perhaps */
    CR_SWEEP_DONE,
    CR_SWEEP_FAILED /* diverged, and would again */
} cr_sweep_state;

/* Look at a run's folder; `config` is what it is to be made from, as resolved. CR_BAD_CONFIG naming
 * the first difference when the folder holds a run of another configuration, or one that cannot be
 * read. Keys that the folder's lacks, of an earlier build, have their defaults. */
cr_status cr_sweep_look(cr_sweep_state *state, const char *folder, const char *config);

/* Leave the message of a failure in a run's folder, as failure.txt. */
cr_status cr_sweep_note_failure(const char *folder, const char *message);

/* The message that was left there, in the `bytes` bytes of out; "" when there is none. */
void cr_sweep_failure(char *out, size_t bytes, const char *folder);

/* ---- what a run's folder tells -------------------------------------------------------------- */

/* A line of metrics.jsonl. NaN: not in it. */
typedef struct cr_mark {
    double step, epoch, seconds;
    double loss;                          /* of training, since the last such line */
    double valid_accuracy, test_accuracy; /* fractions */
    double valid_perplexity, test_perplexity;
} cr_mark;

/* A number of summary.json. */
typedef enum cr_figure {
    CR_FIGURE_TEST,
    CR_FIGURE_VALID,
    CR_FIGURE_TEST_PERPLEXITY,
    CR_FIGURE_VALID_PERPLEXITY,
    CR_FIGURE_TRAIN_LOSS,
    CR_FIGURE_PAPER,
    CR_FIGURE_EXECUTED,
    CR_FIGURE_SECONDS,
    CR_FIGURE_STEP_MS,
    CR_FIGURE_STEPS,
    CR_FIGURES
} cr_figure;

/* How a figure is called and shown. */
typedef struct cr_figure_info {
    const char *name;    /* in CSV, and in summary.json ... */
    const char *section; /* ... below this key, as `field`; NULL: at the top */
    const char *field;
    const char *title; /* in Markdown */
    double scale;      /* shown times this, in Markdown */
    int digits;        /* after the point */
} cr_figure_info;

extern const cr_figure_info cr_figure_table[CR_FIGURES];

typedef struct cr_record {
    cr_mark *marks; /* [count], owned */
    int count;
    bool finished;              /* summary.json was there; else there are no ... */
    double figures[CR_FIGURES]; /* NaN: not in it */
    double phase_ms[CR_PHASES]; /* a step */
} cr_record;

/* Read metrics.jsonl, and summary.json where there is one. A last line cut short is left out. The
 * caller frees. CR_BAD_DATA with file and line. */
cr_status cr_record_read(cr_record *record, const char *folder);
void cr_record_free(cr_record *record);

/* The error at a mark that is an evaluation, in %: of the test set where every evaluation of the
 * run has it, else of the validation set; NaN at other marks. */
double cr_record_error(const cr_record *record, int mark);

/* The perplexity likewise. */
double cr_record_perplexity(const cr_record *record, int mark);

/* Mean of the values that are numbers, and its standard error; NaN without values, and the error of
 * a single one. */
typedef struct cr_mean {
    int count; /* of numbers */
    double mean, error;
} cr_mean;

cr_mean cr_mean_of(const double *values, int count);

/* ---- pictures -------------------------------------------------------------------------------- */
typedef struct cr_point {
    int series;
    double x, y;  /* x NaN: a level, drawn across the picture */
    double error; /* standard error of y; NaN: none */
} cr_point;

typedef struct cr_picture {
    const char *name; /* of its files, without ending */
    const char *title, *x, *y;
    bool doubling;               /* x is on a logarithmic scale, of base 2 */
    char (*series)[CR_PATH_MAX]; /* [series_count] names; owned */
    int series_count;
    cr_point *points; /* [count], owned */
    int count;
} cr_picture;

cr_status cr_picture_add(cr_picture *picture, const char *series, double x, double y, double error);
void cr_picture_free(cr_picture *picture);

/* Write NAME.csv, NAME.gp and, by gnuplot, NAME.svg into `folder`; nothing for a picture without
 * points. Without gnuplot a hint is logged, and that is no failure. */
cr_status cr_picture_write(const cr_picture *picture, const char *folder);

/* A field of a CSV file, quoted where it must be; a number, nothing for NaN. */
void cr_csv_text(FILE *file, const char *text);
void cr_csv_number(FILE *file, double value);

/* ---- reports --------------------------------------------------------------------------------- */

/* Write what the runs of a sweep have come to in `folder`, which holds their folders: runs.csv,
 * table.csv and table.md (means over seeds), and pictures. */
cr_status cr_sweep_report(const cr_sweep *sweep, const char *folder);

/* Write learning curves and seconds by phase of the runs in `runs` [count] into `folder`. */
cr_status cr_plot_runs(const char *folder, const char *const *runs, int count);

#endif
