/* updates: a net and its optimizer, wired as train wires them: gradients spread out row by row on
 * their way in, row norms measured on the way out. */
#ifndef TEST_UPDATES_H
#define TEST_UPDATES_H

#include "nets.h"

#include "colrow/optim.h"

enum { UPDATE_SPANS = 64 };

typedef struct updater {
    cr_net *net; /* borrowed */
    cr_optim optim;
    cr_optim_span spans[UPDATE_SPANS];
} updater;

static inline void updater_start(updater *u, cr_net *net, const char *rule)
{
    cr_optim_options options;
    int count = 0;
    options_default(cr_optim_option_table, &options);
    net_word(options.rule, rule);
    options_default(cr_optim_rule_options(rule), options.parameters);
    u->net = net;
    for (; cr_net_parameter(net, count) != NULL; count++) {
        const cr_parameter *p = cr_net_parameter(net, count);
        assert_true(count < UPDATE_SPANS);
        u->spans[count] = (cr_optim_span){.offset = p->offset,
                                          .count = p->count,
                                          .row = cr_parameter_row(p),
                                          .decay = p->decay,
                                          .adapt = p->rank > 1};
    }
    ASSERT_OK(cr_optim_create(&u->optim, &options, net->parameter_count, u->spans, count));
}

static inline const float *updater_gradient(void *self, float *scratch, int span, int64_t first,
                                            int64_t rows)
{
    const cr_net *net = ((updater *)self)->net;
    return cr_net_gradient_rows(net, scratch, net->gradient, span, first, rows);
}

static inline int64_t updater_kept(void *self, int span, int64_t first, int64_t *rows)
{
    return cr_net_kept_rows(((updater *)self)->net, span, first, rows);
}

static inline void updater_measure(void *self, int span, int64_t first, int64_t rows)
{
    cr_net_measure_rows(((updater *)self)->net, span, first, rows);
}

static inline void updater_run(updater *u, double rate)
{
    double norm = 0;
    const cr_optim_hooks hooks = {
        .self = u, .gradient = updater_gradient, .kept = updater_kept, .updated = updater_measure};
    ASSERT_OK(cr_optim_update_by(&u->optim, u->net->parameters, &hooks, rate, &norm));
    cr_net_measured(u->net);
}

static inline void updater_free(updater *u)
{
    cr_optim_free(&u->optim);
}

#endif
