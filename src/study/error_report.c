/* error_report: the errors as CSV, JSON, a gnuplot script, and a table to read. */
#include "study.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *scale_word(const cr_error_row *row)
{
    return row->scale ? "true" : "false";
}

static bool is_same_line(const cr_error_row *a, const cr_error_row *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->draw, b->draw) == 0 &&
           strcmp(a->scores, b->scores) == 0 && a->scale == b->scale;
}

/* Does row i begin a line of the picture, that is another case or estimate than the one before? */
static bool begins_line(const cr_error_table *table, int i)
{
    return i == 0 || !is_same_line(&table->rows[i - 1], &table->rows[i]);
}

static bool begins_case(const cr_error_table *table, int i)
{
    return i == 0 || strcmp(table->rows[i - 1].name, table->rows[i].name) != 0;
}

/* ---- files ----------------------------------------------------------------------------------- */

static void print_csv(FILE *out, const void *what)
{
    const cr_error_table *table = what;
    (void)fprintf(out, "case,draw,scores,scale,percent,error,standard_error\n");
    for (int i = 0; i < table->count; i++) {
        const cr_error_row *row = &table->rows[i];
        (void)fprintf(out, "%s,%s,%s,%s,%d,%.6g,%.3g\n", row->name, row->draw, row->scores,
                      scale_word(row), row->percent, row->error, row->standard_error);
    }
}

/* One line of a picture: the rows of one case and estimate. */
static void plot_line(FILE *out, const cr_error_row *row, int number)
{
    (void)fprintf(out,
                  " 'error.csv' using 5:((strcol(1) eq '%s' && strcol(2) eq '%s' && "
                  "strcol(3) eq '%s' && strcol(4) eq '%s') ? $6 : NaN) ",
                  row->name, row->draw, row->scores, scale_word(row));
    if (strcmp(row->draw, "bound") == 0)
        (void)fprintf(out, "with lines dt 2 lc 'black' title 'bound 1/sqrt(k)'");
    else
        (void)fprintf(out, "with linespoints lc %d pt %d title '%s, %s%s'", number, number,
                      row->draw, row->scores, row->scale ? ", scaled" : "");
}

static void plot_case(FILE *out, const cr_error_table *table, int first)
{
    int lines = 0;
    (void)fprintf(out, "set title 'case %s'\nplot", table->rows[first].name);
    for (int i = first; i < table->count && (i == first || !begins_case(table, i)); i++) {
        if (!begins_line(table, i))
            continue;
        (void)fprintf(out, "%s", lines++ > 0 ? ", \\\n    " : "");
        plot_line(out, &table->rows[i], lines);
    }
    (void)fprintf(out, "\n");
}

/* The script reads error.csv beside it; `out` names the picture. */
static void print_script(FILE *out, const void *what)
{
    const cr_error_table *table = what;
    (void)fprintf(out,
                  "# gnuplot error.gp, in this folder, makes error.svg of error.csv\n"
                  "if (!exists('out')) out = 'error.svg'\n"
                  "set terminal svg size %d,640 noenhanced background 'white'\n"
                  "set output out\n"
                  "set datafile separator ','\n"
                  "set key below maxcols 2\n"
                  "set xlabel 'channels kept, %%'\n"
                  "set ylabel '|Y - estimate| / (|X| |W|)'\n"
                  "set yrange [0:*]\n"
                  "set multiplot layout 1,%d\n",
                  640 * table->case_count, table->case_count);
    for (int i = 0; i < table->count; i++)
        if (begins_case(table, i))
            plot_case(out, table, i);
    (void)fprintf(out, "unset multiplot\n");
}

static json_t *row_json(const cr_error_row *row)
{
    return json_pack("{s:s,s:s,s:s,s:b,s:i,s:f,s:f,s:f}", "case", row->name, "draw", row->draw,
                     "scores", row->scores, "scale", (int)row->scale, "percent", row->percent,
                     "error", row->error, "standard_error", row->standard_error, "kept", row->kept);
}

static cr_status make_json(char **text, const cr_error_table *table,
                           const cr_error_options *options)
{
    json_t *rows = json_array();
    json_t *cases = json_array();
    for (int i = 0; i < table->count; i++) /* a failure shows in json_dumps */
        (void)json_array_append_new(rows, row_json(&table->rows[i]));
    for (int i = 0; i < table->case_count; i++) {
        const cr_error_case *one = &table->cases[i];
        (void)json_array_append_new(cases, json_pack("{s:s,s:f,s:f}", "case", one->name, "edge",
                                                     one->edge, "cross", one->cross));
    }
    json_t *whole = json_pack("{s:i,s:I,s:o,s:o}", "repeats", options->repeats, "seed",
                              (json_int_t)options->seed, "cases", cases, "rows", rows);
    *text = json_dumps(whole, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    json_decref(whole);
    CR_CHECK(*text != NULL, CR_INTERNAL, "cannot make JSON of the errors");
    return CR_OK;
}

static void print_text(FILE *out, const void *text)
{
    (void)fputs(text, out);
}

static cr_status write_file(const char *folder, const char *name,
                            void (*print)(FILE *out, const void *what), const void *what)
{
    char path[CR_PATH_MAX];
    CR_TRY(cr_path_join(path, folder, name));
    return cr_file_print(path, print, what);
}

/* ---- the table ------------------------------------------------------------------------------- */

static void print_heading(const cr_error_table *table, int first)
{
    const cr_error_row *row = &table->rows[first];
    cr_print("%s%-38s", first > 0 ? "\n" : "", row->name);
    for (int i = first; i < table->count && is_same_line(row, &table->rows[i]); i++)
        cr_print(" %5d%%", table->rows[i].percent);
    cr_print("\n");
}

static void print_line(const cr_error_table *table, int first)
{
    const cr_error_row *row = &table->rows[first];
    char name[256];
    (void)snprintf(name, sizeof name, "%s, %s%s", row->draw, row->scores,
                   row->scale ? ", scaled" : "");
    cr_print("%-38s", strcmp(row->draw, "bound") == 0 ? "bound 1/sqrt(k)" : name);
    for (int i = first; i < table->count && (i == first || !begins_line(table, i)); i++)
        cr_print(" %6.4f", table->rows[i].error);
    cr_print("\n");
}

static void print_table(const cr_error_table *table)
{
    for (int i = 0; i < table->count; i++) {
        if (begins_case(table, i))
            print_heading(table, i);
        if (begins_line(table, i))
            print_line(table, i);
    }
    for (int i = 0; i < table->case_count; i++) {
        const cr_error_case *one = &table->cases[i];
        if (fabs(one->edge) + fabs(one->cross) > 1e-5) /* more than the roundings of a matrix */
            cr_print("\n%s: of sum |X_i|^2 |W_i|^2, the terms E of eq. (7) are %.3f, R %.3f\n",
                     one->name, one->edge, one->cross);
    }
}

cr_status cr_error_report(const cr_error_table *table, const cr_error_options *options,
                          const char *folder)
{
    char *json = NULL;
    CR_TRY(write_file(folder, "error.csv", print_csv, table));
    CR_TRY(write_file(folder, "error.gp", print_script, table));
    CR_TRY(make_json(&json, table, options));
    cr_status status = write_file(folder, "error.json", print_text, json);
    free(json);
    CR_TRY(status);
    print_table(table);
    return CR_OK;
}
