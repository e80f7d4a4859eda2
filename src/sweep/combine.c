/*
 * combine: what a run of a sweep is made from: the base, then `set`, then the run's choices, then
 * the overrides of the command line, each over the one before. Every value remembers the line where
 * it stands, so that messages name it.
 */
#include "colrow/sweep.h"

#include <stdio.h>
#include <string.h>

/* A word that sets of overrides may have besides keys: which file they are put over. */
static const char base_key[] = "base";

static bool is_any_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

/* The last part of a key: what tells values apart from each other in a name. */
static const char *short_key(const char *key)
{
    const char *dot = strrchr(key, '.');
    return dot != NULL ? dot + 1 : key;
}

void cr_sweep_label(char out[CR_RUN_NAME_MAX], const cr_sweep_run *run, const char *const *without)
{
    size_t used = 0;
    out[0] = '\0';
    for (int a = 0; a < run->grid->count && used < CR_RUN_NAME_MAX; a++) {
        const cr_axis *axis = &run->grid->axes[a];
        if (is_any_of(axis->name, without))
            continue;
        used += (size_t)snprintf(out + used, CR_RUN_NAME_MAX - used, "%s%s%s%s",
                                 used > 0 ? "," : "", axis->keyed ? short_key(axis->name) : "",
                                 axis->keyed ? "=" : "", axis->choices[run->choice[a]].name);
    }
}

const char *cr_sweep_choice(const cr_sweep_run *run, const char *name)
{
    for (int a = 0; a < run->grid->count; a++)
        if (strcmp(run->grid->axes[a].name, name) == 0)
            return run->grid->axes[a].choices[run->choice[a]].name;
    return "";
}

/* ---- the base -------------------------------------------------------------------------------- */

/* The `base` that counts: of the last choice that has one, or the sweep's. */
static const cr_node *find_base(const cr_sweep *sweep, const cr_sweep_run *run)
{
    const cr_node *base = cr_node_at(cr_config_root(sweep->document), base_key);
    for (int a = 0; a < run->grid->count; a++) {
        const cr_axis *axis = &run->grid->axes[a];
        const cr_node *own = cr_node_at(axis->choices[run->choice[a]].value, base_key);
        if (!axis->keyed && own != NULL)
            base = own;
    }
    return base;
}

/* A relative path is one from the sweep's own folder. */
static cr_status locate(char out[CR_PATH_MAX], const char *sweep, const char *base)
{
    const char *slash = strrchr(sweep, '/');
    int folder = slash != NULL && base[0] != '/' ? (int)(slash + 1 - sweep) : 0;
    int length = snprintf(out, CR_PATH_MAX, "%.*s%s", folder, sweep, base);
    CR_CHECK(length < CR_PATH_MAX, CR_BAD_CONFIG, "path longer than %d bytes: %.60s...",
             CR_PATH_MAX - 1, out);
    return CR_OK;
}

static cr_status load_base(cr_config **out, const cr_sweep *sweep, const cr_sweep_run *run)
{
    char path[CR_PATH_MAX];
    char found[CR_FOUND_MAX];
    const cr_node *base = find_base(sweep, run);
    CR_CHECK(base != NULL, CR_BAD_CONFIG, "%s: base: required, and not given", sweep->path);
    cr_node_found(found, base);
    CR_CHECK(base->kind == CR_NODE_SCALAR && !cr_node_is_null(base), CR_BAD_CONFIG,
             "%s: base: expected a configuration file, found %s", base->where, found);
    CR_TRY(locate(path, sweep->path, base->text));
    cr_status status = cr_config_load(out, path, NULL, 0);
    return status == CR_OK ? CR_OK : cr_fail_prefix(status, "%s: base", base->where);
}

/* ---- what is put over it --------------------------------------------------------------------- */

static cr_status put_all(cr_config *config, const cr_node *overrides)
{
    for (const cr_node *n = overrides->first; n != NULL; n = n->next)
        if (strcmp(n->key, base_key) != 0)
            CR_TRY(cr_config_put(config, n->key, n));
    return CR_OK;
}

static cr_status put_choices(cr_config *config, const cr_sweep_run *run)
{
    for (int a = 0; a < run->grid->count; a++) {
        const cr_axis *axis = &run->grid->axes[a];
        const cr_node *value = axis->choices[run->choice[a]].value;
        CR_TRY(axis->keyed ? cr_config_put(config, axis->name, value) : put_all(config, value));
    }
    return CR_OK;
}

/* Is "KEY=VALUE" about an axis? Then the plan has taken it in already. */
static bool is_of_axis(const cr_sweep *sweep, const char *override)
{
    size_t length = strcspn(override, "=");
    for (int p = 0; p < sweep->grid_count; p++)
        for (int a = 0; a < sweep->grids[p].count; a++) {
            const char *name = sweep->grids[p].axes[a].name;
            if (strlen(name) == length && strncmp(name, override, length) == 0)
                return true;
        }
    return false;
}

static cr_status combine(cr_config *config, const cr_sweep *sweep, const cr_sweep_run *run)
{
    const cr_node *set = cr_node_at(cr_config_root(sweep->document), "set");
    if (set != NULL)
        CR_TRY(put_all(config, set));
    CR_TRY(put_choices(config, run));
    for (int i = 0; i < sweep->override_count; i++)
        if (!is_of_axis(sweep, sweep->overrides[i]))
            CR_TRY(cr_config_override(config, sweep->overrides[i]));
    return CR_OK;
}

cr_status cr_sweep_options(cr_run_options *options, const cr_sweep *sweep, const cr_sweep_run *run)
{
    cr_status status = CR_OK;
    cr_config *config = NULL;
    char name[CR_PATH_MAX + CR_RUN_NAME_MAX];
    (void)snprintf(name, sizeof name, "%s: %s", sweep->path, run->name);
    CR_TRY_GOTO(load_base(&config, sweep, run));
    CR_TRY_GOTO(combine(config, sweep, run));
    memset(options, 0, sizeof *options); /* also what no key fills: options are compared as text */
    CR_TRY_GOTO(cr_options_bind(options, config, name));
done:
    cr_config_free(&config);
    return status;
}
