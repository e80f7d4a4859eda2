/*
 * winograd: which convolutions go by it. The contract of convolutions compares results, which are
 * right by any way; without this nobody would see that a way is never taken.
 */
#include "convolutions.h"
#include "engines.h"

enum { CHANNELS = 16 };

static bool by_winograd(const dimensions *d)
{
    cr_conv_sizes s = sizes_of(d);
    return strstr(cr_conv_way(cr_engine_find("openblas"), &s)->name, "winograd4") != NULL;
}

static dimensions square(int side, int kernel, int stride)
{
    return (dimensions){2, side, side, CHANNELS, CHANNELS, kernel, stride, true};
}

/* All but images of 1 and 2 pixels a side. */
static void stride_1(void **state)
{
    (void)state;
    for (int side = 1; side <= 40; side++) {
        dimensions small = square(side, 3, 1);
        assert_true(by_winograd(&small) == (side > 2));
    }
}

/* Where tiles of the input and of the input gradient waste little outside the image. */
static void stride_2(void **state)
{
    static const int taken[] = {7,  8,  15, 16, 21, 22, 23, 24, 29, 30,
                                31, 32, 35, 36, 37, 38, 39, 40, 0};
    int next = 0;
    (void)state;
    for (int side = 1; side <= 40; side++) {
        dimensions d = square(side, 3, 2);
        bool expected = side == taken[next];
        if (by_winograd(&d) != expected)
            fail_msg("side %d: expected %s", side, expected ? "Winograd" : "another way");
        next += expected;
    }
}

/* Not with few channels on either side, not with other kernels and strides, not where tiles of the
 * input gradient alone waste much. */
static void others(void **state)
{
    (void)state;
    static const dimensions not_taken[] = {
        {2, 32, 32, 15, 64, 3, 2, true},  {2, 32, 32, 64, 15, 3, 2, true},
        {2, 32, 32, 7, 64, 3, 1, true},   {2, 32, 32, 64, 7, 3, 1, true},
        {2, 32, 32, 64, 64, 1, 1, true},  {2, 32, 32, 64, 64, 3, 3, true},
        {2, 32, 32, 64, 64, 5, 2, true},  {2, 32, 32, 64, 64, 7, 1, true},
        {2, 17, 17, 64, 64, 3, 2, false},
    };
    for (size_t i = 0; i < sizeof not_taken / sizeof *not_taken; i++)
        assert_false(by_winograd(&not_taken[i]));
    assert_true(by_winograd(&(dimensions){2, 28, 28, 32, 64, 5, 1, true}));
}

/* The engine that stands in for bf16 where that is the slower one takes it for stride 1 alone. */
static void instead_of_bf16(void **state)
{
    (void)state;
    dimensions near = square(16, 3, 1);
    dimensions apart = square(16, 3, 2);
    cr_conv_sizes sizes[] = {sizes_of(&near), sizes_of(&apart)};
    for (int e = 0; cr_engines[e] != NULL; e++) {
        const cr_engine *instead = engines_instead(cr_engines[e]->bf16);
        if (instead == NULL)
            continue;
        assert_string_equal(cr_conv_way(instead, &sizes[0])->name, "winograd4");
        assert_string_equal(cr_conv_way(instead, &sizes[1])->name, "onednn_bf16");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stride_1),
        cmocka_unit_test(stride_2),
        cmocka_unit_test(others),
        cmocka_unit_test(instead_of_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
