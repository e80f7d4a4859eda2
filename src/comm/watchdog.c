/*
 * watchdog: who is missing when a wait does not end, and the end of the job.
 *
 * A rank that has waited too long reports its place to a speaker, who calls all others. Whoever
 * waits, or works and sends messages off meanwhile, looks for a call from time to time and answers
 * with a report of its own. After a moment the speaker names those that did not answer, and the
 * places of the others, and ends the job.
 *
 * Rank 0 is the speaker; a job that goes on nevertheless has lost rank 0, and the next are tried:
 * 0, 1, 3, 7 ... and the last, so that the loss of a host with the lowest ranks does not take long.
 * Only the speaker talks to everybody, and only then: no message is sent while all is well.
 */
#include "comm.h"

#include <stdio.h>
#include <string.h>

#define LOOK_EVERY 0.1  /* s between two looks for messages */
#define ANSWER_TIME 1.5 /* s that the speaker gives the others ... */
#define ROUND_TIME 2.5  /* s ... and the others give a speaker, */
#define LAST_TIME 30.0  /* s the last one until the end of the job reaches them */
#define LATER 2.0       /* s after rank 0 that the guards of others strike: one of them is enough */

enum { PLACE_BYTES = 160, MESSAGE_BYTES = 1536 };

/* ---- small messages, which nobody waits for -------------------------------------------------- */

static cr_status send(cr_comm *comm, const void *data, int bytes, int to, int tag)
{
    MPI_Request request = MPI_REQUEST_NULL;
    CR_MPI(MPI_Isend(data, bytes, MPI_BYTE, to, tag, comm->world, &request));
    CR_MPI(MPI_Request_free(&request));
    return CR_OK;
}

/* Take a message of this kind into `data`, if one is there; *from is then its sender, else -1. */
static cr_status take(cr_comm *comm, void *data, int bytes, int tag, int *from)
{
    MPI_Status status;
    int there = 0;
    *from = -1;
    CR_MPI(MPI_Iprobe(MPI_ANY_SOURCE, tag, comm->world, &there, &status));
    if (!there)
        return CR_OK;
    CR_MPI(MPI_Recv(data, bytes, MPI_BYTE, status.MPI_SOURCE, tag, comm->world, MPI_STATUS_IGNORE));
    *from = status.MPI_SOURCE;
    return CR_OK;
}

/* Where this rank is. It stays as first told: a message with it may still be on its way. */
static const cr_report *own_report(cr_comm *comm, bool waits)
{
    cr_report *own = &comm->report;
    if (own->told)
        return own;
    *own =
        (cr_report){.told = true, .waits = waits, .step = comm->step, .phase = (int)cr_phase_now()};
    if (comm->layer != NULL)
        (void)snprintf(own->layer, sizeof own->layer, "%s", comm->layer);
    return own;
}

static cr_status report_to(cr_comm *comm, int speaker, bool waits)
{
    return send(comm, own_report(comm, waits), sizeof(cr_report), speaker, CR_TAG_REPORT);
}

/* ---- the speaker ----------------------------------------------------------------------------- */

/* Text that grows at its end and is cut off where it is full. */
typedef struct text {
    char bytes[MESSAGE_BYTES];
    size_t used;
} text;

static void append(text *to, const char *words)
{
    size_t left = sizeof to->bytes - to->used;
    int length = snprintf(to->bytes + to->used, left, "%s", words);
    to->used += (size_t)length < left ? (size_t)length : left - 1;
}

/* "step 12, layer fc2, agree" */
static void describe(char out[PLACE_BYTES], const cr_report *report)
{
    char step[32] = "";
    char layer[80] = "";
    if (report->step > 0)
        (void)snprintf(step, sizeof step, "step %lld, ", (long long)report->step);
    if (report->layer[0] != '\0')
        (void)snprintf(layer, sizeof layer, "layer %.63s, ", report->layer);
    (void)snprintf(out, PLACE_BYTES, "%s%s%s", step, layer, cr_phase_name((cr_phase)report->phase));
}

static bool is_alike(const cr_report *a, const cr_report *b)
{
    return a->told == b->told && a->waits == b->waits && a->step == b->step &&
           a->phase == b->phase && strcmp(a->layer, b->layer) == 0;
}

/* "rank 2" or "ranks 0-3, 7" of those that are where rank `first` is, the lowest of them. */
static void append_ranks(text *to, const cr_report *reports, int size, int first)
{
    char words[64];
    int ranks = 0;
    for (int rank = first; rank < size; rank++)
        ranks += is_alike(&reports[rank], &reports[first]);
    append(to, ranks > 1 ? "ranks " : "rank ");
    for (int rank = first; rank < size; rank++) {
        int end = rank;
        while (end < size && is_alike(&reports[end], &reports[first]))
            end++;
        if (end == rank)
            continue;
        (void)snprintf(words, sizeof words, end - rank > 1 ? "%s%d-%d" : "%s%d",
                       rank > first ? ", " : "", rank, end - 1);
        append(to, words);
        rank = end;
    }
}

static void append_group(text *to, const cr_report *reports, int size, int first)
{
    char place[PLACE_BYTES];
    const cr_report *report = &reports[first];
    describe(place, report);
    append_ranks(to, reports, size, first);
    append(to, !report->told ? " without an answer" : report->waits ? " waiting at " : " busy at ");
    append(to, report->told ? place : "");
}

/* Groups of ranks at the same place, in the order of their lowest: those who keep the others
 * waiting, then those who wait. */
static void append_groups(text *to, const cr_report *reports, int size, bool waiting)
{
    for (int rank = 0; rank < size; rank++) {
        bool is_first = true;
        for (int before = 0; before < rank && is_first; before++)
            is_first = !is_alike(&reports[before], &reports[rank]);
        if (!is_first || reports[rank].waits != waiting)
            continue;
        if (to->used > 0)
            append(to, "; ");
        append_group(to, reports, size, rank);
    }
}

/* Call all others; reports [size] gets the reports of those that answer. */
static cr_status collect(cr_comm *comm, cr_report *reports)
{
    int missing = comm->size - 1;
    for (int rank = 0; rank < comm->size; rank++)
        if (rank != comm->rank)
            CR_TRY(send(comm, NULL, 0, rank, CR_TAG_CALL));
    for (double end = cr_seconds() + ANSWER_TIME; missing > 0 && cr_seconds() < end;) {
        cr_report report;
        int from = -1;
        CR_TRY(take(comm, &report, sizeof report, CR_TAG_REPORT, &from));
        if (from < 0)
            continue;
        missing -= !reports[from].told;
        reports[from] = report;
    }
    return CR_OK;
}

/* End the job. `first`: a report that rank `from` has sent already; -1: none has. */
static cr_status speak(cr_comm *comm, bool waits, int from, const cr_report *first)
{
    cr_report *reports = NULL;
    text all = {.used = 0};
    CR_TRY(cr_alloc((void **)&reports, (size_t)comm->size * sizeof *reports));
    reports[comm->rank] = *own_report(comm, waits);
    if (from >= 0)
        reports[from] = *first;
    CR_TRY(collect(comm, reports));
    append_groups(&all, reports, comm->size, false);
    append_groups(&all, reports, comm->size, true);
    CR_FREE(reports);
    cr_comm_abort(comm, cr_fail(CR_RANKS, __FILE__, __LINE__,
                                "watchdog: a wait has lasted %g s (watchdog_seconds): %s",
                                comm->limit, all.bytes));
}

/* ---- the others ------------------------------------------------------------------------------ */

/* Answer a call; speak where another rank reports, and counts on this one. */
static cr_status answer(cr_comm *comm, bool waits)
{
    cr_report report;
    int from = -1;
    CR_TRY(take(comm, NULL, 0, CR_TAG_CALL, &from));
    if (from >= 0)
        CR_TRY(report_to(comm, from, waits));
    CR_TRY(take(comm, &report, sizeof report, CR_TAG_REPORT, &from));
    return from >= 0 ? speak(comm, waits, from, &report) : CR_OK;
}

/* This rank has waited too long. Does not end but by the end of the job. */
static cr_status sound(cr_comm *comm)
{
    for (int speaker = 0;; speaker = 2 * speaker + 1) {
        bool last = speaker >= comm->size - 1;
        speaker = last ? comm->size - 1 : speaker;
        if (speaker == comm->rank)
            return speak(comm, true, -1, NULL);
        CR_TRY(report_to(comm, speaker, true));
        double time = last ? LAST_TIME : ROUND_TIME;
        for (double end = cr_seconds() + time; cr_seconds() < end;)
            CR_TRY(answer(comm, true));
        if (last)
            cr_comm_abort(comm, cr_fail(CR_RANKS, __FILE__, __LINE__,
                                        "watchdog: a wait has lasted %g s (watchdog_seconds), and "
                                        "no rank answers",
                                        comm->limit));
    }
}

cr_status cr_watchdog_look(cr_comm *comm, const cr_watch *watch)
{
    double now = cr_seconds();
    if (comm->size == 1 || comm->limit == 0 || now - comm->looked < LOOK_EVERY)
        return CR_OK;
    comm->looked = now;
    CR_TRY(answer(comm, watch != NULL));
    bool late = watch != NULL && cr_guard_clock() - watch->begun > comm->limit;
    return late ? sound(comm) : CR_OK;
}

void cr_comm_watch(cr_comm *comm, double seconds)
{
    comm->limit = seconds;
    cr_guard_limit(seconds > 0 && comm->rank > 0 ? seconds + LATER : seconds);
}

void cr_comm_at(cr_comm *comm, int64_t step, const char *layer)
{
    comm->step = step;
    comm->layer = layer;
}
