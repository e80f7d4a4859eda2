/*
 * whole: the options of a program with everything that config knows: values of every kind, a
 * section that two structs share, a section in a section, variants.
 */
#ifndef TEST_WHOLE_H
#define TEST_WHOLE_H

#include "check.h"

#include "colrow/config.h"

#include <limits.h>

typedef struct sampling {
    cr_word draw;
    double ratio;
    cr_words exact;
    cr_ratios layers;
} sampling;

typedef struct mlp {
    cr_ints sizes;
    double dropout;
} mlp;

typedef struct wide {
    int depth;
} wide;

typedef struct whole {
    int64_t seed;
    int batch;
    bool deterministic;
    char path[CR_PATH_MAX];
    cr_word note;
    sampling sampling;
    double backward_ratio;
    int minimum; /* of `sampling`, but in another struct */
    cr_word model;
    union {
        mlp mlp;
        wide wide;
    } parameters;
} whole;

static const char *const *draws(void)
{
    static const char *const words[] = {"top", "replacement", "no_replacement", NULL};
    return words;
}

static const char *const *models(void)
{
    static const char *const words[] = {"mlp", "wide", "plain", NULL};
    return words;
}

#define AT(type, field) .offset = offsetof(type, field)

static const cr_option top_options[] = {
    {"seed", CR_OPTION_COUNT, AT(whole, seed), .fallback = "1", .high = 0x1p62, .help = "of all"},
    {"batch", CR_OPTION_INT, AT(whole, batch), .fallback = NULL, .low = 1, .high = INT_MAX},
    {"deterministic", CR_OPTION_BOOL, AT(whole, deterministic), .fallback = "false"},
    {"path", CR_OPTION_PATH, AT(whole, path), .fallback = ""},
    {"note", CR_OPTION_WORD, AT(whole, note), .fallback = "none"},
    {.name = NULL},
};

static const cr_option sampling_options[] = {
    {"draw", CR_OPTION_WORD, AT(sampling, draw), .fallback = "top", .words = draws,
     .help = "how the channels kept are taken"},
    {"ratio", CR_OPTION_REAL, AT(sampling, ratio), .fallback = "1", .low = 0, .high = 1,
     .above = true, .help = "share of the channels kept"},
    {"exact", CR_OPTION_WORDS, AT(sampling, exact), .fallback = "[]"},
    {"layers", CR_OPTION_RATIOS, AT(sampling, layers), .fallback = "{}", .low = 0, .high = 1,
     .above = true},
    {.name = NULL},
};

static const cr_option backward_options[] = {
    {"ratio", CR_OPTION_REAL, .offset = 0, .fallback = "0.25", .low = 0, .high = 1},
    {.name = NULL},
};

static const cr_option shared_options[] = {
    {"minimum", CR_OPTION_INT, .offset = 0, .fallback = "10", .low = 1, .high = INT_MAX},
    {.name = NULL},
};

static const cr_option network_options[] = {
    {"model", CR_OPTION_WORD, .offset = 0, .fallback = "mlp", .words = models},
    {.name = NULL},
};

static const cr_option mlp_options[] = {
    {"sizes", CR_OPTION_INTS, AT(mlp, sizes), .fallback = "[784, 10]", .low = 1, .high = 1e6},
    {"dropout", CR_OPTION_REAL, AT(mlp, dropout), .fallback = "0", .low = 0, .high = 1},
    {.name = NULL},
};

static const cr_option wide_options[] = {
    {"depth", CR_OPTION_INT, AT(wide, depth), .fallback = "28", .low = 10, .high = 1000},
    {.name = NULL},
};

static const cr_option *model_options(const char *model)
{
    if (strcmp(model, "plain") == 0)
        return NULL;
    return strcmp(model, "mlp") == 0 ? mlp_options : wide_options;
}

static const cr_section whole_sections[] = {
    {"", top_options, 0, NULL, NULL, 0},
    {"sampling", sampling_options, offsetof(whole, sampling), NULL, NULL, 0},
    {"network", network_options, offsetof(whole, model), "model", model_options,
     offsetof(whole, parameters)},
    {"sampling.backward", backward_options, offsetof(whole, backward_ratio), NULL, NULL, 0},
    {"sampling", shared_options, offsetof(whole, minimum), NULL, NULL, 0},
    {.options = NULL},
};

/* ---- reading ---- */

/* Parse and bind a text with overrides, ended by NULL. */
static inline cr_status read_with(whole *values, const char *text, const char *const *overrides)
{
    cr_config *config = NULL;
    int count = 0;
    while (overrides[count] != NULL)
        count++;
    memset(values, 0, sizeof *values);
    cr_status status = cr_config_parse(&config, text, strlen(text), "m.yaml", overrides, count);
    if (status == CR_OK)
        status = cr_config_bind(config, whole_sections, values);
    cr_config_free(&config);
    return status;
}

static inline cr_status read_text(whole *values, const char *text)
{
    return read_with(values, text, (const char *const[]){NULL});
}

/* Every key. */
static const char whole_text[] = "# every key\n"
                                 "seed: 4611686018427387904\n" /* 2^62 */
                                 "batch: +50\n"
                                 "deterministic: Yes\n"
                                 "path: \"/data/my set\"\n"
                                 "note: off\n"
                                 "sampling:\n"
                                 "  draw: replacement\n"
                                 "  ratio: 4.e-1\n"
                                 "  exact: fc3\n"
                                 "  layers: {fc1: 0.5, 'conv*': 1}\n"
                                 "  minimum: 3\n"
                                 "  backward:\n"
                                 "    ratio: .5\n"
                                 "network:\n"
                                 "  sizes:\n"
                                 "    - 784\n"
                                 "    - 500\n"
                                 "  dropout: 0\n"
                                 "  model: mlp\n";

#endif
