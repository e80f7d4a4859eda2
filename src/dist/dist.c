/*
 * dist: one step's gradients from micro-batches to the sum over all ranks.
 *
 * Plain: gradients of a rank's micro-batches are added up in place; while the last of them runs,
 * what is final goes into flight bucket by bucket. Deterministic: every micro-batch has an array of
 * its own, and arrays are added along the fixed binary tree over micro-batches, inside a rank as
 * soon as two siblings are there, across ranks at the end (cr_comm_tree_sum).
 */
#include "colrow/dist.h"

#include <string.h>

#include "bucket.h"
#include "modes.h"
#include "options.h"
#include "sum.h"
#include "tail.h"

int64_t cr_dist_extra(int segments)
{
    return cr_tail_count(segments);
}

int64_t cr_dist_message_floats(const cr_dist_options *options, const cr_net *net)
{
    const cr_dist_mode *mode = cr_dist_mode_find(options->agreement);
    bool dense = mode != NULL && !mode->equal;
    return dense ? net->parameter_count + net->statistics_count : cr_net_message_floats(net);
}

bool cr_dist_remembers(const cr_dist_options *options)
{
    const cr_dist_mode *mode = cr_dist_mode_find(options->agreement);
    return mode != NULL && mode->remembers;
}

/* Rounded up, so that rank 0 has micro-batch 0, which picks are made from, whatever the number. */
static int share_start(int micro_batches, int rank, int ranks)
{
    return (int)(((int64_t)micro_batches * rank + ranks - 1) / ranks);
}

void cr_dist_share(int *first, int *count, int micro_batches, int rank, int ranks)
{
    *first = share_start(micro_batches, rank, ranks);
    *count = share_start(micro_batches, rank + 1, ranks) - *first;
}

/* ---- creation -------------------------------------------------------------------------------- */

static int longest_message(const cr_net *net)
{
    int most = 0;
    for (int s = 0; s < net->segment_count; s++)
        most = net->segments[s].most > most ? net->segments[s].most : most;
    return 2 + 2 * most;
}

/* Partial sums that a run of so many leaves can need at once: two of each level, and a new one. */
static int parts_needed(int leaves)
{
    int levels = 1;
    while (leaves >> levels > 0)
        levels++;
    return 2 * levels + 1;
}

static cr_status make_buffers(cr_dist *dist)
{
    const cr_net *net = dist->net;
    int most = (dist->micro_batches_most + cr_comm_size(dist->comm) - 1) / cr_comm_size(dist->comm);
    size_t bytes = (size_t)cr_net_gradient_floats(net) * sizeof(float);
    CR_TRY(cr_alloc((void **)&dist->message, (size_t)longest_message(net) * sizeof *dist->message));
    CR_TRY(cr_alloc((void **)&dist->norms, cr_sum_most(net) * sizeof *dist->norms));
    if (!dist->mode->equal)
        CR_TRY(cr_alloc((void **)&dist->dense, bytes));
    if (dist->wire->rounds)
        CR_TRY(cr_comm_reserve_bf16(dist->comm, cr_net_gradient_floats(net)));
    if (!dist->options.deterministic)
        return CR_OK;
    CR_TRY(
        cr_alloc((void **)&dist->owners, (size_t)dist->micro_batches_most * sizeof *dist->owners));
    dist->buffer_count = most > 1 ? parts_needed(most) : 2; /* one own, one to receive into */
    dist->buffers[0] = dist->home;
    CR_CHECK(dist->buffer_count <= CR_TREE_PARTS, CR_BAD_CONFIG,
             "micro_batch: %d micro-batches a rank are too many for deterministic sums", most);
    for (int i = 1; i < dist->buffer_count; i++)
        CR_TRY(cr_alloc((void **)&dist->buffers[i], bytes));
    return CR_OK;
}

/* By the mode, telling the watchdog where this rank may have to wait. */
static cr_status choose(void *self, cr_net *net, int segment, cr_pick *pick)
{
    cr_dist *dist = self;
    cr_comm_at(dist->comm, dist->step, net->layers[net->segments[segment].consumer].name);
    return dist->mode->choose(dist, net, segment, pick);
}

cr_status cr_dist_create(cr_dist **out, const cr_dist_options *options, cr_comm *comm, cr_net *net,
                         int micro_batches)
{
    cr_dist *dist = NULL;
    const cr_dist_mode *mode = cr_dist_mode_find(options->agreement);
    CR_CHECK(mode != NULL, CR_BAD_CONFIG, "agreement: no mode is called %s", options->agreement);
    CR_TRY(cr_dist_check(options, &net->sampling));
    CR_TRY(cr_dist_check_share(options, mode, micro_batches, cr_comm_size(comm)));
    CR_CHECK(net->remembers == mode->remembers, CR_INTERNAL,
             "agreement: %s wants a net that remembers as cr_dist_remembers says", mode->name);
    CR_TRY(cr_alloc((void **)&dist, sizeof *dist));
    dist->comm = comm;
    dist->net = net;
    dist->options = *options;
    dist->mode = mode;
    dist->wire = cr_wire_find(options->wire);
    dist->agreement = (cr_agreement){dist, choose};
    dist->micro_batches_most = micro_batches;
    dist->home = net->gradient;
    dist->bucket = cr_bucket_bytes(dist);
    cr_status status = make_buffers(dist);
    if (status == CR_OK)
        status = cr_sum_statistics(dist);
    if (status != CR_OK) {
        cr_dist_free(&dist);
        return status;
    }
    *out = dist;
    return CR_OK;
}

void cr_dist_free(cr_dist **dist)
{
    if (*dist == NULL)
        return;
    cr_net_share((*dist)->net, NULL);
    for (int i = 1; i < (*dist)->buffer_count; i++)
        CR_FREE((*dist)->buffers[i]);
    CR_FREE((*dist)->message);
    CR_FREE((*dist)->norms);
    CR_FREE((*dist)->owners);
    CR_FREE((*dist)->dense);
    CR_FREE(*dist);
}

/* ---- a step ---------------------------------------------------------------------------------- */

static void set_owners(cr_dist *dist)
{
    int ranks = cr_comm_size(dist->comm);
    for (int rank = 0; rank < ranks; rank++) {
        int first = 0, count = 0;
        cr_dist_share(&first, &count, dist->micro_batches, rank, ranks);
        for (int i = first; i < first + count; i++)
            dist->owners[i] = rank;
    }
}

cr_status cr_dist_begin(cr_dist *dist, uint32_t step, int micro_batches)
{
    CR_CHECK(micro_batches >= 1 && micro_batches <= dist->micro_batches_most, CR_INTERNAL,
             "step %u: expected 1 to %d micro-batches, found %d", step, dist->micro_batches_most,
             micro_batches);
    if (dist->micro_batches != micro_batches) {
        dist->micro_batches = micro_batches;
        cr_dist_share(&dist->first, &dist->count, micro_batches, cr_comm_rank(dist->comm),
                      cr_comm_size(dist->comm));
        if (dist->options.deterministic)
            set_owners(dist);
    }
    dist->step = (int64_t)step + 1;
    cr_comm_at(dist->comm, dist->step, NULL);
    dist->done = 0;
    dist->sent = 0;
    dist->part_count = 0;
    dist->result = (cr_result){0};
    cr_net_begin(dist->net, step, &dist->agreement);
    return CR_OK;
}

static bool is_last(const cr_dist *dist)
{
    return dist->done + 1 >= dist->count;
}

/* Ranks that draw by themselves must have kept equally many channels before their gradients are
 * summed: sums of different lengths never end. Only a draw that varies can keep another number. */
static cr_status check_lengths(cr_dist *dist)
{
    uint64_t hash = 0;
    bool varies = false;
    for (int s = 0; s < dist->net->segment_count; s++) {
        const cr_segment *segment = &dist->net->segments[s];
        hash = cr_hash(&segment->pick.hash, sizeof hash, hash);
        varies = varies || segment->way.draw->varies;
    }
    if (cr_comm_size(dist->comm) == 1 || !dist->mode->alone || !varies)
        return CR_OK;
    return cr_comm_same(dist->comm, hash, "picked channels");
}

static cr_status backward_plain(cr_dist *dist)
{
    bool equal = dist->mode->equal && cr_comm_size(dist->comm) > 1;
    bool send = is_last(dist) && equal && dist->options.overlap;
    return cr_net_backward(dist->net, dist->done == 0, send ? cr_bucket_finished : NULL, dist);
}

/* ---- the tree inside a rank ------------------------------------------------------------------ */

static float *free_buffer(const cr_dist *dist)
{
    for (int b = 0; b < dist->buffer_count; b++) {
        bool used = false;
        for (int p = 0; p < dist->part_count; p++)
            used = used || dist->parts[p].values == dist->buffers[b];
        if (!used)
            return dist->buffers[b];
    }
    return NULL;
}

static cr_status backward_tree(cr_dist *dist, const cr_result *result)
{
    cr_net *net = dist->net;
    float *buffer = free_buffer(dist);
    CR_CHECK(buffer != NULL, CR_INTERNAL, "no partial sum is free");
    net->gradient = buffer;
    cr_status status = cr_net_backward(net, true, NULL, NULL);
    net->gradient = dist->home;
    CR_TRY(status);
    cr_tail_write(buffer + net->gradient_count, net, &(cr_dist_news){.result = *result});
    cr_comm_tree_push(dist->parts, &dist->part_count,
                      (cr_tree_part){0, dist->first + dist->done, buffer},
                      net->gradient_count + cr_tail_count(net->segment_count));
    return CR_OK;
}

cr_status cr_dist_backward(cr_dist *dist, const cr_result *result)
{
    if (is_last(dist) && dist->mode->equal)
        CR_TRY(check_lengths(dist));
    if (!dist->options.deterministic)
        CR_TRY(backward_plain(dist));
    else if (dist->count > 0)
        CR_TRY(backward_tree(dist, result));
    dist->result.loss += result->loss;
    dist->result.correct += result->correct;
    dist->result.samples += result->samples;
    dist->done++;
    return CR_OK;
}

/* ---- the end of a step ----------------------------------------------------------------------- */

static cr_status sum_tree(cr_dist *dist, cr_dist_news *news)
{
    const cr_net *net = dist->net;
    int64_t count = net->gradient_count + cr_tail_count(net->segment_count);
    if (cr_comm_size(dist->comm) > 1)
        dist->wire_bytes += count * (int64_t)sizeof(float);
    CR_TRY(cr_comm_tree_sum(dist->comm, dist->home, dist->parts, dist->part_count, count,
                            dist->owners, dist->micro_batches, free_buffer(dist)));
    double wishes[2] = {news->stop, news->save};
    CR_TRY(cr_tail_read(news, dist->home + net->gradient_count, net, dist->micro_batches, true));
    if (cr_comm_size(dist->comm) > 1)
        CR_TRY(cr_comm_largest(dist->comm, wishes, 2));
    news->stop = wishes[0] > 0;
    news->save = wishes[1] > 0;
    return CR_OK;
}

/* Equal picks: the rest of the compact gradient and the tail. */
static cr_status sum_compact(cr_dist *dist, cr_dist_news *news)
{
    const cr_net *net = dist->net;
    float *tail = dist->home + net->gradient_count;
    int ranks = cr_comm_size(dist->comm);
    cr_tail_write(tail, net, news);
    if (ranks > 1)
        CR_TRY(cr_bucket_rest(dist, dist->home, net->statistics_offset,
                              net->gradient_count + cr_tail_count(net->segment_count)));
    return cr_tail_read(news, tail, net, ranks, true);
}

/* Each rank its own picks: dense gradients, the tail behind them. */
static cr_status sum_dense(cr_dist *dist, cr_dist_news *news)
{
    const cr_net *net = dist->net;
    int64_t statistics = net->statistics_count;
    float *behind = dist->dense + net->parameter_count;
    float *tail = behind + statistics;
    int ranks = cr_comm_size(dist->comm);
    cr_net_spread(net, dist->dense, dist->home);
    memcpy(behind, dist->home + net->statistics_offset, (size_t)statistics * sizeof *behind);
    cr_tail_write(tail, net, news);
    if (ranks > 1)
        CR_TRY(
            cr_bucket_rest(dist, dist->dense, net->parameter_count,
                           net->parameter_count + statistics + cr_tail_count(net->segment_count)));
    memcpy(dist->home + net->statistics_offset, behind, (size_t)statistics * sizeof *behind);
    return cr_tail_read(news, tail, net, ranks, false);
}

cr_status cr_dist_finish(cr_dist *dist, cr_dist_news *news)
{
    cr_phase previous = cr_phase_enter(CR_PHASE_WAIT);
    cr_comm_at(dist->comm, dist->step, NULL);
    news->result = dist->result;
    if (dist->options.deterministic)
        CR_TRY(sum_tree(dist, news));
    else if (dist->mode->equal)
        CR_TRY(sum_compact(dist, news));
    else
        CR_TRY(sum_dense(dist, news));
    cr_net_update_statistics(dist->net, dist->home, dist->micro_batches);
    cr_net_remember(dist->net, dist->home, news->result.samples);
    dist->dense_bytes += cr_net_size(dist->net) * (int64_t)sizeof(float);
    cr_phase_leave(previous);
    return CR_OK;
}

const float *cr_dist_gradient_rows(void *self, float *scratch, int i, int64_t first, int64_t rows)
{
    const cr_dist *dist = self;
    const cr_parameter *p = cr_net_parameter(dist->net, i);
    if (!dist->mode->equal)
        return dist->dense + p->offset + first * cr_parameter_row(p);
    return cr_net_gradient_rows(dist->net, scratch, dist->home, i, first, rows);
}

int64_t cr_dist_kept_rows(const cr_dist *dist, int i, int64_t first, int64_t *rows)
{
    return dist->mode->equal ? cr_net_kept_rows(dist->net, i, first, rows) : first;
}
