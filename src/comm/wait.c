/*
 * wait: every wait of this program. MPI's own waits know no time, so that one lost rank holds all
 * others for ever; here a wait is a row of tests, between which the watchdog looks at the clock. It
 * is the guard's, so that the time of a job that is suspended does not count.
 */
#include "comm.h"

#include <sched.h>

enum { EAGER_TURNS = 64 }; /* tests before a wait gives way to others, unless a second passes */

cr_status cr_watch_turn(cr_comm *comm, cr_watch *watch)
{
    if (watch->turns == 0)
        watch->begun = cr_guard_clock();
    bool eager = watch->turns < EAGER_TURNS && cr_guard_clock() == watch->begun;
    watch->turns += eager;
    if (eager)
        return CR_OK;
    (void)sched_yield(); /* a courtesy: without it the wait is only less polite */
    return cr_watchdog_look(comm, watch);
}

cr_status cr_wait(cr_comm *comm, int count, MPI_Request *requests)
{
    cr_watch watch = {0};
    int done = 0;
    for (;;) {
        CR_MPI(MPI_Testall(count, requests, &done, MPI_STATUSES_IGNORE));
        if (done)
            return CR_OK;
        CR_TRY(cr_watch_turn(comm, &watch));
    }
}

cr_status cr_wait_for_all(cr_comm *comm, MPI_Comm group)
{
    MPI_Request request = MPI_REQUEST_NULL;
    CR_MPI(MPI_Ibarrier(group, &request));
    return cr_wait(comm, 1, &request);
}
