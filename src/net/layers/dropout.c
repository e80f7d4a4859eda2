/*
 * dropout (Srivastava et al. 2014, inverted): each value is dropped with probability `rate`, the
 * others are multiplied by 1 / (1 - rate); nothing when evaluating. Whether a value is dropped is a
 * function of (seed, step, layer, sample, channel): the backward pass works it out again.
 */
#include "colrow/net.h"

enum { LANES = 4 }; /* random numbers a block */

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

/* Multiply one row of a compact tensor by its mask. */
static void mask_row(float *row, const cr_tile *tile, const cr_random_key *key, uint32_t offset,
                     float rate)
{
    uint32_t block[LANES];
    uint32_t have = UINT32_MAX; /* number of the block held */
    float scale = 1 / (1 - rate);
    for (int j = 0; j < tile->k; j++) {
        uint32_t at = offset + (uint32_t)(tile->index != NULL ? tile->index[j] : j);
        if (at / LANES != have) {
            have = at / LANES;
            cr_random_block(block, key, have);
        }
        row[j] = cr_random_unit(block[at % LANES]) < rate ? 0 : row[j] * scale;
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
        mask_row(y + (int64_t)r * tile->k, tile, &key, offset, (float)layer->plan.rate);
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
