/*
 * bucket: gradients on their way. The backward pass makes them final piece by piece; they gather in
 * buckets, which go into flight while the pass goes on. Towards its end buckets become smaller, so
 * that little is left to be waited for when it is over.
 */
#include "bucket.h"

#include <string.h>

/* The smallest bucket is this part of a full one; the others and the smaller ones can all be in
 * flight. */
enum { LAST_PARTS = 8, FULL_BUCKETS_MOST = CR_COMM_FLIGHTS - 32 };

static const cr_dist_wire wires[] = {
    {"f32", 4, false, cr_comm_sum_begin},
    {"bf16", 2, true, cr_comm_sum_begin_bf16},
};

const char *const *cr_wire_names(void)
{
    static const char *const names[] = {"f32", "bf16", NULL};
    return names;
}

const cr_dist_wire *cr_wire_find(const char *name)
{
    for (size_t i = 0; i < sizeof wires / sizeof *wires; i++)
        if (strcmp(wires[i].name, name) == 0)
            return &wires[i];
    return &wires[0];
}

/* As asked for, but never so small that a step's gradients are more flights than there can be. */
int64_t cr_bucket_bytes(const cr_dist *dist)
{
    int64_t least = cr_net_message_floats(dist->net) * dist->wire->bytes / FULL_BUCKETS_MOST;
    return least > dist->options.bucket_bytes ? least : dist->options.bucket_bytes;
}

/* Put what is final and not yet sent into flight. */
static cr_status send_to(cr_dist *dist, float *values, int64_t end, const cr_dist_wire *wire)
{
    int64_t count = end - dist->sent;
    dist->wire_bytes += count * wire->bytes;
    CR_TRY(wire->begin(dist->comm, values + dist->sent, count));
    dist->sent = end;
    return CR_OK;
}

/* The layer whose gradient ends at float `end` of the compact one; NULL before the first. */
static const char *layer_before(const cr_net *net, int64_t end)
{
    const char *name = NULL;
    for (int b = 0; b < net->block_count && net->blocks[b].offset < end; b++)
        name = net->blocks[b].layer->name;
    return name;
}

bool cr_dist_is_full(int64_t bytes, int64_t left, int64_t bucket)
{
    return bytes >= bucket || (bytes >= bucket / LAST_PARTS && bytes >= left);
}

cr_status cr_bucket_finished(void *self, int64_t end)
{
    cr_dist *dist = self;
    int64_t gradients = end < dist->net->statistics_offset ? end : dist->net->statistics_offset;
    int64_t bytes = (gradients - dist->sent) * dist->wire->bytes;
    int64_t left = (dist->net->statistics_offset - gradients) * dist->wire->bytes;
    cr_comm_at(dist->comm, dist->step, layer_before(dist->net, end));
    if (bytes > 0 && cr_dist_is_full(bytes, left, dist->bucket))
        CR_TRY(send_to(dist, dist->net->gradient, gradients, dist->wire));
    return cr_comm_progress(dist->comm);
}

cr_status cr_bucket_rest(cr_dist *dist, float *values, int64_t end, int64_t end_all)
{
    if (dist->wire->rounds)
        CR_TRY(send_to(dist, values, end, dist->wire));
    CR_TRY(send_to(dist, values, end_all, &wires[0]));
    return cr_comm_wait(dist->comm);
}
