/* golden: files of tests/golden, read record after record: a name, how many values, the values. */
#ifndef TEST_GOLDEN_H
#define TEST_GOLDEN_H

#include "check.h"

#include <stdlib.h>

enum { GOLDEN_MOST = 256 };

typedef struct golden {
    char *text; /* owned */
    char *at;   /* what is read next */
    char name[CR_WORD_MAX];
    int count;
    double value[GOLDEN_MOST]; /* of the record last read */
} golden;

/* The file tests/golden/<name>.txt; golden_close closes it. */
static inline void golden_open(golden *g, const char *name)
{
    char path[CR_PATH_MAX];
    size_t bytes = 0;
    (void)snprintf(path, sizeof path, SOURCE_DIR "/tests/golden/%s.txt", name);
    ASSERT_OK(cr_file_read(&g->text, &bytes, path));
    g->at = g->text;
}

/* The next record, which must have that name. */
static inline void golden_next(golden *g, const char *name)
{
    int used = 0;
    if (sscanf(g->at, "%63s %d%n", g->name, &g->count, &used) != 2 || strcmp(g->name, name) != 0 ||
        g->count > GOLDEN_MOST)
        fail_msg("expected %s, found %.40s", name, g->at);
    g->at += used;
    for (int i = 0; i < g->count; i++)
        g->value[i] = strtod(g->at, &g->at);
}

static inline double golden_number(golden *g, const char *name)
{
    golden_next(g, name);
    assert_int_equal(g->count, 1);
    return g->value[0];
}

/* All has been read, or records are left that nobody compared. */
static inline void golden_close(golden *g)
{
    assert_int_equal(strspn(g->at, " \n"), strlen(g->at));
    CR_FREE(g->text);
}

#endif
