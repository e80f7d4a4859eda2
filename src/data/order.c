/*
 * order: which sample an epoch visits when. A function of seed and epoch alone, so that every rank
 * finds the same order without a message, and a resumed run finds it again.
 */
#include "colrow/data.h"

void cr_data_order(uint32_t *order, int64_t count, bool shuffle, uint64_t seed, uint32_t epoch)
{
    CR_ASSERT(count >= 0 && count <= UINT32_MAX);
    for (int64_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    if (!shuffle)
        return;
    cr_random random =
        cr_random_start((cr_random_key){.seed = seed, .stream = CR_STREAM_SHUFFLE, .step = epoch});
    /* Fisher and Yates 1938, as in Knuth, TAOCP vol. 2, algorithm 3.4.2P */
    for (int64_t i = count - 1; i > 0; i--) {
        uint32_t j = cr_random_below(&random, (uint32_t)i + 1);
        uint32_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}
