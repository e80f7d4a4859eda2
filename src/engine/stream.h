/*
 * stream: stores that go round the caches, for what is written by one thread and read by others
 * much later. Private to the engine.
 */
#ifndef COLROW_ENGINE_STREAM_H
#define COLROW_ENGINE_STREAM_H

#include "packed.h"

#include <string.h>

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
