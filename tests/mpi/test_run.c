/*
 * train: whole runs on this number of ranks. Each sample once an epoch; nothing written without a
 * folder; stopping and resuming changes no bit. (That other numbers of ranks give the same bits is
 * shown by e2e/test_ranks.sh.)
 */
#include "mpi_main.h"

#include "colrow/train.h"

#include <dirent.h>
#include <ftw.h>
#include <math.h>
#include <signal.h>

static cr_comm *comm;
static char work[CR_PATH_MAX]; /* a fresh folder, the working directory of all ranks */

/* 1206 training samples: 24 steps of 50 and one of 6, which is one micro-batch. */
static const char config[] = "network: {model: mlp, sizes: [64, 96, 96, 10], initializer: he}\n"
                             "data: {kind: digits, validation: 232}\n"
                             "batch: 50\n"
                             "micro_batch: 10\n"
                             "epochs: 3\n"
                             "optimizer: {rule: adam}\n"
                             "learning_rate: {base: 0.01}\n"
                             "sampling: {ratio: 0.5}\n"
                             "deterministic: true\n"
                             "checkpoint: {every_steps: 20}\n"
                             "log: {level: error, every_steps: 10}\n";
enum { TRAIN_SAMPLES = 1206, EPOCHS = 3, STEPS = 75, OVERRIDES_MAX = 8 };

/* A run with these overrides (ended by NULL), in `folder` ("": none). */
static void make_run(cr_run **run, const char *const *overrides, const char *folder, bool resume)
{
    cr_run_options options;
    int count = 0;
    while (overrides[count] != NULL)
        count++;
    ASSERT_OK(cr_options_parse(&options, config, "test", overrides, count));
    ASSERT_OK(cr_options_settle(&options, cr_comm_size(comm)));
    ASSERT_OK(cr_run_create(run, comm, &options));
    if (folder[0] != '\0')
        ASSERT_OK(cr_run_open_folder(*run, folder, resume));
    if (resume)
        ASSERT_OK(cr_run_resume(*run, ""));
}

static bool is_here(const char *path)
{
    return access(path, F_OK) == 0;
}

static int names_here(void)
{
    DIR *folder = opendir(".");
    int count = 0;
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder); /* only read */
    return count - 2;       /* . and .. */
}

/* With a rate of next to 0 the loss of every step is that of the same weights, so the epoch's mean
 * is that of an exact evaluation of the training set if each sample came once: one sample in place
 * of another moves it by about 1e-4 of itself, roundings of the steps' sums by 1e-7. */
static void each_sample_comes_once_an_epoch(void **state)
{
    (void)state;
    const char *const kinds[][OVERRIDES_MAX] = {
        {"deterministic=true"}, {"deterministic=false"}, {"batch=64", "micro_batch=7"}};
    for (int k = 0; k < 3; k++) {
        cr_run *run = NULL;
        cr_result exact = {0};
        const char *all[2 * OVERRIDES_MAX] = {"sampling.ratio=1", "learning_rate.base=1e-30",
                                              "evaluate.every_epochs=0"};
        memcpy(all + 3, kinds[k], sizeof kinds[k]);
        make_run(&run, all, "", false);
        assert_int_equal(run->data.train.count, TRAIN_SAMPLES);
        ASSERT_OK(cr_run_train(run));
        ASSERT_OK(cr_run_evaluate(run, &exact, &run->data.train));
        assert_int_equal(exact.samples, TRAIN_SAMPLES);
        assert_int_equal(run->meter.samples, EPOCHS * TRAIN_SAMPLES);
        double mean = exact.loss / TRAIN_SAMPLES;
        assert_true(mean > 1.0 && mean < 5.0); /* untrained, ten classes: ln 10 and some */
        ASSERT_NEAR(run->progress.train_loss, mean, 3e-6 * mean);
        cr_run_free(&run);
    }
    assert_int_equal(names_here(), 0); /* no folder: nothing written */
}

static void all_ranks_end_with_the_same_weights(void **state)
{
    (void)state;
    const char *const kinds[][OVERRIDES_MAX] = {
        {"deterministic=true"},
        {"deterministic=false"},
        {"deterministic=false", "agreement=local"},
        {"deterministic=false", "agreement=global"},
        {"agreement=stale", "sampling.lookahead=true"},
        {"agreement=weights", "sampling.scores=uniform", "sampling.draw=no_replacement"},
        {"agreement=stale",
         "sampling.layers={fc1: {draw: systematic, scale: true}, fc2: {scores: weight_norm}}"},
        {"micro_batch=0", "deterministic=false", "optimizer.clip_norm=0.5"},
        {"optimizer={rule: lamb}", "network.label_smoothing=0.1"}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        cr_run *run = NULL;
        make_run(&run, kinds[k], "", false);
        ASSERT_OK(cr_run_train(run));
        ASSERT_OK(cr_comm_same(comm, cr_run_weights_hash(run), "weights"));
        assert_int_equal(run->progress.step, STEPS);
        assert_true(run->progress.test_accuracy > 0.5); /* chance: 0.1; measured 0.78 to 0.94 */
        assert_true(run->progress.macs_executed < run->progress.macs_paper);
        cr_run_free(&run);
    }
    assert_int_equal(names_here(), 0);
}

/* Kernels decay and adapt, biases do not; patterns take layers or single parameters out. */
static void spans_follow_the_patterns(void **state)
{
    (void)state;
    const char *const patterns[] = {"optimizer.no_decay=[fc3, 'fc1/k*']",
                                    "optimizer.no_adaptation=['*2/kernel']", NULL};
    const bool decays[] = {false, false, true, false, false, false}; /* kernel, bias of fc1, 2, 3 */
    const bool adapts[] = {true, false, false, false, true, false};
    cr_run *run = NULL;
    make_run(&run, patterns, "", false);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(run->spans[i].decay, decays[i]);
        assert_int_equal(run->spans[i].adapt, adapts[i]);
    }
    cr_run_free(&run);
}

/* ---- ranks that are not of one mind ------------------------------------------------------------
 */

/* One float of one rank: found out at the next check, before anything is saved. */
static void other_weights_are_found_out(void **state)
{
    (void)state;
    const char *checked[] = {"check_every=5", "checkpoint.every_steps=5", NULL};
    const char *unchecked[] = {"check_every=0", "steps=6", "epochs=0", NULL};
    int last = cr_comm_size(comm) - 1;
    for (int parameter = 0; parameter < 6 && last > 0; parameter += 5) {
        cr_run *run = NULL;
        char words[128];
        for (int checks = 0; checks < 2; checks++) {
            make_run(&run, checks == 1 ? checked : unchecked, checks == 1 ? "odd" : "", false);
            const cr_parameter *p = cr_net_parameter(run->net, parameter);
            if (cr_comm_rank(comm) == last)
                run->net->parameters[p->offset + p->count - 1] += 0.25F;
            (void)snprintf(words, sizeof words,
                           "step 5 layer %s: %s: expected the same on all ranks, rank %d differs",
                           p->layer, p->name, last);
            if (checks == 1)
                ASSERT_FAILS(cr_run_train(run), CR_RANKS, words);
            else
                ASSERT_OK(cr_run_train(run));
            assert_false(is_here("odd/checkpoints/step-00000005.h5"));
            cr_run_free(&run);
        }
    }
}

/* ---- stopping and going on ------------------------------------------------------------------- */

static uint64_t uninterrupted(void)
{
    cr_run *run = NULL;
    const char *none[] = {NULL};
    make_run(&run, none, "whole", false);
    ASSERT_OK(cr_run_train(run));
    uint64_t hash = cr_run_weights_hash(run);
    cr_run_free(&run);
    if (cr_comm_rank(comm) == 0) {
        assert_true(is_here("whole/config.yaml") && is_here("whole/metrics.jsonl"));
        assert_true(is_here("whole/summary.json"));
        assert_true(is_here("whole/checkpoints/step-00000075.h5"));
    }
    return hash;
}

/* A time limit that is over at once lets each session do one step: 3 of them, then the rest. */
static void stopped_sessions_add_up(void **state)
{
    (void)state;
    uint64_t whole = uninterrupted();
    const char *const soon[] = {"checkpoint.stop_minutes=1e-9", NULL};
    const char *const never[] = {NULL};
    cr_run *run = NULL;
    for (int session = 1; session <= 3; session++) {
        make_run(&run, soon, "parts", session > 1);
        ASSERT_FAILS(cr_run_train(run), CR_STOPPED, "stopped as asked at step");
        assert_int_equal(run->progress.step, session);
        cr_run_free(&run);
    }
    make_run(&run, never, "parts", true);
    assert_int_equal(run->progress.step, 3);
    ASSERT_OK(cr_run_train(run));
    assert_true(cr_run_weights_hash(run) == whole);
    cr_run_free(&run);
}

/* 25 updates of 50 samples, 13 of 100, 7 of 200; a run that goes on from the last update of an
 * epoch, from the first of the next or from between ends with the same bits. */
static void growing_batches_resume_from_anywhere(void **state)
{
    (void)state;
    const char *const grows[] = {"batch_schedule={1: 100, 2: 200}", "checkpoint.every_steps=1",
                                 "checkpoint.keep=0", "learning_rate.warmup_epochs=1.5", NULL};
    const int from[] = {24, 30, 38};
    cr_run *run = NULL;
    make_run(&run, grows, "grows", false);
    ASSERT_OK(cr_run_train(run));
    uint64_t whole = cr_run_weights_hash(run);
    assert_int_equal(run->progress.step, 25 + 13 + 7);
    assert_int_equal(run->progress.epoch, EPOCHS);
    assert_int_equal(run->meter.samples, EPOCHS * TRAIN_SAMPLES);
    assert_int_equal(run->rate.warmup, 25 + 7); /* 6.5, rounded */
    cr_run_free(&run);
    for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "grows/checkpoints/step-%08d.h5", from[i]);
        make_run(&run, grows, "", false);
        ASSERT_OK(cr_run_resume(run, path));
        ASSERT_OK(cr_run_train(run));
        assert_true(cr_run_weights_hash(run) == whole);
        cr_run_free(&run);
    }
    const char *const other[] = {"batch_schedule={1: 100}", NULL};
    make_run(&run, other, "", false);
    ASSERT_FAILS(cr_run_resume(run, "grows/checkpoints/step-00000001.h5"), CR_BAD_CONFIG,
                 "batch_schedule: expected that of grows/checkpoints/step-00000001.h5");
    cr_run_free(&run);
}

/* A checkpoint of a build with a key that this one lacks cannot be gone on from. */
static void a_later_build_is_told_apart(void **state)
{
    (void)state;
    const char *const one[] = {"epochs=0", "steps=1", "checkpoint.every_steps=1", NULL};
    const char *const none[] = {NULL};
    cr_run *run = NULL;
    make_run(&run, one, "later", false);
    char *key = strstr(run->config, "\nlog:");
    assert_non_null(key);
    memcpy(key, "\nlag:", 5);
    ASSERT_OK(cr_run_train(run));
    cr_run_free(&run);
    make_run(&run, none, "", false);
    cr_status status = cr_run_resume(run, "later/checkpoints/step-00000001.h5");
    assert_int_equal(status, CR_BAD_CONFIG);
    if (cr_comm_rank(comm) == 0)
        ASSERT_FAILS(status, CR_BAD_CONFIG, "expected a run that this build of colrow can read: ");
    cr_run_free(&run);
}

static void ranks_of_different_configurations_do_not_start(void **state)
{
    (void)state;
    cr_run_options options;
    cr_run *run = NULL;
    int last = cr_comm_size(comm) - 1;
    const char *const seeds[] = {"seed=1", "seed=2"};
    bool odd = last > 0 && cr_comm_rank(comm) == last;
    ASSERT_OK(cr_options_parse(&options, config, "test", &seeds[odd ? 1 : 0], 1));
    ASSERT_OK(cr_options_settle(&options, last + 1));
    char words[64];
    (void)snprintf(words, sizeof words, "rank %d differs", last);
    if (last > 0)
        ASSERT_FAILS(cr_run_create(&run, comm, &options), CR_RANKS, words);
    assert_null(run);
}

/* Only the last rank gets the signal; all stop after the same step. It stays caught: last test. */
static void a_signal_to_one_rank_stops_all(void **state)
{
    (void)state;
    cr_run *run = NULL;
    const char *none[] = {NULL};
    ASSERT_OK(cr_signals_catch());
    assert_false(cr_signals_caught());
    make_run(&run, none, "signal", false);
    if (cr_comm_rank(comm) == cr_comm_size(comm) - 1)
        assert_int_equal(raise(SIGTERM), 0);
    ASSERT_FAILS(cr_run_train(run), CR_STOPPED, "step 1 of 75");
    if (cr_comm_rank(comm) == 0)
        assert_true(is_here("signal/checkpoints/step-00000001.h5"));
    cr_run_free(&run);
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about;
    (void)kind;
    (void)where;
    return remove(path);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sample_comes_once_an_epoch),
        cmocka_unit_test(all_ranks_end_with_the_same_weights),
        cmocka_unit_test(spans_follow_the_patterns),
        cmocka_unit_test(other_weights_are_found_out),
        cmocka_unit_test(stopped_sessions_add_up),
        cmocka_unit_test(growing_batches_resume_from_anywhere),
        cmocka_unit_test(a_later_build_is_told_apart),
        cmocka_unit_test(ranks_of_different_configurations_do_not_start),
        cmocka_unit_test(a_signal_to_one_rank_stops_all),
    };
    comm = mpi_begin(&argc, &argv);
    cr_engine_set_threads(1);
    (void)snprintf(work, sizeof work, "/tmp/colrow-run-XXXXXX");
    bool root = cr_comm_rank(comm) == 0;
    bool made = !root || mkdtemp(work) != NULL;
    cr_status status = cr_comm_broadcast(comm, work, sizeof work, 0);
    if (!made || status != CR_OK || chdir(work) != 0)
        cr_comm_abort(comm, CR_CANNOT_WRITE);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (root && nftw(work, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        failed++;
    return mpi_end(&comm, failed);
}
