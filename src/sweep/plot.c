/* plot: learning curves and phases of any runs, from what they left in their folders. */
#include "colrow/sweep.h"

#include <math.h>
#include <string.h>

typedef struct plotted {
    const char *const *names; /* [count], the runs' folders; borrowed */
    cr_record *records;       /* [count], owned */
    int count;
} plotted;

/* ---- learning curves ------------------------------------------------------------------------- */

static double step_of(const cr_mark *mark)
{
    return mark->step;
}

static double epoch_of(const cr_mark *mark)
{
    return mark->epoch;
}

static double seconds_of(const cr_mark *mark)
{
    return mark->seconds;
}

static double loss_of(const cr_record *record, int mark)
{
    return record->marks[mark].loss;
}

typedef struct curve {
    const char *name, *title, *x, *y;
    double (*at)(const cr_mark *mark);
    double (*value)(const cr_record *record, int mark);
} curve;

static const curve curves[] = {
    {"loss-epoch", "Training loss", "epoch", "loss", epoch_of, loss_of},
    {"loss-step", "Training loss", "step", "loss", step_of, loss_of},
    {"loss-seconds", "Training loss", "training, s", "loss", seconds_of, loss_of},
    {"error-epoch", "Error", "epoch", "error, %", epoch_of, cr_record_error},
    {"error-step", "Error", "step", "error, %", step_of, cr_record_error},
    {"error-seconds", "Error", "training, s", "error, %", seconds_of, cr_record_error},
    {"perplexity-epoch", "Perplexity", "epoch", "perplexity", epoch_of, cr_record_perplexity},
    {"perplexity-step", "Perplexity", "step", "perplexity", step_of, cr_record_perplexity},
    {"perplexity-seconds", "Perplexity", "training, s", "perplexity", seconds_of,
     cr_record_perplexity},
};

static cr_status add_run(cr_picture *picture, const curve *c, const cr_record *record,
                         const char *name)
{
    for (int m = 0; m < record->count; m++) {
        double x = c->at(&record->marks[m]);
        double y = c->value(record, m);
        if (isfinite(x) && isfinite(y))
            CR_TRY(cr_picture_add(picture, name, x, y, NAN));
    }
    return CR_OK;
}

static cr_status draw_curve(const curve *c, const plotted *runs, const char *folder)
{
    cr_status status = CR_OK;
    cr_picture picture = {.name = c->name, .title = c->title, .x = c->x, .y = c->y};
    for (int r = 0; r < runs->count; r++)
        CR_TRY_GOTO(add_run(&picture, c, &runs->records[r], runs->names[r]));
    CR_TRY_GOTO(cr_picture_write(&picture, folder));
done:
    cr_picture_free(&picture);
    return status;
}

/* ---- phases: a stack of bars a run ----------------------------------------------------------- */

/* Of the finished runs, ms a step; what `text` prints stands around the names. */
static void print_phases(FILE *file, const plotted *runs, const char *between,
                         void (*text)(FILE *file, const char *name))
{
    (void)fputs("run", file);
    for (int p = 0; p < CR_PHASES; p++)
        (void)fprintf(file, "%s%s", between, cr_phase_name((cr_phase)p));
    (void)fputc('\n', file);
    for (int r = 0; r < runs->count; r++) {
        if (!runs->records[r].finished)
            continue;
        text(file, runs->names[r]);
        for (int p = 0; p < CR_PHASES; p++) {
            (void)fputs(between, file);
            cr_csv_number(file, runs->records[r].phase_ms[p]);
        }
        (void)fputc('\n', file);
    }
}

static void print_csv(FILE *file, const void *runs)
{
    print_phases(file, runs, ",", cr_csv_text);
}

/* Between double quotes, in which gnuplot knows escapes: without those. */
static void print_name(FILE *file, const char *name)
{
    (void)fputc('"', file);
    for (const char *c = name; *c != '\0'; c++)
        (void)fputc(*c == '"' || *c == '\\' ? '_' : *c, file);
    (void)fputc('"', file);
}

static void print_script(FILE *file, const void *runs)
{
    (void)fputs("set terminal svg size 900,540 noenhanced background rgb 'white'\n"
                "if (!exists('out')) out = 'phases.svg'\n"
                "set output out\n"
                "set title 'Time of a step by phase'\n"
                "set ylabel 'ms a step'\n"
                "set key outside right top reverse invert\n"
                "set style data histograms\n"
                "set style histogram rowstacked\n"
                "set style fill solid 0.8\n"
                "set boxwidth 0.6\n"
                "set yrange [0:]\n"
                "set grid ytics\n"
                "$phases << END\n",
                file);
    print_phases(file, runs, " ", print_name);
    (void)fprintf(file,
                  "END\n"
                  "plot for [i=2:%d] $phases using i:xtic(1) title columnheader(i)\n",
                  CR_PHASES + 1);
}

static cr_status draw_phases(const plotted *runs, const char *folder)
{
    char path[CR_PATH_MAX];
    int finished = 0;
    for (int r = 0; r < runs->count; r++) {
        finished += runs->records[r].finished;
        if (!runs->records[r].finished)
            cr_log_info("%s is not finished: it has no phases yet", runs->names[r]);
    }
    if (finished == 0)
        return CR_OK;
    CR_TRY(cr_path_join(path, folder, "phases.csv"));
    CR_TRY(cr_file_print(path, print_csv, runs));
    CR_TRY(cr_path_join(path, folder, "phases.gp"));
    CR_TRY(cr_file_print(path, print_script, runs));
    return cr_gnuplot(folder, "phases");
}

/* ---- all ------------------------------------------------------------------------------------- */

static cr_status read_and_draw(plotted *runs, const char *folder)
{
    for (int r = 0; r < runs->count; r++)
        CR_TRY(cr_record_read(&runs->records[r], runs->names[r]));
    CR_TRY(cr_folder_make(folder));
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
        CR_TRY(draw_curve(&curves[i], runs, folder));
    return draw_phases(runs, folder);
}

cr_status cr_plot_runs(const char *folder, const char *const *runs, int count)
{
    plotted all = {.names = runs, .count = count};
    CR_TRY(cr_alloc((void **)&all.records, (size_t)count * sizeof *all.records));
    cr_status status = read_and_draw(&all, folder);
    for (int r = 0; r < count; r++)
        cr_record_free(&all.records[r]);
    CR_FREE(all.records);
    return status;
}
