/*
 * picture: points of several series to NAME.csv, and NAME.gp, a script of gnuplot with the same
 * points in it, which makes NAME.svg.
 */
#include "colrow/sweep.h"

#include <math.h>
#include <string.h>

/* ---- points ---------------------------------------------------------------------------------- */

static cr_status series_number(int *out, cr_picture *picture, const char *name)
{
    for (*out = 0; *out < picture->series_count; (*out)++)
        if (strcmp(picture->series[*out], name) == 0)
            return CR_OK;
    CR_TRY(cr_reserve((void **)&picture->series, picture->series_count, sizeof *picture->series));
    (void)snprintf(picture->series[picture->series_count++], CR_PATH_MAX, "%s", name);
    return CR_OK;
}

cr_status cr_picture_add(cr_picture *picture, const char *series, double x, double y, double error)
{
    int number = 0;
    CR_TRY(series_number(&number, picture, series));
    CR_TRY(cr_reserve((void **)&picture->points, picture->count, sizeof *picture->points));
    picture->points[picture->count++] = (cr_point){number, x, y, error};
    return CR_OK;
}

void cr_picture_free(cr_picture *picture)
{
    CR_FREE(picture->series);
    CR_FREE(picture->points);
    picture->series_count = picture->count = 0;
}

/* ---- the data -------------------------------------------------------------------------------- */

static void print_csv(FILE *file, const void *what)
{
    const cr_picture *picture = what;
    (void)fputs("series,", file);
    cr_csv_text(file, picture->x);
    (void)fputc(',', file);
    cr_csv_text(file, picture->y);
    (void)fputs(",standard error\n", file);
    for (const cr_point *p = picture->points; p < picture->points + picture->count; p++) {
        const double numbers[] = {p->x, p->y, p->error};
        cr_csv_text(file, picture->series[p->series]);
        for (int i = 0; i < 3; i++) {
            (void)fputc(',', file);
            cr_csv_number(file, numbers[i]);
        }
        (void)fputc('\n', file);
    }
}

/* ---- the script ------------------------------------------------------------------------------ */

/* A text between single quotes, in which only those are special. */
static void print_quoted(FILE *file, const char *text)
{
    (void)fputc('\'', file);
    for (const char *c = text; *c != '\0'; c++)
        (void)fputs(*c == '\'' ? "''" : (char[]){*c, '\0'}, file);
    (void)fputc('\'', file);
}

static void print_label(FILE *file, const char *what, const char *text)
{
    (void)fprintf(file, "set %s ", what);
    print_quoted(file, text);
    (void)fputc('\n', file);
}

static bool is_level(const cr_point *point)
{
    return isnan(point->x);
}

static void print_points(FILE *file, const cr_picture *picture, int series)
{
    (void)fprintf(file, "$points%d << END\n", series);
    for (const cr_point *p = picture->points; p < picture->points + picture->count; p++)
        if (p->series == series && !is_level(p))
            (void)fprintf(file, "%.9g %.9g %.9g\n", p->x, p->y, p->error);
    (void)fputs("END\n", file);
}

/* A level is drawn dashed; points are joined, and have bars where their errors are known. */
static void print_curves(FILE *file, const cr_picture *picture, int series)
{
    const char *title = "title ";
    bool joined = false;
    for (const cr_point *p = picture->points; p < picture->points + picture->count; p++) {
        if (p->series != series || (!is_level(p) && joined))
            continue;
        if (is_level(p))
            (void)fprintf(file, "  %.9g with lines lc %d dt 2 %s", p->y, series + 1, title);
        else
            (void)fprintf(file,
                          "  $points%d using 1:2:3 with yerrorbars lc %d pt 0 notitle, \\\n"
                          "  $points%d using 1:2 with linespoints lc %d pt 7 ps 0.4 %s",
                          series, series + 1, series, series + 1, title);
        print_quoted(file, picture->series[series]);
        (void)fputs(", \\\n", file);
        joined = joined || !is_level(p);
    }
}

static void print_script(FILE *file, const void *what)
{
    const cr_picture *picture = what;
    (void)fprintf(file,
                  "set terminal svg size 900,540 noenhanced background rgb 'white'\n"
                  "if (!exists('out')) out = '%s.svg'\n"
                  "set output out\n"
                  "set key outside right top\n"
                  "set grid\n",
                  picture->name);
    print_label(file, "title", picture->title);
    print_label(file, "xlabel", picture->x);
    print_label(file, "ylabel", picture->y);
    if (picture->doubling)
        (void)fputs("set logscale x 2\n", file);
    for (int s = 0; s < picture->series_count; s++)
        print_points(file, picture, s);
    (void)fputs("plot \\\n", file);
    for (int s = 0; s < picture->series_count; s++)
        print_curves(file, picture, s);
    (void)fputs("  NaN notitle\n", file);
}

/* ---- files ----------------------------------------------------------------------------------- */

static cr_status write_file(const cr_picture *picture, const char *folder, const char *ending,
                            void (*print)(FILE *file, const void *what))
{
    char name[CR_WORD_MAX];
    char path[CR_PATH_MAX];
    (void)snprintf(name, sizeof name, "%s.%s", picture->name, ending);
    CR_TRY(cr_path_join(path, folder, name));
    return cr_file_print(path, print, picture);
}

cr_status cr_picture_write(const cr_picture *picture, const char *folder)
{
    if (picture->count == 0)
        return CR_OK;
    CR_TRY(write_file(picture, folder, "csv", print_csv));
    CR_TRY(write_file(picture, folder, "gp", print_script));
    return cr_gnuplot(folder, picture->name);
}
