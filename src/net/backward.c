/* backward: last segment to first, compact: only live outputs, only kept inputs. */
#include "chain.h"

static void weight_gradient(cr_net *net, int s, const float *dy, bool first, int block)
{
    const cr_segment *segment = &net->segments[s];
    float *dw = net->gradient + net->blocks[block].offset;
    cr_contract c = cr_segment_contract(net, s, segment->pick.k, segment->live->k);
    cr_phase previous = cr_phase_enter(CR_PHASE_CONTRACT_BACKWARD);
    if (segment->thin_weights)
        cr_resample_weight_gradient(net, s, dw, dy, !first);
    else
        cr_segment_contraction(net, s)->weight_gradient(&c, dw, segment->input, dy, !first);
    cr_phase_leave(previous);
    cr_segment_count(net, s, 2);
}

static void input_gradient(cr_net *net, int s, float *dx, const float *dy)
{
    if (cr_segment_prepares_each(net, s) && !cr_resample_thins_inputs(net, s))
        cr_segment_prepare_live(net, s);
    const cr_segment *segment = &net->segments[s];
    const cr_layer *layer = &net->layers[segment->consumer];
    if (layer->type->mapping != NULL) {
        const cr_layer mapping = cr_segment_mapping(net, s);
        const cr_pick *active = segment->active;
        cr_tile channels = {.k = active->k,
                            .index = active->k == mapping.in.c ? NULL : active->index};
        layer->type->mapping->backward(&mapping, dx, dy, segment->input, &channels, net->pass_rows);
        return;
    }
    cr_contract c = cr_segment_contract(net, s, segment->pick.k, segment->live->k);
    cr_phase previous = cr_phase_enter(CR_PHASE_CONTRACT_BACKWARD);
    if (segment->thin_inputs)
        cr_resample_input_gradient(net, s, dx, dy);
    else
        layer->type->contraction->input_gradient(&c, dx, dy, segment->w_live);
    cr_phase_leave(previous);
    cr_segment_count(net, s, 1);
}

static void operate(cr_net *net, int s, float *dx, bool first, int *block)
{
    const cr_segment *segment = &net->segments[s];
    const cr_operation *operation = cr_segment_operation(net, s);
    cr_turn turn = cr_segment_turn(net, s);
    turn.x = segment->input;
    turn.w = segment->w;
    turn.w_live = segment->w_live;
    turn.kept = segment->kept;
    turn.dx = dx;
    turn.accumulate = !first;
    for (int i = 0; i < turn.contract.layer->parameter_count; i++)
        turn.dp[i] = net->gradient + net->blocks[(*block)++].offset;
    cr_phase previous =
        cr_phase_enter(operation->ends ? CR_PHASE_LOSS : CR_PHASE_CONTRACT_BACKWARD);
    operation->backward(&turn);
    cr_phase_leave(previous);
    cr_segment_count(net, s, 1);
    cr_segment_count(net, s, 2);
}

/* Where the gradient's floats end that are final when `block` blocks are done. */
static int64_t end_of(const cr_net *net, int block)
{
    return block < net->block_count ? net->blocks[block].offset : net->gradient_count;
}

/* One segment: its parameters' gradients, and that of its source. */
static cr_status run_segment(cr_net *net, int s, bool first, int *block)
{
    const cr_segment *segment = &net->segments[s];
    float *dx = cr_tensor_gradient_of(net, s); /* of the loss: there since the forward pass */
    cr_chain_write_again(net, s);
    if (cr_segment_operation(net, s) != NULL) {
        operate(net, s, dx, first, block);
    } else if (segment->target >= 0) {
        const float *dy = net->tensors[segment->target].gradient + segment->column;
        if (cr_segment_contraction(net, s) != NULL) {
            CR_TRY(cr_resample_choose(net, s, dy));
            weight_gradient(net, s, dy, first, (*block)++);
        }
        if (dx != NULL)
            input_gradient(net, s, dx, dy);
    }
    if (dx != NULL)
        CR_TRY(cr_chain_backward(net, s, dx, first, block));
    return CR_OK;
}

cr_status cr_net_backward(cr_net *net, bool first, cr_net_finished finished, void *self)
{
    int block = 0;
    cr_phase previous = cr_phase_enter(CR_PHASE_BACKWARD);
    cr_gradient_add_statistics(net, first);
    cr_remember_add(net, first);
    for (int s = net->segment_count - 1; s >= 0; s--) {
        CR_TRY(run_segment(net, s, first, &block));
        if (finished != NULL)
            CR_TRY(finished(self, end_of(net, block)));
    }
    cr_phase_leave(previous);
    return CR_OK;
}
