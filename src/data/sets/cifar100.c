/*
 * cifar100: 50,000 + 10,000 colour images of 32x32 in 100 classes (Krizhevsky 2009), from train.bin
 * and test.bin of the binary version in data.path. A record has two labels, of 20 coarse classes
 * and of the 100 fine ones; the fine one counts.
 */
#include "cifar.h"

static const cr_cifar_layout layout = {
    .labels = 2,
    .classes = {20, 100},
    .files = {[SOURCE_TRAIN] = {"train.bin"}, [SOURCE_TEST] = {"test.bin"}},
};

static cr_status open_set(cr_data *data, const cr_data_options *options, const cr_data_share *share)
{
    return cr_cifar_open(data, &layout, options->path, share);
}

const cr_data_set cr_data_set_cifar100 = {.name = "cifar100", .needs_path = true, .open = open_set};
