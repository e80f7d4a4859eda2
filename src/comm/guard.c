/*
 * guard: the end of a process that hangs inside MPI. A wait of ours is a row of short calls,
 * between which the watchdog can ask who is missing (wait.c). But some calls wait by themselves and
 * know no time: MPI's start and end, making communicators and shared memory, aborting; and a fault
 * may hold up any other one. So a thread counts seconds, and where one call has lasted too long it
 * ends this process, and by that the job. It makes no call of MPI, so it cannot tell who is
 * missing.
 *
 * Its seconds are those in which this process could run: while it is stopped, as when a job is
 * suspended as a whole, none pass.
 */
#include "comm.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_MOST 1e9 /* s */

enum { ABORT_TIME = 5 /* s that ending the job may take */ };

static struct {
    atomic_int clock;           /* s so far */
    atomic_int limit;           /* s that a call may last; 0: for ever */
    atomic_int deadline;        /* of the call under way, by the clock; 0: none */
    _Atomic(const char *) call; /* its text; NULL: the end of the job, which was told of already */
    atomic_int code;            /* exit code */
} guard = {.code = CR_RANKS};

static _Noreturn void end_process(void)
{
    const char *call = atomic_load(&guard.call);
    if (call != NULL)
        cr_log_error("watchdog: %.*s has lasted %d s (watchdog_seconds): another rank is missing",
                     (int)strcspn(call, "("), call, atomic_load(&guard.limit));
    _exit(atomic_load(&guard.code));
}

static void *count(void *unused)
{
    (void)unused;
    for (;;) {
        const struct timespec second = {.tv_sec = 1};
        (void)nanosleep(&second, NULL); /* no signal comes here */
        int now = atomic_fetch_add(&guard.clock, 1) + 1;
        int deadline = atomic_load(&guard.deadline);
        if (deadline > 0 && now > deadline)
            end_process();
    }
    return NULL;
}

cr_status cr_guard_start(void)
{
    pthread_t thread;
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* the new thread has this one's mask */
    int failed = pthread_create(&thread, NULL, count, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    CR_CHECK(failed == 0, CR_INTERNAL, "cannot start a thread: %s", strerror(failed));
    (void)pthread_detach(thread); /* it ends with the process */
    return CR_OK;
}

int cr_guard_clock(void)
{
    return atomic_load_explicit(&guard.clock, memory_order_relaxed);
}

void cr_guard_limit(double seconds)
{
    atomic_store(&guard.limit, (int)ceil(fmin(seconds, LIMIT_MOST)));
}

void cr_guard_begin(const char *call)
{
    int limit = atomic_load_explicit(&guard.limit, memory_order_relaxed);
    atomic_store_explicit(&guard.call, call, memory_order_relaxed);
    atomic_store_explicit(&guard.deadline, limit > 0 ? cr_guard_clock() + limit : 0,
                          memory_order_release);
}

void cr_guard_end(void)
{
    atomic_store_explicit(&guard.deadline, 0, memory_order_relaxed);
}

void cr_guard_last(cr_status code)
{
    atomic_store(&guard.call, NULL);
    atomic_store(&guard.code, (int)code);
    atomic_store(&guard.deadline, cr_guard_clock() + ABORT_TIME);
}
