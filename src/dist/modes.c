/*
 * modes: who decides on a pick.
 *
 *     root     rank 0 scores micro-batch 0 and broadcasts its pick
 *     global   squared norms are summed over the first micro-batch of every rank, then each rank
 *              draws the same: one sum a layer
 *     weights  every rank draws the same from weight norms and shared random numbers: no message
 *     stale    every rank draws the same from the norms of the whole last step, which rode with
 *              its gradients, and before any by weight norms: no message of its own, and all
 *              picks of a step are known before it begins
 *     local    each rank its own; gradients must then travel dense. To show what agreement is
 *              worth
 *
 * `global` cannot take in all micro-batches of a rank: the norms of a layer's inputs are there only
 * when the layers before it have been worked out, by picks that are settled by then, and memory is
 * that of one micro-batch. So its picks depend on how many ranks there are, and deterministic runs,
 * whose bits must not, want one micro-batch a rank: then the norms are those of the whole batch,
 * summed along a fixed tree.
 */
#include "modes.h"
#include "sum.h"

#include <string.h>

/* A pick on the wire: k, scaled, index [most], and scale [most] where draws can scale. */
static size_t message_bytes(int most, bool with_scale)
{
    return (size_t)(2 + (with_scale ? 2 : 1) * most) * sizeof(int);
}

static void pack(int *message, const cr_pick *pick, int most, bool with_scale)
{
    message[0] = pick->k;
    message[1] = pick->scaled;
    memcpy(message + 2, pick->index, (size_t)pick->k * sizeof *message);
    if (with_scale)
        memcpy(message + 2 + most, pick->scale, (size_t)pick->k * sizeof *message);
}

static void unpack(cr_pick *pick, const int *message, int most, bool with_scale)
{
    pick->k = message[0];
    pick->scaled = message[1] != 0;
    memcpy(pick->index, message + 2, (size_t)pick->k * sizeof *message);
    for (int j = 0; j < pick->k; j++)
        pick->scale[j] = 1;
    if (with_scale)
        memcpy(pick->scale, message + 2 + most, (size_t)pick->k * sizeof *message);
    cr_pick_seal(pick);
}

/* Draws that count duplicates have scales even where none are asked for. */
static bool has_scale(const cr_segment *segment)
{
    return segment->way.scale || segment->way.draw->merges;
}

static cr_status choose_root(void *self, cr_net *net, int segment, cr_pick *pick)
{
    cr_dist *dist = self;
    int most = net->segments[segment].most;
    bool with_scale = has_scale(&net->segments[segment]);
    bool root = cr_comm_rank(dist->comm) == 0;
    if (root)
        CR_TRY(cr_net_choose(net, segment, pick, 0));
    if (cr_comm_size(dist->comm) == 1)
        return CR_OK;
    cr_phase previous = cr_phase_enter(CR_PHASE_AGREE);
    size_t bytes = message_bytes(most, with_scale);
    if (root)
        pack(dist->message, pick, most, with_scale);
    CR_TRY(cr_comm_broadcast(dist->comm, dist->message, bytes, 0));
    dist->wire_bytes += (int64_t)bytes;
    if (!root)
        unpack(pick, dist->message, most, with_scale);
    cr_phase_leave(previous);
    return CR_OK;
}

static cr_status choose_global(void *self, cr_net *net, int segment, cr_pick *pick)
{
    cr_dist *dist = self;
    int n = net->segments[segment].n;
    double *norms = cr_net_norms(net, segment);
    if (norms != NULL)
        CR_TRY(cr_sum_over_ranks(dist, norms, n));
    return cr_net_draw(net, segment, pick, 0);
}

/* From what every rank knows before the step. */
static cr_status choose_known(void *self, cr_net *net, int segment, cr_pick *pick)
{
    (void)self;
    return cr_net_choose(net, segment, pick, 0);
}

static cr_status choose_local(void *self, cr_net *net, int segment, cr_pick *pick)
{
    const cr_dist *dist = self;
    return cr_net_choose(net, segment, pick, (uint32_t)cr_comm_rank(dist->comm));
}

static const cr_dist_mode modes[] = {
    {.name = "root", .equal = true, .choose = choose_root},
    {.name = "global", .equal = true, .alone = true, .shared = true, .choose = choose_global},
    {.name = "weights", .equal = true, .alone = true, .blind = true, .choose = choose_known},
    {.name = "stale", .equal = true, .alone = true, .remembers = true, .choose = choose_known},
    {.name = "local", .alone = true, .choose = choose_local},
};

const cr_dist_mode *cr_dist_mode_find(const char *name)
{
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(modes[i].name, name) == 0)
            return &modes[i];
    return NULL;
}

const char *const *cr_dist_mode_names(void)
{
    static const char *const names[] = {"root", "global", "weights", "stale", "local", NULL};
    return names;
}
