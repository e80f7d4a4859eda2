/*
 * scalar: the kinds of a single value. Reading is strict, since a value misunderstood costs a run:
 * no octal, no numbers in quotes, no infinities.
 */
#include "nearest.h"
#include "value.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_plain(const cr_node *node)
{
    return node->kind == CR_NODE_SCALAR && node->plain;
}

static cr_status write_plain(cr_tree *tree, cr_node **out, const char *text)
{
    const char *kept = NULL;
    CR_TRY(cr_tree_text(tree, &kept, "%s", text));
    CR_TRY(cr_node_scalar(tree, out, kept, true));
    return CR_OK;
}

/* ---- numbers ---- */

static bool in_range(const cr_option *option, double value)
{
    bool high_enough = option->above ? value > option->low : value >= option->low;
    return !cr_value_has_range(option) || (high_enough && value <= option->high);
}

/* Decimal digits with a sign or none, and no 0 in front, which YAML 1.1 takes for octal. */
static bool is_integer(const char *text)
{
    const char *digits = text + (text[0] == '-' || text[0] == '+');
    size_t count = strspn(digits, "0123456789");
    return count > 0 && digits[count] == '\0' && (digits[0] != '0' || count == 1);
}

static cr_status read_integer(int64_t *out, const cr_option *option, const cr_node *node,
                              int64_t least, int64_t most)
{
    if (!is_plain(node) || !is_integer(node->text))
        return cr_value_refuse(option, node);
    errno = 0;
    long long value = strtoll(node->text, NULL, 10);
    if (errno == ERANGE || value < least || value > most || !in_range(option, (double)value))
        return cr_value_refuse(option, node);
    *out = value;
    return CR_OK;
}

static cr_status read_int(void *field, const cr_option *option, const cr_node *node)
{
    int64_t value = 0;
    CR_TRY(read_integer(&value, option, node, INT_MIN, INT_MAX));
    *(int *)field = (int)value;
    return CR_OK;
}

static cr_status write_int(cr_tree *tree, cr_node **out, const cr_option *option, const void *field)
{
    (void)option;
    const char *text = NULL;
    CR_TRY(cr_tree_text(tree, &text, "%d", *(const int *)field));
    CR_TRY(cr_node_scalar(tree, out, text, true));
    return CR_OK;
}

static cr_status read_count(void *field, const cr_option *option, const cr_node *node)
{
    CR_TRY(read_integer(field, option, node, INT64_MIN, INT64_MAX));
    return CR_OK;
}

static cr_status write_count(cr_tree *tree, cr_node **out, const cr_option *option,
                             const void *field)
{
    (void)option;
    const char *text = NULL;
    CR_TRY(cr_tree_text(tree, &text, "%lld", (long long)*(const int64_t *)field));
    CR_TRY(cr_node_scalar(tree, out, text, true));
    return CR_OK;
}

static cr_status read_real(void *field, const cr_option *option, const cr_node *node)
{
    if (!is_plain(node) || node->text[strspn(node->text, "+-.0123456789eE")] != '\0')
        return cr_value_refuse(option, node);
    char *end = NULL;
    double value = strtod(node->text, &end);
    if (end == node->text || *end != '\0' || !isfinite(value) || !in_range(option, value))
        return cr_value_refuse(option, node);
    *(double *)field = value;
    return CR_OK;
}

static cr_status write_real(cr_tree *tree, cr_node **out, const cr_option *option,
                            const void *field)
{
    double value = *(const double *)field;
    char digits[CR_NUMBER_MAX];
    CR_CHECK(isfinite(value), CR_INTERNAL, "%s: expected a finite number, found %g", option->name,
             value);
    cr_value_number(digits, value);
    CR_TRY(write_plain(tree, out, digits));
    return CR_OK;
}

/* ---- booleans ---- */

/* The words of YAML 1.1 without `y` and `n`; in this list as in an option's own, false stands at
 * even places. */
static const char *const *switches_of(const cr_option *option)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", NULL};
    return option->words != NULL ? option->words() : words;
}

static cr_status read_bool(void *field, const cr_option *option, const cr_node *node)
{
    const char *const *words = switches_of(option);
    for (int i = 0; words[i] != NULL && is_plain(node); i++) {
        if (strcasecmp(node->text, words[i]) != 0)
            continue;
        *(bool *)field = i % 2 == 1;
        return CR_OK;
    }
    return cr_value_refuse(option, node);
}

static cr_status write_bool(cr_tree *tree, cr_node **out, const cr_option *option,
                            const void *field)
{
    CR_TRY(cr_node_scalar(tree, out, switches_of(option)[*(const bool *)field], true));
    return CR_OK;
}

/* ---- texts ---- */

static cr_status read_text(char *out, size_t size, const cr_option *option, const cr_node *node)
{
    if (node->kind != CR_NODE_SCALAR || cr_node_is_null(node))
        return cr_value_refuse(option, node);
    size_t length = strlen(node->text);
    CR_CHECK(length < size, CR_BAD_CONFIG, "expected a text of fewer than %zu bytes, found %zu",
             size, length);
    memcpy(out, node->text, length);
    return CR_OK;
}

static cr_status check_word(const cr_option *option, const cr_node *node)
{
    char hint[CR_HINT_MAX];
    cr_nearest nearest = cr_nearest_start(node->text);
    for (const char *const *word = option->words(); *word != NULL; word++) {
        if (strcmp(*word, node->text) == 0)
            return CR_OK;
        cr_nearest_offer(&nearest, *word);
    }
    cr_nearest_hint(hint, &nearest);
    cr_status status = cr_value_refuse(option, node);
    return cr_fail(status, __FILE__, __LINE__, "%s%s", cr_error_message(), hint);
}

static cr_status read_word(void *field, const cr_option *option, const cr_node *node)
{
    CR_TRY(read_text(field, CR_WORD_MAX, option, node));
    if (option->words != NULL)
        CR_TRY(check_word(option, node));
    return CR_OK;
}

static cr_status read_path(void *field, const cr_option *option, const cr_node *node)
{
    CR_TRY(read_text(field, CR_PATH_MAX, option, node));
    return CR_OK;
}

/* A text is quoted where needed (plain = false); but an empty one where only some words are allowed
 * stands for a default that is none of them, and is written as nothing. */
static cr_status write_text(cr_tree *tree, cr_node **out, const cr_option *option,
                            const void *field)
{
    const char *text = NULL;
    CR_TRY(cr_tree_text(tree, &text, "%s", (const char *)field));
    CR_TRY(cr_node_scalar(tree, out, text, text[0] == '\0' && option->words != NULL));
    return CR_OK;
}

const cr_value_kind cr_value_int = {sizeof(int), "an integer", false, read_int, write_int};
const cr_value_kind cr_value_count = {sizeof(int64_t), "an integer", false, read_count,
                                      write_count};
const cr_value_kind cr_value_real = {sizeof(double), "a number", false, read_real, write_real};
const cr_value_kind cr_value_bool = {sizeof(bool), "true or false", false, read_bool, write_bool};
const cr_value_kind cr_value_word = {sizeof(cr_word), "a word", true, read_word, write_text};
const cr_value_kind cr_value_path = {CR_PATH_MAX, "a path", true, read_path, write_text};
