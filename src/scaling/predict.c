/*
 * predict: the model on 1, 2, 4 ... ranks: model.csv, and efficiency as pictures with the measured
 * cells beside it. Strong scaling ends where a rank has no sample left; there its micro-batches
 * shrink, and products of few samples are slower than the model says.
 */
#include <math.h>

#include "model.h"

/* A prediction. */
typedef struct point {
    const cr_model_series *series;
    int kind; /* of cr_scaling_kinds */
    int ranks;
    double samples; /* of a rank */
    cr_step_time time;
} point;

static double samples_of(const cr_model_series *series, int kind, int ranks)
{
    const cr_scaling_cell *cell = series->plan.cell;
    return (double)cell->batch / (kind == 0 ? ranks : cell->ranks);
}

static cr_status predict(point *out, const cr_scaling_fit *fit, const cr_model_series *series,
                         int kind, int ranks)
{
    cr_pattern pattern = {.events = NULL};
    double samples = samples_of(series, kind, ranks);
    CR_TRY(cr_series_pattern(&pattern, series, samples));
    *out = (point){series, kind, ranks, samples, cr_pattern_time(&pattern, &fit->network, ranks)};
    cr_pattern_free(&pattern);
    return CR_OK;
}

static double efficiency(const point *one, const point *at)
{
    double ideal = one->kind == 0 ? one->time.step / at->ranks : one->time.step;
    return ideal / at->time.step;
}

/* ---- model.csv and pictures ------------------------------------------------------------------ */

typedef struct output {
    const cr_scaling_fit *fit;
    point *points; /* [count] exact series first, each kind from one rank up; owned */
    int count;
} output;

/* The prediction for one rank, and the exact one for as many ranks, of the same kind. */
static const point *find(const output *o, const cr_model_series *series, int kind, int ranks)
{
    for (int i = 0; i < o->count; i++) {
        const point *p = &o->points[i];
        if (p->series == series && p->kind == kind && p->ranks == ranks)
            return p;
    }
    return NULL;
}

static void print_point(FILE *file, const output *o, const point *p)
{
    const cr_step_time *t = &p->time;
    const point *one = find(o, p->series, p->kind, 1);
    const point *exact = find(o, &o->fit->series[0], p->kind, p->ranks);
    const double numbers[] = {p->samples * p->ranks,
                              1e3 * t->step,
                              1e3 * (t->step - t->agree - t->wait),
                              1e3 * t->agree,
                              1e3 * t->wait,
                              1e3 * t->comm,
                              t->comm > 0 ? fmax(1 - t->wait / t->comm, 0) : NAN,
                              efficiency(one, p),
                              exact != NULL ? exact->time.step / t->step : NAN};
    (void)fprintf(file, "%s,%g,%d", cr_scaling_kinds[p->kind].name, p->series->plan.cell->ratio,
                  p->ranks);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        (void)fputc(',', file);
        cr_csv_number(file, numbers[i]);
    }
    (void)fputc('\n', file);
}

static void print_csv(FILE *file, const void *what)
{
    const output *o = what;
    (void)fputs("kind,ratio,ranks,batch,step_ms,compute_ms,agree_ms,wait_ms,comm_ms,hidden,"
                "efficiency,speedup\n",
                file);
    for (int i = 0; i < o->count; i++)
        print_point(file, o, &o->points[i]);
}

static cr_status add_predicted(cr_picture *picture, const output *o, int kind)
{
    for (int i = 0; i < o->count; i++) {
        const point *p = &o->points[i];
        char name[CR_WORD_MAX];
        (void)snprintf(name, sizeof name, "%g%%", 100 * p->series->plan.cell->ratio);
        if (p->kind == kind)
            CR_TRY(cr_picture_add(picture, name, p->ranks,
                                  100 * efficiency(find(o, p->series, kind, 1), p), NAN));
    }
    return CR_OK;
}

static cr_status add_measured(cr_picture *picture, const cr_scaling *scaling, int k)
{
    const cr_scaling_kind *kind = &cr_scaling_kinds[k];
    for (int i = 0; i < scaling->count; i++) {
        const cr_scaling_cell *cell = &scaling->cells[i];
        const cr_scaling_cell *base = cr_scaling_base(scaling, kind, cell);
        char name[CR_WORD_MAX];
        (void)snprintf(name, sizeof name, "%g%%, measured", 100 * cell->ratio);
        if (base != NULL && base->ranks == 1)
            CR_TRY(cr_picture_add(picture, name, cell->ranks, 100 * kind->efficiency(base, cell),
                                  NAN));
    }
    return CR_OK;
}

static cr_status draw(const output *o, int kind, const char *folder)
{
    static const char *const names[] = {"model-strong", "model-weak"};
    static const char *const titles[] = {"Strong scaling: model", "Weak scaling: model"};
    cr_picture picture = {.name = names[kind],
                          .title = titles[kind],
                          .x = "ranks",
                          .y = "efficiency, %",
                          .doubling = true};
    cr_status status = add_predicted(&picture, o, kind);
    if (status == CR_OK)
        status = add_measured(&picture, o->fit->scaling, kind);
    if (status == CR_OK)
        status = cr_picture_write(&picture, folder);
    cr_picture_free(&picture);
    return status;
}

/* ---- all ------------------------------------------------------------------------------------- */

static cr_status fill(output *o)
{
    const cr_scaling_fit *fit = o->fit;
    for (int s = 0; s < fit->series_count; s++) {
        for (int i = 0; i < 2 * 32; i++) {
            int64_t ranks = (int64_t)1 << i % 32;
            int kind = i / 32;
            if (ranks > fit->most || samples_of(&fit->series[s], kind, (int)ranks) < 1)
                continue;
            CR_TRY(cr_reserve((void **)&o->points, o->count, sizeof *o->points));
            CR_TRY(predict(&o->points[o->count], fit, &fit->series[s], kind, (int)ranks));
            o->count++;
        }
    }
    return CR_OK;
}

cr_status cr_model_predict(const cr_scaling_fit *fit, const char *folder)
{
    char path[CR_PATH_MAX];
    output o = {.fit = fit};
    cr_status status = fill(&o);
    if (status == CR_OK)
        status = cr_path_join(path, folder, "model.csv");
    if (status == CR_OK)
        status = cr_file_print(path, print_csv, &o);
    for (int kind = 0; kind < 2 && status == CR_OK; kind++)
        status = draw(&o, kind, folder);
    CR_FREE(o.points);
    return status;
}
