/*
 * sampling: how many channels the draw of each segment is asked for, in a step and, for the memory,
 * in any step of the schedules.
 */
#include "chain.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

static cr_status check_pattern(const cr_net *net, const char *key, const char *pattern)
{
    char known[1024] = "";
    for (int s = 0; s < net->segment_count; s++) {
        const char *name = net->layers[net->segments[s].consumer].name;
        if (cr_segment_contraction(net, s) == NULL)
            continue;
        if (fnmatch(pattern, name, 0) == 0)
            return CR_OK;
        size_t used = strlen(known);
        (void)snprintf(known + used, sizeof known - used, "%s%s", used > 0 ? ", " : "", name);
    }
    return cr_fail(CR_BAD_CONFIG, __FILE__, __LINE__,
                   "sampling.%s: expected a pattern that matches a layer (%s), found %s", key,
                   known, pattern);
}

static cr_status check_patterns(const cr_net *net)
{
    const cr_sample_options *sampling = &net->sampling;
    for (int i = 0; i < sampling->exact.count; i++)
        CR_TRY(check_pattern(net, "exact", sampling->exact.value[i]));
    for (int i = 0; i < sampling->layers.names.count; i++)
        CR_TRY(check_pattern(net, "layers", sampling->layers.names.value[i]));
    return CR_OK;
}

/* The second sampling is one of plain products. */
static cr_status check_backward(const cr_net *net)
{
    for (int s = 0; s < net->segment_count; s++)
        CR_CHECK(!cr_segment_apart(net, s), CR_BAD_CONFIG,
                 "sampling.backward: expected ratio 1 in a network with layer %s, which has no "
                 "second sampling",
                 net->layers[net->segments[s].consumer].name);
    return CR_OK;
}

static void set_asked(cr_net *net, int s)
{
    cr_segment *segment = &net->segments[s];
    const cr_layer *layer = &net->layers[segment->consumer];
    const cr_sample_options *sampling = &net->sampling;
    if (cr_segment_contraction(net, s) == NULL)
        return;
    segment->backward_ratio = cr_sample_backward_ratio(sampling, layer->name);
    if (segment->source == 0 && layer->parameters[0].rank == 4)
        return; /* the first convolution */
    segment->ratio = cr_sample_ratio(sampling, layer->name);
    segment->asked = cr_sample_count(segment->ratio, segment->way.minimum, segment->n);
}

void cr_net_set_ratios(cr_net *net, double ratio, double backward)
{
    if (net->sampling.ratio == ratio && net->sampling.backward.ratio == backward)
        return;
    net->sampling.ratio = ratio;
    net->sampling.backward.ratio = backward;
    for (int s = 0; s < net->segment_count; s++) {
        set_asked(net, s);
        CR_ASSERT(net->segments[s].asked <= net->segments[s].most);
    }
}

cr_status cr_net_plan_sampling(cr_net *net)
{
    cr_sample_options *sampling = &net->sampling;
    cr_backward_options *backward = &sampling->backward;
    double first = cr_schedule_ratio(&sampling->schedule, sampling->ratio, 0, 0);
    double first_backward = cr_schedule_ratio(&backward->schedule, backward->ratio, 0, 0);
    double low = 0, high = 0;
    CR_TRY(check_patterns(net));
    cr_schedule_range(&low, &high, &sampling->schedule, sampling->ratio);
    for (int s = 0; s < net->segment_count; s++) {
        cr_segment *segment = &net->segments[s];
        segment->way = cr_sample_way_of(sampling, net->layers[segment->consumer].name);
        sampling->ratio = low;
        set_asked(net, s);
        segment->least = segment->asked;
        sampling->ratio = high;
        set_asked(net, s);
        segment->most = cr_draw_most(segment->way.draw, segment->n, segment->asked);
    }
    cr_net_set_ratios(net, first, first_backward);
    cr_schedule_range(&low, &high, &backward->schedule, backward->ratio);
    if (low == 0 || low == 1)
        return CR_OK;
    CR_TRY(check_backward(net));
    net->backward = cr_backward_method_find(backward->method);
    net->backward_draw = cr_draw_find(backward->draw);
    CR_CHECK(net->backward != NULL && net->backward_draw != NULL, CR_BAD_CONFIG,
             "sampling.backward: no method %s or no draw %s", backward->method, backward->draw);
    return CR_OK;
}
