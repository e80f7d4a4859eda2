/*
 * random: counter-based random numbers, Philox4x32-10 of Random123 (Salmon, Moraes, Dror & Shaw,
 * "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
 *
 * The 64-bit key is the seed; the 128-bit counter is (block, stream | layer, step, sample).
 */
#include "colrow/base.h"

#include <Random123/philox.h>
#include <math.h>

static const double TWO_PI = 6.283185307179586;

void cr_random_blocks(uint32_t *out, const cr_random_key *key, uint32_t first, int count)
{
    philox4x32_key_t k = {{(uint32_t)key->seed, (uint32_t)(key->seed >> 32)}};
    for (int block = 0; block < count; block++) {
        philox4x32_ctr_t counter = {{first + (uint32_t)block,
                                     ((uint32_t)key->stream << 24) | key->layer, key->step,
                                     key->sample}};
        philox4x32_ctr_t bits = philox4x32(counter, k);
        for (int i = 0; i < 4; i++)
            out[4 * block + i] = bits.v[i];
    }
}

void cr_random_block(uint32_t out[4], const cr_random_key *key, uint32_t index)
{
    cr_random_blocks(out, key, index, 1);
}

float cr_random_unit(uint32_t bits)
{
    return (float)(bits >> 8) * 0x1p-24f;
}

cr_random cr_random_start(cr_random_key key)
{
    return (cr_random){.key = key, .index = 0, .left = 0};
}

uint32_t cr_random_bits(cr_random *random)
{
    if (random->left == 0) {
        cr_random_block(random->block, &random->key, random->index++);
        random->left = 4;
    }
    return random->block[4 - random->left--];
}

double cr_random_uniform(cr_random *random)
{
    uint64_t high = cr_random_bits(random);
    uint64_t low = cr_random_bits(random);
    uint64_t bits = (high << 32 | low) >> 12; /* 52 bits */
    return ((double)bits + 0.5) * 0x1p-52;
}

double cr_random_normal(cr_random *random)
{
    double radius = sqrt(-2.0 * log(cr_random_uniform(random)));
    return radius * cos(TWO_PI * cr_random_uniform(random));
}

uint32_t cr_random_below(cr_random *random, uint32_t n)
{
    uint64_t product = (uint64_t)cr_random_bits(random) * n;
    uint32_t low = (uint32_t)product;
    if (low < n) {
        uint32_t threshold = (uint32_t)(-n) % n; /* 2^32 mod n values of low are one too many */
        while (low < threshold) {
            product = (uint64_t)cr_random_bits(random) * n;
            low = (uint32_t)product;
        }
    }
    return (uint32_t)(product >> 32);
}
