/* report: the progress line and metrics.jsonl. Rank 0 writes. */
#include "json.h"
#include "train.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOW_EVERY 0.2 /* s, on a terminal */

/* Counters so far, this rank's own since the last collection included. */
static cr_macs counted(const cr_run *run)
{
    cr_macs own = cr_net_counted(run->net);
    own.exact += run->progress.macs_exact;
    own.paper += run->progress.macs_paper;
    own.executed += run->progress.macs_executed;
    return own;
}

/* ---- metrics.jsonl --------------------------------------------------------------------------- */

static cr_status append_line(const cr_run *run, const json_t *object)
{
    char path[CR_PATH_MAX];
    CR_TRY(cr_path_join(path, run->folder, "metrics.jsonl"));
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    CR_CHECK(text != NULL, CR_INTERNAL, "cannot make JSON of the metrics");
    FILE *file = fopen(path, "a");
    bool written = file != NULL && fprintf(file, "%s\n", text) > 0;
    written = (file == NULL || fclose(file) == 0) && written;
    int reason = errno;
    free(text);
    CR_CHECK(written, CR_CANNOT_WRITE, "%s: cannot write: %s", path, strerror(reason));
    return CR_OK;
}

/* Where in the run a line stands. */
static cr_status put_place(json_t *line, const cr_run *run)
{
    const cr_progress *progress = &run->progress;
    const cr_place place = cr_run_place(run, progress->step);
    CR_TRY(cr_json_put(line, "step", json_integer(progress->step)));
    CR_TRY(cr_json_put(line, "epoch", cr_json_real(cr_place_epochs(&place))));
    return cr_json_put(line, "seconds", cr_json_real(progress->seconds));
}

static cr_status put_straggler(json_t *line, cr_tally *tally)
{
    cr_straggler s = cr_tally_find(tally);
    CR_TRY(cr_json_put(line, "slowest_rank", json_integer(s.rank)));
    CR_TRY(cr_json_put(line, "slowest_ms", cr_json_real(s.ms)));
    CR_TRY(cr_json_put(line, "slowest_share", cr_json_real(s.share)));
    return cr_json_put(line, "median_ms", cr_json_real(s.median_ms));
}

/* Fill the object of a training interval. */
static cr_status describe_interval(json_t *line, cr_run *run)
{
    const cr_meter *meter = &run->meter;
    cr_macs macs = counted(run);
    double rate = cr_run_rate(run, run->progress.step - 1);
    CR_TRY(put_place(line, run));
    CR_TRY(cr_json_put(line, "loss",
                       cr_json_real(meter->interval_loss / (double)meter->interval_samples)));
    CR_TRY(cr_json_put(line, "learning_rate", cr_json_real(rate)));
    CR_TRY(cr_json_put_rates(line, run, meter->interval_samples, meter->interval_seconds));
    if (meter->gradient_norm >= 0)
        CR_TRY(cr_json_put(line, "gradient_norm", cr_json_real(meter->gradient_norm)));
    if (cr_comm_size(run->comm) > 1)
        CR_TRY(put_straggler(line, &run->work.interval));
    CR_TRY(cr_json_put(line, "reduction_paper", cr_json_real(cr_macs_reduction_paper(&macs))));
    return cr_json_put(line, "reduction_executed", cr_json_real(cr_macs_reduction_executed(&macs)));
}

static cr_status write_interval(cr_run *run)
{
    json_t *line = json_object();
    cr_status status = describe_interval(line, run);
    if (status == CR_OK)
        status = append_line(run, line);
    json_decref(line);
    return status;
}

static cr_status describe_evaluation(json_t *line, const cr_run *run, const cr_result *valid,
                                     const cr_result *test)
{
    const cr_measure *measure = cr_measure_for(run->options.data.kind);
    double loss = run->progress.train_loss;
    CR_TRY(put_place(line, run));
    CR_TRY(cr_json_put(line, "train_loss", cr_json_real(loss)));
    if (measure->of_loss)
        CR_TRY(cr_json_put_part(line, "train", measure->name, cr_json_real(measure->of(loss, 0))));
    const struct {
        const char *name;
        const cr_result *result;
    } parts[] = {{"valid", valid}, {"test", test}};
    for (int i = 0; i < 2; i++) {
        const cr_result *r = parts[i].result;
        if (r->samples == 0)
            continue;
        CR_TRY(cr_json_put_part(line, parts[i].name, "loss",
                                cr_json_real(r->loss / (double)r->samples)));
        CR_TRY(cr_json_put_part(line, parts[i].name, measure->name,
                                cr_json_real(cr_measure_of(measure, r))));
    }
    return CR_OK;
}

static cr_status write_evaluation(const cr_run *run, const cr_result *valid, const cr_result *test)
{
    if (run->folder[0] == '\0')
        return CR_OK;
    json_t *line = json_object();
    cr_status status = describe_evaluation(line, run, valid, test);
    if (status == CR_OK)
        status = append_line(run, line);
    json_decref(line);
    return status;
}

cr_status cr_report_evaluation(cr_run *run, const cr_result *valid, const cr_result *test)
{
    char text[160] = "";
    const cr_progress *progress = &run->progress;
    const cr_measure *measure = cr_measure_for(run->options.data.kind);
    if (valid->samples > 0)
        (void)snprintf(text, sizeof text, "valid %s %.*f  ", measure->name, measure->digits,
                       cr_measure_of(measure, valid));
    size_t used = strlen(text);
    if (test->samples > 0)
        (void)snprintf(text + used, sizeof text - used, "test %s %.*f%s", measure->name,
                       measure->digits, cr_measure_of(measure, test),
                       valid->samples > 0 ? "  (best so far)" : "");
    cr_log_info("epoch %lld  train loss %.4f  %s", (long long)progress->epoch, progress->train_loss,
                text);
    bool root = cr_comm_rank(run->comm) == 0;
    return cr_comm_any(run->comm, root ? write_evaluation(run, valid, test) : CR_OK);
}

/* Length of the lines of `text` whose step is at most `step`. */
static size_t lines_up_to(const char *text, int64_t step)
{
    size_t kept = 0;
    while (text[kept] != '\0') {
        const char *end = strchr(text + kept, '\n');
        if (end == NULL)
            break; /* a line cut off when its writer was killed */
        size_t length = (size_t)(end - (text + kept)) + 1;
        json_t *line = json_loadb(text + kept, length, 0, NULL);
        json_int_t at = json_integer_value(json_object_get(line, "step"));
        bool keep = line != NULL && at <= step;
        json_decref(line);
        if (!keep)
            break;
        kept += length;
    }
    return kept;
}

cr_status cr_report_trim(const cr_run *run, int64_t step)
{
    char path[CR_PATH_MAX];
    char *text = NULL;
    size_t bytes = 0;
    CR_TRY(cr_path_join(path, run->folder, "metrics.jsonl"));
    if (cr_file_read(&text, &bytes, path) != CR_OK)
        return CR_OK; /* none yet */
    cr_status status = cr_file_write(path, text, lines_up_to(text, step));
    CR_FREE(text);
    return status;
}

/* ---- the progress line ----------------------------------------------------------------------- */

/* The loss since the last line and, where that alone says it, what a run is judged by. */
static void describe_loss(char *out, size_t bytes, const cr_run *run)
{
    const cr_measure *measure = cr_measure_for(run->options.data.kind);
    double loss = run->meter.interval_loss / (double)run->meter.interval_samples;
    if (measure->of_loss)
        (void)snprintf(out, bytes, "loss %.4f  %s %.*f", loss, measure->name, measure->digits,
                       measure->of(loss, 0));
    else
        (void)snprintf(out, bytes, "loss %.4f", loss);
}

static void show_progress(const cr_run *run)
{
    char loss[80];
    const cr_meter *meter = &run->meter;
    const cr_progress *progress = &run->progress;
    cr_macs macs = counted(run);
    double per_step = meter->seconds / (double)(meter->count > 0 ? meter->count : 1);
    double left = per_step * (double)(run->total - progress->step);
    describe_loss(loss, sizeof loss, run);
    cr_log_progress("epoch %lld  step %lld/%lld  %s  %.0f %s/s  reduction %.1f%% paper "
                    "%.1f%% executed  %02d:%02d:%02d left",
                    (long long)cr_run_place(run, progress->step - 1).epoch + 1,
                    (long long)progress->step, (long long)run->total, loss,
                    (double)meter->interval_samples / meter->interval_seconds,
                    cr_measure_for(run->options.data.kind)->labels,
                    100 * cr_macs_reduction_paper(&macs), 100 * cr_macs_reduction_executed(&macs),
                    (int)(left / 3600), (int)(left / 60) % 60, (int)left % 60);
}

cr_status cr_report_step(cr_run *run)
{
    cr_meter *meter = &run->meter;
    int64_t step = run->progress.step;
    bool line = step % run->options.log.every_steps == 0 || step == run->total;
    bool terminal = cr_log_is_terminal();
    double now = cr_seconds();
    if ((terminal && now - meter->shown > SHOW_EVERY) || (!terminal && line)) {
        show_progress(run);
        meter->shown = now;
    }
    if (!line)
        return CR_OK;
    CR_TRY(cr_work_gather(&run->work, run->comm));
    bool root = cr_comm_rank(run->comm) == 0 && run->folder[0] != '\0';
    cr_status status = cr_comm_any(run->comm, root ? write_interval(run) : CR_OK);
    meter->interval_loss = 0;
    meter->interval_samples = 0;
    meter->interval_seconds = 0;
    return status;
}
