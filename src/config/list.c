/* list: the kinds of several values. A single one may stand without brackets. */
#include "value.h"

#include <stdio.h>
#include <string.h>

static int length_of(const cr_node *list)
{
    int count = 0;
    for (const cr_node *n = list->first; n != NULL; n = n->next)
        count++;
    return count;
}

static cr_status check_length(const cr_node *list)
{
    int count = length_of(list);
    CR_CHECK(count <= CR_LIST_MAX, CR_BAD_CONFIG, "expected at most %d elements, found %d",
             CR_LIST_MAX, count);
    return CR_OK;
}

/* A list, or one scalar, into `elements`. */
static cr_status read_list(int *count, void *elements, const cr_value_kind *kind,
                           const cr_option *option, const cr_node *node)
{
    *count = 1;
    if (node->kind == CR_NODE_SCALAR)
        return kind->read(elements, option, node);
    if (node->kind != CR_NODE_LIST)
        return cr_value_refuse(option, node);
    CR_TRY(check_length(node));
    int i = 0;
    for (const cr_node *n = node->first; n != NULL; n = n->next, i++) {
        cr_status status = kind->read((char *)elements + (size_t)i * kind->bytes, option, n);
        if (status != CR_OK)
            return cr_fail_prefix(status, "element %d", i + 1);
    }
    *count = i;
    return CR_OK;
}

static cr_status write_list(cr_tree *tree, cr_node **out, int count, const void *elements,
                            const cr_value_kind *kind, const cr_option *option)
{
    CR_TRY(cr_node_create(tree, out, CR_NODE_LIST, ""));
    cr_node **link = &(*out)->first;
    for (int i = 0; i < count; i++) {
        const char *element = (const char *)elements + (size_t)i * kind->bytes;
        CR_TRY(kind->write(tree, link, option, element));
        link = &(*link)->next;
    }
    return CR_OK;
}

static cr_status read_ints(void *field, const cr_option *option, const cr_node *node)
{
    cr_ints *ints = field;
    CR_TRY(read_list(&ints->count, ints->value, &cr_value_int, option, node));
    return CR_OK;
}

static cr_status write_ints(cr_tree *tree, cr_node **out, const cr_option *option,
                            const void *field)
{
    const cr_ints *ints = field;
    CR_TRY(write_list(tree, out, ints->count, ints->value, &cr_value_int, option));
    return CR_OK;
}

static cr_status read_words(void *field, const cr_option *option, const cr_node *node)
{
    cr_words *words = field;
    CR_TRY(read_list(&words->count, words->value, &cr_value_word, option, node));
    return CR_OK;
}

static cr_status write_words(cr_tree *tree, cr_node **out, const cr_option *option,
                             const void *field)
{
    const cr_words *words = field;
    CR_TRY(write_list(tree, out, words->count, words->value, &cr_value_word, option));
    return CR_OK;
}

static cr_status read_ratio(cr_word name, double *value, const cr_option *option,
                            const cr_node *node)
{
    CR_CHECK(strlen(node->key) < CR_WORD_MAX, CR_BAD_CONFIG,
             "expected names of fewer than %d bytes, found `%.60s...`", CR_WORD_MAX, node->key);
    (void)snprintf(name, CR_WORD_MAX, "%s", node->key);
    cr_status status = cr_value_real.read(value, option, node);
    return status == CR_OK ? CR_OK : cr_fail_prefix(status, "`%s`", name);
}

static cr_status read_ratios(void *field, const cr_option *option, const cr_node *node)
{
    cr_ratios *ratios = field;
    if (node->kind != CR_NODE_MAP)
        return cr_value_refuse(option, node);
    CR_TRY(check_length(node));
    for (const cr_node *n = node->first; n != NULL; n = n->next) {
        CR_TRY(read_ratio(ratios->name[ratios->count], &ratios->value[ratios->count], option, n));
        ratios->count++;
    }
    return CR_OK;
}

static cr_status write_ratios(cr_tree *tree, cr_node **out, const cr_option *option,
                              const void *field)
{
    const cr_ratios *ratios = field;
    CR_TRY(write_list(tree, out, ratios->count, ratios->value, &cr_value_real, option));
    (*out)->kind = CR_NODE_MAP;
    int i = 0;
    for (cr_node *n = (*out)->first; n != NULL; n = n->next)
        CR_TRY(cr_tree_text(tree, &n->key, "%s", ratios->name[i++]));
    return CR_OK;
}

const cr_value_kind cr_value_ints = {sizeof(cr_ints), "integers", true, read_ints, write_ints};
const cr_value_kind cr_value_words = {sizeof(cr_words), "words", true, read_words, write_words};
const cr_value_kind cr_value_ratios = {sizeof(cr_ratios), "names with numbers", true, read_ratios,
                                       write_ratios};
