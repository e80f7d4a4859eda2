/*
 * hang: put before MPI's library (LD_PRELOAD), calls that do not come back. STOP_AT names a
 * function of MPI at whose beginning rank 1 stops, as by SIGSTOP; HANG_AT one in which every rank
 * stays.
 */
#include <mpi.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int is_at(const char *variable, const char *function)
{
    const char *name = getenv(variable);
    return name != NULL && strcmp(name, function) == 0;
}

static void enter(const char *function)
{
    const struct timespec nap = {.tv_nsec = 700000000};
    const char *text = getenv("OMPI_COMM_WORLD_RANK");
    const char *rank = text != NULL ? text : "";
    if (is_at("STOP_AT", function) && strcmp(rank, "1") == 0)
        (void)raise(SIGSTOP);
    if (is_at("SLOW_AT", function) && strcmp(rank, "0") == 0)
        (void)nanosleep(&nap, NULL);
    while (is_at("HANG_AT", function))
        (void)pause();
}

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided)
{
    enter("MPI_Init_thread");
    return PMPI_Init_thread(argc, argv, required, provided);
}

int MPI_Comm_dup(MPI_Comm comm, MPI_Comm *out)
{
    enter("MPI_Comm_dup");
    return PMPI_Comm_dup(comm, out);
}

int MPI_Comm_split_type(MPI_Comm comm, int type, int key, MPI_Info info, MPI_Comm *out)
{
    enter("MPI_Comm_split_type");
    return PMPI_Comm_split_type(comm, type, key, info, out);
}

int MPI_Win_allocate_shared(MPI_Aint size, int unit, MPI_Info info, MPI_Comm comm, void *base,
                            MPI_Win *window)
{
    enter("MPI_Win_allocate_shared");
    return PMPI_Win_allocate_shared(size, unit, info, comm, base, window);
}

int MPI_Win_free(MPI_Win *window)
{
    enter("MPI_Win_free");
    return PMPI_Win_free(window);
}

int MPI_Ibcast(void *data, int count, MPI_Datatype type, int root, MPI_Comm comm,
               MPI_Request *request)
{
    enter("MPI_Ibcast");
    return PMPI_Ibcast(data, count, type, root, comm, request);
}

int MPI_Testall(int count, MPI_Request requests[], int *flag, MPI_Status statuses[])
{
    enter("MPI_Testall");
    return PMPI_Testall(count, requests, flag, statuses);
}

int MPI_Abort(MPI_Comm comm, int code)
{
    enter("MPI_Abort");
    return PMPI_Abort(comm, code);
}

int MPI_Finalize(void)
{
    enter("MPI_Finalize");
    return PMPI_Finalize();
}
