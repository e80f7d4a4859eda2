/*
 * network: seconds of collective messages. A message of m bytes takes alpha + m beta (Hockney
 * 1994), whoever sends it to whom; p ranks, each with a link of its own.
 *
 *     sum to all, recursive doubling    ceil(log2 p) (alpha + m beta)
 *     sum to all, Rabenseifner          2 ceil(log2 p) alpha + 2 (p - 1) / p m beta
 *     one to all, binomial tree         ceil(log2 p) (alpha + m beta)
 *
 * (Thakur, Rabenseifner, Gropp 2005, sections 4.5 and 4.2.) MPI libraries choose by size, so the
 * cheaper sum counts. Their additions are left out: they cost less than moving the numbers.
 */
#include "colrow/scaling.h"

#include <math.h>

static double rounds(int ranks)
{
    return ceil(log2(ranks));
}

double cr_network_allreduce(const cr_network *network, double bytes, int ranks)
{
    double doubling = rounds(ranks) * (network->latency + bytes * network->byte_time);
    double halving = 2 * rounds(ranks) * network->latency +
                     2 * (ranks - 1.0) / ranks * bytes * network->byte_time;
    return doubling < halving ? doubling : halving;
}

double cr_network_broadcast(const cr_network *network, double bytes, int ranks)
{
    return rounds(ranks) * (network->latency + bytes * network->byte_time);
}
