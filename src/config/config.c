/* config: a configuration, from a file or a text and the overrides on top of it. */
#include "node.h"

#include <sys/stat.h>

enum { FILE_MAX = 64 * 1024 }; /* B: more is not a configuration but a file given by mistake */

/* Parse the root of a configuration: a map, or nothing, which is an empty one. */
static cr_status parse_root(cr_config *config, const char *text, size_t bytes)
{
    char found[CR_FOUND_MAX];
    cr_node *root = NULL;
    CR_CHECK(bytes <= FILE_MAX, CR_BAD_CONFIG,
             "%s: expected a configuration of at most %d bytes, found %zu", config->name, FILE_MAX,
             bytes);
    CR_TRY(cr_document_parse(&config->tree, &root, text, bytes, config->name, true));
    if (root == NULL || cr_node_is_null(root))
        CR_TRY(cr_node_create(&config->tree, &root, CR_NODE_MAP, config->name));
    cr_node_found(found, root);
    CR_CHECK(root->kind == CR_NODE_MAP, CR_BAD_CONFIG, "%s: expected keys with values, found %s",
             root->where, found);
    config->tree.root = root;
    return CR_OK;
}

cr_status cr_config_load(cr_config **out, const char *path, const char *const *overrides, int count)
{
    char *text = NULL;
    size_t bytes = 0;
    struct stat info;
    bool huge = stat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > FILE_MAX;
    CR_CHECK(!huge, CR_BAD_CONFIG, "%s: expected a configuration of at most %d bytes, found %lld",
             path, FILE_MAX, (long long)info.st_size);
    cr_status status = cr_file_read(&text, &bytes, path);
    if (status != CR_OK)
        return status == CR_BAD_DATA ? CR_BAD_CONFIG : status; /* the message fits as it is */
    CR_TRY_GOTO(cr_config_parse(out, text, bytes, path, overrides, count));
done:
    CR_FREE(text);
    return status;
}

cr_status cr_config_parse(cr_config **out, const char *text, size_t bytes, const char *name,
                          const char *const *overrides, int count)
{
    cr_status status = CR_OK;
    cr_config *config = NULL;
    CR_TRY_GOTO(cr_alloc((void **)&config, sizeof *config));
    CR_TRY_GOTO(cr_tree_text(&config->tree, &config->name, "%s", name));
    CR_TRY_GOTO(parse_root(config, text, bytes));
    for (int i = 0; i < count; i++)
        CR_TRY_GOTO(cr_override_apply(&config->tree, overrides[i]));
    *out = config;
    config = NULL;
done:
    cr_config_free(&config);
    return status;
}

void cr_config_free(cr_config **config)
{
    if (*config != NULL)
        cr_tree_free(&(*config)->tree);
    CR_FREE(*config);
}

const cr_node *cr_config_root(const cr_config *config)
{
    return config->tree.root;
}

cr_status cr_config_put(cr_config *config, const char *key, const cr_node *value)
{
    cr_node *copy = NULL;
    CR_TRY(cr_node_copy(&config->tree, &copy, value));
    cr_status status = cr_node_put(&config->tree, key, copy);
    return status == CR_OK ? CR_OK : cr_fail_prefix(status, "%s: %s", value->where, key);
}

cr_status cr_config_override(cr_config *config, const char *override)
{
    CR_TRY(cr_override_apply(&config->tree, override));
    return CR_OK;
}

bool cr_config_has(const cr_config *config, const char *key)
{
    const cr_node *node = cr_node_at(config->tree.root, key);
    return node != NULL && !cr_node_is_null(node);
}

const char *cr_config_where(const cr_config *config, const char *key)
{
    return cr_config_has(config, key) ? cr_node_at(config->tree.root, key)->where : "default";
}
