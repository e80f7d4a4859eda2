/*
 * state: what of a run goes into a checkpoint and comes back. Rank 0 writes and reads; the others
 * get what it read by broadcast, so the file is the same, and needed, on one rank only.
 */
#include "arrays.h"
#include "train.h"

#include <math.h>
#include <stdio.h>

/* ---- attributes ------------------------------------------------------------------------------ */
enum { INTEGERS = 10, REALS = 7, OTHERS = 4 };

typedef struct numbers {
    struct {
        const char *name;
        int64_t *value;
    } integers[INTEGERS];
    struct {
        const char *name;
        double *value;
        bool optional;
    } reals[REALS];
} numbers;

/* The fields of progress under their names; the one list that writing and reading share. */
static numbers numbers_of(cr_progress *p)
{
    return (numbers){
        .integers = {{"step", &p->step},
                     {"epoch", &p->epoch},
                     {"epoch_samples", &p->epoch_samples},
                     {"best_epoch", &p->best_epoch},
                     {"macs_exact", &p->macs_exact},
                     {"macs_paper", &p->macs_paper},
                     {"macs_executed", &p->macs_executed},
                     {"wire_bytes", &p->wire_bytes},
                     {"dense_bytes", &p->dense_bytes}},
        .reals = {{"epoch_loss", &p->epoch_loss, false},
                  {"train_loss", &p->train_loss, false},
                  {"seconds", &p->seconds, true}, /* older files lack it: counted from 0 */
                  {"valid_loss", &p->valid_loss, false},
                  {"valid_accuracy", &p->valid_accuracy, false},
                  {"test_loss", &p->test_loss, false},
                  {"test_accuracy", &p->test_accuracy, false}},
    };
}

/* Progress as attributes, then OTHERS: what the training data is, the config text, the version. */
static int attributes_of(cr_attribute *out, cr_progress *progress, const cr_data_part *train,
                         char *config)
{
    numbers all = numbers_of(progress);
    int count = 0;
    for (int i = 0; all.integers[i].name != NULL; i++)
        out[count++] = (cr_attribute){
            .name = all.integers[i].name, .type = CR_ATTRIBUTE_I64, .i64 = *all.integers[i].value};
    for (int i = 0; i < REALS; i++)
        out[count++] = (cr_attribute){.name = all.reals[i].name,
                                      .type = CR_ATTRIBUTE_F64,
                                      .f64 = *all.reals[i].value,
                                      .optional = all.reals[i].optional};
    out[count++] =
        (cr_attribute){.name = "train_samples", .type = CR_ATTRIBUTE_I64, .i64 = train->count};
    out[count++] = (cr_attribute){.name = "text_hash",
                                  .type = CR_ATTRIBUTE_I64,
                                  .i64 = (int64_t)train->text.hash,
                                  .optional = true}; /* older files knew no texts */
    out[count++] = (cr_attribute){.name = "config", .type = CR_ATTRIBUTE_TEXT, .text = config};
    out[count++] =
        (cr_attribute){.name = "version", .type = CR_ATTRIBUTE_TEXT, .text = COLROW_VERSION};
    return count;
}

static void take_attributes(cr_progress *progress, const cr_attribute *from)
{
    numbers all = numbers_of(progress);
    int at = 0;
    for (int i = 0; all.integers[i].name != NULL; i++)
        *all.integers[i].value = from[at++].i64;
    for (int i = 0; i < REALS; i++)
        *all.reals[i].value = from[at++].f64;
}

/* ---- writing --------------------------------------------------------------------------------- */

static cr_status save_on_root(cr_run *run)
{
    cr_status status = CR_OK;
    cr_arrays all = {0};
    cr_attribute attributes[INTEGERS + REALS + OTHERS];
    char folder[CR_PATH_MAX];
    char path[CR_PATH_MAX];
    int count = attributes_of(attributes, &run->progress, &run->data.train, run->config);
    CR_TRY_GOTO(cr_arrays_list(&all, run, true, run->net->knows));
    cr_carry_take_apart(all.states, run);
    CR_TRY_GOTO(cr_path_join(folder, run->folder, "checkpoints"));
    CR_TRY_GOTO(cr_checkpoint_name(path, folder, run->progress.step));
    CR_TRY_GOTO(cr_checkpoint_write(path, all.blobs, all.count, attributes, count));
    CR_TRY_GOTO(cr_checkpoint_prune(folder, run->options.checkpoint.keep, NULL));
done:
    cr_arrays_free(&all);
    return status;
}

cr_status cr_state_save(cr_run *run)
{
    CR_TRY(cr_carry_gather(run));
    cr_status status = cr_comm_rank(run->comm) == 0 ? save_on_root(run) : CR_OK;
    return cr_comm_any(run->comm, status);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Another configuration than that of the checkpoint may be wanted, but is worth a word. Both are as
 * this build resolves them: what an earlier one did not know has its default. */
static cr_status warn_of_change(const cr_run *run, const char *path, const cr_run_options *then)
{
    char *config = NULL;
    char difference[CR_DIFFERENCE_MAX];
    CR_TRY(cr_options_format(&config, then));
    cr_status status = cr_config_difference(difference, config, run->config);
    CR_FREE(config);
    CR_TRY(status);
    if (difference[0] != '\0')
        cr_log_warn("resuming %s with another configuration than it was written with: expected %s",
                    path, difference);
    return CR_OK;
}

/* Things that fix the order of samples: a cursor means nothing when they differ. */
static cr_status check_same_course(const cr_run *run, const char *path, const char *config,
                                   int64_t train_samples, uint64_t text_hash)
{
    cr_run_options then;
    const cr_run_options *now = &run->options;
    cr_status status = cr_options_parse(&then, config, path, NULL, 0);
    if (status != CR_OK)
        return cr_fail_prefix(status, "expected a run that this build of colrow can read");
    CR_CHECK(then.seed == now->seed, CR_BAD_CONFIG, "seed: expected %lld as in %s, found %lld",
             (long long)then.seed, path, (long long)now->seed);
    CR_CHECK(then.batch == now->batch, CR_BAD_CONFIG, "batch: expected %d as in %s, found %d",
             then.batch, path, now->batch);
    CR_CHECK(cr_course_same(&then, now), CR_BAD_CONFIG,
             "batch_schedule: expected that of %s, found another", path);
    CR_CHECK(then.micro_batch == now->micro_batch || !now->dist.deterministic, CR_BAD_CONFIG,
             "micro_batch: expected %d as in %s, found %d", then.micro_batch, path,
             now->micro_batch);
    CR_CHECK(train_samples == run->data.train.count, CR_BAD_CONFIG,
             "data: expected %lld training samples as in %s, found %lld", (long long)train_samples,
             path, (long long)run->data.train.count);
    CR_CHECK(text_hash == run->data.train.text.hash, CR_BAD_CONFIG,
             "data: expected the training text of %s, found another of as many words", path);
    return warn_of_change(run, path, &then);
}

static cr_status read_progress(cr_run *run, const char *path)
{
    cr_progress progress = {0};
    cr_attribute attributes[INTEGERS + REALS + OTHERS];
    int count = attributes_of(attributes, &progress, &run->data.train, NULL);
    CR_TRY(cr_checkpoint_attributes(path, attributes, count));
    const cr_attribute *others = &attributes[count - OTHERS];
    cr_status status =
        check_same_course(run, path, others[2].text, others[0].i64, (uint64_t)others[1].i64);
    CR_FREE(attributes[count - 1].text);
    CR_FREE(attributes[count - 2].text);
    CR_TRY(status);
    take_attributes(&run->progress, attributes);
    return CR_OK;
}

static cr_status read_arrays(cr_run *run, const char *path, bool with_training)
{
    cr_status status = CR_OK;
    cr_arrays all = {0};
    bool with_norms = false;
    const char *scope =
        with_training ? "/parameters,/statistics,/optimizer,/state" : "/parameters,/statistics";
    if (with_training)
        CR_TRY(cr_arrays_have_norms(&with_norms, run->net, path));
    CR_TRY_GOTO(cr_arrays_list(&all, run, with_training, with_norms));
    CR_TRY_GOTO(cr_checkpoint_read(path, all.blobs, all.count, scope));
    if (with_training)
        cr_carry_put_together(run, all.states);
    run->net->knows = with_norms;
done:
    cr_arrays_free(&all);
    return status;
}

static cr_status broadcast_state(cr_run *run)
{
    size_t bytes = (size_t)run->net->parameter_count * sizeof(float);
    CR_TRY(cr_comm_broadcast(run->comm, &run->progress, sizeof run->progress, 0));
    CR_TRY(cr_comm_broadcast(run->comm, run->net->parameters, bytes, 0));
    CR_TRY(cr_comm_broadcast(run->comm, run->net->statistics,
                             (size_t)run->net->statistics_count * sizeof(float), 0));
    for (int s = 0; run->optim.rule->states[s] != NULL; s++)
        CR_TRY(cr_comm_broadcast(run->comm, run->optim.state[s], bytes, 0));
    CR_TRY(cr_comm_broadcast(run->comm, &run->net->knows, sizeof run->net->knows, 0));
    CR_TRY(cr_comm_broadcast(run->comm, run->net->remembered,
                             (size_t)run->net->remembered_count * sizeof(float), 0));
    CR_TRY(cr_carry_broadcast(run));
    run->optim.step = run->progress.step;
    run->net->measured = false; /* the parameters are others now */
    return CR_OK;
}

static cr_status find_newest(char out[CR_PATH_MAX], const cr_run *run)
{
    char folder[CR_PATH_MAX];
    bool found = false;
    CR_TRY(cr_path_join(folder, run->folder, "checkpoints"));
    CR_TRY(cr_checkpoint_newest(out, &found, folder));
    if (!found)
        out[0] = '\0';
    return CR_OK;
}

static cr_status resume_on_root(cr_run *run, const char *path)
{
    char newest[CR_PATH_MAX];
    if (path[0] == '\0') {
        CR_TRY(find_newest(newest, run));
        path = newest;
    }
    if (path[0] == '\0') {
        cr_log_info("%s has no checkpoint yet: starting at the beginning", run->folder);
    } else {
        CR_TRY(read_arrays(run, path, true));
        CR_TRY(read_progress(run, path));
        cr_log_info("resuming from %s (step %lld)", path, (long long)run->progress.step);
    }
    return CR_OK;
}

cr_status cr_run_resume(cr_run *run, const char *path)
{
    cr_status status = cr_comm_rank(run->comm) == 0 ? resume_on_root(run, path) : CR_OK;
    CR_TRY(cr_comm_any(run->comm, status));
    return broadcast_state(run);
}

cr_status cr_run_load(cr_run *run, const char *path)
{
    cr_status status = cr_comm_rank(run->comm) == 0 ? read_arrays(run, path, false) : CR_OK;
    CR_TRY(cr_comm_any(run->comm, status));
    return broadcast_state(run);
}
