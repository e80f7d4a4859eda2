/*
 * room: see room.h. What a primitive may want are bounds that the implementations we know keep:
 * those for direct convolution round channels up to at most 64, and keep copies of an image.
 */
#include "room.h"

static int64_t rounded(int64_t value, int64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

size_t cr_onednn_bytes(dnnl_data_type_t type)
{
    return type == dnnl_bf16 ? sizeof(uint16_t) : sizeof(float);
}

size_t cr_onednn_room(dnnl_data_type_t type, int64_t count)
{
    return (size_t)rounded(count * (int64_t)cr_onednn_bytes(type), CR_ALIGNMENT);
}

int64_t cr_onednn_inputs(const cr_conv_sizes *s)
{
    return (int64_t)s->h * s->w * s->in;
}

int64_t cr_onednn_outputs(const cr_conv_sizes *s)
{
    return (int64_t)s->oh * s->ow * s->out;
}

int64_t cr_onednn_weights_most(const cr_conv_sizes *s)
{
    enum { MULTIPLE = 64 };
    return (int64_t)s->kernel * s->kernel * rounded(s->in, MULTIPLE) * rounded(s->out, MULTIPLE);
}

size_t cr_onednn_scratch_most(const cr_conv_sizes *s)
{
    enum { LEAST = 1 << 18 };
    return LEAST + 2 * cr_onednn_room(dnnl_f32, cr_onednn_inputs(s) + cr_onednn_outputs(s));
}
