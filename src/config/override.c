/* override: "-s key.path=yaml value" put over what the file says. */
#include "node.h"

#include <stdio.h>
#include <string.h>

enum { LEVELS_MAX = 8 };

/* Is `path` made of 1 to LEVELS_MAX keys, none of them empty? */
static bool is_path(const char *path)
{
    int levels = 1;
    for (const char *dot = strchr(path, '.'); dot != NULL; dot = strchr(dot + 1, '.'))
        levels++;
    size_t length = strlen(path);
    return length > 0 && levels <= LEVELS_MAX && path[0] != '.' && path[length - 1] != '.' &&
           strstr(path, "..") == NULL;
}

static cr_status split(char path[CR_KEY_MAX], const char **value, const char *override)
{
    const char *equals = strchr(override, '=');
    CR_CHECK(equals != NULL, CR_BAD_CONFIG, "-s %.160s: expected KEY=VALUE, found no `=`",
             override);
    size_t length = (size_t)(equals - override);
    CR_CHECK(length < CR_KEY_MAX, CR_BAD_CONFIG,
             "-s %.60s...: expected a key of less than %d bytes, found %zu", override, CR_KEY_MAX,
             length);
    (void)snprintf(path, CR_KEY_MAX, "%.*s", (int)length, override);
    CR_CHECK(is_path(path), CR_BAD_CONFIG,
             "-s %.160s: expected a key like `sampling.ratio` before the `=`, found `%s`", override,
             path);
    *value = equals + 1;
    return CR_OK;
}

cr_status cr_override_apply(cr_tree *tree, const char *override)
{
    char path[CR_KEY_MAX];
    const char *value = "";
    const char *name = NULL;
    cr_node *node = NULL;
    CR_TRY(split(path, &value, override));
    CR_TRY(cr_tree_text(tree, &name, "-s %s", override));
    CR_TRY(cr_document_parse(tree, &node, value, strlen(value), name, false));
    if (node == NULL) { /* `key=`: the default again */
        CR_TRY(cr_node_scalar(tree, &node, "", true));
        node->where = name;
    }
    cr_status status = cr_node_put(tree, path, node);
    return status == CR_OK ? CR_OK : cr_fail_prefix(status, "-s %.160s", override);
}
