/*
 * array: arrays that grow. Room is for a power of two of elements, 16 and more, so that the count
 * alone tells when it is full; it is then doubled.
 */
#include "colrow/base.h"

#include <string.h>

cr_status cr_reserve(void **array, int count, size_t bytes)
{
    enum { FIRST = 16 };
    void *larger = NULL;
    bool is_full = count >= FIRST && (count & (count - 1)) == 0;
    if (count > 0 && !is_full)
        return CR_OK;
    CR_TRY(cr_alloc(&larger, (size_t)(count > 0 ? 2 * (int64_t)count : FIRST) * bytes));
    if (count > 0)
        memcpy(larger, *array, (size_t)count * bytes);
    cr_free(array);
    *array = larger;
    return CR_OK;
}
