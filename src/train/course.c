/*
 * course: which samples make an update, when the batch may change from epoch to epoch (Smith,
 * Kindermans, Ying & Le 2018: grow the batch instead of decaying the rate). Everything follows from
 * the number of the update, so that a run goes on from any of them.
 */
#include "train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Epochs [first, end) have the same batch. */
typedef struct phase {
    int64_t first, end;
    int batch;
    int64_t per_epoch; /* updates */
} phase;

static int64_t epoch_of(const cr_ratios *schedule, int i)
{
    return strtoll(schedule->name[i], NULL, 10);
}

/* Phase 0 is before the schedule's first key, phase i begins at key i - 1. */
static phase phase_at(const cr_run_options *options, int64_t samples, int i)
{
    const cr_ratios *schedule = &options->batch_schedule;
    phase p = {.first = i > 0 ? epoch_of(schedule, i - 1) : 0,
               .end = i < schedule->count ? epoch_of(schedule, i) : INT64_MAX,
               .batch = i > 0 ? (int)schedule->value[i - 1] : options->batch};
    p.per_epoch = (samples + p.batch - 1) / p.batch;
    return p;
}

cr_place cr_course_place(const cr_run_options *options, int64_t samples, int64_t step)
{
    int i = 0;
    phase p = phase_at(options, samples, i);
    while (step / p.per_epoch >= p.end - p.first) {
        step -= (p.end - p.first) * p.per_epoch;
        p = phase_at(options, samples, ++i);
    }
    return (cr_place){.epoch = p.first + step / p.per_epoch,
                      .step = step % p.per_epoch,
                      .per_epoch = p.per_epoch,
                      .batch = p.batch};
}

/* One quotient: tenths of an epoch are then the numbers that they are written as. */
double cr_place_epochs(const cr_place *place)
{
    return (double)(place->epoch * place->per_epoch + place->step) / (double)place->per_epoch;
}

int64_t cr_course_steps(const cr_run_options *options, int64_t samples, double epochs)
{
    int i = 0;
    int64_t steps = 0;
    phase p = phase_at(options, samples, i);
    while (epochs >= (double)p.end) {
        steps += (p.end - p.first) * p.per_epoch;
        p = phase_at(options, samples, ++i);
    }
    return steps + llround((epochs - (double)p.first) * (double)p.per_epoch);
}

int cr_course_largest(const cr_run_options *options)
{
    int largest = options->batch;
    for (int i = 0; i < options->batch_schedule.count; i++)
        if (options->batch_schedule.value[i] > largest)
            largest = (int)options->batch_schedule.value[i];
    return largest;
}

bool cr_course_same(const cr_run_options *a, const cr_run_options *b)
{
    const cr_ratios *first = &a->batch_schedule;
    const cr_ratios *second = &b->batch_schedule;
    bool same = a->batch == b->batch && first->count == second->count;
    for (int i = 0; same && i < first->count; i++)
        same = epoch_of(first, i) == epoch_of(second, i) && first->value[i] == second->value[i];
    return same;
}

/* ---- what does not go together --------------------------------------------------------------- */

cr_status cr_course_check(const cr_run_options *options)
{
    const cr_ratios *schedule = &options->batch_schedule;
    for (int i = 0; i < schedule->count; i++) {
        const char *key = schedule->name[i];
        bool whole = strspn(key, "0123456789") == strlen(key) && strlen(key) < 10;
        CR_CHECK(whole && epoch_of(schedule, i) > 0, CR_BAD_CONFIG,
                 "batch_schedule: expected whole epochs from 1 on before each batch, found `%s`",
                 key);
        CR_CHECK(
            i == 0 || epoch_of(schedule, i) > epoch_of(schedule, i - 1), CR_BAD_CONFIG,
            "batch_schedule: expected each epoch after the one before it, found `%s` after `%s`",
            key, schedule->name[i - 1]);
        CR_CHECK(schedule->value[i] == floor(schedule->value[i]), CR_BAD_CONFIG,
                 "batch_schedule: expected a whole number of samples, found %g",
                 schedule->value[i]);
    }
    return CR_OK;
}

cr_status cr_course_settle(const cr_run_options *options, int ranks)
{
    const cr_ratios *schedule = &options->batch_schedule;
    int micro = options->micro_batch;
    for (int i = 0; i < schedule->count; i++) {
        int batch = (int)schedule->value[i];
        CR_CHECK(batch % micro == 0, CR_BAD_CONFIG,
                 "batch_schedule: expected multiples of micro_batch, %d, found %d from epoch %s on",
                 micro, batch, schedule->name[i]);
        CR_CHECK(
            batch / micro >= ranks, CR_BAD_CONFIG,
            "batch_schedule: expected at least a micro-batch of %d for each of %d ranks, found a "
            "batch of %d from epoch %s on",
            micro, ranks, batch, schedule->name[i]);
    }
    return CR_OK;
}
