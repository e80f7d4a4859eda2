/*
 * dropout (Srivastava et al. 2014, inverted): each value is dropped with probability `rate`, the
 * others are multiplied by 1 / (1 - rate); nothing when evaluating. Whether a value is dropped is a
 * function of (seed, step, layer, sample, channel): the backward pass works it out again.
 */
#include "colrow/net.h"

#include <math.h>

enum {
    LANES = 4,  /* random numbers a block */
    STRIP = 512 /* channels whose numbers are made together */
};

static const cr_option options[] = {
    {.name = "rate",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_layer_plan, rate),
     .low = 0,
     .high = 0.99,
     .help = "share of the values dropped"},
    {.name = NULL},
};

static cr_status shape(cr_layer *layer)
{
    CR_CHECK(layer->plan.rate >= 0 && layer->plan.rate < 1, CR_BAD_CONFIG,
             "layer %s: expected a dropout rate in [0, 1), found %g", layer->name,
             layer->plan.rate);
    layer->out = layer->in;
    return CR_OK;
}

/* factor [count] = 0 or scale for the channels from number `offset` of the sample on */
static void draw_factors(float *restrict factor, const cr_random_key *key, uint32_t offset,
                         int count, double rate)
{
    uint32_t bits[STRIP + LANES];
    const uint32_t *from = bits + offset % LANES;
    const uint32_t least = (uint32_t)ceil(rate * 0x1p24); /* cr_random_unit(bits) >= rate */
    const float scale = (float)(1 / (1 - rate));
    int blocks = (int)(offset % LANES + (uint32_t)count + LANES - 1) / LANES;
    cr_random_blocks(bits, key, offset / LANES, blocks);
    for (int c = 0; c < count; c++)
        factor[c] = from[c] >> 8 < least ? 0 : scale;
}

static float dropped(float value, float factor)
{
    return factor == 0 ? 0 : value * factor; /* also where the value is no number */
}

/* Multiply one row [k] of a compact tensor by its mask. */
static void mask_row(float *row, const cr_tile *tile, const cr_random_key *key, uint32_t offset,
                     int channels, double rate)
{
    float factor[STRIP];
    int j = 0;
    for (int first = 0; first < channels && j < tile->k; first += STRIP) {
        int count = channels - first < STRIP ? channels - first : STRIP;
        draw_factors(factor, key, offset + (uint32_t)first, count, rate);
        if (tile->index == NULL)
            for (int c = 0; c < count; c++)
                row[first + c] = dropped(row[first + c], factor[c]);
        else
            for (; j < tile->k && tile->index[j] < first + count; j++)
                row[j] = dropped(row[j], factor[tile->index[j] - first]);
    }
}

static void mask(const cr_layer *layer, const cr_pass *pass, float *y, const cr_tile *tile)
{
    if (!pass->training || layer->plan.rate == 0)
        return;
    int positions = layer->in.h * layer->in.w; /* rows a sample */
    cr_random_key key = {pass->seed, CR_STREAM_DROPOUT, (uint32_t)layer->index, pass->step, 0};
    for (int r = 0; r < tile->rows; r++) {
        int64_t row = tile->first_row + r;
        key.sample = pass->first_sample + (uint32_t)(row / positions);
        uint32_t offset = (uint32_t)(row % positions) * (uint32_t)layer->in.c;
        mask_row(y + (int64_t)r * tile->k, tile, &key, offset, layer->in.c, layer->plan.rate);
    }
}

static void backward(const cr_layer *layer, const cr_pass *pass, float *dy, const cr_kept *kept,
                     const cr_tile *tile)
{
    (void)kept;
    mask(layer, pass, dy, tile);
}

static const cr_channelwise channelwise = {
    .forward = mask,
    .backward = backward,
};

const cr_layer_type cr_layer_type_dropout = {
    .name = "dropout",
    .options = options,
    .shape = shape,
    .channelwise = &channelwise,
};
