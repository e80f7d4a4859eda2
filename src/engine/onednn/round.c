/* round: see round.h. A bf16 is the upper half of a float. */
#include "round.h"

#include <string.h>

void cr_onednn_round(uint16_t *restrict to, const float *restrict from, int64_t count)
{
    enum { SIGN_OFF = 0x7fffffff, INFINITE = 0x7f800000, QUIET = 0x400000, BELOW_HALF = 0x7fff };
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &from[i], sizeof bits);
        uint32_t nearest = bits + BELOW_HALF + (bits >> 16 & 1);
        to[i] = (uint16_t)(((bits & SIGN_OFF) > INFINITE ? bits | QUIET : nearest) >> 16);
    }
}
