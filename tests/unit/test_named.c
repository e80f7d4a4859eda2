/* named: names that a user gives, with options of their own or one value; and the way back. */
#include "check.h"

#include "colrow/config.h"

typedef struct pet {
    double weight;
    int legs;
    cr_word color;
} pet;

typedef struct pets {
    cr_words names;
    pet at[CR_LIST_MAX];
} pets;

typedef struct house {
    int rooms;
    pets pets;
    int behind;
} house;

static const char *const *colors(void)
{
    static const char *const words[] = {"black", "white", NULL};
    return words;
}

#define AT(type, field) .offset = offsetof(type, field)

static const cr_option pet_options[] = {
    {"weight", CR_OPTION_REAL, AT(pet, weight), .fallback = "", .low = 0, .high = 50,
     .above = true},
    {"legs", CR_OPTION_INT, AT(pet, legs), .fallback = "", .low = 1, .high = 8},
    {"color", CR_OPTION_WORD, AT(pet, color), .fallback = "", .words = colors},
    {.name = NULL},
};

static const cr_option house_options[] = {
    {"rooms", CR_OPTION_INT, AT(house, rooms), .fallback = "1", .low = 1, .high = 9},
    {"pets", CR_OPTION_NAMED, AT(house, pets), .fallback = "{}", .fields = pet_options,
     .bytes = sizeof(pet), .first = offsetof(pets, at), .help = "who lives there"},
    {"behind", CR_OPTION_INT, AT(house, behind), .fallback = "2", .low = 1, .high = 9},
    {.name = NULL},
};

static const cr_section sections[] = {
    {.name = "house", .options = house_options},
    {.options = NULL},
};

static house values, again; /* too large for a stack frame by taste */

static cr_status read_with(house *to, const char *text, const char *override)
{
    cr_config *config = NULL;
    memset(to, 0, sizeof *to);
    cr_status status =
        cr_config_parse(&config, text, strlen(text), "m.yaml", &override, override != NULL ? 1 : 0);
    if (status == CR_OK)
        status = cr_config_bind(config, sections, to);
    cr_config_free(&config);
    return status;
}

static const char full[] = "house:\n"
                           "  pets:\n"
                           "    rex: 20\n"
                           "    \"cat*\":\n"
                           "      color: black\n"
                           "      legs: 4\n"
                           "    a.b: {weight: 0.5, legs: 6, color: }\n"
                           "    nobody: {}\n";

static void what_is_not_given_is_zero(void **state)
{
    (void)state;
    ASSERT_OK(read_with(&values, full, NULL));
    const pets *all = &values.pets;
    const char *const names[] = {"rex", "cat*", "a.b", "nobody"};
    assert_int_equal(all->names.count, 4);
    for (int i = 0; i < 4; i++)
        assert_string_equal(all->names.value[i], names[i]);
    assert_true(all->at[0].weight == 20 && all->at[1].weight == 0 && all->at[2].weight == 0.5);
    assert_true(all->at[0].legs == 0 && all->at[1].legs == 4 && all->at[2].legs == 6);
    assert_string_equal(all->at[1].color, "black");
    assert_string_equal(all->at[2].color, "");
    assert_true(values.rooms == 1 && values.behind == 2);
}

static void overrides_reach_a_name_and_its_options(void **state)
{
    (void)state;
    ASSERT_OK(read_with(&values, full, "house.pets.rex=30"));
    assert_true(values.pets.names.count == 4 && values.pets.at[0].weight == 30);
    ASSERT_OK(read_with(&values, full, "house.pets.cat*.legs=3"));
    assert_int_equal(values.pets.at[1].legs, 3);
    assert_string_equal(values.pets.at[1].color, "black");
    ASSERT_OK(read_with(&values, full, "house.pets={}"));
    assert_int_equal(values.pets.names.count, 0);
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    char *text = NULL;
    ASSERT_OK(read_with(&values, full, NULL));
    ASSERT_OK(cr_config_format(&text, sections, &values));
    assert_string_equal(text, "house:\n"
                              "  rooms: 1\n"
                              "  pets:\n"
                              "    rex: 20\n"
                              "    \"cat*\":\n"
                              "      legs: 4\n"
                              "      color: black\n"
                              "    a.b:\n"
                              "      weight: 0.5\n"
                              "      legs: 6\n"
                              "    nobody: {}\n"
                              "  behind: 2\n");
    ASSERT_OK(read_with(&again, text, NULL));
    assert_memory_equal(&again, &values, sizeof again);
    CR_FREE(text);
    ASSERT_OK(cr_config_describe(&text, sections));
    assert_non_null(strstr(text, "\n    weight:"));
    assert_non_null(strstr(text, "one of black, white"));
    CR_FREE(text);
}

static void wrong_values_are_refused_by_their_line(void **state)
{
    (void)state;
    const char *const cases[][2] = {
        {"rex: 51", "m.yaml:3: house.pets.rex: expected a number above 0 and at most 50, found "
                    "`51`"},
        {"rex: 0", "m.yaml:3: house.pets.rex: expected a number above 0"},
        {"rex:", "m.yaml:3: house.pets.rex: expected a number above 0 and at most 50, found noth"},
        {"rex: [1]", "m.yaml:3: house.pets.rex: expected a number above 0"},
        {"rex:\n      legs: 4\n      color: red",
         "m.yaml:5: house.pets.rex.color: expected one of black, white, found `red`"},
        {"rex:\n      lags: 4", "m.yaml:4: house.pets.rex.lags: unknown key; did you mean `legs`?"},
        {"rex: {legs: 4, weight: {}}", "m.yaml:3: house.pets.rex.weight: expected a number"},
        {"0123456789012345678901234567890123456789012345678901234567890123: 1",
         "m.yaml:3: house.pets: expected names of fewer than 64 bytes"},
    };
    char text[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(text, sizeof text, "house:\n  pets:\n    %s\n", cases[i][0]);
        ASSERT_FAILS(read_with(&values, text, NULL), CR_BAD_CONFIG, cases[i][1]);
    }
    ASSERT_FAILS(read_with(&values, "house: {pets: [1]}", NULL), CR_BAD_CONFIG,
                 "m.yaml:1: house.pets: expected names with values or options, found a list");
    ASSERT_FAILS(read_with(&values, full, "house.pets.rex=-1"), CR_BAD_CONFIG,
                 "-s house.pets.rex=-1: expected a number above 0");
}

static void there_is_a_most(void **state)
{
    (void)state;
    char text[32 + 8 * (CR_LIST_MAX + 1)] = "house: {pets: {";
    char *end = text + strlen(text);
    for (int i = 0; i <= CR_LIST_MAX; i++, end += 7)
        (void)snprintf(end, 8, "p%02d: 1,", i);
    memcpy(end - 7, "}}", 3);
    ASSERT_OK(read_with(&values, text, NULL));
    assert_int_equal(values.pets.names.count, CR_LIST_MAX);
    memcpy(end - 7, "a: 1}}", 7);
    ASSERT_FAILS(read_with(&values, text, NULL), CR_BAD_CONFIG, "expected at most 64 names");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_given_is_zero),
        cmocka_unit_test(overrides_reach_a_name_and_its_options),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(wrong_values_are_refused_by_their_line),
        cmocka_unit_test(there_is_a_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
