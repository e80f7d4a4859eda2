/*
 * optim: one update of all parameters, in one pass over the flat arrays.
 *
 * The spans are cut once into chunks of at most CHUNK floats, which threads share. A rule works
 * element by element, and the square sum for clipping is kept by chunk and added in chunk order; so
 * neither depends on the number of threads.
 *
 *     clipping by global norm (Pascanu, Mikolov & Bengio 2013):  g <- g min(1, clip_norm / |g|)
 */
#include "colrow/optim.h"

#include <float.h>
#include <math.h>
#include <omp.h>

enum { CHUNK = 16384 }; /* floats: 64 KiB, so that a chunk's arrays fit in an L2 cache */

static int64_t chunks_of(int64_t count)
{
    return (count + CHUNK - 1) / CHUNK;
}

static cr_status count_chunks(int64_t *chunk_count, int64_t count, const cr_optim_span *spans,
                              int span_count)
{
    int64_t total = 0;
    for (int s = 0; s < span_count; s++) {
        const cr_optim_span *span = &spans[s];
        bool inside = span->offset >= 0 && span->count >= 0 && span->offset <= count &&
                      span->count <= count - span->offset;
        CR_CHECK(inside, CR_INTERNAL,
                 "optimizer span %d: expected to lie in %lld parameters, found %lld from %lld", s,
                 (long long)count, (long long)span->count, (long long)span->offset);
        total += chunks_of(span->count);
    }
    *chunk_count = total;
    return CR_OK;
}

static void cut_chunks(cr_optim_span *chunks, const cr_optim_span *spans, int span_count)
{
    for (int s = 0; s < span_count; s++) {
        int64_t end = spans[s].offset + spans[s].count;
        for (int64_t at = spans[s].offset; at < end; at += CHUNK) {
            int64_t count = end - at < CHUNK ? end - at : CHUNK;
            *chunks++ = (cr_optim_span){.offset = at, .count = count, .decay = spans[s].decay};
        }
    }
}

static cr_status allocate(void **array, int64_t count, size_t bytes)
{
    size_t size = 0;
    CR_TRY(cr_size_multiply(&size, (size_t)count, bytes, "optimizer"));
    CR_TRY(cr_alloc(array, size));
    return CR_OK;
}

static cr_status allocate_all(cr_optim *optim)
{
    void *memory = NULL;
    for (int s = 0; optim->rule->states[s] != NULL; s++) {
        CR_TRY(allocate(&memory, optim->count, sizeof(float)));
        optim->state[s] = memory;
    }
    CR_TRY(allocate(&memory, optim->chunk_count, sizeof(*optim->chunks)));
    optim->chunks = memory;
    CR_TRY(allocate(&memory, optim->chunk_count, sizeof(*optim->square_sums)));
    optim->square_sums = memory;
    return CR_OK;
}

cr_status cr_optim_create(cr_optim *optim, const cr_optim_options *options, int64_t count,
                          const cr_optim_span *spans, int span_count)
{
    cr_status status = CR_OK;
    cr_optim made = {.rule = cr_optim_rule_find(options->rule),
                     .options = *options,
                     .count = count,
                     .spans = spans,
                     .span_count = span_count};
    CR_CHECK(made.rule != NULL, CR_BAD_CONFIG,
             "optimizer.rule: expected the name of a rule, found '%s'", options->rule);
    CR_TRY(count_chunks(&made.chunk_count, count, spans, span_count));
    CR_TRY_GOTO(allocate_all(&made));
    cut_chunks(made.chunks, spans, span_count);
    *optim = made;
done:
    if (status != CR_OK)
        cr_optim_free(&made);
    return status;
}

void cr_optim_free(cr_optim *optim)
{
    for (int s = 0; s < CR_OPTIM_STATES; s++)
        CR_FREE(optim->state[s]);
    CR_FREE(optim->chunks);
    CR_FREE(optim->square_sums);
    *optim = (cr_optim){0};
}

static double square_sum(const float *g, int64_t count)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += (double)g[i] * (double)g[i];
    return sum;
}

static bool worth_threads(const cr_optim *optim)
{
    return optim->chunk_count > 1 && omp_get_max_threads() > 1;
}

static double gradient_norm(const cr_optim *optim, const float *g)
{
#pragma omp parallel for schedule(static) if (worth_threads(optim))
    for (int64_t c = 0; c < optim->chunk_count; c++)
        optim->square_sums[c] = square_sum(g + optim->chunks[c].offset, optim->chunks[c].count);
    double sum = 0;
    for (int64_t c = 0; c < optim->chunk_count; c++)
        sum += optim->square_sums[c];
    return sqrt(sum);
}

/* The slice of the flat arrays that a chunk covers; `whole` has the rest. */
static cr_optim_slice slice_of(const cr_optim *optim, const cr_optim_slice *whole, int64_t c)
{
    const cr_optim_span *chunk = &optim->chunks[c];
    cr_optim_slice slice = *whole;
    slice.count = chunk->count;
    slice.w += chunk->offset;
    slice.g += chunk->offset;
    for (int s = 0; optim->rule->states[s] != NULL; s++)
        slice.state[s] = optim->state[s] + chunk->offset;
    slice.decay = chunk->decay ? optim->options.weight_decay : 0.0;
    return slice;
}

cr_status cr_optim_update(cr_optim *optim, float *w, const float *g, double rate, double *norm)
{
    double limit = optim->options.clip_norm;
    double found = limit > 0 ? gradient_norm(optim, g) : -1.0;
    CR_CHECK(isfinite(found), CR_DIVERGED,
             "update %lld: expected a gradient of finite norm, found %g",
             (long long)optim->step + 1, found);
    optim->step++;
    const cr_optim_slice whole = {.w = w,
                                  .g = g,
                                  .rate = rate,
                                  .gradient_scale = found > limit ? limit / found : 1.0,
                                  .step = optim->step,
                                  .parameters = optim->options.parameters};
#pragma omp parallel for schedule(static) if (worth_threads(optim))
    for (int64_t c = 0; c < optim->chunk_count; c++) {
        cr_optim_slice slice = slice_of(optim, &whole, c);
        optim->rule->update(&slice);
    }
    *norm = found;
    return CR_OK;
}

const cr_option *cr_optim_rule_options(const char *name)
{
    const cr_optim_rule *rule = cr_optim_rule_find(name);
    return rule != NULL ? rule->options : NULL;
}

const cr_option cr_optim_option_table[] = {
    {.name = "rule",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_optim_options, rule),
     .fallback = "sgd",
     .words = cr_optim_rule_names,
     .help = "how gradients change the parameters"},
    {.name = "weight_decay",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_optim_options, weight_decay),
     .fallback = "0",
     .low = 0,
     .high = 1,
     .help = "L2: weight_decay * w is added to the gradient of weights (not of biases)"},
    {.name = "clip_norm",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_optim_options, clip_norm),
     .fallback = "0",
     .low = 0,
     .high = FLT_MAX,
     .help = "largest global norm of the gradient; 0: no clipping"},
    {.name = NULL},
};
