/*
 * cifar10: 50,000 + 10,000 colour images of 32x32 in 10 classes (Krizhevsky 2009), from the six
 * files of the binary version in data.path.
 */
#include "cifar.h"

static const cr_cifar_layout layout = {
    .labels = 1,
    .classes = {10},
    .files = {[SOURCE_TRAIN] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                "data_batch_4.bin", "data_batch_5.bin"},
              [SOURCE_TEST] = {"test_batch.bin"}},
};

static cr_status open_set(cr_data *data, const cr_data_options *options, const cr_data_share *share)
{
    return cr_cifar_open(data, &layout, options->path, share);
}

const cr_data_set cr_data_set_cifar10 = {.name = "cifar10", .needs_path = true, .open = open_set};
