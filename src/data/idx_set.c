/*
 * idx_set: a set kept as MNIST is, in four IDX files: images [count, h, w] and labels [count] for
 * training and for test ("t10k").
 */
#include "source.h"

enum { SIDE_MAX = INT16_MAX }; /* values of an image then fit an int */

typedef struct idx_set {
    const char *folder;
    int classes;
    cr_idx_header images[SOURCE_PARTS];
    cr_idx_header labels[SOURCE_PARTS];
} idx_set;

static const char *const image_names[] = {"train-images-idx3-ubyte", "t10k-images-idx3-ubyte"};
static const char *const label_names[] = {"train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"};

static cr_status read_header(cr_idx_header *header, char path[CR_PATH_MAX], const char *folder,
                             const char *name, int dimensions)
{
    CR_TRY(cr_path_join(path, folder, name));
    CR_TRY(cr_idx_header_read(header, path));
    CR_CHECK(header->dimensions == dimensions, CR_BAD_DATA, "%s: expected %d dimensions, found %d",
             path, dimensions, header->dimensions);
    return CR_OK;
}

static cr_status describe_part(idx_set *set, cr_data_part *part, int which)
{
    char path[CR_PATH_MAX];
    cr_idx_header *images = &set->images[which];
    cr_idx_header *labels = &set->labels[which];
    CR_TRY(read_header(images, path, set->folder, image_names[which], 3));
    CR_CHECK(images->size[1] <= SIDE_MAX && images->size[2] <= SIDE_MAX, CR_BAD_DATA,
             "%s: expected images of at most %d x %d, found %lld x %lld", path, SIDE_MAX, SIDE_MAX,
             (long long)images->size[1], (long long)images->size[2]);
    CR_TRY(read_header(labels, path, set->folder, label_names[which], 1));
    CR_CHECK(labels->size[0] == images->size[0], CR_BAD_DATA,
             "%s: expected a label for each of %lld images, found %lld", path,
             (long long)images->size[0], (long long)labels->size[0]);
    *part = (cr_data_part){.count = images->size[0],
                           .h = (int)images->size[1],
                           .w = (int)images->size[2],
                           .c = 1,
                           .classes = set->classes};
    return CR_OK;
}

static cr_status describe(void *self, cr_data_part parts[])
{
    idx_set *set = self;
    for (int i = 0; i < SOURCE_PARTS; i++)
        CR_TRY(describe_part(set, &parts[i], i));
    const cr_data_part *train = &parts[SOURCE_TRAIN];
    const cr_data_part *test = &parts[SOURCE_TEST];
    CR_CHECK(test->h == train->h && test->w == train->w, CR_BAD_DATA,
             "%s/%s: expected images of %d x %d as for training, found %d x %d", set->folder,
             image_names[SOURCE_TEST], train->h, train->w, test->h, test->w);
    return CR_OK;
}

static cr_status check_labels(const uint8_t *labels, const cr_data_part *part, const char *path)
{
    for (int64_t i = 0; i < part->count; i++)
        CR_CHECK(labels[i] < part->classes, CR_BAD_DATA,
                 "%s: sample %lld: expected a label below %d, found %d", path, (long long)i,
                 part->classes, labels[i]);
    return CR_OK;
}

static cr_status fill(void *self, void *values, uint8_t *labels, const cr_data_part *part,
                      int which)
{
    const idx_set *set = self;
    char path[CR_PATH_MAX];
    CR_TRY(cr_path_join(path, set->folder, image_names[which]));
    CR_TRY(cr_idx_values_read(values, &set->images[which], path));
    CR_TRY(cr_path_join(path, set->folder, label_names[which]));
    CR_TRY(cr_idx_values_read(labels, &set->labels[which], path));
    CR_TRY(check_labels(labels, part, path));
    return CR_OK;
}

cr_status cr_idx_open(cr_data *data, const char *folder, int classes, const cr_data_share *share)
{
    idx_set set = {.folder = folder, .classes = classes};
    cr_data_source source = {
        .self = &set, .parts = SOURCE_PARTS, .describe = describe, .fill = fill};
    CR_TRY(cr_data_source_load(data, &source, share));
    return CR_OK;
}
