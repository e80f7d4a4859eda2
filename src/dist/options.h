/* options: what dist.c asks of them; the tables and cr_dist_check are in the public header. */
#ifndef COLROW_DIST_OPTIONS_H
#define COLROW_DIST_OPTIONS_H

#include "colrow/dist.h"

/* Do the options go together with so many micro-batches on so many ranks? CR_BAD_CONFIG. Not
 * collective. */
cr_status cr_dist_check_share(const cr_dist_options *options, const cr_dist_mode *mode,
                              int micro_batches, int ranks);

#endif
