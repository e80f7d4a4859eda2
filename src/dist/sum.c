/*
 * sum: sums over ranks in the middle of a pass: norms for the agreement `global`, and what batch
 * norm makes its statistics from where they are those of the global batch
 * (network.batch_norm.sync).
 */
#include "sum.h"

size_t cr_sum_most(const cr_net *net)
{
    int most = 0;
    for (int s = 0; s < net->segment_count; s++)
        most = net->segments[s].n > most ? net->segments[s].n : most;
    return 2 * (size_t)most + 1; /* of batch norm: two sums a channel, and the rows */
}

cr_status cr_sum_over_ranks(cr_dist *dist, double *values, int count)
{
    if (cr_comm_size(dist->comm) == 1)
        return CR_OK;
    cr_phase previous = cr_phase_enter(CR_PHASE_AGREE);
    if (dist->options.deterministic)
        CR_TRY(cr_comm_sum_fixed(dist->comm, values, count, dist->norms));
    else
        CR_TRY(cr_comm_sum(dist->comm, values, count));
    dist->wire_bytes += count * (int64_t)sizeof *values;
    cr_phase_leave(previous);
    return CR_OK;
}

static cr_status sum(void *self, double *values, int count)
{
    return cr_sum_over_ranks(self, values, count);
}

cr_status cr_sum_statistics(cr_dist *dist)
{
    int ranks = cr_comm_size(dist->comm);
    if (!dist->options.batch_norm.sync)
        return CR_OK;
    CR_CHECK(
        dist->micro_batches_most == ranks, CR_BAD_CONFIG,
        "network.batch_norm.sync: expected one micro-batch a rank (%d), as all of a batch must be "
        "under way together, found %d a step; set micro_batch to batch / ranks",
        ranks, dist->micro_batches_most);
    dist->sharing = (cr_sharing){dist, sum};
    if (ranks > 1)
        cr_net_share(dist->net, &dist->sharing);
    return CR_OK;
}
