/*
 * difference: the first value in which two configurations differ. Both were written by the same
 * tables, so that their keys come in one order as far as they agree; a selector, which decides what
 * other keys there are, comes before these.
 */
#include "node.h"
#include "print.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN_MAX = 120 }; /* B, of a value */

typedef struct difference {
    char path[CR_KEY_MAX]; /* of both values; elements of lists have no name of their own */
    const cr_node *expected, *found;
} difference;

static bool has_same_key(const cr_node *a, const cr_node *b)
{
    return a->key == NULL || b->key == NULL ? a->key == b->key : strcmp(a->key, b->key) == 0;
}

static bool is_same(const cr_node *a, const cr_node *b)
{
    const cr_node *x = a->first, *y = b->first;
    bool same = a->kind == b->kind && has_same_key(a, b);
    if (same && a->kind == CR_NODE_SCALAR)
        return strcmp(a->text, b->text) == 0;
    for (; same && x != NULL && y != NULL; x = x->next, y = y->next)
        same = is_same(x, y);
    return same && x == NULL && y == NULL;
}

/* Go on to the first entries that differ, if these are all that is to be shown: values of one key,
 * or elements with options of their own. */
static bool go_down(difference *at)
{
    const cr_node *x = at->expected->first, *y = at->found->first;
    while (x != NULL && y != NULL && is_same(x, y)) {
        x = x->next;
        y = y->next;
    }
    if (x == NULL || y == NULL || !has_same_key(x, y) ||
        (x->key == NULL && x->kind != CR_NODE_MAP && y->kind != CR_NODE_MAP))
        return false;
    size_t used = strlen(at->path);
    if (x->key != NULL)
        (void)snprintf(at->path + used, sizeof at->path - used, "%s%s", used > 0 ? "." : "",
                       x->key);
    at->expected = x;
    at->found = y;
    return true;
}

static void print_value(FILE *file, const void *node)
{
    cr_print_value(file, node);
}

static cr_status show(char out[SHOWN_MAX], const cr_node *node)
{
    char *text = NULL;
    CR_TRY(cr_print_to_text(&text, print_value, node));
    if (strlen(text) < SHOWN_MAX)
        (void)snprintf(out, SHOWN_MAX, "%s", text);
    else
        (void)snprintf(out, SHOWN_MAX, "%.*s...", SHOWN_MAX - 4, text);
    CR_FREE(text);
    return CR_OK;
}

static cr_status find(char out[CR_DIFFERENCE_MAX], const cr_node *expected, const cr_node *found)
{
    char shown[2][SHOWN_MAX];
    difference at = {.expected = expected, .found = found};
    out[0] = '\0';
    if (is_same(expected, found))
        return CR_OK;
    while (go_down(&at))
        ;
    CR_TRY(show(shown[0], at.expected));
    CR_TRY(show(shown[1], at.found));
    (void)snprintf(out, CR_DIFFERENCE_MAX, "%s: %s, found %s", at.path, shown[0], shown[1]);
    return CR_OK;
}

cr_status cr_config_difference(char out[CR_DIFFERENCE_MAX], const char *expected, const char *found)
{
    cr_status status = CR_OK;
    cr_config *configs[2] = {NULL, NULL};
    CR_TRY_GOTO(cr_config_parse(&configs[0], expected, strlen(expected), "expected", NULL, 0));
    CR_TRY_GOTO(cr_config_parse(&configs[1], found, strlen(found), "found", NULL, 0));
    CR_TRY_GOTO(find(out, cr_config_root(configs[0]), cr_config_root(configs[1])));
done:
    cr_config_free(&configs[0]);
    cr_config_free(&configs[1]);
    return status;
}
