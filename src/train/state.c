/*
 * state: what of a run goes into a checkpoint and comes back. Rank 0 writes and reads; the others
 * get what it read by broadcast, so the file is the same, and needed, on one rank only.
 */
#include "train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 256 };

/* ---- arrays ---------------------------------------------------------------------------------- */
typedef struct arrays {
    cr_blob *blobs;                /* [count], owned */
    char (*names)[NAME_MAX_BYTES]; /* [count], owned */
    int count;
} arrays;

static void add(arrays *all, const char *group, const cr_parameter *p, float *flat)
{
    char *name = all->names[all->count];
    (void)snprintf(name, NAME_MAX_BYTES, "%s/%s/%s", group, p->layer, p->name);
    cr_blob *blob = &all->blobs[all->count++];
    *blob = (cr_blob){.name = name,
                      .type = CR_BLOB_F32,
                      .rank = p->rank,
                      .dimensions = p->dimensions,
                      .data = flat + p->offset};
    for (int d = 0; d < p->rank; d++)
        blob->dims[d] = p->dims[d];
}

static void add_statistics(arrays *all, const cr_layer *layer, const char *what, float *values)
{
    char *name = all->names[all->count];
    (void)snprintf(name, NAME_MAX_BYTES, "/statistics/%s/%s", layer->name, what);
    all->blobs[all->count++] = (cr_blob){.name = name,
                                         .type = CR_BLOB_F32,
                                         .rank = 1,
                                         .dims = {layer->in.c},
                                         .dimensions = "C",
                                         .data = values};
}

/* Running statistics of the batch norms. */
static void add_all_statistics(arrays *all, const cr_net *net)
{
    for (int l = 0; l < net->layer_count; l++) {
        const cr_layer *layer = &net->layers[l];
        float *values = net->statistics + layer->statistics_offset;
        if (layer->statistics == 0)
            continue;
        add_statistics(all, layer, "mean", values);
        add_statistics(all, layer, "variance", values + layer->in.c);
    }
}

/* Name of the norms that the net remembers of segment s. */
static void name_norms(char name[NAME_MAX_BYTES], const cr_net *net, int s)
{
    (void)snprintf(name, NAME_MAX_BYTES, "/norms/%s/inputs",
                   net->layers[net->segments[s].consumer].name);
}

/* What the net remembers of the last step. */
static void add_all_norms(arrays *all, const cr_net *net)
{
    for (int s = 0; s < net->segment_count; s++) {
        float *norms = cr_net_remembered(net, s);
        char *name = all->names[all->count];
        if (norms == NULL)
            continue;
        name_norms(name, net, s);
        all->blobs[all->count++] = (cr_blob){.name = name,
                                             .type = CR_BLOB_F32,
                                             .rank = 1,
                                             .dims = {net->segments[s].n},
                                             .dimensions = "IN",
                                             .data = norms};
    }
}

static bool is_there(const char *name, const cr_checkpoint_entry *entries, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(entries[i].name, name) == 0)
            return true;
    return false;
}

/* Does the checkpoint have all norms that the net remembers? Not when it is of a run that agreed in
 * another way or sampled other layers; the net then begins without. */
static cr_status has_norms(bool *all, const cr_net *net, const char *path)
{
    cr_checkpoint_entry *entries = NULL;
    int count = 0;
    CR_TRY(cr_checkpoint_list(&entries, &count, path));
    *all = net->remembers;
    for (int s = 0; s < net->segment_count; s++) {
        char name[NAME_MAX_BYTES];
        name_norms(name, net, s);
        if (cr_net_remembered(net, s) != NULL)
            *all = *all && is_there(name, entries, count);
    }
    CR_FREE(entries);
    return CR_OK;
}

static cr_status list(arrays *all, const cr_run *run, bool with_optimizer, bool with_norms)
{
    const cr_optim_rule *rule = run->optim.rule;
    int parameters = 0;
    while (cr_net_parameter(run->net, parameters) != NULL)
        parameters++;
    size_t most = (size_t)parameters * (1 + CR_OPTIM_STATES) + 3 * (size_t)run->net->layer_count;
    CR_TRY(cr_alloc((void **)&all->blobs, most * sizeof *all->blobs));
    CR_TRY(cr_alloc((void **)&all->names, most * sizeof *all->names));
    for (int i = 0; i < parameters; i++)
        add(all, "/parameters", cr_net_parameter(run->net, i), run->net->parameters);
    add_all_statistics(all, run->net);
    for (int s = 0; with_optimizer && rule->states[s] != NULL; s++) {
        char group[CR_WORD_MAX];
        (void)snprintf(group, sizeof group, "/optimizer/%s", rule->states[s]);
        for (int i = 0; i < parameters; i++)
            add(all, group, cr_net_parameter(run->net, i), run->optim.state[s]);
    }
    if (with_norms)
        add_all_norms(all, run->net);
    return CR_OK;
}

static void arrays_free(arrays *all)
{
    CR_FREE(all->blobs);
    CR_FREE(all->names);
}

/* ---- attributes ------------------------------------------------------------------------------ */
enum { INTEGERS = 10, REALS = 7 };

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

/* Progress as attributes, then `train_samples` and the config text. */
static int attributes_of(cr_attribute *out, cr_progress *progress, int64_t train_samples,
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
        (cr_attribute){.name = "train_samples", .type = CR_ATTRIBUTE_I64, .i64 = train_samples};
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
    arrays all = {0};
    cr_attribute attributes[INTEGERS + REALS + 3];
    char folder[CR_PATH_MAX];
    char path[CR_PATH_MAX];
    int count = attributes_of(attributes, &run->progress, run->data.train.count, run->config);
    CR_TRY_GOTO(list(&all, run, true, run->net->knows));
    CR_TRY_GOTO(cr_path_join(folder, run->folder, "checkpoints"));
    CR_TRY_GOTO(cr_checkpoint_name(path, folder, run->progress.step));
    CR_TRY_GOTO(cr_checkpoint_write(path, all.blobs, all.count, attributes, count));
    CR_TRY_GOTO(cr_checkpoint_prune(folder, run->options.checkpoint.keep, NULL));
done:
    arrays_free(&all);
    return status;
}

cr_status cr_state_save(cr_run *run)
{
    cr_status status = cr_comm_rank(run->comm) == 0 ? save_on_root(run) : CR_OK;
    return cr_comm_any(run->comm, status);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Things that fix the order of samples: a cursor means nothing when they differ. */
static cr_status check_same_course(const cr_run *run, const char *path, const char *config,
                                   int64_t train_samples)
{
    cr_run_options then;
    const cr_run_options *now = &run->options;
    CR_TRY(cr_options_parse(&then, config, path, NULL, 0));
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
    if (strcmp(config, run->config) != 0)
        cr_log_warn("resuming %s with another configuration than it was written with", path);
    return CR_OK;
}

static cr_status read_progress(cr_run *run, const char *path)
{
    cr_progress progress = {0};
    cr_attribute attributes[INTEGERS + REALS + 3];
    int count = attributes_of(attributes, &progress, 0, NULL);
    CR_TRY(cr_checkpoint_attributes(path, attributes, count));
    char *config = attributes[count - 2].text;
    cr_status status = check_same_course(run, path, config, attributes[count - 3].i64);
    CR_FREE(attributes[count - 1].text);
    CR_FREE(attributes[count - 2].text);
    CR_TRY(status);
    take_attributes(&run->progress, attributes);
    return CR_OK;
}

static cr_status read_arrays(cr_run *run, const char *path, bool with_optimizer)
{
    cr_status status = CR_OK;
    arrays all = {0};
    bool with_norms = false;
    if (with_optimizer)
        CR_TRY(has_norms(&with_norms, run->net, path));
    CR_TRY_GOTO(list(&all, run, with_optimizer, with_norms));
    CR_TRY_GOTO(cr_checkpoint_read(path, all.blobs, all.count,
                                   with_optimizer ? "/parameters,/statistics,/optimizer"
                                                  : "/parameters,/statistics"));
    run->net->knows = with_norms;
done:
    arrays_free(&all);
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
