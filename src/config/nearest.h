/* nearest: which known word was meant; offer the candidates one by one, then ask for the hint. */
#ifndef COLROW_CONFIG_NEAREST_H
#define COLROW_CONFIG_NEAREST_H

#include "colrow/config.h"

enum { CR_LISTED_MAX = CR_HINT_MAX - 32 }; /* B; the rest is for the words around a list */

typedef struct cr_nearest {
    const char *word;           /* as found; not owned */
    const char *best;           /* nearest candidate so far; NULL: none is near */
    int distance;               /* letters to change */
    char listed[CR_LISTED_MAX]; /* of the word's own section, with commas */
    bool crowded;               /* there are more than have room */
} cr_nearest;

cr_nearest cr_nearest_start(const char *word);
void cr_nearest_offer(cr_nearest *nearest, const char *candidate);

/* "; did you mean `best`?", or "" when no candidate is near. */
void cr_nearest_hint(char out[CR_HINT_MAX], const cr_nearest *nearest);

/* Name a candidate, if it is of the word's own section, should none be near. */
void cr_nearest_list(cr_nearest *nearest, const char *candidate);

/* The same, or "; expected one of .." with those to be named, if they are not too many. */
void cr_nearest_key_hint(char out[CR_HINT_MAX], const cr_nearest *nearest);

#endif
