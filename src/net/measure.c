/*
 * measure: squared norms of the rows of kernels, for scores. The optimizer's loop has every row in
 * cache when it has changed it, so they are worked out there, and a row that it leaves alone keeps
 * its norm; a step that follows no such loop (the first one, a resumed one) works them out itself,
 * with the same sums.
 */
#include "chain.h"

const float *cr_segment_kernel(const cr_net *net, int s)
{
    return net->parameters + net->layers[net->segments[s].consumer].parameters[0].offset;
}

const cr_contraction *cr_segment_contraction(const cr_net *net, int s)
{
    return net->layers[net->segments[s].consumer].type->contraction;
}

const cr_operation *cr_segment_operation(const cr_net *net, int s)
{
    return net->layers[net->segments[s].consumer].type->operation;
}

bool cr_segment_recurs(const cr_net *net, int s)
{
    const cr_operation *operation = cr_segment_operation(net, s);
    return operation != NULL && operation->recurs;
}

bool cr_segment_apart(const cr_net *net, int s)
{
    const cr_segment *segment = &net->segments[s];
    return cr_segment_contraction(net, s) != NULL &&
           (segment->target < 0 || segment->fills || cr_segment_recurs(net, s));
}

static double *norms_of(const cr_net *net, int i)
{
    const cr_parameter *p = net->list[i];
    const cr_segment *segment = &net->segments[p->segment];
    const cr_layer *consumer = &net->layers[segment->consumer];
    bool is_kernel = consumer->type->contraction != NULL && p == &consumer->parameters[0];
    return is_kernel ? segment->row_norms : NULL;
}

void cr_net_measure_rows(cr_net *net, int i, int64_t first, int64_t rows)
{
    const cr_parameter *p = net->list[i];
    double *norms = norms_of(net, i);
    if (norms == NULL)
        return;
    int64_t row = cr_parameter_row(p);
    cr_kernel_row_norms(norms + first, net->parameters + p->offset + first * row, rows, (int)row);
}

void cr_net_measured(cr_net *net)
{
    net->measured = true;
}

void cr_segment_weight_norms(cr_net *net, int s, double *norms)
{
    cr_segment *segment = &net->segments[s];
    const cr_layer *layer = &net->layers[segment->consumer];
    int64_t rows = layer->parameters[0].count / cr_parameter_row(&layer->parameters[0]);
    if (!net->measured || !segment->has_row_norms)
        cr_kernel_row_norms(segment->row_norms, cr_segment_kernel(net, s), rows,
                            cr_kernel_out(layer));
    segment->has_row_norms = true;
    layer->type->contraction->channel_norms(layer, norms, segment->row_norms);
}
