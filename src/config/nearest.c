/*
 * nearest: the known word that a misspelt one was probably meant to be.
 *
 * Distance is the optimal string alignment distance (Damerau 1964, restricted edits): the number of
 * letters inserted, dropped, replaced or swapped with their neighbour. A key may also stand in the
 * wrong section, which counts as one edit.
 */
#include "nearest.h"

#include "node.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Distance of a and b, both cut to CR_KEY_MAX letters. Three rows of the table d[i][j] are kept. */
static int edits(const char *a, const char *b)
{
    int rows[3][CR_KEY_MAX + 1];
    int length_a = (int)strnlen(a, CR_KEY_MAX);
    int length_b = (int)strnlen(b, CR_KEY_MAX);
    for (int j = 0; j <= length_b; j++)
        rows[0][j] = j;
    for (int i = 1; i <= length_a; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i + 2) % 3];
        const int *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= length_b; j++) {
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], above2[j - 2] + 1);
        }
    }
    return rows[length_a % 3][length_b];
}

static const char *last_key(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL ? dot + 1 : path;
}

cr_nearest cr_nearest_start(const char *word)
{
    return (cr_nearest){.word = word, .best = NULL, .distance = INT_MAX};
}

void cr_nearest_offer(cr_nearest *nearest, const char *candidate)
{
    int moved = edits(last_key(nearest->word), last_key(candidate)) + 1;
    int distance = least(edits(nearest->word, candidate), moved);
    int letters = (int)strnlen(last_key(nearest->word), CR_KEY_MAX);
    if (distance >= nearest->distance || distance > (letters + 1) / 2) /* half of it is wrong */
        return;
    nearest->best = candidate;
    nearest->distance = distance;
}

void cr_nearest_hint(char out[CR_HINT_MAX], const cr_nearest *nearest)
{
    out[0] = '\0';
    if (nearest->best != NULL)
        (void)snprintf(out, CR_HINT_MAX, "; did you mean `%s`?", nearest->best);
}

void cr_nearest_list(cr_nearest *nearest, const char *candidate)
{
    size_t section = (size_t)(last_key(nearest->word) - nearest->word);
    size_t used = strlen(nearest->listed);
    const char *key = last_key(candidate);
    if ((size_t)(key - candidate) != section || strncmp(candidate, nearest->word, section) != 0)
        return;
    int length = snprintf(nearest->listed + used, sizeof nearest->listed - used, "%s%s",
                          used > 0 ? ", " : "", key);
    nearest->crowded |= length < 0 || (size_t)length >= sizeof nearest->listed - used;
}

void cr_nearest_key_hint(char out[CR_HINT_MAX], const cr_nearest *nearest)
{
    cr_nearest_hint(out, nearest);
    if (nearest->best == NULL && !nearest->crowded && nearest->listed[0] != '\0')
        (void)snprintf(out, CR_HINT_MAX, "; expected one of %s", nearest->listed);
}

void cr_config_hint(char out[CR_HINT_MAX], const char *found, const char *const *words)
{
    cr_nearest nearest = cr_nearest_start(found);
    for (; *words != NULL; words++)
        cr_nearest_offer(&nearest, *words);
    cr_nearest_hint(out, &nearest);
}
