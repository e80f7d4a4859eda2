/*
 * named: names that a user gives, each with options of its own. What a name does not have stays
 * zero, which none of its options can be given as; where it has only the first, the value stands
 * alone:
 *
 *     fc1: 0.5
 *     "conv*": {ratio: 0.4, draw: systematic}
 */
#include "bind.h"
#include "nearest.h"
#include "value.h"

#include <stdio.h>
#include <string.h>

/* ---- reading --------------------------------------------------------------------------------- */

static cr_status refuse_unknown(const cr_option *fields, const char *name)
{
    char hint[CR_HINT_MAX];
    cr_nearest nearest = cr_nearest_start(name);
    for (const cr_option *field = fields; field->name != NULL; field++) {
        cr_nearest_offer(&nearest, field->name);
        cr_nearest_list(&nearest, field->name);
    }
    cr_nearest_key_hint(hint, &nearest);
    return cr_fail(CR_BAD_CONFIG, __FILE__, __LINE__, "unknown key%s", hint);
}

static cr_status read_field(unsigned char *values, const cr_option *fields, const cr_node *node)
{
    const cr_option *field = fields;
    while (field->name != NULL && strcmp(field->name, node->key) != 0)
        field++;
    if (field->name == NULL)
        return refuse_unknown(fields, node->key);
    return cr_node_is_null(node) ? CR_OK : cr_value_read(values + field->offset, field, node);
}

static cr_status read_fields(unsigned char *values, const cr_option *fields, const cr_node *map,
                             const char *path)
{
    char below[CR_KEY_MAX];
    for (const cr_node *node = map->first; node != NULL; node = node->next) {
        cr_status status = read_field(values, fields, node);
        (void)snprintf(below, sizeof below, "%s.%s", path, node->key);
        if (status != CR_OK)
            return cr_bind_at(status, node->where, below);
    }
    return CR_OK;
}

static cr_status read_name(cr_words *names, const cr_option *option, const cr_node *node,
                           const char *path)
{
    char below[CR_KEY_MAX];
    size_t length = strlen(node->key);
    (void)snprintf(below, sizeof below, "%s.%s", path, node->key);
    CR_CHECK(names->count < CR_LIST_MAX, CR_BAD_CONFIG,
             "%s: %s: expected at most %d names, found more", node->where, path, CR_LIST_MAX);
    CR_CHECK(length < CR_WORD_MAX, CR_BAD_CONFIG,
             "%s: %s: expected names of fewer than %d bytes, found `%.60s...`", node->where, path,
             CR_WORD_MAX, node->key);
    size_t place = option->first + (size_t)names->count * option->bytes;
    unsigned char *values = (unsigned char *)names + place;
    memcpy(names->value[names->count++], node->key, length);
    if (node->kind == CR_NODE_MAP)
        return read_fields(values, option->fields, node, below);
    cr_status status = cr_value_read(values + option->fields->offset, option->fields, node);
    return status == CR_OK ? CR_OK : cr_bind_at(status, node->where, below);
}

cr_status cr_named_bind(void *field, const cr_option *option, const cr_node *map, const char *path)
{
    memset(field, 0, option->first + CR_LIST_MAX * option->bytes);
    if (map->kind != CR_NODE_MAP)
        return cr_bind_at(cr_value_refuse(option, map), map->where, path);
    for (const cr_node *node = map->first; node != NULL; node = node->next)
        CR_TRY(read_name(field, option, node, path));
    return CR_OK;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* What a name has as a map; or its first field, where it has no other. */
static cr_status write_fields(cr_tree *tree, cr_node **out, const cr_option *fields,
                              const unsigned char *values)
{
    cr_node *map = NULL;
    CR_TRY(cr_node_create(tree, &map, CR_NODE_MAP, ""));
    cr_node **link = &map->first;
    for (const cr_option *field = fields; field->name != NULL; field++) {
        if (cr_value_is_zero(field, values + field->offset))
            continue;
        CR_TRY(cr_value_write(tree, link, field, values + field->offset));
        (*link)->key = field->name;
        link = &(*link)->next;
    }
    bool alone = map->first != NULL && map->first->next == NULL && map->first->key == fields->name;
    *out = alone ? map->first : map;
    return CR_OK;
}

static cr_status write_named(cr_tree *tree, cr_node **out, const cr_option *option,
                             const void *field)
{
    const cr_words *names = field;
    CR_TRY(cr_node_create(tree, out, CR_NODE_MAP, ""));
    cr_node **link = &(*out)->first;
    for (int i = 0; i < names->count; i++) {
        const unsigned char *values = (const unsigned char *)field + option->first;
        CR_TRY(write_fields(tree, link, option->fields, values + (size_t)i * option->bytes));
        CR_TRY(cr_tree_text(tree, &(*link)->key, "%s", names->value[i]));
        link = &(*link)->next;
    }
    return CR_OK;
}

const cr_value_kind cr_value_named = {sizeof(cr_words), "names with values or options", true, NULL,
                                      write_named};
