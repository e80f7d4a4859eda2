/* augment: images as a net sees them in training, inside data only. */
#ifndef CR_DATA_AUGMENT_H
#define CR_DATA_AUGMENT_H

#include "colrow/data.h"

/* Does `view` change its images at all? */
bool cr_augment_is_on(const cr_data_view *view);

/* x [h, w, c]: image number `sample` of the view's part, changed as the view says. */
void cr_augment_image(float *x, const cr_data_view *view, int64_t sample);

#endif
