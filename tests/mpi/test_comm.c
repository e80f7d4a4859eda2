/* comm: agreement, small sums, sums in flight, shared memory. The tree has test_tree.c. */
#include "mpi_main.h"

static cr_comm *comm;

/* ---- agreement ------------------------------------------------------------------------------- */

static void ranks_are_counted(void **state)
{
    (void)state;
    int rank = cr_comm_rank(comm);
    double count = 1, sum = rank;
    ASSERT_OK(cr_comm_sum(comm, &count, 1));
    ASSERT_OK(cr_comm_sum(comm, &sum, 1));
    assert_int_equal(count, cr_comm_size(comm));
    assert_int_equal(sum, cr_comm_size(comm) * (cr_comm_size(comm) - 1) / 2);
    assert_in_range(cr_comm_node_rank(comm), 0, cr_comm_node_size(comm) - 1);
    assert_in_range(cr_comm_node_size(comm), 1, cr_comm_size(comm));
}

static void broadcast_reaches_all(void **state)
{
    (void)state;
    static unsigned char data[1000003];
    const size_t sizes[] = {0, 1, sizeof data - 1};
    for (int root = 0; root < cr_comm_size(comm); root++)
        for (int i = 0; i < 3; i++) {
            memset(data, cr_comm_rank(comm) + 1, sizeof data);
            ASSERT_OK(cr_comm_broadcast(comm, data, sizes[i], root));
            for (size_t b = 0; b < sizes[i]; b++)
                assert_int_equal(data[b], root + 1);
            assert_int_equal(data[sizes[i]], cr_comm_rank(comm) + 1); /* no further */
        }
}

static void any_is_silent_when_all_are_well(void **state)
{
    (void)state;
    ASSERT_OK(cr_comm_any(comm, CR_OK));
}

/* Rank `lowest`, and `other` (maybe the same), fail with messages of their own. */
static void check_any(int lowest, int other)
{
    int rank = cr_comm_rank(comm);
    cr_status local = CR_OK;
    char expected[64];
    (void)snprintf(expected, sizeof expected, "rank %d failed: file of rank %d", lowest, lowest);
    if (rank == lowest)
        local = cr_fail(CR_BAD_DATA, __FILE__, __LINE__, "file of rank %d", rank);
    else if (rank == other)
        local = cr_fail(CR_CANNOT_WRITE, __FILE__, __LINE__, "file of rank %d", rank);
    if (local != CR_OK)
        (void)snprintf(expected, sizeof expected, "file of rank %d", rank);
    cr_status status = cr_comm_any(comm, local);
    assert_int_equal(status, local != CR_OK ? local : CR_BAD_DATA);
    assert_string_equal(cr_error_message(), expected);
}

static void any_fails_everywhere_and_names_the_rank(void **state)
{
    (void)state;
    for (int lowest = 0; lowest < cr_comm_size(comm); lowest++)
        for (int other = lowest; other < cr_comm_size(comm); other++)
            check_any(lowest, other);
}

static void same_names_a_rank_that_differs(void **state)
{
    (void)state;
    const uint64_t value = UINT64_C(0x8000000000000001);
    ASSERT_OK(cr_comm_same(comm, value, "weights"));
    for (int odd = 0; odd < cr_comm_size(comm) && cr_comm_size(comm) > 1; odd++) {
        char expected[64];
        (void)snprintf(expected, sizeof expected, "rank %d differs", odd > 0 ? odd : 1);
        uint64_t mine = cr_comm_rank(comm) == odd ? value ^ 1 : value;
        cr_status status = cr_comm_same(comm, mine, "weights");
        assert_int_equal(status, CR_RANKS);
        assert_non_null(strstr(cr_error_message(), "weights: "));
        assert_non_null(strstr(cr_error_message(), expected));
    }
}

static void small_reductions(void **state)
{
    (void)state;
    int rank = cr_comm_rank(comm);
    int size = cr_comm_size(comm);
    double sums[3] = {rank, 1, -2.5 * rank};
    double largest[3] = {rank, -rank - 1, 7};
    ASSERT_OK(cr_comm_sum(comm, sums, 3));
    ASSERT_OK(cr_comm_largest(comm, largest, 3));
    assert_true(sums[0] == size * (size - 1) / 2 && sums[1] == size && sums[2] == -2.5 * sums[0]);
    assert_true(largest[0] == size - 1 && largest[1] == -1 && largest[2] == 7);
}

/* ---- sums in flight: whole numbers, so that every order of adding gives the same ------------- */
enum { FLIGHT_FLOATS = 50 };
static float flights[CR_COMM_FLIGHTS + 1][FLIGHT_FLOATS];

/* Flight f carries f % FLIGHT_FLOATS floats; some carry none. */
static void start_flights(int count)
{
    for (int f = 0; f < count; f++)
        for (int i = 0; i < FLIGHT_FLOATS; i++)
            flights[f][i] = (float)(f + i + 1000 * cr_comm_rank(comm));
    for (int f = 0; f < count; f++) {
        ASSERT_OK(cr_comm_sum_begin(comm, flights[f], f % FLIGHT_FLOATS));
        if (f % 7 == 0)
            ASSERT_OK(cr_comm_progress(comm));
    }
}

static void check_flights(int count)
{
    int size = cr_comm_size(comm);
    for (int f = 0; f < count; f++)
        for (int i = 0; i < FLIGHT_FLOATS; i++) {
            int sum = size * (f + i) + 1000 * (size * (size - 1) / 2);
            int own = f + i + 1000 * cr_comm_rank(comm);
            assert_int_equal(flights[f][i], i < f % FLIGHT_FLOATS ? sum : own);
        }
}

static void many_flights_land(void **state)
{
    (void)state;
    const int counts[] = {0, 1, 3, 150};
    for (int i = 0; i < 4; i++) {
        start_flights(counts[i]);
        ASSERT_OK(cr_comm_wait(comm));
        check_flights(counts[i]);
        ASSERT_OK(cr_comm_wait(comm)); /* nothing in flight: nothing to wait for */
    }
}

static void progress_alone_lands_them(void **state)
{
    (void)state;
    double end = cr_seconds() + 30;
    start_flights(3);
    while (flights[2][0] != (float)(2 * cr_comm_size(comm) +
                                    1000 * (cr_comm_size(comm) * (cr_comm_size(comm) - 1) / 2))) {
        ASSERT_OK(cr_comm_progress(comm));
        if (cr_seconds() > end)
            fail_msg("no progress in 30 s");
    }
    ASSERT_OK(cr_comm_wait(comm));
    check_flights(3);
}

/* The one too many is refused on every rank; the others land. */
static void too_many_flights_fail_cleanly(void **state)
{
    (void)state;
    for (int f = 0; f <= CR_COMM_FLIGHTS; f++)
        for (int i = 0; i < FLIGHT_FLOATS; i++)
            flights[f][i] = (float)(f + i + 1000 * cr_comm_rank(comm));
    for (int f = 0; f < CR_COMM_FLIGHTS; f++)
        ASSERT_OK(cr_comm_sum_begin(comm, flights[f], f % FLIGHT_FLOATS));
    ASSERT_FAILS(cr_comm_sum_begin(comm, flights[CR_COMM_FLIGHTS], 5), CR_INTERNAL, "256");
    ASSERT_OK(cr_comm_wait(comm));
    check_flights(CR_COMM_FLIGHTS);
    start_flights(3);
    ASSERT_OK(cr_comm_wait(comm));
    check_flights(3);
    ASSERT_FAILS(cr_comm_sum_begin(comm, flights[0], INT64_C(1) << 31), CR_INTERNAL, "gradients");
}

/* ---- memory of a node ------------------------------------------------------------------------ */

static void all_see_what_the_leader_writes(void **state)
{
    (void)state;
    enum { BYTES = 100000, BLOCKS = 16 };
    bool leads = cr_comm_node_rank(comm) == 0;
    unsigned char *blocks[BLOCKS];
    for (int b = 0; b < BLOCKS; b++) {
        void *memory = NULL;
        ASSERT_OK(cr_comm_share(comm, &memory, BYTES));
        blocks[b] = memory;
    }
    for (int round = 0; round < 3; round++) { /* again: later writes are seen too */
        for (int b = 0; leads && b < BLOCKS; b++)
            for (int i = 0; i < BYTES; i++)
                blocks[b][i] = (unsigned char)(i * 31 + b + round);
        ASSERT_OK(cr_comm_share_sync(comm));
        for (int b = 0; b < BLOCKS; b++)
            for (int i = 0; i < BYTES; i++)
                if (blocks[b][i] != (unsigned char)(i * 31 + b + round))
                    fail_msg("round %d block %d byte %d", round, b, i);
        ASSERT_OK(cr_comm_share_sync(comm)); /* all have read before the next round writes */
    }
}

/* More blocks than there can be end with a message on every rank. */
static void too_many_shared_blocks_fail_cleanly(void **state)
{
    (void)state;
    void *memory = NULL;
    cr_status status = CR_OK;
    for (int b = 0; b < 1000 && status == CR_OK; b++)
        status = cr_comm_share(comm, &memory, 1);
    ASSERT_FAILS(status, CR_INTERNAL, "shared memory: expected at most");
}

/* What is given back makes room, also out of order; the other blocks stay as they are. */
static void blocks_given_back_make_room(void **state)
{
    (void)state;
    enum { HELD = 3, ROUNDS = 200, BYTES = 5000 };
    bool leads = cr_comm_node_rank(comm) == 0;
    void *held[HELD] = {NULL};
    void *none = NULL;
    for (int round = 0; round < ROUNDS; round++) {
        cr_comm_unshare(comm, &held[round % HELD]);
        assert_null(held[round % HELD]);
        ASSERT_OK(cr_comm_share(comm, &held[round % HELD], round % 5 == 0 ? 0 : BYTES));
        if (leads && round % 5 != 0)
            memset(held[round % HELD], round, BYTES);
        ASSERT_OK(cr_comm_share_sync(comm));
        for (int r = round; r >= 0 && r > round - HELD; r--)
            if (r % 5 != 0)
                assert_int_equal(((unsigned char *)held[r % HELD])[BYTES - 1], r);
        ASSERT_OK(cr_comm_share_sync(comm));
    }
    for (int i = 0; i < HELD; i++)
        cr_comm_unshare(comm, &held[i]);
    cr_comm_unshare(comm, &none);
}

static void the_library_has_a_name(void **state)
{
    (void)state;
    char name[256] = "";
    cr_comm_library(name, sizeof name);
    assert_in_range(strlen(name), 3, sizeof name - 1);
    assert_null(strchr(name, '\n'));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_are_counted),
        cmocka_unit_test(broadcast_reaches_all),
        cmocka_unit_test(any_is_silent_when_all_are_well),
        cmocka_unit_test(any_fails_everywhere_and_names_the_rank),
        cmocka_unit_test(same_names_a_rank_that_differs),
        cmocka_unit_test(small_reductions),
        cmocka_unit_test(many_flights_land),
        cmocka_unit_test(progress_alone_lands_them),
        cmocka_unit_test(too_many_flights_fail_cleanly),
        cmocka_unit_test(all_see_what_the_leader_writes),
        cmocka_unit_test(blocks_given_back_make_room),
        cmocka_unit_test(too_many_shared_blocks_fail_cleanly),
        cmocka_unit_test(the_library_has_a_name),
    };
    comm = mpi_begin(&argc, &argv);
    return mpi_end(&comm, cmocka_run_group_tests(tests, NULL, NULL));
}
