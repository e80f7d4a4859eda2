/* format, describe: structs back to YAML that reads as the same, and the keys as text. */
#include "whole.h"

#include <math.h>

static void assert_round_trip(const whole *values)
{
    char *text = NULL;
    whole again;
    ASSERT_OK(cr_config_format(&text, whole_sections, values));
    ASSERT_OK(read_text(&again, text));
    assert_memory_equal(&again, values, sizeof again);
    CR_FREE(text);
}

static void formatted_text_is_yaml_by_sections(void **state)
{
    (void)state;
    whole v;
    char *text = NULL;
    ASSERT_OK(read_text(&v, whole_text));
    ASSERT_OK(cr_config_format(&text, whole_sections, &v));
    assert_string_equal(text, "seed: 4611686018427387904\n"
                              "batch: 50\n"
                              "deterministic: true\n"
                              "path: \"/data/my set\"\n"
                              "note: \"off\"\n"
                              "sampling:\n"
                              "  draw: replacement\n"
                              "  ratio: 0.4\n"
                              "  exact: [fc3]\n"
                              "  layers:\n"
                              "    fc1: 0.5\n"
                              "    \"conv*\": 1\n"
                              "  backward:\n"
                              "    ratio: 0.5\n"
                              "  minimum: 3\n"
                              "network:\n"
                              "  model: mlp\n"
                              "  sizes: [784, 500]\n"
                              "  dropout: 0\n");
    CR_FREE(text);
    assert_round_trip(&v);
    ASSERT_OK(read_text(&v, "{batch: 1, network: {model: wide}}"));
    assert_round_trip(&v);
}

static void odd_texts_come_back(void **state)
{
    (void)state;
    const char *const texts[] = {
        "",      "~",     "null",  "NO",        "1e3",          "a: b",
        "- a",   "#x",    " a ",   "a #b",      "tab\there",    "two\nlines",
        "q\"q",  "it's",  "b\\s",  "\x7f\x1b",  "\xc3\xbc",     "\xc2\x85\xc2\xa0",
        "[a]",   "{}",    "a,b",   "%a",        "\xef\xbb\xbf", "\xe2\x80\xa8 \xf0\x9f\x98\x80",
        "@a `b", "a: 'b", "&a *b", "trailing ", "!!str",        "\xef\xbf\xbe",
    };
    whole v;
    ASSERT_OK(read_text(&v, "batch: 1"));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        memset(v.note, 0, sizeof v.note);
        memset(v.path, 0, sizeof v.path);
        memset(&v.sampling.layers, 0, sizeof v.sampling.layers);
        memcpy(v.note, texts[i], strlen(texts[i]));
        memcpy(v.path, texts[i], strlen(texts[i]));
        memcpy(v.sampling.layers.name[0], texts[i], strlen(texts[i]));
        v.sampling.layers.value[0] = 0.5;
        v.sampling.layers.count = 1;
        assert_round_trip(&v);
    }
}

static void reals_come_back_bit_for_bit(void **state)
{
    (void)state;
    cr_random random = cr_random_start((cr_random_key){.seed = 3, .stream = CR_STREAM_TEST});
    whole v;
    ASSERT_OK(read_text(&v, "batch: 1"));
    const double odd[] = {0.1, 1.0 / 3, 0x1p-1074, 0x1p-1022, 1 - 0x1p-53, 1e-7, 0x1.fffffp-3};
    for (int i = 0; i < 200; i++) {
        v.sampling.ratio = i < 7 ? odd[i] : ldexp(cr_random_uniform(&random), -i);
        assert_round_trip(&v);
    }
    v.sampling.ratio = NAN;
    char *text = NULL;
    ASSERT_FAILS(cr_config_format(&text, whole_sections, &v), CR_INTERNAL,
                 "ratio: expected a finite");
}

/* ---- tables ---- */

static void description_has_every_key(void **state)
{
    (void)state;
    const char *const parts[] = {
        "\nsampling:\n  draw: top",
        "share of the channels kept; a number above 0 and at most 1\n",
        "\nsampling.backward:\n  ratio: 0.25",
        "how the channels kept are taken; one of top, replacement,\n",
        "  minimum: 10",
        "with model: mlp\n    sizes: [784, 10]",
        "with model: wide\n    depth: 28",
        "an integer of at least 1; required\n",
    };
    char *text = NULL;
    ASSERT_OK(cr_config_describe(&text, whole_sections));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(text, parts[i]) == NULL)
            fail_msg("expected '%s' in:\n%s", parts[i], text);
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 100);
    CR_FREE(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formatted_text_is_yaml_by_sections),
        cmocka_unit_test(odd_texts_come_back),
        cmocka_unit_test(reals_come_back_bit_for_bit),
        cmocka_unit_test(description_has_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
