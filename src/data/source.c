/*
 * source: how a set comes into memory. The leader of a node describes the parts, everybody learns
 * their sizes and allocates, the leader fills. A failure on one rank is carried along to the next
 * agreement, so that every rank makes the same collective calls and leaves with the same verdict.
 */
#include "source.h"

#include <string.h>

enum { BLOCKS = CR_DATA_BLOCKS }; /* values and labels of each part */

/* ---- a process on its own ------------------------------------------------------------------- */

static cr_status alone_allocate(void *self, void **out, size_t bytes)
{
    (void)self;
    return cr_alloc(out, bytes);
}

static void alone_release(void *self, void **block)
{
    (void)self;
    cr_free(block);
}

static cr_status alone_agree(void *self, cr_status local)
{
    (void)self;
    return local;
}

static cr_status alone_broadcast(void *self, void *data, size_t bytes)
{
    (void)self;
    (void)data;
    (void)bytes;
    return CR_OK;
}

static const cr_data_share alone = {.leader = true,
                                    .allocate = alone_allocate,
                                    .release = alone_release,
                                    .agree = alone_agree,
                                    .broadcast = alone_broadcast};

/* ---- the steps ------------------------------------------------------------------------------ */

static cr_status first_failure(cr_status earlier, cr_status later)
{
    return earlier != CR_OK ? earlier : later;
}

static cr_status describe(cr_data_part parts[SOURCE_PARTS], const cr_data_source *source,
                          const cr_data_share *share)
{
    cr_status status = share->leader ? source->describe(source->self, parts) : CR_OK;
    size_t bytes = SOURCE_PARTS * sizeof *parts;
    status = first_failure(status, share->broadcast(share->self, parts, bytes));
    CR_TRY(share->agree(share->self, status));
    return CR_OK;
}

/* Sizes follow from what was broadcast: a failure here is one on every rank. */
static cr_status measure(size_t bytes[BLOCKS], const cr_data_part parts[SOURCE_PARTS])
{
    for (int i = 0; i < SOURCE_PARTS; i++) {
        const cr_data_part *part = &parts[i];
        int values = 2 * i;
        int labels = values + 1;
        bytes[labels] = (size_t)part->count;
        CR_TRY(cr_size_multiply(&bytes[values], bytes[labels], (size_t)part->h, "data"));
        CR_TRY(cr_size_multiply(&bytes[values], bytes[values], (size_t)part->w, "data"));
        CR_TRY(cr_size_multiply(&bytes[values], bytes[values], (size_t)part->c, "data"));
    }
    return CR_OK;
}

static cr_status allocate(void *blocks[BLOCKS], const size_t bytes[BLOCKS],
                          const cr_data_share *share)
{
    cr_status status = CR_OK;
    for (int i = 0; i < BLOCKS; i++)
        status = first_failure(status, share->allocate(share->self, &blocks[i], bytes[i]));
    return status;
}

static cr_status fill(void *blocks[BLOCKS], const cr_data_part parts[SOURCE_PARTS],
                      const cr_data_source *source)
{
    for (int i = 0; i < SOURCE_PARTS; i++) {
        int values = 2 * i;
        int labels = values + 1;
        CR_TRY(source->fill(source->self, blocks[values], blocks[labels], &parts[i], i));
    }
    return CR_OK;
}

static cr_data_part with_memory(cr_data_part part, const uint8_t *values, const uint8_t *labels)
{
    part.values = values;
    part.labels = labels;
    return part;
}

cr_status cr_data_source_load(cr_data *data, const cr_data_source *source,
                              const cr_data_share *share)
{
    cr_status status = CR_OK;
    const cr_data_share *ranks = share != NULL ? share : &alone;
    cr_data_part parts[SOURCE_PARTS] = {data->train, data->test};
    size_t bytes[BLOCKS] = {0};
    void *blocks[BLOCKS] = {NULL};
    CR_TRY_GOTO(describe(parts, source, ranks));
    CR_TRY_GOTO(measure(bytes, parts));
    status = allocate(blocks, bytes, ranks);
    if (status == CR_OK && ranks->leader)
        status = fill(blocks, parts, source);
    CR_TRY_GOTO(ranks->agree(ranks->self, status));
    data->train = with_memory(parts[SOURCE_TRAIN], blocks[0], blocks[1]);
    data->test = with_memory(parts[SOURCE_TEST], blocks[2], blocks[3]);
    memcpy(data->blocks, blocks, sizeof blocks);
    data->release = ranks->release;
    data->self = ranks->self;
    return CR_OK;
done:
    for (int i = 0; i < BLOCKS; i++)
        ranks->release(ranks->self, &blocks[i]);
    return status;
}
