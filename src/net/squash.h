/*
 * squash: exp, sigmoid and tanh in float, as straight lines of arithmetic that a compiler turns
 * into vector instructions. Against the exact values, over all of their range (unit/test_squash.c):
 *
 *     cr_exp       relative error below 2^-22; 2^-126 and 2^127 beyond -87.3 and 88
 *     cr_sigmoid   absolute error below 2^-23
 *     cr_tanh      absolute error below 2^-22, relative error below 2^-20
 *
 * What is no number stays none.
 */
#ifndef NET_SQUASH_H
#define NET_SQUASH_H

#include <stdint.h>
#include <string.h>

/* e^x = 2^n e^r with n = round(x / log 2), |r| <= log(2) / 2, and e^r by its series up to r^7 / 7!,
 * which leaves r^8 / 8! < 2^-27. */
static inline float cr_exp(float x)
{
    const float round = 0x1.8p23F; /* adding it leaves an integer in the lowest bits */
    const float log2_high = 0x1.62e4p-1F, log2_low = 0x1.7f7d1cp-20F;
    x = x < -87.3F ? -87.3F : x;
    x = x > 88.0F ? 88.0F : x;
    float shifted = x * 0x1.715476p0F + round;
    float n = shifted - round;
    float r = (x - n * log2_high) - n * log2_low;
    float series = 1.0F / 5040;
    series = series * r + 1.0F / 720;
    series = series * r + 1.0F / 120;
    series = series * r + 1.0F / 24;
    series = series * r + 1.0F / 6;
    series = series * r + 0.5F;
    series = series * r + 1.0F;
    series = series * r + 1.0F;
    uint32_t bits; /* of 2^n: the exponent's field */
    float power;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127) << 23;
    memcpy(&power, &bits, sizeof power);
    return series * power;
}

static inline float cr_sigmoid(float x)
{
    return 1.0F / (1.0F + cr_exp(-x));
}

/* Near 0 the series x - x^3 / 3 + 2 x^5 / 15 - 17 x^7 / 315: the formula would lose digits there.
 */
static inline float cr_tanh(float x)
{
    float square = x * x;
    float series = x * (1.0F + square * (-1.0F / 3 + square * (2.0F / 15 - square * 17.0F / 315)));
    float formula = 1.0F - 2.0F / (1.0F + cr_exp(2.0F * x));
    return square < 0.04F ? series : formula;
}

#endif
