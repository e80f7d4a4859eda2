/* comm.h: what the files of comm share; the only place where MPI's types are seen. */
#ifndef COMM_COMM_H
#define COMM_COMM_H

#include "colrow/comm.h"

#include <mpi.h>

#define CR_COMM_WINDOWS 64 /* blocks of node memory there can be at a time */

/* A block of node memory. */
typedef struct cr_window {
    MPI_Win handle;
    void *memory; /* as this rank sees it */
} cr_window;

struct cr_comm {
    MPI_Comm world; /* our own duplicate */
    MPI_Comm node;  /* ranks that share memory */
    int rank, size;
    int node_rank, node_size;
    MPI_Request flights[CR_COMM_FLIGHTS]; /* sums in flight */
    int flying;
    cr_window windows[CR_COMM_WINDOWS];
    int window_count;
};

enum { CR_TAG_TREE = 1 };

/* CR_RANKS with MPI's own words unless `code` is MPI_SUCCESS. */
cr_status cr_mpi_check(int code, const char *what, const char *file, int line);

#define CR_MPI(call)                                                                               \
    do {                                                                                           \
        cr_status mpi_status_ = cr_mpi_check(call, #call, __FILE__, __LINE__);                     \
        if (mpi_status_ != CR_OK)                                                                  \
            return mpi_status_;                                                                    \
    } while (0)

#endif
