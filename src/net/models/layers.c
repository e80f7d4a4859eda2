/*
 * layers: a network as a list in YAML, of every kind of layer there is (src/net/layers), and of
 *
 *     residual    y = shortcut(x) + layers(x), two lists in a list; without a shortcut x itself
 *
 * Inside a residual the names of layers begin with its own and a dot. A layer without a name is
 * called by its kind and a number, a bias by the layer before it. Where a tensor is needed and
 * there is none, at the beginning of a residual or at the end of one of its branches, zero_pad (the
 * identity) writes it.
 */
#include "colrow/net.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define INPUT_MOST (1 << 24) /* values of a sample */

typedef struct layers {
    cr_ints input;
    int classes;
    cr_items layers;
} layers;

_Static_assert(sizeof(layers) <= CR_NET_PARAMETERS, "options of layers fit");
_Static_assert(sizeof(cr_layer_plan) <= CR_ITEM_BYTES, "a layer's plan fits into an item");

/* ---- options --------------------------------------------------------------------------------- */

static cr_item_kind kind_at(int i);

/* The order of these is that in which the branches are built. */
static const cr_option residual_options[] = {
    {.name = "shortcut",
     .kind = CR_OPTION_ITEMS,
     .fallback = "[]",
     .kinds = kind_at,
     .help = "what the sum begins with; nothing: the input itself"},
    {.name = "layers", .kind = CR_OPTION_ITEMS, .kinds = kind_at, .help = "what is added to it"},
    {.name = NULL},
};

static const char residual[] = "residual";

static cr_item_kind kind_at(int i)
{
    const cr_layer_type *type = i > 0 ? cr_layer_types[i - 1] : NULL;
    if (i == 0)
        return (cr_item_kind){residual, residual_options};
    return type != NULL ? (cr_item_kind){type->name, type->options} : (cr_item_kind){NULL, NULL};
}

static const cr_option options[] = {
    {.name = "input",
     .kind = CR_OPTION_INTS,
     .offset = offsetof(layers, input),
     .fallback = "[]",
     .low = 1,
     .high = INPUT_MOST,
     .help = "[rows, columns, channels] or [features] of a sample; nothing: as the data has them"},
    {.name = "classes",
     .kind = CR_OPTION_INT,
     .offset = offsetof(layers, classes),
     .fallback = "0",
     .low = 0,
     .high = 1 << 20,
     .help = "classes to tell apart; 0: as the data has them"},
    {.name = "layers",
     .kind = CR_OPTION_ITEMS,
     .offset = offsetof(layers, layers),
     .kinds = kind_at,
     .help = "from the data to the loss, which is the last; all may have a `name`"},
    {.name = NULL},
};

static cr_status wants(const void *parameters, cr_shape *input, int *classes)
{
    const layers *m = parameters;
    const int *size = m->input.value;
    int64_t values = 1;
    for (int i = 0; i < m->input.count && values <= INPUT_MOST; i++)
        values *= size[i];
    CR_CHECK(m->input.count <= 1 || m->input.count == 3, CR_BAD_CONFIG,
             "network.input: expected [rows, columns, channels] or [features], found %d numbers",
             m->input.count);
    CR_CHECK(values <= INPUT_MOST, CR_BAD_CONFIG,
             "network.input: expected at most %d values a sample, found more", INPUT_MOST);
    *input = m->input.count == 3   ? (cr_shape){size[0], size[1], size[2]}
             : m->input.count == 1 ? (cr_shape){1, 1, size[0]}
                                   : (cr_shape){0, 0, 0};
    *classes = m->classes;
    return CR_OK;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* The items on their way into a net. */
typedef struct builder {
    cr_net *net;
    const cr_item *begin, *end; /* of all items */
    const cr_item *next;        /* to be built */
    const cr_item *now;         /* being built */
} builder;

/* The list that is being built. */
typedef struct branch {
    builder *of;
    int depth;
    const char *list, *prefix; /* of the residual around it, "block."; "" */
    int held;                  /* the residual's input, which is not to be added to; -1: none */
    int sum;                   /* tensor that the last layer is added to; -1: none */
} branch;

/* A name stands in checkpoints, too, and in the patterns of `sampling`. */
static cr_status check_name(const char *name)
{
    bool is_good = isalnum((unsigned char)name[0]) != 0;
    for (const char *c = name; *c != '\0'; c++)
        is_good = is_good && (isalnum((unsigned char)*c) != 0 || strchr("_-.", *c) != NULL);
    CR_CHECK(is_good, CR_BAD_CONFIG,
             "expected a name of letters, digits, `_`, `-` and `.`, found `%s`", name);
    return CR_OK;
}

static cr_status join(cr_word out, const char *prefix, const char *name)
{
    CR_CHECK(strlen(prefix) + strlen(name) < CR_WORD_MAX, CR_BAD_CONFIG,
             "layer %s%s: expected a name shorter than %d bytes", prefix, name, CR_WORD_MAX);
    (void)snprintf(out, CR_WORD_MAX, "%s%s", prefix, name);
    return CR_OK;
}

/* The kind and how many of its kind there are up to the item. */
static cr_status number_item(cr_word out, const branch *b, const cr_item *item)
{
    char numbered[CR_WORD_MAX + 12];
    int number = 1;
    for (const cr_item *i = b->of->begin; i < item; i++)
        number += strcmp(i->kind, item->kind) == 0;
    (void)snprintf(numbered, sizeof numbered, "%s_%d", item->kind, number);
    return join(out, b->prefix, numbered);
}

static cr_status name_item(cr_word out, const branch *b, const cr_item *item)
{
    const cr_layer_type *type = cr_layer_type_find(item->kind);
    const cr_net *net = b->of->net;
    if (item->name[0] != '\0') {
        CR_TRY(check_name(item->name));
        return join(out, b->prefix, item->name);
    }
    if (type != NULL && type->shares_name && net->layer_count > 0)
        return join(out, "", net->layers[net->layer_count - 1].name);
    return number_item(out, b, item);
}

/* ---- building -------------------------------------------------------------------------------- */

/* Does the next item stand in this list? */
static bool goes_on(const branch *b)
{
    const cr_item *next = b->of->next;
    return next < b->of->end && next->depth == b->depth && strcmp(next->list, b->list) == 0;
}

static cr_status add_layer(const branch *b, const cr_item *item)
{
    cr_word name;
    cr_layer_plan plan;
    const cr_layer_type *type = cr_layer_type_find(item->kind);
    CR_TRY(name_item(name, b, item));
    memcpy(&plan, item->values, sizeof plan);
    plan.type = item->kind;
    plan.name = name;
    CR_CHECK(!cr_layer_type_ends(type) || b->depth == 0, CR_BAD_CONFIG,
             "layer %s: expected the loss at the end of the network, found it in a residual", name);
    bool is_one = type->channelwise == NULL && type->expand == NULL;
    bool adds = b->sum >= 0 && !goes_on(b) && is_one;
    return adds ? cr_net_add_into(b->of->net, &plan, b->sum) : cr_net_add(b->of->net, &plan);
}

/* The identity as a layer: into the tensor `sum`, or one of its own where that is -1. */
static cr_status add_identity(cr_net *net, const char *residual_name, const char *what, int sum)
{
    cr_word name;
    CR_TRY(join(name, residual_name, what));
    cr_layer_plan plan = {.type = "zero_pad", .name = name};
    return sum >= 0 ? cr_net_add_into(net, &plan, sum) : cr_net_add(net, &plan);
}

static cr_status add_list(const branch *b);

/* The list `list` of the residual `item`, called `name`; it comes next. */
static cr_status add_branch(const branch *around, const cr_item *item, const char *name,
                            branch inner)
{
    cr_word prefix;
    cr_net *net = around->of->net;
    CR_TRY(join(prefix, name, "."));
    inner.of = around->of;
    inner.depth = around->depth + 1;
    inner.prefix = prefix;
    CR_TRY(add_list(&inner));
    around->of->now = item;
    bool is_open = net->pending > 0 || (inner.sum >= 0 && net->current != inner.sum);
    return is_open ? add_identity(net, name, ".sum", inner.sum) : CR_OK;
}

/* Has the residual that is being built got another list? */
static bool has_list(const branch *b, const char *list)
{
    const cr_item *next = b->of->next;
    return next < b->of->end && next->depth == b->depth + 1 && strcmp(next->list, list) == 0;
}

static cr_status add_residual(const branch *b, const cr_item *item)
{
    cr_word name;
    cr_net *net = b->of->net;
    CR_TRY(name_item(name, b, item));
    bool is_kept = net->current == 0 || net->current == b->held; /* nothing may be added to it */
    if (net->pending > 0 || (is_kept && !has_list(b, "shortcut")))
        CR_TRY(add_identity(net, name, ".input", -1));
    int input = net->current;
    int sum = input;
    if (has_list(b, "shortcut")) {
        CR_TRY(add_branch(b, item, name, (branch){.list = "shortcut", .held = input, .sum = -1}));
        sum = net->current;
        cr_net_continue_from(net, input);
    }
    CR_CHECK(has_list(b, "layers"), CR_BAD_CONFIG,
             "residual %s: expected at least one element in `layers`, found none", name);
    return add_branch(b, item, name, (branch){.list = "layers", .held = input, .sum = sum});
}

static cr_status add_list(const branch *b)
{
    while (goes_on(b)) {
        const cr_item *item = b->of->next++;
        b->of->now = item;
        if (strcmp(item->kind, residual) == 0)
            CR_TRY(add_residual(b, item));
        else
            CR_TRY(add_layer(b, item));
    }
    return CR_OK;
}

enum { PATH_BYTES = 256 }; /* of an item's path; a longer one is cut */

/* "network.layers.residual.layers.relu", as the keys of an item are called. */
static void path_of(char out[PATH_BYTES], const cr_item *item)
{
    const cr_item *around = item; /* the one whose list it stands in comes before it */
    while (around->depth >= item->depth && item->depth > 0)
        around--;
    (void)snprintf(out, PATH_BYTES, "network");
    if (item->depth > 0)
        path_of(out, around);
    size_t used = strlen(out);
    (void)snprintf(out + used, PATH_BYTES - used, ".%s.%s", item->list, item->kind);
}

static cr_status fail_at(cr_status status, const cr_items *items, const cr_item *item)
{
    char path[PATH_BYTES];
    path_of(path, item);
    return item->line > 0 ? cr_fail_prefix(status, "%s:%d: %s", items->from, item->line, path)
                          : cr_fail_prefix(status, "%s: %s", items->from, path);
}

static cr_status build(cr_net *net, const void *parameters)
{
    const layers *m = parameters;
    const cr_item *first = m->layers.at;
    const int *size = m->input.value;
    builder of = {.net = net, .begin = first, .next = first, .end = first + m->layers.count};
    CR_CHECK(m->layers.count > 0, CR_BAD_CONFIG,
             "%s: network.layers: expected at least one element, found none", m->layers.from);
    CR_CHECK(m->input.count != 3 || (size[0] == net->input.h && size[1] == net->input.w),
             CR_BAD_CONFIG,
             "network.input: expected %d x %d x %d as the data has, found %d x %d x %d",
             net->input.h, net->input.w, net->input.c, size[0], size[1], size[2]);
    cr_status status =
        add_list(&(branch){.of = &of, .list = "layers", .prefix = "", .held = -1, .sum = -1});
    return status == CR_OK ? CR_OK : fail_at(status, &m->layers, of.now);
}

const cr_model cr_model_layers = {
    .name = "layers",
    .options = options,
    .wants = wants,
    .build = build,
};
