/* spans: the net's parameters as the optimizer sees them: which decay, which have a rate of their
 * own by their norms. */
#include "train.h"

#include <fnmatch.h>
#include <stdio.h>

enum { FULL_NAME = 2 * CR_WORD_MAX };

/* Does the pattern match the parameter's layer, or layer/name? */
static bool matches(const char *pattern, const cr_parameter *p)
{
    char full[FULL_NAME];
    (void)snprintf(full, sizeof full, "%s/%s", p->layer, p->name);
    return fnmatch(pattern, p->layer, 0) == 0 || fnmatch(pattern, full, 0) == 0;
}

static bool is_named(const cr_words *patterns, const cr_parameter *p)
{
    for (int i = 0; i < patterns->count; i++)
        if (matches(patterns->value[i], p))
            return true;
    return false;
}

static cr_status check_patterns(const cr_net *net, const char *key, const cr_words *patterns)
{
    for (int i = 0; i < patterns->count; i++) {
        bool found = false;
        for (int n = 0; !found && cr_net_parameter(net, n) != NULL; n++)
            found = matches(patterns->value[i], cr_net_parameter(net, n));
        CR_CHECK(
            found, CR_BAD_CONFIG,
            "optimizer.%s: expected a pattern that matches a layer or LAYER/PARAMETER, such as "
            "%s/%s, found %s",
            key, cr_net_parameter(net, 0)->layer, cr_net_parameter(net, 0)->name,
            patterns->value[i]);
    }
    return CR_OK;
}

cr_status cr_spans_make(cr_optim_span **spans, int *count, const cr_net *net,
                        const cr_optim_options *options)
{
    int n = 0;
    CR_TRY(check_patterns(net, "no_decay", &options->no_decay));
    CR_TRY(check_patterns(net, "no_adaptation", &options->no_adaptation));
    while (cr_net_parameter(net, n) != NULL)
        n++;
    CR_TRY(cr_alloc((void **)spans, (size_t)n * sizeof **spans));
    for (int i = 0; i < n; i++) {
        const cr_parameter *p = cr_net_parameter(net, i);
        (*spans)[i] =
            (cr_optim_span){.offset = p->offset,
                            .count = p->count,
                            .row = cr_parameter_row(p),
                            .decay = p->decay && !is_named(&options->no_decay, p),
                            .adapt = p->rank > 1 && !is_named(&options->no_adaptation, p)};
    }
    *count = n;
    return CR_OK;
}
