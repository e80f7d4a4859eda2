/*
 * config: YAML and key=value overrides to structs, by option tables (base.h). Knows no keys of its
 * own. Not collective: every rank reads the same text.
 */
#ifndef COLROW_CONFIG_H
#define COLROW_CONFIG_H

#include "colrow/base.h"

/* A parsed document: keys, values and where each stands. */
typedef struct cr_config cr_config;

/* One section of a document and the struct that takes it. A table ends with a row without options.
 * Several rows may have one name: their structs share the section. */
typedef struct cr_section {
    const char *name;         /* dotted path, "" for the top level */
    const cr_option *options; /* its keys */
    size_t offset;            /* of the section's struct in the whole */
    /* Of a section whose keys depend on the value of one (network.model, optimizer.rule ...): */
    const char *selector; /* that key, a word of a list (words()); NULL: no variants */
    const cr_option *(*variant)(
        const char *value); /* further keys for a value; NULL result: none */
    size_t variant_offset;  /* of their struct in the whole */
} cr_section;

/* Parse the file `path`, then apply `overrides` ("key.path=yaml value"; later ones win; an override
 * replaces the whole value at its path, and one without a value gives the default back). An empty
 * file is a document without keys. The caller frees *out. CR_BAD_CONFIG naming file and line (or
 * the override) when it is not YAML, a key stands twice, or a section is not a mapping; also when
 * the file cannot be read, or is larger than a configuration ever is (64 KiB). */
cr_status cr_config_load(cr_config **out, const char *path, const char *const *overrides,
                         int count);

/* The same from text; `name` stands for the file in messages. */
cr_status cr_config_parse(cr_config **out, const char *text, size_t bytes, const char *name,
                          const char *const *overrides, int count);
void cr_config_free(cr_config **config);

/* Fill `values`, the struct that `sections` describes, with defaults and the document's values.
 * Checks every key of the document: unknown keys (names the nearest known one), types, ranges,
 * words. A key without a value means its default. Messages read "FILE:LINE: KEY: expected ...,
 * found ...", or "-s KEY=VALUE: ...". Every field of an option is written whole, with zeros behind
 * its text or elements; nothing else is, so clear a struct first that is to be compared or hashed.
 * On failure some fields are filled and some are not. CR_INTERNAL when a table is wrong.
 *
 * A list of items (CR_OPTION_ITEMS) is written with the kind of each element as its key, or as a
 * word where it is to have all defaults. Every element may have a `name`:
 *
 *     - dense: {name: fc1, features: 100}
 *     - relu
 *
 * What an element lacks or has too much is told by its own line and path: network.layers.dense.
 *
 * Names that a user gives (CR_OPTION_NAMED) have options of their own, or the first of them:
 *
 *     layers: {fc1: 0.5, "conv*": {ratio: 0.4, draw: systematic}} */
cr_status cr_config_bind(const cr_config *config, const cr_section *sections, void *values);

/* Does the document give a value for `key` (dotted path)? */
bool cr_config_has(const cr_config *config, const char *key);

/* Where `key` got its value, "FILE:LINE" or "-s KEY=VALUE"; "default" when the document has none.
 * The text is owned by the document. */
const char *cr_config_where(const cr_config *config, const char *key);

/* Write all values as YAML, defaults included; reading it back gives the same struct, bit for bit,
 * but for the file and lines of items. The caller frees *text with CR_FREE. */
cr_status cr_config_format(char **text, const cr_section *sections, const void *values);

#define CR_DIFFERENCE_MAX 512 /* B */

/* The first value that differs between two texts of cr_config_format by the same tables, as
 * "network.label_smoothing: 0, found 0.1", cut where it is long; "" when none does. CR_BAD_CONFIG
 * when one cannot be parsed. */
cr_status cr_config_difference(char out[CR_DIFFERENCE_MAX], const char *expected,
                               const char *found);

/* ---- documents with keys of their own --------------------------------------------------------
 * A document can also be walked as it is written, and values of one document laid over another. */
typedef enum cr_node_kind { CR_NODE_SCALAR, CR_NODE_LIST, CR_NODE_MAP } cr_node_kind;

typedef struct cr_node {
    cr_node_kind kind;
    bool plain;            /* a scalar without quotes: may be a number, a boolean or nothing */
    const char *key;       /* in the map around it; NULL in a list */
    const char *text;      /* of a scalar */
    const char *where;     /* "FILE:LINE" or "-s KEY=VALUE" */
    int line;              /* that line; 0: none */
    struct cr_node *first; /* of the elements of a list or map */
    struct cr_node *next;  /* in the list or map around it */
} cr_node;

/* The map that a document is. The document owns it. */
const cr_node *cr_config_root(const cr_config *config);

/* The value at a dotted path below `map`; NULL when there is none. */
const cr_node *cr_node_at(const cr_node *map, const char *path);

/* Nothing: `key:`, `key: ~`, `key: null`. */
bool cr_node_is_null(const cr_node *node);

#define CR_FOUND_MAX 96 /* B, a value as messages show it */

/* A value as messages show it: "`0.5`", "a list". */
void cr_node_found(char out[CR_FOUND_MAX], const cr_node *node);

#define CR_HINT_MAX 256 /* B */

/* "; did you mean `WORD`?" with the word of `words` (ended by NULL) that is nearest to `found`, or
 * "" when none is near. */
void cr_config_hint(char out[CR_HINT_MAX], const char *found, const char *const *words);

/* Let `value`, of another document that outlives this one, be the value at the dotted path `key`,
 * as an override would; messages about it name the place where it stands. */
cr_status cr_config_put(cr_config *config, const char *key, const cr_node *value);

/* One more override, on top of all. */
cr_status cr_config_override(cr_config *config, const char *override);

/* Print every key with its default, range and help to `*text`, for --help. CR_FREE it.
 * `variants` of a section are listed under each of the selector's words. */
cr_status cr_config_describe(char **text, const cr_section *sections);

#endif
