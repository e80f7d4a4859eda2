/* record: what a run left in its folder, metrics.jsonl and summary.json, as numbers. */
#include "colrow/sweep.h"

#include <jansson.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

const cr_figure_info cr_figure_table[CR_FIGURES] = {
    [CR_FIGURE_TEST] = {"test_accuracy", NULL, "test_accuracy", "test, %", 100, 2},
    [CR_FIGURE_VALID] = {"valid_accuracy", NULL, "valid_accuracy", "validation, %", 100, 2},
    [CR_FIGURE_TEST_PERPLEXITY] = {"test_perplexity", NULL, "test_perplexity", "test perplexity", 1,
                                   2},
    [CR_FIGURE_VALID_PERPLEXITY] = {"valid_perplexity", NULL, "valid_perplexity",
                                    "validation perplexity", 1, 2},
    [CR_FIGURE_TRAIN_LOSS] = {"train_loss", NULL, "train_loss", "training loss", 1, 4},
    [CR_FIGURE_PAPER] = {"reduction_paper", "reduction", "paper", "reduction, %", 100, 1},
    [CR_FIGURE_EXECUTED] = {"reduction_executed", "reduction", "executed", "executed, %", 100, 1},
    [CR_FIGURE_SECONDS] = {"seconds", NULL, "seconds", "training, s", 1, 1},
    [CR_FIGURE_STEP_MS] = {"step_ms", "step_ms", "median", "step, ms", 1, 2},
    [CR_FIGURE_STEPS] = {"steps", NULL, "steps", "steps", 1, 0},
};

/* A number; NaN for null and for what is not there. */
static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* `error` tells why there is no value. */
static cr_status check_object(const json_t *value, const json_error_t *error, const char *path,
                              int line)
{
    CR_CHECK(json_is_object(value), CR_BAD_DATA, "%s:%d: expected a JSON object: %s", path, line,
             value == NULL ? error->text : "found another value");
    return CR_OK;
}

/* ---- metrics.jsonl --------------------------------------------------------------------------- */

static int count_lines(const char *text)
{
    int count = 0;
    for (const char *end = strchr(text, '\n'); end != NULL; end = strchr(end + 1, '\n'))
        count++;
    return count;
}

static cr_mark mark_of(const json_t *line)
{
    return (cr_mark){.step = number(line, "step"),
                     .epoch = number(line, "epoch"),
                     .seconds = number(line, "seconds"),
                     .loss = number(line, "loss"),
                     .valid_accuracy = number(line, "valid_accuracy"),
                     .test_accuracy = number(line, "test_accuracy"),
                     .valid_perplexity = number(line, "valid_perplexity"),
                     .test_perplexity = number(line, "test_perplexity")};
}

static cr_status read_lines(cr_record *record, const char *text, const char *path)
{
    CR_TRY(cr_alloc((void **)&record->marks, (size_t)count_lines(text) * sizeof *record->marks));
    for (const char *end = strchr(text, '\n'); end != NULL; end = strchr(text, '\n')) {
        json_error_t error;
        json_t *line = json_loadb(text, (size_t)(end - text), 0, &error);
        cr_status status = check_object(line, &error, path, record->count + 1);
        if (status == CR_OK)
            record->marks[record->count++] = mark_of(line);
        json_decref(line); /* accepts NULL */
        CR_TRY(status);
        text = end + 1;
    }
    return CR_OK;
}

static cr_status read_metrics(cr_record *record, const char *folder)
{
    char path[CR_PATH_MAX];
    char *text = NULL;
    size_t bytes = 0;
    CR_TRY(cr_path_join(path, folder, "metrics.jsonl"));
    CR_TRY(cr_file_read(&text, &bytes, path));
    cr_status status = read_lines(record, text, path);
    CR_FREE(text);
    return status;
}

/* ---- summary.json ---------------------------------------------------------------------------- */

static void take_figures(cr_record *record, const json_t *summary)
{
    const json_t *phases = json_object_get(summary, "phase_ms");
    for (int f = 0; f < CR_FIGURES; f++) {
        const cr_figure_info *info = &cr_figure_table[f];
        const json_t *section =
            info->section != NULL ? json_object_get(summary, info->section) : summary;
        record->figures[f] = number(section, info->field);
    }
    for (int p = 0; p < CR_PHASES; p++)
        record->phase_ms[p] = number(phases, cr_phase_name((cr_phase)p));
}

static cr_status read_summary(cr_record *record, const char *folder)
{
    char path[CR_PATH_MAX];
    json_error_t error;
    CR_TRY(cr_path_join(path, folder, "summary.json"));
    record->finished = access(path, F_OK) == 0;
    if (!record->finished)
        return CR_OK;
    json_t *summary = json_load_file(path, 0, &error);
    cr_status status = check_object(summary, &error, path, summary == NULL ? error.line : 1);
    if (status == CR_OK)
        take_figures(record, summary);
    json_decref(summary); /* accepts NULL */
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------- */

cr_status cr_record_read(cr_record *record, const char *folder)
{
    cr_record read = {0};
    take_figures(&read, NULL); /* all NaN */
    cr_status status = read_metrics(&read, folder);
    if (status == CR_OK)
        status = read_summary(&read, folder);
    if (status != CR_OK)
        cr_record_free(&read);
    else
        *record = read;
    return status;
}

void cr_record_free(cr_record *record)
{
    CR_FREE(record->marks);
    record->count = 0;
}

/* What a line tells of the two parts; NaN where it does not. */
typedef struct verdict {
    double valid, test;
} verdict;

static verdict accuracy_of(const cr_mark *mark)
{
    return (verdict){mark->valid_accuracy, mark->test_accuracy};
}

static verdict perplexity_of(const cr_mark *mark)
{
    return (verdict){mark->valid_perplexity, mark->test_perplexity};
}

/* Of the test set where every evaluation has it, else of the validation set. */
static double judge(const cr_record *record, int mark, verdict (*of)(const cr_mark *mark))
{
    bool tested = true;
    for (int m = 0; m < record->count; m++) {
        verdict there = of(&record->marks[m]);
        tested = tested && (isfinite(there.test) || !isfinite(there.valid));
    }
    verdict at = of(&record->marks[mark]);
    return tested ? at.test : at.valid;
}

double cr_record_error(const cr_record *record, int mark)
{
    return 100 * (1 - judge(record, mark, accuracy_of));
}

double cr_record_perplexity(const cr_record *record, int mark)
{
    return judge(record, mark, perplexity_of);
}
