/* agree: small collectives by which ranks find out whether they are all well and of one mind. */
#include "comm.h"

#include <limits.h>
#include <string.h>

enum { MESSAGE_BYTES = 1024, PIECE_BYTES = 1 << 30 /* MPI counts with an int */ };

cr_status cr_comm_broadcast(cr_comm *comm, void *data, size_t bytes, int root)
{
    for (size_t done = 0; done < bytes;) {
        size_t left = bytes - done;
        int count = left < PIECE_BYTES ? (int)left : PIECE_BYTES;
        CR_MPI(MPI_Bcast((char *)data + done, count, MPI_BYTE, root, comm->world));
        done += (size_t)count;
    }
    return CR_OK;
}

static cr_status reduce(cr_comm *comm, double *values, int count, MPI_Op operation)
{
    CR_MPI(MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_DOUBLE, operation, comm->world));
    return CR_OK;
}

cr_status cr_comm_sum(cr_comm *comm, double *values, int count)
{
    return reduce(comm, values, count, MPI_SUM);
}

cr_status cr_comm_largest(cr_comm *comm, double *values, int count)
{
    return reduce(comm, values, count, MPI_MAX);
}

cr_status cr_comm_any(cr_comm *comm, cr_status local)
{
    int failing = local != CR_OK ? comm->rank : INT_MAX;
    int lowest = INT_MAX;
    CR_MPI(MPI_Allreduce(&failing, &lowest, 1, MPI_INT, MPI_MIN, comm->world));
    if (lowest == INT_MAX)
        return CR_OK;
    struct {
        int code;
        char message[MESSAGE_BYTES];
    } news = {.code = (int)local};
    strncpy(news.message, cr_error_message(), MESSAGE_BYTES - 1);
    CR_TRY(cr_comm_broadcast(comm, &news, sizeof news, lowest));
    if (local != CR_OK)
        return local;
    return cr_fail((cr_status)news.code, __FILE__, __LINE__, "rank %d failed: %s", lowest,
                   news.message);
}

cr_status cr_comm_same(cr_comm *comm, uint64_t value, const char *what)
{
    struct {
        uint64_t value;
        int rank;
    } root = {.value = value};
    CR_TRY(cr_comm_broadcast(comm, &root, sizeof root, 0));
    int differing = root.value != value ? comm->rank : INT_MAX;
    int lowest = INT_MAX;
    CR_MPI(MPI_Allreduce(&differing, &lowest, 1, MPI_INT, MPI_MIN, comm->world));
    CR_CHECK(lowest == INT_MAX, CR_RANKS,
             "%s: expected the same on all ranks, rank %d differs from "
             "rank 0",
             what, lowest);
    return CR_OK;
}
