/* count: multiply-accumulates, as the paper counts them and as they were executed (design, section
 * 3). */
#include "chain.h"

/* What the sums of a contraction's products run over. */
typedef struct reach {
    int k, live;     /* kept inputs, live outputs */
    int worked_out;  /* outputs of the forward product */
    int outputs;     /* of these, those that the second sampling kept */
    int examples;    /* samples that it kept for the weight gradient ... */
    int64_t samples; /* ... of so many */
} reach;

/* The outputs that the paper charges the input gradient for: it knows no dead ones, so where none
 * of the live were dropped it has what was asked for. */
static int64_t charged(const cr_net *net, int s, const reach *r)
{
    int asked = cr_resample_outputs(net, s);
    return r->outputs < r->live || asked < r->outputs ? r->outputs : asked;
}

static cr_macs macs_of(const cr_net *net, int s, int product, const reach *r)
{
    const cr_segment *segment = &net->segments[s];
    const cr_layer *layer = &net->layers[segment->consumer];
    if (segment->source == 0 && product == 1)
        return (cr_macs){0}; /* the data needs no gradient */
    int64_t channel = (int64_t)cr_kernel_taps(layer) * layer->out.h * layer->out.w;
    int64_t out = cr_kernel_out(layer);
    bool by_sample = net->backward == NULL || net->backward->by_sample;
    cr_macs macs = {.exact = channel * segment->n * out * r->samples,
                    .paper = channel * r->k * out * r->samples,
                    .executed = channel * r->k * r->worked_out * r->samples};
    if (product == 2 && by_sample) {
        macs.paper = channel * r->k * out * r->examples;
        macs.executed = channel * r->k * r->live * r->examples;
    } else if (product > 0) {
        macs.paper = channel * r->k * charged(net, s, r) * r->samples;
        macs.executed = channel * r->k * r->outputs * r->samples;
    }
    return macs;
}

void cr_segment_count(cr_net *net, int s, int product)
{
    cr_segment *segment = &net->segments[s];
    if (cr_segment_contraction(net, s) == NULL)
        return;
    bool by_output = segment->thin_inputs || (segment->thin_weights && !net->backward->by_sample);
    bool by_sample = segment->thin_weights && net->backward->by_sample;
    reach r = {.k = segment->pick.k,
               .live = segment->live->k,
               .worked_out = cr_segment_outputs(net, s),
               .outputs = by_output ? segment->outputs.k : segment->live->k,
               .examples = by_sample ? segment->examples.k : net->pass_rows,
               .samples = net->pass_rows};
    cr_macs one = macs_of(net, s, product, &r);
    cr_macs *sum = &segment->macs[product];
    sum->exact += one.exact;
    sum->paper += one.paper;
    sum->executed += one.executed;
}

cr_macs cr_net_macs(const cr_net *net, int s, int product, int k, int live)
{
    int outputs = cr_resample_outputs(net, s);
    const cr_segment *segment = &net->segments[s];
    bool skips = segment->target >= 0 && net->tensors[segment->target].skips;
    reach r = {.k = k,
               .live = live,
               .worked_out = skips ? live : cr_segment_channels(net, s),
               .outputs = outputs < live ? outputs : live,
               .examples = cr_resample_examples(net, s, net->rows),
               .samples = net->rows};
    cr_macs all = macs_of(net, s, product, &r);
    return (cr_macs){all.exact / net->rows, all.paper / net->rows, all.executed / net->rows};
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
