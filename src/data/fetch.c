/*
 * fetch: samples as floats, x = value / 255, or as augment.c or stream.c make them. On the path of
 * every step: no allocation, one pass. It is bound by memory, so the division costs nothing and is
 * exact for every byte.
 */
#include "augment.h"
#include "stream.h"

/* Waking threads takes some microseconds, about as long as one thread needs for this many values.
 */
enum { VALUES_FOR_THREADS = 1 << 18 };

static void to_floats(float *restrict x, const uint8_t *restrict values, size_t count)
{
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        x[i] = (float)values[i] / 255.0f;
}

static void fetch_images(float *x, int *labels, const cr_data_view *view, int64_t first, int rows)
{
    const cr_data_part *part = view->part;
    bool augment = cr_augment_is_on(view);
    size_t size = (size_t)part->h * (size_t)part->w * (size_t)part->c; /* values of a sample */
#pragma omp parallel for if (size * (size_t)rows >= VALUES_FOR_THREADS)
    for (int row = 0; row < rows; row++) {
        int64_t sample = view->order != NULL ? view->order[first + row] : first + row;
        float *out = x + (size_t)row * size;
        if (augment)
            cr_augment_image(out, view, sample);
        else
            to_floats(out, part->values + (size_t)sample * size, size);
        labels[row] = part->labels[sample];
    }
}

void cr_data_fetch(float *x, int *labels, const cr_data_view *view, int64_t first, int rows)
{
    CR_ASSERT(first >= 0 && first + rows <= view->part->count);
    if (view->part->text.tokens != NULL)
        cr_stream_fetch(x, labels, view, first, rows);
    else
        fetch_images(x, labels, view, first, rows);
}
