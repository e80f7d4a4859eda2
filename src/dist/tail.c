/*
 * tail: the few floats that ride behind the gradients and are summed with them: loss, hits,
 * samples, wishes, and the hash of every pick in pieces of 8 bits. A float holds sums of 65,536
 * such pieces exactly, and a rank whose own hash times the number of terms is not the sum knows
 * that some other rank has another pick.
 */
#include "tail.h"

enum { LOSS, CORRECT, SAMPLES, STOP, SAVE, NEWS };
enum { PIECES = 8, PIECE_BITS = 8 };

static float piece(uint64_t hash, int number)
{
    return (float)(hash >> (number * PIECE_BITS) & 0xff);
}

int64_t cr_tail_count(int segments)
{
    return NEWS + (int64_t)PIECES * segments;
}

void cr_tail_write(float *tail, const cr_net *net, const cr_dist_news *news)
{
    tail[LOSS] = (float)news->result.loss;
    tail[CORRECT] = (float)news->result.correct;
    tail[SAMPLES] = (float)news->result.samples;
    tail[STOP] = news->stop ? 1.0F : 0.0F;
    tail[SAVE] = news->save ? 1.0F : 0.0F;
    for (int s = 0; s < net->segment_count; s++)
        for (int i = 0; i < PIECES; i++)
            tail[NEWS + s * PIECES + i] = piece(net->segments[s].pick.hash, i);
}

static bool is_equal(const float *sums, uint64_t hash, int terms)
{
    for (int i = 0; i < PIECES; i++)
        if (sums[i] != piece(hash, i) * (float)terms)
            return false;
    return true;
}

cr_status cr_tail_read(cr_dist_news *news, const float *tail, const cr_net *net, int terms,
                       bool equal)
{
    for (int s = 0; equal && s < net->segment_count; s++)
        CR_CHECK(is_equal(tail + (NEWS + s * PIECES), net->segments[s].pick.hash, terms), CR_RANKS,
                 "step %u layer %s: expected the same picked channels on all ranks, found others "
                 "than this rank's",
                 net->pass.step, net->layers[net->segments[s].consumer].name);
    news->result = (cr_result){tail[LOSS], (int64_t)tail[CORRECT], (int64_t)tail[SAMPLES]};
    news->stop = tail[STOP] > 0;
    news->save = tail[SAVE] > 0;
    return CR_OK;
}
