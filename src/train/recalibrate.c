/*
 * recalibrate: batch norm's statistics for an exact evaluation. Those gathered while training see
 * sampled activations, which an exact evaluation does not have; so they are taken anew from exact
 * passes over the first micro-batches of the training set, and given back afterwards: training goes
 * on as if nothing had been.
 */
#include "train.h"

#include <string.h>

/* Sums over this rank's share of the micro-batches. */
static void observe_own(cr_run *run, int batches)
{
    const cr_data_view view = {.part = &run->data.train,
                               .augment = &run->options.data.augment,
                               .training = true,
                               .seed = (uint64_t)run->options.seed,
                               .epoch = (uint32_t)run->progress.epoch};
    int size = run->options.micro_batch;
    memset(run->observed, 0, (size_t)run->net->statistics_count * sizeof *run->observed);
    for (int b = cr_comm_rank(run->comm); b < batches; b += cr_comm_size(run->comm)) {
        cr_data_fetch(run->x, run->labels, &view, (int64_t)b * size, size);
        cr_net_observe(run->net, run->observed, run->x, size);
    }
}

cr_status cr_run_recalibrate(cr_run *run)
{
    int64_t whole = run->data.train.count / run->options.micro_batch;
    int asked = run->options.evaluate.recalibrate_batches;
    int batches = asked < whole ? asked : (int)whole;
    int count = 0;
    if (run->net->statistics_count == 0 || batches == 0)
        return CR_OK;
    cr_phase previous = cr_phase_enter(CR_PHASE_EVALUATE);
    CR_TRY(cr_to_int(&count, run->net->statistics_count, "statistics"));
    observe_own(run, batches);
    CR_TRY(cr_comm_sum(run->comm, run->observed, count));
    memcpy(run->running, run->net->statistics, (size_t)count * sizeof *run->running);
    run->recalibrated = true;
    for (int i = 0; i < count; i++)
        run->net->statistics[i] = (float)(run->observed[i] / batches);
    cr_phase_leave(previous);
    return CR_OK;
}

void cr_run_give_back_statistics(cr_run *run)
{
    size_t bytes = (size_t)run->net->statistics_count * sizeof *run->running;
    if (run->recalibrated)
        memcpy(run->net->statistics, run->running, bytes);
    run->recalibrated = false;
}
