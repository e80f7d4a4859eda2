/* model: measured cells as observations, and what the fitted model says of them. */
#ifndef SCALING_MODEL_H
#define SCALING_MODEL_H

#include "colrow/scaling.h"

/* What the model knows of one ratio. */
typedef struct cr_model_series {
    cr_pattern_plan plan; /* cell: of the fewest ranks, the pace of all others; samples are open */
    cr_net *net;          /* of the plan; owned */
} cr_model_series;

typedef struct cr_scaling_fit {
    const cr_scaling *scaling;
    cr_model_series *series; /* [series_count], owned */
    int series_count;
    cr_observation *all; /* [scaling->count] of each cell; owned */
    double *unseen;      /* [scaling->count] s, of the model fitted without the cell; owned */
    int many;            /* cells of more than one rank */
    cr_network fitted;   /* where many > 0 */
    cr_network network;  /* to predict with */
    bool predicts;       /* is it known? */
    int most;            /* ranks to predict for */
} cr_scaling_fit;

/* The pattern of a rank of a series that takes so many samples. */
cr_status cr_series_pattern(cr_pattern *out, const cr_model_series *series, double samples);

/* Write model.csv and pictures. */
cr_status cr_model_predict(const cr_scaling_fit *fit, const char *folder);

#endif
