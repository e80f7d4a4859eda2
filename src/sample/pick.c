/* pick: the set of channels kept, as arrays in an arena and a hash that ranks compare. */
#include "colrow/sample.h"

void cr_pick_place(cr_pick *pick, int n, cr_arena *arena)
{
    *pick = (cr_pick){.n = n, .k = n};
    pick->index = cr_arena_take(arena, n, sizeof(*pick->index));
    pick->scale = cr_arena_take(arena, n, sizeof(*pick->scale));
    if (pick->index != NULL && pick->scale != NULL) /* NULL while the arena only measures */
        cr_pick_all(pick);
}

void cr_pick_all(cr_pick *pick)
{
    for (int i = 0; i < pick->n; i++)
        pick->index[i] = i;
    cr_pick_scale(pick, pick->n, 1.0F);
    cr_pick_seal(pick);
}

bool cr_pick_is_all(const cr_pick *pick)
{
    return pick->k == pick->n && !pick->scaled;
}

void cr_pick_seal(cr_pick *pick)
{
    const int sizes[2] = {pick->n, pick->k};
    size_t kept = (size_t)pick->k;
    uint64_t hash = cr_hash(sizes, sizeof(sizes), 0);
    hash = cr_hash(pick->index, kept * sizeof(*pick->index), hash);
    pick->hash = cr_hash(pick->scale, kept * sizeof(*pick->scale), hash);
}

void cr_pick_scale(cr_pick *pick, int k, float scale)
{
    pick->k = k;
    pick->scaled = scale != 1.0F;
    for (int i = 0; i < k; i++)
        pick->scale[i] = scale;
}
