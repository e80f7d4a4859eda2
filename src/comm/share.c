/* share: memory that the ranks of a node see together. */
#include "comm.h"

cr_status cr_comm_share(cr_comm *comm, void **out, size_t bytes)
{
    CR_CHECK(comm->window_count < CR_COMM_WINDOWS, CR_INTERNAL,
             "shared memory: expected at most %d blocks", CR_COMM_WINDOWS);
    MPI_Aint own = comm->node_rank == 0 ? (MPI_Aint)bytes : 0;
    MPI_Aint size = 0;
    int unit = 1;
    void *memory = NULL;
    MPI_Win *window = &comm->windows[comm->window_count];
    CR_MPI(MPI_Win_allocate_shared(own, 1, MPI_INFO_NULL, comm->node, (void *)&memory, window));
    CR_MPI(MPI_Win_set_errhandler(*window, MPI_ERRORS_RETURN));
    CR_MPI(MPI_Win_shared_query(*window, 0, &size, &unit, (void *)&memory));
    CR_MPI(MPI_Win_lock_all(MPI_MODE_NOCHECK, *window));
    comm->window_count++;
    *out = memory;
    return CR_OK;
}

cr_status cr_comm_share_sync(cr_comm *comm)
{
    for (int i = 0; i < comm->window_count; i++)
        CR_MPI(MPI_Win_sync(comm->windows[i]));
    CR_MPI(
        MPI_Barrier(comm->node)); /* not for timing: it orders the leader's writes and our reads */
    for (int i = 0; i < comm->window_count; i++)
        CR_MPI(MPI_Win_sync(comm->windows[i]));
    return CR_OK;
}
