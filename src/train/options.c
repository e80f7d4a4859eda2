/* options: the sections of a config file, and what of them does not go together. */
#include "train.h"

#include <string.h>

static const char *const levels[] = {"error", "warn", "info", "debug", NULL};

static const char *const *level_names(void)
{
    return levels;
}

#define INT_MOST 2147483647.0
#define COUNT_MOST 9e15 /* exact in a double */

static const cr_option run_table[] = {
    {.name = "batch",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_run_options, batch),
     .fallback = "128",
     .low = 1,
     .high = 1 << 24,
     .help = "samples of a step, all ranks together"},
    {.name = "batch_schedule",
     .kind = CR_OPTION_RATIOS,
     .offset = offsetof(cr_run_options, batch_schedule),
     .fallback = "{}",
     .low = 1,
     .high = 1 << 24,
     .help = "epoch: what batch is from then on"},
    {.name = "micro_batch",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_run_options, micro_batch),
     .fallback = "0",
     .low = 0,
     .high = 1 << 24,
     .help = "samples a rank works on at once; the unit of sums and picks; 0: batch / ranks"},
    {.name = "recompute",
     .kind = CR_OPTION_BOOL,
     .offset = offsetof(cr_run_options, recompute),
     .fallback = "false",
     .help = "true: what follows a batch norm is not kept for the backward pass but worked out "
             "again, and prepared weights share a place: the same bits from less memory"},
    {.name = "epochs",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_run_options, epochs),
     .fallback = "0",
     .low = 0,
     .high = INT_MOST,
     .help = "passes over the training set; 0: as many as `steps` need"},
    {.name = "steps",
     .kind = CR_OPTION_COUNT,
     .offset = offsetof(cr_run_options, steps),
     .fallback = "0",
     .low = 0,
     .high = 4e9,
     .help = "updates; 0: as many as `epochs` need"},
    {.name = "check_every",
     .kind = CR_OPTION_COUNT,
     .offset = offsetof(cr_run_options, check_every),
     .fallback = "1000",
     .low = 0,
     .high = COUNT_MOST,
     .help = "updates between comparisons of the ranks' weights; 0: never"},
    {.name = "engine",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_run_options, engine),
     .fallback = "auto",
     .words = cr_engine_names,
     .help = "kernels of the contractions; auto: openblas for f32, onednn for bf16"},
    {.name = "precision",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_run_options, precision),
     .fallback = "f32",
     .words = cr_precision_names,
     .help = "of what is multiplied inside the contractions; all else is f32"},
    {.name = "threads",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_run_options, threads),
     .fallback = "0",
     .low = 0,
     .high = 4096,
     .help = "threads of a rank; 0: OMP_NUM_THREADS, or the rank's share of the cores"},
    {.name = "seed",
     .kind = CR_OPTION_COUNT,
     .offset = offsetof(cr_run_options, seed),
     .fallback = "1",
     .low = 0,
     .high = COUNT_MOST,
     .help = "of all random numbers"},
    {.name = "watchdog_seconds",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_run_options, watchdog_seconds),
     .fallback = "300",
     .low = 0,
     .high = 1e9,
     .help = "a rank that waits so long for others ends the job (exit 5), naming them; more than "
             "writing "
             "a checkpoint takes; 0: never"},
    {.name = NULL},
};

static const cr_option checkpoint_table[] = {
    {.name = "every_steps",
     .kind = CR_OPTION_COUNT,
     .offset = offsetof(cr_checkpoint_options, every_steps),
     .fallback = "1000",
     .low = 0,
     .high = COUNT_MOST,
     .help = "updates between checkpoints; 0: none by steps"},
    {.name = "every_minutes",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_checkpoint_options, every_minutes),
     .fallback = "0",
     .low = 0,
     .high = 1e6,
     .help = "minutes between checkpoints; 0: none by time"},
    {.name = "keep",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_checkpoint_options, keep),
     .fallback = "3",
     .low = 0,
     .high = INT_MOST,
     .help = "newest files kept; 0: all"},
    {.name = "stop_minutes",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_checkpoint_options, stop_minutes),
     .fallback = "0",
     .low = 0,
     .high = 1e6,
     .help = "save and stop (exit 7) after so many minutes; 0: never"},
    {.name = NULL},
};

static const cr_option evaluate_table[] = {
    {.name = "every_epochs",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_evaluate_options, every_epochs),
     .fallback = "1",
     .low = 0,
     .high = INT_MOST,
     .help = "epochs between evaluations; 0: never"},
    {.name = "recalibrate_batches",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_evaluate_options, recalibrate_batches),
     .fallback = "0",
     .low = 0,
     .high = INT_MOST,
     .help = "micro-batches of training data that batch norm's statistics are taken from, exactly, "
             "for an evaluation; 0: the running ones"},
    {.name = "streams",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_evaluate_options, streams),
     .fallback = "1",
     .low = 1,
     .high = 1 << 24,
     .help = "streams that a text is cut into for an evaluation, which begin from nothing and are "
             "read side by side; 1: it is read from its beginning to its end"},
    {.name = NULL},
};

static const cr_option log_table[] = {
    {.name = "every_steps",
     .kind = CR_OPTION_COUNT,
     .offset = offsetof(cr_log_options, every_steps),
     .fallback = "100",
     .low = 1,
     .high = COUNT_MOST,
     .help = "updates between lines of metrics.jsonl"},
    {.name = "level",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_log_options, level),
     .fallback = "info",
     .words = level_names,
     .help = "what is printed"},
    {.name = NULL},
};

#define AT(field) offsetof(cr_run_options, field)

static const cr_section sections[] = {
    {.name = "network",
     .options = cr_net_option_table,
     .offset = AT(network),
     .selector = "model",
     .variant = cr_model_options,
     .variant_offset = AT(network.parameters)},
    {.name = "network.batch_norm",
     .options = cr_batch_norm_option_table,
     .offset = AT(dist.batch_norm)},
    {.name = "data",
     .options = cr_data_option_table,
     .offset = AT(data),
     .selector = "kind",
     .variant = cr_data_set_options,
     .variant_offset = AT(data.parameters)},
    {.name = "data.augment", .options = cr_augment_option_table, .offset = AT(data.augment)},
    {.name = "", .options = run_table, .offset = 0},
    {.name = "", .options = cr_dist_option_table, .offset = AT(dist)},
    {.name = "optimizer",
     .options = cr_optim_option_table,
     .offset = AT(optimizer),
     .selector = "rule",
     .variant = cr_optim_rule_options,
     .variant_offset = AT(optimizer.parameters)},
    {.name = "learning_rate", .options = cr_rate_option_table, .offset = AT(learning_rate)},
    {.name = "sampling", .options = cr_sample_option_table, .offset = AT(sampling)},
    {.name = "sampling.backward",
     .options = cr_backward_option_table,
     .offset = AT(sampling.backward)},
    {.name = "checkpoint", .options = checkpoint_table, .offset = AT(checkpoint)},
    {.name = "evaluate", .options = evaluate_table, .offset = AT(evaluate)},
    {.name = "log", .options = log_table, .offset = AT(log)},
    {.name = NULL},
};

static cr_status check(const cr_run_options *options)
{
    CR_TRY(cr_sample_check(&options->sampling));
    CR_TRY(cr_optim_check(&options->optimizer));
    CR_TRY(cr_rate_check(&options->learning_rate));
    CR_TRY(cr_course_check(options));
    CR_TRY(cr_dist_check(&options->dist, &options->sampling));
    CR_CHECK(options->epochs > 0 || options->steps > 0, CR_BAD_CONFIG,
             "epochs: expected epochs or steps above 0, found neither");
    CR_CHECK(options->epochs == 0 || options->steps == 0, CR_BAD_CONFIG,
             "steps: expected either epochs or steps, found both (%d and %lld)", options->epochs,
             (long long)options->steps);
    CR_CHECK(options->micro_batch <= options->batch, CR_BAD_CONFIG,
             "micro_batch: expected at most the batch, %d, found %d", options->batch,
             options->micro_batch);
    CR_CHECK(!options->dist.deterministic || options->micro_batch > 0, CR_BAD_CONFIG,
             "micro_batch: deterministic runs need it: it fixes the cut of a batch whatever the "
             "number of ranks");
    return CR_OK;
}

cr_status cr_options_load(cr_run_options *options, const char *path, const char *const *overrides,
                          int count)
{
    cr_config *config = NULL;
    CR_TRY(cr_config_load(&config, path, overrides, count));
    cr_status status = cr_options_bind(options, config, path);
    cr_config_free(&config);
    return status;
}

cr_status cr_options_parse(cr_run_options *options, const char *text, const char *name,
                           const char *const *overrides, int count)
{
    cr_config *config = NULL;
    CR_TRY(cr_config_parse(&config, text, strlen(text), name, overrides, count));
    cr_status status = cr_options_bind(options, config, name);
    cr_config_free(&config);
    return status;
}

cr_status cr_options_bind(cr_run_options *options, const cr_config *config, const char *name)
{
    CR_TRY(cr_config_bind(config, sections, options));
    cr_status status = check(options);
    return status == CR_OK ? CR_OK : cr_fail_prefix(status, "%s", name);
}

cr_status cr_options_format(char **text, const cr_run_options *options)
{
    return cr_config_format(text, sections, options);
}

cr_status cr_options_describe(char **text)
{
    return cr_config_describe(text, sections);
}

static int pieces(int whole, int piece)
{
    return (whole + piece - 1) / piece;
}

/* Of one micro-batch a rank; or smaller ones where rounding up would leave a rank without. */
static int choose_micro_batch(int batch, int ranks)
{
    int size = pieces(batch, ranks);
    return pieces(batch, size) == ranks ? size : batch / ranks;
}

cr_status cr_options_settle(cr_run_options *options, int ranks)
{
    int fitting = options->batch / ranks;
    CR_CHECK(fitting >= 1, CR_BAD_CONFIG,
             "batch: expected at least one sample for each of %d ranks, found %d; batch %d, or at "
             "most %d ranks, would do",
             ranks, options->batch, ranks, options->batch);
    if (options->micro_batch == 0)
        options->micro_batch = choose_micro_batch(options->batch, ranks);
    int micro_batches = pieces(options->batch, options->micro_batch);
    CR_CHECK(micro_batches >= ranks, CR_BAD_CONFIG,
             "micro_batch: a batch of %d in micro-batches of %d makes %d of them, too few for %d "
             "ranks; micro_batch %d would do, or at most %d ranks",
             options->batch, options->micro_batch, micro_batches, ranks, fitting, micro_batches);
    bool text = cr_data_set_find(options->data.kind)->text;
    CR_CHECK(!text || options->batch_schedule.count == 0, CR_BAD_CONFIG,
             "batch_schedule: expected none with a text (data.kind: %s), which is cut into as many "
             "streams as `batch` has samples",
             options->data.kind);
    if (text)
        options->data.shuffle = false; /* what a stream carries fits its next window alone */
    options->one_each = pieces(cr_course_largest(options), options->micro_batch) <= ranks;
    return cr_course_settle(options, ranks);
}

cr_status cr_options_wanted(cr_data_wanted *wanted, const cr_run_options *options)
{
    const cr_model *model = cr_model_find(options->network.model);
    cr_shape input = {0};
    int classes = 0;
    CR_TRY(model->wants(options->network.parameters, &input, &classes));
    *wanted = (cr_data_wanted){.h = input.h,
                               .w = input.w,
                               .c = input.c,
                               .classes = classes,
                               .streams = options->batch,
                               .evaluation = options->evaluate.streams};
    return CR_OK;
}
