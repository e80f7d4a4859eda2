/* hash: xxh64. */
#include "colrow/base.h"

#include <xxhash.h>

uint64_t cr_hash(const void *data, size_t bytes, uint64_t seed)
{
    return XXH64(data, bytes, seed);
}
