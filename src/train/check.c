/*
 * check: have all ranks the same weights? They start with the same and get the same sums, so they
 * must; a fault of memory, of the network or of MPI would show here, and not as a run that quietly
 * goes nowhere.
 */
#include "train.h"

#include <stdio.h>

static uint64_t hash_of(const cr_net *net, const cr_parameter *p, uint64_t seed)
{
    return cr_hash(net->parameters + p->offset, (size_t)p->count * sizeof(float), seed);
}

uint64_t cr_run_weights_hash(const cr_run *run)
{
    uint64_t hash = 0;
    for (int i = 0; cr_net_parameter(run->net, i) != NULL; i++)
        hash = hash_of(run->net, cr_net_parameter(run->net, i), hash);
    return hash;
}

/* Which parameter is it? All ranks come here when one of them differs. */
static cr_status find(cr_run *run)
{
    for (int i = 0; cr_net_parameter(run->net, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(run->net, i);
        char what[2 * CR_WORD_MAX];
        (void)snprintf(what, sizeof what, "step %lld layer %s: %s", (long long)run->progress.step,
                       p->layer, p->name);
        CR_TRY(cr_comm_same(run->comm, hash_of(run->net, p, 0), what));
    }
    return CR_OK;
}

cr_status cr_run_check(cr_run *run)
{
    int64_t every = run->options.check_every;
    if (every == 0 || run->progress.step % every != 0 || cr_comm_size(run->comm) == 1)
        return CR_OK;
    cr_status status = cr_comm_same(run->comm, cr_run_weights_hash(run), "weights");
    if (status != CR_OK)
        CR_TRY(find(run));
    return status;
}
