/*
 * synthetic: random samples of the network's own shape, for benchmarks and tests. Bytes and labels
 * are keyed by (part, sample), so they are the same in every run and on every rank.
 */
#include "source.h"

#include <string.h>

enum { CLASSES_MAX = 256 }; /* labels are bytes */
enum { KEY_VALUES, KEY_LABEL };

#define SAMPLES_MAX 1e9

typedef struct synthetic_options {
    int64_t samples;
    int64_t test_samples;
} synthetic_options;

_Static_assert(sizeof(synthetic_options) <= CR_DATA_PARAMETERS, "options of one kind");

static const cr_option options_table[] = {
    {.name = "samples",
     .kind = CR_OPTION_COUNT,
     .offset = offsetof(synthetic_options, samples),
     .fallback = "1024",
     .low = 1,
     .high = SAMPLES_MAX,
     .help = "samples of the training set"},
    {.name = "test_samples",
     .kind = CR_OPTION_COUNT,
     .offset = offsetof(synthetic_options, test_samples),
     .fallback = "256",
     .low = 1,
     .high = SAMPLES_MAX,
     .help = "samples of the test set"},
    {.name = NULL},
};

static cr_random_key key_of(int which, int64_t sample, uint32_t what)
{
    return (cr_random_key){.stream = CR_STREAM_SYNTHETIC,
                           .layer = what,
                           .step = (uint32_t)which,
                           .sample = (uint32_t)sample};
}

static cr_status describe(void *self, cr_data_part parts[])
{
    const synthetic_options *options = self;
    int64_t counts[SOURCE_PARTS] = {options->samples, options->test_samples};
    for (int i = 0; i < SOURCE_PARTS; i++) {
        cr_data_part *part = &parts[i];
        CR_CHECK(counts[i] >= 1 && counts[i] <= (int64_t)SAMPLES_MAX, CR_BAD_CONFIG,
                 "data: expected 1 to %.0f synthetic samples, found %lld", SAMPLES_MAX,
                 (long long)counts[i]);
        CR_CHECK(part->h >= 1 && part->w >= 1 && part->c >= 1, CR_BAD_CONFIG,
                 "data: expected a network that says its input's shape, found %d x %d x %d",
                 part->h, part->w, part->c);
        CR_CHECK(part->classes >= 1 && part->classes <= CLASSES_MAX, CR_BAD_CONFIG,
                 "data: expected a network of 1 to %d classes, found %d", CLASSES_MAX,
                 part->classes);
        part->count = counts[i];
    }
    return CR_OK;
}

static void fill_sample(uint8_t *values, size_t size, int which, int64_t sample)
{
    cr_random_key key = key_of(which, sample, KEY_VALUES);
    uint32_t block[4];
    uint32_t index = 0;
    for (size_t i = 0; i < size; i += sizeof block) {
        size_t left = size - i;
        cr_random_block(block, &key, index++);
        memcpy(values + i, block, left < sizeof block ? left : sizeof block);
    }
}

static cr_status fill(void *self, void *values, uint8_t *labels, const cr_data_part *part,
                      int which)
{
    (void)self;
    uint8_t *bytes = values;
    size_t size = (size_t)part->h * (size_t)part->w * (size_t)part->c;
    for (int64_t sample = 0; sample < part->count; sample++) {
        cr_random random = cr_random_start(key_of(which, sample, KEY_LABEL));
        labels[sample] = (uint8_t)cr_random_below(&random, (uint32_t)part->classes);
        fill_sample(bytes + (size_t)sample * size, size, which, sample);
    }
    return CR_OK;
}

static cr_status open_set(cr_data *data, const cr_data_options *options, const cr_data_share *share)
{
    synthetic_options own;
    memcpy(&own, options->parameters, sizeof own);
    cr_data_source source = {
        .self = &own, .parts = SOURCE_PARTS, .describe = describe, .fill = fill};
    CR_TRY(cr_data_source_load(data, &source, share));
    return CR_OK;
}

const cr_data_set cr_data_set_synthetic = {
    .name = "synthetic", .options = options_table, .open = open_set};
