/*
 * select: the k largest of n values in linear time, by radix selection.
 *
 * A double's bits, with the sign turned round, sort as unsigned numbers. At the highest bit in
 * which the candidates differ a digit is read; by counting, the digit of the k-th largest is found,
 * and only the values that share it stay candidates. After the first round few are left, so the
 * cost is about four passes over the values, whatever their order; when all are equal, one.
 */
#include "colrow/sample.h"

#include <string.h>

enum { DIGIT = 8, DIGITS = 1 << DIGIT };

/* Bits that sort as the values do; -0 sorts as +0. */
static uint64_t order_bits(double value)
{
    const uint64_t sign = UINT64_C(1) << 63;
    double plain = value + 0.0; /* -0 + 0 = +0 */
    uint64_t bits;
    memcpy(&bits, &plain, sizeof(bits));
    return bits ^ (-(bits >> 63) | sign); /* all bits turned where negative, else the sign */
}

static unsigned digit_at(double value, int shift)
{
    return (unsigned)(order_bits(value) >> shift) & (DIGITS - 1);
}

/* The bits in which the candidates differ. */
static uint64_t differing_bits(const double *values, const int *candidates, int count)
{
    uint64_t first = order_bits(values[candidates[0]]);
    uint64_t differ = 0;
    for (int c = 1; c < count; c++)
        differ |= order_bits(values[candidates[c]]) ^ first;
    return differ;
}

/* Where the digit stands that has the highest of these bits. */
static int digit_shift(uint64_t bits)
{
    int shift = 0;
    while (bits >> shift >= DIGITS)
        shift++;
    return shift;
}

/* The digit of the `*wanted`-th largest candidate; *wanted becomes its place among those that share
 * the digit. */
static unsigned find_digit(const double *values, const int *candidates, int count, int shift,
                           int *wanted)
{
    int tally[DIGITS] = {0};
    for (int c = 0; c < count; c++)
        tally[digit_at(values[candidates[c]], shift)]++;
    unsigned digit = DIGITS - 1;
    while (tally[digit] < *wanted)
        *wanted -= tally[digit--];
    return digit;
}

/* Keep the candidates with that digit, in their order; returns how many. */
static int keep_digit(const double *values, int *candidates, int count, int shift, unsigned digit)
{
    int kept = 0;
    for (int c = 0; c < count; c++) {
        int i = candidates[c];
        candidates[kept] = i;
        kept += digit_at(values[i], shift) == digit;
    }
    return kept;
}

/* Which of the values is the k-th largest, where of equal ones the lower index comes first. */
static int find_rank(const double *values, int n, int k, int *candidates)
{
    for (int i = 0; i < n; i++)
        candidates[i] = i;
    int count = n;
    int wanted = k;
    uint64_t differ;
    while ((differ = differing_bits(values, candidates, count)) != 0) {
        int shift = digit_shift(differ);
        unsigned digit = find_digit(values, candidates, count, shift, &wanted);
        count = keep_digit(values, candidates, count, shift, digit);
    }
    return candidates[wanted - 1]; /* those left are equal and in ascending order */
}

void cr_select_largest(int *index, const double *values, int n, int k, int *scratch)
{
    CR_ASSERT(k >= 0 && k <= n);
    if (k == 0)
        return;
    int last = find_rank(values, n, k, scratch);
    double least = values[last];
    int kept = 0;
    for (int i = 0; i < n && kept < k; i++) {
        index[kept] = i;
        kept += values[i] > least || (values[i] == least && i <= last);
    }
}
