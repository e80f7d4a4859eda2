/* draws: one draw with its memory watched; every allowed draw, score and scale. */
#ifndef TEST_DRAWS_H
#define TEST_DRAWS_H

#include "check.h"

#include "colrow/sample.h"

enum { DRAW_MARGIN = 64, DRAW_MARK = 0xA5 };

/* A pick, a request, and scratch of exactly the size asked for, with marks behind it that
 * draw_trial_end checks. */
typedef struct draw_trial {
    cr_arena arena;
    cr_pick pick;
    cr_draw_request request;
    size_t scratch_bytes;
} draw_trial;

static inline void draw_trial_start(draw_trial *t, int n, const double *scores)
{
    *t = (draw_trial){.request = {.n = n, .scores = scores}};
    t->request.key = (cr_random_key){.seed = 21, .stream = CR_STREAM_SAMPLE};
    t->scratch_bytes = cr_draw_scratch(n);
    cr_arena size = {0};
    cr_pick_place(&t->pick, n, &size);
    ASSERT_OK(cr_arena_create(&t->arena, size.used + t->scratch_bytes + 2 * DRAW_MARGIN));
    cr_pick_place(&t->pick, n, &t->arena);
    t->request.scratch = cr_arena_take(&t->arena, (int64_t)t->scratch_bytes + DRAW_MARGIN, 1);
    memset((unsigned char *)t->request.scratch + t->scratch_bytes, DRAW_MARK, DRAW_MARGIN);
}

static inline void draw_trial_end(draw_trial *t)
{
    const unsigned char *margin = (unsigned char *)t->request.scratch + t->scratch_bytes;
    for (int i = 0; i < DRAW_MARGIN; i++)
        assert_int_equal(margin[i], DRAW_MARK);
    cr_arena_free(&t->arena);
}

typedef struct draw_combination {
    const cr_draw *draw;
    const cr_score *score;
    bool uniform, scale;
} draw_combination;

static inline bool allowed(const draw_combination *c)
{
    return !c->scale || (c->draw->can_scale != NULL && c->draw->can_scale(c->uniform));
}

/* Call `check` for each draw with each score, with and without scale where that is allowed. */
static inline void for_each_combination(void (*check)(const draw_combination *))
{
    for (int d = 0; cr_draws[d] != NULL; d++)
        for (int s = 0; cr_score_names()[s] != NULL; s++)
            for (int scale = 0; scale < 2; scale++) {
                const cr_score *score = cr_score_find(cr_score_names()[s]);
                draw_combination c = {cr_draws[d], score, !score->needs_weights, scale == 1};
                if (allowed(&c))
                    check(&c);
            }
}

/* Fill t->pick with k channels by that combination; `step` goes into the key. */
static inline void draw_once(draw_trial *t, const draw_combination *c, int k, uint32_t step)
{
    t->request.k = k;
    t->request.share = (double)k / t->request.n;
    t->request.minimum = 1;
    t->request.uniform = c->uniform;
    t->request.scale = c->scale;
    t->request.key.step = step;
    ASSERT_OK(cr_sample_draw(&t->pick, c->draw, &t->request));
}

#endif
