/* items: lists of things of several kinds, one in another: read, refused, described, written. */
#include "check.h"

#include "colrow/config.h"

#include <limits.h>

/* ---- a program that stacks boxes, which may have boxes in them ---- */

typedef struct ball {
    int size;
    double weight;
    bool hollow;
} ball;

static const char *const *fillings(void)
{
    static const char *const words[] = {"solid", "hollow", NULL};
    return words;
}

static cr_item_kind kind_at(int i);

static const cr_option ball_options[] = {
    {.name = "size",
     .kind = CR_OPTION_INT,
     .offset = offsetof(ball, size),
     .low = 1,
     .high = INT_MAX,
     .help = "in cm"},
    {.name = "weight", .kind = CR_OPTION_REAL, .offset = offsetof(ball, weight), .fallback = "0.5"},
    {.name = "filling",
     .kind = CR_OPTION_BOOL,
     .offset = offsetof(ball, hollow),
     .fallback = "solid",
     .words = fillings},
    {.name = NULL},
};

static const cr_option box_options[] = {
    {.name = "lid", .kind = CR_OPTION_ITEMS, .fallback = "[]", .kinds = kind_at},
    {.name = "inside", .kind = CR_OPTION_ITEMS, .kinds = kind_at, .help = "what it holds"},
    {.name = NULL},
};

static cr_item_kind kind_at(int i)
{
    static const cr_item_kind kinds[] = {
        {"ball", ball_options}, {"box", box_options}, {"feather", NULL}, {NULL, NULL}};
    return kinds[i];
}

typedef struct whole {
    int before;
    cr_items things;
    int behind;
} whole;

static const cr_option options[] = {
    {.name = "before", .kind = CR_OPTION_INT, .offset = offsetof(whole, before), .fallback = "1"},
    {.name = "things",
     .kind = CR_OPTION_ITEMS,
     .offset = offsetof(whole, things),
     .kinds = kind_at,
     .help = "what is stacked"},
    {.name = "behind", .kind = CR_OPTION_INT, .offset = offsetof(whole, behind), .fallback = "2"},
    {.name = NULL},
};

static const cr_section sections[] = {{.name = "stack", .options = options}, {.options = NULL}};

/* ---- helpers ---- */

static cr_status read_with(whole *values, const char *text, const char *override)
{
    cr_config *config = NULL;
    memset(values, 0, sizeof *values);
    cr_status status =
        cr_config_parse(&config, text, strlen(text), "m.yaml", &override, override != NULL);
    if (status == CR_OK)
        status = cr_config_bind(config, sections, values);
    cr_config_free(&config);
    return status;
}

static const char full[] = "stack:\n"
                           "  things:\n"
                           "    - feather\n"
                           "    - ball: {size: 3, filling: hollow}\n"
                           "    - box:\n"
                           "        inside:\n"
                           "          - box: {name: inner, inside: [feather, ball: {size: 4}]}\n"
                           "          - feather:\n"
                           "        lid: [ball: {size: 5, name: knob, weight: 1e-3}]\n"
                           "    - feather: {name: last}\n"
                           "  behind: 7\n";

static whole values; /* too large for a stack frame by taste */

/* ---- reading ---- */

static void elements_lie_one_after_another(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *list, *name;
        int depth, line;
    } expected[] = {
        {"feather", "things", "", 0, 3},      {"ball", "things", "", 0, 4},
        {"box", "things", "", 0, 5},          {"ball", "lid", "knob", 1, 9},
        {"box", "inside", "inner", 1, 7},     {"feather", "inside", "", 2, 7},
        {"ball", "inside", "", 2, 7},         {"feather", "inside", "", 1, 8},
        {"feather", "things", "last", 0, 10},
    };
    ASSERT_OK(read_with(&values, full, NULL));
    assert_int_equal(values.things.count, sizeof expected / sizeof *expected);
    for (int i = 0; i < values.things.count; i++) {
        const cr_item *item = &values.things.at[i];
        assert_string_equal(item->kind, expected[i].kind);
        assert_string_equal(item->list, expected[i].list);
        assert_string_equal(item->name, expected[i].name);
        assert_int_equal(item->depth, expected[i].depth);
        assert_int_equal(item->line, expected[i].line);
    }
    assert_string_equal(values.things.from, "m.yaml");
    ball first, knob;
    memcpy(&first, values.things.at[1].values, sizeof first);
    memcpy(&knob, values.things.at[3].values, sizeof knob);
    assert_int_equal(first.size, 3);
    assert_true(first.hollow && first.weight == 0.5);
    assert_true(knob.size == 5 && !knob.hollow && knob.weight == 1e-3);
    assert_int_equal(values.before, 1);
    assert_int_equal(values.behind, 7);
}

static void an_override_replaces_the_list(void **state)
{
    (void)state;
    ASSERT_OK(read_with(&values, full, "stack.things=[ball: {size: 9}, feather]"));
    assert_int_equal(values.things.count, 2);
    assert_int_equal(values.things.at[0].line, 0);
    assert_string_equal(values.things.from, "-s stack.things=[ball: {size: 9}, feather]");
    assert_int_equal(((const ball *)(const void *)values.things.at[0].values)->size, 9);
    ASSERT_OK(read_with(&values, full, "stack.things=[]"));
    assert_int_equal(values.things.count, 0);
    ASSERT_FAILS(read_with(&values, full, "stack.things=[ball: {size: 0}]"), CR_BAD_CONFIG,
                 "-s stack.things=[ball: {size: 0}]: stack.things.ball.size: expected an integer "
                 "of at least 1, found `0`");
    ASSERT_FAILS(read_with(&values, full, "stack.things.1.size=3"), CR_BAD_CONFIG,
                 "expected a section at `stack.things`");
}

static void wrong_elements_are_refused(void **state)
{
    (void)state;
    const char *const cases[][2] = {
        {"bal: {size: 1}",
         "m.yaml:3: stack.things: expected one of ball, box, feather, found `bal`; "
         "did you mean `ball`?"},
        {"umbrella", "expected one of ball, box, feather, found `umbrella`"},
        {"ball", "m.yaml:3: stack.things.ball.size: required, and not given"},
        {"ball: {}", "m.yaml:3: stack.things.ball.size: required, and not given"},
        {"ball: {size: 0}", "m.yaml:3: stack.things.ball.size: expected an integer of at least 1"},
        {"ball: {size: 1, wieght: 1}", "m.yaml:3: stack.things.ball.wieght: unknown key; did you "
                                       "mean `stack.things.ball.weight`?"},
        {"ball: {size: 1, filling: holow}", "expected one of solid, hollow, found `holow`"},
        {"ball: {size: 1, filling: true}", "expected one of solid, hollow, found `true`"},
        {"ball: {size: 1, name: [a]}", "stack.things.ball.name: expected a word, found a list"},
        {"ball: 1", "m.yaml:3: stack.things.ball: expected options like {size: ...}, found `1`"},
        {"feather: {size: 1}", "stack.things.feather.size: unknown key; expected one of name"},
        {"{ball: , size: 1}", "m.yaml:3: stack.things: expected one key, with what belongs to it "
                              "indented further, found `ball` and `size`"},
        {"[feather]",
         "stack.things: expected elements like `word` or `word: {key: value}`, found a "
         "list"},
        {"", "expected elements like `word` or `word: {key: value}`, found nothing"},
        {"{}", "expected elements like `word` or `word: {key: value}`, found a mapping"},
        {"box", "m.yaml:3: stack.things.box.inside: required, and not given"},
        {"box: {inside: feather}", "m.yaml:3: stack.things.box.inside: expected a list, found "
                                   "`feather`"},
        {"box: {inside: [\n      feather, fether]}",
         "m.yaml:4: stack.things.box.inside: expected one of ball, box, feather, found `fether`; "
         "did you mean `feather`?"},
        {"box: {inside: [\n      ball: {\n      size: 0}]}",
         "m.yaml:5: stack.things.box.inside.ball.size: expected an integer"},
    };
    char text[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(text, sizeof text, "stack:\n  things:\n    - %s\n", cases[i][0]);
        ASSERT_FAILS(read_with(&values, text, NULL), CR_BAD_CONFIG, cases[i][1]);
    }
    ASSERT_FAILS(read_with(&values, "stack: {things: 3}", NULL), CR_BAD_CONFIG,
                 "m.yaml:1: stack.things: expected a list, found `3`");
    ASSERT_FAILS(read_with(&values, "stack: {things: }", NULL), CR_BAD_CONFIG,
                 "m.yaml: stack.things: required, and not given");
}

static void there_is_a_most(void **state)
{
    (void)state;
    char text[32 + 9 * (CR_ITEMS_MAX + 1)] = "stack: {things: [feather";
    char *end = text + strlen(text);
    for (int i = 1; i < CR_ITEMS_MAX; i++, end += 9)
        memcpy(end, ", feather", 9);
    memcpy(end, "]}", 3);
    ASSERT_OK(read_with(&values, text, NULL));
    assert_int_equal(values.things.count, CR_ITEMS_MAX);
    memcpy(end, ",box: {inside: []}]}", 21);
    ASSERT_FAILS(read_with(&values, text, NULL), CR_BAD_CONFIG,
                 "stack.things: expected at most 256 elements, found more");
}

/* ---- writing ---- */

static void what_is_written_reads_back(void **state)
{
    (void)state;
    static whole again;
    char *text = NULL;
    ASSERT_OK(read_with(&values, full, NULL));
    ASSERT_OK(cr_config_format(&text, sections, &values));
    assert_string_equal(text,
                        "stack:\n"
                        "  before: 1\n"
                        "  things:\n"
                        "    - feather\n"
                        "    - ball: {size: 3, weight: 0.5, filling: hollow}\n"
                        "    - box:\n"
                        "        lid:\n"
                        "          - ball: {name: knob, size: 5, weight: 0.001, filling: solid}\n"
                        "        inside:\n"
                        "          - box:\n"
                        "              name: inner\n"
                        "              lid: []\n"
                        "              inside:\n"
                        "                - feather\n"
                        "                - ball: {size: 4, weight: 0.5, filling: solid}\n"
                        "          - feather\n"
                        "    - feather: {name: last}\n"
                        "  behind: 7\n");
    ASSERT_OK(read_with(&again, text, NULL));
    memcpy(again.things.from, values.things.from, sizeof again.things.from);
    for (int i = 0; i < values.things.count; i++)
        again.things.at[i].line = values.things.at[i].line;
    assert_memory_equal(&again, &values, sizeof again);
    CR_FREE(text);
    ASSERT_OK(read_with(&values, "stack: {things: []}", NULL));
    ASSERT_OK(cr_config_format(&text, sections, &values));
    assert_string_equal(text, "stack:\n  before: 1\n  things: []\n  behind: 2\n");
    CR_FREE(text);
}

static void description_has_every_kind(void **state)
{
    (void)state;
    const char *const parts[] = {
        "\n  things:                      what is stacked; a list; required\n"
        "    - ball:\n"
        "        size:                  in cm; an integer of at least 1; required\n",
        "\n        filling: solid         one of solid, hollow\n"
        "    - box:\n"
        "        lid: []                a list\n"
        "        inside:                what it holds; a list; required\n"
        "    - feather\n"
        "  behind: 2",
    };
    char *text = NULL;
    ASSERT_OK(cr_config_describe(&text, sections));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(text, parts[i]) == NULL)
            fail_msg("expected '%s' in:\n%s", parts[i], text);
    CR_FREE(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_lie_one_after_another),
        cmocka_unit_test(an_override_replaces_the_list),
        cmocka_unit_test(wrong_elements_are_refused),
        cmocka_unit_test(there_is_a_most),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(description_has_every_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
