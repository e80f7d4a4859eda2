/*
 * error: how far estimates of a product are off, |Y - estimate|_F / (|X|_F |W|_F), averaged over
 * repeats (Adelman & Silberstein 2018, section 3.2): of random products, a new one each time, or of
 * one that a training step gave, drawn anew each time. Repeat r has the same numbers on every rank,
 * so ranks share the repeats out.
 *
 * Beside the estimates stands the bound that holds for any matrices with `replacement/norm/scale`:
 * 1 / sqrt(k) (Drineas, Kannan & Mahoney 2006, theorem 1). Convolutions have none: what channel i
 * gives, |X_i * W_i|, may exceed |X_i| |W_i| where taps work together (the terms R of eq. (7)).
 */
#include "study.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The lines of figures 1a and 1b, then the draws that came later. */
static const char *const of_figures[] = {
    "top/norm",
    "replacement/norm/scale",
    "no_replacement/norm",
    "replacement/uniform/scale",
    "no_replacement/uniform/scale",
    "no_replacement/uniform",
    "bernoulli/norm/scale",
    "systematic/norm/scale",
    "winner_take_all/norm/scale",
    NULL,
};

/* What eq. (7) adds where a kernel has more than one tap. */
static const char *const of_convolutions[] = {
    "top/optimal",
    "replacement/optimal/scale",
    "systematic/optimal/scale",
    NULL,
};

enum { ERROR, SQUARE, KEPT, SUMS };

typedef struct study {
    const cr_error_options *options;
    cr_comm *comm; /* borrowed */
    cr_estimate estimates[CR_LIST_MAX];
    int estimate_count;
    cr_product *product; /* owned */
    float *x, *w;        /* of random products */
    cr_pick pick;
    double *scores, *lack; /* [n] */
    void *scratch;         /* of the draw */
    double *sums;          /* [estimates, percents, SUMS] over this rank's repeats of a case */
    cr_arena arena;        /* the arrays above */
    cr_error_table table;
} study;

/* ---- set-up ---------------------------------------------------------------------------------- */

static cr_status add_estimate(study *s, const char *text)
{
    CR_CHECK(s->estimate_count < CR_LIST_MAX, CR_BAD_CONFIG,
             "estimates: expected at most %d, found more", CR_LIST_MAX);
    return cr_estimate_parse(&s->estimates[s->estimate_count++], text);
}

static cr_status add_estimates(study *s)
{
    const cr_words *asked = &s->options->estimates;
    for (int i = 0; i < asked->count; i++)
        CR_TRY(add_estimate(s, asked->value[i]));
    for (int i = 0; asked->count == 0 && of_figures[i] != NULL; i++)
        CR_TRY(add_estimate(s, of_figures[i]));
    bool convolves = asked->count == 0 && s->product->taps > 1;
    for (int i = 0; convolves && of_convolutions[i] != NULL; i++)
        CR_TRY(add_estimate(s, of_convolutions[i]));
    return CR_OK;
}

static cr_status make_random_product(study *s)
{
    const cr_error_options *o = s->options;
    const cr_engine *engine = NULL;
    CR_CHECK(o->sizes.count == 3, CR_BAD_CONFIG,
             "sizes: expected three numbers (rows, channels, columns), found %d", o->sizes.count);
    CR_CHECK(o->kernel % 2 == 1 && o->kernel <= o->image, CR_BAD_CONFIG,
             "kernel: expected an odd number, at most image (%d), found %d", o->image, o->kernel);
    CR_TRY(cr_engine_choose(&engine, o->engine, NULL));
    cr_engine_set_threads(1); /* the products are small; for more speed ranks share the repeats */
    const int *size = o->sizes.value;
    int pad = o->kernel / 2;
    int side = o->image;
    cr_conv_sizes sizes = {size[0], side, side, size[1], size[2], o->kernel,
                           1,       pad,  pad,  side,    side};
    return cr_product_create(&s->product, &sizes, engine);
}

/* At most CR_LIST_MAX^2 SUMS. */
static int sum_count(const study *s)
{
    return s->estimate_count * s->options->percents.count * SUMS;
}

static void lay_out(study *s, cr_arena *arena)
{
    const cr_conv_sizes *sizes = &s->product->sizes;
    int n = s->product->n;
    s->x = cr_arena_take(arena, (int64_t)sizes->n * sizes->h * sizes->w * n, sizeof *s->x);
    s->w = cr_arena_take(arena, (int64_t)s->product->taps * n * sizes->out, sizeof *s->w);
    cr_pick_place(&s->pick, n, arena);
    s->scores = cr_arena_take(arena, n, sizeof *s->scores);
    s->lack = cr_arena_take(arena, n, sizeof *s->lack);
    s->scratch = cr_arena_take(arena, 1, cr_draw_scratch(n));
    s->sums = cr_arena_take(arena, sum_count(s), sizeof *s->sums);
}

static cr_status make_table(study *s, int cases)
{
    cr_error_table *table = &s->table;
    table->capacity = cases * (s->estimate_count + 1) * s->options->percents.count;
    CR_TRY(cr_alloc((void **)&table->rows, (size_t)table->capacity * sizeof *table->rows));
    return cr_alloc((void **)&table->cases, (size_t)cases * sizeof *table->cases);
}

/* Not collective. */
static cr_status set_up(study *s, cr_run *run)
{
    cr_arena measured = {0};
    const cr_error_options *o = s->options;
    CR_CHECK(o->percents.count > 0, CR_BAD_CONFIG, "percents: expected at least one, found none");
    CR_CHECK(run != NULL || o->means.count > 0, CR_BAD_CONFIG,
             "means: expected at least one case, found none");
    for (int i = 0; i < o->means.count; i++) /* they stand in a CSV file and in a script */
        CR_CHECK(strpbrk(o->means.name[i], ",'\"\\\n") == NULL, CR_BAD_CONFIG,
                 "means: expected plain names of cases, found `%s`", o->means.name[i]);
    if (run != NULL)
        CR_TRY(cr_capture(&s->product, run, o->layer));
    else
        CR_TRY(make_random_product(s));
    CR_TRY(add_estimates(s));
    CR_TRY(make_table(s, run != NULL ? 1 : o->means.count));
    lay_out(s, &measured);
    CR_TRY(cr_arena_create(&s->arena, measured.used));
    lay_out(s, &s->arena);
    return CR_OK;
}

/* ---- repeats --------------------------------------------------------------------------------- */

static void fill_normal(float *values, int64_t count, double mean, cr_random_key key)
{
    cr_random random = cr_random_start(key);
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)(mean + cr_random_normal(&random));
}

/* A new random product; each is keyed by its case and number. */
static void renew(study *s, int number, int repeat)
{
    const cr_conv_sizes *sizes = &s->product->sizes;
    cr_random_key key = {.seed = (uint64_t)s->options->seed,
                         .stream = CR_STREAM_STUDY,
                         .layer = (uint32_t)number,
                         .step = (uint32_t)repeat};
    fill_normal(s->x, (int64_t)sizes->n * sizes->h * sizes->w * sizes->in, 0, key);
    key.sample = 1;
    fill_normal(s->w, (int64_t)s->product->taps * sizes->in * sizes->out,
                s->options->means.value[number], key);
    cr_product_fill(s->product, s->x, s->w);
}

static int asked(const study *s, int percent)
{
    return cr_sample_count(percent / 100.0, 1, s->product->n);
}

/* The sums [SUMS] of an estimate at a percentage. */
static double *sums_of(const study *s, int e, int p)
{
    return s->sums + ((int64_t)e * s->options->percents.count + p) * SUMS;
}

/* One estimate at one percentage. */
static cr_status measure(study *s, int e, int p, uint32_t number, int repeat)
{
    const cr_estimate *estimate = &s->estimates[e];
    int percent = s->options->percents.value[p];
    double *sums = sums_of(s, e, p);
    cr_draw_request request = {.n = s->product->n,
                               .k = asked(s, percent),
                               .share = percent / 100.0,
                               .minimum = 1,
                               .scores = s->scores,
                               .uniform = estimate->uniform,
                               .scale = estimate->scale,
                               .key = {.seed = (uint64_t)s->options->seed,
                                       .stream = CR_STREAM_SAMPLE,
                                       .layer = number * CR_LIST_MAX + (uint32_t)e,
                                       .step = (uint32_t)repeat,
                                       .sample = (uint32_t)percent},
                               .scratch = s->scratch};
    CR_TRY(cr_sample_draw(&s->pick, estimate->draw, &request));
    double error = cr_product_error(s->product, &s->pick, s->lack);
    sums[ERROR] += error;
    sums[SQUARE] += error * error;
    sums[KEPT] += s->pick.k;
    return CR_OK;
}

static cr_status run_repeats(study *s, int number, bool captured)
{
    int ranks = cr_comm_size(s->comm);
    for (int i = 0; i < sum_count(s); i++)
        s->sums[i] = 0;
    for (int r = cr_comm_rank(s->comm); r < s->options->repeats; r += ranks) {
        if (!captured)
            renew(s, number, r);
        for (int e = 0; e < s->estimate_count; e++) {
            CR_TRY(cr_product_scores(s->scores, s->product, s->estimates[e].scores));
            for (int p = 0; p < s->options->percents.count; p++)
                CR_TRY(measure(s, e, p, (uint32_t)number, r));
        }
    }
    return CR_OK;
}

/* ---- results --------------------------------------------------------------------------------- */

static cr_error_row *add_row(study *s, const char *name, int percent)
{
    cr_error_row *row = &s->table.rows[s->table.count++];
    row->percent = percent;
    (void)snprintf(row->name, sizeof row->name, "%s", name);
    return row;
}

static void add_rows(study *s, const char *name, int e)
{
    const cr_estimate *estimate = &s->estimates[e];
    double count = s->options->repeats;
    for (int p = 0; p < s->options->percents.count; p++) {
        const double *sums = sums_of(s, e, p);
        cr_error_row *row = add_row(s, name, s->options->percents.value[p]);
        double mean = sums[ERROR] / count;
        double variance = fmax(sums[SQUARE] / count - mean * mean, 0) * count / (count - 1);
        row->draw = estimate->draw->name;
        memcpy(row->scores, estimate->scores, sizeof row->scores);
        row->scale = estimate->scale;
        row->error = mean;
        row->standard_error = sqrt(variance / count);
        row->kept = sums[KEPT] / count;
    }
}

static void add_bound(study *s, const char *name)
{
    for (int p = 0; p < s->options->percents.count; p++) {
        cr_error_row *row = add_row(s, name, s->options->percents.value[p]);
        row->draw = "bound";
        (void)snprintf(row->scores, sizeof row->scores, "norm");
        row->scale = true;
        row->kept = asked(s, row->percent);
        row->error = 1 / sqrt(row->kept);
    }
}

static cr_status run_case(study *s, int number, bool captured)
{
    const char *name = captured ? s->options->layer : s->options->means.name[number];
    cr_log_info("case %s: %d repeats", name, s->options->repeats);
    CR_TRY(cr_comm_any(s->comm, run_repeats(s, number, captured)));
    CR_TRY(cr_comm_sum(s->comm, s->sums, sum_count(s)));
    for (int e = 0; e < s->estimate_count; e++)
        add_rows(s, name, e);
    if (s->product->taps == 1)
        add_bound(s, name);
    cr_error_case *one = &s->table.cases[s->table.case_count++];
    (void)snprintf(one->name, sizeof one->name, "%s", name);
    one->edge = s->product->edge;
    one->cross = s->product->cross;
    return CR_OK;
}

static cr_status write(const study *s, const char *folder)
{
    CR_TRY(cr_folder_make(folder));
    CR_TRY(cr_error_report(&s->table, s->options, folder));
    return cr_gnuplot(folder, "error");
}

cr_status cr_error_study(const cr_error_options *options, cr_comm *comm, cr_run *run,
                         const char *folder)
{
    cr_status status = CR_OK;
    study s = {.options = options, .comm = comm};
    CR_TRY_GOTO(cr_comm_any(comm, set_up(&s, run)));
    CR_CHECK_GOTO(s.product != NULL && s.sums != NULL, CR_INTERNAL, "the study is not set up");
    int cases = run != NULL ? 1 : options->means.count;
    for (int i = 0; i < cases; i++)
        CR_TRY_GOTO(run_case(&s, i, run != NULL));
    CR_TRY_GOTO(cr_comm_any(comm, cr_comm_rank(comm) == 0 ? write(&s, folder) : CR_OK));
done:
    cr_product_free(&s.product);
    cr_arena_free(&s.arena);
    CR_FREE(s.table.rows);
    CR_FREE(s.table.cases);
    return status;
}
