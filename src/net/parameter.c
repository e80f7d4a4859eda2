/* parameter: those that layers of many kinds have, and the rows of any. */
#include "colrow/net_layer.h"

cr_parameter cr_parameter_kernel(int in, int out)
{
    return (cr_parameter){.name = "kernel",
                          .rank = 2,
                          .dims = {in, out},
                          .dimensions = "IN,OUT",
                          .count = (int64_t)in * out,
                          .decay = true,
                          .fan_in = in,
                          .fan_out = out};
}

cr_parameter cr_parameter_bias(int out)
{
    return (cr_parameter){
        .name = "bias", .rank = 1, .dims = {out}, .dimensions = "OUT", .count = out};
}

int64_t cr_parameter_row(const cr_parameter *parameter)
{
    return parameter->dims[parameter->rank - 1];
}
