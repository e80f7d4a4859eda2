/*
 * rate: the learning rate of each update, as a row of a table for each schedule.
 *
 *     B = base                                             scaling: none
 *     B = base (batch / reference_batch)                   linear (Goyal et al. 2017)
 *     B = base sqrt(batch / reference_batch)               sqrt (Krizhevsky 2014)
 *
 * t: updates done before this one; T: updates of the run; W: updates of warm-up; S: base where
 * scaling has raised it, else 0.
 *
 *     warm-up       S + (B - S) (t + 1) / W     for t < W (Goyal et al. 2017: gradual)
 *     constant      B
 *     steps         B factor^(how many of `at` are <= t)
 *     exponential   B factor^floor(t / every_steps), or B factor^max(0, epochs - hold_epochs + 1)
 *     cosine        final + (B - final) (1 + cos(pi (t - W) / (T - W))) / 2
 *                   (Loshchilov & Hutter 2017, eq. (5), one period; `final` is met at t = T)
 */
#include "colrow/optim.h"

#include <limits.h>
#include <math.h>
#include <string.h>

static const double PI = 3.141592653589793;

typedef struct moment {
    int64_t step, epochs; /* done */
} moment;

typedef struct schedule {
    const char *name;
    bool uses_at;
    double (*rate)(const cr_rate *rate, const moment *now);
} schedule;

static int64_t at_least_one(int64_t value)
{
    return value > 1 ? value : 1;
}

static double rate_constant(const cr_rate *rate, const moment *now)
{
    (void)now;
    return rate->base;
}

static double rate_steps(const cr_rate *rate, const moment *now)
{
    const cr_rate_options *options = &rate->options;
    double value = rate->base;
    for (int i = 0; i < options->at.count; i++)
        value *= now->step >= options->at.value[i] ? options->factor : 1.0;
    return value;
}

static double rate_exponential(const cr_rate *rate, const moment *now)
{
    const cr_rate_options *options = &rate->options;
    int64_t every = options->every_steps;
    int64_t times = every > 0 ? now->step / every : now->epochs - options->hold_epochs + 1;
    return rate->base * pow(options->factor, times > 0 ? (double)times : 0);
}

static double rate_cosine(const cr_rate *rate, const moment *now)
{
    double final = rate->options.final;
    int64_t length = at_least_one(rate->total - rate->warmup);
    double done = (double)(now->step - rate->warmup) / (double)length;
    return final + (rate->base - final) * (1.0 + cos(PI * fmin(done, 1.0))) / 2.0;
}

static const schedule schedules[] = {
    {"constant", false, rate_constant},
    {"steps", true, rate_steps},
    {"exponential", false, rate_exponential},
    {"cosine", false, rate_cosine},
    {0},
};

static const char *const names[] = {"constant", "steps", "exponential", "cosine", NULL};

static const schedule *find_schedule(const char *name)
{
    for (const schedule *s = schedules; s->name != NULL; s++)
        if (strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

const char *const *cr_rate_schedule_names(void)
{
    return names;
}

/* ---- scaling --------------------------------------------------------------------------------- */

static double scale_none(double batches)
{
    (void)batches;
    return 1;
}

static double scale_linear(double batches)
{
    return batches;
}

static const struct scaling {
    const char *name;
    double (*scale)(double batches); /* of the rate, for so many reference batches in one */
} scalings[] = {{"none", scale_none}, {"linear", scale_linear}, {"sqrt", sqrt}};

static const struct scaling *find_scaling(const char *name)
{
    for (size_t i = 0; i < sizeof scalings / sizeof *scalings; i++)
        if (strcmp(scalings[i].name, name) == 0)
            return &scalings[i];
    return NULL;
}

const char *const *cr_rate_scaling_names(void)
{
    static const char *const scaling_names[] = {"none", "linear", "sqrt", NULL};
    return scaling_names;
}

static cr_status check_scaling(const cr_rate_options *options)
{
    const struct scaling *chosen = find_scaling(options->scaling);
    CR_CHECK(chosen != NULL, CR_BAD_CONFIG,
             "learning_rate.scaling: expected none, linear or sqrt, found '%s'", options->scaling);
    bool scales = chosen->scale != scale_none;
    CR_CHECK(
        !scales || options->reference_batch > 0, CR_BAD_CONFIG,
        "learning_rate.reference_batch: expected the batch that learning_rate.base is meant for, "
        "as scaling is %s, found none",
        options->scaling);
    CR_CHECK(scales || options->reference_batch == 0, CR_BAD_CONFIG,
             "learning_rate.scaling: expected linear or sqrt with reference_batch %d, found none",
             options->reference_batch);
    return CR_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

cr_status cr_rate_check(const cr_rate_options *options)
{
    const schedule *chosen = find_schedule(options->schedule);
    CR_CHECK(chosen != NULL, CR_BAD_CONFIG,
             "learning_rate.schedule: expected the name of a schedule, found '%s'",
             options->schedule);
    CR_CHECK(!chosen->uses_at || options->at.count > 0, CR_BAD_CONFIG,
             "learning_rate.at: expected updates for schedule '%s', found none", chosen->name);
    CR_CHECK(chosen->uses_at || options->at.count == 0, CR_BAD_CONFIG,
             "learning_rate.at: expected none, as schedule '%s' does not use it, found %d",
             chosen->name, options->at.count);
    CR_CHECK(options->every_steps == 0 || options->hold_epochs == 1, CR_BAD_CONFIG,
             "learning_rate.hold_epochs: expected 1 with every_steps %lld, found %d",
             (long long)options->every_steps, options->hold_epochs);
    CR_CHECK(
        options->warmup_steps == 0 || options->warmup_epochs == 0, CR_BAD_CONFIG,
        "learning_rate.warmup_epochs: expected either warmup_steps or warmup_epochs, found both "
        "(%lld and %g)",
        (long long)options->warmup_steps, options->warmup_epochs);
    return check_scaling(options);
}

cr_rate cr_rate_make(const cr_rate_options *options, int batch, int64_t warmup, int64_t total)
{
    const struct scaling *chosen = find_scaling(options->scaling);
    CR_ASSERT(chosen != NULL); /* cr_rate_check */
    double batches = options->reference_batch > 0 ? (double)batch / options->reference_batch : 1;
    double base = options->base * chosen->scale(batches);
    return (cr_rate){.options = *options,
                     .base = base,
                     .start = base > options->base ? options->base : 0,
                     .warmup = warmup,
                     .total = total};
}

double cr_rate_at(const cr_rate *rate, int64_t step, int64_t epochs)
{
    const schedule *chosen = find_schedule(rate->options.schedule);
    const moment now = {.step = step, .epochs = epochs};
    CR_ASSERT(chosen != NULL); /* cr_rate_check */
    if (step < rate->warmup)
        return rate->start + (rate->base - rate->start) * (double)(step + 1) / (double)rate->warmup;
    return chosen->rate(rate, &now);
}

const cr_option cr_rate_option_table[] = {
    {.name = "base",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_rate_options, base),
     .low = 0,
     .high = 1e6,
     .above = true,
     .help = "learning rate after warm-up, before scaling"},
    {.name = "scaling",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_rate_options, scaling),
     .fallback = "none",
     .words = cr_rate_scaling_names,
     .help = "how the base grows with batch / reference_batch"},
    {.name = "reference_batch",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_rate_options, reference_batch),
     .fallback = "0",
     .low = 0,
     .high = INT_MAX,
     .help = "scaling: the batch that the base is meant for"},
    {.name = "schedule",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_rate_options, schedule),
     .fallback = "constant",
     .words = cr_rate_schedule_names,
     .help = "how the rate changes over the run"},
    {.name = "at",
     .kind = CR_OPTION_INTS,
     .offset = offsetof(cr_rate_options, at),
     .fallback = "[]",
     .low = 1,
     .high = INT_MAX,
     .help = "steps: updates after which the factor is applied"},
    {.name = "factor",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_rate_options, factor),
     .fallback = "0.1",
     .low = 0,
     .high = 10,
     .above = true,
     .help = "steps, exponential: what the rate is multiplied by"},
    {.name = "every_steps",
     .kind = CR_OPTION_COUNT,
     .offset = offsetof(cr_rate_options, every_steps),
     .fallback = "0",
     .low = 0,
     .high = 1e15,
     .help = "exponential: updates between two factors; 0: once an epoch"},
    {.name = "hold_epochs",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_rate_options, hold_epochs),
     .fallback = "1",
     .low = 1,
     .high = INT_MAX,
     .help = "exponential, once an epoch: epochs before the first factor"},
    {.name = "final",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_rate_options, final),
     .fallback = "0",
     .low = 0,
     .high = 1e6,
     .help = "cosine: the rate at the end"},
    {.name = "warmup_steps",
     .kind = CR_OPTION_COUNT,
     .offset = offsetof(cr_rate_options, warmup_steps),
     .fallback = "0",
     .low = 0,
     .high = 1e15,
     .help = "updates over which the rate grows linearly: from the base before scaling, or, where "
             "that is no less, from 0"},
    {.name = "warmup_epochs",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_rate_options, warmup_epochs),
     .fallback = "0",
     .low = 0,
     .high = 1e6,
     .help = "the same in epochs"},
    {.name = NULL},
};
