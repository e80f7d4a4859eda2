/* csv: fields of files with commas (RFC 4180). */
#include "colrow/sweep.h"

#include <math.h>
#include <string.h>

void cr_csv_text(FILE *file, const char *text)
{
    if (strpbrk(text, ",\"\n") == NULL) {
        (void)fputs(text, file);
        return;
    }
    (void)fputc('"', file);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"')
            (void)fputc('"', file);
        (void)fputc(*c, file);
    }
    (void)fputc('"', file);
}

void cr_csv_number(FILE *file, double value)
{
    if (isfinite(value))
        (void)fprintf(file, "%.9g", value);
}
