/*
 * train: texts on this number of ranks. Streams carry their states from step to step in training as
 * they do in an evaluation, and begin anew with an epoch; what is measured depends neither on the
 * ranks nor on the windows. (That weights do not depend on the ranks is shown by e2e/test_text.sh.)
 */
#include "mpi_main.h"

#include "colrow/train.h"

#include <math.h>

enum { TRAIN = 800, VALID = 333, TEST = 250, KINDS = 20, EPOCHS = 2 };

static cr_comm *comm;
static char work[CR_PATH_MAX]; /* a fresh folder with the three texts */

static const char config[] =
    "network: {model: lstm, hidden: 10, layers: 2, unroll: 6, dropout: 0, initializer: uniform,\n"
    "          initializer_scale: 1.5}\n"
    "data: {kind: text}\n"
    "batch: 8\n"
    "micro_batch: 2\n"
    "epochs: 2\n"
    "optimizer: {rule: sgd}\n"
    "learning_rate: {base: 1e-30}\n"
    "deterministic: true\n"
    "evaluate: {every_epochs: 0}\n"
    "log: {level: error}\n";

static void write_text(const char *name, int words, uint32_t key)
{
    char path[CR_PATH_MAX];
    char text[TRAIN * sizeof "w99 "];
    size_t used = 0;
    cr_random random =
        cr_random_start((cr_random_key){.seed = 9, .stream = CR_STREAM_TEST, .sample = key});
    for (int i = 0; i < words; i++)
        used += (size_t)sprintf(text + used, "w%u ", cr_random_below(&random, KINDS));
    ASSERT_OK(cr_path_join(path, work, name));
    ASSERT_OK(cr_file_write(path, text, used));
}

static void make_run(cr_run **run, const char *const *overrides, int count)
{
    char path[CR_PATH_MAX + 16];
    const char *all[8] = {path};
    cr_run_options options;
    (void)snprintf(path, sizeof path, "data.path=%s", work);
    for (int i = 0; i < count; i++)
        all[1 + i] = overrides[i];
    ASSERT_OK(cr_options_parse(&options, config, "test", all, 1 + count));
    ASSERT_OK(cr_options_settle(&options, cr_comm_size(comm)));
    ASSERT_OK(cr_run_create(run, comm, &options));
}

/* With a rate of next to 0 all steps have the same weights. The mean of an epoch is then that of an
 * exact evaluation of the training text in the same streams, in the last epoch as in the first, if
 * states are carried and cleared as there; roundings of the steps' sums move it by 1e-7. */
static void training_reads_as_an_evaluation_does(void **state)
{
    (void)state;
    const char *const kinds[] = {"deterministic=true", "deterministic=false", "micro_batch=1"};
    for (int k = 0; k < 3; k++) {
        cr_run *run = NULL;
        cr_result exact = {0};
        make_run(&run, &kinds[k], 1);
        int64_t windows = (TRAIN - 1) / 8 / 6;
        assert_int_equal(run->data.train.count, 8 * windows);
        assert_false(run->options.data.shuffle);
        ASSERT_OK(cr_run_train(run));
        ASSERT_OK(cr_run_evaluate(run, &exact, &run->data.train));
        assert_int_equal(run->progress.step, EPOCHS * windows);
        assert_int_equal(run->meter.samples, windows * EPOCHS * 8 * 6);
        assert_int_equal(exact.samples, 8 * windows * 6);
        double mean = exact.loss / (double)exact.samples;
        assert_true(mean > log(KINDS) && mean < 3 * log(KINDS)); /* wild guesses */
        ASSERT_NEAR(run->progress.train_loss, mean, 1e-6 * mean);
        cr_run_free(&run);
    }
}

static double loss_of(const char *const *overrides, int count)
{
    cr_run *run = NULL;
    cr_result result = {0};
    make_run(&run, overrides, count);
    ASSERT_OK(cr_run_evaluate(run, &result, &run->data.valid));
    int streams = run->options.evaluate.streams;
    assert_int_equal(result.samples, (VALID - 1) / streams * streams);
    assert_int_equal(run->net->positions, run->data.train.h); /* ready for training again */
    cr_run_free(&run);
    return result.loss / (double)result.samples;
}

/* 332 words with one after them, in windows of 6 and one of 2, and others; or 4 streams of 83, less
 * than a window of 99. */
static void windows_do_not_matter(void **state)
{
    (void)state;
    const char *const unrolls[] = {"network.unroll=5", "network.unroll=90", "network.unroll=1"};
    double loss = loss_of(NULL, 0);
    for (int i = 0; i < 3; i++)
        ASSERT_NEAR(loss_of(&unrolls[i], 1), loss, 1e-6 * loss);
    const char *const four[] = {"evaluate.streams=4", "network.unroll=99"};
    loss = loss_of(four, 1);
    ASSERT_NEAR(loss_of(four, 2), loss, 1e-6 * loss);
}

/* Streams begin from nothing: other numbers, but for the micro-batches that they come in. */
static void streams_are_read_side_by_side(void **state)
{
    (void)state;
    const char *const three[] = {"evaluate.streams=3", "micro_batch=1"};
    const char *const whole[] = {"evaluate.streams=3", "micro_batch=2"};
    double loss = loss_of(three, 2);
    assert_true(fabs(loss - loss_of(NULL, 0)) > 1e-4 * loss);
    ASSERT_NEAR(loss_of(whole, 2), loss, 1e-6 * loss);
}

/* Whoever evaluates, and whether one part or two at a time. */
static void parts_may_be_evaluated_together(void **state)
{
    (void)state;
    cr_run *run = NULL;
    cr_result both[2];
    make_run(&run, NULL, 0);
    const cr_data_part *const parts[] = {&run->data.valid, &run->data.test};
    ASSERT_OK(cr_run_evaluate_both(run, both, parts));
    for (int i = 0; i < 2; i++) {
        cr_result one = {0};
        ASSERT_OK(cr_run_evaluate(run, &one, parts[i]));
        assert_int_equal(one.samples, (i == 0 ? VALID : TEST) - 1);
        assert_int_equal(both[i].samples, one.samples);
        assert_int_equal(both[i].correct, one.correct);
        assert_memory_equal(&both[i].loss, &one.loss, sizeof one.loss);
    }
    cr_run_free(&run);
}

static int set_up(void **state)
{
    (void)state;
    bool root = cr_comm_rank(comm) == 0;
    (void)snprintf(work, sizeof work, "/tmp/colrow-text-XXXXXX");
    if (root && mkdtemp(work) == NULL)
        return -1;
    ASSERT_OK(cr_comm_broadcast(comm, work, sizeof work, 0));
    if (root) {
        write_text("train.txt", TRAIN, 1);
        write_text("valid.txt", VALID, 2);
        write_text("test.txt", TEST, 3);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    const char *const names[] = {"train.txt", "valid.txt", "test.txt"};
    char path[CR_PATH_MAX];
    if (cr_comm_rank(comm) != 0)
        return 0;
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(cr_path_join(path, work, names[i]));
        (void)unlink(path); /* the folder tells */
    }
    return rmdir(work);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_reads_as_an_evaluation_does),
        cmocka_unit_test(windows_do_not_matter),
        cmocka_unit_test(streams_are_read_side_by_side),
        cmocka_unit_test(parts_may_be_evaluated_together),
    };
    comm = mpi_begin(&argc, &argv);
    return mpi_end(&comm, cmocka_run_group_tests(tests, set_up, tear_down));
}
