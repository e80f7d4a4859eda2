/* cifar: the binary version of CIFAR, common work of its kinds, inside data only. */
#ifndef CR_DATA_CIFAR_H
#define CR_DATA_CIFAR_H

#include "source.h"

enum { CIFAR_LABELS = 2, CIFAR_FILES = 5 }; /* at most: labels of a record, files of a part */

typedef struct cr_cifar_layout {
    int labels;                                       /* of a record, one byte each ... */
    int classes[CIFAR_LABELS];                        /* ... each below its own; the last counts */
    const char *files[SOURCE_PARTS][CIFAR_FILES + 1]; /* of each part, in order, ended by NULL */
} cr_cifar_layout;

/* Fill train and test of `data` from the files in `folder`. Collective over the ranks of `share`.
 * CR_BAD_DATA naming file and record for one that is cut off or has a label out of range. */
cr_status cr_cifar_open(cr_data *data, const cr_cifar_layout *layout, const char *folder,
                        const cr_data_share *share);

#endif
