/* options: what a user says about sampling, and what that means for one layer. */
#include "colrow/sample.h"

#include <fnmatch.h>
#include <limits.h>
#include <math.h>

static const double ROUNDING = 1e-9; /* 0.3 * 10 is a little below 3 in double */

/* Channels' scores are all equal when they need neither inputs nor weights. */
static bool is_uniform(const cr_score *score)
{
    return !score->needs_inputs && !score->needs_weights;
}

cr_status cr_sample_check(const cr_sample_options *options)
{
    const cr_draw *draw = cr_draw_find(options->draw);
    const cr_score *score = cr_score_find(options->scores);
    CR_CHECK(draw != NULL, CR_BAD_CONFIG, "sampling.draw: expected the name of a draw, found '%s'",
             options->draw);
    CR_CHECK(score != NULL, CR_BAD_CONFIG,
             "sampling.scores: expected the name of a score, found '%s'", options->scores);
    bool closed_form = draw->can_scale != NULL && draw->can_scale(is_uniform(score));
    CR_CHECK(!options->scale || closed_form, CR_BAD_CONFIG,
             "sampling.scale: expected false, as draw '%s' with scores '%s' has no unbiased "
             "weights in closed form, found true",
             options->draw, options->scores);
    CR_TRY(cr_schedule_check(&options->schedule, "sampling.schedule"));
    return cr_schedule_check(&options->backward.schedule, "sampling.backward.schedule");
}

static bool matches(const char *pattern, const char *name)
{
    return fnmatch(pattern, name, 0) == 0;
}

static bool is_exact(const cr_sample_options *options, const char *name)
{
    for (int i = 0; i < options->exact.count; i++)
        if (matches(options->exact.value[i], name))
            return true;
    return false;
}

double cr_sample_ratio(const cr_sample_options *options, const char *name)
{
    bool exact_now = options->schedule.count > 0 && options->ratio == 1.0;
    if (exact_now || is_exact(options, name))
        return 1.0;
    for (int i = 0; i < options->layers.count; i++)
        if (matches(options->layers.name[i], name))
            return options->layers.value[i];
    return options->ratio;
}

double cr_sample_backward_ratio(const cr_sample_options *options, const char *name)
{
    double ratio = options->backward.ratio;
    return ratio == 0 || is_exact(options, name) ? 1.0 : ratio;
}

int cr_sample_count(double ratio, int minimum, int n)
{
    double wanted = floor(ratio * n + ROUNDING);
    int k = wanted < n ? (int)wanted : n;
    k = k > minimum ? k : minimum;
    k = k > 1 ? k : 1;
    return k < n ? k : n;
}

const cr_option cr_sample_option_table[] = {
    {.name = "draw",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_sample_options, draw),
     .fallback = "top",
     .words = cr_draw_names,
     .help = "how the channels kept are taken"},
    {.name = "scores",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_sample_options, scores),
     .fallback = "norm",
     .words = cr_score_names,
     .help = "what a channel's importance is"},
    {.name = "scale",
     .kind = CR_OPTION_BOOL,
     .offset = offsetof(cr_sample_options, scale),
     .fallback = "false",
     .help = "scale the channels kept so that the product is unbiased"},
    {.name = "ratio",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_sample_options, ratio),
     .fallback = "1",
     .low = 0,
     .high = 1,
     .above = true,
     .help = "share of the channels kept (draw adaptive: of their scores); 1: exact training"},
    {.name = "minimum",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_sample_options, minimum),
     .fallback = "1",
     .low = 1,
     .high = INT_MAX,
     .help = "channels kept at least (draw bernoulli: on average)"},
    {.name = "exact",
     .kind = CR_OPTION_WORDS,
     .offset = offsetof(cr_sample_options, exact),
     .fallback = "[]",
     .help = "layers never sampled (names or glob patterns)"},
    {.name = "layers",
     .kind = CR_OPTION_RATIOS,
     .offset = offsetof(cr_sample_options, layers),
     .fallback = "{}",
     .low = 0,
     .high = 1,
     .above = true,
     .help = "layer (name or glob pattern) to the ratio it has instead"},
    {.name = "schedule",
     .kind = CR_OPTION_RATIOS,
     .offset = offsetof(cr_sample_options, schedule),
     .fallback = "{}",
     .low = 0,
     .high = 1,
     .above = true,
     .help = "epoch, or `N steps`, to the ratio from then on; 1: exact, whatever `layers` says"},
    {.name = "lookahead",
     .kind = CR_OPTION_BOOL,
     .offset = offsetof(cr_sample_options, lookahead),
     .fallback = "false",
     .help = "leave out outputs that the next layer drops as well (needs agreement: stale)"},
    {.name = NULL},
};
