/*
 * schedule: a ratio that changes during a run, as {when: ratio, ...}. `when` is a number of epochs,
 * or of steps with the word behind it; its ratio holds from there to the next.
 */
#include "colrow/sample.h"

#include <stdlib.h>
#include <string.h>

typedef struct moment {
    double at;  /* epochs or steps from the beginning */
    bool steps; /* steps, not epochs */
} moment;

/* Only digits and a point: no sign, no exponent, no infinity. */
static bool read_moment(moment *out, const char *text)
{
    char *end = NULL;
    size_t digits = strspn(text, "0123456789.");
    out->at = strtod(text, &end);
    out->steps = strcmp(end, " steps") == 0;
    return digits > 0 && end == text + digits && (out->steps || *end == '\0');
}

static double ratio_from(const cr_ratios *schedule, int i, double ratio, int64_t step,
                         double epochs)
{
    moment when;
    (void)read_moment(&when, schedule->name[i]); /* checked when the options were */
    double now = when.steps ? (double)step : epochs;
    return now >= when.at ? schedule->value[i] : ratio;
}

double cr_schedule_ratio(const cr_ratios *schedule, double ratio, int64_t step, double epochs)
{
    for (int i = 0; i < schedule->count; i++)
        ratio = ratio_from(schedule, i, ratio, step, epochs);
    return ratio;
}

void cr_schedule_range(double *low, double *high, const cr_ratios *schedule, double ratio)
{
    double first = cr_schedule_ratio(schedule, ratio, 0, 0); /* `ratio` may never be in force */
    *low = first;
    *high = first;
    for (int i = 0; i < schedule->count; i++) {
        *low = schedule->value[i] < *low ? schedule->value[i] : *low;
        *high = schedule->value[i] > *high ? schedule->value[i] : *high;
    }
}

cr_status cr_schedule_check(const cr_ratios *schedule, const char *key)
{
    moment last = {.at = -1}; /* before any */
    for (int i = 0; i < schedule->count; i++) {
        moment when;
        const char *name = schedule->name[i];
        CR_CHECK(read_moment(&when, name), CR_BAD_CONFIG,
                 "%s: expected a number of epochs or `N steps` before each ratio, found `%s`", key,
                 name);
        CR_CHECK(i == 0 || when.steps == last.steps, CR_BAD_CONFIG,
                 "%s: expected all in epochs or all in steps, found `%s` and `%s`", key,
                 schedule->name[i - 1], name);
        CR_CHECK(when.at > last.at, CR_BAD_CONFIG,
                 "%s: expected each time after the one before it, found `%s` after `%s`", key, name,
                 schedule->name[i - 1]);
        last = when;
    }
    return CR_OK;
}
