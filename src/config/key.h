/*
 * key: the section tables as one flat list of keys, each with its dotted path and its field, those
 * of all variants included. Inside config only.
 */
#ifndef COLROW_CONFIG_KEY_H
#define COLROW_CONFIG_KEY_H

#include "node.h"

typedef struct cr_key {
    char path[CR_KEY_MAX];     /* dotted */
    const cr_section *section; /* the row it comes from */
    const cr_option *option;
    size_t offset; /* of its field in the whole */
    bool selects;  /* is it its section's selector? */
    /* Of a variant's key alone: */
    const char *word;       /* the selector's value it goes with; NULL: always there */
    size_t selector_offset; /* of the selector's field in the whole */
} cr_key;

typedef struct cr_keys {
    cr_key *key; /* [count], owned */
    int count;
} cr_keys;

/* Collect all keys of a table, in its order: a row's own, then those of its variants. CR_INTERNAL
 * when the table itself is wrong. The caller frees. */
cr_status cr_keys_create(cr_keys *keys, const cr_section *sections);
void cr_keys_free(cr_keys *keys);

/* Does `key` count, with the selectors that `values` holds? */
bool cr_key_is_active(const cr_key *key, const void *values);

#endif
