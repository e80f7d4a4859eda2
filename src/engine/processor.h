/*
 * processor: what the kernels take from the kind of processor they are compiled for. Private to the
 * engine, and its only lines that depend on that.
 */
#ifndef COLROW_ENGINE_PROCESSOR_H
#define COLROW_ENGINE_PROCESSOR_H

#include <string.h>

enum { CR_LANES = 16 }; /* columns of a panel; floats of the widest vector register */

/* Floats of a vector register. */
#if defined(__AVX512F__)
enum { CR_REGISTER = 16 };
#elif defined(__AVX__)
enum { CR_REGISTER = 8 };
#else
enum { CR_REGISTER = 4 };
#endif

/* Rows, and panels of columns, that are computed together: as many as leave the sums in registers,
 * of which AVX-512 has 32 of 16 floats, others at most 16 of 8. */
#ifdef __AVX512F__
enum { CR_PACKED_ROWS = 8, CR_PACKED_PANELS = 2 };
#else
enum { CR_PACKED_ROWS = 6, CR_PACKED_PANELS = 1 };
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
