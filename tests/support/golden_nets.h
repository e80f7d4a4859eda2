/* golden_nets: nets that begin with the numbers of tests/golden/nets.py, and how what they do is
 * compared with the summaries that it wrote: picks, and of arrays the norm and two projections. */
#ifndef TEST_GOLDEN_NETS_H
#define TEST_GOLDEN_NETS_H

#include "golden.h"
#include "updates.h"

enum { GOLDEN_PROJECTIONS = 2 };

static const double GOLDEN_CLOSE = 1e-4;

/* Number i of sequence `which`, in (-1, 1): nets.py's. */
static inline double golden_formula(int64_t i, int64_t which)
{
    return 2.0 * (double)((31 * i * i + 17 * i + 101 * which * which + 7) % 10007) / 10007 - 1;
}

/* Kernels as He et al. 2015 spread them, the others near their initial value. */
static inline void golden_set_parameters(cr_net *net)
{
    for (int i = 0; cr_net_parameter(net, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(net, i);
        double fan_in = (double)(p->count / cr_parameter_row(p));
        double scale = p->rank > 1 ? sqrt(6 / fan_in) : 0.2;
        for (int64_t j = 0; j < p->count; j++)
            net->parameters[p->offset + j] = (float)(p->initial + scale * golden_formula(j, i));
    }
}

static inline void golden_pick(golden *g, const cr_net *net, int s)
{
    const cr_pick *pick = &net->segments[s].pick;
    golden_next(g, net->layers[net->segments[s].consumer].name);
    assert_int_equal(g->count, pick->k);
    for (int j = 0; j < pick->k; j++)
        if ((int)g->value[j] != pick->index[j])
            fail_msg("%s: kept channel %d, expected %g", g->name, pick->index[j], g->value[j]);
}

/* Values [count] against the summary `name`. A projection of an error e is about |e| / sqrt(3). */
static inline void golden_values(golden *g, const char *name, const float *found, int64_t count)
{
    double norm = 0, projections[GOLDEN_PROJECTIONS] = {0};
    golden_next(g, name);
    assert_int_equal(g->count, 1 + GOLDEN_PROJECTIONS);
    for (int64_t i = 0; i < count; i++) {
        norm += (double)found[i] * found[i];
        for (int d = 0; d < GOLDEN_PROJECTIONS; d++)
            projections[d] += found[i] * golden_formula(i, 500 + d);
    }
    double gap = fabs(sqrt(norm) - g->value[0]);
    for (int d = 0; d < GOLDEN_PROJECTIONS; d++)
        gap = fmax(gap, sqrt(3) * fabs(projections[d] - g->value[1 + d]));
    if (!(gap <= GOLDEN_CLOSE * g->value[0]))
        fail_msg("%s is off by %.3g", name, gap / g->value[0]);
}

/* An array that lies as the parameters do. */
static inline void golden_arrays(golden *g, const cr_net *net, const float *found)
{
    for (int i = 0; cr_net_parameter(net, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(net, i);
        char name[2 * CR_WORD_MAX];
        (void)snprintf(name, sizeof name, "%s/%s", p->layer, p->name);
        golden_values(g, name, found + p->offset, p->count);
    }
}

/* The loss, the picks and the gradients of the net's step. */
static inline void golden_step(golden *g, const cr_net *net, double loss)
{
    double expected = golden_number(g, "loss");
    ASSERT_NEAR(loss, expected, GOLDEN_CLOSE * expected);
    for (int s = 0; s < net->segment_count; s++)
        if (net->segments[s].most < net->segments[s].n)
            golden_pick(g, net, s);
    float *dense = net_gradient(net);
    golden_arrays(g, net, dense);
    CR_FREE(dense);
}

/* How far the weights have moved from where they began. */
static inline void golden_moves(golden *g, const cr_net *net, const float *start)
{
    float *moved = values_new(net->parameter_count, sizeof(float));
    for (int64_t i = 0; i < net->parameter_count; i++)
        moved[i] = net->parameters[i] - start[i];
    golden_arrays(g, net, moved);
    CR_FREE(moved);
}

#endif
