/* step: one update, as design.md section 4 tells it. */
#include "train.h"

#include <math.h>

/* A failure that only this rank sees ends the job here: no recovery inside a step. */
static void must(cr_run *run, cr_status status)
{
    if (status == CR_OK)
        return;
    cr_comm_abort(run->comm,
                  cr_fail_prefix(status, "step %lld", (long long)run->progress.step + 1));
}

/* The samples of a step: a piece of the epoch's order. */
typedef struct piece {
    int64_t first;
    int count;
} piece;

static piece samples_of(const cr_run *run, const cr_place *place)
{
    int64_t first = place->step * place->batch;
    int64_t left = run->data.train.count - first;
    return (piece){first, left < place->batch ? (int)left : place->batch};
}

/* The order of the epoch under way, made when it begins. */
static void prepare_order(cr_run *run, int64_t epoch)
{
    if (run->order_epoch == epoch)
        return;
    cr_data_order(run->order, run->data.train.count, run->options.data.shuffle,
                  (uint64_t)run->options.seed, (uint32_t)epoch);
    run->order_epoch = epoch;
}

static void fetch(cr_run *run, int64_t first, int rows)
{
    const cr_data_view view = {.part = &run->data.train,
                               .order = run->order,
                               .augment = &run->options.data.augment,
                               .training = true,
                               .seed = (uint64_t)run->options.seed,
                               .epoch = (uint32_t)run->order_epoch};
    cr_data_fetch(run->x, run->labels, &view, first, rows);
}

/* Micro-batch `number` of the step, or none (rows 0) on a rank without a share. */
static void run_micro_batch(cr_run *run, piece batch, int number)
{
    int start = number * run->options.micro_batch;
    int left = batch.count - start;
    int rows = left < run->options.micro_batch ? left : run->options.micro_batch;
    rows = number < run->dist->first + run->dist->count ? rows : 0;
    cr_result result = {0};
    cr_phase previous = cr_phase_enter(CR_PHASE_LOAD);
    if (rows > 0) {
        fetch(run, batch.first + start, rows);
        cr_carry_on(run, start);
    }
    cr_phase_leave(previous);
    must(run, cr_net_forward(run->net, &result, run->x, run->labels, rows, (uint32_t)start,
                             1.0 / batch.count));
    must(run, cr_dist_backward(run->dist, &result));
}

/* The shares that the schedules have for this step. */
static void set_ratios(cr_run *run, const cr_place *place)
{
    const cr_sample_options *sampling = &run->options.sampling;
    const cr_backward_options *backward = &sampling->backward;
    int64_t step = run->progress.step;
    double epochs = cr_place_epochs(place);
    cr_net_set_ratios(run->net,
                      cr_schedule_ratio(&sampling->schedule, sampling->ratio, step, epochs),
                      cr_schedule_ratio(&backward->schedule, backward->ratio, step, epochs));
}

/* What this rank wishes to happen after the step; rank 0 watches the clock. */
static cr_dist_news wishes(const cr_run *run)
{
    const cr_checkpoint_options *options = &run->options.checkpoint;
    double now = cr_seconds();
    bool late = options->stop_minutes > 0 && now - run->meter.started >= 60 * options->stop_minutes;
    bool due = options->every_minutes > 0 && now - run->meter.saved >= 60 * options->every_minutes;
    bool root = cr_comm_rank(run->comm) == 0;
    return (cr_dist_news){.stop = cr_signals_caught() || (root && late), .save = root && due};
}

/* The optimizer's spans are the net's parameters, in their order. */
static const float *read_gradient(void *self, float *scratch, int span, int64_t first, int64_t rows)
{
    const cr_run *run = self;
    return cr_dist_gradient_rows(run->dist, scratch, span, first, rows);
}

static int64_t kept_rows(void *self, int span, int64_t first, int64_t *rows)
{
    const cr_run *run = self;
    return cr_dist_kept_rows(run->dist, span, first, rows);
}

static void measure(void *self, int span, int64_t first, int64_t rows)
{
    const cr_run *run = self;
    cr_net_measure_rows(run->net, span, first, rows);
}

static cr_status update(cr_run *run)
{
    double rate = cr_run_rate(run, run->progress.step);
    const cr_optim_hooks hooks = {
        .self = run, .gradient = read_gradient, .kept = kept_rows, .updated = measure};
    cr_phase previous = cr_phase_enter(CR_PHASE_UPDATE);
    CR_TRY(cr_optim_update_by(&run->optim, run->net->parameters, &hooks, rate,
                              &run->meter.gradient_norm));
    cr_net_measured(run->net);
    cr_phase_leave(previous);
    return CR_OK;
}

cr_status cr_step_run(cr_run *run, bool *save)
{
    double begun = cr_seconds();
    double agreed = cr_phase_seconds(CR_PHASE_AGREE);
    const cr_place place = cr_run_place(run, run->progress.step);
    prepare_order(run, place.epoch);
    if (place.step == 0)
        cr_carry_clear(run);
    piece batch = samples_of(run, &place);
    int size = run->options.micro_batch;
    set_ratios(run, &place);
    must(run,
         cr_dist_begin(run->dist, (uint32_t)run->progress.step, (batch.count + size - 1) / size));
    run_micro_batch(run, batch, run->dist->first);
    for (int i = 1; i < run->dist->count; i++)
        run_micro_batch(run, batch, run->dist->first + i);
    cr_dist_news news = wishes(run);
    double waited = cr_phase_seconds(CR_PHASE_AGREE) - agreed;
    cr_work_note(&run->work, cr_seconds() - begun - waited);
    must(run, cr_dist_finish(run->dist, &news));
    CR_CHECK(
        isfinite(news.result.loss), CR_DIVERGED,
        "step %lld: the loss is %g; a lower learning_rate.base or optimizer.clip_norm may help",
        (long long)run->progress.step + 1, news.result.loss);
    cr_status status = update(run);
    if (status != CR_OK)
        return cr_fail_prefix(status, "step %lld", (long long)run->progress.step + 1);
    run->progress.step++;
    run->stopping = news.stop;
    *save = news.save;
    cr_meter_step(run, &news.result, cr_seconds() - begun);
    return CR_OK;
}
