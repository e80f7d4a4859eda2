/* engines: all that this build and this processor have, in either precision. */
#ifndef TEST_ENGINES_H
#define TEST_ENGINES_H

#include "check.h"

#include "colrow/engine.h"

static inline bool engines_usable(const cr_engine *engine)
{
    return engine != NULL && (engine->lacks == NULL || engine->lacks() == NULL);
}

/* What `auto` takes in an engine's place, NULL where that is itself. */
static inline const cr_engine *engines_instead(const cr_engine *engine)
{
    return engines_usable(engine) && engine->instead != NULL ? engine->instead() : NULL;
}

/* Number i of them, first those in f32, last what stands in for others; NULL after the last. */
static inline const cr_engine *engines_at(int i)
{
    int left = i;
    for (int kind = 0; kind < 3; kind++)
        for (int e = 0; cr_engines[e] != NULL; e++) {
            const cr_engine *kinds[] = {cr_engines[e], cr_engines[e]->bf16,
                                        engines_instead(cr_engines[e]->bf16)};
            if (engines_usable(kinds[kind]) && left-- == 0)
                return kinds[kind];
        }
    return NULL;
}

static inline bool engines_in_bf16(const cr_engine *engine)
{
    return strcmp(engine->precision, "bf16") == 0;
}

#endif
