/* share: the ranks of a node hold one copy of a data set, in memory that comm gives them. */
#include "train.h"

static cr_status allocate(void *self, void **out, size_t bytes)
{
    return cr_comm_share(self, out, bytes);
}

static void release(void *self, void **block)
{
    cr_comm_unshare(self, block);
}

static cr_status agree(void *self, cr_status local)
{
    CR_TRY(cr_comm_any(self, local));
    return cr_comm_share_sync(self);
}

static cr_status broadcast(void *self, void *data, size_t bytes)
{
    return cr_comm_broadcast(self, data, bytes, 0);
}

cr_data_share cr_share_over(cr_comm *comm)
{
    return (cr_data_share){.self = comm,
                           .leader = cr_comm_node_rank(comm) == 0,
                           .allocate = allocate,
                           .release = release,
                           .agree = agree,
                           .broadcast = broadcast};
}
