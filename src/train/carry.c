/*
 * carry: what the streams of a text carry from step to step. Each rank keeps the states of its own
 * streams up to date; a checkpoint has them all, in the order of the streams, a data set a part:
 *
 *     /state/LAYER/c, /state/LAYER/h     [batch, H]
 */
#include "train.h"

#include <string.h>

static size_t bytes_of(const cr_run *run, int64_t streams)
{
    return (size_t)(streams * run->net->state_floats) * sizeof *run->carried;
}

cr_status cr_carry_create(cr_run *run)
{
    CR_TRY(cr_alloc((void **)&run->carried, bytes_of(run, run->options.batch)));
    return cr_alloc((void **)&run->carried_there, bytes_of(run, run->options.micro_batch));
}

/* A text begins anew with every epoch. */
void cr_carry_clear(cr_run *run)
{
    memset(run->carried, 0, bytes_of(run, run->options.batch));
}

void cr_carry_on(cr_run *run, int64_t first)
{
    cr_net_set_state(run->net, run->carried + first * run->net->state_floats);
}

cr_status cr_carry_gather(cr_run *run)
{
    int size = run->options.micro_batch;
    int micro_batches = (run->options.batch + size - 1) / size;
    if (run->net->state_floats == 0)
        return CR_OK;
    for (int rank = 0; rank < cr_comm_size(run->comm); rank++) {
        int first = 0, count = 0;
        cr_dist_share(&first, &count, micro_batches, rank, cr_comm_size(run->comm));
        int64_t begin = (int64_t)first * size;
        int64_t end = begin + (int64_t)count * size;
        end = end < run->options.batch ? end : run->options.batch;
        if (end > begin)
            CR_TRY(cr_comm_broadcast(run->comm, run->carried + begin * run->net->state_floats,
                                     bytes_of(run, end - begin), rank));
    }
    return CR_OK;
}

cr_status cr_carry_broadcast(cr_run *run)
{
    return cr_comm_broadcast(run->comm, run->carried, bytes_of(run, run->options.batch), 0);
}

/* Between carried [batch, state_floats] and `parts`, where each part is [batch, its count]. */
static void copy_parts(const cr_run *run, float *parts, bool out)
{
    const cr_net *net = run->net;
    const cr_state_part *part = NULL;
    for (int i = 0; (part = cr_net_state_parts(net, i)) != NULL; i++)
        for (int64_t s = 0; s < run->options.batch; s++) {
            float *apart = parts + run->options.batch * part->offset + s * part->count;
            float *together = run->carried + s * net->state_floats + part->offset;
            memcpy(out ? apart : together, out ? together : apart,
                   (size_t)part->count * sizeof *parts);
        }
}

void cr_carry_take_apart(float *parts, const cr_run *run)
{
    copy_parts(run, parts, true);
}

void cr_carry_put_together(cr_run *run, float *parts)
{
    copy_parts(run, parts, false);
}
