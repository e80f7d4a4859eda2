/* channels: see channels.h. The pick is cut into groups of lanes, so many at a time; their masks,
 * once made, serve all rows. */
#include "channels.h"
#include "lanes.h"
#include "tiles.h"

#include "colrow/base.h"

enum { GROUPS = 40 };

/* The kept channels among LANES neighbours. */
typedef struct group {
    int first;     /* of the kept ones */
    int count;     /* of the kept ones */
    int start;     /* channel of the first lane */
    unsigned mask; /* lanes that are kept */
} group;

/* Groups from kept channel *first on, as many as there is room for; returns how many. */
static int find_groups(group groups[GROUPS], const int *index, int k, int *first)
{
    int count = 0;
    for (int j = *first; j < k && count < GROUPS; count++) {
        group *g = &groups[count];
        *g = (group){.first = j, .start = index[j] / LANES * LANES};
        for (; j < k && index[j] < g->start + LANES; j++)
            g->mask |= 1U << (index[j] - g->start);
        g->count = j - g->first;
        *first = j;
    }
    return count;
}

void cr_channels_gather(float *to, const float *from, int64_t rows, int n, const int *index, int k)
{
    group groups[GROUPS];
    for (int first = 0; first < k;) {
        int begin = first;
        int count = find_groups(groups, index, k, &first);
        bool whole = begin == 0 && first == k; /* rows: those behind one are written next */
        for (int64_t row = 0; row < rows; row++) {
            const float *end = to + (whole ? rows : row + 1) * k;
            cr_row_prefetch(from + row * n, n);
            for (const group *g = groups; g < groups + count; g++) {
                float *at = to + row * k + g->first;
                lanes_gather(at, from + row * n + g->start, g->mask, g->count, end - at >= LANES);
            }
        }
    }
}

void cr_channels_add(float *to, const float *from, int64_t rows, int n, const int *index, int k)
{
    group groups[GROUPS];
    for (int first = 0; first < k;) {
        int count = find_groups(groups, index, k, &first);
        for (int64_t row = 0; row < rows; row++)
            for (const group *g = groups; g < groups + count; g++)
                lanes_add(to + row * n + g->start, from + row * k + g->first, g->mask, g->count,
                          g->start + LANES <= n);
    }
}
