/*
 * node: a YAML document as a small tree that remembers where each value stands, inside config only.
 * All of a tree's nodes and texts live in blocks that the tree owns and frees as a whole, so a
 * failure half way leaks nothing and nodes may share texts.
 */
#ifndef COLROW_CONFIG_NODE_H
#define COLROW_CONFIG_NODE_H

#include "colrow/config.h"

#define CR_KEY_MAX 192 /* B, a dotted path with its end */

typedef struct cr_tree {
    cr_node *root;          /* a map; NULL before there is one */
    struct cr_block *block; /* owned: the last piece of memory taken, which knows the one before */
} cr_tree;

struct cr_config {
    cr_tree tree;
    const char *name; /* of the file, in the tree's memory */
};

void cr_tree_free(cr_tree *tree);

/* A text made as by printf, in the tree's memory. */
cr_status cr_tree_text(cr_tree *tree, const char **out, const char *format, ...) CR_PRINTF(3, 4);

/* A node without a key, in the tree's memory. */
cr_status cr_node_create(cr_tree *tree, cr_node **out, cr_node_kind kind, const char *where);

/* A scalar's node; `text` is in the tree's memory or lives longer. */
cr_status cr_node_scalar(cr_tree *tree, cr_node **out, const char *text, bool plain);

/* A node with all below it, without its key; texts stay where they are. */
cr_status cr_node_copy(cr_tree *tree, cr_node **out, const cr_node *node);

/* Let `node` be the value at a dotted path of the tree, replacing what was there and making the
 * sections on the way. CR_BAD_CONFIG when something on the way is not a section. */
cr_status cr_node_put(cr_tree *tree, const char *path, cr_node *node);

/* Parse YAML into nodes; `name` stands in their `where`, followed by the line if `lines`. *out is
 * NULL when the text holds no value. CR_BAD_CONFIG with the place. */
cr_status cr_document_parse(cr_tree *tree, cr_node **out, const char *text, size_t bytes,
                            const char *name, bool lines);

/* Apply one "key.path=yaml value" to the tree. */
cr_status cr_override_apply(cr_tree *tree, const char *override);

#endif
