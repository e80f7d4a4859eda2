/* config: YAML and overrides to structs, and what is said of bad input. */
#include "whole.h"

#include "../../src/config/nearest.h"

static cr_status read_override(const char *override)
{
    static whole values; /* too large for a stack frame by taste */
    return read_with(&values, "batch: 8\n", (const char *const[]){override, NULL});
}

#define ASSERT_REFUSED(text, message)                                                              \
    do {                                                                                           \
        whole refused_;                                                                            \
        ASSERT_FAILS(read_text(&refused_, text), CR_BAD_CONFIG, message);                          \
    } while (0)

#define ASSERT_OVERRIDE_REFUSED(override, message)                                                 \
    ASSERT_FAILS(read_override(override), CR_BAD_CONFIG, message)

/* ---- values ---- */

static void defaults_fill_what_is_not_given(void **state)
{
    (void)state;
    whole v;
    ASSERT_OK(read_text(&v, "batch: 8\nseed:\nnote: ~\nsampling:\n"));
    assert_int_equal(v.seed, 1);
    assert_int_equal(v.batch, 8);
    assert_false(v.deterministic);
    assert_string_equal(v.path, "");
    assert_string_equal(v.note, "none");
    assert_string_equal(v.sampling.draw, "top");
    assert_true(v.sampling.ratio == 1.0);
    assert_int_equal(v.sampling.exact.count, 0);
    assert_int_equal(v.sampling.layers.count, 0);
    assert_true(v.backward_ratio == 0.25);
    assert_int_equal(v.minimum, 10);
    assert_string_equal(v.model, "mlp");
    assert_int_equal(v.parameters.mlp.sizes.count, 2);
    assert_int_equal(v.parameters.mlp.sizes.value[0], 784);
}

static void every_kind_is_read(void **state)
{
    (void)state;
    whole v;
    ASSERT_OK(read_text(&v, whole_text));
    assert_true(v.seed == INT64_C(1) << 62);
    assert_int_equal(v.batch, 50);
    assert_true(v.deterministic);
    assert_string_equal(v.path, "/data/my set");
    assert_string_equal(v.note, "off");
    assert_string_equal(v.sampling.draw, "replacement");
    assert_true(v.sampling.ratio == 0.4);
    assert_int_equal(v.sampling.exact.count, 1); /* one without brackets is a list of one */
    assert_string_equal(v.sampling.exact.value[0], "fc3");
    assert_int_equal(v.sampling.layers.count, 2);
    assert_string_equal(v.sampling.layers.name[1], "conv*");
    assert_true(v.sampling.layers.value[0] == 0.5 && v.sampling.layers.value[1] == 1.0);
    assert_int_equal(v.minimum, 3);
    assert_true(v.backward_ratio == 0.5);
    assert_int_equal(v.parameters.mlp.sizes.count, 2);
    assert_int_equal(v.parameters.mlp.sizes.value[1], 500);
}

static void variants_follow_the_selector(void **state)
{
    (void)state;
    whole v;
    ASSERT_OK(read_text(&v, "{batch: 1, network: {depth: 16, model: wide}}"));
    assert_int_equal(v.parameters.wide.depth, 16);
    ASSERT_OK(read_text(&v, "{batch: 1, network: {model: plain}}"));
    ASSERT_REFUSED("batch: 1\nnetwork:\n  depth: 16\n",
                   "m.yaml:3: network.depth: goes with `model: wide`, found `model: mlp`");
    ASSERT_REFUSED("{batch: 1, network: {model: wide, depth: 9}}",
                   "network.depth: expected an integer of at least 10 and at most 1000, found `9`");
}

static void empty_documents_are_all_defaults(void **state)
{
    (void)state;
    const char *const texts[] = {"", "\n\n", "# nothing\n", "---\n", "--- ~\n", "{}"};
    whole v;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ASSERT_OK(read_with(&v, texts[i], (const char *const[]){"batch=4", NULL}));
        assert_int_equal(v.batch, 4);
        assert_int_equal(v.seed, 1);
    }
    ASSERT_REFUSED("", "m.yaml: batch: required, and not given");
    ASSERT_REFUSED("batch: null", "m.yaml: batch: required, and not given");
}

/* ---- overrides ---- */

static void overrides_beat_the_file_and_one_another(void **state)
{
    (void)state;
    whole v;
    const char *const overrides[] = {"sampling.ratio=0.3",
                                     "network.sizes=[784,500,10]",
                                     "sampling.layers={fc1: 0.5}",
                                     "sampling.layers.fc2=0.75",
                                     "sampling.backward.ratio=1",
                                     "sampling.ratio=0.2",
                                     "note=",
                                     NULL};
    ASSERT_OK(read_with(&v, whole_text, overrides));
    assert_true(v.sampling.ratio == 0.2);
    assert_int_equal(v.parameters.mlp.sizes.count, 3);
    assert_int_equal(v.sampling.layers.count, 2);
    assert_string_equal(v.sampling.layers.name[0], "fc1"); /* conv* was replaced with the map */
    assert_true(v.sampling.layers.value[1] == 0.75);
    assert_true(v.backward_ratio == 1.0);
    assert_string_equal(v.note, "none"); /* without a value: the default again */
    assert_string_equal(v.sampling.draw, "replacement");
}

static void bad_overrides_are_refused(void **state)
{
    (void)state;
    ASSERT_OVERRIDE_REFUSED("sampling.ratio", "-s sampling.ratio: expected KEY=VALUE");
    ASSERT_OVERRIDE_REFUSED("=3", "expected a key like");
    ASSERT_OVERRIDE_REFUSED("a..b=3", "expected a key like");
    ASSERT_OVERRIDE_REFUSED("a.b.c.d.e.f.g.h.i=3", "expected a key like");
    ASSERT_OVERRIDE_REFUSED("batch.size=3", "-s batch.size=3: expected a section at `batch`");
    ASSERT_OVERRIDE_REFUSED("sampling.ratio=2", "-s sampling.ratio=2: expected a number above 0");
    ASSERT_OVERRIDE_REFUSED("sampling={ratio: 2}",
                            "-s sampling={ratio: 2}: sampling.ratio: expected a number");
    ASSERT_OVERRIDE_REFUSED("sampling.ratoi=1",
                            "-s sampling.ratoi=1: unknown key; did you mean `sampling.ratio`?");
    ASSERT_OVERRIDE_REFUSED("network.sizes=[1,", "-s network.sizes=[1,: not valid YAML");
    ASSERT_OVERRIDE_REFUSED("sampling.exact=*", "while scanning an alias");
    char long_key[1000];
    memset(long_key, 'k', sizeof long_key);
    memcpy(long_key + 900, "=1", 3);
    ASSERT_OVERRIDE_REFUSED(long_key, "expected a key of less than");
}

/* ---- bad input ---- */

/* A list of keys is whole or not there. */
static void long_lists_are_left_out(void **state)
{
    (void)state;
    char hint[CR_HINT_MAX];
    cr_nearest nearest = cr_nearest_start("section.zzzzzz");
    cr_nearest_list(&nearest, "section.one");
    cr_nearest_list(&nearest, "other.two");
    cr_nearest_key_hint(hint, &nearest);
    assert_string_equal(hint, "; expected one of one");
    for (int i = 0; i < 60; i++)
        cr_nearest_list(&nearest, "section.another");
    cr_nearest_key_hint(hint, &nearest);
    assert_string_equal(hint, "");
}

static void unknown_keys_name_the_nearest(void **state)
{
    (void)state;
    ASSERT_REFUSED("batch: 1\nsampling:\n  ratoi: 0.5\n",
                   "m.yaml:3: sampling.ratoi: unknown key; did you mean `sampling.ratio`?");
    ASSERT_REFUSED("ratio: 0.5\n", "ratio: unknown key; did you mean `sampling.ratio`?");
    ASSERT_REFUSED("batch_size: 3\n", "did you mean `batch`?");
    ASSERT_REFUSED("samplign: {ratio: 1}\n", "samplign: unknown key; did you mean `sampling`?");
    ASSERT_REFUSED("sampling: {qqqqq: 1}", "unknown key; expected one of ");
    ASSERT_REFUSED("network: {dpeth: 16}", "did you mean `network.depth`?");
    ASSERT_REFUSED("batch: 1\nnetwork.model: mlp\n", "m.yaml:2: network.model: expected sections");
    ASSERT_REFUSED("'': {a: 1}\n", "unknown key");
    whole v;
    ASSERT_FAILS(read_text(&v, "zzzzzz: 1\n"), CR_BAD_CONFIG, "unknown key");
    assert_null(strstr(cr_error_message(), "did you mean"));
}

static void wrong_values_are_refused(void **state)
{
    (void)state;
    const char *const cases[][2] = {
        {"batch: 0", "m.yaml:1: batch: expected an integer of at least 1, found `0`"},
        {"batch: 1e6", "expected an integer of at least 1, found `1e6`"},
        {"batch: 1_000", "found `1_000`"},
        {"batch: 0x10", "found `0x10`"},
        {"batch: 010", "found `010`"},
        {"batch: 2147483648", "found `2147483648`"},
        {"seed: 99999999999999999999", "found `99999999999999999999`"},
        {"seed: -1", "seed: expected an integer of at least 0, found `-1`"},
        {"batch: '8'", "found the text \"8\""},
        {"batch: [8]", "expected an integer of at least 1, found a list"},
        {"batch: {n: 8}", "found a mapping"},
        {"deterministic: 1", "expected true or false, found `1`"},
        {"deterministic: 'true'", "expected true or false, found the text"},
        {"sampling: {ratio: 0}", "expected a number above 0 and at most 1, found `0`"},
        {"sampling: {ratio: 1.0001}", "found `1.0001`"},
        {"sampling: {ratio: .inf}", "found `.inf`"},
        {"sampling: {ratio: nan}", "found `nan`"},
        {"sampling: {ratio: 0x1p-1}", "found `0x1p-1`"},
        {"sampling: {ratio: 0.5e}", "found `0.5e`"},
        {"sampling: {ratio: 1-}", "found `1-`"},
        {"sampling: {draw: tpo}", "expected one of top, replacement, no_replacement, found `tpo`; "
                                  "did you mean `top`?"},
        {"sampling: {draw: ''}", "expected one of top"},
        {"sampling: {exact: [a, ~]}", "element 2: expected words, found nothing"},
        {"sampling: {exact: {a: 1}}", "expected words, found a mapping"},
        {"sampling: {layers: [0.5]}", "expected names with numbers above 0 and at most 1, found"},
        {"sampling: {layers: {fc1: 2}}", "`fc1`: expected names with numbers above 0"},
        {"sampling: {layers: {fc1: }}", "`fc1`: expected names with numbers"},
        {"network: {sizes: [3, 0]}", "element 2: expected integers of at least 1"},
        {"network: {sizes: [[3]]}", "element 1: expected integers of at least 1"},
        {"network: {model: mpl}", "did you mean `mlp`?"},
        {"sampling: 0.5", "sampling: expected a section (keys with values), found `0.5`"},
        {"sampling: {backward: crs}", "sampling.backward: expected a section"},
        {"note: 0123456789012345678901234567890123456789012345678901234567890123",
         "expected a text of fewer than 64 bytes, found 64"},
    };
    whole v;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool has_batch = strncmp(cases[i][0], "batch", 5) == 0; /* which is required */
        const char *const overrides[] = {has_batch ? NULL : "batch=8", NULL};
        ASSERT_FAILS(read_with(&v, cases[i][0], overrides), CR_BAD_CONFIG, cases[i][1]);
    }
}

static void lists_have_a_limit(void **state)
{
    (void)state;
    char text[600] = "{batch: 1, network: {sizes: [1";
    whole v;
    for (int i = 1; i < CR_LIST_MAX; i++)
        (void)strcat(text, ",1");
    char *end = text + strlen(text);
    memcpy(end, "]}}", 4);
    ASSERT_OK(read_text(&v, text));
    assert_int_equal(v.parameters.mlp.sizes.count, CR_LIST_MAX);
    memcpy(end, ",1]}}", 6);
    ASSERT_REFUSED(text, "expected at most 64 elements, found 65");
}

static void wrong_tables_are_our_own_fault(void **state)
{
    (void)state;
    static const cr_option bad_default[] = {
        {"n", CR_OPTION_INT, .offset = 0, .fallback = "many"},
        {.name = NULL},
    };
    const cr_section with_default[] = {{.name = "", .options = bad_default}, {.options = NULL}};
    const cr_section with_selector[] = {
        {.name = "a", .options = bad_default, .selector = "n", .variant = model_options},
        {.options = NULL},
    };
    cr_config *config = NULL;
    int n = 0;
    ASSERT_OK(cr_config_parse(&config, "", 0, "m.yaml", NULL, 0));
    ASSERT_FAILS(cr_config_bind(config, with_default, &n), CR_INTERNAL, "default of n: ");
    ASSERT_FAILS(cr_config_bind(config, with_selector, &n), CR_INTERNAL, "selector `n`");
    cr_config_free(&config);
}

/* A missing selector is named before the keys that would go with its values. */
static void required_selector_is_asked_for(void **state)
{
    (void)state;
    static const cr_option required[] = {
        {"model", CR_OPTION_WORD, .offset = 0, .words = models},
        {.name = NULL},
    };
    const cr_section table[] = {
        {"network", required, offsetof(whole, model), "model", model_options,
         offsetof(whole, parameters)},
        {.options = NULL},
    };
    const char text[] = "network: {depth: 16}";
    cr_config *config = NULL;
    whole v;
    ASSERT_OK(cr_config_parse(&config, text, strlen(text), "m.yaml", NULL, 0));
    ASSERT_FAILS(cr_config_bind(config, table, &v), CR_BAD_CONFIG,
                 "m.yaml: network.model: required, and not given");
    cr_config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_fill_what_is_not_given),
        cmocka_unit_test(every_kind_is_read),
        cmocka_unit_test(variants_follow_the_selector),
        cmocka_unit_test(empty_documents_are_all_defaults),
        cmocka_unit_test(overrides_beat_the_file_and_one_another),
        cmocka_unit_test(bad_overrides_are_refused),
        cmocka_unit_test(long_lists_are_left_out),
        cmocka_unit_test(unknown_keys_name_the_nearest),
        cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(lists_have_a_limit),
        cmocka_unit_test(wrong_tables_are_our_own_fault),
        cmocka_unit_test(required_selector_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
