/* tables: runs.csv, a line a run; table.csv and table.md, a line for all seeds of a setting. */
#include "outcome.h"

#include <string.h>

static void print_choices(FILE *file, const cr_outcomes *all, const cr_sweep_run *run, bool seed)
{
    for (int a = 0; a < all->axis_count; a++) {
        if (cr_axis_is_seed(all->axes[a]) && !seed)
            continue;
        cr_csv_text(file, cr_sweep_choice(run, all->axes[a]));
        (void)fputc(',', file);
    }
}

static void print_axes(FILE *file, const cr_outcomes *all, bool seed)
{
    for (int a = 0; a < all->axis_count; a++) {
        if (cr_axis_is_seed(all->axes[a]) && !seed)
            continue;
        cr_csv_text(file, all->axes[a]);
        (void)fputc(',', file);
    }
}

/* ---- runs.csv -------------------------------------------------------------------------------- */

static const char *state_of(const cr_outcome *outcome)
{
    if (outcome->record.finished)
        return "done";
    if (outcome->failure[0] != '\0')
        return "failed";
    return outcome->record.count > 0 ? "unfinished" : "not begun";
}

static void print_runs(FILE *file, const void *what)
{
    const cr_outcomes *all = what;
    (void)fputs("run,", file);
    print_axes(file, all, true);
    (void)fputs("state", file);
    for (int f = 0; f < CR_FIGURES; f++)
        (void)fprintf(file, ",%s", cr_figure_table[f].name);
    (void)fputc('\n', file);
    for (const cr_outcome *o = all->all; o < all->all + all->count; o++) {
        cr_csv_text(file, o->run->name);
        (void)fputc(',', file);
        print_choices(file, all, o->run, true);
        (void)fputs(state_of(o), file);
        for (int f = 0; f < CR_FIGURES; f++) {
            (void)fputc(',', file);
            cr_csv_number(file, o->record.figures[f]);
        }
        (void)fputc('\n', file);
    }
}

/* ---- table.csv ------------------------------------------------------------------------------- */

typedef struct tally {
    int runs, finished;
} tally;

static tally count_group(const cr_outcomes *all, int group)
{
    tally result = {0};
    for (const cr_outcome *o = all->all; o < all->all + all->count; o++) {
        result.runs += o->group == group;
        result.finished += o->group == group && o->record.finished;
    }
    return result;
}

static void print_table(FILE *file, const void *what)
{
    const cr_outcomes *all = what;
    print_axes(file, all, false);
    (void)fputs("runs,finished", file);
    for (int f = 0; f < CR_FIGURES; f++)
        (void)fprintf(file, ",%s,%s_error", cr_figure_table[f].name, cr_figure_table[f].name);
    (void)fputc('\n', file);
    for (int g = 0; g < all->group_count; g++) {
        tally counted = count_group(all, g);
        print_choices(file, all, all->all[all->first[g]].run, false);
        (void)fprintf(file, "%d,%d", counted.runs, counted.finished);
        for (int f = 0; f < CR_FIGURES; f++) {
            cr_mean mean = cr_outcomes_mean(all, g, (cr_figure)f);
            (void)fputc(',', file);
            cr_csv_number(file, mean.mean);
            (void)fputc(',', file);
            cr_csv_number(file, mean.error);
        }
        (void)fputc('\n', file);
    }
}

/* ---- table.md -------------------------------------------------------------------------------- */

static void print_heading(FILE *file, const cr_outcomes *all)
{
    int columns = 1;
    for (int a = 0; a < all->axis_count; a++)
        if (!cr_axis_is_seed(all->axes[a]))
            columns += fprintf(file, "| %s ", all->axes[a]) > 0;
    (void)fputs("| runs ", file);
    for (int f = 0; f < CR_FIGURES; f++)
        if (cr_outcomes_have(all, (cr_figure)f))
            columns += fprintf(file, "| %s ", cr_figure_table[f].title) > 0;
    (void)fputs("|\n", file);
    for (int c = 0; c < columns; c++)
        (void)fputs("|---", file);
    (void)fputs("|\n", file);
}

static void print_mean(FILE *file, cr_mean mean, const cr_figure_info *info)
{
    if (mean.count == 0)
        (void)fputs("| ", file);
    else
        (void)fprintf(file, "| %.*f ", info->digits, info->scale * mean.mean);
    if (mean.count > 1)
        (void)fprintf(file, "± %.*f ", info->digits, info->scale * mean.error);
}

static void print_row(FILE *file, const cr_outcomes *all, int group)
{
    tally counted = count_group(all, group);
    for (int a = 0; a < all->axis_count; a++)
        if (!cr_axis_is_seed(all->axes[a]))
            (void)fprintf(file, "| %s ",
                          cr_sweep_choice(all->all[all->first[group]].run, all->axes[a]));
    if (counted.finished == counted.runs)
        (void)fprintf(file, "| %d ", counted.runs);
    else
        (void)fprintf(file, "| %d of %d ", counted.finished, counted.runs);
    for (int f = 0; f < CR_FIGURES; f++)
        if (cr_outcomes_have(all, (cr_figure)f))
            print_mean(file, cr_outcomes_mean(all, group, (cr_figure)f), &cr_figure_table[f]);
    (void)fputs("|\n", file);
}

static void print_markdown(FILE *file, const void *what)
{
    const cr_outcomes *all = what;
    const char *slash = strrchr(all->sweep->path, '/');
    (void)fprintf(file, "# %s\n\nMeans over seeds, with standard errors.\n\n",
                  slash != NULL ? slash + 1 : all->sweep->path);
    print_heading(file, all);
    for (int g = 0; g < all->group_count; g++)
        print_row(file, all, g);
    const char *before = "\nFailed:\n\n";
    for (const cr_outcome *o = all->all; o < all->all + all->count; o++) {
        if (o->failure[0] == '\0')
            continue;
        (void)fprintf(file, "%s- %s: %s\n", before, o->run->name, o->failure);
        before = "";
    }
}

/* ---- all ------------------------------------------------------------------------------------- */

static cr_status write_all(const cr_outcomes *all, const char *folder)
{
    const struct {
        const char *name;
        void (*print)(FILE *file, const void *what);
    } files[] = {
        {"runs.csv", print_runs}, {"table.csv", print_table}, {"table.md", print_markdown}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[CR_PATH_MAX];
        CR_TRY(cr_path_join(path, folder, files[i].name));
        CR_TRY(cr_file_print(path, files[i].print, all));
    }
    return cr_outcomes_draw(all, folder);
}

cr_status cr_sweep_report(const cr_sweep *sweep, const char *folder)
{
    cr_outcomes all;
    CR_TRY(cr_outcomes_read(&all, sweep, folder));
    cr_status status = write_all(&all, folder);
    cr_outcomes_free(&all);
    return status;
}
