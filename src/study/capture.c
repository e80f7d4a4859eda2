/* capture: the product of a layer as a training step has it. */
#include "colrow/study.h"

#include <stdio.h>
#include <string.h>

/* Segment of the contraction `name`; else a failure that lists those there are. */
static cr_status find_segment(int *out, const cr_net *net, const char *name)
{
    char known[1024] = "";
    for (int s = 0; s < net->segment_count; s++) {
        const cr_layer *layer = &net->layers[net->segments[s].consumer];
        if (layer->type->contraction == NULL)
            continue;
        *out = s;
        if (strcmp(layer->name, name) == 0)
            return CR_OK;
        size_t used = strlen(known);
        (void)snprintf(known + used, sizeof known - used, "%s%s", used > 0 ? ", " : "",
                       layer->name);
    }
    return cr_fail(CR_BAD_CONFIG, __FILE__, __LINE__, "layer: expected one of %s, found '%s'",
                   known, name);
}

static cr_conv_sizes sizes_of(const cr_layer *layer, int images)
{
    const cr_parameter *kernel = &layer->parameters[0];
    bool dense = kernel->rank == 2;
    return (cr_conv_sizes){.n = images,
                           .h = layer->in.h,
                           .w = layer->in.w,
                           .in = kernel->dims[kernel->rank - 2],
                           .out = kernel->dims[kernel->rank - 1],
                           .kernel = dense ? 1 : layer->plan.kernel,
                           .stride = dense ? 1 : layer->plan.stride,
                           .pad_top = layer->pad_top,
                           .pad_left = layer->pad_left,
                           .oh = layer->out.h,
                           .ow = layer->out.w};
}

/* The first micro-batch of the first epoch, forward. */
static cr_status forward(cr_run *run, int rows)
{
    cr_result result = {0};
    const cr_data_view view = {.part = &run->data.train,
                               .order = run->order,
                               .augment = &run->options.data.augment,
                               .training = true,
                               .seed = (uint64_t)run->options.seed};
    cr_data_order(run->order, run->data.train.count, run->options.data.shuffle,
                  (uint64_t)run->options.seed, 0);
    cr_data_fetch(run->x, run->labels, &view, 0, rows);
    cr_net_begin(run->net, 0, &cr_net_alone);
    return cr_net_forward(run->net, &result, run->x, run->labels, rows, 0, 1.0 / rows);
}

cr_status cr_capture(cr_product **out, cr_run *run, const char *name)
{
    int s = 0;
    cr_net *net = run->net;
    int64_t samples = run->data.train.count;
    int rows = samples < net->rows ? (int)samples : net->rows;
    CR_TRY(find_segment(&s, net, name));
    CR_CHECK(net->segments[s].asked == net->segments[s].n, CR_INTERNAL,
             "expected a network that samples nothing");
    CR_TRY(forward(run, rows));
    const cr_layer *layer = &net->layers[net->segments[s].consumer];
    cr_conv_sizes sizes = sizes_of(layer, rows);
    CR_TRY(cr_product_create(out, &sizes, net->engine));
    cr_product_fill(*out, cr_net_input(net, s), net->parameters + layer->parameters[0].offset);
    return CR_OK;
}
