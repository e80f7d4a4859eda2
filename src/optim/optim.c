/*
 * optim: one update of all parameters, in one pass over the flat arrays; before it, where they are
 * asked for, one for the norm of the gradient and one for the norms that a rule wants (norms.c).
 *
 * The spans are cut once into chunks of at most CHUNK floats, which threads share. A rule works
 * element by element, so how many threads there are changes no bit.
 *
 * rows: kept is the lazy form of a rule (PyTorch's SparseAdam is Adam's): a row that sampling left
 * out does not decay, nor move by what its states remember. The update then costs what is kept.
 */
#include "norms.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <string.h>

enum { CHUNK = 16384 }; /* floats: 64 KiB, so that a chunk's arrays fit in an L2 cache */

/* Floats of a span's chunks: whole rows where it has rows. */
static int64_t chunk_size(const cr_optim_span *span)
{
    return span->row >= CHUNK ? span->row : CHUNK / span->row * span->row;
}

static cr_status check_spans(int64_t count, const cr_optim_span *spans, int span_count)
{
    for (int s = 0; s < span_count; s++) {
        const cr_optim_span *span = &spans[s];
        bool inside = span->offset >= 0 && span->count >= 0 && span->offset <= count &&
                      span->count <= count - span->offset;
        CR_CHECK(inside, CR_INTERNAL,
                 "optimizer span %d: expected to lie in %lld parameters, found %lld from %lld", s,
                 (long long)count, (long long)span->count, (long long)span->offset);
        CR_CHECK(span->row >= 1 && span->count % span->row == 0, CR_INTERNAL,
                 "optimizer span %d: expected whole rows of at least 1, found %lld of %lld", s,
                 (long long)span->count, (long long)span->row);
    }
    return CR_OK;
}

/* Cut the spans; returns how many chunks there are. chunks NULL: only counts. */
static int64_t cut_chunks(cr_optim_chunk *chunks, const cr_optim_span *spans, int span_count)
{
    int64_t n = 0;
    for (int s = 0; s < span_count; s++) {
        int64_t size = chunk_size(&spans[s]);
        for (int64_t at = 0; at < spans[s].count; at += size, n++) {
            int64_t left = spans[s].count - at;
            if (chunks != NULL)
                chunks[n] = (cr_optim_chunk){s, at, left < size ? left : size};
        }
    }
    return n;
}

static int64_t largest_chunk(const cr_optim_span *spans, int span_count)
{
    int64_t most = CHUNK;
    for (int s = 0; s < span_count; s++)
        most = chunk_size(&spans[s]) > most ? chunk_size(&spans[s]) : most;
    return (most + 15) / 16 * 16; /* each thread's on a boundary of its own */
}

static bool only_kept(const cr_optim_options *options)
{
    return strcmp(options->rows, "kept") == 0;
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
    CR_TRY(allocate(&memory, optim->chunk_count, CR_OPTIM_NORMS * sizeof(*optim->squares)));
    optim->squares = memory;
    CR_TRY(allocate(&memory, optim->span_count, CR_OPTIM_NORMS * sizeof(*optim->norms)));
    optim->norms = memory;
    CR_TRY(allocate(&memory, optim->threads * optim->chunk_most, sizeof(float)));
    optim->scratch = memory;
    return CR_OK;
}

cr_status cr_optim_check(const cr_optim_options *options)
{
    const cr_optim_rule *rule = cr_optim_rule_find(options->rule);
    CR_CHECK(rule != NULL, CR_BAD_CONFIG, "optimizer.rule: expected the name of a rule, found '%s'",
             options->rule);
    CR_CHECK(rule->measure == NULL || !only_kept(options), CR_BAD_CONFIG,
             "optimizer.rows: expected all for %s, whose norms are of all rows, found kept",
             rule->name);
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
                     .span_count = span_count,
                     .threads = omp_get_max_threads()};
    CR_TRY(cr_optim_check(options));
    CR_TRY(check_spans(count, spans, span_count));
    made.chunk_count = cut_chunks(NULL, spans, span_count);
    made.chunk_most = largest_chunk(spans, span_count);
    CR_TRY_GOTO(allocate_all(&made));
    (void)cut_chunks(made.chunks, spans, span_count); /* as many as it counted */
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
    CR_FREE(optim->squares);
    CR_FREE(optim->norms);
    CR_FREE(optim->scratch);
    *optim = (cr_optim){0};
}

/* Update one chunk, or a piece of one; `whole` has what is the same for all. */
static void update_chunk(const cr_optim *optim, const cr_optim_slice *whole,
                         const cr_optim_hooks *hooks, const cr_optim_chunk *chunk)
{
    int64_t row = optim->spans[chunk->span].row;
    cr_optim_slice slice = cr_chunk_slice(optim, whole, chunk);
    slice.g = optim->rule->takes_in ? NULL : cr_chunk_gradient(optim, hooks, chunk);
    memcpy(slice.norms, optim->norms + (size_t)chunk->span * CR_OPTIM_NORMS, sizeof slice.norms);
    optim->rule->update(&slice);
    if (hooks->updated != NULL)
        hooks->updated(hooks->self, chunk->span, chunk->start / row, chunk->count / row);
}

/* The same, but only its rows with a gradient. */
static void update_kept(const cr_optim *optim, const cr_optim_slice *whole,
                        const cr_optim_hooks *hooks, const cr_optim_chunk *chunk)
{
    int64_t row = optim->spans[chunk->span].row;
    int64_t first = chunk->start / row;
    int64_t end = first + chunk->count / row;
    while (first < end) {
        int64_t rows = end - first;
        first = hooks->kept(hooks->self, chunk->span, first, &rows);
        if (rows == 0)
            return;
        update_chunk(optim, whole, hooks, &(cr_optim_chunk){chunk->span, first * row, rows * row});
        first += rows;
    }
}

cr_status cr_optim_update_by(cr_optim *optim, float *w, const cr_optim_hooks *hooks, double rate,
                             double *norm)
{
    double limit = optim->options.clip_norm;
    double found = limit > 0 ? cr_norm_of_gradient(optim, hooks) : -1.0;
    CR_CHECK(isfinite(found), CR_DIVERGED,
             "update %lld: expected a gradient of finite norm, found %g",
             (long long)optim->step + 1, found);
    const cr_optim_slice whole = {.w = w,
                                  .rate = rate,
                                  .gradient_scale = found > limit ? limit / found : 1.0,
                                  .step = optim->step + 1,
                                  .parameters = optim->options.parameters};
    if (optim->rule->measure != NULL)
        CR_TRY(cr_norms_measure(optim, &whole, hooks));
    optim->step++;
    bool all = hooks->kept == NULL || !only_kept(&optim->options);
#pragma omp parallel for schedule(static) num_threads(optim->threads) if (cr_chunks_share(optim))
    for (int64_t c = 0; c < optim->chunk_count; c++)
        (all ? update_chunk : update_kept)(optim, &whole, hooks, &optim->chunks[c]);
    *norm = found;
    return CR_OK;
}

/* A gradient that lies as the parameters do. */
typedef struct flat {
    const float *g;
    const cr_optim_span *spans;
} flat;

static const float *read_flat(void *self, float *scratch, int span, int64_t first, int64_t rows)
{
    const flat *from = self;
    (void)scratch;
    (void)rows;
    return from->g + from->spans[span].offset + first * from->spans[span].row;
}

cr_status cr_optim_update(cr_optim *optim, float *w, const float *g, double rate, double *norm)
{
    flat from = {g, optim->spans};
    cr_optim_hooks hooks = {.self = &from, .gradient = read_flat};
    return cr_optim_update_by(optim, w, &hooks, rate, norm);
}

const cr_option *cr_optim_rule_options(const char *name)
{
    const cr_optim_rule *rule = cr_optim_rule_find(name);
    return rule != NULL ? rule->options : NULL;
}

static const char *const *rows_names(void)
{
    static const char *const names[] = {"all", "kept", NULL};
    return names;
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
    {.name = "rows",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_optim_options, rows),
     .fallback = "all",
     .words = rows_names,
     .help = "that an update changes; kept: those that sampling left out of a step rest, weights, "
             "decay and states (lazy Adam, SparseAdam)"},
    {.name = "no_decay",
     .kind = CR_OPTION_WORDS,
     .offset = offsetof(cr_optim_options, no_decay),
     .fallback = "[]",
     .help =
         "patterns of layers (fc3) or parameters (fc*/kernel) that do not decay, beside those of "
         "one dimension"},
    {.name = "no_adaptation",
     .kind = CR_OPTION_WORDS,
     .offset = offsetof(cr_optim_options, no_adaptation),
     .fallback = "[]",
     .help = "lars, lamb: likewise of those whose rate is not adapted to norms"},
    {.name = NULL},
};
