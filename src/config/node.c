/* node: the tree of a document; its memory, its paths. */
#include "node.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct cr_block {
    struct cr_block *before;
    _Alignas(16) unsigned char bytes[]; /* what was asked for */
} cr_block;

static cr_status take(cr_tree *tree, void **out, size_t bytes)
{
    cr_block *block = NULL;
    CR_TRY(cr_alloc((void **)&block, sizeof *block + bytes));
    block->before = tree->block;
    tree->block = block;
    *out = block->bytes;
    return CR_OK;
}

void cr_tree_free(cr_tree *tree)
{
    while (tree->block != NULL) {
        cr_block *before = tree->block->before;
        CR_FREE(tree->block);
        tree->block = before;
    }
    tree->root = NULL;
}

cr_status cr_tree_text(cr_tree *tree, const char **out, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    CR_CHECK(length >= 0, CR_INTERNAL, "cannot format a text by `%s`", format);
    CR_TRY(take(tree, (void **)&text, (size_t)length + 1));
    va_start(arguments, format);
    (void)vsnprintf(text, (size_t)length + 1, format, arguments); /* measured just above */
    va_end(arguments);
    *out = text;
    return CR_OK;
}

cr_status cr_node_create(cr_tree *tree, cr_node **out, cr_node_kind kind, const char *where)
{
    CR_TRY(take(tree, (void **)out, sizeof(cr_node)));
    (*out)->kind = kind;
    (*out)->where = where;
    return CR_OK;
}

cr_status cr_node_scalar(cr_tree *tree, cr_node **out, const char *text, bool plain)
{
    CR_TRY(cr_node_create(tree, out, CR_NODE_SCALAR, ""));
    (*out)->text = text;
    (*out)->plain = plain;
    return CR_OK;
}

cr_status cr_node_copy(cr_tree *tree, cr_node **out, const cr_node *node)
{
    CR_TRY(cr_node_create(tree, out, node->kind, node->where));
    (*out)->plain = node->plain;
    (*out)->text = node->text;
    cr_node **link = &(*out)->first;
    for (const cr_node *n = node->first; n != NULL; n = n->next) {
        CR_TRY(cr_node_copy(tree, link, n));
        (*link)->key = n->key;
        link = &(*link)->next;
    }
    return CR_OK;
}

bool cr_node_is_null(const cr_node *node)
{
    return node->kind == CR_NODE_SCALAR && node->plain &&
           (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
            strcasecmp(node->text, "null") == 0);
}

/* The entry of `map` whose key is the first `length` bytes of `key`; NULL when there is none. */
static cr_node *entry(const cr_node *map, const char *key, size_t length)
{
    cr_node *node = map->kind == CR_NODE_MAP ? map->first : NULL;
    while (node != NULL && (strncmp(node->key, key, length) != 0 || node->key[length] != '\0'))
        node = node->next;
    return node;
}

const cr_node *cr_node_at(const cr_node *map, const char *path)
{
    const cr_node *node = map;
    while (node != NULL) {
        size_t length = strcspn(path, ".");
        node = entry(node, path, length);
        if (path[length] == '\0')
            break;
        path += length + 1;
    }
    return node;
}

/* Append `node` to `map` under the first `length` bytes of `key`, in place of an older one. */
static cr_status set(cr_tree *tree, cr_node *map, const char *key, size_t length, cr_node *node)
{
    cr_node *old = entry(map, key, length);
    cr_node **link = &map->first;
    CR_TRY(cr_tree_text(tree, &node->key, "%.*s", (int)length, key));
    while (*link != NULL && *link != old)
        link = &(*link)->next;
    node->next = old != NULL ? old->next : NULL;
    *link = node;
    return CR_OK;
}

cr_status cr_node_put(cr_tree *tree, const char *path, cr_node *node)
{
    cr_node *map = tree->root;
    const char *key = path;
    size_t length = strcspn(key, ".");
    while (key[length] != '\0') {
        cr_node *section = entry(map, key, length);
        if (section == NULL || cr_node_is_null(section)) {
            CR_TRY(cr_node_create(tree, &section, CR_NODE_MAP, node->where));
            CR_TRY(set(tree, map, key, length, section));
        }
        CR_CHECK(section->kind == CR_NODE_MAP, CR_BAD_CONFIG,
                 "expected a section at `%.*s`, found another value there (%s)",
                 (int)(key + length - path), path, section->where);
        map = section;
        key += length + 1;
        length = strcspn(key, ".");
    }
    CR_TRY(set(tree, map, key, length, node));
    return CR_OK;
}

void cr_node_found(char out[CR_FOUND_MAX], const cr_node *node)
{
    static const char *const names[] = {
        [CR_NODE_LIST] = "a list",
        [CR_NODE_MAP] = "a mapping",
    };
    if (cr_node_is_null(node))
        (void)snprintf(out, CR_FOUND_MAX, "nothing");
    else if (node->kind != CR_NODE_SCALAR)
        (void)snprintf(out, CR_FOUND_MAX, "%s", names[node->kind]);
    else if (strlen(node->text) > 60)
        (void)snprintf(out, CR_FOUND_MAX, "`%.60s...`", node->text);
    else
        (void)snprintf(out, CR_FOUND_MAX, node->plain ? "`%s`" : "the text \"%s\"", node->text);
}
