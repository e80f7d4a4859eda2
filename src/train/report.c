/* report: the progress line, metrics.jsonl and summary.json. Rank 0 writes. */
#include "train.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { HASH_BYTES = 17 };
#define SHOW_EVERY 0.2 /* s, on a terminal */

/* JSON has no NaN: what was not measured is null. */
static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static cr_status put(json_t *object, const char *key, json_t *value)
{
    CR_CHECK(json_object_set_new(object, key, value) == 0, CR_INTERNAL, "cannot make JSON of %s",
             key);
    return CR_OK;
}

static double reduction(int64_t done, int64_t exact)
{
    return exact > 0 ? 1 - (double)done / (double)exact : 0;
}

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
    CR_TRY(put(line, "step", json_integer(progress->step)));
    CR_TRY(put(line, "epoch", real((double)progress->step / (double)run->per_epoch)));
    return put(line, "seconds", real(progress->seconds));
}

/* Fill the object of a training interval. */
static cr_status describe_interval(json_t *line, cr_run *run)
{
    const cr_meter *meter = &run->meter;
    cr_macs macs = counted(run);
    double rate =
        cr_rate_at(&run->options.learning_rate, run->progress.step - 1, run->total, run->per_epoch);
    CR_TRY(put_place(line, run));
    CR_TRY(put(line, "loss", real(meter->interval_loss / (double)meter->interval_samples)));
    CR_TRY(put(line, "learning_rate", real(rate)));
    CR_TRY(put(line, "samples_per_s",
               real((double)meter->interval_samples / meter->interval_seconds)));
    if (meter->gradient_norm >= 0)
        CR_TRY(put(line, "gradient_norm", real(meter->gradient_norm)));
    CR_TRY(put(line, "reduction_paper", real(cr_macs_reduction_paper(&macs))));
    return put(line, "reduction_executed", real(cr_macs_reduction_executed(&macs)));
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
    CR_TRY(put_place(line, run));
    CR_TRY(put(line, "train_loss", real(run->progress.train_loss)));
    const struct {
        const char *loss, *accuracy;
        const cr_result *result;
    } parts[] = {{"valid_loss", "valid_accuracy", valid}, {"test_loss", "test_accuracy", test}};
    for (int i = 0; i < 2; i++) {
        const cr_result *r = parts[i].result;
        if (r->samples == 0)
            continue;
        CR_TRY(put(line, parts[i].loss, real(r->loss / (double)r->samples)));
        CR_TRY(put(line, parts[i].accuracy, real((double)r->correct / (double)r->samples)));
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
    if (valid->samples > 0)
        (void)snprintf(text, sizeof text, "valid accuracy %.4f  ",
                       (double)valid->correct / (double)valid->samples);
    size_t used = strlen(text);
    if (test->samples > 0)
        (void)snprintf(text + used, sizeof text - used, "test accuracy %.4f%s",
                       (double)test->correct / (double)test->samples,
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

static void show_progress(const cr_run *run)
{
    const cr_meter *meter = &run->meter;
    const cr_progress *progress = &run->progress;
    cr_macs macs = counted(run);
    double per_step = meter->seconds / (double)(meter->count > 0 ? meter->count : 1);
    double left = per_step * (double)(run->total - progress->step);
    cr_log_progress("epoch %lld  step %lld/%lld  loss %.4f  %.0f samples/s  reduction %.1f%% paper "
                    "%.1f%% executed  %02d:%02d:%02d left",
                    (long long)((progress->step - 1) / run->per_epoch + 1),
                    (long long)progress->step, (long long)run->total,
                    meter->interval_loss / (double)meter->interval_samples,
                    (double)meter->interval_samples / meter->interval_seconds,
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
    bool root = cr_comm_rank(run->comm) == 0 && run->folder[0] != '\0';
    cr_status status = cr_comm_any(run->comm, root ? write_interval(run) : CR_OK);
    meter->interval_loss = 0;
    meter->interval_samples = 0;
    meter->interval_seconds = 0;
    return status;
}

/* ---- summary.json ---------------------------------------------------------------------------- */

static cr_status put_time(json_t *summary, cr_run *run)
{
    const cr_meter *meter = &run->meter;
    json_t *times =
        json_pack("{s:o,s:o,s:o}", "median", real(cr_meter_quantile(run, 0.5)), "p10",
                  real(cr_meter_quantile(run, 0.1)), "p90", real(cr_meter_quantile(run, 0.9)));
    json_t *phases = json_object();
    for (int p = 0; p < CR_PHASES; p++)
        CR_TRY(put(phases, cr_phase_name((cr_phase)p), real(cr_meter_phase_ms(run, (cr_phase)p))));
    CR_TRY(put(summary, "seconds", real(run->progress.seconds)));
    CR_TRY(put(summary, "samples_per_s", real((double)meter->samples / meter->seconds)));
    CR_TRY(put(summary, "step_ms", times));
    return put(summary, "phase_ms", phases);
}

static cr_status put_counters(json_t *summary, const cr_run *run, int64_t peak)
{
    const cr_progress *p = &run->progress;
    double steps = (double)(p->step > 0 ? p->step : 1);
    json_t *reductions = json_pack("{s:f,s:f}", "paper", reduction(p->macs_paper, p->macs_exact),
                                   "executed", reduction(p->macs_executed, p->macs_exact));
    CR_TRY(put(summary, "reduction", reductions));
    CR_TRY(put(summary, "macs", json_integer(p->macs_executed)));
    CR_TRY(put(summary, "wire_bytes_per_step", real((double)p->wire_bytes / steps)));
    CR_TRY(put(summary, "dense_bytes_per_step", real((double)p->dense_bytes / steps)));
    return put(summary, "peak_memory_bytes", json_integer(peak));
}

static cr_status put_identity(json_t *summary, const cr_run *run)
{
    char hash[HASH_BYTES];
    (void)snprintf(hash, sizeof hash, "%016llx", (unsigned long long)cr_run_weights_hash(run));
    CR_TRY(put(summary, "weights_hash", json_string(hash)));
    CR_TRY(put(summary, "ranks", json_integer(cr_comm_size(run->comm))));
    CR_TRY(put(summary, "threads", json_integer(cr_engine_threads())));
    CR_TRY(put(summary, "engine", json_string(run->net->engine->name)));
    CR_TRY(put(summary, "precision", json_string(run->net->engine->precision)));
    CR_TRY(put(summary, "seed", json_integer(run->options.seed)));
    return put(summary, "version", json_string(COLROW_VERSION));
}

static cr_status put_quality(json_t *summary, const cr_run *run)
{
    const cr_progress *p = &run->progress;
    CR_TRY(put(summary, "train_loss", real(p->train_loss)));
    CR_TRY(put(summary, "valid_loss", real(p->valid_loss)));
    CR_TRY(put(summary, "valid_accuracy", real(p->valid_accuracy)));
    CR_TRY(put(summary, "test_loss", real(p->test_loss)));
    CR_TRY(put(summary, "test_accuracy", real(p->test_accuracy)));
    CR_TRY(put(summary, "best_epoch", json_integer(p->best_epoch)));
    CR_TRY(put(summary, "epochs", json_integer(p->epoch)));
    return put(summary, "steps", json_integer(p->step));
}

static cr_status write_summary(cr_run *run, int64_t peak)
{
    cr_status status = CR_OK;
    char path[CR_PATH_MAX];
    char *text = NULL;
    json_t *summary = json_object();
    CR_TRY_GOTO(put_quality(summary, run));
    CR_TRY_GOTO(put_time(summary, run));
    CR_TRY_GOTO(put_counters(summary, run, peak));
    CR_TRY_GOTO(put_identity(summary, run));
    CR_TRY_GOTO(cr_path_join(path, run->folder, "summary.json"));
    text = json_dumps(summary, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    CR_CHECK_GOTO(text != NULL, CR_INTERNAL, "cannot make JSON of the summary");
    CR_TRY_GOTO(cr_file_write(path, text, strlen(text)));
done:
    free(text);
    json_decref(summary);
    return status;
}

cr_status cr_report_summary(cr_run *run)
{
    double peak = (double)cr_memory_peak();
    const cr_progress *p = &run->progress;
    CR_TRY(cr_comm_largest(run->comm, &peak, 1));
    bool root = cr_comm_rank(run->comm) == 0 && run->folder[0] != '\0';
    CR_TRY(cr_comm_any(run->comm, root ? write_summary(run, (int64_t)peak) : CR_OK));
    cr_log_info("done: %lld steps, test accuracy %.4f (epoch %lld), reduction %.1f%% paper, %.1f%% "
                "executed; %s",
                (long long)p->step, p->test_accuracy, (long long)p->best_epoch,
                100 * reduction(p->macs_paper, p->macs_exact),
                100 * reduction(p->macs_executed, p->macs_exact),
                run->folder[0] != '\0' ? run->folder : "nothing written");
    return CR_OK;
}
