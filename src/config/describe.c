/*
 * describe: the keys of the tables as text for --help, in the shape of the YAML that would set
 * them: section by section, each key with its default, and beside it what it is and takes.
 */
#include "key.h"
#include "print.h"
#include "value.h"

#include <string.h>

enum { HELP_COLUMN = 30, LINE_WIDTH = 96 };

typedef struct tables {
    const cr_section *sections;
    cr_keys keys; /* of the sections; owned */
} tables;

/* Print words from `column` on, breaking lines between them and indenting to HELP_COLUMN. */
static void print_wrapped(FILE *file, const char *text, int column)
{
    while (*text != '\0') {
        int length = (int)strcspn(text, " ");
        if (column + 1 + length > LINE_WIDTH) {
            (void)fprintf(file, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        }
        (void)fprintf(file, " %.*s", length, text);
        column += 1 + length;
        text += length;
        text += strspn(text, " ");
    }
    (void)fputc('\n', file);
}

static void print_key(FILE *file, const cr_option *option, int indent)
{
    char takes[CR_EXPECTED_MAX];
    char line[2 * CR_EXPECTED_MAX];
    bool required = option->fallback == NULL;
    cr_value_expected(takes, option);
    (void)snprintf(line, sizeof line, "%s%s%s%s", option->help != NULL ? option->help : "",
                   option->help != NULL ? "; " : "", takes, required ? "; required" : "");
    int column =
        fprintf(file, "%*s%s: %s", indent, "", option->name, required ? "" : option->fallback);
    if (column < HELP_COLUMN)
        column += fprintf(file, "%*s", HELP_COLUMN - column, "");
    print_wrapped(file, line, column);
}

/* What the elements of a list may be, each kind with its options. Kinds with lists of their own are
 * not followed into them. */
static void print_kinds(FILE *file, const cr_option *option, int indent)
{
    for (int i = 0; option->kinds != NULL && option->kinds(i).name != NULL; i++) {
        cr_item_kind kind = option->kinds(i);
        (void)fprintf(file, "%*s- %s%s\n", indent, "", kind.name, kind.options != NULL ? ":" : "");
        for (const cr_option *o = kind.options; o != NULL && o->name != NULL; o++)
            print_key(file, o, indent + 4);
    }
}

/* What a name may have. */
static void print_fields(FILE *file, const cr_option *option, int indent)
{
    for (const cr_option *field = option->fields; field != NULL && field->name != NULL; field++)
        print_key(file, field, indent);
}

/* All keys of the sections called `name`, the variants' under the words they go with. */
static void print_section(FILE *file, const cr_keys *keys, const char *name)
{
    const char *word = NULL;
    int indent = name[0] != '\0' ? 2 : 0;
    (void)fputc('\n', file);
    if (name[0] != '\0')
        (void)fprintf(file, "%s:\n", name);
    for (int i = 0; i < keys->count; i++) {
        const cr_key *key = &keys->key[i];
        if (strcmp(key->section->name, name) != 0)
            continue;
        if (key->word != NULL && key->word != word)
            (void)fprintf(file, "%*swith %s: %s\n", indent, "", key->section->selector, key->word);
        word = key->word;
        int inside = key->word != NULL ? indent + 2 : indent;
        print_key(file, key->option, inside);
        print_kinds(file, key->option, inside + 2);
        print_fields(file, key->option, inside + 2);
    }
}

static bool is_first_of_name(const cr_section *sections, const cr_section *section)
{
    const cr_section *s = sections;
    while (strcmp(s->name, section->name) != 0)
        s++;
    return s == section;
}

static void print_sections(FILE *file, const void *what)
{
    const tables *t = what;
    for (const cr_section *s = t->sections; s->options != NULL; s++)
        if (is_first_of_name(t->sections, s))
            print_section(file, &t->keys, s->name);
}

cr_status cr_config_describe(char **text, const cr_section *sections)
{
    tables t = {.sections = sections};
    CR_TRY(cr_keys_create(&t.keys, sections));
    cr_status status = cr_print_to_text(text, print_sections, &t);
    cr_keys_free(&t.keys);
    return status;
}
