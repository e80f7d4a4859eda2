/* print: text of any length by the functions of stdio, inside config only. */
#ifndef COLROW_CONFIG_PRINT_H
#define COLROW_CONFIG_PRINT_H

#include "colrow/base.h"

#include <stdio.h>

/* What `print` writes about `what`, as a text that the caller frees with CR_FREE. `print` need not
 * look at what the stream's functions return. */
cr_status cr_print_to_text(char **text, void (*print)(FILE *file, const void *what),
                           const void *what);

#endif
