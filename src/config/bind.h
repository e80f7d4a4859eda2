/* bind: option tables and the part of a document that they describe, inside config only. */
#ifndef COLROW_CONFIG_BIND_H
#define COLROW_CONFIG_BIND_H

#include "node.h"

/* A map and the struct that its sections fill. */
typedef struct cr_binding {
    const cr_node *map;
    const char *path; /* of the map, dotted, with which the sections' names begin; "": the root */
    const char *name; /* where it stands: for what is missing in it */
    const cr_section *sections;
    void *values;
    cr_items *items; /* where the lists inside an element go; NULL at the root */
    int depth;       /* of their elements */
} cr_binding;

/* What cr_config_bind does, for any map. */
cr_status cr_bind(const cr_binding *binding);

/* Append the elements of `list`, the value of `option` at `path`, to `items`. CR_BAD_CONFIG with
 * the place in front. */
cr_status cr_items_bind(cr_items *items, const cr_option *option, const cr_node *list,
                        const char *path, int depth);

/* Fill the field of `option` at `path` from a map of names. CR_BAD_CONFIG with the place in front.
 */
cr_status cr_named_bind(void *field, const cr_option *option, const cr_node *map, const char *path);

/* Put the place before a message. An override that is `-s KEY=...` names the key itself. */
cr_status cr_bind_at(cr_status status, const char *where, const char *path);

#endif
