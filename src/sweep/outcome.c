/* outcome: the results of a sweep's runs, grouped by what they have in common besides the seed. */
#include "outcome.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

/* Mean, and its standard error sqrt(sum (v - mean)^2 / (n - 1) / n). */
cr_mean cr_mean_of(const double *values, int count)
{
    cr_mean result = {.mean = NAN, .error = NAN};
    double sum = 0, squares = 0;
    for (int i = 0; i < count; i++)
        if (isfinite(values[i])) {
            sum += values[i];
            result.count++;
        }
    if (result.count == 0)
        return result;
    result.mean = sum / result.count;
    for (int i = 0; i < count; i++)
        if (isfinite(values[i]))
            squares += (values[i] - result.mean) * (values[i] - result.mean);
    if (result.count > 1)
        result.error = sqrt(squares / (result.count - 1) / result.count);
    return result;
}

bool cr_axis_is_seed(const char *axis)
{
    return strcmp(axis, "seed") == 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

static cr_status read_record(cr_record *record, const char *folder)
{
    char path[CR_PATH_MAX];
    for (int f = 0; f < CR_FIGURES; f++)
        record->figures[f] = NAN;
    CR_TRY(cr_path_join(path, folder, "metrics.jsonl"));
    return access(path, F_OK) == 0 ? cr_record_read(record, folder) : CR_OK;
}

static cr_status read_outcome(cr_outcome *out, const cr_sweep *sweep, const cr_sweep_run *run,
                              const char *folder)
{
    char path[CR_PATH_MAX];
    cr_run_options options;
    out->run = run;
    CR_TRY(cr_sweep_options(&options, sweep, run));
    out->ratio = options.sampling.ratio;
    CR_TRY(cr_path_join(path, folder, run->name));
    cr_sweep_failure(out->failure, sizeof out->failure, path);
    return read_record(&out->record, path);
}

/* ---- groups ---------------------------------------------------------------------------------- */

void cr_outcome_label(char out[CR_RUN_NAME_MAX], const cr_outcome *outcome)
{
    const char *const seed[] = {"seed", NULL};
    cr_sweep_label(out, outcome->run, seed);
}

static void find_group(cr_outcomes *all, cr_outcome *outcome)
{
    char own[CR_RUN_NAME_MAX];
    char other[CR_RUN_NAME_MAX];
    cr_outcome_label(own, outcome);
    for (outcome->group = 0; outcome->group < all->group_count; outcome->group++) {
        cr_outcome_label(other, &all->all[all->first[outcome->group]]);
        if (strcmp(own, other) == 0)
            return;
    }
    all->first[all->group_count++] = (int)(outcome - all->all);
}

static void add_axis(cr_outcomes *all, const char *name)
{
    for (int i = 0; i < all->axis_count; i++)
        if (strcmp(all->axes[i], name) == 0)
            return;
    all->axes[all->axis_count++] = name;
}

static void list_axes(cr_outcomes *all)
{
    for (int p = 0; p < all->sweep->grid_count; p++)
        for (int a = 0; a < all->sweep->grids[p].count; a++)
            add_axis(all, all->sweep->grids[p].axes[a].name);
}

static cr_status read_all(cr_outcomes *out, const cr_sweep *sweep, const char *folder)
{
    size_t runs = (size_t)sweep->run_count;
    CR_TRY(cr_alloc((void **)&out->all, runs * sizeof *out->all));
    CR_TRY(cr_alloc((void **)&out->first, runs * sizeof *out->first));
    list_axes(out);
    for (int i = 0; i < sweep->run_count; i++) {
        CR_TRY(read_outcome(&out->all[i], sweep, &sweep->runs[i], folder));
        out->count++;
        find_group(out, &out->all[i]);
    }
    return CR_OK;
}

cr_status cr_outcomes_read(cr_outcomes *out, const cr_sweep *sweep, const char *folder)
{
    *out = (cr_outcomes){.sweep = sweep};
    cr_status status = read_all(out, sweep, folder);
    if (status != CR_OK)
        cr_outcomes_free(out);
    return status;
}

void cr_outcomes_free(cr_outcomes *outcomes)
{
    for (int i = 0; i < outcomes->count; i++)
        cr_record_free(&outcomes->all[i].record);
    CR_FREE(outcomes->all);
    CR_FREE(outcomes->first);
    outcomes->count = outcomes->group_count = 0;
}

/* ---- means ----------------------------------------------------------------------------------- */

cr_mean cr_outcomes_mean(const cr_outcomes *outcomes, int group, cr_figure figure)
{
    double values[CR_LIST_MAX]; /* an axis, so the seed's, has no more choices */
    int count = 0;
    for (int i = 0; i < outcomes->count && count < CR_LIST_MAX; i++)
        if (outcomes->all[i].group == group)
            values[count++] = outcomes->all[i].record.figures[figure];
    return cr_mean_of(values, count);
}

bool cr_outcomes_have(const cr_outcomes *outcomes, cr_figure figure)
{
    for (int g = 0; g < outcomes->group_count; g++)
        if (cr_outcomes_mean(outcomes, g, figure).count > 0)
            return true;
    return false;
}
