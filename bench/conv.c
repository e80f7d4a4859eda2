/*
 * conv: how fast an engine convolves. For the convolutions of Wide ResNets and of the small CNN:
 * the three products and the preparing of weights, with all channels, half the input channels, and
 * half of both (what the backward products see when the next layer samples too). Each is verified
 * against `reference` on a piece first. Repeats are taken in turn; the median counts. GFLOP/s are
 * counted as direct convolution, whatever the engine really multiplies.
 */
#include "colrow/engine.h"

#include "bench.h"

#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct options {
    const char *name, *precision; /* of the engine; see cr_engine_choose */
    const cr_engine *engine;
    const char *output; /* JSON lines; NULL for none */
    const char *only;   /* part of the names to run; NULL for all */
    int threads, repeats;
    bool processor; /* time of the processor, not of the clock */
} options;

typedef struct shape {
    const char *name;
    int n, side, in, out, kernel, stride; /* SAME padding */
} shape;

static const shape shapes[] = {
    {"wrn-28-10 first", 32, 32, 3, 16, 3, 1},
    {"wrn-28-10 160", 32, 32, 160, 160, 3, 1},
    {"wrn-28-10 320", 32, 16, 320, 320, 3, 1},
    {"wrn-28-10 640", 32, 8, 640, 640, 3, 1},
    {"wrn-28-10 160-320 /2", 32, 32, 160, 320, 3, 2},
    {"wrn-28-10 320-640 /2", 32, 16, 320, 640, 3, 2},
    {"wrn-28-10 160-320 1x1 /2", 32, 32, 160, 320, 1, 2},
    {"wrn-16-4 64", 128, 32, 64, 64, 3, 1},
    {"wrn-16-4 128", 128, 16, 128, 128, 3, 1},
    {"wrn-16-4 256", 128, 8, 256, 256, 3, 1},
    {"wrn-16-4 64-128 /2", 128, 32, 64, 128, 3, 2},
    {"wrn-16-2 16-32", 128, 32, 16, 32, 3, 1},
    {"wrn-16-2 32", 128, 32, 32, 32, 3, 1},
    {"wrn-16-2 64", 128, 16, 64, 64, 3, 1},
    {"wrn-16-2 128", 128, 8, 128, 128, 3, 1},
    {"wrn-16-2 32-64 /2", 128, 32, 32, 64, 3, 2},
    {"wrn-16-2 64-128 /2", 128, 16, 64, 128, 3, 2},
    {"wrn-16-2 first", 128, 32, 3, 16, 3, 1},
    {"wrn-10-1 16", 128, 32, 16, 16, 3, 1},
    {"cnn 1-32 5x5", 50, 28, 1, 32, 5, 1},
    {"cnn 32-64 5x5", 50, 14, 32, 64, 5, 1},
};

enum { SHAPES = sizeof shapes / sizeof *shapes };

/* What of the channels is there. */
typedef struct share {
    const char *name;
    double in, out;
} share;

static const share shares[] = {{"all", 1, 1}, {"half in", 0.5, 1}, {"half both", 0.5, 0.5}};

enum { SHARES = sizeof shares / sizeof *shares };

/* ---- one convolution --------------------------------------------------------------------------
 */

typedef struct trial {
    const cr_engine *engine;
    cr_conv_sizes sizes;
    float *x, *w, *y;    /* y serves as dy */
    float *dx, *dw;      /* results */
    float *ahead, *back; /* prepared weights */
    void *work;
} trial;

static cr_conv_sizes sizes_of(const shape *s, const share *part)
{
    int out_side = (s->side + s->stride - 1) / s->stride;
    int pad = (out_side - 1) * s->stride + s->kernel - s->side;
    int in = (int)(s->in * part->in);
    return (cr_conv_sizes){.n = s->n,
                           .h = s->side,
                           .w = s->side,
                           .in = in > 0 ? in : 1,
                           .out = (int)(s->out * part->out),
                           .kernel = s->kernel,
                           .stride = s->stride,
                           .pad_top = pad > 0 ? pad / 2 : 0,
                           .pad_left = pad > 0 ? pad / 2 : 0,
                           .oh = out_side,
                           .ow = out_side};
}

static int64_t inputs(const cr_conv_sizes *s)
{
    return (int64_t)s->n * s->h * s->w * s->in;
}

static int64_t outputs(const cr_conv_sizes *s)
{
    return (int64_t)s->n * s->oh * s->ow * s->out;
}

static int64_t weights(const cr_conv_sizes *s)
{
    return (int64_t)s->kernel * s->kernel * s->in * s->out;
}

static trial trial_new(const cr_engine *engine, const cr_conv_sizes *s)
{
    trial t = {.engine = engine, .sizes = *s};
    t.x = bench_numbers(inputs(s), 1);
    t.w = bench_numbers(weights(s), 2);
    t.y = bench_numbers(outputs(s), 3);
    t.dx = bench_numbers(inputs(s), 4);
    t.dw = bench_numbers(weights(s), 5);
    t.ahead = bench_numbers(cr_conv_prepared(engine, s, false), 6);
    t.back = bench_numbers(cr_conv_prepared(engine, s, true), 7);
    t.work =
        bench_numbers((int64_t)(cr_conv_work(engine, s, cr_engine_threads()) / sizeof(float)), 8);
    cr_conv_prepare(engine, t.ahead, t.w, s, false);
    cr_conv_prepare(engine, t.back, t.w, s, true);
    return t;
}

static void trial_free(trial *t)
{
    CR_FREE(t->x);
    CR_FREE(t->w);
    CR_FREE(t->y);
    CR_FREE(t->dx);
    CR_FREE(t->dw);
    CR_FREE(t->ahead);
    CR_FREE(t->back);
    CR_FREE(t->work);
}

static void run_forward(trial *t)
{
    cr_conv_forward(t->engine, t->y, t->x, t->ahead, &t->sizes, t->work);
}

static void run_input_gradient(trial *t)
{
    cr_conv_input_gradient(t->engine, t->dx, t->y, t->back, &t->sizes, t->work);
}

static void run_weight_gradient(trial *t)
{
    cr_conv_weight_gradient(t->engine, t->dw, t->x, t->y, &t->sizes, false, t->work);
}

static void run_prepare(trial *t)
{
    cr_conv_prepare(t->engine, t->ahead, t->w, &t->sizes, false);
    cr_conv_prepare(t->engine, t->back, t->w, &t->sizes, true);
}

static const struct {
    const char *name;
    void (*run)(trial *t);
} products[] = {{"forward", run_forward},
                {"input gradient", run_input_gradient},
                {"weight gradient", run_weight_gradient},
                {"prepare", run_prepare}};

enum { PRODUCTS = sizeof products / sizeof *products };

/* ---- verification -----------------------------------------------------------------------------
 */

static double gap(const float *a, const float *b, int64_t count)
{
    double apart = 0, size = 0;
    for (int64_t i = 0; i < count; i++) {
        apart += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    return sqrt(apart / size);
}

static int at_most(int value, int limit)
{
    return value < limit ? value : limit;
}

/* Largest relative distance (Frobenius) of the three products from reference's, on few images and
 * channels. */
static double verify(const cr_engine *engine, cr_conv_sizes s)
{
    s.n = at_most(s.n, 2);
    s.in = at_most(s.in, 40);
    s.out = at_most(s.out, 40);
    trial found = trial_new(engine, &s);
    trial expected = trial_new(cr_engine_find("reference"), &s);
    for (int p = 0; p < PRODUCTS; p++) {
        products[p].run(&found);
        products[p].run(&expected);
    }
    double most =
        fmax(gap(found.y, expected.y, outputs(&s)),
             fmax(gap(found.dx, expected.dx, inputs(&s)), gap(found.dw, expected.dw, weights(&s))));
    trial_free(&found);
    trial_free(&expected);
    return most;
}

/* ---- timing -----------------------------------------------------------------------------------
 */

static double samples[SHARES][PRODUCTS][REPEATS_MOST]; /* s */

/* The processor's time is that of all threads: what one thread takes on a machine that others use.
 */
static double now(bool processor)
{
    struct timespec t;
    if (!processor || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0)
        return cr_seconds();
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void measure(trial trials[SHARES], const options *o)
{
    for (int r = -1; r < o->repeats; r++) { /* the first warms up */
        for (int s = 0; s < SHARES; s++) {
            for (int p = 0; p < PRODUCTS; p++) {
                double start = now(o->processor);
                products[p].run(&trials[s]);
                samples[s][p][r < 0 ? 0 : r] = now(o->processor) - start;
            }
        }
    }
}

static void write_json(FILE *file, const shape *s, const options *o, int part, int p)
{
    if (file == NULL)
        return;
    fprintf(file,
            "{\"engine\": \"%s\", \"precision\": \"%s\", \"threads\": %d, \"shape\": \"%s\", "
            "\"share\": \"%s\", "
            "\"product\": \"%s\", \"seconds\": ",
            o->engine->name, o->engine->precision, o->threads, s->name, shares[part].name,
            products[p].name);
    bench_write_list(file, samples[part][p], o->repeats);
    fprintf(file, "}\n");
}

static void report(const shape *s, const trial trials[SHARES], const options *o, FILE *file)
{
    for (int part = 0; part < SHARES; part++) {
        const cr_conv_sizes *sizes = &trials[part].sizes;
        double operations = 2.0 * sizes->n * sizes->oh * sizes->ow * (double)weights(sizes);
        printf("%-26s %-10s", s->name, shares[part].name);
        for (int p = 0; p < PRODUCTS; p++) {
            double seconds = bench_median(samples[part][p], o->repeats);
            double ratio = bench_median(samples[0][p], o->repeats) / seconds;
            if (products[p].run == run_prepare)
                printf("  %8.3f ms\n", 1e3 * seconds);
            else
                printf("  %8.3f ms %4.0f GF/s %5.2fx", 1e3 * seconds, 1e-9 * operations / seconds,
                       ratio);
            write_json(file, s, o, part, p);
        }
    }
    (void)fflush(stdout);
}

/* What the machine can do just now: a large dense product. */
static void report_dense(const options *o)
{
    enum { SIDE = 1024 };
    const cr_dense_sizes sizes = {SIDE, SIDE, SIDE, SIDE, SIDE, SIDE};
    float *x = bench_numbers((int64_t)SIDE * SIDE, 1);
    float *w = bench_numbers((int64_t)SIDE * SIDE, 2);
    float *y = bench_numbers((int64_t)SIDE * SIDE, 3);
    int64_t count = o->engine->dense_prepared(&sizes, false);
    float *prepared = count > 0 ? bench_numbers(count, 4) : NULL;
    float *work = bench_numbers((int64_t)o->engine->dense_work(&sizes, cr_engine_threads()) / 4, 5);
    if (prepared != NULL)
        o->engine->dense_prepare(prepared, w, &sizes, false);
    for (int r = 0; r < o->repeats; r++) {
        double start = now(o->processor);
        o->engine->dense_forward(y, x, prepared != NULL ? prepared : w, &sizes, work);
        samples[0][0][r] = now(o->processor) - start;
    }
    printf("dense %d x %d x %d: %.0f GF/s\n", SIDE, SIDE, SIDE,
           2e-9 * SIDE * SIDE * SIDE / bench_median(samples[0][0], o->repeats));
    CR_FREE(x);
    CR_FREE(w);
    CR_FREE(y);
    CR_FREE(prepared);
    CR_FREE(work);
}

/* false: the engine's results are wrong */
static bool run_shape(const shape *s, const options *o, FILE *file)
{
    const cr_engine *engine = o->engine;
    double tolerance = strcmp(engine->precision, "f32") == 0 ? 1e-5 : 2e-2;
    trial trials[SHARES];
    for (int part = 0; part < SHARES; part++) {
        cr_conv_sizes sizes = sizes_of(s, &shares[part]);
        double error = verify(engine, sizes);
        if (!(error < tolerance)) {
            fprintf(stderr, "%s, %s: off by %.2g from reference\n", s->name, shares[part].name,
                    error);
            return false;
        }
        trials[part] = trial_new(engine, &sizes);
    }
    measure(trials, o);
    report(s, trials, o, file);
    for (int part = 0; part < SHARES; part++)
        trial_free(&trials[part]);
    return true;
}

/* ---- command line ------------------------------------------------------------------------------
 */

static const struct argp_option arguments[] = {
    {"engine", 'e', "NAME", 0, "engine (auto)", 0},
    {"precision", 'p', "NAME", 0, "f32 or bf16 (f32)", 0},
    {"threads", 't', "N", 0, "threads (1)", 0},
    {"repeats", 'r', "N", 0, "repeats, at most 101 (5)", 0},
    {"output", 'o', "FILE", 0, "write all times there, a JSON object a line", 0},
    {"processor", 'c', NULL, 0, "processor time of all threads instead of wall-clock time", 0},
    {"shape", 's', "PART", 0, "only shapes whose name has this in it", 0},
    {0}};

static error_t parse(int key, char *value, struct argp_state *state)
{
    options *o = state->input;
    if (key == 'e')
        o->name = value;
    else if (key == 'p')
        o->precision = value;
    else if (key == 't')
        o->threads = atoi(value);
    else if (key == 'r')
        o->repeats = atoi(value);
    else if (key == 'o')
        o->output = value;
    else if (key == 's')
        o->only = value;
    else if (key == 'c')
        o->processor = true;
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

int main(int argc, char **argv)
{
    options o = {.threads = 1, .repeats = 5};
    const struct argp command = {arguments, parse, NULL, "Time the convolutions of an engine.",
                                 NULL,      NULL,  NULL};
    if (argp_parse(&command, argc, argv, 0, NULL, &o) != 0)
        return CR_BAD_CONFIG;
    if (o.threads < 1 || o.repeats < 1 || o.repeats > REPEATS_MOST) {
        fprintf(stderr, "conv: a number out of range; see --help\n");
        return CR_BAD_CONFIG;
    }
    if (cr_engine_choose(&o.engine, o.name, o.precision) != CR_OK) {
        fprintf(stderr, "conv: %s\n", cr_error_message());
        return CR_BAD_CONFIG;
    }
    FILE *file = o.output != NULL ? fopen(o.output, "w") : NULL;
    if (o.output != NULL && file == NULL) {
        perror(o.output);
        return CR_CANNOT_WRITE;
    }
    cr_engine_set_threads(o.threads);
    report_dense(&o);
    printf("%-26s %-10s  %-27s  %-27s  %-27s  %s\n", "shape", "channels", "forward",
           "input gradient", "weight gradient", "prepare both");
    bool right = true;
    for (int s = 0; s < SHAPES && right; s++)
        if (o.only == NULL || strstr(shapes[s].name, o.only) != NULL)
            right = run_shape(&shapes[s], &o, file);
    if (file != NULL && fclose(file) != 0)
        return CR_CANNOT_WRITE;
    return right ? CR_OK : CR_INTERNAL;
}
