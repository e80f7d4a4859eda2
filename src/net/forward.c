/* forward: segment by segment: pick, chain, contract; at the end the loss and its gradient. */
#include "chain.h"

#include <string.h>

const float *cr_segment_kernel(const cr_net *net, int s)
{
    return net->pass.parameters + net->layers[net->segments[s].consumer].parameters[0].offset;
}

const cr_contraction *cr_segment_contraction(const cr_net *net, int s)
{
    return net->layers[net->segments[s].consumer].type->contraction;
}

cr_status cr_net_choose(cr_net *net, int s, cr_pick *pick, uint32_t who)
{
    const cr_segment *segment = &net->segments[s];
    const cr_layer *consumer = &net->layers[segment->consumer];
    if (net->score->needs_inputs)
        cr_chain_norms(net, s, net->norms[0]);
    if (net->score->needs_weights)
        cr_segment_weight_norms(net, s, net->norms[1]);
    net->score->combine(net->scores, net->norms[0], net->norms[1], segment->n);
    cr_draw_request request = {
        .n = segment->n,
        .k = segment->most,
        .scores = net->scores,
        .uniform = !net->score->needs_inputs && !net->score->needs_weights,
        .scale = net->sampling.scale,
        .key = {net->seed, CR_STREAM_SAMPLE, (uint32_t)consumer->index, net->pass.step, who},
        .scratch = net->draw_scratch};
    cr_status status = cr_sample_draw(pick, net->draw, &request);
    return status == CR_OK
               ? CR_OK
               : cr_fail_prefix(status, "step %u layer %s", net->pass.step, consumer->name);
}

static cr_status choose_alone(void *self, cr_net *net, int segment, cr_pick *pick)
{
    (void)self;
    return cr_net_choose(net, segment, pick, 0);
}

const cr_agreement cr_net_alone = {.choose = choose_alone};

/* The pick of a segment and the weights it keeps; once a step. */
static cr_status pick_channels(cr_net *net, int s)
{
    cr_segment *segment = &net->segments[s];
    const cr_contraction *type = cr_segment_contraction(net, s);
    if (net->picked || type == NULL)
        return CR_OK;
    segment->w = cr_segment_kernel(net, s);
    if (segment->most == segment->n)
        return CR_OK; /* the pick was made all channels by cr_net_begin */
    cr_phase previous = cr_phase_enter(CR_PHASE_SAMPLE);
    CR_TRY(net->agreement->choose(net->agreement->self, net, s, &segment->pick));
    type->gather(&net->layers[segment->consumer], segment->weights, segment->w, &segment->pick);
    segment->w = segment->weights;
    cr_phase_leave(previous);
    return CR_OK;
}

/* When all picks are known: the weights of live outputs, and where gradients will lie. */
static void finish_picks(cr_net *net)
{
    if (net->picked)
        return;
    cr_phase previous = cr_phase_enter(CR_PHASE_SAMPLE);
    for (int s = 0; s + 1 < net->segment_count; s++) {
        cr_segment *segment = &net->segments[s];
        const cr_pick *live = &net->segments[s + 1].pick;
        segment->w_live = segment->w;
        if (s == 0 || cr_pick_is_all(live))
            continue; /* the data needs no gradient */
        cr_segment_contraction(net, s)->gather_live(&net->layers[segment->consumer],
                                                    segment->weights_live, segment->w,
                                                    segment->pick.k, live);
        segment->w_live = segment->weights_live;
    }
    cr_gradient_plan(net);
    net->picked = true;
    net->measured = false; /* until the next update has measured them */
    cr_phase_leave(previous);
}

void cr_net_begin(cr_net *net, uint32_t step, const cr_agreement *agreement)
{
    net->pass =
        (cr_pass){.parameters = net->parameters, .seed = net->seed, .step = step, .training = true};
    net->agreement = agreement;
    net->picked = false;
    for (int s = 0; s < net->segment_count; s++)
        if (!cr_pick_is_all(&net->segments[s].pick))
            cr_pick_all(&net->segments[s].pick);
}

static cr_status run_segment(cr_net *net, int s)
{
    cr_segment *segment = &net->segments[s];
    CR_TRY(pick_channels(net, s));
    cr_chain_write(net, s);
    const cr_contraction *type = cr_segment_contraction(net, s);
    if (type == NULL)
        return CR_OK;
    type->forward(&net->layers[segment->consumer], net->engine, segment->y, segment->input,
                  segment->w, cr_segment_rows(net, s), segment->pick.k);
    net->segments[s + 1].x = segment->y;
    return CR_OK;
}

cr_status cr_net_forward(cr_net *net, cr_result *result, const float *x, const int *labels,
                         int rows, uint32_t first_sample, double scale)
{
    const cr_segment *last = &net->segments[net->segment_count - 1];
    const cr_layer *loss = &net->layers[last->consumer];
    CR_ASSERT(rows <= net->rows);
    net->pass.first_sample = first_sample;
    net->pass_rows = rows;
    net->segments[0].x = x;
    cr_phase previous = cr_phase_enter(CR_PHASE_FORWARD);
    for (int s = 0; s < net->segment_count; s++)
        CR_TRY(run_segment(net, s));
    finish_picks(net);
    for (int s = 0; s + 1 < net->segment_count; s++)
        cr_segment_count(net, s, 0);
    (void)cr_phase_enter(CR_PHASE_LOSS);
    loss->type->loss->run(loss, result, net->flow[0], last->input, labels, rows, scale);
    cr_phase_leave(previous);
    return CR_OK;
}

cr_status cr_net_evaluate(cr_net *net, cr_result *result, const float *x, const int *labels,
                          int rows)
{
    CR_ASSERT(rows <= net->rows);
    net->pass = (cr_pass){.parameters = net->parameters, .seed = net->seed};
    net->pass_rows = rows;
    float *now = net->evaluation[0];
    float *next = net->evaluation[1];
    const cr_segment *first = &net->segments[0];
    memcpy(now, x, (size_t)cr_segment_rows(net, 0) * (size_t)first->n * sizeof(float));
    for (int s = 0; s < net->segment_count; s++) {
        const cr_layer *consumer = &net->layers[net->segments[s].consumer];
        cr_chain_evaluate(net, s, now, cr_segment_rows(net, s));
        if (consumer->type->loss != NULL) {
            consumer->type->loss->run(consumer, result, NULL, now, labels, rows, 1);
            break;
        }
        consumer->type->contraction->forward(consumer, net->engine, next, now,
                                             cr_segment_kernel(net, s), cr_segment_rows(net, s),
                                             net->segments[s].n);
        float *other = now;
        now = next;
        next = other;
    }
    return CR_OK;
}
