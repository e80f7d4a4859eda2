/* convolution: what all ways to convolve have in common. */
#include "convolution.h"

#include <string.h>

bool cr_convolution_empty(const cr_conv_sizes *s, float *result, int64_t count, bool add)
{
    bool empty = s->n == 0 || s->in == 0 || s->out == 0;
    if (empty && count > 0 && !add)
        memset(result, 0, (size_t)count * sizeof(float));
    return empty;
}
