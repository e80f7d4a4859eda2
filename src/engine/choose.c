/*
 * choose: from the words of a configuration to an engine that this build and this processor have.
 *
 * What is the fastest was measured. In f32 it is our Winograd, whose products any BLAS does: 2.6 to
 * 3.0 times direct convolution (bench_conv -c, one thread of a Zen 4; 3x3 kernels, 160 and 320
 * channels, all three products). bf16 is only in oneDNN, whose row knows what to take instead.
 */
#include "colrow/engine.h"

#include <string.h>

static const char *const precisions[] = {"f32", "bf16", NULL};

/* What `auto` stands for in each. */
static const char *const fastest[] = {"openblas", "onednn"};

const char *const *cr_precision_names(void)
{
    return precisions;
}

static bool is_known(const char *name)
{
    for (const char *const *known = cr_engine_names(); *known != NULL; known++)
        if (strcmp(*known, name) == 0)
            return true;
    return false;
}

static cr_status check_here(const cr_engine *engine, const char *name, const char *precision)
{
    CR_CHECK(is_known(name), CR_BAD_CONFIG, "engine: no engine is called %s", name);
    CR_CHECK(cr_engine_find(name) != NULL, CR_BAD_CONFIG,
             "engine: %s is not in this build, whose libraries were not there; engine: openblas "
             "with precision: f32 would do",
             name);
    CR_CHECK(engine != NULL, CR_BAD_CONFIG,
             "precision: engine %s has no %s; engine: auto would do, or precision: f32", name,
             precision);
    const char *lacking = engine->lacks != NULL ? engine->lacks() : NULL;
    CR_CHECK(lacking == NULL, CR_BAD_CONFIG,
             "precision: %s by engine %s wants a processor with %s; precision: f32 would do",
             precision, name, lacking);
    return CR_OK;
}

/* The engine, or what `auto` takes in its place. */
static const cr_engine *fastest_of(const cr_engine *engine)
{
    const cr_engine *instead = engine != NULL && engine->instead != NULL ? engine->instead() : NULL;
    return instead != NULL ? instead : engine;
}

cr_status cr_engine_choose(const cr_engine **out, const char *name, const char *precision)
{
    precision = precision != NULL ? precision : precisions[0];
    bool is_bf16 = strcmp(precision, precisions[1]) == 0;
    CR_CHECK(is_bf16 || strcmp(precision, precisions[0]) == 0, CR_BAD_CONFIG,
             "precision: expected f32 or bf16, found %s", precision);
    bool is_auto = name == NULL || strcmp(name, "auto") == 0;
    if (is_auto)
        name = fastest[is_bf16];
    const cr_engine *engine = cr_engine_find(name);
    if (engine != NULL && is_bf16)
        engine = engine->bf16;
    CR_TRY(check_here(engine, name, precision));
    *out = is_auto ? fastest_of(engine) : engine;
    return CR_OK;
}
