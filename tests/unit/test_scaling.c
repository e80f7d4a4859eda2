/* scaling: seconds of messages, of a step as its pattern says; a network found from steps. */
#include "check.h"

#include "colrow/scaling.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static const cr_network network = {.latency = 1e-3, .byte_time = 1e-6};

static void sums_take_the_cheaper_way(void **state)
{
    (void)state;
    assert_true(cr_network_allreduce(&network, 1e6, 1) == 0);
    /* recursive doubling: 3 (1e-3 + 1e-6), Rabenseifner: 6e-3 and more */
    ASSERT_NEAR(cr_network_allreduce(&network, 1, 8), 3.003e-3, 1e-12);
    /* 6e-3 + 2 * 7/8, recursive doubling: 3.003 */
    ASSERT_NEAR(cr_network_allreduce(&network, 1e6, 8), 1.756, 1e-12);
    /* five ranks need as many rounds as eight */
    ASSERT_NEAR(cr_network_allreduce(&network, 1e6, 5), 6e-3 + 1.6, 1e-12);
    ASSERT_NEAR(cr_network_broadcast(&network, 1000, 5), 6e-3, 1e-12);
    assert_true(cr_network_broadcast(&network, 1000, 1) == 0);
}

/* On two ranks 1e6 B take 1e-3 + 1 s. */
static void sums_hide_behind_computing(void **state)
{
    (void)state;
    cr_event events[] = {{0.5, CR_EVENT_AGREE, 1e6}, /* 1.501 */
                         {0.5, CR_EVENT_SUM, 1e6},   /* in flight from 2.001 to 3.002 */
                         {0.25, CR_EVENT_SUM, 1e6},  /* waits for the first: until 4.003 */
                         {3.0, CR_EVENT_SUM, 1e6},   /* from 5.251 to 6.252 */
                         {0.5, CR_EVENT_WAIT, 0},    /* at 5.751: waits for 0.501 */
                         {0.25, CR_EVENT_END, 0}};
    const cr_pattern pattern = {events, COUNT(events)};
    cr_step_time time = cr_pattern_time(&pattern, &network, 2);
    ASSERT_NEAR(time.agree, 1.001, 1e-12);
    ASSERT_NEAR(time.comm, 3.003, 1e-12);
    ASSERT_NEAR(time.wait, 0.501, 1e-12);
    ASSERT_NEAR(time.step, 6.502, 1e-12);
    time = cr_pattern_time(&pattern, &network, 1);
    ASSERT_NEAR(time.step, 5, 1e-12);
    assert_true(time.wait == 0);
}

/* Steps made up by the model itself, hidden and exposed, are given back. */
static void a_network_is_found(void **state)
{
    (void)state;
    const cr_network truth = {.latency = 4e-5, .byte_time = 8e-9};
    cr_event events[][3] = {
        {{1e-3, CR_EVENT_SUM, 100}, {0, CR_EVENT_WAIT, 0}, {1e-3, CR_EVENT_END, 0}},
        {{1e-3, CR_EVENT_SUM, 1e5}, {0, CR_EVENT_WAIT, 0}, {1e-3, CR_EVENT_END, 0}},
        {{1e-3, CR_EVENT_SUM, 1e6}, {0.5, CR_EVENT_WAIT, 0}, {1e-3, CR_EVENT_END, 0}},
    };
    cr_observation all[9];
    for (int i = 0; i < COUNT(all); i++) {
        all[i] = (cr_observation){{events[i % 3], 3}, 1 << i / 3, 0};
        all[i].seconds = cr_pattern_time(&all[i].pattern, &truth, all[i].ranks).step;
    }
    all[4].seconds *= 3; /* which is left out */
    cr_network found = cr_network_fit(all, COUNT(all), 4);
    ASSERT_NEAR(found.latency / truth.latency, 1, 0.01); /* the search ends at steps of 1e-4 */
    ASSERT_NEAR(found.byte_time / truth.byte_time, 1, 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sums_take_the_cheaper_way),
                                       cmocka_unit_test(sums_hide_behind_computing),
                                       cmocka_unit_test(a_network_is_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
