/* engines: all that this build and this processor have, in either precision. */
#ifndef TEST_ENGINES_H
#define TEST_ENGINES_H

#include "check.h"

#include "colrow/engine.h"

static inline bool engines_usable(const cr_engine *engine)
{
    return engine != NULL && (engine->lacks == NULL || engine->lacks() == NULL);
}

/* Number i of them, first those in f32; NULL after the last. */
static inline const cr_engine *engines_at(int i)
{
    int left = i;
    for (int e = 0; cr_engines[e] != NULL; e++)
        if (engines_usable(cr_engines[e]) && left-- == 0)
            return cr_engines[e];
    for (int e = 0; cr_engines[e] != NULL; e++)
        if (engines_usable(cr_engines[e]->bf16) && left-- == 0)
            return cr_engines[e]->bf16;
    return NULL;
}

static inline bool engines_in_bf16(const cr_engine *engine)
{
    return strcmp(engine->precision, "bf16") == 0;
}

#endif
