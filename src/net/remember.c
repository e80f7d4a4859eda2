/*
 * remember: scores by the norms that the inputs had in the last step, so that all picks of a step
 * are known before it begins. Each micro-batch's squared norms travel behind its gradients and are
 * summed with them; after the step
 *
 *     m_i = sum over all micro-batches of |X_i|_F^2 / (samples positions)
 *
 * is the mean square of channel i, the same on every rank, and stands for |X_i|_F^2 in the scores
 * of the next step: scores may have any common factor. Of channels that were not worked out
 * (lookahead) the old m_i stays. The first step, which knows none, works out all.
 */
#include "chain.h"

#include <string.h>

void cr_remember_lay_out(cr_net *net, cr_arena *arena)
{
    net->remembered_count = 0;
    for (int s = 0; net->remembers && s < net->segment_count; s++) {
        cr_segment *segment = &net->segments[s];
        if (segment->least == segment->n || !segment->way.score->needs_inputs)
            continue; /* never sampled, or not by its inputs */
        segment->remembered_offset = net->remembered_count;
        segment->squares = cr_arena_take(arena, segment->n, sizeof(double));
        net->remembered_count += segment->n;
    }
    net->remembered = cr_arena_take(arena, net->remembered_count, sizeof(float));
}

float *cr_net_remembered(const cr_net *net, int s)
{
    const cr_segment *segment = &net->segments[s];
    return segment->squares != NULL ? net->remembered + segment->remembered_offset : NULL;
}

void cr_remember_nothing(cr_net *net)
{
    net->knows = false;
    for (int64_t i = 0; i < net->remembered_count; i++)
        net->remembered[i] = 1;
}

void cr_remember_recall(const cr_net *net, int s, double *norms)
{
    const float *means = cr_net_remembered(net, s);
    for (int c = 0; c < net->segments[s].n; c++)
        norms[c] = means[c];
}

void cr_remember_take(cr_net *net, int s)
{
    if (net->segments[s].squares == NULL)
        return;
    cr_phase previous = cr_phase_enter(CR_PHASE_SAMPLE);
    cr_chain_norms(net, s, net->segments[s].squares);
    cr_phase_leave(previous);
}

void cr_remember_add(cr_net *net, bool first)
{
    for (int s = 0; s < net->segment_count; s++) {
        const cr_segment *segment = &net->segments[s];
        float *to = net->gradient + net->remembered_offset + segment->remembered_offset;
        for (int c = 0; segment->squares != NULL && c < segment->n; c++)
            to[c] = (float)(first ? segment->squares[c] : to[c] + segment->squares[c]);
    }
}

/* sums [remembered_count] */
static void remember(cr_net *net, int s, const float *sums, int64_t labels)
{
    const cr_segment *segment = &net->segments[s];
    bool compact = cr_tensor_is_compact(net, segment->source);
    double rows = (double)labels / net->positions * cr_segment_positions(net, s);
    float *means = cr_net_remembered(net, s);
    for (int j = 0; j < (compact ? segment->pick.k : segment->n); j++) {
        int c = compact ? segment->pick.index[j] : j;
        means[c] = (float)(sums[segment->remembered_offset + c] / rows);
    }
}

void cr_net_remember(cr_net *net, const float *compact, int64_t labels)
{
    for (int s = 0; s < net->segment_count; s++)
        if (net->segments[s].squares != NULL)
            remember(net, s, compact + net->remembered_offset, labels);
    net->knows = net->remembers;
}
