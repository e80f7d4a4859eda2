/*
 * mpi_main: cmocka under mpirun. All ranks run the same tests in step; rank 0 prints the usual
 * lines. A rank whose assertion fails says where and is gone at once, so that mpirun ends the
 * others, which may be waiting for it, and the whole fails.
 *
 *     static cr_comm *comm;
 *     int main(int argc, char **argv)
 *     {
 *         const struct CMUnitTest tests[] = {...};
 *         comm = mpi_begin(&argc, &argv);
 *         return mpi_end(&comm, cmocka_run_group_tests(tests, NULL, NULL));
 *     }
 */
#ifndef TEST_MPI_MAIN_H
#define TEST_MPI_MAIN_H

#include "check.h"

#include "colrow/comm.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static inline void mpi_leave(int number)
{
    (void)number;
    _exit(1);
}

static inline cr_comm *mpi_begin(int *argc, char ***argv)
{
    cr_comm *comm = NULL;
    if (cr_comm_create(&comm, argc, argv) != CR_OK)
        abort();
    cr_log_setup(CR_LOG_ERROR, cr_comm_rank(comm), cr_comm_size(comm));
    /* cmocka: abort() where an assertion fails; without MPI's page of addresses */
    if (setenv("CMOCKA_TEST_ABORT", "1", 1) != 0 || signal(SIGABRT, mpi_leave) == SIG_ERR)
        abort();
    if (cr_comm_rank(comm) > 0) { /* TAP says all but failures on stdout */
        cmocka_set_message_output(CM_OUTPUT_TAP);
        if (freopen("/dev/null", "w", stdout) == NULL)
            abort();
    }
    return comm;
}

/* `failed` tests; returns the exit code. */
static inline int mpi_end(cr_comm **comm, int failed)
{
    cr_comm_free(comm);
    return failed == 0 ? 0 : 1;
}

#endif
