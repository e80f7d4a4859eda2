/*
 * mnist: 60,000 + 10,000 handwritten digits of 28x28 (LeCun, Cortes & Burges), or a set of the same
 * make, from the four IDX files in data.path.
 */
#include "colrow/data.h"

enum { SIDE = 28, CLASSES = 10 };

static cr_status open_set(cr_data *data, const cr_data_options *options, const cr_data_share *share)
{
    CR_TRY(cr_idx_open(data, options->path, CLASSES, share));
    CR_CHECK(data->train.h == SIDE && data->train.w == SIDE, CR_BAD_DATA,
             "%s: expected images of %d x %d, found %d x %d", options->path, SIDE, SIDE,
             data->train.h, data->train.w);
    return CR_OK;
}

const cr_data_set cr_data_set_mnist = {.name = "mnist", .needs_path = true, .open = open_set};
