/*
 * collect: from folders of runs to cells, the medians over rounds, and what each is compared with.
 *
 *     strong scaling   the same batch on R ranks:        efficiency  R0 T0 / (R T)
 *     weak scaling     the same batch a rank:            efficiency  T0 / T
 *
 * T: seconds of a step; R0, T0: of the fewest ranks that there are of the series.
 */
#include "run.h"

#include "colrow/train.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- medians over rounds --------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of the field at `offset` in cells [count]; NaN when one of them has none. */
static double median(const cr_scaling_cell *cells, int count, size_t offset)
{
    double values[CR_LIST_MAX];
    count = count < CR_LIST_MAX ? count : CR_LIST_MAX;
    for (int i = 0; i < count; i++) {
        memcpy(&values[i], (const char *)&cells[i] + offset, sizeof values[i]);
        if (isnan(values[i]))
            return NAN;
    }
    qsort(values, (size_t)count, sizeof *values, compare_numbers);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static cr_scaling_cell merge(const cr_scaling_cell *cells, int count)
{
    cr_scaling_cell one = cells[0];
    one.runs = count;
    one.step_ms = median(cells, count, offsetof(cr_scaling_cell, step_ms));
    one.comm_ms = median(cells, count, offsetof(cr_scaling_cell, comm_ms));
    one.comm_wait_ms = median(cells, count, offsetof(cr_scaling_cell, comm_wait_ms));
    one.comm_lead_ms = median(cells, count, offsetof(cr_scaling_cell, comm_lead_ms));
    one.wire_bytes = median(cells, count, offsetof(cr_scaling_cell, wire_bytes));
    one.dense_bytes = median(cells, count, offsetof(cr_scaling_cell, dense_bytes));
    for (size_t p = 0; p < CR_PHASES; p++)
        one.phase_ms[p] =
            median(cells, count, offsetof(cr_scaling_cell, phase_ms) + p * sizeof(double));
    return one;
}

/* Exact first, then falling ratios; by ranks; by batch. */
static int compare_cells(const void *a, const void *b)
{
    const cr_scaling_cell *x = a;
    const cr_scaling_cell *y = b;
    if (x->ratio != y->ratio)
        return x->ratio < y->ratio ? 1 : -1;
    if (x->ranks != y->ranks)
        return x->ranks < y->ranks ? -1 : 1;
    return (x->batch > y->batch) - (x->batch < y->batch);
}

/* Runs to cells, in place. */
static void merge_all(cr_scaling *scaling)
{
    int cells = 0;
    scaling->runs = scaling->count;
    qsort(scaling->cells, (size_t)scaling->count, sizeof *scaling->cells, compare_cells);
    for (int first = 0, next = 0; first < scaling->count; first = next) {
        while (next < scaling->count &&
               compare_cells(&scaling->cells[first], &scaling->cells[next]) == 0)
            next++;
        scaling->cells[cells++] = merge(&scaling->cells[first], next - first);
    }
    scaling->count = cells;
}

/* ---- what belongs together ------------------------------------------------------------------- */

static bool same_batch(const cr_scaling_cell *a, const cr_scaling_cell *b)
{
    return a->batch == b->batch;
}

static bool same_share(const cr_scaling_cell *a, const cr_scaling_cell *b)
{
    return (int64_t)a->batch * b->ranks == (int64_t)b->batch * a->ranks;
}

static double strong_efficiency(const cr_scaling_cell *base, const cr_scaling_cell *cell)
{
    return base->ranks * base->step_ms / (cell->ranks * cell->step_ms);
}

static double weak_efficiency(const cr_scaling_cell *base, const cr_scaling_cell *cell)
{
    return base->step_ms / cell->step_ms;
}

const cr_scaling_kind cr_scaling_kinds[2] = {{"strong", same_batch, strong_efficiency},
                                             {"weak", same_share, weak_efficiency}};

/* Has the cell another one to be compared with? */
static bool has_partner(const cr_scaling *scaling, const cr_scaling_kind *kind,
                        const cr_scaling_cell *cell)
{
    for (int i = 0; i < scaling->count; i++) {
        const cr_scaling_cell *other = &scaling->cells[i];
        if (other != cell && other->ratio == cell->ratio && kind->pairs(other, cell))
            return true;
    }
    return false;
}

const cr_scaling_cell *cr_scaling_base(const cr_scaling *scaling, const cr_scaling_kind *kind,
                                       const cr_scaling_cell *cell)
{
    const cr_scaling_kind *strong = &cr_scaling_kinds[0];
    const cr_scaling_kind *weak = &cr_scaling_kinds[1];
    if (!has_partner(scaling, kind, cell))
        return kind == strong && !has_partner(scaling, weak, cell) ? cell : NULL;
    const cr_scaling_cell *base = scaling->cells; /* those of a ratio ascend by ranks */
    while (base->ratio != cell->ratio || !kind->pairs(base, cell))
        base++;
    return base;
}

const cr_scaling_cell *cr_scaling_exact(const cr_scaling *scaling, const cr_scaling_cell *cell)
{
    for (int i = 0; i < scaling->count; i++) {
        const cr_scaling_cell *other = &scaling->cells[i];
        if (other->ratio == 1 && other->ranks == cell->ranks && other->batch == cell->batch)
            return other;
    }
    return NULL;
}

double cr_scaling_hidden(const cr_scaling_cell *cell)
{
    return cr_hidden_share(cell->comm_ms, cell->comm_wait_ms, cell->comm_lead_ms);
}

/* Fewest ranks of any cell. */
static int fewest(const cr_scaling *scaling)
{
    int least = scaling->cells[0].ranks;
    for (int i = 1; i < scaling->count; i++)
        least = scaling->cells[i].ranks < least ? scaling->cells[i].ranks : least;
    return least;
}

/* A cell of more ranks than the fewest has something to be compared with, and an exact twin. */
static cr_status check_cell(const cr_scaling *scaling, const cr_scaling_cell *cell, int least)
{
    bool alone = true;
    for (int k = 0; k < 2; k++) {
        const cr_scaling_cell *base = cr_scaling_base(scaling, &cr_scaling_kinds[k], cell);
        alone = alone && (base == NULL || base == cell);
    }
    CR_CHECK(
        cr_scaling_exact(scaling, cell) != NULL, CR_BAD_DATA,
        "%s: sampling.ratio: expected an exact run of %d ranks and batch %d beside this one of "
        "ratio %g, found none",
        cell->folder, cell->ranks, cell->batch, cell->ratio);
    CR_CHECK(cell->ranks == least || !alone, CR_BAD_DATA,
             "%s: batch: expected the batch of a run of ratio %g on fewer ranks (strong scaling), "
             "or its batch a rank (weak), found %d on %d ranks",
             cell->folder, cell->ratio, cell->batch, cell->ranks);
    return CR_OK;
}

static cr_status check_cells(const cr_scaling *scaling)
{
    int least = fewest(scaling);
    for (int i = 0; i < scaling->count; i++)
        CR_TRY(check_cell(scaling, &scaling->cells[i], least));
    return CR_OK;
}

/* ---- folders --------------------------------------------------------------------------------- */

typedef struct collection {
    cr_scaling *scaling;
    cr_identity identity; /* of the first run; owned */
} collection;

static cr_status add_run(collection *all, const char *folder)
{
    cr_scaling *scaling = all->scaling;
    cr_identity identity = {.config = NULL};
    CR_TRY(cr_reserve((void **)&scaling->cells, scaling->count, sizeof *scaling->cells));
    cr_scaling_cell *cell = &scaling->cells[scaling->count];
    CR_TRY(cr_scaling_run_read(cell, &identity, folder));
    scaling->count++;
    if (scaling->count == 1) {
        all->identity = identity;
        return CR_OK;
    }
    cr_status status = cr_scaling_run_compare(&scaling->cells[0], &all->identity, cell, &identity);
    cr_identity_free(&identity);
    return status;
}

static bool is_run(const char *folder)
{
    char path[CR_PATH_MAX];
    return cr_path_join(path, folder, "config.yaml") == CR_OK && access(path, F_OK) == 0;
}

/* The runs directly below `folder`, by name. */
static cr_status add_below(collection *all, const char *folder)
{
    struct dirent **names = NULL;
    cr_status status = CR_OK;
    int before = all->scaling->count;
    int count = scandir(folder, &names, NULL, alphasort);
    CR_CHECK(count >= 0, CR_BAD_DATA, "%s: cannot open: %s", folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        char path[CR_PATH_MAX];
        if (status == CR_OK)
            status = cr_path_join(path, folder, names[i]->d_name);
        if (status == CR_OK && names[i]->d_name[0] != '.' && is_run(path))
            status = add_run(all, path);
        free(names[i]);
    }
    free(names);
    CR_TRY(status);
    CR_CHECK(all->scaling->count > before, CR_BAD_DATA,
             "%s: expected a run, or runs below it, found no config.yaml", folder);
    return CR_OK;
}

static cr_status collect(collection *all, const char *const *paths, int count)
{
    for (int i = 0; i < count; i++)
        CR_TRY(is_run(paths[i]) ? add_run(all, paths[i]) : add_below(all, paths[i]));
    return CR_OK;
}

/* All runs are read: make cells of them. */
static cr_status arrange(cr_scaling *scaling, const cr_identity *identity)
{
    CR_CHECK(scaling->cells != NULL, CR_BAD_DATA, "expected a run, found none");
    merge_all(scaling);
    memcpy(scaling->version, identity->version, sizeof scaling->version);
    memcpy(scaling->engine, identity->engine, sizeof scaling->engine);
    memcpy(scaling->numbers, identity->numbers, sizeof scaling->numbers);
    return check_cells(scaling);
}

cr_status cr_scaling_read(cr_scaling *out, const char *const *paths, int count)
{
    cr_scaling read = {.cells = NULL};
    collection all = {.scaling = &read};
    cr_status status = collect(&all, paths, count);
    if (status == CR_OK)
        status = arrange(&read, &all.identity);
    cr_identity_free(&all.identity);
    if (status == CR_OK)
        *out = read;
    else
        cr_scaling_free(&read);
    return status;
}

void cr_scaling_free(cr_scaling *scaling)
{
    CR_FREE(scaling->cells);
    scaling->count = 0;
}
