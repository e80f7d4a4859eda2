/* value: the table of kinds, and what messages say of a value. */
#include "value.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cr_value_kind *const kinds[] = {
    [CR_OPTION_INT] = &cr_value_int,       [CR_OPTION_COUNT] = &cr_value_count,
    [CR_OPTION_REAL] = &cr_value_real,     [CR_OPTION_BOOL] = &cr_value_bool,
    [CR_OPTION_WORD] = &cr_value_word,     [CR_OPTION_PATH] = &cr_value_path,
    [CR_OPTION_INTS] = &cr_value_ints,     [CR_OPTION_WORDS] = &cr_value_words,
    [CR_OPTION_RATIOS] = &cr_value_ratios, [CR_OPTION_NAMED] = &cr_value_named,
    [CR_OPTION_ITEMS] = &cr_value_items,
};

/* Append to a text that may be full already; what does not fit is cut. */
static void append(char out[CR_EXPECTED_MAX], const char *before, const char *text)
{
    size_t used = strlen(out);
    (void)snprintf(out + used, CR_EXPECTED_MAX - used, "%s%s", before, text);
}

/* 17 digits always read back as the same bits. */
static void shortest(char out[CR_NUMBER_MAX], double value)
{
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(out, CR_NUMBER_MAX, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            return;
    }
}

void cr_value_number(char out[CR_NUMBER_MAX], double value)
{
    bool whole = value == floor(value) && fabs(value) < 1e15 && !signbit(value);
    if (whole) /* "50000", not "5e+04" */
        (void)snprintf(out, CR_NUMBER_MAX, "%.0f", value);
    else
        shortest(out, value);
}

bool cr_value_has_range(const cr_option *option)
{
    return option->low < option->high;
}

/* Ends that only say what fits the type go without saying. */
static void append_range(char out[CR_EXPECTED_MAX], const cr_option *option)
{
    char low[CR_NUMBER_MAX], high[CR_NUMBER_MAX];
    bool has_low = cr_value_has_range(option) && option->low > (double)INT_MIN;
    bool has_high = cr_value_has_range(option) && option->high < (double)INT_MAX;
    cr_value_number(low, option->low);
    cr_value_number(high, option->high);
    if (has_low)
        append(out, option->above ? " above " : " of at least ", low);
    if (has_high)
        append(out, has_low ? " and at most " : " of at most ", high);
}

void cr_value_expected(char out[CR_EXPECTED_MAX], const cr_option *option)
{
    out[0] = '\0';
    if (option->words == NULL) {
        append(out, "", kinds[option->kind]->what);
        append_range(out, option);
        return;
    }
    const char *before = option->kind == CR_OPTION_WORDS ? "some of " : "one of ";
    for (const char *const *word = option->words(); *word != NULL; word++) {
        append(out, before, *word);
        before = ", ";
    }
}

cr_status cr_value_refuse(const cr_option *option, const cr_node *node)
{
    char expected[CR_EXPECTED_MAX];
    char found[CR_FOUND_MAX];
    cr_value_expected(expected, option);
    cr_node_found(found, node);
    return cr_fail(CR_BAD_CONFIG, __FILE__, __LINE__, "expected %s, found %s", expected, found);
}

cr_status cr_value_read(void *field, const cr_option *option, const cr_node *node)
{
    const cr_value_kind *kind = kinds[option->kind];
    memset(field, 0, kind->bytes);
    if (cr_node_is_null(node) && kind->optional)
        return CR_OK;
    CR_TRY(kind->read(field, option, node));
    return CR_OK;
}

bool cr_value_is_zero(const cr_option *option, const void *field)
{
    const unsigned char *byte = field;
    size_t left = kinds[option->kind]->bytes;
    while (left > 0 && *byte == 0) {
        byte++;
        left--;
    }
    return left == 0;
}

cr_status cr_value_write(cr_tree *tree, cr_node **out, const cr_option *option, const void *field)
{
    CR_TRY(kinds[option->kind]->write(tree, out, option, field));
    return CR_OK;
}
