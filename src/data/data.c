/*
 * data: open a set by its kind and hold out the validation samples.
 *
 * Validation is the first N samples of the training set: the same bytes, not a copy. A text comes
 * with one of its own.
 */
#include "colrow/data.h"

#include <limits.h>

const cr_option cr_data_option_table[] = {
    {.name = "kind",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_data_options, kind),
     .fallback = "digits",
     .words = cr_data_set_names,
     .help = "which data set"},
    {.name = "path",
     .kind = CR_OPTION_PATH,
     .offset = offsetof(cr_data_options, path),
     .fallback = "\"\"",
     .help = "folder with the files under their original names, .gz or not"},
    {.name = "validation",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_data_options, validation),
     .fallback = "0",
     .low = 0,
     .high = INT_MAX,
     .help = "samples held out of the training set, its first ones; 0 for a text"},
    {.name = "shuffle",
     .kind = CR_OPTION_BOOL,
     .offset = offsetof(cr_data_options, shuffle),
     .fallback = "true",
     .help = "visit the training samples in a new order every epoch; a text is read as it is"},
    {.name = NULL},
};

const cr_option *cr_data_set_options(const char *name)
{
    const cr_data_set *set = cr_data_set_find(name);
    return set != NULL ? set->options : NULL;
}

/* Move the first `held_out` samples from train to valid. */
static cr_status split(cr_data *data, int held_out)
{
    cr_data_part *train = &data->train;
    if (held_out == 0)
        return CR_OK;
    CR_CHECK(held_out >= 0 && held_out < train->count, CR_BAD_CONFIG,
             "data.validation: expected fewer than the %lld training samples, found %d",
             (long long)train->count, held_out);
    int64_t sample = (int64_t)train->h * train->w * train->c; /* B */
    data->valid = *train;
    data->valid.count = held_out;
    train->count -= held_out;
    train->values += held_out * sample;
    train->labels += held_out;
    return CR_OK;
}

/* Some pixel must be left of every cut. */
static cr_status check_pad(const cr_data_part *part, int pad)
{
    CR_CHECK(pad >= 0 && (pad == 0 || (pad < part->h && pad < part->w)), CR_BAD_CONFIG,
             "data.augment.pad: expected less than the sides of the images, %d x %d, found %d",
             part->h, part->w, pad);
    return CR_OK;
}

/* A part as the network wants it, before a kind has filled it. */
static cr_data_part wanted_part(const cr_data_wanted *wanted, int streams)
{
    return (cr_data_part){.h = wanted->h,
                          .w = wanted->w,
                          .c = wanted->c,
                          .classes = wanted->classes,
                          .text = {.streams = streams}};
}

cr_status cr_data_open(cr_data *data, const cr_data_options *options, const cr_data_wanted *wanted,
                       const cr_data_share *share)
{
    cr_status status = CR_OK;
    cr_data opened = {0};
    const cr_data_set *set = cr_data_set_find(options->kind);
    CR_CHECK(set != NULL, CR_BAD_CONFIG, "data.kind: expected a known kind, found '%s'",
             options->kind);
    CR_CHECK(!set->needs_path || options->path[0] != '\0', CR_BAD_CONFIG,
             "data.path: expected the folder of the %s files, found none", set->name);
    if (wanted != NULL) {
        opened.train = wanted_part(wanted, wanted->streams);
        opened.test = opened.valid = wanted_part(wanted, wanted->evaluation);
    }
    CR_TRY_GOTO(set->open(&opened, options, share));
    CR_TRY_GOTO(check_pad(&opened.train, options->augment.pad));
    CR_TRY_GOTO(split(&opened, options->validation));
    *data = opened;
    return CR_OK;
done:
    cr_data_free(&opened);
    return status;
}

void cr_data_free(cr_data *data)
{
    for (int i = 0; i < CR_DATA_BLOCKS && data->release != NULL; i++)
        data->release(data->self, &data->blocks[i]);
    *data = (cr_data){0};
}
