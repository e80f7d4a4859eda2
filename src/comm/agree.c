/* agree: small collectives by which ranks find out whether they are all well and of one mind. */
#include "comm.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

enum { MESSAGE_BYTES = 1024, PIECE_BYTES = 1 << 30 /* MPI counts with an int */ };

cr_status cr_comm_broadcast(cr_comm *comm, void *data, size_t bytes, int root)
{
    for (size_t done = 0; done < bytes;) {
        size_t left = bytes - done;
        int count = left < PIECE_BYTES ? (int)left : PIECE_BYTES;
        MPI_Request request = MPI_REQUEST_NULL;
        CR_MPI(MPI_Ibcast((char *)data + done, count, MPI_BYTE, root, comm->world, &request));
        CR_TRY(cr_wait(comm, 1, &request));
        done += (size_t)count;
    }
    return CR_OK;
}

static cr_status reduce(cr_comm *comm, void *values, int count, MPI_Datatype type, MPI_Op operation)
{
    MPI_Request request = MPI_REQUEST_NULL;
    CR_MPI(MPI_Iallreduce(MPI_IN_PLACE, values, count, type, operation, comm->world, &request));
    return cr_wait(comm, 1, &request);
}

cr_status cr_comm_sum(cr_comm *comm, double *values, int count)
{
    return reduce(comm, values, count, MPI_DOUBLE, MPI_SUM);
}

cr_status cr_comm_largest(cr_comm *comm, double *values, int count)
{
    return reduce(comm, values, count, MPI_DOUBLE, MPI_MAX);
}

cr_status cr_comm_gather(cr_comm *comm, float *all, const float *own, int count)
{
    MPI_Request request = MPI_REQUEST_NULL;
    CR_MPI(MPI_Igather(own, count, MPI_FLOAT, all, count, MPI_FLOAT, 0, comm->world, &request));
    return cr_wait(comm, 1, &request);
}

cr_status cr_comm_any(cr_comm *comm, cr_status local)
{
    int lowest = local != CR_OK ? comm->rank : INT_MAX;
    CR_TRY(reduce(comm, &lowest, 1, MPI_INT, MPI_MIN));
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
    uint64_t of_root = value;
    CR_TRY(cr_comm_broadcast(comm, &of_root, sizeof of_root, 0));
    int lowest = of_root != value ? comm->rank : INT_MAX;
    CR_TRY(reduce(comm, &lowest, 1, MPI_INT, MPI_MIN));
    if (lowest == INT_MAX)
        return CR_OK;
    uint64_t other = value;
    CR_TRY(cr_comm_broadcast(comm, &other, sizeof other, lowest));
    return cr_fail(CR_RANKS, __FILE__, __LINE__,
                   "%s: expected the same on all ranks, rank %d differs from rank 0: hash "
                   "%016" PRIx64 " and not %016" PRIx64,
                   what, lowest, other, of_root);
}
