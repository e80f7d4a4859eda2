/* What every kind of data owes: table, options, errors; and, for those without files of the user,
 * parts that are whole, in range and the same every time. */
#include "check.h"

#include "colrow/data.h"

#include <stdlib.h>

static const cr_data_wanted wanted = {.h = 4, .w = 3, .c = 2, .classes = 7};
static const cr_data_wanted wanted_text = {.h = 4, .w = 1, .c = 1, .streams = 2, .evaluation = 1};

static size_t size_of(cr_option_kind kind)
{
    switch (kind) {
    case CR_OPTION_INT:
        return sizeof(int);
    case CR_OPTION_COUNT:
        return sizeof(int64_t);
    case CR_OPTION_REAL:
        return sizeof(double);
    case CR_OPTION_BOOL:
        return sizeof(bool);
    default:
        return sizeof(cr_word);
    }
}

/* A kind's options at their defaults; numbers are all that tests need so far. */
static cr_data_options defaults_of(const cr_data_set *set)
{
    cr_data_options options = {.shuffle = true};
    (void)snprintf(options.kind, sizeof options.kind, "%s", set->name);
    for (const cr_option *o = set->options; o != NULL && o->name != NULL; o++) {
        void *field = options.parameters + o->offset;
        int64_t count = o->fallback != NULL ? strtoll(o->fallback, NULL, 10) : 0;
        if (o->kind == CR_OPTION_COUNT)
            memcpy(field, &count, sizeof count);
        if (o->kind == CR_OPTION_INT)
            memcpy(field, &(int){(int)count}, sizeof(int));
    }
    return options;
}

static void tables_are_sound(void **state)
{
    (void)state;
    const char *const *names = cr_data_set_names();
    int count = 0;
    for (; cr_data_sets[count] != NULL; count++) {
        const cr_data_set *set = cr_data_sets[count];
        assert_string_equal(set->name, names[count]); /* name = file name */
        assert_ptr_equal(cr_data_set_find(set->name), set);
        assert_ptr_equal(cr_data_set_options(set->name), set->options);
        assert_non_null(set->open);
        for (const cr_option *o = set->options; o != NULL && o->name != NULL; o++) {
            assert_true(o->offset + size_of(o->kind) <= CR_DATA_PARAMETERS);
            assert_true(o->offset % _Alignof(int) == 0);
            assert_non_null(o->help);
        }
    }
    assert_true(count >= 3);
    assert_null(names[count]);
    assert_null(cr_data_set_find("nothing"));
    assert_null(cr_data_set_options("nothing"));
}

static void folders_without_files_are_named(void **state)
{
    (void)state;
    for (const cr_data_set *const *set = cr_data_sets; *set != NULL; set++) {
        cr_data_options options = defaults_of(*set);
        const cr_data_wanted *by = (*set)->text ? &wanted_text : &wanted;
        cr_data data;
        if (!(*set)->needs_path)
            continue;
        ASSERT_FAILS(cr_data_open(&data, &options, by, NULL), CR_BAD_CONFIG, "data.path");
        (void)snprintf(options.path, sizeof options.path, "/nowhere/at all");
        ASSERT_FAILS(cr_data_open(&data, &options, by, NULL), CR_BAD_DATA, "/nowhere/at all");
    }
}

static size_t bytes_of(const cr_data_part *part)
{
    return (size_t)part->count * (size_t)part->h * (size_t)part->w * (size_t)part->c;
}

static void check_part(const cr_data_part *part, const cr_data_part *same)
{
    assert_true(part->count >= 1 && part->h >= 1 && part->w >= 1 && part->c >= 1);
    assert_true(part->classes >= 1 && part->classes <= 256);
    for (int64_t i = 0; i < part->count; i++)
        assert_true(part->labels[i] < part->classes);
    assert_int_equal(part->count, same->count);
    assert_int_equal(bytes_of(part), bytes_of(same));
    assert_memory_equal(part->values, same->values, bytes_of(part));
    assert_memory_equal(part->labels, same->labels, (size_t)part->count);
}

static void sets_are_whole_and_repeatable(void **state)
{
    (void)state;
    for (const cr_data_set *const *set = cr_data_sets; *set != NULL; set++) {
        cr_data_options options = defaults_of(*set);
        cr_data data, again;
        if ((*set)->needs_path)
            continue;
        ASSERT_OK(cr_data_open(&data, &options, &wanted, NULL));
        ASSERT_OK(cr_data_open(&again, &options, &wanted, NULL));
        check_part(&data.train, &again.train);
        check_part(&data.test, &again.test);
        assert_int_equal(data.train.h, data.test.h);
        assert_int_equal(data.train.w, data.test.w);
        assert_int_equal(data.train.c, data.test.c);
        assert_int_equal(data.train.classes, data.test.classes);
        cr_data_free(&again);
        cr_data_free(&data);
    }
}

static void synthetic_takes_the_networks_shape(void **state)
{
    (void)state;
    cr_data_options options = defaults_of(cr_data_set_find("synthetic"));
    cr_data data;
    ASSERT_OK(cr_data_open(&data, &options, &wanted, NULL));
    assert_int_equal(data.train.count, 1024);
    assert_int_equal(data.test.count, 256);
    assert_int_equal(bytes_of(&data.test), 256 * 4 * 3 * 2);
    assert_int_equal(data.train.classes, 7);
    assert_memory_not_equal(data.train.values, data.test.values, 24);
    assert_memory_not_equal(data.train.values, data.train.values + 24, 24);
    double sum = 0; /* of 24,576 bytes: mean 127.5, standard error 73.9 / 156.8 = 0.47 */
    for (size_t i = 0; i < bytes_of(&data.train); i++)
        sum += data.train.values[i];
    ASSERT_NEAR(sum / (double)bytes_of(&data.train), 127.5, 4 * 0.47);
    cr_data_free(&data);
}

static void synthetic_needs_a_shape(void **state)
{
    (void)state;
    cr_data_options options = defaults_of(cr_data_set_find("synthetic"));
    cr_data data;
    ASSERT_FAILS(cr_data_open(&data, &options, NULL, NULL), CR_BAD_CONFIG, "found 0 x 0 x 0");
    cr_data_wanted bad = wanted;
    bad.classes = 257;
    ASSERT_FAILS(cr_data_open(&data, &options, &bad, NULL), CR_BAD_CONFIG, "found 257");
    memset(options.parameters, 0, sizeof options.parameters);
    ASSERT_FAILS(cr_data_open(&data, &options, &wanted, NULL), CR_BAD_CONFIG, "found 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_sound),
        cmocka_unit_test(folders_without_files_are_named),
        cmocka_unit_test(sets_are_whole_and_repeatable),
        cmocka_unit_test(synthetic_takes_the_networks_shape),
        cmocka_unit_test(synthetic_needs_a_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
