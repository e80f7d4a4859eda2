/*
 * cifar: sets in the binary version of CIFAR (Krizhevsky 2009). A file is records and nothing else,
 * plain or gzip:
 *
 *     labels      one or two bytes; the last one is the class
 *     planes      red, green, blue: 32 x 32 bytes each, row by row
 *
 * Planes become NHWC once, on their way into memory.
 */
#include "cifar.h"

#include "reader.h"

enum { SIDE = 32, CHANNELS = 3, PIXELS = SIDE * SIDE, VALUES = PIXELS * CHANNELS };

typedef struct cifar_set {
    const cr_cifar_layout *layout;
    const char *folder;
    int64_t counts[SOURCE_PARTS][CIFAR_FILES]; /* records of each file */
} cifar_set;

static cr_status open_file(cr_reader *reader, const cifar_set *set, const char *name)
{
    char path[CR_PATH_MAX];
    CR_TRY(cr_path_join(path, set->folder, name));
    return cr_reader_open(reader, path);
}

/* ---- how many there are ---------------------------------------------------------------------- */

static cr_status count_records(int64_t *count, const cifar_set *set, const char *name)
{
    cr_status status = CR_OK;
    cr_reader reader = {.stream = NULL};
    int record = set->layout->labels + VALUES; /* B */
    int64_t length = 0;
    CR_TRY_GOTO(open_file(&reader, set, name));
    CR_TRY_GOTO(cr_reader_length(&length, &reader));
    CR_CHECK_GOTO(length > 0, CR_BAD_DATA, "%s: expected records of %d bytes, found an empty file",
                  reader.path, record);
    CR_CHECK_GOTO(length % record == 0, CR_BAD_DATA,
                  "%s: record %lld: expected %d bytes, found only %lld", reader.path,
                  (long long)(length / record), record, (long long)(length % record));
    *count = length / record;
done:
    cr_reader_close(&reader);
    return status;
}

static cr_status describe(void *self, cr_data_part parts[])
{
    cifar_set *set = self;
    const cr_cifar_layout *layout = set->layout;
    for (int which = 0; which < SOURCE_PARTS; which++) {
        cr_data_part part = {
            .h = SIDE, .w = SIDE, .c = CHANNELS, .classes = layout->classes[layout->labels - 1]};
        for (int i = 0; layout->files[which][i] != NULL; i++) {
            CR_TRY(count_records(&set->counts[which][i], set, layout->files[which][i]));
            part.count += set->counts[which][i];
        }
        parts[which] = part;
    }
    return CR_OK;
}

/* ---- their bytes ----------------------------------------------------------------------------- */

/* values [pixel, channel] from planes [channel, pixel] */
static void interleave(uint8_t *restrict values, const uint8_t *restrict planes)
{
    for (int pixel = 0; pixel < PIXELS; pixel++)
        for (int channel = 0; channel < CHANNELS; channel++)
            values[pixel * CHANNELS + channel] = planes[channel * PIXELS + pixel];
}

/* Record number `number` of a file: its class and its values. */
static cr_status take_record(cr_reader *reader, uint8_t *values, uint8_t *label,
                             const cr_cifar_layout *layout, int64_t number)
{
    uint8_t labels[CIFAR_LABELS];
    uint8_t planes[VALUES];
    CR_TRY(cr_reader_take(reader, labels, (size_t)layout->labels, "labels"));
    CR_TRY(cr_reader_take(reader, planes, sizeof planes, "values"));
    for (int i = 0; i < layout->labels; i++)
        CR_CHECK(labels[i] < layout->classes[i], CR_BAD_DATA,
                 "%s: record %lld: expected a label below %d, found %d", reader->path,
                 (long long)number, layout->classes[i], labels[i]);
    *label = labels[layout->labels - 1];
    interleave(values, planes);
    return CR_OK;
}

static cr_status fill_file(const cifar_set *set, uint8_t *values, uint8_t *labels, const char *name,
                           int64_t count)
{
    cr_status status = CR_OK;
    cr_reader reader = {.stream = NULL};
    CR_TRY_GOTO(open_file(&reader, set, name));
    for (int64_t i = 0; i < count; i++)
        CR_TRY_GOTO(take_record(&reader, values + i * VALUES, labels + i, set->layout, i));
    CR_TRY_GOTO(cr_reader_end(&reader));
done:
    cr_reader_close(&reader);
    return status;
}

static cr_status fill(void *self, void *values, uint8_t *labels, const cr_data_part *part,
                      int which)
{
    (void)part; /* its count is the sum of ours */
    const cifar_set *set = self;
    const char *const *files = set->layout->files[which];
    uint8_t *bytes = values;
    int64_t done = 0;
    for (int i = 0; files[i] != NULL; i++) {
        int64_t count = set->counts[which][i];
        CR_TRY(fill_file(set, bytes + done * VALUES, labels + done, files[i], count));
        done += count;
    }
    return CR_OK;
}

cr_status cr_cifar_open(cr_data *data, const cr_cifar_layout *layout, const char *folder,
                        const cr_data_share *share)
{
    cifar_set set = {.layout = layout, .folder = folder};
    cr_data_source source = {
        .self = &set, .parts = SOURCE_PARTS, .describe = describe, .fill = fill};
    CR_TRY(cr_data_source_load(data, &source, share));
    return CR_OK;
}
