/*
 * run: one finished run as scaling sees it, and whether two of them can be compared. Everything
 * must be the same but the batch, the ranks, the share kept, and what takes no time: seed, rate,
 * length, path of the data, and when there is an evaluation, a checkpoint or a line of the log.
 */
#include "run.h"

#include "colrow/train.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

/* ---- summary.json ---------------------------------------------------------------------------- */

static cr_status read_number(double *out, const json_t *object, const char *key, const char *path)
{
    const json_t *value = json_object_get(object, key);
    CR_CHECK(json_is_number(value), CR_BAD_DATA, "%s: %s: expected a number, found none", path,
             key);
    *out = json_number_value(value);
    return CR_OK;
}

static cr_status read_count(int *out, const json_t *object, const char *key, const char *path)
{
    double value = 0;
    CR_TRY(read_number(&value, object, key, path));
    CR_CHECK(value >= 1 && value <= 1e9, CR_BAD_DATA, "%s: %s: expected a count, found %g", path,
             key, value);
    *out = (int)value;
    return CR_OK;
}

static cr_status read_word(cr_word out, const json_t *object, const char *key, const char *path)
{
    const char *value = json_string_value(json_object_get(object, key));
    CR_CHECK(value != NULL, CR_BAD_DATA, "%s: %s: expected a word, found none", path, key);
    (void)snprintf(out, CR_WORD_MAX, "%s", value);
    return CR_OK;
}

/* A number that not every run has. */
static double number_or_nan(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static cr_status take_summary(cr_scaling_cell *cell, cr_identity *identity, const json_t *summary,
                              const char *path)
{
    const json_t *phases = json_object_get(summary, "phase_ms");
    CR_TRY(read_word(identity->version, summary, "version", path));
    CR_TRY(read_word(identity->engine, summary, "engine", path));
    CR_TRY(read_word(identity->numbers, summary, "precision", path));
    CR_TRY(read_count(&cell->ranks, summary, "ranks", path));
    CR_TRY(read_count(&cell->threads, summary, "threads", path));
    CR_TRY(read_number(&cell->step_ms, json_object_get(summary, "step_ms"), "median", path));
    CR_TRY(read_number(&cell->wire_bytes, summary, "wire_bytes_per_step", path));
    CR_TRY(read_number(&cell->dense_bytes, summary, "dense_bytes_per_step", path));
    for (int p = 0; p < CR_PHASES; p++)
        CR_TRY(read_number(&cell->phase_ms[p], phases, cr_phase_name((cr_phase)p), path));
    const json_t *comm = json_object_get(summary, "comm_ms");
    cell->comm_ms = number_or_nan(comm, "in_flight");
    cell->comm_wait_ms = number_or_nan(comm, "wait");
    cell->comm_lead_ms = number_or_nan(comm, "lead");
    CR_CHECK(cell->step_ms > 0, CR_BAD_DATA, "%s: step_ms: expected more than 0, found %g", path,
             cell->step_ms);
    return CR_OK;
}

static cr_status read_summary(cr_scaling_cell *cell, cr_identity *identity, const char *folder)
{
    char path[CR_PATH_MAX];
    char *text = NULL;
    size_t bytes = 0;
    json_error_t error;
    CR_TRY(cr_path_join(path, folder, "summary.json"));
    cr_status status = cr_file_read(&text, &bytes, path);
    if (status != CR_OK)
        return cr_fail_prefix(status, "%s: expected a finished run", folder);
    json_t *summary = json_loadb(text, bytes, 0, &error);
    CR_FREE(text);
    if (json_is_object(summary))
        status = take_summary(cell, identity, summary, path);
    else
        status = cr_fail(CR_BAD_DATA, __FILE__, __LINE__, "%s: expected a JSON object: %s", path,
                         summary == NULL ? error.text : "found another value");
    json_decref(summary); /* accepts NULL */
    return status;
}

/* ---- config.yaml ----------------------------------------------------------------------------- */

/* Take out what may differ. */
static void make_equal(cr_run_options *options)
{
    options->batch = options->micro_batch = options->epochs = options->threads = 0;
    options->steps = options->seed = 0;
    options->sampling.ratio = 1;
    options->data.path[0] = '\0';
    memset(&options->learning_rate, 0, sizeof options->learning_rate);
    memset(&options->checkpoint, 0, sizeof options->checkpoint);
    memset(&options->evaluate, 0, sizeof options->evaluate);
    memset(&options->log, 0, sizeof options->log);
}

static cr_status read_config(cr_scaling_cell *cell, cr_identity *identity, const char *folder)
{
    char path[CR_PATH_MAX];
    cr_run_options options;
    memset(&options, 0, sizeof options);
    CR_TRY(cr_path_join(path, folder, "config.yaml"));
    cr_status status = cr_options_load(&options, path, NULL, 0);
    if (status != CR_OK)
        return cr_fail(CR_BAD_DATA, __FILE__, __LINE__, "%s", cr_error_message());
    cell->batch = options.batch;
    cell->ratio = options.sampling.ratio;
    make_equal(&options);
    return cr_options_format(&identity->config, &options);
}

/* ---- the whole ------------------------------------------------------------------------------- */

cr_status cr_scaling_run_read(cr_scaling_cell *cell, cr_identity *identity, const char *folder)
{
    cr_identity read = {.config = NULL};
    (void)snprintf(cell->folder, sizeof cell->folder, "%s", folder);
    cell->runs = 1;
    cr_status status = read_summary(cell, &read, folder);
    if (status == CR_OK)
        status = read_config(cell, &read, folder);
    if (status == CR_OK)
        *identity = read;
    else
        cr_identity_free(&read);
    return status;
}

void cr_identity_free(cr_identity *identity)
{
    CR_FREE(identity->config);
}

static cr_status same_word(const cr_scaling_cell *first, const cr_scaling_cell *other,
                           const char *key, const char *expected, const char *found)
{
    CR_CHECK(strcmp(expected, found) == 0, CR_BAD_DATA, "%s: %s: expected %s, as in %s, found %s",
             other->folder, key, expected, first->folder, found);
    return CR_OK;
}

cr_status cr_scaling_run_compare(const cr_scaling_cell *first, const cr_identity *identity,
                                 const cr_scaling_cell *other, const cr_identity *theirs)
{
    char difference[CR_DIFFERENCE_MAX];
    CR_TRY(same_word(first, other, "version", identity->version, theirs->version));
    CR_TRY(same_word(first, other, "engine", identity->engine, theirs->engine));
    CR_TRY(same_word(first, other, "precision", identity->numbers, theirs->numbers));
    CR_CHECK(first->threads == other->threads, CR_BAD_DATA,
             "%s: threads: expected %d, as in %s, found %d", other->folder, first->threads,
             first->folder, other->threads);
    if (strcmp(identity->config, theirs->config) == 0)
        return CR_OK;
    CR_TRY(cr_config_difference(difference, identity->config, theirs->config));
    return cr_fail(CR_BAD_DATA, __FILE__, __LINE__,
                   "%s: config.yaml: is of another run than %s: expected %s", other->folder,
                   first->folder, difference);
}
