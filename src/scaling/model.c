/*
 * model: a network's latency and bandwidth from all cells of more than one rank; how far off the
 * model is on cells that it was not fitted to (each left out in turn); then other numbers of ranks.
 * The pace of computing comes from the cell of the fewest ranks of each ratio alone.
 */
#include "model.h"

#include <math.h>
#include <string.h>

#include "colrow/train.h"

const cr_option cr_scaling_option_table[] = {
    {.name = "latency",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_scaling_options, latency),
     .fallback = "0",
     .low = 0,
     .high = 1e6,
     .help = "us a message of the network to predict for; 0: as fitted"},
    {.name = "bandwidth",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_scaling_options, bandwidth),
     .fallback = "0",
     .low = 0,
     .high = 1e5,
     .help = "Gbit/s of a rank's link of that network; 0: as fitted"},
    {.name = "ranks",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_scaling_options, ranks),
     .fallback = "4096",
     .low = 1,
     .high = 1 << 20,
     .help = "predict up to so many ranks"},
    {.name = NULL},
};

/* ---- series ---------------------------------------------------------------------------------- */

/* Is it a way to train whose messages the model knows? */
static cr_status check(const cr_dist_options *options)
{
    static const char *const known[] = {"root", "weights", "stale", NULL};
    bool found = false;
    for (int i = 0; known[i] != NULL; i++)
        found = found || strcmp(options->agreement, known[i]) == 0;
    CR_CHECK(found, CR_BAD_CONFIG, "agreement: expected root, weights or stale, found %s",
             options->agreement);
    CR_CHECK(!options->deterministic, CR_BAD_CONFIG,
             "deterministic: expected sums that scatter and gather, found true");
    return CR_OK;
}

static cr_status make_series(cr_model_series *out, const cr_scaling_cell *cell)
{
    char path[CR_PATH_MAX];
    cr_run_options options;
    memset(&options, 0, sizeof options);
    CR_TRY(cr_path_join(path, cell->folder, "config.yaml"));
    CR_TRY(cr_options_load(&options, path, NULL, 0));
    CR_TRY(cr_options_settle(&options, cell->ranks));
    CR_TRY(check(&options.dist));
    CR_TRY(cr_options_net(&out->net, &options));
    out->plan = (cr_pattern_plan){.net = out->net,
                                  .cell = cell,
                                  .micro_batch = options.micro_batch,
                                  .bucket_bytes = options.dist.bucket_bytes,
                                  .float_bytes = strcmp(options.dist.wire, "bf16") == 0 ? 2 : 4,
                                  .overlaps = options.dist.overlap,
                                  .agrees = strcmp(options.dist.agreement, "root") == 0};
    return CR_OK;
}

/* Cells are sorted by ratio, and then by ranks. */
static cr_status make_all_series(cr_scaling_fit *fit)
{
    const cr_scaling *scaling = fit->scaling;
    CR_TRY(cr_alloc((void **)&fit->series, (size_t)scaling->count * sizeof *fit->series));
    for (int i = 0; i < scaling->count; i++) {
        const cr_scaling_cell *cell = &scaling->cells[i];
        if (i > 0 && cell->ratio == cell[-1].ratio)
            continue;
        CR_TRY(make_series(&fit->series[fit->series_count], cell));
        fit->series_count++;
    }
    return CR_OK;
}

cr_status cr_series_pattern(cr_pattern *out, const cr_model_series *series, double samples)
{
    cr_pattern_plan plan = series->plan;
    plan.samples = samples;
    return cr_pattern_make(out, &plan);
}

static const cr_model_series *series_of(const cr_scaling_fit *fit, const cr_scaling_cell *cell)
{
    int s = 0;
    while (fit->series[s].plan.cell->ratio != cell->ratio)
        s++;
    return &fit->series[s];
}

/* ---- the fit --------------------------------------------------------------------------------- */

static cr_status observe(cr_scaling_fit *fit)
{
    size_t cells = (size_t)fit->scaling->count;
    CR_TRY(cr_alloc((void **)&fit->all, cells * sizeof *fit->all));
    CR_TRY(cr_alloc((void **)&fit->unseen, cells * sizeof *fit->unseen));
    for (int i = 0; i < fit->scaling->count; i++) {
        const cr_scaling_cell *cell = &fit->scaling->cells[i];
        cr_observation *one = &fit->all[i];
        CR_TRY(cr_series_pattern(&one->pattern, series_of(fit, cell),
                                 (double)cell->batch / cell->ranks));
        one->ranks = cell->ranks;
        one->seconds = 1e-3 * cell->step_ms;
        fit->many += cell->ranks > 1;
    }
    return CR_OK;
}

/* Each cell of more ranks by a model that has not seen it, where two others are left to fit to. */
static void predict_unseen(cr_scaling_fit *fit)
{
    for (int i = 0; i < fit->scaling->count; i++) {
        fit->unseen[i] = NAN;
        if (fit->all[i].ranks == 1 || fit->many < 3)
            continue;
        cr_network without = cr_network_fit(fit->all, fit->scaling->count, i);
        fit->unseen[i] = cr_pattern_time(&fit->all[i].pattern, &without, fit->all[i].ranks).step;
    }
}

static void find_network(cr_scaling_fit *fit, const cr_scaling_options *options)
{
    bool given = options->latency > 0 && options->bandwidth > 0;
    if (fit->many > 0)
        fit->network = fit->fitted = cr_network_fit(fit->all, fit->scaling->count, -1);
    if (options->latency > 0)
        fit->network.latency = 1e-6 * options->latency;
    if (options->bandwidth > 0)
        fit->network.byte_time = 8e-9 / options->bandwidth;
    fit->predicts = given || fit->many > 0;
    fit->most = options->ranks;
}

/* ---- files ----------------------------------------------------------------------------------- */

static void print_cell(FILE *file, const cr_scaling_fit *fit, int i)
{
    const cr_scaling_cell *cell = &fit->scaling->cells[i];
    const cr_observation *one = &fit->all[i];
    double model = cr_pattern_time(&one->pattern, &fit->fitted, one->ranks).step;
    (void)fprintf(file, "| %g | %d | %d | %.2f | %.2f | %+.1f ", cell->ratio, cell->ranks,
                  cell->batch, cell->step_ms, 1e3 * model, 100 * (model / one->seconds - 1));
    if (isfinite(fit->unseen[i]))
        (void)fprintf(file, "| %.2f | %+.1f |\n", 1e3 * fit->unseen[i],
                      100 * (fit->unseen[i] / one->seconds - 1));
    else
        (void)fputs("| | |\n", file);
}

static double gigabits(const cr_network *network)
{
    return 8e-9 / network->byte_time;
}

static void print_model(FILE *file, const void *what)
{
    const cr_scaling_fit *fit = what;
    (void)fprintf(
        file,
        "# Model of a step\n\nComputing at the pace of the fewest ranks; a message of m "
        "bytes takes latency + m / bandwidth;\nsums overlap with the backward pass, one "
        "after another.\n\nFitted: latency %.3g us, bandwidth %.3g Gbit/s.\n\n"
        "| kept | ranks | batch | measured, ms | model, ms | off, %% | fitted without it, "
        "ms | off, %% |\n|---|---|---|---|---|---|---|---|\n",
        1e6 * fit->fitted.latency, gigabits(&fit->fitted));
    for (int i = 0; i < fit->scaling->count; i++)
        print_cell(file, fit, i);
}

static cr_status write_patterns(const cr_scaling_fit *fit, const char *folder)
{
    for (int s = 0; s < fit->series_count; s++) {
        const cr_model_series *series = &fit->series[s];
        char name[CR_WORD_MAX];
        char path[CR_PATH_MAX];
        cr_pattern pattern = {.events = NULL};
        (void)snprintf(name, sizeof name, "pattern-%g.txt", series->plan.cell->ratio);
        CR_TRY(cr_path_join(path, folder, name));
        CR_TRY(cr_series_pattern(&pattern, series,
                                 (double)series->plan.cell->batch / series->plan.cell->ranks));
        cr_status status = cr_pattern_write(&pattern, path);
        cr_pattern_free(&pattern);
        CR_TRY(status);
    }
    return CR_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Largest of the errors on unseen cells, and their mean size, as fractions; returns how many. */
static int unseen_error(const cr_scaling_fit *fit, double *mean, double *worst)
{
    int count = 0;
    *mean = *worst = 0;
    for (int i = 0; i < fit->scaling->count; i++) {
        double error = fabs(fit->unseen[i] / fit->all[i].seconds - 1);
        if (!isfinite(error))
            continue;
        *mean += error;
        *worst = error > *worst ? error : *worst;
        count++;
    }
    *mean = count > 0 ? *mean / count : NAN;
    return count;
}

static void tell(const cr_scaling_fit *fit)
{
    double mean = 0, worst = 0;
    int count = unseen_error(fit, &mean, &worst);
    if (count > 0)
        cr_log_info(
            "model: latency %.3g us, bandwidth %.3g Gbit/s; off by %.1f%% on average, %.1f%% "
            "at most, on %d settings left out of the fit",
            1e6 * fit->fitted.latency, gigabits(&fit->fitted), 100 * mean, 100 * worst, count);
    else
        cr_log_info("model: fewer than three settings of more than one rank, so its error is not "
                    "known");
}

static cr_status fit_and_write(cr_scaling_fit *fit, const cr_scaling_options *options,
                               const char *folder)
{
    char path[CR_PATH_MAX];
    CR_TRY(make_all_series(fit));
    CR_TRY(observe(fit));
    find_network(fit, options);
    CR_TRY(write_patterns(fit, folder));
    if (fit->many > 0) {
        predict_unseen(fit);
        tell(fit);
        CR_TRY(cr_path_join(path, folder, "model.md"));
        CR_TRY(cr_file_print(path, print_model, fit));
    }
    return fit->predicts ? cr_model_predict(fit, folder) : CR_OK;
}

static void release(cr_scaling_fit *fit)
{
    for (int s = 0; s < fit->series_count; s++)
        cr_net_free(&fit->series[s].net);
    for (int i = 0; fit->all != NULL && i < fit->scaling->count; i++)
        cr_pattern_free(&fit->all[i].pattern);
    CR_FREE(fit->series);
    CR_FREE(fit->all);
    CR_FREE(fit->unseen);
}

cr_status cr_scaling_model(const cr_scaling *scaling, const cr_scaling_options *options,
                           const char *folder)
{
    cr_scaling_fit fit = {.scaling = scaling};
    cr_status status = fit_and_write(&fit, options, folder);
    release(&fit);
    if (status == CR_BAD_CONFIG || status == CR_BAD_DATA) { /* of a network that is not here */
        cr_log_warn("no model: %s", cr_error_message());
        status = CR_OK;
    }
    return status;
}
