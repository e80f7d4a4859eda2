/*
 * draw: the pictures of a sweep. Error against ratio and accuracy against what was saved have a
 * curve for all ratios of a setting; learning curves have one for each group, averaged over seeds.
 */
#include "outcome.h"

#include <math.h>

static const char ratio_axis[] = "sampling.ratio";

/* A curve's name; where nothing varies there is but one. */
static void name_alone(char name[CR_RUN_NAME_MAX])
{
    if (name[0] == '\0')
        (void)snprintf(name, CR_RUN_NAME_MAX, "runs");
}

/* What the runs of a group have in common besides the ratio. */
static void series_of(char out[CR_RUN_NAME_MAX], const cr_outcome *outcome)
{
    const char *const free_axes[] = {"seed", ratio_axis, NULL};
    cr_sweep_label(out, outcome->run, free_axes);
    name_alone(out);
}

/* Accuracy of a group, in %: on the test set, or where it has none, on the validation set. */
static cr_mean accuracy(const cr_outcomes *all, int group)
{
    cr_mean mean = cr_outcomes_mean(all, group, CR_FIGURE_TEST);
    if (mean.count == 0)
        mean = cr_outcomes_mean(all, group, CR_FIGURE_VALID);
    return (cr_mean){mean.count, 100 * mean.mean, 100 * mean.error};
}

/* ---- one point a group ----------------------------------------------------------------------- */

/* Error at a ratio; exact training that is no end of a series is a level to compare with. */
static cr_status add_error(cr_picture *picture, const cr_outcomes *all, int group)
{
    char series[CR_RUN_NAME_MAX];
    const cr_outcome *outcome = &all->all[all->first[group]];
    cr_mean mean = accuracy(all, group);
    bool alone = cr_sweep_choice(outcome->run, ratio_axis)[0] == '\0';
    series_of(series, outcome);
    return cr_picture_add(picture, series,
                          alone && outcome->ratio == 1 ? NAN : 100 * outcome->ratio,
                          100 - mean.mean, mean.error);
}

static cr_status add_against(cr_picture *picture, const cr_outcomes *all, int group, cr_figure x)
{
    char series[CR_RUN_NAME_MAX];
    cr_mean mean = accuracy(all, group);
    series_of(series, &all->all[all->first[group]]);
    return cr_picture_add(picture, series,
                          cr_figure_table[x].scale * cr_outcomes_mean(all, group, x).mean,
                          mean.mean, mean.error);
}

static cr_status add_reduction(cr_picture *picture, const cr_outcomes *all, int group)
{
    return add_against(picture, all, group, CR_FIGURE_PAPER);
}

static cr_status add_seconds(cr_picture *picture, const cr_outcomes *all, int group)
{
    return add_against(picture, all, group, CR_FIGURE_SECONDS);
}

/* ---- learning curves ------------------------------------------------------------------------- */

/* The error of a run at the evaluation after `step`; NaN when there is none. */
static double error_at(const cr_record *record, double step, double *seconds)
{
    for (int m = 0; m < record->count; m++) {
        double error = cr_record_error(record, m);
        if (record->marks[m].step != step || !isfinite(error))
            continue;
        *seconds = record->marks[m].seconds;
        return error;
    }
    return NAN;
}

/* Mean over the group's runs at one evaluation of its first. */
static cr_status add_mark(cr_picture *picture, const cr_outcomes *all, int group, const cr_mark *at,
                          bool by_seconds)
{
    char series[CR_RUN_NAME_MAX];
    double errors[CR_LIST_MAX];
    double seconds[CR_LIST_MAX];
    int count = 0;
    for (int i = 0; i < all->count && count < CR_LIST_MAX; i++) {
        if (all->all[i].group != group)
            continue;
        seconds[count] = NAN;
        errors[count] = error_at(&all->all[i].record, at->step, &seconds[count]);
        count++;
    }
    cr_mean mean = cr_mean_of(errors, count);
    double x = by_seconds ? cr_mean_of(seconds, count).mean : at->epoch;
    if (mean.count == 0 || !isfinite(x))
        return CR_OK;
    cr_outcome_label(series, &all->all[all->first[group]]);
    name_alone(series);
    return cr_picture_add(picture, series, x, mean.mean, mean.error);
}

static cr_status add_curve(cr_picture *picture, const cr_outcomes *all, int group, bool by_seconds)
{
    const cr_record *first = &all->all[all->first[group]].record;
    for (int m = 0; m < first->count; m++)
        if (isfinite(cr_record_error(first, m)))
            CR_TRY(add_mark(picture, all, group, &first->marks[m], by_seconds));
    return CR_OK;
}

static cr_status add_epochs(cr_picture *picture, const cr_outcomes *all, int group)
{
    return add_curve(picture, all, group, false);
}

static cr_status add_curve_seconds(cr_picture *picture, const cr_outcomes *all, int group)
{
    return add_curve(picture, all, group, true);
}

/* ---- all ------------------------------------------------------------------------------------- */

typedef struct drawing {
    const char *name, *title, *x, *y;
    bool by_group; /* a point a group, for which the group must have a result */
    cr_status (*add)(cr_picture *picture, const cr_outcomes *all, int group);
} drawing;

static const drawing drawings[] = {
    {"error-ratio", "Error against the ratio kept", "kept, %", "error, %", true, add_error},
    {"accuracy-reduction", "Accuracy against multiply-accumulates saved", "reduction, %",
     "accuracy, %", true, add_reduction},
    {"accuracy-seconds", "Accuracy against time", "training, s", "accuracy, %", true, add_seconds},
    {"curves-epoch", "Learning curves", "epoch", "error, %", false, add_epochs},
    {"curves-seconds", "Learning curves", "training, s", "error, %", false, add_curve_seconds},
};

static cr_status draw(const drawing *d, const cr_outcomes *all, const char *folder)
{
    cr_status status = CR_OK;
    cr_picture picture = {.name = d->name, .title = d->title, .x = d->x, .y = d->y};
    for (int g = 0; g < all->group_count; g++)
        if (!d->by_group || accuracy(all, g).count > 0)
            CR_TRY_GOTO(d->add(&picture, all, g));
    CR_TRY_GOTO(cr_picture_write(&picture, folder));
done:
    cr_picture_free(&picture);
    return status;
}

cr_status cr_outcomes_draw(const cr_outcomes *outcomes, const char *folder)
{
    for (size_t i = 0; i < sizeof drawings / sizeof *drawings; i++)
        CR_TRY(draw(&drawings[i], outcomes, folder));
    return CR_OK;
}
