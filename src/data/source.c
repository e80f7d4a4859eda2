/*
 * source: how a set comes into memory. The leader of a node describes the parts, everybody learns
 * their sizes and allocates, the leader fills. A failure on one rank is carried along to the next
 * agreement, so that every rank makes the same collective calls and leaves with the same verdict.
 */
#include "source.h"

#include <string.h>

enum { VALUES, LABELS, BLOCKS }; /* of a part; the tokens of a text are its values */

_Static_assert(BLOCKS *SOURCE_TEXTS == CR_DATA_BLOCKS, "blocks of a set");

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

static cr_status describe(cr_data_part parts[SOURCE_TEXTS], const cr_data_source *source,
                          const cr_data_share *share)
{
    cr_status status = share->leader ? source->describe(source->self, parts) : CR_OK;
    size_t bytes = SOURCE_TEXTS * sizeof *parts;
    status = first_failure(status, share->broadcast(share->self, parts, bytes));
    CR_TRY(share->agree(share->self, status));
    return CR_OK;
}

static bool is_text(const cr_data_part *part)
{
    return part->text.count > 0;
}

static cr_status measure_part(size_t bytes[BLOCKS], const cr_data_part *part)
{
    if (is_text(part))
        return cr_size_multiply(&bytes[VALUES], (size_t)part->text.count, sizeof(uint32_t), "data");
    bytes[LABELS] = (size_t)part->count;
    CR_TRY(cr_size_multiply(&bytes[VALUES], bytes[LABELS], (size_t)part->h, "data"));
    CR_TRY(cr_size_multiply(&bytes[VALUES], bytes[VALUES], (size_t)part->w, "data"));
    return cr_size_multiply(&bytes[VALUES], bytes[VALUES], (size_t)part->c, "data");
}

/* Sizes follow from what was broadcast: a failure here is one on every rank. */
static cr_status measure(size_t bytes[][BLOCKS], const cr_data_part parts[], int count)
{
    for (int i = 0; i < count; i++)
        CR_TRY(measure_part(bytes[i], &parts[i]));
    return CR_OK;
}

static cr_status allocate(void *blocks[][BLOCKS], size_t bytes[][BLOCKS],
                          const cr_data_share *share)
{
    cr_status status = CR_OK;
    for (int i = 0; i < SOURCE_TEXTS; i++)
        for (int b = 0; b < BLOCKS; b++)
            if (bytes[i][b] > 0)
                status =
                    first_failure(status, share->allocate(share->self, &blocks[i][b], bytes[i][b]));
    return status;
}

static void release(void *blocks[][BLOCKS], const cr_data_share *share)
{
    for (int i = 0; i < SOURCE_TEXTS; i++)
        for (int b = 0; b < BLOCKS; b++)
            share->release(share->self, &blocks[i][b]);
}

static cr_status fill(void *blocks[][BLOCKS], const cr_data_part parts[],
                      const cr_data_source *source)
{
    for (int i = 0; i < source->parts; i++)
        CR_TRY(source->fill(source->self, blocks[i][VALUES], blocks[i][LABELS], &parts[i], i));
    return CR_OK;
}

static cr_data_part with_memory(cr_data_part part, void *const blocks[BLOCKS])
{
    bool text = is_text(&part);
    part.text.tokens = text ? blocks[VALUES] : NULL;
    part.values = text ? NULL : blocks[VALUES];
    part.labels = blocks[LABELS];
    return part;
}

cr_status cr_data_source_load(cr_data *data, const cr_data_source *source,
                              const cr_data_share *share)
{
    cr_status status = CR_OK;
    const cr_data_share *ranks = share != NULL ? share : &alone;
    cr_data_part parts[SOURCE_TEXTS] = {data->train, data->test, data->valid};
    size_t bytes[SOURCE_TEXTS][BLOCKS] = {{0}};
    void *blocks[SOURCE_TEXTS][BLOCKS] = {{NULL}};
    CR_TRY_GOTO(describe(parts, source, ranks));
    CR_TRY_GOTO(measure(bytes, parts, source->parts));
    status = allocate(blocks, bytes, ranks);
    if (status == CR_OK && ranks->leader)
        status = fill(blocks, parts, source);
    CR_TRY_GOTO(ranks->agree(ranks->self, status));
    data->train = with_memory(parts[SOURCE_TRAIN], blocks[SOURCE_TRAIN]);
    data->test = with_memory(parts[SOURCE_TEST], blocks[SOURCE_TEST]);
    if (source->parts > SOURCE_VALID)
        data->valid = with_memory(parts[SOURCE_VALID], blocks[SOURCE_VALID]);
    memcpy(data->blocks, blocks, sizeof blocks);
    data->release = ranks->release;
    data->self = ranks->self;
    return CR_OK;
done:
    release(blocks, ranks);
    return status;
}
