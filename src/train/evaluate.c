/*
 * evaluate: exact loss and accuracy; the ranks share out the micro-batches of all parts together.
 * Of a text, micro-batches are of streams, each read from beginning to end by one rank, so that the
 * result does not depend on the ranks; images are streams of one sample.
 */
#include "train.h"

#include <math.h>
#include <string.h>

#define TOGETHER 1.0 /* s, after which the ranks meet: none waits long for one with more to do */

/* A rank's way through its micro-batches of streams, window by window. */
typedef struct walk {
    const cr_data_part *const *parts; /* [count] */
    int count;
    int part;       /* the one under way ... */
    int64_t number; /* ... its micro-batch ... */
    int64_t window; /* ... and the window that comes next */
    int64_t before; /* micro-batches of all parts before this one */
    cr_result results[2];
} walk;

static int64_t micro_batches(const cr_run *run, const cr_data_part *part)
{
    int size = run->options.micro_batch;
    return (cr_data_side(part) + size - 1) / size;
}

/* Go on to a micro-batch of this rank; false when there is none left. */
static bool has_work(walk *w, const cr_run *run)
{
    int ranks = cr_comm_size(run->comm);
    for (; w->part < w->count; w->part++, w->number = 0)
        for (; w->number < micro_batches(run, w->parts[w->part]); w->number++, w->before++)
            if (w->before % ranks == cr_comm_rank(run->comm))
                return true;
    return false;
}

static void begin_streams(cr_run *run, int rows)
{
    size_t floats = (size_t)rows * (size_t)run->net->state_floats;
    memset(run->carried_there, 0, floats * sizeof *run->carried_there);
    cr_net_set_state(run->net, run->carried_there);
}

static void set_steps(cr_net *net, int steps)
{
    if (steps != net->positions)
        cr_net_set_steps(net, steps);
}

/* One window of the streams under way. */
static cr_status evaluate_window(cr_run *run, walk *w)
{
    const cr_data_part *part = w->parts[w->part];
    const cr_data_view view = {.part = part, .augment = &run->options.data.augment};
    int size = run->options.micro_batch;
    int64_t streams = cr_data_side(part);
    int64_t left = streams - w->number * size;
    int rows = left < size ? (int)left : size;
    int64_t at = w->window * streams + w->number * size;
    if (w->window == 0)
        begin_streams(run, rows);
    set_steps(run->net, cr_data_steps(part, at));
    cr_data_fetch(run->x, run->labels, &view, at, rows);
    CR_TRY(cr_net_evaluate(run->net, &w->results[w->part], run->x, run->labels, rows));
    w->window++;
    if (w->window * streams < part->count)
        return CR_OK;
    set_steps(run->net,
              cr_data_steps(&run->data.train, 0)); /* the last window may have had fewer */
    w->window = 0;
    w->number++;
    w->before++;
    return CR_OK;
}

static cr_status work(cr_run *run, walk *w)
{
    double end = cr_seconds() + TOGETHER;
    while (cr_seconds() < end && has_work(w, run))
        CR_TRY(evaluate_window(run, w));
    return CR_OK;
}

static cr_status evaluate(cr_run *run, cr_result *results, const cr_data_part *const *parts,
                          int count)
{
    walk w = {.parts = parts, .count = count};
    double left = 1;
    cr_phase previous = cr_phase_enter(CR_PHASE_EVALUATE);
    while (left > 0) {
        CR_TRY(cr_comm_any(run->comm, work(run, &w)));
        left = has_work(&w, run) ? 1 : 0;
        CR_TRY(cr_comm_largest(run->comm, &left, 1));
    }
    for (int i = 0; i < count; i++) {
        const cr_result *own = &w.results[i];
        double sums[3] = {own->loss, (double)own->correct, (double)own->samples};
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
