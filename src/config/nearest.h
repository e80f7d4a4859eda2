/* nearest: which known word was meant; offer the candidates one by one, then ask for the hint. */
#ifndef COLROW_CONFIG_NEAREST_H
#define COLROW_CONFIG_NEAREST_H

#include "colrow/config.h"

typedef struct cr_nearest {
    const char *word; /* as found; not owned */
    const char *best; /* nearest candidate so far; NULL: none is near */
    int distance;     /* letters to change */
} cr_nearest;

cr_nearest cr_nearest_start(const char *word);
void cr_nearest_offer(cr_nearest *nearest, const char *candidate);

/* "; did you mean `best`?", or "" when no candidate is near. */
void cr_nearest_hint(char out[CR_HINT_MAX], const cr_nearest *nearest);

#endif
