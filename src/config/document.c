/*
 * document: YAML text to a tree of nodes, by the events of libyaml.
 *
 * A configuration needs mappings, lists and scalars. Anchors, aliases and tags are refused rather
 * than half understood; so are keys given twice, of which most YAML readers drop one in silence.
 */
#include "node.h"

#include <string.h>
#include <yaml.h>

enum {
    DEPTH_MAX = 16, /* of nesting */
    SHOWN_MAX = 160 /* B of an override that messages repeat */
};

typedef struct reader {
    yaml_parser_t parser;
    cr_tree *tree;
    const char *text; /* [bytes], what is read */
    size_t bytes;
    const char *name;  /* what is read, for messages */
    bool lines;        /* name a line, too */
    const char *where; /* the last place made: nodes of one line share it */
    size_t where_line;
} reader;

/* ---- places ---- */

static cr_status place(reader *r, const char **out, size_t line)
{
    if (r->where == NULL || (r->lines && line != r->where_line)) {
        if (r->lines)
            CR_TRY(cr_tree_text(r->tree, &r->where, "%s:%zu", r->name, line));
        else
            CR_TRY(cr_tree_text(r->tree, &r->where, "%.*s%s", SHOWN_MAX, r->name,
                                strlen(r->name) > SHOWN_MAX ? "..." : ""));
        r->where_line = line;
    }
    *out = r->where;
    return CR_OK;
}

static size_t line_of_byte(const reader *r, size_t offset)
{
    size_t line = 1;
    for (size_t i = 0; i < offset && i < r->bytes; i++)
        line += r->text[i] == '\n';
    return line;
}

/* Is there a tab in the indentation of line `line`? */
static bool has_tab(const reader *r, size_t line)
{
    const char *c = r->text;
    const char *end = r->text + r->bytes;
    for (; line > 1 && c < end; c++)
        line -= *c == '\n';
    while (c < end && *c == ' ')
        c++;
    return c < end && *c == '\t';
}

static cr_status syntax_error(reader *r)
{
    const yaml_parser_t *p = &r->parser;
    const char *where = NULL;
    CR_CHECK(p->error != YAML_MEMORY_ERROR, CR_INTERNAL, "%s: out of memory", r->name);
    size_t line = p->error == YAML_READER_ERROR ? line_of_byte(r, p->problem_offset)
                                                : p->problem_mark.line + 1;
    CR_TRY(place(r, &where, line));
    if (has_tab(r, line))
        return cr_fail(CR_BAD_CONFIG, __FILE__, __LINE__,
                       "%s: not valid YAML: indentation needs spaces, found a tab", where);
    return cr_fail(CR_BAD_CONFIG, __FILE__, __LINE__, "%s: not valid YAML: %s%s%s", where,
                   p->problem != NULL ? p->problem : "unknown problem",
                   p->context != NULL ? " " : "", p->context != NULL ? p->context : "");
}

/* ---- nodes ---- */

static cr_status next_event(reader *r, yaml_event_t *event)
{
    if (!yaml_parser_parse(&r->parser, event))
        return syntax_error(r);
    return CR_OK;
}

static cr_status make_scalar(reader *r, cr_node **out, const yaml_event_t *event, const char *where)
{
    const char *text = (const char *)event->data.scalar.value;
    CR_CHECK(strlen(text) == event->data.scalar.length, CR_BAD_CONFIG,
             "%s: expected text, found a zero byte in it", where);
    CR_TRY(cr_node_create(r->tree, out, CR_NODE_SCALAR, where));
    (*out)->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    CR_TRY(cr_tree_text(r->tree, &(*out)->text, "%s", text));
    return CR_OK;
}

/* The anchor or tag of an event, neither of which has a use here; NULL when it has none. */
static const yaml_char_t *decoration(const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    return anchor != NULL ? anchor : tag;
}

/* The node that an event begins, still without elements; NULL for an event that ends something. */
static cr_status make_node(reader *r, cr_node **out, const yaml_event_t *event)
{
    const char *where = NULL;
    const yaml_char_t *extra = decoration(event);
    CR_TRY(place(r, &where, event->start_mark.line + 1));
    CR_CHECK(event->type != YAML_ALIAS_EVENT, CR_BAD_CONFIG,
             "%s: expected a value, found the alias `*%.60s` (aliases are not supported; a text "
             "that begins with * needs quotes)",
             where, event->data.alias.anchor);
    CR_CHECK(extra == NULL, CR_BAD_CONFIG,
             "%s: expected a value, found the anchor or tag `%.60s` (not supported; a text that "
             "begins with & or ! needs quotes)",
             where, extra);
    if (event->type == YAML_SCALAR_EVENT)
        CR_TRY(make_scalar(r, out, event, where));
    else if (event->type == YAML_SEQUENCE_START_EVENT)
        CR_TRY(cr_node_create(r->tree, out, CR_NODE_LIST, where));
    else if (event->type == YAML_MAPPING_START_EVENT)
        CR_TRY(cr_node_create(r->tree, out, CR_NODE_MAP, where));
    else
        *out = NULL;
    if (*out != NULL && r->lines)
        (*out)->line = (int)event->start_mark.line + 1; /* a document is small */
    return CR_OK;
}

static cr_status read_node(reader *r, cr_node **out, int depth);

static cr_status read_list(reader *r, cr_node *list, int depth)
{
    cr_node **link = &list->first;
    do {
        CR_TRY(read_node(r, link, depth));
        link = *link != NULL ? &(*link)->next : NULL;
    } while (link != NULL);
    return CR_OK;
}

static cr_status check_key(const cr_node *map, const cr_node *key)
{
    char found[CR_FOUND_MAX];
    cr_node_found(found, key);
    CR_CHECK(key->kind == CR_NODE_SCALAR, CR_BAD_CONFIG, "%s: expected a key, found %s", key->where,
             found);
    for (const cr_node *n = map->first; n != NULL; n = n->next)
        CR_CHECK(strcmp(n->key, key->text) != 0, CR_BAD_CONFIG,
                 "%s: key `%.60s` stands twice, first at %s", key->where, key->text, n->where);
    return CR_OK;
}

static cr_status read_map(reader *r, cr_node *map, int depth)
{
    cr_node **link = &map->first;
    for (;;) {
        cr_node *key = NULL, *value = NULL;
        CR_TRY(read_node(r, &key, depth));
        if (key == NULL)
            return CR_OK;
        CR_TRY(check_key(map, key));
        CR_TRY(read_node(r, &value, depth));
        value->key = key->text;
        value->where = key->where;
        value->line = key->line;
        *link = value;
        link = &value->next;
    }
}

/* The next value whole; NULL at the end of what surrounds it. */
static cr_status read_node(reader *r, cr_node **out, int depth)
{
    yaml_event_t event;
    CR_TRY(next_event(r, &event));
    cr_status status = make_node(r, out, &event);
    yaml_event_delete(&event);
    if (status != CR_OK || *out == NULL || (*out)->kind == CR_NODE_SCALAR)
        return status;
    CR_CHECK(depth < DEPTH_MAX, CR_BAD_CONFIG, "%s: expected at most %d levels, found more",
             (*out)->where, DEPTH_MAX);
    if ((*out)->kind == CR_NODE_LIST)
        CR_TRY(read_list(r, *out, depth + 1));
    else
        CR_TRY(read_map(r, *out, depth + 1));
    return CR_OK;
}

/* ---- documents ---- */

static cr_status skip_to(reader *r, yaml_event_type_t *found)
{
    yaml_event_t event;
    CR_TRY(next_event(r, &event));
    *found = event.type;
    yaml_event_delete(&event);
    return CR_OK;
}

static cr_status read_stream(reader *r, cr_node **out)
{
    yaml_event_type_t type = YAML_NO_EVENT;
    const char *where = NULL;
    CR_TRY(skip_to(r, &type)); /* start of the stream */
    CR_TRY(skip_to(r, &type)); /* start of a document, or the end already */
    if (type == YAML_STREAM_END_EVENT)
        return CR_OK;
    CR_TRY(read_node(r, out, 0));
    CR_TRY(skip_to(r, &type)); /* end of the document */
    CR_TRY(skip_to(r, &type));
    CR_TRY(place(r, &where, r->parser.mark.line + 1));
    CR_CHECK(type == YAML_STREAM_END_EVENT, CR_BAD_CONFIG,
             "%s: expected one document, found another after it", where);
    return CR_OK;
}

cr_status cr_document_parse(cr_tree *tree, cr_node **out, const char *text, size_t bytes,
                            const char *name, bool lines)
{
    reader r = {.tree = tree, .text = text, .bytes = bytes, .name = name, .lines = lines};
    cr_node *node = NULL;
    CR_CHECK(yaml_parser_initialize(&r.parser), CR_INTERNAL, "%s: out of memory", name);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, bytes);
    cr_status status = read_stream(&r, &node);
    yaml_parser_delete(&r.parser);
    if (status == CR_OK)
        *out = node;
    return status;
}
