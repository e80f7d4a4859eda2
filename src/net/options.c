/* options: the `network` section, and lookups in the tables of models. */
#include "colrow/net.h"

const cr_option cr_net_option_table[] = {
    {.name = "model",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_net_options, model),
     .fallback = "mlp",
     .words = cr_model_names,
     .help = "which network"},
    {.name = "initializer",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_net_options, initializer),
     .fallback = "xavier",
     .words = cr_initializer_names,
     .help = "how weights begin"},
    {.name = "initializer_scale",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_net_options, initializer_scale),
     .fallback = "0",
     .low = 0,
     .high = 1e6,
     .help = "standard deviation (normal, truncated_normal), half-width (uniform) or gain "
             "(xavier, he, fan_in); 0: 0.1, 0.05 or 1"},
    {.name = "initializer_bias",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_net_options, initializer_bias),
     .fallback = "0",
     .low = -1e6,
     .high = 1e6,
     .help = "value of every bias at the beginning"},
    {.name = "label_smoothing",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_net_options, label_smoothing),
     .fallback = "0",
     .low = 0,
     .high = 0.99,
     .help = "share of the label that is spread over all classes in the loss of training"},
    {.name = NULL},
};

const cr_option *cr_model_options(const char *name)
{
    const cr_model *model = cr_model_find(name);
    return model != NULL ? model->options : NULL;
}
