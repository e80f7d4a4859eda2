/*
 * processor: what the kernels take from the kind of processor they are compiled for. Private to the
 * engine, and its only lines that depend on that.
 */
#ifndef COLROW_ENGINE_PROCESSOR_H
#define COLROW_ENGINE_PROCESSOR_H

#include <string.h>

enum { CR_LANES = 16 }; /* columns of a panel; floats of the widest vector register */

/* Vector registers, of CR_REGISTER floats; rows, and panels of columns, that are computed together:
 * as many as leave the sums in registers. */
#ifdef __AVX512F__
enum { CR_REGISTERS = 32, CR_PACKED_ROWS = 8, CR_PACKED_PANELS = 2 };
#else
enum { CR_REGISTERS = 16, CR_PACKED_ROWS = 6, CR_PACKED_PANELS = 1 };
#endif
enum { CR_PACKED_COLUMNS = CR_PACKED_PANELS * CR_LANES };

/* Stores that go round the caches, for what is written by one thread and read by others much later.
 */
#ifdef __SSE__
#include <xmmintrin.h>

/* to [16] = from [16]; `to` is a whole line of the cache */
static inline void cr_stream_lanes(float *to, const float *from)
{
    for (int l = 0; l < CR_LANES; l += 4)
        _mm_stream_ps(to + l, _mm_loadu_ps(from + l));
}

/* Others see what this thread has streamed. */
static inline void cr_stream_end(void)
{
    _mm_sfence();
}
#else
static inline void cr_stream_lanes(float *to, const float *from)
{
    memcpy(to, from, CR_LANES * sizeof *to);
}

static inline void cr_stream_end(void)
{
}
#endif

#endif
