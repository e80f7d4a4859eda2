/*
 * pattern: what a rank does in a step, as computing between messages.
 *
 *     first forward pass      layer by layer; the pick of a sampled one is broadcast, waited for
 *     other micro-batches     forward and backward, no message
 *     last backward pass      last layer to first; gradients gather in a bucket, a full one goes
 *                             into flight, one behind the other (or all at the end)
 *     wait, update
 *
 * Seconds are those of a measured cell by phase: what follows the samples (products, channelwise
 * layers, loss, loading) in proportion to them, what is done once a step (scores, weights, update)
 * as it is. Within a pass a layer has the share that it has of the multiply-accumulates.
 */
#include "colrow/scaling.h"

#include "colrow/dist.h"

#include <math.h>

/* Seconds of the phases that make up a step; the mean of each scaled to the median step. */
typedef struct pace {
    double prepare, forward, backward, update;
} pace;

static pace pace_of(const cr_scaling_cell *cell, double samples)
{
    const double *ms = cell->phase_ms;
    double total = 0;
    for (int p = CR_PHASE_LOAD; p <= CR_PHASE_UPDATE; p++)
        total += ms[p];
    double second = total > 0 ? 1e-3 * cell->step_ms / total : 0; /* for a millisecond of a phase */
    double scale = samples * cell->ranks / cell->batch;
    return (pace){.prepare = second * (ms[CR_PHASE_SAMPLE] + ms[CR_PHASE_PREPARE]),
                  .forward = second * scale *
                             (ms[CR_PHASE_LOAD] + ms[CR_PHASE_FORWARD] +
                              ms[CR_PHASE_CONTRACT_FORWARD] + ms[CR_PHASE_LOSS]),
                  .backward =
                      second * scale * (ms[CR_PHASE_BACKWARD] + ms[CR_PHASE_CONTRACT_BACKWARD]),
                  .update = second * ms[CR_PHASE_UPDATE]};
}

/* ---- a network's layers ---------------------------------------------------------------------- */

static bool contracts(const cr_net *net, int s)
{
    return net->layers[net->segments[s].consumer].type->contraction != NULL;
}

static double macs(const cr_net *net, int s, int product)
{
    if (!contracts(net, s))
        return 0;
    return (double)cr_net_macs(net, s, product, net->segments[s].asked, cr_net_live_asked(net, s))
        .executed;
}

static double forward_macs(const cr_net *net, int s)
{
    return macs(net, s, 0);
}

static double backward_macs(const cr_net *net, int s)
{
    return macs(net, s, 1) + macs(net, s, 2);
}

/* Share of segment s in a pass. */
static double share_of(const cr_net *net, int s, double (*count)(const cr_net *net, int s))
{
    double sum = 0;
    for (int i = 0; i < net->segment_count; i++)
        sum += count(net, i);
    return sum > 0 ? count(net, s) / sum : 1.0 / net->segment_count;
}

/* Floats of a segment's gradient as it travels: of its kernel the kept rows and live columns, of
 * other parameters the live columns, of its chain the kept channels. */
static double gradient_floats(const cr_net *net, int s)
{
    const cr_segment *segment = &net->segments[s];
    const cr_layer *layer = &net->layers[segment->consumer];
    double kept = (double)segment->asked / segment->n;
    double floats = 0;
    for (int i = 0; i < layer->parameter_count; i++) {
        const cr_parameter *p = &layer->parameters[i];
        double rows = (double)p->count / (double)cr_parameter_row(p);
        floats += rows * (i == 0 && contracts(net, s) ? kept : 1) * cr_net_live_asked(net, s);
    }
    for (int c = 0; c < segment->chain_count; c++) {
        const cr_layer *link = &net->layers[segment->chain_first + c];
        for (int i = 0; i < link->parameter_count; i++)
            floats += (double)link->parameters[i].count * kept;
    }
    return floats;
}

/* Indices and scales, their number and their hash. */
static double pick_bytes(const cr_net *net, int s)
{
    return 4.0 * (2 + 2 * net->segments[s].asked);
}

/* ---- events ---------------------------------------------------------------------------------- */

static cr_status add(cr_pattern *pattern, double seconds, cr_event_kind kind, double bytes)
{
    CR_TRY(cr_reserve((void **)&pattern->events, pattern->count, sizeof *pattern->events));
    pattern->events[pattern->count++] = (cr_event){seconds, kind, bytes};
    return CR_OK;
}

/* The first forward pass; *left: seconds of computing since the last message. */
static cr_status add_forward(cr_pattern *pattern, const cr_pattern_plan *plan, double seconds,
                             double *left)
{
    const cr_net *net = plan->net;
    for (int s = 0; s < net->segment_count; s++) {
        *left += seconds * share_of(net, s, forward_macs);
        if (!plan->agrees || net->segments[s].asked == net->segments[s].n)
            continue;
        CR_TRY(add(pattern, *left, CR_EVENT_AGREE, pick_bytes(net, s)));
        *left = 0;
    }
    return CR_OK;
}

/* Bytes of all gradients. */
static double gradient_bytes(const cr_pattern_plan *plan)
{
    double floats = 0;
    for (int s = 0; s < plan->net->segment_count; s++)
        floats += gradient_floats(plan->net, s);
    return floats * plan->float_bytes;
}

/* The last backward pass. */
static cr_status add_backward(cr_pattern *pattern, const cr_pattern_plan *plan, double seconds,
                              double left)
{
    const cr_net *net = plan->net;
    double bytes = 0;
    double to_come = gradient_bytes(plan);
    double behind = (double)(net->statistics_count + net->gradient_extra) * sizeof(float);
    for (int s = net->segment_count - 1; s >= 0; s--) {
        double more = gradient_floats(net, s) * plan->float_bytes;
        left += seconds * share_of(net, s, backward_macs);
        bytes += more;
        to_come -= more;
        if (!plan->overlaps ||
            !cr_dist_is_full((int64_t)bytes, (int64_t)to_come, plan->bucket_bytes))
            continue;
        CR_TRY(add(pattern, left, CR_EVENT_SUM, bytes));
        left = bytes = 0;
    }
    CR_TRY(add(pattern, left, CR_EVENT_SUM, bytes + behind));
    return add(pattern, 0, CR_EVENT_WAIT, 0);
}

static cr_status make(cr_pattern *pattern, const cr_pattern_plan *plan)
{
    pace times = pace_of(plan->cell, plan->samples);
    double micro_batches = ceil(plan->samples / plan->micro_batch);
    double left = 0;
    double forward = times.forward / micro_batches;
    double backward = times.backward / micro_batches;
    CR_TRY(add_forward(pattern, plan, forward + times.prepare, &left));
    left += (micro_batches - 1) * (forward + backward);
    CR_TRY(add_backward(pattern, plan, backward, left));
    return add(pattern, times.update, CR_EVENT_END, 0);
}

cr_status cr_pattern_make(cr_pattern *out, const cr_pattern_plan *plan)
{
    cr_pattern made = {.events = NULL};
    cr_status status = make(&made, plan);
    if (status == CR_OK)
        *out = made;
    else
        cr_pattern_free(&made);
    return status;
}

void cr_pattern_free(cr_pattern *pattern)
{
    CR_FREE(pattern->events);
    pattern->count = 0;
}

/* ---- its time -------------------------------------------------------------------------------- */

cr_step_time cr_pattern_time(const cr_pattern *pattern, const cr_network *network, int ranks)
{
    cr_step_time time = {.step = 0};
    double idle = 0; /* when the network has done what is in flight */
    for (const cr_event *e = pattern->events; e < pattern->events + pattern->count; e++) {
        time.step += e->seconds;
        if (e->kind == CR_EVENT_AGREE) {
            double seconds = cr_network_broadcast(network, e->bytes, ranks);
            time.agree += seconds;
            time.step += seconds;
        } else if (e->kind == CR_EVENT_SUM) {
            double seconds = cr_network_allreduce(network, e->bytes, ranks);
            time.comm += seconds;
            idle = (idle > time.step ? idle : time.step) + seconds;
        } else if (e->kind == CR_EVENT_WAIT && idle > time.step) {
            time.wait += idle - time.step;
            time.step = idle;
        }
    }
    return time;
}

/* ---- as text --------------------------------------------------------------------------------- */

static void print(FILE *file, const void *what)
{
    static const char *const words[] = {"agree", "sum", "wait", "end"};
    const cr_pattern *pattern = what;
    (void)fputs("# seconds of computing, then: agree|sum|wait|end, bytes\n", file);
    for (const cr_event *e = pattern->events; e < pattern->events + pattern->count; e++)
        (void)fprintf(file, "%.9g %s %.0f\n", e->seconds, words[e->kind], e->bytes);
}

cr_status cr_pattern_write(const cr_pattern *pattern, const char *path)
{
    return cr_file_print(path, print, pattern);
}
