/* run: data, network, optimizer and the ranks, put together from the options. */
#include "train.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

/* Do all ranks have the same options and the same program? */
static cr_status check_same(cr_run *run)
{
    uint64_t hash = cr_hash(run->config, strlen(run->config), 0);
    return cr_comm_same(run->comm, hash, "configuration");
}

static cr_status make_net(cr_run *run)
{
    const cr_data_part *train = &run->data.train;
    cr_net_plan plan =
        cr_options_plan(&run->options, (cr_shape){train->h, train->w, train->c}, train->classes);
    CR_TRY(cr_net_create(&run->net, &plan));
    int labels = cr_data_steps(train, 0);
    CR_CHECK(run->net->positions == labels, CR_BAD_CONFIG,
             "data.kind: expected %d labels a sample for network.model %s, found %d in %s",
             run->net->positions, run->options.network.model, labels, run->options.data.kind);
    cr_net_initialize(run->net);
    return CR_OK;
}

static cr_status make_optimizer(cr_run *run)
{
    int count = 0;
    CR_TRY(cr_spans_make(&run->spans, &count, run->net, &run->options.optimizer));
    return cr_optim_create(&run->optim, &run->options.optimizer, run->net->parameter_count,
                           run->spans, count);
}

static cr_status make_buffers(cr_run *run)
{
    const cr_data_part *train = &run->data.train;
    size_t features = (size_t)train->h * (size_t)train->w * (size_t)train->c;
    size_t rows = (size_t)run->options.micro_batch;
    CR_TRY(cr_alloc((void **)&run->x, rows * features * sizeof *run->x));
    size_t positions = (size_t)cr_data_steps(train, 0);
    CR_TRY(cr_alloc((void **)&run->labels, rows * positions * sizeof *run->labels));
    CR_TRY(cr_carry_create(run));
    CR_TRY(cr_alloc((void **)&run->order, (size_t)train->count * sizeof *run->order));
    size_t statistics = (size_t)run->net->statistics_count;
    CR_TRY(cr_alloc((void **)&run->observed, statistics * sizeof *run->observed));
    CR_TRY(cr_alloc((void **)&run->running, statistics * sizeof *run->running));
    CR_TRY(cr_work_create(&run->work, run->comm, run->options.log.every_steps));
    run->meter.capacity = run->total;
    return cr_alloc((void **)&run->meter.step_ms, (size_t)run->total * sizeof *run->meter.step_ms);
}

static void count_steps(cr_run *run)
{
    const cr_run_options *options = &run->options;
    const cr_rate_options *rate = &options->learning_rate;
    int64_t samples = run->data.train.count;
    int64_t warmup = rate->warmup_steps > 0
                         ? rate->warmup_steps
                         : cr_course_steps(options, samples, rate->warmup_epochs);
    run->total =
        options->steps > 0 ? options->steps : cr_course_steps(options, samples, options->epochs);
    run->rate = cr_rate_make(rate, options->batch, warmup, run->total);
}

cr_place cr_run_place(const cr_run *run, int64_t step)
{
    return cr_course_place(&run->options, run->data.train.count, step);
}

double cr_run_rate(const cr_run *run, int64_t step)
{
    return cr_rate_at(&run->rate, step, cr_run_place(run, step).epoch);
}

/* What each rank does by itself; whether it went well is agreed on afterwards. */
static cr_status set_up(cr_run *run)
{
    int micro = run->options.micro_batch;
    int largest = cr_course_largest(&run->options);
    count_steps(run);
    CR_TRY(make_net(run));
    CR_TRY(cr_dist_create(&run->dist, &run->options.dist, run->comm, run->net,
                          (largest + micro - 1) / micro));
    CR_TRY(make_optimizer(run));
    return make_buffers(run);
}

static cr_status open_data(cr_run *run)
{
    cr_data_wanted wanted = {0};
    cr_data_share share = cr_share_over(run->comm);
    CR_TRY(cr_options_wanted(&wanted, &run->options));
    return cr_data_open(&run->data, &run->options.data, &wanted, &share);
}

cr_status cr_run_create(cr_run **out, cr_comm *comm, const cr_run_options *options)
{
    cr_status status = CR_OK;
    cr_run *run = NULL;
    CR_TRY_GOTO(cr_comm_any(comm, cr_alloc((void **)&run, sizeof *run)));
    run->comm = comm;
    cr_comm_watch(comm, options->watchdog_seconds);
    run->options = *options;
    run->lock = -1;
    run->order_epoch = -1;
    run->progress.train_loss = NAN;
    run->progress.valid_loss = run->progress.valid_accuracy = NAN;
    run->progress.test_loss = run->progress.test_accuracy = NAN;
    CR_TRY_GOTO(cr_comm_any(comm, cr_options_format(&run->config, options)));
    CR_TRY_GOTO(check_same(run));
    CR_TRY_GOTO(open_data(run));
    CR_TRY_GOTO(cr_comm_any(comm, set_up(run)));
    *out = run;
    run = NULL;
done:
    cr_run_free(&run);
    return status;
}

void cr_run_free(cr_run **run)
{
    if (*run == NULL)
        return;
    cr_dist_free(&(*run)->dist);
    cr_net_free(&(*run)->net);
    cr_optim_free(&(*run)->optim);
    cr_data_free(&(*run)->data);
    CR_FREE((*run)->config);
    CR_FREE((*run)->spans);
    CR_FREE((*run)->x);
    CR_FREE((*run)->labels);
    CR_FREE((*run)->carried);
    CR_FREE((*run)->carried_there);
    CR_FREE((*run)->observed);
    CR_FREE((*run)->running);
    CR_FREE((*run)->order);
    CR_FREE((*run)->meter.step_ms);
    cr_work_free(&(*run)->work);
    if ((*run)->lock >= 0)
        (void)close((*run)->lock); /* gives the folder free */
    CR_FREE(*run);
}
