/*
 * value: the kinds of values that an option can have, inside config only. One row a kind: how it is
 * read from a node, how it is written to one, and what messages call it.
 */
#ifndef COLROW_CONFIG_VALUE_H
#define COLROW_CONFIG_VALUE_H

#include "node.h"

typedef struct cr_value_kind {
    size_t bytes;     /* of the field */
    const char *what; /* "expected WHAT of at least 1, found ..." */
    bool optional;    /* may a default be nothing, that is, an empty text or list? */
    cr_status (*read)(void *field, const cr_option *option, const cr_node *node); /* NULL: bind.h */
    cr_status (*write)(cr_tree *tree, cr_node **out, const cr_option *option, const void *field);
} cr_value_kind;

extern const cr_value_kind cr_value_int, cr_value_count, cr_value_real, cr_value_bool;
extern const cr_value_kind cr_value_word, cr_value_path;
extern const cr_value_kind cr_value_ints, cr_value_words, cr_value_ratios;
extern const cr_value_kind cr_value_named, cr_value_items;

/* Read a node into the field of an option, checking kind, range and words. The field is zeroed
 * first. CR_BAD_CONFIG; messages have no place in front. */
cr_status cr_value_read(void *field, const cr_option *option, const cr_node *node);

/* Is the field of an option as it is when the option is not given: zeros? */
bool cr_value_is_zero(const cr_option *option, const void *field);

/* The node that reads back as the field's value. */
cr_status cr_value_write(cr_tree *tree, cr_node **out, const cr_option *option, const void *field);

#define CR_EXPECTED_MAX 1024 /* B */

/* What an option takes, in words: "a number above 0 and at most 1". */
void cr_value_expected(char out[CR_EXPECTED_MAX], const cr_option *option);

/* CR_BAD_CONFIG, "expected ..., found ...". */
cr_status cr_value_refuse(const cr_option *option, const cr_node *node);

#define CR_NUMBER_MAX 32 /* B */

/* The shortest decimal that reads back as the same bits; whole numbers in full. */
void cr_value_number(char out[CR_NUMBER_MAX], double value);

/* Rows whose `low` is not below `high` ask for no range. */
bool cr_value_has_range(const cr_option *option);

#endif
