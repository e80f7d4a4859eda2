/* summary: summary.json, what a finished run has come to, and the last words. Rank 0 writes. */
#include "json.h"
#include "train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HASH_BYTES = 17 };

/* Of the whole run, on all ranks together. */
static cr_macs macs_of(const cr_progress *p)
{
    return (cr_macs){.exact = p->macs_exact, .paper = p->macs_paper, .executed = p->macs_executed};
}

static cr_status put_time(json_t *summary, cr_run *run)
{
    const cr_meter *meter = &run->meter;
    json_t *times = json_pack("{s:o,s:o,s:o}", "median", cr_json_real(cr_meter_quantile(run, 0.5)),
                              "p10", cr_json_real(cr_meter_quantile(run, 0.1)), "p90",
                              cr_json_real(cr_meter_quantile(run, 0.9)));
    json_t *phases = json_object();
    for (int p = 0; p < CR_PHASES; p++)
        CR_TRY(cr_json_put(phases, cr_phase_name((cr_phase)p),
                           cr_json_real(cr_meter_phase_ms(run, (cr_phase)p))));
    CR_TRY(cr_json_put(summary, "seconds", cr_json_real(run->progress.seconds)));
    CR_TRY(cr_json_put_rates(summary, run, meter->samples, meter->seconds));
    CR_TRY(cr_json_put(summary, "step_ms", times));
    return cr_json_put(summary, "phase_ms", phases);
}

/* Of rank 0: gradients in flight, the wait for them, what of both was waiting for ranks that still
 * worked, and which share of the rest work has hidden. */
static cr_status put_messages(json_t *summary, cr_run *run)
{
    cr_comm_seconds ms = cr_meter_comm_ms(run);
    double lead = cr_tally_find(&run->work.session).lead_ms;
    json_t *object = json_pack("{s:o,s:o,s:o,s:o}", "in_flight", cr_json_real(ms.in_flight), "wait",
                               cr_json_real(ms.waited), "lead", cr_json_real(lead), "hidden",
                               cr_json_real(cr_hidden_share(ms.in_flight, ms.waited, lead)));
    return cr_json_put(summary, "comm_ms", object);
}

/* Of this session, as in the metrics lines. */
static cr_status put_straggler(json_t *summary, cr_tally *session)
{
    cr_straggler s = cr_tally_find(session);
    json_t *object =
        json_pack("{s:i,s:o,s:o,s:o}", "slowest_rank", s.rank, "slowest_ms", cr_json_real(s.ms),
                  "slowest_share", cr_json_real(s.share), "median_ms", cr_json_real(s.median_ms));
    return cr_json_put(summary, "work_ms", object);
}

static cr_status put_counters(json_t *summary, const cr_run *run, int64_t peak)
{
    const cr_progress *p = &run->progress;
    double steps = (double)(p->step > 0 ? p->step : 1);
    cr_macs macs = macs_of(p);
    json_t *reductions = json_pack("{s:f,s:f}", "paper", cr_macs_reduction_paper(&macs), "executed",
                                   cr_macs_reduction_executed(&macs));
    CR_TRY(cr_json_put(summary, "reduction", reductions));
    CR_TRY(cr_json_put(summary, "macs", json_integer(p->macs_executed)));
    CR_TRY(
        cr_json_put(summary, "wire_bytes_per_step", cr_json_real((double)p->wire_bytes / steps)));
    CR_TRY(
        cr_json_put(summary, "dense_bytes_per_step", cr_json_real((double)p->dense_bytes / steps)));
    return cr_json_put(summary, "peak_memory_bytes", json_integer(peak));
}

static cr_status put_identity(json_t *summary, const cr_run *run)
{
    char hash[HASH_BYTES];
    (void)snprintf(hash, sizeof hash, "%016llx", (unsigned long long)cr_run_weights_hash(run));
    CR_TRY(cr_json_put(summary, "weights_hash", json_string(hash)));
    CR_TRY(cr_json_put(summary, "ranks", json_integer(cr_comm_size(run->comm))));
    CR_TRY(cr_json_put(summary, "threads", json_integer(cr_engine_threads())));
    CR_TRY(cr_json_put(summary, "engine", json_string(run->net->engine->name)));
    CR_TRY(cr_json_put(summary, "precision", json_string(run->net->engine->precision)));
    CR_TRY(cr_json_put(summary, "seed", json_integer(run->options.seed)));
    return cr_json_put(summary, "version", json_string(COLROW_VERSION));
}

static cr_status put_quality(json_t *summary, const cr_run *run)
{
    const cr_progress *p = &run->progress;
    const cr_measure *measure = cr_measure_for(run->options.data.kind);
    const struct {
        const char *name;
        double loss, accuracy;
        bool has; /* the measure */
    } parts[] = {{"train", p->train_loss, NAN, measure->of_loss},
                 {"valid", p->valid_loss, p->valid_accuracy, true},
                 {"test", p->test_loss, p->test_accuracy, true}};
    for (int i = 0; i < 3; i++) {
        double value = measure->of(parts[i].loss, parts[i].accuracy);
        CR_TRY(cr_json_put_part(summary, parts[i].name, "loss", cr_json_real(parts[i].loss)));
        if (parts[i].has)
            CR_TRY(cr_json_put_part(summary, parts[i].name, measure->name, cr_json_real(value)));
    }
    CR_TRY(cr_json_put(summary, "best_epoch", json_integer(p->best_epoch)));
    CR_TRY(cr_json_put(summary, "epochs", json_integer(p->epoch)));
    return cr_json_put(summary, "steps", json_integer(p->step));
}

static cr_status write_file(cr_run *run, int64_t peak)
{
    cr_status status = CR_OK;
    char path[CR_PATH_MAX];
    char *text = NULL;
    json_t *summary = json_object();
    CR_TRY_GOTO(put_quality(summary, run));
    CR_TRY_GOTO(put_time(summary, run));
    CR_TRY_GOTO(put_messages(summary, run));
    CR_TRY_GOTO(put_straggler(summary, &run->work.session));
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

cr_status cr_summary_write(cr_run *run)
{
    double peak = (double)cr_memory_peak();
    const cr_progress *p = &run->progress;
    const cr_measure *measure = cr_measure_for(run->options.data.kind);
    cr_macs macs = macs_of(p);
    CR_TRY(cr_comm_largest(run->comm, &peak, 1));
    bool root = cr_comm_rank(run->comm) == 0 && run->folder[0] != '\0';
    CR_TRY(cr_comm_any(run->comm, root ? write_file(run, (int64_t)peak) : CR_OK));
    cr_log_info("done: %lld steps, test %s %.*f (epoch %lld), reduction %.1f%% paper, %.1f%% "
                "executed; %s",
                (long long)p->step, measure->name, measure->digits,
                measure->of(p->test_loss, p->test_accuracy), (long long)p->best_epoch,
                100 * cr_macs_reduction_paper(&macs), 100 * cr_macs_reduction_executed(&macs),
                run->folder[0] != '\0' ? run->folder : "nothing written");
    return CR_OK;
}
