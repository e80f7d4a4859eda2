/*
 * format: a struct to YAML that reads back as the same struct. The values become a tree, which puts
 * keys of one section together whatever table rows they come from, and the tree becomes text.
 */
#include "key.h"
#include "print.h"
#include "value.h"

#include <string.h>

/* Is there a list of elements with options of their own below `node`? It takes a line for each. */
static bool has_items(const cr_node *node)
{
    bool found = false;
    for (const cr_node *n = node->first; n != NULL; n = n->next)
        found |= (node->kind == CR_NODE_LIST && n->kind == CR_NODE_MAP) || has_items(n);
    return found;
}

static void print_map(FILE *file, const cr_node *map, int indent);

/* Elements of one key each, or words, one below the other. */
static void print_list(FILE *file, const cr_node *list, int indent)
{
    for (const cr_node *n = list->first; n != NULL; n = n->next) {
        const cr_node *shown = n->kind == CR_NODE_MAP && n->first != NULL ? n->first : n;
        (void)fprintf(file, "%*s- ", indent, "");
        if (!has_items(n)) {
            cr_print_key(file, shown);
            cr_print_value(file, shown);
            (void)fputc('\n', file);
            continue;
        }
        cr_print_text(file, shown->key, false);
        (void)fputs(":\n", file);
        print_map(file, shown, indent + 4);
    }
}

static void print_map(FILE *file, const cr_node *map, int indent)
{
    for (const cr_node *n = map->first; n != NULL; n = n->next) {
        bool is_block = has_items(n) || (n->kind == CR_NODE_MAP && n->first != NULL);
        (void)fprintf(file, "%*s", indent, "");
        cr_print_text(file, n->key, false);
        (void)fputs(is_block ? ":\n" : ": ", file);
        if (!is_block) {
            cr_print_value(file, n);
            (void)fputc('\n', file);
        } else if (n->kind == CR_NODE_MAP) {
            print_map(file, n, indent + 2);
        } else {
            print_list(file, n, indent + 2);
        }
    }
}

static void print_root(FILE *file, const void *tree)
{
    print_map(file, ((const cr_tree *)tree)->root, 0);
}

static cr_status put_values(cr_tree *tree, const cr_keys *keys, const void *values)
{
    CR_TRY(cr_node_create(tree, &tree->root, CR_NODE_MAP, ""));
    for (int i = 0; i < keys->count; i++) {
        const cr_key *key = &keys->key[i];
        cr_node *node = NULL;
        if (!cr_key_is_active(key, values))
            continue;
        CR_TRY(cr_value_write(tree, &node, key->option, (const char *)values + key->offset));
        CR_TRY(cr_node_put(tree, key->path, node));
    }
    return CR_OK;
}

cr_status cr_config_format(char **text, const cr_section *sections, const void *values)
{
    cr_status status = CR_OK;
    cr_keys keys = {0};
    cr_tree tree = {0};
    CR_TRY_GOTO(cr_keys_create(&keys, sections));
    CR_TRY_GOTO(put_values(&tree, &keys, values));
    CR_TRY_GOTO(cr_print_to_text(text, print_root, &tree));
done:
    cr_tree_free(&tree);
    cr_keys_free(&keys);
    return status;
}
