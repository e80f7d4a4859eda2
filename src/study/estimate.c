/* estimate: one way of estimating a product, as a word: DRAW/SCORES or DRAW/SCORES/scale. */
#include "study.h"

#include <stdio.h>
#include <string.h>

/* The next piece of *text up to a slash or the end; *text moves behind it. */
static void next_piece(cr_word piece, const char **text)
{
    size_t length = strcspn(*text, "/");
    (void)snprintf(piece, sizeof(cr_word), "%.*s", (int)length, *text);
    *text += length + ((*text)[length] == '/');
}

cr_status cr_estimate_parse(cr_estimate *out, const char *text)
{
    cr_word draw, scale;
    cr_estimate estimate = {0};
    const char *rest = text;
    next_piece(draw, &rest);
    next_piece(estimate.scores, &rest);
    next_piece(scale, &rest);
    const cr_score *score = cr_score_find(estimate.scores);
    estimate.draw = cr_draw_find(draw);
    estimate.scale = strcmp(scale, "scale") == 0;
    estimate.uniform = score != NULL && !score->needs_inputs && !score->needs_weights;
    CR_CHECK(estimate.draw != NULL, CR_BAD_CONFIG,
             "estimates: expected DRAW/SCORES or DRAW/SCORES/scale, found '%s': no draw is called "
             "'%s'",
             text, draw);
    CR_CHECK(score != NULL || strcmp(estimate.scores, "optimal") == 0, CR_BAD_CONFIG,
             "estimates: expected scores norm, weight_norm, uniform or optimal, found '%s' in '%s'",
             estimate.scores, text);
    CR_CHECK((estimate.scale || scale[0] == '\0') && rest[0] == '\0', CR_BAD_CONFIG,
             "estimates: expected 'scale' or nothing after the scores, found '%s'", text);
    bool closed_form =
        estimate.draw->can_scale != NULL && estimate.draw->can_scale(estimate.uniform);
    CR_CHECK(!estimate.scale || closed_form, CR_BAD_CONFIG,
             "estimates: %s: draw '%s' with these scores has no unbiased weights in closed form",
             text, draw);
    *out = estimate;
    return CR_OK;
}
