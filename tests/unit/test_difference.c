/* difference: the first value that differs between two configurations, by its key. */
#include "check.h"

#include "colrow/config.h"

static void assert_difference(const char *expected, const char *found, const char *difference)
{
    char out[CR_DIFFERENCE_MAX];
    ASSERT_OK(cr_config_difference(out, expected, found));
    assert_string_equal(out, difference);
}

static void the_first_is_named_by_its_key(void **state)
{
    (void)state;
    assert_difference("a: 1\nb: {c: 2, d: {e: 3}}\n", "a: 1\nb: {c: 2, d: {e: 4}}\n",
                      "b.d.e: 3, found 4");
    assert_difference("a: 1\nb: 2\n", "a: 3\nb: 4\n", "a: 1, found 3");
    assert_difference("a: \"no\"\n", "a: \"b c\"\n", "a: \"no\", found \"b c\"");
    assert_difference("a: \n", "a: x\n", "a: , found x");
}

/* Other keys are there because of a word before them; names that a user gave have no order. */
static void what_has_other_keys_differs_as_a_whole(void **state)
{
    (void)state;
    assert_difference("network: {model: mlp, sizes: [2]}", "network: {model: wide, depth: 2}",
                      "network.model: mlp, found wide");
    assert_difference("a: {fc1: 0.5, fc2: 1}", "a: {fc1: 0.5, \"fc*\": 1}",
                      "a: {fc1: 0.5, fc2: 1}, found {fc1: 0.5, \"fc*\": 1}");
    assert_difference("a: {fc1: 0.5}", "a: {}", "a: {fc1: 0.5}, found {}");
}

static void lists_are_shown_whole_but_for_elements_with_options(void **state)
{
    (void)state;
    assert_difference("a: [1, 2]", "a: [1, 3]", "a: [1, 2], found [1, 3]");
    assert_difference("a: [1]", "a: [1, 2]", "a: [1], found [1, 2]");
    assert_difference("a: [{dense: {c: 1, d: 2}}, relu]", "a: [{dense: {c: 1, d: 3}}, relu]",
                      "a.dense.d: 2, found 3");
    assert_difference("a: [relu, {dense: {c: 1}}]", "a: [relu, relu]",
                      "a: {dense: {c: 1}}, found relu");
}

static void equal_texts_have_none(void **state)
{
    (void)state;
    assert_difference("a: [1, {b: c}]\n", "a:\n  - 1\n  - b: c\n", "");
    assert_difference("", "", "");
}

static void long_values_are_cut(void **state)
{
    (void)state;
    char text[300] = "a: ";
    char out[CR_DIFFERENCE_MAX];
    memset(text + 3, 'x', sizeof text - 4);
    ASSERT_OK(cr_config_difference(out, "a: b", text));
    assert_int_equal(strlen(out), strlen("a: b, found ") + 119);
    assert_non_null(strstr(out, "xx..."));
    ASSERT_FAILS(cr_config_difference(out, "a: b", "a: ["), CR_BAD_CONFIG, "not valid YAML");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_named_by_its_key),
        cmocka_unit_test(what_has_other_keys_differs_as_a_whole),
        cmocka_unit_test(lists_are_shown_whole_but_for_elements_with_options),
        cmocka_unit_test(equal_texts_have_none),
        cmocka_unit_test(long_values_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
