/*
 * norms: passes over the chunks that take norms before an update.
 *
 *     clipping by global norm (Pascanu, Mikolov & Bengio 2013):  g <- g min(1, clip_norm / |g|)
 *     norms of whole spans, for rules that adapt the rate to them (lars, lamb)
 *
 * Squares are summed in double, by chunk, and the chunks' in chunk order: neither threads nor ranks
 * change a bit. A gradient is that of the whole parameter: what sampling left out counts as the
 * zero that it is, so that a layer's norm shrinks with the share of it that is kept.
 */
#include "norms.h"

#include <math.h>
#include <omp.h>
#include <string.h>

bool cr_chunks_share(const cr_optim *optim)
{
    return optim->chunk_count > 1 && omp_get_max_threads() > 1;
}

const float *cr_chunk_gradient(const cr_optim *optim, const cr_optim_hooks *hooks,
                               const cr_optim_chunk *chunk)
{
    int64_t row = optim->spans[chunk->span].row;
    float *scratch = optim->scratch + omp_get_thread_num() * optim->chunk_most;
    return hooks->gradient(hooks->self, scratch, chunk->span, chunk->start / row,
                           chunk->count / row);
}

cr_optim_slice cr_chunk_slice(const cr_optim *optim, const cr_optim_slice *whole,
                              const cr_optim_chunk *chunk)
{
    const cr_optim_span *span = &optim->spans[chunk->span];
    int64_t offset = span->offset + chunk->start;
    cr_optim_slice slice = *whole;
    slice.count = chunk->count;
    slice.w += offset;
    for (int s = 0; optim->rule->states[s] != NULL; s++)
        slice.state[s] = optim->state[s] + offset;
    slice.decay = span->decay ? optim->options.weight_decay : 0.0;
    slice.adapt = span->adapt;
    return slice;
}

static double square_sum(const float *g, int64_t count)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += (double)g[i] * (double)g[i];
    return sum;
}

double cr_norm_of_gradient(const cr_optim *optim, const cr_optim_hooks *hooks)
{
#pragma omp parallel for schedule(static) num_threads(optim->threads) if (cr_chunks_share(optim))
    for (int64_t c = 0; c < optim->chunk_count; c++) {
        const cr_optim_chunk *chunk = &optim->chunks[c];
        const float *g = cr_chunk_gradient(optim, hooks, chunk);
        optim->squares[c * CR_OPTIM_NORMS] = square_sum(g, chunk->count);
    }
    double sum = 0;
    for (int64_t c = 0; c < optim->chunk_count; c++)
        sum += optim->squares[c * CR_OPTIM_NORMS];
    return sqrt(sum);
}

static void measure_chunk(const cr_optim *optim, const cr_optim_slice *whole,
                          const cr_optim_hooks *hooks, int64_t c)
{
    const cr_optim_chunk *chunk = &optim->chunks[c];
    double *squares = optim->squares + c * CR_OPTIM_NORMS;
    cr_optim_slice slice = cr_chunk_slice(optim, whole, chunk);
    slice.g = cr_chunk_gradient(optim, hooks, chunk);
    memset(squares, 0, CR_OPTIM_NORMS * sizeof *squares);
    optim->rule->measure(&slice, squares);
}

cr_status cr_norms_measure(cr_optim *optim, const cr_optim_slice *whole,
                           const cr_optim_hooks *hooks)
{
    int64_t norms = (int64_t)optim->span_count * CR_OPTIM_NORMS;
#pragma omp parallel for schedule(static) num_threads(optim->threads) if (cr_chunks_share(optim))
    for (int64_t c = 0; c < optim->chunk_count; c++)
        measure_chunk(optim, whole, hooks, c);
    memset(optim->norms, 0, (size_t)norms * sizeof *optim->norms);
    for (int64_t c = 0; c < optim->chunk_count; c++)
        for (int i = 0; i < CR_OPTIM_NORMS; i++)
            optim->norms[optim->chunks[c].span * CR_OPTIM_NORMS + i] +=
                optim->squares[c * CR_OPTIM_NORMS + i];
    for (int64_t i = 0; i < norms; i++) {
        optim->norms[i] = sqrt(optim->norms[i]);
        CR_CHECK(isfinite(optim->norms[i]), CR_DIVERGED,
                 "update %lld: expected parameters and gradients of finite norm, found %g",
                 (long long)optim->step + 1, optim->norms[i]);
    }
    return CR_OK;
}
