/*
 * format: a struct to YAML that reads back as the same struct. The values become a tree, which puts
 * keys of one section together whatever table rows they come from, and the tree becomes text.
 */
#include "key.h"
#include "print.h"
#include "value.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* ---- texts ---- */

/* May `text` stand without quotes, for every YAML reader, in a list, too? Few need not. */
static bool is_bare(const char *text)
{
    static const char *const taken[] = {"null", "true", "false", "yes", "no",
                                        "on",   "off",  "y",     "n"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcasecmp(text, taken[i]) == 0)
            return false;
    if (!isalpha((unsigned char)text[0]) && text[0] != '/' && text[0] != '_')
        return false;
    for (const char *c = text; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("/_-.+", *c) == NULL)
            return false;
    return true;
}

/* The next code point of a text in UTF-8; moves *c behind it. A broken byte stands for itself. */
static unsigned next_code(const unsigned char **c)
{
    unsigned lead = *(*c)++;
    int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    unsigned code = more == 0 ? lead : lead & (0x3Fu >> more);
    for (; more > 0 && (**c & 0xC0) == 0x80; more--)
        code = code << 6 | (*(*c)++ & 0x3Fu);
    return code;
}

/* Does YAML let a code point stand for itself between double quotes, on one line? (YAML 1.1, 5.1
 * printable characters, without the line breaks of 5.4 and the byte order mark.) */
static bool is_printable(unsigned code)
{
    bool ascii = code >= 0x20 && code < 0x7F && code != '"' && code != '\\';
    bool rest = code >= 0xA0 && code != 0x2028 && code != 0x2029 && code != 0xFEFF &&
                code != 0xFFFE && code != 0xFFFF;
    return ascii || rest;
}

static void print_quoted(FILE *file, const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    (void)fputc('"', file); /* a failure shows when the stream is closed: print.h */
    while (*c != '\0') {
        const unsigned char *start = c;
        unsigned code = next_code(&c);
        if (is_printable(code))
            (void)fwrite(start, 1, (size_t)(c - start), file);
        else
            (void)fprintf(file, "\\U%08X", code);
    }
    (void)fputc('"', file);
}

static void print_text(FILE *file, const char *text, bool plain)
{
    if (plain || is_bare(text))
        (void)fputs(text, file);
    else
        print_quoted(file, text);
}

/* ---- nodes ---- */

static void print_key(FILE *file, const cr_node *node)
{
    if (node->key == NULL)
        return;
    print_text(file, node->key, false);
    (void)fputs(": ", file);
}

/* A value on one line, lists and maps in brackets. */
static void print_value(FILE *file, const cr_node *node)
{
    if (node->kind == CR_NODE_SCALAR) {
        print_text(file, node->text, node->plain);
        return;
    }
    (void)fputc(node->kind == CR_NODE_MAP ? '{' : '[', file);
    for (const cr_node *n = node->first; n != NULL; n = n->next) {
        print_key(file, n);
        print_value(file, n);
        (void)fputs(n->next != NULL ? ", " : "", file);
    }
    (void)fputc(node->kind == CR_NODE_MAP ? '}' : ']', file);
}

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
            print_key(file, shown);
            print_value(file, shown);
            (void)fputc('\n', file);
            continue;
        }
        print_text(file, shown->key, false);
        (void)fputs(":\n", file);
        print_map(file, shown, indent + 4);
    }
}

static void print_map(FILE *file, const cr_node *map, int indent)
{
    for (const cr_node *n = map->first; n != NULL; n = n->next) {
        bool is_block = has_items(n) || (n->kind == CR_NODE_MAP && n->first != NULL);
        (void)fprintf(file, "%*s", indent, "");
        print_text(file, n->key, false);
        (void)fputs(is_block ? ":\n" : ": ", file);
        if (!is_block) {
            print_value(file, n);
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
