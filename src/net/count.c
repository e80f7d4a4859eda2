/* count: multiply-accumulates, as the paper counts them and as they were executed (design, section
 * 3). */
#include "chain.h"

void cr_segment_count(cr_net *net, int s, int product)
{
    cr_segment *segment = &net->segments[s];
    if (cr_segment_contraction(net, s) == NULL)
        return;
    cr_macs one = cr_net_macs(net, s, product, segment->pick.k, segment->live->k);
    cr_macs *sum = &segment->macs[product];
    sum->exact += one.exact * net->pass_rows;
    sum->paper += one.paper * net->pass_rows;
    sum->executed += one.executed * net->pass_rows;
}

cr_macs cr_net_macs(const cr_net *net, int s, int product, int k, int live)
{
    const cr_segment *segment = &net->segments[s];
    const cr_layer *layer = &net->layers[segment->consumer];
    if (segment->source == 0 && product == 1)
        return (cr_macs){0}; /* the data needs no gradient */
    int64_t channel = (int64_t)cr_kernel_taps(layer) * layer->out.h * layer->out.w;
    int64_t out = layer->out.c;
    return (cr_macs){.exact = channel * segment->n * out,
                     .paper = channel * k * out,
                     .executed = channel * k * (product == 0 ? out : live)};
}

cr_macs cr_net_counted(const cr_net *net)
{
    cr_macs sum = {0};
    for (int s = 0; s < net->segment_count; s++) {
        for (int p = 0; p < 3; p++) {
            sum.exact += net->segments[s].macs[p].exact;
            sum.paper += net->segments[s].macs[p].paper;
            sum.executed += net->segments[s].macs[p].executed;
        }
    }
    return sum;
}

double cr_macs_reduction_paper(const cr_macs *macs)
{
    return macs->exact > 0 ? 1 - (double)macs->paper / (double)macs->exact : 0;
}

double cr_macs_reduction_executed(const cr_macs *macs)
{
    return macs->exact > 0 ? 1 - (double)macs->executed / (double)macs->exact : 0;
}
