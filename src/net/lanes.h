/*
 * lanes: some of LANES neighbouring floats, named by the bits of a mask, taken together or put
 * apart. The only lines of net that depend on the kind of processor.
 */
#ifndef NET_LANES_H
#define NET_LANES_H

#include <stdbool.h>

enum { LANES = 16 };

#ifdef __AVX512F__
#include <immintrin.h>

static inline __mmask16 first_lanes(int count)
{
    return (__mmask16)((1U << count) - 1);
}

/* to [count] = those of from [LANES] in the mask of `count` bits; `room`: to has LANES, of which
 * the others will be written later */
static inline void lanes_gather(float *to, const float *from, unsigned mask, int count, bool room)
{
    __m512 some = _mm512_maskz_loadu_ps((__mmask16)mask, from);
    __m512 together = _mm512_maskz_compress_ps((__mmask16)mask, some);
    if (room)
        _mm512_storeu_ps(to, together);
    else
        _mm512_mask_storeu_ps(to, first_lanes(count), together);
}

/* those of to [LANES] in the mask += from [count]; `all`: the others are ours as well, so that they
 * may be written as they are, which is three times as fast (measured on Zen 5) */
static inline void lanes_add(float *to, const float *from, unsigned mask, int count, bool all)
{
    __m512 some = _mm512_maskz_loadu_ps(first_lanes(count), from);
    __m512 apart = _mm512_maskz_expand_ps((__mmask16)mask, some);
    if (all) {
        __m512 old = _mm512_loadu_ps(to);
        _mm512_storeu_ps(to, _mm512_mask_add_ps(old, (__mmask16)mask, old, apart));
        return;
    }
    __m512 sum = _mm512_add_ps(_mm512_maskz_loadu_ps((__mmask16)mask, to), apart);
    _mm512_mask_storeu_ps(to, (__mmask16)mask, sum);
}
#else
static inline void lanes_gather(float *to, const float *from, unsigned mask, int count, bool room)
{
    (void)count;
    (void)room;
    for (; mask != 0; mask >>= 1, from++)
        if (mask & 1)
            *to++ = *from;
}

static inline void lanes_add(float *to, const float *from, unsigned mask, int count, bool all)
{
    (void)count;
    (void)all;
    for (; mask != 0; mask >>= 1, to++)
        if (mask & 1)
            *to += *from++;
}
#endif

#endif
