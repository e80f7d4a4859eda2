/*
 * draw: the pictures of a sweep. Error against ratio and accuracy against what was saved have a
 * curve for all ratios of a setting; learning curves have one for each group, averaged over seeds.
 * Runs on texts have perplexities in place of both.
 */
#include "outcome.h"

#include <math.h>

static const char ratio_axis[] = "sampling.ratio";

/* What runs are judged by. */
typedef struct verdict {
    cr_figure test, valid;
    double scale; /* of the figures in pictures */
    double (*at)(const cr_record *record, int mark);
} verdict;

static const verdict accuracy = {CR_FIGURE_TEST, CR_FIGURE_VALID, 100, cr_record_error};
static const verdict perplexity = {CR_FIGURE_TEST_PERPLEXITY, CR_FIGURE_VALID_PERPLEXITY, 1,
                                   cr_record_perplexity};

typedef struct drawing drawing;

struct drawing {
    const char *name, *title, *x, *y;
    const verdict *verdict;
    cr_figure figure; /* on the x axis, where `add` takes one */
    bool by_group;    /* a point a group, for which the group must have a result */
    cr_status (*add)(cr_picture *picture, const cr_outcomes *all, int group, const drawing *d);
};

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

/* The result of a group: on the test set, or where it has none, on the validation set. */
static cr_mean result_of(const cr_outcomes *all, int group, const verdict *v)
{
    cr_mean mean = cr_outcomes_mean(all, group, v->test);
    if (mean.count == 0)
        mean = cr_outcomes_mean(all, group, v->valid);
    return (cr_mean){mean.count, v->scale * mean.mean, v->scale * mean.error};
}

/* ---- one point a group ----------------------------------------------------------------------- */

/* At a ratio; exact training that is no end of a series is a level to compare with. */
static cr_status add_at_ratio(cr_picture *picture, const cr_outcomes *all, int group, double y,
                              double error)
{
    char series[CR_RUN_NAME_MAX];
    const cr_outcome *outcome = &all->all[all->first[group]];
    bool alone = cr_sweep_choice(outcome->run, ratio_axis)[0] == '\0';
    series_of(series, outcome);
    return cr_picture_add(picture, series,
                          alone && outcome->ratio == 1 ? NAN : 100 * outcome->ratio, y, error);
}

static cr_status add_ratio(cr_picture *picture, const cr_outcomes *all, int group, const drawing *d)
{
    cr_mean mean = result_of(all, group, d->verdict);
    return add_at_ratio(picture, all, group, mean.mean, mean.error);
}

static cr_status add_error(cr_picture *picture, const cr_outcomes *all, int group, const drawing *d)
{
    cr_mean mean = result_of(all, group, d->verdict);
    return add_at_ratio(picture, all, group, 100 - mean.mean, mean.error);
}

static cr_status add_against(cr_picture *picture, const cr_outcomes *all, int group,
                             const drawing *d)
{
    char series[CR_RUN_NAME_MAX];
    cr_mean mean = result_of(all, group, d->verdict);
    double x = cr_figure_table[d->figure].scale * cr_outcomes_mean(all, group, d->figure).mean;
    series_of(series, &all->all[all->first[group]]);
    return cr_picture_add(picture, series, x, mean.mean, mean.error);
}

/* ---- learning curves ------------------------------------------------------------------------- */

/* What a run came to at the evaluation after `step`; NaN when there is none. */
static double value_at(const cr_record *record, double step, const verdict *v, double *seconds)
{
    for (int m = 0; m < record->count; m++) {
        double value = v->at(record, m);
        if (record->marks[m].step != step || !isfinite(value))
            continue;
        *seconds = record->marks[m].seconds;
        return value;
    }
    return NAN;
}

/* Mean over the group's runs at one evaluation of its first. */
static cr_status add_mark(cr_picture *picture, const cr_outcomes *all, int group, const cr_mark *at,
                          const drawing *d)
{
    char series[CR_RUN_NAME_MAX];
    double values[CR_LIST_MAX];
    double seconds[CR_LIST_MAX];
    int count = 0;
    for (int i = 0; i < all->count && count < CR_LIST_MAX; i++) {
        if (all->all[i].group != group)
            continue;
        seconds[count] = NAN;
        values[count] = value_at(&all->all[i].record, at->step, d->verdict, &seconds[count]);
        count++;
    }
    cr_mean mean = cr_mean_of(values, count);
    double x = d->figure == CR_FIGURE_SECONDS ? cr_mean_of(seconds, count).mean : at->epoch;
    if (mean.count == 0 || !isfinite(x))
        return CR_OK;
    cr_outcome_label(series, &all->all[all->first[group]]);
    name_alone(series);
    return cr_picture_add(picture, series, x, mean.mean, mean.error);
}

static cr_status add_curve(cr_picture *picture, const cr_outcomes *all, int group, const drawing *d)
{
    const cr_record *first = &all->all[all->first[group]].record;
    for (int m = 0; m < first->count; m++)
        if (isfinite(d->verdict->at(first, m)))
            CR_TRY(add_mark(picture, all, group, &first->marks[m], d));
    return CR_OK;
}

/* ---- all ------------------------------------------------------------------------------------- */

static const drawing drawings[] = {
    {"error-ratio", "Error against the ratio kept", "kept, %", "error, %", &accuracy, CR_FIGURES,
     true, add_error},
    {"accuracy-reduction", "Accuracy against multiply-accumulates saved", "reduction, %",
     "accuracy, %", &accuracy, CR_FIGURE_PAPER, true, add_against},
    {"accuracy-seconds", "Accuracy against time", "training, s", "accuracy, %", &accuracy,
     CR_FIGURE_SECONDS, true, add_against},
    {"curves-epoch", "Learning curves", "epoch", "error, %", &accuracy, CR_FIGURES, false,
     add_curve},
    {"curves-seconds", "Learning curves", "training, s", "error, %", &accuracy, CR_FIGURE_SECONDS,
     false, add_curve},
    {"perplexity-ratio", "Perplexity against the ratio kept", "kept, %", "perplexity", &perplexity,
     CR_FIGURES, true, add_ratio},
    {"perplexity-reduction", "Perplexity against multiply-accumulates saved", "reduction, %",
     "perplexity", &perplexity, CR_FIGURE_PAPER, true, add_against},
    {"perplexity-seconds", "Perplexity against time", "training, s", "perplexity", &perplexity,
     CR_FIGURE_SECONDS, true, add_against},
    {"curves-perplexity-epoch", "Learning curves", "epoch", "perplexity", &perplexity, CR_FIGURES,
     false, add_curve},
    {"curves-perplexity-seconds", "Learning curves", "training, s", "perplexity", &perplexity,
     CR_FIGURE_SECONDS, false, add_curve},
};

static cr_status draw(const drawing *d, const cr_outcomes *all, const char *folder)
{
    cr_status status = CR_OK;
    cr_picture picture = {.name = d->name, .title = d->title, .x = d->x, .y = d->y};
    for (int g = 0; g < all->group_count; g++)
        if (!d->by_group || result_of(all, g, d->verdict).count > 0)
            CR_TRY_GOTO(d->add(&picture, all, g, d));
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
