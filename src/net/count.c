/* count: multiply-accumulates, as the paper counts them and as they were executed (design, section
 * 3). */
#include "chain.h"

void cr_segment_count(cr_net *net, int s, int product)
{
    cr_macs one =
        cr_net_macs(net, s, product, net->segments[s].pick.k, net->segments[s + 1].pick.k);
    cr_macs *sum = &net->segments[s].macs[product];
    sum->exact += one.exact * net->pass_rows;
    sum->paper += one.paper * net->pass_rows;
    sum->executed += one.executed * net->pass_rows;
}

cr_macs cr_net_macs(const cr_net *net, int s, int product, int k, int live)
{
    const cr_layer *layer = &net->layers[net->segments[s].consumer];
    const cr_contraction *type = layer->type->contraction;
    if (s == 0 && product == 1)
        return (cr_macs){0}; /* the data needs no gradient */
    int out = layer->out.c;
    return (cr_macs){.exact = type->macs(layer, net->segments[s].n, out),
                     .paper = type->macs(layer, k, out),
                     .executed = type->macs(layer, k, product == 0 ? out : live)};
}

cr_macs cr_net_counted(const cr_net *net)
{
    cr_macs sum = {0};
    for (int s = 0; s + 1 < net->segment_count; s++) {
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
