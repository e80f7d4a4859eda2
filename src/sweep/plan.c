/*
 * plan: the YAML of a sweep to a list of runs (sweep.h shows what it looks like).
 *
 * The runs of a grid are numbered with the last axis fastest. Their configurations are not kept:
 * combine.c puts each together where it is wanted.
 */
#include "colrow/sweep.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const keys[] = {"base", "set", "vary", NULL};

static cr_status refuse(const cr_node *node, const char *expected)
{
    char found[CR_FOUND_MAX];
    cr_node_found(found, node);
    return cr_fail(CR_BAD_CONFIG, __FILE__, __LINE__, "%s: %s%sexpected %s, found %s", node->where,
                   node->key != NULL ? node->key : "", node->key != NULL ? ": " : "", expected,
                   found);
}

static bool is_empty(const cr_node *node)
{
    return node->kind != CR_NODE_SCALAR && node->first == NULL;
}

/* ---- axes ------------------------------------------------------------------------------------ */

static cr_status check_name(const cr_node *node, const char *name)
{
    bool good = name[0] != '\0' && name[0] != '.' && strlen(name) < CR_WORD_MAX;
    for (const char *c = name; *c != '\0'; c++)
        good = good && (isalnum((unsigned char)*c) || strchr("._+-", *c) != NULL);
    CR_CHECK(good, CR_BAD_CONFIG,
             "%s: expected a name for a folder, of fewer than %d letters, digits and ._+- in it, "
             "found `%.60s`",
             node->where, CR_WORD_MAX, name);
    return CR_OK;
}

/* A value as a name: its text; of a list, the texts with `-` between them. */
static cr_status name_value(cr_word name, const cr_node *value)
{
    char text[CR_FOUND_MAX] = "";
    if (value->kind == CR_NODE_MAP || cr_node_is_null(value))
        return refuse(value, "a value of the key");
    if (value->kind == CR_NODE_SCALAR)
        (void)snprintf(text, sizeof text, "%s", value->text);
    for (const cr_node *n = value->first; n != NULL; n = n->next) {
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof text - used, "%s%s", used > 0 ? "-" : "",
                       n->kind == CR_NODE_SCALAR ? n->text : "");
    }
    CR_TRY(check_name(value, text));
    (void)snprintf(name, CR_WORD_MAX, "%s", text);
    return CR_OK;
}

static cr_status name_set(cr_word name, const cr_node *set)
{
    CR_TRY(check_name(set, set->key));
    (void)snprintf(name, CR_WORD_MAX, "%s", set->key);
    return set->kind == CR_NODE_MAP ? CR_OK
                                    : refuse(set, "overrides such as {sampling.ratio: 0.4}");
}

/* The elements of a list or map become choices. */
static cr_status read_choices(cr_axis *axis, const cr_node *node)
{
    axis->count = 0;
    for (const cr_node *n = node->first; n != NULL; n = n->next) {
        CR_CHECK(axis->count < CR_LIST_MAX, CR_BAD_CONFIG, "%s: %s: expected at most %d choices",
                 n->where, axis->name, CR_LIST_MAX);
        cr_choice *choice = &axis->choices[axis->count++];
        choice->value = n;
        CR_TRY(axis->keyed ? name_value(choice->name, n) : name_set(choice->name, n));
    }
    return CR_OK;
}

/* Is `text` the scalar `node`, or an element of the list? */
static bool is_listed(const cr_node *node, const char *text)
{
    if (node->kind == CR_NODE_SCALAR)
        return strcmp(node->text, text) == 0;
    for (const cr_node *n = node->first; n != NULL; n = n->next)
        if (n->kind == CR_NODE_SCALAR && strcmp(n->text, text) == 0)
            return true;
    return false;
}

static void keep_listed(cr_axis *axis, const cr_node *names)
{
    int kept = 0;
    for (int i = 0; i < axis->count; i++)
        if (is_listed(names, axis->choices[i].name))
            axis->choices[kept++] = axis->choices[i];
    axis->count = kept;
}

/* What an override says of the axis; NULL when none does. */
static const cr_node *override_of(const cr_sweep *sweep, const char *axis)
{
    return cr_node_at(cr_config_root(sweep->shorter), axis);
}

/* -s with the name of an axis: other values, or fewer sets. */
static cr_status shorten(cr_axis *axis, const cr_node *by)
{
    if (!axis->keyed) {
        keep_listed(axis, by);
        return CR_OK;
    }
    if (by->kind == CR_NODE_LIST)
        return is_empty(by) ? refuse(by, "at least one value") : read_choices(axis, by);
    axis->count = 1;
    axis->choices[0].value = by;
    return name_value(axis->choices[0].name, by);
}

static cr_status read_axis(cr_axis *axis, const cr_sweep *sweep, const cr_node *node)
{
    const cr_node *by = override_of(sweep, node->key);
    axis->name = node->key;
    axis->keyed = node->kind == CR_NODE_LIST;
    if (node->kind == CR_NODE_SCALAR)
        return refuse(node, "a list of values, or sets of overrides by name");
    if (is_empty(node))
        return refuse(node, axis->keyed ? "at least one value" : "at least one set of overrides");
    CR_TRY(read_choices(axis, node));
    return by != NULL ? shorten(axis, by) : CR_OK;
}

/* ---- grids -------------------------------------------------------------------------------- */

static int size_of(const cr_grid *grid)
{
    int64_t size = 1;
    for (int a = 0; a < grid->count && size <= CR_SWEEP_RUNS_MAX; a++)
        size *= grid->axes[a].count;
    return size <= CR_SWEEP_RUNS_MAX ? (int)size : CR_SWEEP_RUNS_MAX + 1;
}

/* One whose axes an override has emptied is left out. */
static cr_status read_grid(cr_sweep *sweep, const cr_node *axes)
{
    CR_CHECK(sweep->grid_count < CR_GRIDS_MAX, CR_BAD_CONFIG,
             "%s: vary: expected at most %d maps of axes", axes->where, CR_GRIDS_MAX);
    cr_grid *grid = &sweep->grids[sweep->grid_count];
    if (axes->kind != CR_NODE_MAP || is_empty(axes))
        return refuse(axes, "axes, such as `seed: [1, 2, 3]`");
    grid->count = 0;
    for (const cr_node *n = axes->first; n != NULL; n = n->next) {
        CR_CHECK(grid->count < CR_AXES_MAX, CR_BAD_CONFIG, "%s: %s: expected at most %d axes",
                 n->where, n->key, CR_AXES_MAX);
        CR_TRY(read_axis(&grid->axes[grid->count++], sweep, n));
    }
    sweep->grid_count += size_of(grid) > 0;
    return CR_OK;
}

static cr_status read_vary(cr_sweep *sweep, const cr_node *vary)
{
    CR_CHECK(vary != NULL, CR_BAD_CONFIG, "%s: vary: required, and not given", sweep->path);
    if (vary->kind != CR_NODE_LIST)
        return read_grid(sweep, vary);
    if (is_empty(vary))
        return refuse(vary, "at least one map of axes");
    for (const cr_node *n = vary->first; n != NULL; n = n->next)
        CR_TRY(read_grid(sweep, n));
    return CR_OK;
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* Choices of run number `number` of its grid. */
static void choose(cr_sweep_run *run, const cr_grid *grid, int number)
{
    run->grid = grid;
    for (int a = grid->count - 1; a >= 0; a--) {
        run->choice[a] = number % grid->axes[a].count;
        number /= grid->axes[a].count;
    }
    const char *const none[] = {NULL};
    cr_sweep_label(run->name, run, none);
}

static cr_status check_names(const cr_sweep *sweep)
{
    for (int i = 0; i < sweep->run_count; i++) {
        CR_CHECK(strlen(sweep->runs[i].name) < CR_RUN_NAME_MAX - 1, CR_BAD_CONFIG,
                 "%s: names of runs: expected fewer than %d bytes, found %s...", sweep->path,
                 CR_RUN_NAME_MAX - 1, sweep->runs[i].name);
        for (int j = 0; j < i; j++)
            CR_CHECK(strcmp(sweep->runs[i].name, sweep->runs[j].name) != 0, CR_BAD_CONFIG,
                     "%s: vary: two runs would have the name %s", sweep->path, sweep->runs[i].name);
    }
    return CR_OK;
}

static cr_status list_runs(cr_sweep *sweep)
{
    int count = 0;
    for (int p = 0; p < sweep->grid_count && count <= CR_SWEEP_RUNS_MAX; p++)
        count += size_of(&sweep->grids[p]);
    CR_CHECK(count > 0, CR_BAD_CONFIG, "%s: expected a run, found none that the -s leave over",
             sweep->path);
    CR_CHECK(count <= CR_SWEEP_RUNS_MAX, CR_BAD_CONFIG, "%s: vary: expected at most %d runs",
             sweep->path, CR_SWEEP_RUNS_MAX);
    CR_TRY(cr_alloc((void **)&sweep->runs, (size_t)count * sizeof *sweep->runs));
    for (int p = 0; p < sweep->grid_count; p++)
        for (int i = 0; i < size_of(&sweep->grids[p]); i++)
            choose(&sweep->runs[sweep->run_count++], &sweep->grids[p], i);
    return check_names(sweep);
}

/* Every set that an override picks must be one: some run has chosen it. */
static cr_status check_picked(const cr_sweep *sweep, const char *axis, const cr_node *name)
{
    bool found = false;
    for (int i = 0; i < sweep->run_count; i++)
        found = found || strcmp(cr_sweep_choice(&sweep->runs[i], axis), name->text) == 0;
    CR_CHECK(found, CR_BAD_CONFIG, "%s: expected sets of the axis %s, found `%s`", name->where,
             axis, name->text);
    return CR_OK;
}

static cr_status check_axis_picked(const cr_sweep *sweep, const cr_axis *axis)
{
    const cr_node *by = override_of(sweep, axis->name);
    if (by == NULL || axis->keyed)
        return CR_OK;
    if (by->kind == CR_NODE_SCALAR)
        return check_picked(sweep, axis->name, by);
    for (const cr_node *n = by->first; n != NULL; n = n->next)
        CR_TRY(n->kind == CR_NODE_SCALAR ? check_picked(sweep, axis->name, n)
                                         : refuse(n, "the name of a set"));
    return CR_OK;
}

static cr_status check_all_picked(const cr_sweep *sweep)
{
    for (int p = 0; p < sweep->grid_count; p++)
        for (int a = 0; a < sweep->grids[p].count; a++)
            CR_TRY(check_axis_picked(sweep, &sweep->grids[p].axes[a]));
    return CR_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static cr_status check_keys(const cr_node *root)
{
    char hint[CR_HINT_MAX];
    for (const cr_node *n = root->first; n != NULL; n = n->next) {
        bool known = false;
        for (int i = 0; keys[i] != NULL; i++)
            known = known || strcmp(keys[i], n->key) == 0;
        cr_config_hint(hint, n->key, keys);
        CR_CHECK(known, CR_BAD_CONFIG, "%s: %s: unknown key%s", n->where, n->key, hint);
    }
    const cr_node *set = cr_node_at(root, "set");
    if (set != NULL && set->kind != CR_NODE_MAP && !cr_node_is_null(set))
        return refuse(set, "overrides such as {epochs: 20}");
    return CR_OK;
}

static cr_status read_plan(cr_sweep *sweep, const char *path)
{
    size_t bytes = CR_GRIDS_MAX * sizeof *sweep->grids;
    (void)snprintf(sweep->path, sizeof sweep->path, "%s", path);
    CR_TRY(cr_config_parse(&sweep->shorter, "", 0, "-s", sweep->overrides, sweep->override_count));
    CR_TRY(cr_config_load(&sweep->document, path, NULL, 0));
    CR_TRY(cr_alloc((void **)&sweep->grids, bytes));
    CR_TRY(check_keys(cr_config_root(sweep->document)));
    CR_TRY(read_vary(sweep, cr_node_at(cr_config_root(sweep->document), "vary")));
    CR_TRY(list_runs(sweep));
    return check_all_picked(sweep);
}

cr_status cr_sweep_load(cr_sweep **out, const char *path, const char *const *overrides, int count)
{
    cr_status status = CR_OK;
    cr_sweep *sweep = NULL;
    CR_TRY_GOTO(cr_alloc((void **)&sweep, sizeof *sweep));
    sweep->overrides = overrides;
    sweep->override_count = count;
    CR_TRY_GOTO(read_plan(sweep, path));
    *out = sweep;
    sweep = NULL;
done:
    cr_sweep_free(&sweep);
    return status;
}

void cr_sweep_free(cr_sweep **sweep)
{
    if (*sweep == NULL)
        return;
    cr_config_free(&(*sweep)->document);
    cr_config_free(&(*sweep)->shorter);
    CR_FREE((*sweep)->grids);
    CR_FREE((*sweep)->runs);
    CR_FREE(*sweep);
}
