/*
 * items: lists of things of several kinds. An element is a map of one key, its kind, or that word
 * alone; below it stand the options of the kind, some of which may be such lists again. In a struct
 * they lie one after another, each with its depth.
 */
#include "bind.h"
#include "nearest.h"
#include "value.h"

#include <stdio.h>
#include <string.h>

/* ---- kinds ----------------------------------------------------------------------------------- */

/* The kind called `word`; its name is NULL when there is none. */
static cr_item_kind find_kind(const cr_option *option, const char *word)
{
    int i = 0;
    cr_item_kind kind = option->kinds(i);
    while (kind.name != NULL && strcmp(kind.name, word) != 0)
        kind = option->kinds(++i);
    return kind;
}

static cr_status refuse_kind(const cr_option *option, const char *word)
{
    char hint[CR_HINT_MAX];
    char known[CR_EXPECTED_MAX] = "";
    cr_nearest nearest = cr_nearest_start(word);
    for (int i = 0; option->kinds(i).name != NULL; i++) {
        size_t used = strlen(known);
        const char *name = option->kinds(i).name;
        (void)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", name);
        cr_nearest_offer(&nearest, name);
    }
    cr_nearest_hint(hint, &nearest);
    return cr_fail(CR_BAD_CONFIG, __FILE__, __LINE__, "expected one of %s, found `%.60s`%s", known,
                   word, hint);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Where an element is to go. */
typedef struct place {
    cr_items *items;
    const cr_option *option; /* of the list */
    const char *path;        /* of the list */
    int depth;
} place;

static const cr_option name_option[] = {
    {.name = "name",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_item, name),
     .fallback = "",
     .help = "of this element"},
    {.name = NULL},
};

/* The word that an element begins with, and the map of its options (NULL: none). */
static cr_status split(const char **word, const cr_node **options, const cr_node *node)
{
    char found[CR_FOUND_MAX];
    const cr_node *entry = node->kind == CR_NODE_MAP ? node->first : NULL;
    cr_node_found(found, node);
    CR_CHECK(
        entry == NULL || entry->next == NULL, CR_BAD_CONFIG,
        "expected one key, with what belongs to it indented further, found `%.60s` and `%.60s`",
        entry->key, entry->next->key);
    CR_CHECK(entry != NULL || (node->kind == CR_NODE_SCALAR && !cr_node_is_null(node)),
             CR_BAD_CONFIG, "expected elements like `word` or `word: {key: value}`, found %s",
             found);
    *word = entry != NULL ? entry->key : node->text;
    *options = entry != NULL && !cr_node_is_null(entry) ? entry : NULL;
    return CR_OK;
}

/* Append an element that has nothing but its kind. */
static cr_status append(cr_item **out, const place *at, const char *kind, int line)
{
    CR_CHECK(at->items->count < CR_ITEMS_MAX, CR_BAD_CONFIG,
             "expected at most %d elements, found more", CR_ITEMS_MAX);
    *out = &at->items->at[at->items->count++];
    **out = (cr_item){.kind = kind, .list = at->option->name, .depth = at->depth, .line = line};
    return CR_OK;
}

/* Fill an element from its options. */
static cr_status fill(cr_item *item, const place *at, const cr_item_kind *kind,
                      const cr_node *options, const char *where)
{
    char path[CR_KEY_MAX];
    char found[CR_FOUND_MAX];
    const cr_node none = {.kind = CR_NODE_MAP};
    const cr_node *map = options != NULL ? options : &none;
    (void)snprintf(path, sizeof path, "%s.%s", at->path, kind->name);
    cr_node_found(found, map);
    if (map->kind != CR_NODE_MAP)
        return cr_fail(CR_BAD_CONFIG, __FILE__, __LINE__,
                       "%s: %s: expected options like {%s: ...}, found %s", where, path,
                       kind->options != NULL ? kind->options->name : name_option->name, found);
    const cr_section sections[] = {
        {.name = path, .options = name_option},
        {.name = path, .options = kind->options, .offset = offsetof(cr_item, values)},
        {.options = NULL},
    };
    return cr_bind(&(cr_binding){.map = map,
                                 .path = path,
                                 .name = where,
                                 .sections = sections,
                                 .values = item,
                                 .items = at->items,
                                 .depth = at->depth + 1});
}

static cr_status read_item(const place *at, const cr_node *node)
{
    const char *word = NULL;
    const cr_node *options = NULL;
    cr_item *item = NULL;
    cr_status status = split(&word, &options, node);
    cr_item_kind kind = status == CR_OK ? find_kind(at->option, word) : (cr_item_kind){NULL, NULL};
    if (status == CR_OK && kind.name == NULL)
        status = refuse_kind(at->option, word);
    if (status == CR_OK)
        status = append(&item, at, kind.name, node->line);
    return status == CR_OK ? fill(item, at, &kind, options, node->where)
                           : cr_bind_at(status, node->where, at->path);
}

cr_status cr_items_bind(cr_items *items, const cr_option *option, const cr_node *list,
                        const char *path, int depth)
{
    const place at = {items, option, path, depth};
    if (list->kind != CR_NODE_LIST)
        return cr_bind_at(cr_value_refuse(option, list), list->where, path);
    for (const cr_node *node = list->first; node != NULL; node = node->next)
        CR_TRY(read_item(&at, node));
    return CR_OK;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* The elements that are left to write. */
typedef struct rest {
    const cr_item *item, *end;
} rest;

static cr_status write_list(cr_tree *tree, cr_node **out, const cr_option *option, rest *left,
                            int depth);

/* The options of an element as a map. */
static cr_status write_options(cr_tree *tree, cr_node **out, const cr_option *options,
                               const cr_item *item, rest *left)
{
    CR_TRY(cr_node_create(tree, out, CR_NODE_MAP, ""));
    cr_node **link = &(*out)->first;
    if (item->name[0] != '\0') {
        CR_TRY(cr_value_write(tree, link, name_option, item->name));
        (*link)->key = name_option->name;
        link = &(*link)->next;
    }
    for (const cr_option *o = options; o != NULL && o->name != NULL; o++) {
        if (o->kinds != NULL)
            CR_TRY(write_list(tree, link, o, left, item->depth + 1));
        else
            CR_TRY(cr_value_write(tree, link, o, item->values + o->offset));
        (*link)->key = o->name;
        link = &(*link)->next;
    }
    return CR_OK;
}

static cr_status write_item(cr_tree *tree, cr_node **out, const cr_option *option, rest *left)
{
    const cr_item *item = left->item++;
    cr_node *options = NULL;
    cr_item_kind kind = find_kind(option, item->kind);
    CR_CHECK(kind.name != NULL, CR_INTERNAL, "%s: no kind is called %s", option->name, item->kind);
    CR_TRY(write_options(tree, &options, kind.options, item, left));
    if (options->first == NULL)
        return cr_node_scalar(tree, out, kind.name, false);
    CR_TRY(cr_node_create(tree, out, CR_NODE_MAP, ""));
    options->key = kind.name;
    (*out)->first = options;
    return CR_OK;
}

static cr_status write_list(cr_tree *tree, cr_node **out, const cr_option *option, rest *left,
                            int depth)
{
    CR_TRY(cr_node_create(tree, out, CR_NODE_LIST, ""));
    cr_node **link = &(*out)->first;
    while (left->item < left->end && left->item->depth == depth &&
           strcmp(left->item->list, option->name) == 0) {
        CR_TRY(write_item(tree, link, option, left));
        link = &(*link)->next;
    }
    return CR_OK;
}

static cr_status write_items(cr_tree *tree, cr_node **out, const cr_option *option,
                             const void *field)
{
    const cr_items *items = field;
    rest left = {items->at, items->at + items->count};
    return write_list(tree, out, option, &left, 0);
}

const cr_value_kind cr_value_items = {sizeof(cr_items), "a list", true, NULL, write_items};
