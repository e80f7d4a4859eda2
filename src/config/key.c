/* key: the section tables as one flat list. */
#include "key.h"

#include <stdio.h>
#include <string.h>

static int length_of(const cr_option *options)
{
    int count = 0;
    while (options != NULL && options[count].name != NULL)
        count++;
    return count;
}

static const cr_option *selector_of(const cr_section *section)
{
    for (const cr_option *o = section->options; o->name != NULL; o++)
        if (section->selector != NULL && strcmp(o->name, section->selector) == 0)
            return o;
    return NULL;
}

/* A selector is a word with a list of values: without the list its variants could not be named. */
static cr_status check_selector(const cr_section *section)
{
    const cr_option *selector = selector_of(section);
    bool fits = selector != NULL && selector->kind == CR_OPTION_WORD && selector->words != NULL;
    CR_CHECK(section->selector == NULL || fits, CR_INTERNAL,
             "section `%s`: selector `%s` is not a key of it with a list of words", section->name,
             section->selector);
    return CR_OK;
}

/* Append `options` to `keys`, where there is room for them; without room, only count them. */
static cr_status add(cr_keys *keys, const cr_section *section, const cr_option *options,
                     size_t offset, const char *word)
{
    const cr_option *selector = selector_of(section);
    const char *dot = section->name[0] != '\0' ? "." : "";
    for (int i = 0; i < length_of(options) && keys->key != NULL; i++) {
        const cr_option *option = &options[i];
        cr_key *key = &keys->key[keys->count + i];
        int length = snprintf(key->path, CR_KEY_MAX, "%s%s%s", section->name, dot, option->name);
        CR_CHECK(length > 0 && length < CR_KEY_MAX - 1, CR_INTERNAL,
                 "key `%s`: its path is longer than %d bytes", option->name, CR_KEY_MAX - 2);
        key->section = section;
        key->option = option;
        key->offset = offset + option->offset;
        key->selects = option == selector;
        key->word = word;
        key->selector_offset = section->offset + (selector != NULL ? selector->offset : 0);
    }
    keys->count += length_of(options);
    return CR_OK;
}

static cr_status add_section(cr_keys *keys, const cr_section *section)
{
    const cr_option *selector = selector_of(section);
    CR_TRY(add(keys, section, section->options, section->offset, NULL));
    if (selector == NULL)
        return CR_OK;
    for (const char *const *word = selector->words(); *word != NULL; word++)
        CR_TRY(add(keys, section, section->variant(*word), section->variant_offset, *word));
    return CR_OK;
}

static cr_status add_all(cr_keys *keys, const cr_section *sections)
{
    keys->count = 0;
    for (const cr_section *s = sections; s->options != NULL; s++) {
        CR_TRY(check_selector(s));
        CR_TRY(add_section(keys, s));
    }
    return CR_OK;
}

cr_status cr_keys_create(cr_keys *keys, const cr_section *sections)
{
    *keys = (cr_keys){0};
    CR_TRY(add_all(keys, sections)); /* counts */
    CR_TRY(cr_alloc((void **)&keys->key, (size_t)keys->count * sizeof *keys->key));
    CR_TRY(add_all(keys, sections));
    return CR_OK;
}

void cr_keys_free(cr_keys *keys)
{
    CR_FREE(keys->key);
    keys->count = 0;
}

bool cr_key_is_active(const cr_key *key, const void *values)
{
    const char *selected = (const char *)values + key->selector_offset;
    return key->word == NULL || strcmp(key->word, selected) == 0;
}
