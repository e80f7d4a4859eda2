/* command: tables of subcommands. */
#include "app.h"

#include <stdio.h>
#include <string.h>

const cr_command *cr_command_find(const cr_command *const *table, const char *name)
{
    for (int i = 0; table[i] != NULL; i++)
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
    return NULL;
}

void cr_command_print(const cr_command *const *table)
{
    for (int i = 0; table[i] != NULL; i++)
        cr_print("  %-8s %s\n", table[i]->name, table[i]->summary);
}

void cr_command_names(char *out, size_t bytes, const cr_command *const *table)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; table[i] != NULL && used < bytes; i++)
        used +=
            (size_t)snprintf(out + used, bytes - used, "%s%s", i > 0 ? ", " : "", table[i]->name);
}
