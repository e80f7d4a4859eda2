/*
 * rate: the learning rate of each update, as a row of a table for each schedule.
 *
 * t: updates done before this one; T: updates of the run; W: updates of warm-up.
 *
 *     warm-up       base (t + 1) / W             for t < W (Goyal et al. 2017)
 *     constant      base
 *     steps         base factor^(how many of `at` are <= t)
 *     exponential   base factor^floor(t / every)      every_steps, or an epoch
 *     cosine        final + (base - final) (1 + cos(pi (t - W) / (T - W))) / 2
 *                   (Loshchilov & Hutter 2017, eq. (5), one period; `final` is met at t = T)
 */
#include "colrow/optim.h"

#include <limits.h>
#include <math.h>
#include <string.h>

static const double PI = 3.141592653589793;

typedef struct moment {
    int64_t step, total, per_epoch;
} moment;

typedef struct schedule {
    const char *name;
    bool uses_at;
    double (*rate)(const cr_rate_options *options, const moment *now);
} schedule;

static int64_t at_least_one(int64_t value)
{
    return value > 1 ? value : 1;
}

static double rate_constant(const cr_rate_options *options, const moment *now)
{
    (void)now;
    return options->base;
}

static double rate_steps(const cr_rate_options *options, const moment *now)
{
    double rate = options->base;
    for (int i = 0; i < options->at.count; i++)
        rate *= now->step >= options->at.value[i] ? options->factor : 1.0;
    return rate;
}

static double rate_exponential(const cr_rate_options *options, const moment *now)
{
    int64_t every = options->every_steps > 0 ? options->every_steps : now->per_epoch;
    int64_t times = now->step / at_least_one(every);
    return options->base * pow(options->factor, (double)times);
}

static double rate_cosine(const cr_rate_options *options, const moment *now)
{
    int64_t length = at_least_one(now->total - options->warmup_steps);
    double done = (double)(now->step - options->warmup_steps) / (double)length;
    double height = options->base - options->final;
    return options->final + height * (1.0 + cos(PI * fmin(done, 1.0))) / 2.0;
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
    return CR_OK;
}

double cr_rate_at(const cr_rate_options *options, int64_t step, int64_t total, int64_t per_epoch)
{
    const schedule *chosen = find_schedule(options->schedule);
    CR_ASSERT(chosen != NULL); /* cr_rate_check */
    if (step < options->warmup_steps)
        return options->base * (double)(step + 1) / (double)options->warmup_steps;
    const moment now = {.step = step, .total = total, .per_epoch = per_epoch};
    return chosen->rate(options, &now);
}

const cr_option cr_rate_option_table[] = {
    {.name = "base",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_rate_options, base),
     .low = 0,
     .high = 1e6,
     .above = true,
     .help = "learning rate after warm-up"},
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
     .help = "updates over which the rate grows linearly from base / warmup_steps"},
    {.name = NULL},
};
