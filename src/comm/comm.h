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

/* A sum in flight as bf16. */
typedef struct cr_short_flight {
    float *values; /* [count] */
    int64_t count;
    int piece;           /* values of each rank's piece */
    uint16_t *out, *in;  /* [ranks, piece] of the room */
    MPI_Request request; /* of the half under way */
} cr_short_flight;

typedef struct cr_short_flights {
    cr_short_flight flight[CR_COMM_FLIGHTS];
    int begun, summed, landed; /* flights that have come so far */
    int64_t used;              /* of the room */
} cr_short_flights;

/* Where a rank is, as the watchdog's messages tell it. */
typedef struct cr_report {
    bool told;    /* false: no report yet */
    bool waits;   /* false: it works, and others wait for it */
    int64_t step; /* under way, from 1; 0: none */
    int phase;    /* a cr_phase */
    char layer[CR_WORD_MAX];
} cr_report;

struct cr_comm {
    MPI_Comm world;  /* our own duplicate */
    MPI_Comm second; /* another, for the second halves of sums as bf16 */
    MPI_Comm node;   /* ranks that share memory */
    int rank, size;
    int node_rank, node_size;
    double limit;                         /* s that a wait may last; 0: for ever */
    double looked;                        /* cr_seconds() of the watchdog's last look */
    int64_t step;                         /* where this rank is ... */
    const char *layer;                    /* ... NULL: in none; borrowed */
    cr_report report;                     /* of this rank, once it was asked for */
    MPI_Request flights[CR_COMM_FLIGHTS]; /* sums in flight */
    int flying;
    cr_short_flights short_flights;
    uint16_t *room[2]; /* [room_size] for them; owned */
    int64_t room_size;
    double begun;            /* cr_seconds() when the first of those in flight began */
    cr_comm_seconds seconds; /* so far */
    cr_window windows[CR_COMM_WINDOWS];
    int window_count;
};

enum { CR_TAG_TREE = 1, CR_TAG_CALL, CR_TAG_REPORT };

/* ---- guard: every call of MPI stands between begin and end; one that lasts too long ends this
 * process, with CR_RANKS. */

/* Start the thread that watches, and counts the clock. Once. */
cr_status cr_guard_start(void);

/* Seconds so far in which this process could run. */
int cr_guard_clock(void);

/* How long a call may last, in seconds; 0: for ever. */
void cr_guard_limit(double seconds);

void cr_guard_begin(const char *call);
void cr_guard_end(void);

/* This process ends with `code` soon, whatever it does. */
void cr_guard_last(cr_status code);

/* CR_RANKS with MPI's own words unless `code` is MPI_SUCCESS. */
cr_status cr_mpi_check(int code, const char *what, const char *file, int line);

#define CR_MPI(call)                                                                               \
    do {                                                                                           \
        cr_guard_begin(#call);                                                                     \
        int mpi_code_ = (call);                                                                    \
        cr_guard_end();                                                                            \
        cr_status mpi_status_ = cr_mpi_check(mpi_code_, #call, __FILE__, __LINE__);                \
        if (mpi_status_ != CR_OK)                                                                  \
            return mpi_status_;                                                                    \
    } while (0)

/* The same where nothing can be done about a failure. */
#define CR_MPI_LAST(call)                                                                          \
    do {                                                                                           \
        cr_guard_begin(#call);                                                                     \
        (void)(call);                                                                              \
        cr_guard_end();                                                                            \
    } while (0)

/* One more sum is about to take off; CR_INTERNAL where they are too many. */
cr_status cr_flights_begin(cr_comm *comm);

/* Let sums as bf16 move on. */
cr_status cr_bf16_advance(cr_comm *comm);

/* A wait under way; begins as {0}. */
typedef struct cr_watch {
    int turns; /* so far, as far as they are counted */
    int begun; /* by the guard's clock */
} cr_watch;

/* Between two tests of a wait: give way to others, look at the clock. Ends the job when the wait
 * has lasted too long. */
cr_status cr_watch_turn(cr_comm *comm, cr_watch *watch);

/* Wait for requests; for all ranks of `group` (world or node) to come here. */
cr_status cr_wait(cr_comm *comm, int count, MPI_Request *requests);
cr_status cr_wait_for_all(cr_comm *comm, MPI_Comm group);

/* Answer the watchdogs of other ranks, and sound the own one when the wait under way has lasted too
 * long; NULL: this rank is at work. */
cr_status cr_watchdog_look(cr_comm *comm, const cr_watch *watch);

#endif
