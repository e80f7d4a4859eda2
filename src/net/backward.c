/* backward: last segment to first, compact: only live outputs, only kept inputs. */
#include "chain.h"

static void weight_gradient(cr_net *net, int s, const float *dy, bool first, int block)
{
    const cr_segment *segment = &net->segments[s];
    cr_segment_contraction(net, s)->weight_gradient(
        &net->layers[segment->consumer], net->engine, net->gradient + net->blocks[block].offset,
        segment->input, dy, cr_segment_rows(net, s), segment->pick.k, net->segments[s + 1].pick.k,
        !first);
    cr_segment_count(net, s, 2);
}

static void input_gradient(cr_net *net, int s, float *dx, const float *dy)
{
    const cr_segment *segment = &net->segments[s];
    cr_segment_contraction(net, s)->input_gradient(&net->layers[segment->consumer], net->engine, dx,
                                                   dy, segment->w_live, cr_segment_rows(net, s),
                                                   segment->pick.k, net->segments[s + 1].pick.k);
    cr_segment_count(net, s, 1);
}

/* The gradient of the whole is in its last block, padding included, when `block` are done. */
static int64_t end_of(const cr_net *net, int block)
{
    return block < net->block_count ? net->blocks[block].offset : net->gradient_count;
}

cr_status cr_net_backward(cr_net *net, bool first, cr_net_finished finished, void *self)
{
    int block = 0;
    float *dy = net->flow[0]; /* the loss's gradient */
    float *dx = net->flow[1];
    cr_phase previous = cr_phase_enter(CR_PHASE_BACKWARD);
    cr_chain_backward(net, net->segment_count - 1, dy, first, &block);
    for (int s = net->segment_count - 2; s >= 0; s--) {
        weight_gradient(net, s, dy, first, block++);
        if (s > 0) {
            input_gradient(net, s, dx, dy);
            cr_chain_backward(net, s, dx, first, &block);
        }
        if (finished != NULL)
            CR_TRY(finished(self, end_of(net, block)));
        float *other = dy;
        dy = dx;
        dx = other;
    }
    cr_phase_leave(previous);
    return CR_OK;
}
