/* print: text of any length by the functions of stdio, and the values of a document in it. */
#include "print.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

cr_status cr_print_to_text(char **text, void (*print)(FILE *file, const void *what),
                           const void *what)
{
    size_t bytes = 0;
    char *made = NULL;
    FILE *file = open_memstream(&made, &bytes);
    CR_CHECK(file != NULL, CR_INTERNAL, "out of memory for a text");
    print(file, what);
    bool whole = ferror(file) == 0;
    whole = fclose(file) == 0 && whole;
    if (!whole)
        CR_FREE(made);
    CR_CHECK(whole, CR_INTERNAL, "out of memory for a text of %zu bytes", bytes);
    *text = made;
    return CR_OK;
}

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

void cr_print_text(FILE *file, const char *text, bool plain)
{
    if (plain || is_bare(text))
        (void)fputs(text, file);
    else
        print_quoted(file, text);
}

/* ---- nodes ---- */

void cr_print_key(FILE *file, const cr_node *node)
{
    if (node->key == NULL)
        return;
    cr_print_text(file, node->key, false);
    (void)fputs(": ", file);
}

void cr_print_value(FILE *file, const cr_node *node)
{
    if (node->kind == CR_NODE_SCALAR) {
        cr_print_text(file, node->text, node->plain);
        return;
    }
    (void)fputc(node->kind == CR_NODE_MAP ? '{' : '[', file);
    for (const cr_node *n = node->first; n != NULL; n = n->next) {
        cr_print_key(file, n);
        cr_print_value(file, n);
        (void)fputs(n->next != NULL ? ", " : "", file);
    }
    (void)fputc(node->kind == CR_NODE_MAP ? '}' : ']', file);
}
