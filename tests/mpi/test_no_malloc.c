/*
 * A step takes no memory from the heap (design, section 7): after the first steps, forward,
 * backward, sum over ranks and update ask malloc for nothing, and neither do MPI on one rank,
 * OpenMP and the C library for them. BLAS may: OpenBLAS's kernels for small products do; and so may
 * oneDNN, whose primitives are asked for anew in each call.
 *
 * This program brings its own malloc, which counts and then calls glibc's; not for a build with
 * sanitizers, which bring theirs.
 */
#include "engines.h"
#include "mpi_main.h"
#include "updates.h"

#include "colrow/dist.h"

#include <dlfcn.h>
#include <errno.h>

static cr_comm *comm;

/* glibc's own, under the names that it exports for this. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *memory);

/* Of this thread: MPI has threads of its own, which may do as they like. */
static _Thread_local bool counting;
static _Thread_local int64_t calls;

/* Libraries that may: BLAS, and oneDNN, which calls through that of C++. */
static const char *const free_to[] = {"blas", "dnnl", "stdc++"};

/* A call from `caller`, unless that is in one of these. */
static void note(const void *caller)
{
    Dl_info from = {0};
    if (!counting)
        return;
    bool known = dladdr(caller, &from) != 0 && from.dli_fname != NULL;
    for (int i = 0; known && i < 3; i++)
        if (strstr(from.dli_fname, free_to[i]) != NULL)
            return;
    calls++;
}

void *malloc(size_t bytes)
{
    note(__builtin_return_address(0));
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    note(__builtin_return_address(0));
    return __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
    note(__builtin_return_address(0));
    return __libc_realloc(old, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    note(__builtin_return_address(0));
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    note(__builtin_return_address(0));
    *out = __libc_memalign(alignment, bytes);
    return *out != NULL ? 0 : ENOMEM;
}

void free(void *memory)
{
    __libc_free(memory);
}

/* ---- steps as train makes them --------------------------------------------------------------- */

enum { ROWS = 25, MICRO_BATCHES = 3 };

typedef struct rig {
    updater update; /* its net is owned here */
    cr_dist *dist;
    net_batch batch;
} rig;

static const float *read_gradient(void *self, float *scratch, int span, int64_t first, int64_t rows)
{
    return cr_dist_gradient_rows(((rig *)self)->dist, scratch, span, first, rows);
}

static void measure(void *self, int span, int64_t first, int64_t rows)
{
    cr_net_measure_rows(((rig *)self)->update.net, span, first, rows);
}

static void step(rig *t, uint32_t number)
{
    cr_net *net = t->update.net;
    cr_dist_news news = {0};
    double norm = 0;
    const cr_optim_hooks hooks = {.self = t, .gradient = read_gradient, .updated = measure};
    ASSERT_OK(cr_dist_begin(t->dist, number, MICRO_BATCHES));
    for (int i = 0; i < MICRO_BATCHES; i++) {
        cr_result result = {0};
        int first = i * ROWS;
        ASSERT_OK(cr_net_forward(net, &result, t->batch.x + first * net_features(net),
                                 t->batch.labels + first * net->positions, ROWS, (uint32_t)first,
                                 1.0 / (ROWS * MICRO_BATCHES)));
        ASSERT_OK(cr_dist_backward(t->dist, &result));
    }
    ASSERT_OK(cr_dist_finish(t->dist, &news));
    ASSERT_OK(cr_optim_update_by(&t->update.optim, net->parameters, &hooks, 1e-3, &norm));
    cr_net_measured(net);
}

static void check_steps(const cr_dist_options *options, const net_wish *wish)
{
    cr_net *net = NULL;
    cr_net_plan plan = net_plan(wish);
    plan.extra = cr_dist_extra;
    plan.remembers = cr_dist_remembers(options);
    ASSERT_OK(cr_net_create(&net, &plan));
    cr_net_initialize(net);
    rig t = {.batch = net_batch_new(net, ROWS * MICRO_BATCHES)};
    updater_start(&t.update, net, "lamb"); /* the rule with the most passes */
    ASSERT_OK(cr_dist_create(&t.dist, options, comm, net, MICRO_BATCHES));
    for (uint32_t number = 0; number < 2; number++)
        step(&t, number);
    calls = 0;
    counting = true;
    for (uint32_t number = 2; number < 5; number++)
        step(&t, number);
    counting = false;
    assert_int_equal(calls, 0);
    cr_dist_free(&t.dist);
    updater_free(&t.update);
    net_batch_free(&t.batch);
    cr_net_free(&net);
}

/* A second sampling, by each method and draw. */
static void check_backward(const cr_dist_options *options, net_wish wish)
{
    wish.draw = NULL;
    wish.backward.ratio = 0.3;
    for (int m = 0; cr_backward_method_names()[m] != NULL; m++)
        for (int d = 0; cr_draws[d] != NULL; d++) {
            wish.backward.method = cr_backward_method_names()[m];
            wish.backward.draw = cr_draws[d]->name;
            check_steps(options, &wish);
        }
}

static void a_step_takes_no_memory(void **state)
{
    (void)state;
    net_wish wish = {.sizes = NET_SIZES(200, 120, 90, 10), .rows = ROWS, .dropout = 0.1};
    cr_dist_options options = {.agreement = "root", .bucket_bytes = 1024};
    for (int deterministic = 0; deterministic < 2; deterministic++) {
        options.deterministic = deterministic == 1;
        for (int e = 0; cr_engines[e] != NULL; e++) {
            wish.engine = cr_engines[e]->name;
            wish.ratio = 1;
            check_steps(&options, &wish);
            wish.ratio = 0.4;
            for (int d = 0; cr_draws[d] != NULL; d++) {
                wish.draw = cr_draws[d]->name;
                check_steps(&options, &wish);
            }
            check_backward(&options, wish);
        }
    }
}

/* Picks by the norms of all ranks, of the last step. */
static void other_agreements_take_no_memory(void **state)
{
    (void)state;
    net_wish wish = {.sizes = NET_SIZES(200, 120, 90, 10), .ratio = 0.4, .rows = ROWS};
    cr_dist_options options = {.agreement = "global", .bucket_bytes = 1024};
    check_steps(&options, &wish);
    for (int deterministic = 0; deterministic < 2; deterministic++) {
        options = (cr_dist_options){
            .agreement = "stale", .deterministic = deterministic == 1, .bucket_bytes = 1024};
        wish.lookahead = deterministic == 1;
        check_steps(&options, &wish);
    }
}

/* Convolutions, whose k the draw changes from step to step. */
static void a_step_of_convolutions_takes_no_memory(void **state)
{
    (void)state;
    net_wish wish = {.model = "wide_resnet",
                     .options = "depth=10 width=1",
                     .input = {8, 8, 48},
                     .classes = 10,
                     .exact = {"conv0", "fc"},
                     .draw = "replacement",
                     .ratio = 0.5,
                     .rows = ROWS};
    cr_dist_options options = {.agreement = "root", .bucket_bytes = 1024};
    for (int e = 0; engines_at(e) != NULL; e++) {
        wish.engine = engines_at(e)->name;
        wish.precision = engines_at(e)->precision;
        check_steps(&options, &wish);
    }
}

/* Windows, step by step. */
static void a_step_of_windows_takes_no_memory(void **state)
{
    (void)state;
    net_wish wish = {.model = "lstm",
                     .options = "hidden=40 layers=2 unroll=6",
                     .input = {6, 1, 1},
                     .classes = 90,
                     .dropout = 0.5,
                     .rows = ROWS};
    cr_dist_options options = {.agreement = "root", .bucket_bytes = 1024};
    for (int e = 0; cr_engines[e] != NULL; e++)
        for (int sampled = 0; sampled < 2; sampled++) {
            wish.engine = cr_engines[e]->name;
            wish.ratio = sampled == 1 ? 0.5 : 1;
            check_steps(&options, &wish);
        }
}

/* The counter counts: a test that cannot fail would be none. */
static void the_counter_counts(void **state)
{
    (void)state;
    void *memory = NULL;
    calls = 0;
    counting = true;
    ASSERT_OK(cr_alloc(&memory, 64));
    counting = false;
    cr_free(&memory);
    assert_int_equal(calls, 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_takes_no_memory),
        cmocka_unit_test(other_agreements_take_no_memory),
        cmocka_unit_test(a_step_of_convolutions_takes_no_memory),
        cmocka_unit_test(a_step_of_windows_takes_no_memory),
        cmocka_unit_test(the_counter_counts),
    };
    cr_engine_set_threads(1);
    comm = mpi_begin(&argc, &argv);
    return mpi_end(&comm, cmocka_run_group_tests(tests, NULL, NULL));
}
