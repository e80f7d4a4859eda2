/*
 * fit: latency and bandwidth of the network from measured steps, by least squares of
 * log(model / measured), which takes half and twice the time as equally wrong. The time of a step
 * has kinks in both (a sum is hidden or it is not), so no derivatives are used: a pattern search
 * over their logarithms (Hooke and Jeeves 1961), eight ways from each point.
 */
#include "colrow/scaling.h"

#include <math.h>

static const cr_network start = {.latency = 2e-5, .byte_time = 1e-9};
static const cr_network least = {.latency = 1e-8, .byte_time = 1e-13};
static const cr_network most = {.latency = 1, .byte_time = 1e-5};

typedef struct problem {
    const cr_observation *all;
    int count, left_out;
} problem;

static double squares(const problem *p, const cr_network *network)
{
    double sum = 0;
    for (int i = 0; i < p->count; i++) {
        const cr_observation *one = &p->all[i];
        if (i == p->left_out || one->ranks == 1)
            continue;
        double model = cr_pattern_time(&one->pattern, network, one->ranks).step;
        double error = log(model / one->seconds);
        sum += error * error;
    }
    return sum;
}

static double clamp(double value, double low, double high)
{
    value = value < low ? low : value;
    return value > high ? high : value;
}

/* The best of the eight neighbours of *best at `step` (a ratio), where one is better. */
static bool improve(const problem *p, cr_network *best, double *error, double step)
{
    const double ways[] = {1 / step, 1, step};
    const cr_network from = *best;
    double before = *error;
    for (int i = 0; i < 9; i++) {
        double a = from.latency * ways[i % 3];
        double b = from.byte_time * ways[i / 3];
        const cr_network next = {clamp(a, least.latency, most.latency),
                                 clamp(b, least.byte_time, most.byte_time)};
        double here = squares(p, &next);
        if (here >= *error)
            continue;
        *error = here;
        *best = next;
    }
    return *error < before;
}

cr_network cr_network_fit(const cr_observation *observations, int count, int left_out)
{
    const problem p = {observations, count, left_out};
    cr_network best = start;
    double error = squares(&p, &best);
    for (double step = 10; step > 1.0001;) {
        if (!improve(&p, &best, &error, step))
            step = sqrt(step);
    }
    return best;
}
