/* timer: seconds by phase; the innermost open phase is charged. */
#include "colrow/base.h"

#include <time.h>

static const char *const names[CR_PHASES] = {
    [CR_PHASE_OTHER] = "other",       [CR_PHASE_LOAD] = "load",
    [CR_PHASE_FORWARD] = "forward",   [CR_PHASE_CONTRACT_FORWARD] = "contract_forward",
    [CR_PHASE_SAMPLE] = "sample",     [CR_PHASE_PREPARE] = "prepare",
    [CR_PHASE_AGREE] = "agree",       [CR_PHASE_LOSS] = "loss",
    [CR_PHASE_BACKWARD] = "backward", [CR_PHASE_CONTRACT_BACKWARD] = "contract_backward",
    [CR_PHASE_WAIT] = "wait",         [CR_PHASE_UPDATE] = "update",
    [CR_PHASE_EVALUATE] = "evaluate", [CR_PHASE_CHECKPOINT] = "checkpoint",
};

static double charged[CR_PHASES]; /* s */
static cr_phase current = CR_PHASE_OTHER;
static double since = 0; /* s; when `current` was entered, 0 before the first */

double cr_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void charge_and_switch(cr_phase next)
{
    double now = cr_seconds();
    if (since > 0)
        charged[current] += now - since;
    since = now;
    current = next;
}

cr_phase cr_phase_enter(cr_phase phase)
{
    cr_phase previous = current;
    charge_and_switch(phase);
    return previous;
}

void cr_phase_leave(cr_phase previous)
{
    charge_and_switch(previous);
}

cr_phase cr_phase_now(void)
{
    return current;
}

double cr_phase_seconds(cr_phase phase)
{
    return charged[phase];
}

const char *cr_phase_name(cr_phase phase)
{
    return names[phase];
}
