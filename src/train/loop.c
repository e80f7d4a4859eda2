/* loop: steps to epochs to the end; reporting, evaluating and saving on the way. */
#include "train.h"

#include <math.h>

/* Is this step one of the checkpoints by count? */
static bool is_due(const cr_run *run)
{
    int64_t every = run->options.checkpoint.every_steps;
    return every > 0 && run->progress.step % every == 0;
}

static bool saves_at_all(const cr_run *run)
{
    return run->folder[0] != '\0' &&
           (run->options.checkpoint.every_steps > 0 || run->options.checkpoint.every_minutes > 0);
}

static bool at_epoch_end(const cr_run *run)
{
    return cr_run_place(run, run->progress.step).step == 0;
}

static void end_epoch(cr_run *run)
{
    cr_progress *progress = &run->progress;
    progress->epoch = cr_run_place(run, progress->step).epoch;
    progress->train_loss = progress->epoch_loss / (double)progress->epoch_samples;
    progress->epoch_loss = 0;
    progress->epoch_samples = 0;
}

static bool evaluates_now(const cr_run *run)
{
    int every = run->options.evaluate.every_epochs;
    bool last = run->progress.step == run->total;
    if (every == 0)
        return false;
    return last || (at_epoch_end(run) && run->progress.epoch % every == 0);
}

static cr_status save(cr_run *run)
{
    cr_phase previous = cr_phase_enter(CR_PHASE_CHECKPOINT);
    CR_TRY(cr_meter_collect(run));
    CR_TRY(cr_state_save(run));
    run->meter.saved = cr_seconds();
    cr_phase_leave(previous);
    return CR_OK;
}

/* Everything that follows an update. */
static cr_status follow_up(cr_run *run, bool wanted)
{
    bool last = run->progress.step == run->total;
    CR_TRY(cr_run_check(run)); /* before anything is saved */
    CR_TRY(cr_report_step(run));
    if (at_epoch_end(run))
        end_epoch(run);
    if (evaluates_now(run))
        CR_TRY(cr_epoch_evaluate(run));
    bool stop = run->stopping && !last;
    bool due = is_due(run) || wanted || (last && saves_at_all(run));
    if (run->folder[0] != '\0' && (due || stop))
        CR_TRY(save(run));
    CR_CHECK(!stop, CR_STOPPED, "stopped as asked at step %lld of %lld, after saving",
             (long long)run->progress.step, (long long)run->total);
    return CR_OK;
}

static cr_status run_steps(cr_run *run)
{
    while (run->progress.step < run->total) {
        bool wanted = false;
        CR_TRY(cr_step_run(run, &wanted));
        CR_TRY(follow_up(run, wanted));
    }
    return CR_OK;
}

/* From inside long products, whoever they are for: gradients in flight move on, and the watchdogs
 * of other ranks get an answer. */
static void tick(void *self)
{
    const cr_run *run = self;
    cr_status status = cr_comm_progress(run->comm);
    if (status != CR_OK)
        cr_comm_abort(run->comm, status);
}

cr_status cr_run_train(cr_run *run)
{
    CR_TRY(cr_folder_begin(run));
    cr_meter_begin(run);
    cr_tick_set(tick, run);
    cr_status status = run_steps(run);
    cr_tick_set(NULL, NULL);
    CR_TRY(status);
    CR_TRY(cr_meter_collect(run));
    return cr_summary_write(run);
}
