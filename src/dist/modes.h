/* modes.h: the table of agreement modes. */
#ifndef DIST_MODES_H
#define DIST_MODES_H

#include "colrow/dist.h"

/* NULL when there is none of that name. */
const cr_dist_mode *cr_dist_mode_find(const char *name);

#endif
