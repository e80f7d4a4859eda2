/* print: text of any length by the functions of stdio. */
#include "print.h"

cr_status cr_print_to_text(char **text, void (*print)(FILE *file, const void *what),
                           const void *what)
{
    size_t bytes = 0;
    char *made = NULL;
    FILE *file = open_memstream(&made, &bytes);
    CR_CHECK(file != NULL, CR_INTERNAL, "out of memory for a text");
    print(file, what);
    bool whole = ferror(file) == 0;
    whole = fclose(file) == 0 && whole;
    if (!whole)
        CR_FREE(made);
    CR_CHECK(whole, CR_INTERNAL, "out of memory for a text of %zu bytes", bytes);
    *text = made;
    return CR_OK;
}
