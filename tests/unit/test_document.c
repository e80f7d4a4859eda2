/* document: where things stand in YAML, and YAML that is refused. No tables: only parsing. */
#include "check.h"

#include "colrow/config.h"

#include <stdlib.h>
#include <unistd.h>

static cr_status parse(const char *text)
{
    cr_config *config = NULL;
    cr_status status = cr_config_parse(&config, text, strlen(text), "m.yaml", NULL, 0);
    cr_config_free(&config);
    return status;
}

static void documents_can_be_walked(void **state)
{
    (void)state;
    cr_config *config = NULL;
    char found[CR_FOUND_MAX];
    const char text[] = "b: [1, two]\n"
                        "a: {}\n";
    ASSERT_OK(cr_config_parse(&config, text, strlen(text), "m.yaml", NULL, 0));
    const cr_node *list = cr_config_root(config)->first;
    assert_string_equal(list->key, "b"); /* in the order of the text */
    assert_int_equal(list->kind, CR_NODE_LIST);
    assert_string_equal(list->first->text, "1");
    assert_string_equal(list->first->next->text, "two");
    assert_null(list->first->next->next);
    assert_string_equal(list->next->where, "m.yaml:2");
    assert_ptr_equal(cr_node_at(cr_config_root(config), "a"), list->next);
    cr_node_found(found, list->next);
    assert_string_equal(found, "a mapping");
    cr_config_free(&config);
}

/* Values of one document over another: whole, each with its place; the other stays as it is. */
static void values_are_laid_over_a_document(void **state)
{
    (void)state;
    cr_config *under = NULL, *over = NULL;
    const char text[] = "a: {b: 1, c: 2}\nd: 3\n";
    const char values[] = "x: 4\n"
                          "y: {e: 5, f: {g: 6}}\n";
    ASSERT_OK(cr_config_parse(&under, text, strlen(text), "m.yaml", NULL, 0));
    ASSERT_OK(cr_config_parse(&over, values, strlen(values), "n.yaml", NULL, 0));
    const cr_node *root = cr_config_root(over);
    ASSERT_OK(cr_config_put(under, "a.b", cr_node_at(root, "x")));
    ASSERT_OK(cr_config_put(under, "d", cr_node_at(root, "y")));
    assert_string_equal(cr_config_where(under, "a.b"), "n.yaml:1");
    assert_string_equal(cr_config_where(under, "a.c"), "m.yaml:1");
    assert_string_equal(cr_config_where(under, "d.f.g"), "n.yaml:2");
    assert_string_equal(cr_node_at(cr_config_root(under), "d.e")->text, "5");
    ASSERT_OK(cr_config_override(under, "d.e=7"));
    assert_string_equal(cr_node_at(cr_config_root(under), "d.e")->text, "7");
    assert_string_equal(cr_node_at(root, "y.e")->text, "5");
    ASSERT_FAILS(cr_config_put(under, "a.b.h", root->first), CR_BAD_CONFIG,
                 "n.yaml:1: a.b.h: expected a section at `a.b`");
    cr_config_free(&under);
    cr_config_free(&over);
}

static void hints_name_the_nearest_word(void **state)
{
    (void)state;
    const char *const words[] = {"base", "set", "vary", NULL};
    char hint[CR_HINT_MAX];
    cr_config_hint(hint, "vray", words);
    assert_string_equal(hint, "; did you mean `vary`?");
    cr_config_hint(hint, "something", words);
    assert_string_equal(hint, "");
}

static void where_tells_file_and_line_or_override(void **state)
{
    (void)state;
    cr_config *config = NULL;
    const char *const overrides[] = {"sampling.ratio=0.3", "seed="};
    const char text[] = "# a comment\n"
                        "seed: 4\n"
                        "sampling:\n"
                        "  ratio: 0.4\n"
                        "  layers: {fc1: 0.5}\n"
                        "network:\n"
                        "  sizes:\n"
                        "    - 784\n"
                        "  model: mlp\n";
    ASSERT_OK(cr_config_parse(&config, text, strlen(text), "m.yaml", overrides, 2));
    assert_string_equal(cr_config_where(config, "sampling.ratio"), "-s sampling.ratio=0.3");
    assert_string_equal(cr_config_where(config, "sampling.layers"), "m.yaml:5");
    assert_string_equal(cr_config_where(config, "sampling.layers.fc1"), "m.yaml:5");
    assert_string_equal(cr_config_where(config, "network.sizes"), "m.yaml:7");
    assert_string_equal(cr_config_where(config, "sampling.scores"), "default");
    assert_string_equal(cr_config_where(config, "seed"), "default");
    assert_true(cr_config_has(config, "network.model"));
    assert_true(cr_config_has(config, "network"));
    assert_false(cr_config_has(config, "seed"));
    assert_false(cr_config_has(config, "network.model.mlp"));
    assert_false(cr_config_has(config, "net"));
    cr_config_free(&config);
    cr_config_free(&config); /* again: NULL */
}

static void bad_yaml_is_refused_with_its_line(void **state)
{
    (void)state;
    const char *const cases[][2] = {
        {"batch: 1\nbatch: 2\n", "m.yaml:2: key `batch` stands twice, first at m.yaml:1"},
        {"batch: 1\nsampling:\n\tratio: 1\n", "m.yaml:3: not valid YAML: indentation needs spaces"},
        {"batch: 1\n: : {\n", "not valid YAML"},
        {"batch: 1\nnote: \"open\n", "not valid YAML"},
        {"batch: 1\nnote: a\x01", "m.yaml:2: not valid YAML: control characters"},
        {"batch: 1\n\n\xff\xfe\x80", "m.yaml:3: not valid YAML"},
        {"- a\n- b\n", "m.yaml:1: expected keys with values, found a list"},
        {"hello", "m.yaml:1: expected keys with values, found `hello`"},
        {"a: 1\n---\nb: 2\n", "expected one document, found another"},
        {"batch: 1\nnote: *x\n", "m.yaml:2: expected a value, found the alias `*x`"},
        {"note: &x a\n", "m.yaml:1: expected a value, found the anchor or tag `x`"},
        {"note: !!str 5\n", "found the anchor or tag"},
        {"? [a, b]\n: 1\n", "expected a key, found a list"},
        {"note: \"a\\0b\"\n", "m.yaml:1: expected text, found a zero byte"},
        {"a: [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n", "expected at most 16 levels"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ASSERT_FAILS(parse(cases[i][0]), CR_BAD_CONFIG, cases[i][1]);
}

static void files_are_loaded_or_refused(void **state)
{
    (void)state;
    char folder[] = "/tmp/colrow-config-XXXXXX";
    char path[CR_PATH_MAX];
    static const char large[70 * 1024]; /* more than the limit; zeros */
    cr_config *config = NULL;
    assert_non_null(mkdtemp(folder));
    ASSERT_OK(cr_path_join(path, folder, "a.yaml"));
    ASSERT_FAILS(cr_config_load(&config, path, NULL, 0), CR_BAD_CONFIG, "a.yaml: cannot open");
    ASSERT_FAILS(cr_config_load(&config, folder, NULL, 0), CR_BAD_CONFIG, "expected a file");
    ASSERT_OK(cr_file_write(path, "\nbatch: 3\n", 10));
    ASSERT_OK(cr_config_load(&config, path, NULL, 0));
    assert_non_null(strstr(cr_config_where(config, "batch"), "/a.yaml:2"));
    cr_config_free(&config);
    ASSERT_OK(cr_file_write(path, large, sizeof large));
    ASSERT_FAILS(cr_config_load(&config, path, NULL, 0), CR_BAD_CONFIG, "at most 65536 bytes");
    assert_null(config);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_tells_file_and_line_or_override),
        cmocka_unit_test(documents_can_be_walked),
        cmocka_unit_test(values_are_laid_over_a_document),
        cmocka_unit_test(hints_name_the_nearest_word),
        cmocka_unit_test(bad_yaml_is_refused_with_its_line),
        cmocka_unit_test(files_are_loaded_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
