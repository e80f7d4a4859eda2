/*
 * print: text of any length by the functions of stdio, and the values of a document in it. Inside
 * config only.
 */
#ifndef COLROW_CONFIG_PRINT_H
#define COLROW_CONFIG_PRINT_H

#include "colrow/config.h"

#include <stdio.h>

/* What `print` writes about `what`, as a text that the caller frees with CR_FREE. `print` need not
 * look at what the stream's functions return. */
cr_status cr_print_to_text(char **text, void (*print)(FILE *file, const void *what),
                           const void *what);

/* A text that every YAML reader takes for this one, in quotes unless it is `plain` or needs none.
 */
void cr_print_text(FILE *file, const char *text, bool plain);

/* The key of a node and a colon; nothing where it has none. */
void cr_print_key(FILE *file, const cr_node *node);

/* A value on one line, lists and maps in brackets. */
void cr_print_value(FILE *file, const cr_node *node);

#endif
