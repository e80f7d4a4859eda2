/* study.h: what the files of study share. */
#ifndef STUDY_STUDY_H
#define STUDY_STUDY_H

#include "colrow/study.h"

/* One way of estimating a product. */
typedef struct cr_estimate {
    const cr_draw *draw;
    cr_word scores; /* of cr_score_names, or optimal */
    bool scale;
    bool uniform; /* the scores are all equal by construction */
} cr_estimate;

/* From "DRAW/SCORES" or "DRAW/SCORES/scale"; CR_BAD_CONFIG with what is wrong. */
cr_status cr_estimate_parse(cr_estimate *out, const char *text);

/* One figure of the study. */
typedef struct cr_error_row {
    cr_word name;          /* of the case */
    const char *draw;      /* or "bound" */
    cr_word scores;        /* as in cr_estimate */
    bool scale;            /* likewise */
    int percent;           /* of the channels kept */
    double error;          /* mean over the repeats */
    double standard_error; /* of that mean */
    double kept;           /* mean number of channels */
} cr_error_row;

/* What is known of a case beside its rows. */
typedef struct cr_error_case {
    cr_word name;
    double edge, cross; /* of its last product */
} cr_error_case;

typedef struct cr_error_table {
    cr_error_row *rows; /* [capacity], those of a case and an estimate together; owned */
    int count, capacity;
    cr_error_case *cases; /* [case_count]; owned */
    int case_count;
} cr_error_table;

/* Write error.csv, error.json and error.gp, and print the table. Not collective. */
cr_status cr_error_report(const cr_error_table *table, const cr_error_options *options,
                          const char *folder);

#endif
