/* share: memory that the ranks of a node see together. */
#include "comm.h"

cr_status cr_comm_share(cr_comm *comm, void **out, size_t bytes)
{
    CR_CHECK(comm->window_count < CR_COMM_WINDOWS, CR_INTERNAL,
             "shared memory: expected at most %d blocks", CR_COMM_WINDOWS);
    size_t some = bytes > 0 ? bytes : 1; /* so that every block has an address of its own */
    MPI_Aint own = comm->node_rank == 0 ? (MPI_Aint)some : 0;
    MPI_Aint size = 0;
    int unit = 1;
    cr_window *window = &comm->windows[comm->window_count];
    MPI_Win *handle = &window->handle;
    CR_TRY(cr_wait_for_all(comm, comm->node)); /* making it waits for all, and knows no time */
    CR_MPI(MPI_Win_allocate_shared(own, 1, MPI_INFO_NULL, comm->node, (void *)&window->memory,
                                   handle));
    CR_MPI(MPI_Win_set_errhandler(*handle, MPI_ERRORS_RETURN));
    CR_MPI(MPI_Win_shared_query(*handle, 0, &size, &unit, (void *)&window->memory));
    CR_MPI(MPI_Win_lock_all(MPI_MODE_NOCHECK, *handle));
    comm->window_count++;
    *out = window->memory;
    return CR_OK;
}

/* All ranks of the node have the same blocks at the same places of their lists. */
void cr_comm_unshare(cr_comm *comm, void **memory)
{
    cr_window *window = comm->windows;
    cr_window *end = comm->windows + comm->window_count;
    while (window < end && window->memory != *memory)
        window++;
    if (window == end)
        return;                              /* NULL */
    (void)cr_wait_for_all(comm, comm->node); /* what fails here fails there as well */
    CR_MPI_LAST(MPI_Win_unlock_all(window->handle));
    CR_MPI_LAST(MPI_Win_free(&window->handle));
    *window = end[-1];
    comm->window_count--;
    *memory = NULL;
}

cr_status cr_comm_share_sync(cr_comm *comm)
{
    for (int i = 0; i < comm->window_count; i++)
        CR_MPI(MPI_Win_sync(comm->windows[i].handle));
    CR_TRY(cr_wait_for_all(comm, comm->node)); /* orders the leader's writes and our reads */
    for (int i = 0; i < comm->window_count; i++)
        CR_MPI(MPI_Win_sync(comm->windows[i].handle));
    return CR_OK;
}
