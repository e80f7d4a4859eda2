/* meter: seconds of steps, and counters that go on from one session to the next. */
#include "train.h"

#include <math.h>
#include <stdlib.h>

/* Seconds of all phases and of messages as they stand. */
static void read_clocks(cr_run *run, int at)
{
    for (int p = 0; p < CR_PHASES; p++)
        run->meter.phases[at][p] = cr_phase_seconds((cr_phase)p);
    run->meter.comm[at] = cr_comm_seconds_of(run->comm);
}

void cr_meter_begin(cr_run *run)
{
    cr_meter *meter = &run->meter;
    meter->started = cr_seconds();
    meter->saved = meter->started;
    meter->shown = meter->started;
    meter->gradient_norm = -1;
    (void)cr_phase_enter(CR_PHASE_OTHER); /* time since an earlier run is none of this one's */
    read_clocks(run, 0);
}

void cr_meter_step(cr_run *run, const cr_result *result, double seconds)
{
    cr_meter *meter = &run->meter;
    if (meter->count < meter->capacity)
        meter->step_ms[meter->count++] = (float)(1e3 * seconds);
    if (meter->count == 1)
        read_clocks(run, 1);
    meter->seconds += seconds;
    meter->samples += result->samples;
    meter->interval_seconds += seconds;
    meter->interval_samples += result->samples;
    meter->interval_loss += result->loss;
    run->progress.epoch_loss += result->loss;
    run->progress.epoch_samples += result->samples;
    run->progress.seconds += seconds;
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;
    return (x > y) - (x < y);
}

double cr_meter_quantile(cr_run *run, double q)
{
    const cr_meter *meter = &run->meter;
    if (meter->count == 0)
        return NAN;
    qsort(meter->step_ms, (size_t)meter->count, sizeof *meter->step_ms, compare);
    int64_t at = (int64_t)(q * (double)(meter->count - 1) + 0.5);
    return meter->step_ms[at];
}

/* The first step touches all memory for the first time: it does not count where there are more. */
static int is_warm(const cr_meter *meter)
{
    return meter->count > 1;
}

/* Milliseconds a step of so many seconds in all. */
static double per_step(const cr_meter *meter, double seconds)
{
    int64_t steps = meter->count > 0 ? meter->count - is_warm(meter) : 1;
    return 1e3 * seconds / (double)steps;
}

double cr_meter_phase_ms(const cr_run *run, cr_phase phase)
{
    const cr_meter *meter = &run->meter;
    return per_step(meter, cr_phase_seconds(phase) - meter->phases[is_warm(meter)][phase]);
}

cr_comm_seconds cr_meter_comm_ms(const cr_run *run)
{
    const cr_meter *meter = &run->meter;
    cr_comm_seconds now = cr_comm_seconds_of(run->comm);
    cr_comm_seconds then = meter->comm[is_warm(meter)];
    return (cr_comm_seconds){.in_flight = per_step(meter, now.in_flight - then.in_flight),
                             .waited = per_step(meter, now.waited - then.waited)};
}

cr_status cr_meter_collect(cr_run *run)
{
    cr_progress *progress = &run->progress;
    cr_macs own = cr_net_counted(run->net);
    double sums[3] = {(double)own.exact, (double)own.paper, (double)own.executed};
    CR_TRY(cr_comm_sum(run->comm, sums, 3)); /* exact below 2^53 */
    progress->macs_exact += (int64_t)sums[0];
    progress->macs_paper += (int64_t)sums[1];
    progress->macs_executed += (int64_t)sums[2];
    for (int s = 0; s < run->net->segment_count; s++)
        for (int p = 0; p < 3; p++)
            run->net->segments[s].macs[p] = (cr_macs){0};
    progress->wire_bytes += run->dist->wire_bytes;
    progress->dense_bytes += run->dist->dense_bytes;
    run->dist->wire_bytes = 0;
    run->dist->dense_bytes = 0;
    return CR_OK;
}
