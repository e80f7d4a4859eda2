/*
 * bind: a configuration to a struct, by the section tables.
 *
 * In this order, so that the message is the one that helps most: the selectors, since they decide
 * which keys there are; then what the document has that no table knows; then the values.
 */
#include "bind.h"
#include "key.h"
#include "nearest.h"
#include "value.h"

#include <stdio.h>
#include <string.h>

typedef struct binder {
    cr_binding of;
    cr_keys keys;    /* of its sections; owned */
    cr_tree scratch; /* owned: parsed defaults */
} binder;

cr_status cr_bind_at(cr_status status, const char *where, const char *path)
{
    size_t length = strlen(path);
    bool named = strncmp(where, "-s ", 3) == 0 && strncmp(where + 3, path, length) == 0 &&
                 where[3 + length] == '=';
    return named ? cr_fail_prefix(status, "%s", where)
                 : cr_fail_prefix(status, "%s: %s", where, path);
}

/* ---- keys ---- */

/* Is `path` a section, or on the way to one? */
static bool is_section(const binder *b, const char *path)
{
    size_t length = strlen(path);
    bool found = false;
    for (const cr_section *s = b->of.sections; s->options != NULL; s++)
        found |= strncmp(s->name, path, length) == 0 &&
                 (s->name[length] == '.' || s->name[length] == '\0');
    return found && length > 0; /* the top level has no name */
}

/* The key at `path`, one that counts before one that does not; NULL when no table has it. */
static const cr_key *find_key(const binder *b, const char *path)
{
    const cr_key *found = NULL;
    for (int i = 0; i < b->keys.count; i++) {
        const cr_key *key = &b->keys.key[i];
        if (strcmp(key->path, path) != 0)
            continue;
        if (cr_key_is_active(key, b->of.values))
            return key;
        found = key;
    }
    return found;
}

static cr_status refuse_unknown(const binder *b, const char *path)
{
    char hint[CR_HINT_MAX];
    cr_nearest nearest = cr_nearest_start(path);
    for (int i = 0; i < b->keys.count; i++) {
        cr_nearest_offer(&nearest, b->keys.key[i].path);
        if (cr_key_is_active(&b->keys.key[i], b->of.values))
            cr_nearest_list(&nearest, b->keys.key[i].path);
    }
    for (const cr_section *s = b->of.sections; s->options != NULL; s++)
        if (s->name[0] != '\0')
            cr_nearest_offer(&nearest, s->name);
    cr_nearest_key_hint(hint, &nearest);
    return cr_fail(CR_BAD_CONFIG, __FILE__, __LINE__, "unknown key%s", hint);
}

/* A variant's key is wrong beside another value of the selector; not while that is still missing,
 * which has a message of its own. */
static cr_status check_variant(const binder *b, const cr_key *key)
{
    const char *selected = (const char *)b->of.values + key->selector_offset;
    CR_CHECK(cr_key_is_active(key, b->of.values) || selected[0] == '\0', CR_BAD_CONFIG,
             "goes with `%s: %s`, found `%s: %s`", key->section->selector, key->word,
             key->section->selector, selected);
    return CR_OK;
}

static cr_status check_entry(const binder *b, const char *path, const cr_node *node)
{
    char found[CR_FOUND_MAX];
    const cr_key *key = find_key(b, path);
    cr_node_found(found, node);
    if (key != NULL)
        return check_variant(b, key);
    if (!is_section(b, path))
        return refuse_unknown(b, path);
    CR_CHECK(node->kind == CR_NODE_MAP || cr_node_is_null(node), CR_BAD_CONFIG,
             "expected a section (keys with values), found %s", found);
    return CR_OK;
}

/* Check every key below `map`, whose own path is `prefix`. As deep as the tables' sections. */
static cr_status check_map(const binder *b, const char *prefix, const cr_node *map)
{
    char path[CR_KEY_MAX]; /* a longer one is cut, and is no key: theirs are shorter */
    for (const cr_node *node = map->first; node != NULL; node = node->next) {
        (void)snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] != '\0' ? "." : "",
                       node->key);
        CR_CHECK(strchr(node->key, '.') == NULL, CR_BAD_CONFIG,
                 "%s: %s: expected sections one inside another, found a key with dots in it "
                 "(those are for -s)",
                 node->where, path);
        cr_status status = check_entry(b, path, node);
        if (status != CR_OK)
            return cr_bind_at(status, node->where, path);
        if (find_key(b, path) == NULL && node->kind == CR_NODE_MAP)
            CR_TRY(check_map(b, path, node));
    }
    return CR_OK;
}

/* ---- values ---- */

/* The value that the document gives a key; NULL: none. */
static const cr_node *given(const binder *b, const cr_key *key)
{
    size_t length = strlen(b->of.path);
    const cr_node *node = cr_node_at(b->of.map, key->path + (length > 0 ? length + 1 : 0));
    return node == NULL || cr_node_is_null(node) ? NULL : node;
}

/* "FILE:LINE" without the line, or the override as it is. */
static void note_source(cr_items *items, const cr_node *list)
{
    const char *end = list->line > 0 ? strrchr(list->where, ':') : NULL;
    size_t length = end != NULL ? (size_t)(end - list->where) : strlen(list->where);
    memset(items, 0, sizeof *items);
    memcpy(items->from, list->where, length < CR_PATH_MAX ? length : CR_PATH_MAX - 1);
}

static cr_status read_items(const binder *b, const cr_key *key, const cr_node *node)
{
    cr_items *items = b->of.items;
    if (items == NULL) { /* not in another list */
        items = (cr_items *)(void *)((char *)b->of.values + key->offset);
        note_source(items, node);
    }
    return cr_items_bind(items, key->option, node, key->path, b->of.depth);
}

static cr_status read_value(const binder *b, const cr_key *key, const cr_node *node)
{
    if (key->option->kinds != NULL)
        return read_items(b, key, node);
    void *field = (char *)b->of.values + key->offset;
    if (key->option->fields != NULL)
        return cr_named_bind(field, key->option, node, key->path);
    cr_status status = cr_value_read(field, key->option, node);
    return status == CR_OK ? CR_OK : cr_bind_at(status, node->where, key->path);
}

static cr_status bind_default(binder *b, const cr_key *key)
{
    cr_node *node = NULL;
    const char *text = key->option->fallback;
    CR_CHECK(text != NULL, CR_BAD_CONFIG, "%s: %s: required, and not given", b->of.name, key->path);
    CR_TRY(cr_document_parse(&b->scratch, &node, text, strlen(text), "default", false));
    if (node == NULL)
        CR_TRY(cr_node_scalar(&b->scratch, &node, "", true));
    if (read_value(b, key, node) != CR_OK) /* the table is wrong, not the user */
        return cr_fail_prefix(CR_INTERNAL, "default of %s", key->path);
    return CR_OK;
}

static cr_status bind_key(binder *b, const cr_key *key)
{
    const cr_node *node = given(b, key);
    return node != NULL ? read_value(b, key, node) : bind_default(b, key);
}

/* A required selector that is missing is left empty, to be reported with the other values. */
static cr_status bind_selectors(binder *b)
{
    for (int i = 0; i < b->keys.count; i++) {
        const cr_key *key = &b->keys.key[i];
        bool is_given = given(b, key) != NULL || key->option->fallback != NULL;
        if (key->selects && is_given)
            CR_TRY(bind_key(b, key));
        else if (key->selects)
            memset((char *)b->of.values + key->offset, 0, sizeof(cr_word));
    }
    return CR_OK;
}

static cr_status bind_values(binder *b)
{
    for (int i = 0; i < b->keys.count; i++)
        if (cr_key_is_active(&b->keys.key[i], b->of.values))
            CR_TRY(bind_key(b, &b->keys.key[i]));
    return CR_OK;
}

cr_status cr_bind(const cr_binding *binding)
{
    cr_status status = CR_OK;
    binder b = {.of = *binding};
    CR_TRY_GOTO(cr_keys_create(&b.keys, binding->sections));
    CR_TRY_GOTO(bind_selectors(&b));
    CR_TRY_GOTO(check_map(&b, binding->path, binding->map));
    CR_TRY_GOTO(bind_values(&b));
done:
    cr_tree_free(&b.scratch);
    cr_keys_free(&b.keys);
    return status;
}

cr_status cr_config_bind(const cr_config *config, const cr_section *sections, void *values)
{
    return cr_bind(&(cr_binding){.map = config->tree.root,
                                 .path = "",
                                 .name = config->name,
                                 .sections = sections,
                                 .values = values});
}
