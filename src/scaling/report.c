/* report: scaling.csv and scaling.md, a line a cell and kind of scaling; pictures. */
#include "colrow/scaling.h"

#include <math.h>
#include <stdio.h>

/* ---- figures of a cell ----------------------------------------------------------------------- */

/* One line of the tables. */
typedef struct place {
    const cr_scaling *scaling;
    const cr_scaling_kind *kind;
    const cr_scaling_cell *base, *cell;
} place;

static double efficiency(const place *at)
{
    return at->kind->efficiency(at->base, at->cell);
}

static double step(const place *at)
{
    return at->cell->step_ms;
}

static double samples(const place *at)
{
    return 1e3 * at->cell->batch / at->cell->step_ms;
}

static double speedup(const place *at)
{
    return cr_scaling_exact(at->scaling, at->cell)->step_ms / at->cell->step_ms;
}

static double wire(const place *at)
{
    return at->cell->wire_bytes;
}

static double wire_share(const place *at)
{
    return at->cell->dense_bytes > 0 ? at->cell->wire_bytes / at->cell->dense_bytes : NAN;
}

static double waiting(const place *at)
{
    return at->cell->phase_ms[CR_PHASE_WAIT];
}

static double agreeing(const place *at)
{
    return at->cell->phase_ms[CR_PHASE_AGREE];
}

static double hidden(const place *at)
{
    return cr_scaling_hidden(at->cell);
}

typedef struct column {
    const char *name, *title; /* in CSV; in Markdown ... */
    double scale;             /* ... shown times this ... */
    int digits;               /* ... with so many after the point */
    double (*value)(const place *at);
} column;

static const column columns[] = {
    {"step_ms", "step, ms", 1, 2, step},
    {"samples_per_s", "samples/s", 1, 1, samples},
    {"efficiency", "efficiency, %", 100, 1, efficiency},
    {"speedup", "speed-up over exact", 1, 2, speedup},
    {"wire_bytes", "sent, MB", 1e-6, 3, wire},
    {"wire_share", "of dense, %", 100, 1, wire_share},
    {"wait_ms", "wait, ms", 1, 2, waiting},
    {"agree_ms", "agreement, ms", 1, 2, agreeing},
    {"hidden", "hidden, %", 100, 1, hidden},
};

enum { COLUMNS = sizeof columns / sizeof *columns };

/* Call `print` for every cell of a kind that is compared with another. */
static void for_each(FILE *file, const cr_scaling *scaling, const cr_scaling_kind *kind,
                     void (*print)(FILE *file, const place *at))
{
    for (int i = 0; i < scaling->count; i++) {
        const cr_scaling_cell *cell = &scaling->cells[i];
        const cr_scaling_cell *base = cr_scaling_base(scaling, kind, cell);
        if (base != NULL)
            print(file, &(place){scaling, kind, base, cell});
    }
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void print_csv_row(FILE *file, const place *at)
{
    const cr_scaling_cell *cell = at->cell;
    (void)fprintf(file, "%s,%g,%d,%d,%d,%d", at->kind->name, cell->ratio, cell->ranks,
                  cell->threads, cell->batch, cell->runs);
    for (int c = 0; c < COLUMNS; c++) {
        (void)fputc(',', file);
        cr_csv_number(file, columns[c].value(at));
    }
    (void)fputc('\n', file);
}

static void print_csv(FILE *file, const void *what)
{
    (void)fputs("kind,ratio,ranks,threads,batch,runs", file);
    for (int c = 0; c < COLUMNS; c++)
        (void)fprintf(file, ",%s", columns[c].name);
    (void)fputc('\n', file);
    for (int k = 0; k < 2; k++)
        for_each(file, what, &cr_scaling_kinds[k], print_csv_row);
}

static void print_markdown_row(FILE *file, const place *at)
{
    (void)fprintf(file, "| %g | %d | %d | %d ", at->cell->ratio, at->cell->ranks, at->cell->batch,
                  at->cell->runs);
    for (int c = 0; c < COLUMNS; c++) {
        double value = columns[c].value(at);
        if (isfinite(value))
            (void)fprintf(file, "| %.*f ", columns[c].digits, columns[c].scale * value);
        else
            (void)fputs("| ", file);
    }
    (void)fputs("|\n", file);
}

static void print_heading(FILE *file, const char *title)
{
    (void)fprintf(file, "\n## %s scaling\n\n| kept | ranks | batch | runs ", title);
    for (int c = 0; c < COLUMNS; c++)
        (void)fprintf(file, "| %s ", columns[c].title);
    (void)fputs("|\n|---|---|---|---", file);
    for (int c = 0; c < COLUMNS; c++)
        (void)fputs("|---", file);
    (void)fputs("|\n", file);
}

static bool has_cells(const cr_scaling *scaling, const cr_scaling_kind *kind)
{
    for (int i = 0; i < scaling->count; i++)
        if (cr_scaling_base(scaling, kind, &scaling->cells[i]) != NULL)
            return true;
    return false;
}

static void print_markdown(FILE *file, const void *what)
{
    static const char *const titles[] = {"Strong", "Weak"};
    const cr_scaling *scaling = what;
    (void)fprintf(file, "# Scaling\n\ncolrow %s, engine %s, %s, %d threads a rank; %d runs.\n",
                  scaling->version, scaling->engine, scaling->numbers, scaling->cells[0].threads,
                  scaling->runs);
    for (int k = 0; k < 2; k++) {
        if (!has_cells(scaling, &cr_scaling_kinds[k]))
            continue;
        print_heading(file, titles[k]);
        for_each(file, scaling, &cr_scaling_kinds[k], print_markdown_row);
    }
}

/* ---- pictures -------------------------------------------------------------------------------- */

typedef struct drawing {
    const char *name, *title, *y;
    double scale;
    double (*value)(const place *at);
} drawing;

static const drawing drawings[] = {
    {"efficiency", "scaling: efficiency", "efficiency, %", 100, efficiency},
    {"rate", "scaling: samples a second", "samples/s", 1, samples},
    {"speedup", "scaling: speed-up over exact training", "speed-up", 1, speedup},
};

static cr_status add_points(cr_picture *picture, const cr_scaling *scaling,
                            const cr_scaling_kind *kind, const drawing *d)
{
    for (int i = 0; i < scaling->count; i++) {
        const cr_scaling_cell *cell = &scaling->cells[i];
        const place at = {scaling, kind, cr_scaling_base(scaling, kind, cell), cell};
        char series[CR_WORD_MAX];
        (void)snprintf(series, sizeof series, "%g%%", 100 * cell->ratio);
        if (at.base != NULL)
            CR_TRY(cr_picture_add(picture, series, cell->ranks, d->scale * d->value(&at), NAN));
    }
    return CR_OK;
}

static cr_status draw(const cr_scaling *scaling, const cr_scaling_kind *kind, const drawing *d,
                      const char *folder)
{
    char name[CR_WORD_MAX];
    char title[2 * CR_WORD_MAX];
    (void)snprintf(name, sizeof name, "%s-%s", kind->name, d->name);
    (void)snprintf(title, sizeof title, "%s %s", kind->name, d->title);
    cr_picture picture = {.name = name, .title = title, .x = "ranks", .y = d->y, .doubling = true};
    cr_status status = add_points(&picture, scaling, kind, d);
    if (status == CR_OK)
        status = cr_picture_write(&picture, folder);
    cr_picture_free(&picture);
    return status;
}

/* ---- all ------------------------------------------------------------------------------------- */

cr_status cr_scaling_report(const cr_scaling *scaling, const char *folder)
{
    char path[CR_PATH_MAX];
    CR_TRY(cr_folder_make(folder));
    CR_TRY(cr_path_join(path, folder, "scaling.csv"));
    CR_TRY(cr_file_print(path, print_csv, scaling));
    CR_TRY(cr_path_join(path, folder, "scaling.md"));
    CR_TRY(cr_file_print(path, print_markdown, scaling));
    for (int k = 0; k < 2; k++)
        for (size_t d = 0; d < sizeof drawings / sizeof *drawings; d++)
            CR_TRY(draw(scaling, &cr_scaling_kinds[k], &drawings[d], folder));
    return CR_OK;
}
