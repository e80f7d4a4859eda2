/* outline: the network of a configuration; and one without a run, to tell what it costs. */
#include "train.h"

/* Shapes come from the network where it names them; else the data must be opened. */
static cr_status find_shape(cr_data_wanted *shape, const cr_run_options *options)
{
    cr_data data = {0};
    CR_TRY(cr_options_wanted(shape, options));
    if (shape->c > 0 && shape->classes > 0)
        return CR_OK;
    CR_TRY(cr_data_open(&data, &options->data, shape, NULL));
    *shape = (cr_data_wanted){
        .h = data.train.h, .w = data.train.w, .c = data.train.c, .classes = data.train.classes};
    cr_data_free(&data);
    return CR_OK;
}

/* As in the steps of the schedules that keep most. */
static void keep_most(cr_net *net, const cr_sample_options *sampling)
{
    double low = 0, ratio = 0, backward = 0;
    cr_schedule_range(&low, &ratio, &sampling->schedule, sampling->ratio);
    cr_schedule_range(&low, &backward, &sampling->backward.schedule, sampling->backward.ratio);
    cr_net_set_ratios(net, ratio, backward);
}

cr_net_plan cr_options_plan(const cr_run_options *options, cr_shape input, int classes)
{
    return (cr_net_plan){.options = options->network,
                         .sampling = options->sampling,
                         .engine = options->engine,
                         .precision = options->precision,
                         .input = input,
                         .classes = classes,
                         .rows = options->micro_batch,
                         .extra = cr_dist_extra,
                         .remembers = cr_dist_remembers(&options->dist),
                         .recomputes = options->recompute,
                         .prepares_each = options->recompute || options->one_each,
                         .seed = (uint64_t)options->seed};
}

cr_status cr_options_net(cr_net **out, const cr_run_options *options)
{
    cr_data_wanted shape = {0};
    CR_TRY(find_shape(&shape, options));
    cr_net_plan plan =
        cr_options_plan(options, (cr_shape){shape.h, shape.w, shape.c}, shape.classes);
    CR_TRY(cr_net_create(out, &plan));
    keep_most(*out, &options->sampling);
    return CR_OK;
}
