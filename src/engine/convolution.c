/* convolution: an engine's convolutions, by the first of its ways that fits. */
#include "colrow/engine.h"

#include <string.h>

const cr_convolution *cr_conv_way(const cr_engine *engine, const cr_conv_sizes *sizes)
{
    const cr_convolution *const *way = engine->convolutions;
    while (way[1] != NULL && !(*way)->fits(sizes))
        way++;
    return *way;
}

/* Is a result a sum of nothing: no images (a rank without a share), or no channels on either side?
 */
static bool is_empty(const cr_conv_sizes *s)
{
    return s->n == 0 || s->in == 0 || s->out == 0;
}

/* result [count] = 0, which nothing sums up to */
static void clear(float *result, int64_t count)
{
    if (count > 0)
        memset(result, 0, (size_t)count * sizeof(float));
}

/* Fewer channels may go another way: the most that any wants. */
int64_t cr_conv_prepared(const cr_engine *engine, const cr_conv_sizes *sizes, bool backward)
{
    int64_t most = 0;
    for (int i = 0; engine->convolutions[i] != NULL; i++) {
        const cr_convolution *way = engine->convolutions[i];
        int64_t floats = way->fits(sizes) ? way->prepared(sizes, backward) : 0;
        most = floats > most ? floats : most;
    }
    return most;
}

void cr_conv_prepare(const cr_engine *engine, float *prepared, const float *w,
                     const cr_conv_sizes *sizes, bool backward)
{
    if (sizes->in > 0 && sizes->out > 0)
        cr_conv_way(engine, sizes)->prepare(prepared, w, sizes, backward);
}

/* Likewise. */
size_t cr_conv_work(const cr_engine *engine, const cr_conv_sizes *sizes, int threads)
{
    size_t most = 0;
    for (int i = 0; engine->convolutions[i] != NULL && sizes->in > 0 && sizes->out > 0; i++) {
        const cr_convolution *way = engine->convolutions[i];
        size_t bytes = way->fits(sizes) ? way->work(sizes, threads) : 0;
        most = bytes > most ? bytes : most;
    }
    return most;
}

void cr_conv_forward(const cr_engine *engine, float *y, const float *x, const float *prepared,
                     const cr_conv_sizes *sizes, void *work)
{
    if (is_empty(sizes))
        clear(y, (int64_t)sizes->n * sizes->oh * sizes->ow * sizes->out);
    else
        cr_conv_way(engine, sizes)->forward(y, x, prepared, sizes, work);
}

bool cr_conv_add(const cr_engine *engine, float *y, const float *x, const float *prepared,
                 const cr_conv_sizes *sizes, void *work)
{
    const cr_convolution *way = cr_conv_way(engine, sizes);
    if (is_empty(sizes))
        return true;
    if (way->add != NULL)
        way->add(y, x, prepared, sizes, work);
    return way->add != NULL;
}

void cr_conv_input_gradient(const cr_engine *engine, float *dx, const float *dy,
                            const float *prepared, const cr_conv_sizes *sizes, void *work)
{
    if (is_empty(sizes))
        clear(dx, (int64_t)sizes->n * sizes->h * sizes->w * sizes->in);
    else
        cr_conv_way(engine, sizes)->input_gradient(dx, dy, prepared, sizes, work);
}

void cr_conv_weight_gradient(const cr_engine *engine, float *dw, const float *x, const float *dy,
                             const cr_conv_sizes *sizes, bool accumulate, void *work)
{
    int64_t taps = (int64_t)sizes->kernel * sizes->kernel;
    if (!is_empty(sizes))
        cr_conv_way(engine, sizes)->weight_gradient(dw, x, dy, sizes, accumulate, work);
    else if (!accumulate)
        clear(dw, taps * sizes->in * sizes->out);
}
