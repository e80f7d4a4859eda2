/* winograd_rows: the table of the maps, a row for each kernel and stride. */
#include "winograd_tiles.h"

#include <stddef.h>

static const struct {
    int kernel, stride;
    const cr_winograd *forward, *back;
} rows[] = {
    {3, 1, &cr_winograd_3x3, &cr_winograd_3x3},
    {5, 1, &cr_winograd_5x5, &cr_winograd_5x5},
    {3, 2, &cr_winograd_3x3_stride2, &cr_winograd_3x3_stride2_back},
};

const cr_winograd *cr_winograd_find(const cr_conv_sizes *sizes, bool backward)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].kernel == sizes->kernel && rows[i].stride == sizes->stride)
            return backward ? rows[i].back : rows[i].forward;
    return NULL;
}
