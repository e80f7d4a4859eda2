/* options: fill an options struct from its table, without the config module. Numbers, words and
 * truth values; lists stay as they are. */
#ifndef TEST_OPTIONS_H
#define TEST_OPTIONS_H

#include "check.h"

#include <stdlib.h>

static inline void option_assign(const cr_option *option, void *values, const char *text)
{
    char *field = (char *)values + option->offset;
    double number = strtod(text, NULL);
    if (option->kind == CR_OPTION_REAL)
        *(double *)(void *)field = number;
    if (option->kind == CR_OPTION_INT)
        *(int *)(void *)field = (int)number;
    if (option->kind == CR_OPTION_COUNT)
        *(int64_t *)(void *)field = (int64_t)number;
    if (option->kind == CR_OPTION_BOOL)
        *(bool *)(void *)field = strcmp(text, "true") == 0;
    if (option->kind == CR_OPTION_WORD)
        (void)snprintf(field, CR_WORD_MAX, "%s", text);
}

/* Every option that has a default gets it; table may be NULL. */
static inline void options_default(const cr_option *table, void *values)
{
    for (const cr_option *option = table; option != NULL && option->name != NULL; option++)
        if (option->fallback != NULL)
            option_assign(option, values, option->fallback);
}

/* One option by name; the test fails when there is none. */
static inline void option_set(const cr_option *table, void *values, const char *name,
                              const char *text)
{
    const cr_option *option = table;
    while (option->name != NULL && strcmp(option->name, name) != 0)
        option++;
    if (option->name == NULL)
        fail_msg("no option %s", name);
    option_assign(option, values, text);
}

#endif
