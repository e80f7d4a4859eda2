/* bf16: sums in flight with half the bytes: how far off they are, that all ranks get the same, and
 * that flights of any size and number land. */
#include "mpi_main.h"
#include "values.h"

#include <math.h>

static cr_comm *comm;

enum { MOST = 5000 };

/* Value i of rank `rank`: normal, over 2^+-10. */
static float value_of(int rank, int64_t i)
{
    cr_random random = cr_random_start((cr_random_key){
        .seed = 5, .stream = CR_STREAM_TEST, .step = (uint32_t)rank, .sample = (uint32_t)i});
    double power = 20 * cr_random_uniform(&random) - 10;
    return (float)(cr_random_normal(&random) * exp2(power));
}

/* Two roundings of 2^-8 each, one of every term and one of the sum; those of f32 are 2^-15 of that.
 */
static void check_near(const float *sums, int64_t first, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        double sum = 0, size = 0;
        for (int r = 0; r < cr_comm_size(comm); r++) {
            sum += value_of(r, first + i);
            size += fabs(value_of(r, first + i));
        }
        ASSERT_NEAR(sums[i], sum, 1.01 * size / 128);
    }
    ASSERT_OK(cr_comm_same(comm, cr_hash(sums, (size_t)count * sizeof *sums, 0), "sums"));
}

static void fill(float *values, int64_t first, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        values[i] = value_of(cr_comm_rank(comm), first + i);
}

static void sums_are_near_and_the_same_everywhere(void **state)
{
    (void)state;
    static float values[MOST];
    const int64_t counts[] = {0, 1, 2, 3, 4, 5, 255, 256, 257, 1023, MOST};
    ASSERT_OK(cr_comm_reserve_bf16(comm, MOST));
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        fill(values, 0, MOST);
        ASSERT_OK(cr_comm_sum_begin_bf16(comm, values, counts[c]));
        ASSERT_OK(cr_comm_wait(comm));
        check_near(values, 0, counts[c]);
        for (int64_t i = counts[c]; i < MOST; i++) /* no further */
            assert_true(values[i] == value_of(cr_comm_rank(comm), i));
    }
}

/* Flights with and without rounding in turns, which progress at other times on each rank. */
static void flights_of_both_kinds_land(void **state)
{
    (void)state;
    enum { FLIGHTS = 60, STRIDE = MOST / FLIGHTS };
    static float values[MOST];
    float plain[FLIGHTS];
    for (int round = 0; round < 5; round++) {
        fill(values, 0, MOST);
        for (int f = 0; f < FLIGHTS; f++) {
            plain[f] = (float)f;
            ASSERT_OK(cr_comm_sum_begin_bf16(comm, values + f * STRIDE, 1 + f % STRIDE));
            ASSERT_OK(cr_comm_sum_begin(comm, plain + f, 1));
            for (int i = 0; i < (f * 7 + cr_comm_rank(comm) * 13) % 9; i++)
                ASSERT_OK(cr_comm_progress(comm));
        }
        ASSERT_OK(cr_comm_wait(comm));
        for (int f = 0; f < FLIGHTS; f++) {
            assert_true(plain[f] == (float)(f * cr_comm_size(comm)));
            check_near(values + f * STRIDE, f * STRIDE, 1 + f % STRIDE);
        }
    }
}

/* What has 8 bits or fewer stays as it is; ties go to even; what is no number stays none. */
static void values_are_rounded_to_nearest_even(void **state)
{
    (void)state;
    const struct {
        float from, to;
    } rows[] = {{0, 0},
                {-1.5F, -1.5F},
                {255, 255},
                {257, 256}, /* a tie, between 256 and 258 */
                {259, 260},
                {257.01F, 258},
                {-259, -260},
                {1e-40F, 1e-40F}, /* subnormal: within 2^-133 */
                {INFINITY, INFINITY},
                {3.4e38F, INFINITY}}; /* beyond the largest, 3.39e38 */
    enum { ROWS = sizeof rows / sizeof *rows };
    float values[ROWS + 1];
    bool root = cr_comm_rank(comm) == 0;
    for (int i = 0; i < ROWS; i++)
        values[i] = root ? rows[i].from : 0;
    values[ROWS] = root ? NAN : 0;
    ASSERT_OK(cr_comm_sum_begin_bf16(comm, values, ROWS + 1));
    ASSERT_OK(cr_comm_wait(comm));
    for (int i = 0; i < ROWS; i++)
        if (isinf(rows[i].to) || fabsf(rows[i].to) >= 1 || rows[i].to == 0)
            assert_true(values[i] == rows[i].to);
        else
            ASSERT_NEAR(values[i], rows[i].to, ldexp(1, -134));
    assert_true(isnan(values[ROWS]));
}

static void more_than_was_reserved_is_refused(void **state)
{
    (void)state;
    static float values[4 * MOST];
    int64_t most = MOST + (int64_t)CR_COMM_FLIGHTS * cr_comm_size(comm);
    ASSERT_FAILS(cr_comm_sum_begin_bf16(comm, values, most + 1), CR_INTERNAL, "reserved");
    ASSERT_OK(cr_comm_sum_begin_bf16(comm, values, MOST));
    ASSERT_OK(cr_comm_wait(comm));
}

/* Only what was in flight is counted, and waiting is a part of it. */
static void seconds_are_those_in_flight(void **state)
{
    (void)state;
    float value = 1;
    cr_comm_seconds before = cr_comm_seconds_of(comm);
    ASSERT_OK(cr_comm_wait(comm));
    ASSERT_OK(cr_comm_progress(comm));
    assert_true(cr_comm_seconds_of(comm).in_flight == before.in_flight);
    double begun = cr_seconds();
    ASSERT_OK(cr_comm_sum_begin_bf16(comm, &value, 1));
    ASSERT_OK(cr_comm_sum_begin(comm, &value, 0));
    ASSERT_OK(cr_comm_wait(comm));
    double took = cr_seconds() - begun;
    cr_comm_seconds after = cr_comm_seconds_of(comm);
    assert_true(after.in_flight > before.in_flight && after.in_flight - before.in_flight <= took);
    assert_true(after.waited > before.waited && after.waited - before.waited <= took);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_near_and_the_same_everywhere),
        cmocka_unit_test(flights_of_both_kinds_land),
        cmocka_unit_test(values_are_rounded_to_nearest_even),
        cmocka_unit_test(more_than_was_reserved_is_refused),
        cmocka_unit_test(seconds_are_those_in_flight),
    };
    comm = mpi_begin(&argc, &argv);
    return mpi_end(&comm, cmocka_run_group_tests(tests, NULL, NULL));
}
