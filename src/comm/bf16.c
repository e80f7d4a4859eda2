/*
 * bf16: sums in flight that take half the bytes. MPI has no such type, and would sum in it; so the
 * ranks share the work. Of n values in as many pieces as there are ranks,
 *
 *     exchange   every rank sends piece r, rounded to bf16, to rank r
 *     sum        rank r adds what it got in f32, in the order of the ranks, and rounds the sum
 *     gather     every rank sends its sum to all
 *
 * Every sum has been rounded by one rank only, so all ranks end with the same bits. A rounding to
 * 8 bits is off by at most 2^-8 of the value, so the sum of x_1 ... x_R, rounded twice, is off by
 * at most 2^-7 (|x_1| + ... + |x_R|).
 *
 * The second half of a flight begins when its first half has landed, at another time on each rank;
 * MPI wants collectives in the same order everywhere. So the halves have a communicator each, and
 * flights change over in the order in which they began.
 */
#include "comm.h"

#include <string.h>

enum { STRIP = 256 }; /* values added up at a time */

/* To nearest, ties to even; what is no number stays none. */
static uint16_t round_to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bool is_nan = (bits & 0x7fffffff) > 0x7f800000;
    uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (uint16_t)(is_nan ? bits >> 16 | 0x40 : rounded);
}

static float from_bf16(uint16_t value)
{
    uint32_t bits = (uint32_t)value << 16;
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

cr_status cr_comm_reserve_bf16(cr_comm *comm, int64_t floats)
{
    /* each flight's values are padded to a whole number of pieces */
    int64_t most = floats + (int64_t)CR_COMM_FLIGHTS * comm->size;
    if (most <= comm->room_size)
        return CR_OK;
    CR_CHECK(comm->short_flights.begun == 0, CR_INTERNAL, "bf16: expected no sum in flight");
    for (int i = 0; i < 2; i++) {
        CR_FREE(comm->room[i]);
        CR_TRY(cr_alloc((void **)&comm->room[i], (size_t)most * sizeof *comm->room[i]));
    }
    comm->room_size = most;
    return CR_OK;
}

cr_status cr_comm_sum_begin_bf16(cr_comm *comm, float *values, int64_t count)
{
    cr_short_flights *all = &comm->short_flights;
    int piece = 0;
    CR_TRY(cr_to_int(&piece, (count + comm->size - 1) / comm->size, "sum of gradients"));
    int64_t padded = (int64_t)piece * comm->size;
    CR_TRY(cr_flights_begin(comm));
    CR_CHECK(all->used + padded <= comm->room_size, CR_INTERNAL,
             "bf16: expected sums of no more values than room was reserved for");
    cr_short_flight *flight = &all->flight[all->begun];
    *flight = (cr_short_flight){.values = values,
                                .count = count,
                                .piece = piece,
                                .out = comm->room[0] + all->used,
                                .in = comm->room[1] + all->used};
    for (int64_t i = 0; i < count; i++)
        flight->out[i] = round_to_bf16(values[i]);
    memset(flight->out + count, 0, (size_t)(padded - count) * sizeof *flight->out);
    CR_MPI(MPI_Ialltoall(flight->out, piece, MPI_UINT16_T, flight->in, piece, MPI_UINT16_T,
                         comm->world, &flight->request));
    all->used += padded;
    all->begun++;
    return CR_OK;
}

/* Add this rank's piece of all ranks, and send the sum to all. */
static cr_status gather(cr_comm *comm, cr_short_flight *flight)
{
    int64_t piece = flight->piece;
    uint16_t *own = flight->out + comm->rank * piece;
    for (int64_t first = 0; first < piece; first += STRIP) {
        float sum[STRIP] = {0};
        int n = piece - first < STRIP ? (int)(piece - first) : STRIP;
        for (int r = 0; r < comm->size; r++)
            for (int i = 0; i < n; i++)
                sum[i] += from_bf16(flight->in[r * piece + first + i]);
        for (int i = 0; i < n; i++)
            own[first + i] = round_to_bf16(sum[i]);
    }
    CR_MPI(MPI_Iallgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, flight->out, flight->piece,
                          MPI_UINT16_T, comm->second, &flight->request));
    return CR_OK;
}

static void land(const cr_short_flight *flight)
{
    for (int64_t i = 0; i < flight->count; i++)
        flight->values[i] = from_bf16(flight->out[i]);
}

static cr_status test(cr_short_flight *flight, bool *done)
{
    int flag = 0;
    CR_MPI(MPI_Test(&flight->request, &flag, MPI_STATUS_IGNORE));
    *done = flag != 0;
    return CR_OK;
}

cr_status cr_bf16_advance(cr_comm *comm)
{
    cr_short_flights *all = &comm->short_flights;
    bool done = true;
    while (all->summed < all->begun && done) {
        CR_TRY(test(&all->flight[all->summed], &done));
        if (done)
            CR_TRY(gather(comm, &all->flight[all->summed++]));
    }
    done = true;
    while (all->landed < all->summed && done) {
        CR_TRY(test(&all->flight[all->landed], &done));
        if (done)
            land(&all->flight[all->landed++]);
    }
    if (all->landed == all->begun) {
        all->begun = all->summed = all->landed = 0;
        all->used = 0;
    }
    return CR_OK;
}
