/*
 * evaluate: exact loss and accuracy; the ranks share out the micro-batches of all parts together.
 * Of a text, micro-batches are of streams, each read from beginning to end by one rank, so that the
 * result does not depend on the ranks; images are streams of one sample.
 */
#include "train.h"

#include <math.h>
#include <string.h>

/* The samples of `rows` streams from stream `first` on, one after another. */
static cr_status follow_streams(cr_run *run, cr_result *result, const cr_data_part *part,
                                int64_t first, int rows)
{
    const cr_data_view view = {.part = part, .augment = &run->options.data.augment};
    size_t floats = (size_t)rows * (size_t)run->net->state_floats;
    memset(run->carried_there, 0, floats * sizeof *run->carried_there);
    cr_net_set_state(run->net, run->carried_there);
    for (int64_t at = first; at < part->count; at += cr_data_side(part)) {
        int steps = cr_data_steps(part, at);
        if (steps != run->net->positions)
            cr_net_set_steps(run->net, steps);
        cr_data_fetch(run->x, run->labels, &view, at, rows);
        CR_TRY(cr_net_evaluate(run->net, result, run->x, run->labels, rows));
    }
    return CR_OK;
}

static int64_t micro_batches(const cr_run *run, const cr_data_part *part)
{
    int size = run->options.micro_batch;
    return (cr_data_side(part) + size - 1) / size;
}

/* This rank's micro-batches of a part, the first of which is number `before` of all parts. */
static cr_status evaluate_own(cr_run *run, cr_result *result, const cr_data_part *part,
                              int64_t before)
{
    int size = run->options.micro_batch;
    int positions = run->net->positions;
    int64_t streams = cr_data_side(part);
    for (int64_t m = 0; m < micro_batches(run, part); m++) {
        int64_t left = streams - m * size;
        if ((before + m) % cr_comm_size(run->comm) == cr_comm_rank(run->comm))
            CR_TRY(follow_streams(run, result, part, m * size, left < size ? (int)left : size));
    }
    if (run->net->positions != positions)
        cr_net_set_steps(run->net, positions); /* the last windows had fewer */
    return CR_OK;
}

static cr_status evaluate_all_own(cr_run *run, cr_result *results, const cr_data_part *const *parts,
                                  int count)
{
    int64_t before = 0;
    for (int i = 0; i < count; i++) {
        CR_TRY(evaluate_own(run, &results[i], parts[i], before));
        before += micro_batches(run, parts[i]);
    }
    return CR_OK;
}

static cr_status evaluate(cr_run *run, cr_result *results, const cr_data_part *const *parts,
                          int count)
{
    cr_result own[2] = {{0}};
    cr_phase previous = cr_phase_enter(CR_PHASE_EVALUATE);
    CR_TRY(cr_comm_any(run->comm, evaluate_all_own(run, own, parts, count)));
    for (int i = 0; i < count; i++) {
        double sums[3] = {own[i].loss, (double)own[i].correct, (double)own[i].samples};
        CR_TRY(cr_comm_sum(run->comm, sums, 3));
        results[i] = (cr_result){sums[0], (int64_t)sums[1], (int64_t)sums[2]};
    }
    cr_phase_leave(previous);
    return CR_OK;
}

cr_status cr_run_evaluate(cr_run *run, cr_result *result, const cr_data_part *part)
{
    return evaluate(run, result, &part, 1);
}

cr_status cr_run_evaluate_both(cr_run *run, cr_result results[2],
                               const cr_data_part *const parts[2])
{
    return evaluate(run, results, parts, 2);
}

static double mean(double sum, int64_t count)
{
    return count > 0 ? sum / (double)count : NAN;
}

/* Is this validation better than that of the best epoch so far? */
static bool is_better(const cr_run *run, const cr_result *valid)
{
    const cr_progress *progress = &run->progress;
    const cr_measure *measure = cr_measure_for(run->options.data.kind);
    double now = cr_measure_of(measure, valid);
    double before = measure->of(progress->valid_loss, progress->valid_accuracy);
    return measure->less ? now < before : now > before;
}

/* Would ranks be idle while the validation set is evaluated? They then take the test set. */
static bool has_spare_ranks(const cr_run *run)
{
    return micro_batches(run, &run->data.valid) < cr_comm_size(run->comm);
}

static cr_status judge(cr_run *run)
{
    cr_progress *progress = &run->progress;
    cr_result results[2] = {{0}};
    const cr_data_part *parts[] = {&run->data.valid, &run->data.test};
    bool judged = run->data.valid.count > 0;
    bool both = has_spare_ranks(run);
    CR_TRY(evaluate(run, results, parts, both ? 2 : 1));
    cr_result valid = results[0];
    cr_result test = {0};
    bool best = !judged || progress->best_epoch == 0 || is_better(run, &valid);
    if (best) {
        if (!both)
            CR_TRY(cr_run_evaluate(run, &results[1], parts[1]));
        test = results[1];
        progress->best_epoch = progress->epoch;
        progress->valid_loss = mean(valid.loss, valid.samples);
        progress->valid_accuracy = mean((double)valid.correct, valid.samples);
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
