/*
 * initialize: values of the weights before the first step, keyed by (seed, layer, parameter).
 *
 *     normal            N(0, s)                          s = 0.1 where none is given
 *     truncated_normal  N(0, s), drawn again beyond 2 s  s = 0.1
 *     uniform           U(-s, s)                         s = 0.05
 *     xavier            U(-a, a), a = s sqrt(6 / (fan_in + fan_out))    Glorot & Bengio 2010; s = 1
 *     he                N(0, s sqrt(2 / fan_in))                        He et al. 2015; s = 1
 *     fan_in            U(-a, a), a = s / sqrt(fan_in)                  PyTorch's Linear; s = 1
 */
#include "colrow/net.h"

#include <math.h>
#include <string.h>

typedef struct initializer {
    const char *name;
    double scale; /* where none is given */
    double (*width)(const cr_parameter *p);
    double (*draw)(cr_random *random); /* of width 1 */
} initializer;

static double width_one(const cr_parameter *p)
{
    (void)p;
    return 1;
}

static double width_xavier(const cr_parameter *p)
{
    return sqrt(6.0 / ((double)p->fan_in + p->fan_out));
}

static double width_he(const cr_parameter *p)
{
    return sqrt(2.0 / p->fan_in);
}

static double width_fan_in(const cr_parameter *p)
{
    return sqrt(1.0 / p->fan_in);
}

static double draw_truncated(cr_random *random)
{
    double value = cr_random_normal(random);
    while (fabs(value) > 2)
        value = cr_random_normal(random);
    return value;
}

static double draw_uniform(cr_random *random)
{
    return 2 * cr_random_uniform(random) - 1;
}

static const initializer initializers[] = {
    {"truncated_normal", 0.1, width_one, draw_truncated},
    {"normal", 0.1, width_one, cr_random_normal},
    {"uniform", 0.05, width_one, draw_uniform},
    {"xavier", 1, width_xavier, draw_uniform},
    {"he", 1, width_he, cr_random_normal},
    {"fan_in", 1, width_fan_in, draw_uniform},
};

const char *const *cr_initializer_names(void)
{
    static const char *const names[] = {"truncated_normal", "normal", "uniform", "xavier", "he",
                                        "fan_in",           NULL};
    return names;
}

static const initializer *find(const char *name)
{
    for (size_t i = 0; i < sizeof initializers / sizeof *initializers; i++)
        if (strcmp(initializers[i].name, name) == 0)
            return &initializers[i];
    return &initializers[0];
}

static void fill(float *w, const cr_parameter *p, const initializer *rule, double scale,
                 cr_random_key key)
{
    cr_random random = cr_random_start(key);
    double width = (scale > 0 ? scale : rule->scale) * rule->width(p);
    for (int64_t i = 0; i < p->count; i++)
        w[i] = (float)(width * rule->draw(&random));
}

static void fill_constant(float *w, int64_t count, float value)
{
    for (int64_t i = 0; i < count; i++)
        w[i] = value;
}

void cr_net_initialize(cr_net *net)
{
    const initializer *rule = find(net->options.initializer);
    net->measured = false;
    for (int l = 0; l < net->layer_count; l++) {
        float *running = net->statistics + net->layers[l].statistics_offset; /* mean, variance */
        for (int64_t i = 0; i < net->layers[l].statistics; i++)
            running[i] = i < net->layers[l].statistics / 2 ? 0 : 1;
    }
    for (int l = 0; l < net->layer_count; l++) {
        const cr_layer *layer = &net->layers[l];
        for (int i = 0; i < layer->parameter_count; i++) {
            const cr_parameter *p = &layer->parameters[i];
            float *w = net->parameters + p->offset;
            bool is_bias = strcmp(p->name, "bias") == 0;
            cr_random_key key = {net->seed, CR_STREAM_INITIALIZE, (uint32_t)l, (uint32_t)i, 0};
            if (p->fan_in > 0)
                fill(w, p, rule, net->options.initializer_scale, key);
            else
                fill_constant(w, p->count,
                              (float)(is_bias ? net->options.initializer_bias : p->initial));
        }
    }
}
