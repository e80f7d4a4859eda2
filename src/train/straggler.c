/*
 * straggler: which rank the others wait for. Every rank notes how long it worked in each step
 * before it waited for others; when a metrics line is due, rank 0 gathers these notes, so that no
 * step sends anything for them.
 */
#include "train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NOTES_MOST = 1024, STEPS_LEAST = 10 };

#define SLOW 1.5  /* times the median: worth a warning ... */
#define OFTEN 0.5 /* ... where it is the slowest in more than this share of the steps */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

cr_status cr_tally_create(cr_tally *tally, int ranks)
{
    *tally = (cr_tally){.ranks = ranks};
    CR_TRY(cr_alloc((void **)&tally->ms, (size_t)ranks * sizeof *tally->ms));
    CR_TRY(cr_alloc((void **)&tally->sorted, (size_t)ranks * sizeof *tally->sorted));
    return cr_alloc((void **)&tally->slowest, (size_t)ranks * sizeof *tally->slowest);
}

void cr_tally_free(cr_tally *tally)
{
    CR_FREE(tally->ms);
    CR_FREE(tally->sorted);
    CR_FREE(tally->slowest);
}

void cr_tally_clear(cr_tally *tally)
{
    memset(tally->ms, 0, (size_t)tally->ranks * sizeof *tally->ms);
    memset(tally->slowest, 0, (size_t)tally->ranks * sizeof *tally->slowest);
    tally->most_ms = 0;
    tally->steps = 0;
}

void cr_tally_add(cr_tally *tally, const float *ms, int steps)
{
    for (int s = 0; s < steps; s++) {
        int most = 0;
        for (int r = 0; r < tally->ranks; r++) {
            float own = ms[(int64_t)r * steps + s];
            tally->ms[r] += own;
            most = own > ms[(int64_t)most * steps + s] ? r : most;
        }
        tally->slowest[most]++;
        tally->most_ms += ms[(int64_t)most * steps + s];
    }
    tally->steps += steps;
}

cr_straggler cr_tally_find(cr_tally *tally)
{
    int rank = 0;
    double steps = (double)tally->steps;
    if (tally->steps == 0)
        return (cr_straggler){.ms = NAN, .median_ms = NAN, .share = NAN, .lead_ms = NAN};
    for (int r = 0; r < tally->ranks; r++)
        rank = tally->ms[r] > tally->ms[rank] ? r : rank;
    memcpy(tally->sorted, tally->ms, (size_t)tally->ranks * sizeof *tally->sorted);
    qsort(tally->sorted, (size_t)tally->ranks, sizeof *tally->sorted, compare);
    cr_straggler found = {.rank = rank,
                          .ms = tally->ms[rank] / steps,
                          .median_ms = tally->sorted[(tally->ranks - 1) / 2] / steps,
                          .share = (double)tally->slowest[rank] / steps,
                          .lead_ms = (tally->most_ms - tally->ms[0]) / steps};
    found.slow =
        tally->steps >= STEPS_LEAST && found.ms > SLOW * found.median_ms && found.share > OFTEN;
    return found;
}

double cr_hidden_share(double in_flight, double waited, double lead)
{
    lead = lead > 0 ? lead : 0; /* NaN too */
    lead = lead < waited ? lead : waited;
    if (!(in_flight - lead > 0))
        return NAN;
    double share = 1 - (waited - lead) / (in_flight - lead);
    return share > 0 ? share : 0;
}

/* ---- of a run -------------------------------------------------------------------------------- */

cr_status cr_work_create(cr_work *work, const cr_comm *comm, int64_t every_steps)
{
    int ranks = cr_comm_size(comm);
    work->capacity = every_steps < NOTES_MOST ? (int)every_steps : NOTES_MOST;
    size_t bytes = (size_t)work->capacity * sizeof(float);
    CR_TRY(cr_alloc((void **)&work->own, bytes));
    if (cr_comm_rank(comm) > 0)
        return CR_OK;
    CR_TRY(cr_alloc((void **)&work->all, (size_t)ranks * bytes));
    CR_TRY(cr_tally_create(&work->interval, ranks));
    return cr_tally_create(&work->session, ranks);
}

void cr_work_free(cr_work *work)
{
    cr_tally_free(&work->interval);
    cr_tally_free(&work->session);
    CR_FREE(work->own);
    CR_FREE(work->all);
}

void cr_work_note(cr_work *work, double seconds)
{
    if (work->count < work->capacity) /* the rest of a long interval is taken to be alike */
        work->own[work->count++] = (float)(1e3 * seconds);
}

static void warn(cr_work *work)
{
    cr_straggler s = cr_tally_find(&work->interval);
    if (!s.slow || work->warned)
        return;
    work->warned = true;
    cr_log_warn("rank %d is slow: it works %.3g ms a step before it waits for others, the median "
                "rank %.3g ms; it was the slowest in %.0f%% of %lld steps",
                s.rank, s.ms, s.median_ms, 100 * s.share, (long long)work->interval.steps);
}

cr_status cr_work_gather(cr_work *work, cr_comm *comm)
{
    CR_TRY(cr_comm_gather(comm, work->all, work->own, work->count));
    if (cr_comm_rank(comm) == 0) {
        cr_tally_clear(&work->interval);
        cr_tally_add(&work->interval, work->all, work->count);
        cr_tally_add(&work->session, work->all, work->count);
        warn(work);
    }
    work->count = 0;
    return CR_OK;
}
