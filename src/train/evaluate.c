/* evaluate: exact loss and accuracy; the ranks share out the micro-batches of a part. */
#include "train.h"

#include <math.h>

static cr_status evaluate_own(cr_run *run, cr_result *result, const cr_data_part *part)
{
    const cr_data_view view = {.part = part, .augment = &run->options.data.augment};
    int size = run->options.micro_batch;
    int64_t stride = (int64_t)size * cr_comm_size(run->comm);
    for (int64_t first = (int64_t)size * cr_comm_rank(run->comm); first < part->count;
         first += stride) {
        int64_t left = part->count - first;
        int rows = left < size ? (int)left : size;
        cr_data_fetch(run->x, run->labels, &view, first, rows);
        CR_TRY(cr_net_evaluate(run->net, result, run->x, run->labels, rows));
    }
    return CR_OK;
}

cr_status cr_run_evaluate(cr_run *run, cr_result *result, const cr_data_part *part)
{
    cr_result own = {0};
    cr_phase previous = cr_phase_enter(CR_PHASE_EVALUATE);
    CR_TRY(cr_comm_any(run->comm, evaluate_own(run, &own, part)));
    double sums[3] = {own.loss, (double)own.correct, (double)own.samples};
    CR_TRY(cr_comm_sum(run->comm, sums, 3));
    *result = (cr_result){sums[0], (int64_t)sums[1], (int64_t)sums[2]};
    cr_phase_leave(previous);
    return CR_OK;
}

static double mean(double sum, int64_t count)
{
    return count > 0 ? sum / (double)count : NAN;
}

static cr_status judge(cr_run *run)
{
    cr_progress *progress = &run->progress;
    cr_result valid = {0};
    cr_result test = {0};
    bool judged = run->data.valid.count > 0;
    if (judged)
        CR_TRY(cr_run_evaluate(run, &valid, &run->data.valid));
    double accuracy = mean((double)valid.correct, valid.samples);
    bool best = !judged || progress->best_epoch == 0 || accuracy > progress->valid_accuracy;
    if (best) {
        CR_TRY(cr_run_evaluate(run, &test, &run->data.test));
        progress->best_epoch = progress->epoch;
        progress->valid_loss = mean(valid.loss, valid.samples);
        progress->valid_accuracy = accuracy;
        progress->test_loss = mean(test.loss, test.samples);
        progress->test_accuracy = mean((double)test.correct, test.samples);
    }
    return cr_report_evaluation(run, &valid, &test);
}

cr_status cr_epoch_evaluate(cr_run *run)
{
    CR_TRY(cr_run_recalibrate(run));
    CR_TRY(judge(run));
    cr_run_give_back_statistics(run);
    return CR_OK;
}
