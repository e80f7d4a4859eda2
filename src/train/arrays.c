/* arrays: what of a run a checkpoint holds as data sets, under which names. */
#include "arrays.h"

#include <stdio.h>
#include <string.h>

static void add(cr_arrays *all, const char *group, const cr_parameter *p, float *flat)
{
    char *name = all->names[all->count];
    (void)snprintf(name, CR_ARRAY_NAME_MAX, "%s/%s/%s", group, p->layer, p->name);
    cr_blob *blob = &all->blobs[all->count++];
    *blob = (cr_blob){.name = name,
                      .type = CR_BLOB_F32,
                      .rank = p->rank,
                      .dimensions = p->dimensions,
                      .data = flat + p->offset};
    for (int d = 0; d < p->rank; d++)
        blob->dims[d] = p->dims[d];
}

static void add_statistics(cr_arrays *all, const cr_layer *layer, const char *what, float *values)
{
    char *name = all->names[all->count];
    (void)snprintf(name, CR_ARRAY_NAME_MAX, "/statistics/%s/%s", layer->name, what);
    all->blobs[all->count++] = (cr_blob){.name = name,
                                         .type = CR_BLOB_F32,
                                         .rank = 1,
                                         .dims = {layer->in.c},
                                         .dimensions = "C",
                                         .data = values};
}

/* Running statistics of the batch norms. */
static void add_all_statistics(cr_arrays *all, const cr_net *net)
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
static void name_norms(char name[CR_ARRAY_NAME_MAX], const cr_net *net, int s)
{
    (void)snprintf(name, CR_ARRAY_NAME_MAX, "/norms/%s/inputs",
                   net->layers[net->segments[s].consumer].name);
}

/* What the net remembers of the last step. */
static void add_all_norms(cr_arrays *all, const cr_net *net)
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

cr_status cr_arrays_have_norms(bool *all, const cr_net *net, const char *path)
{
    cr_checkpoint_entry *entries = NULL;
    int count = 0;
    CR_TRY(cr_checkpoint_list(&entries, &count, path));
    *all = net->remembers;
    for (int s = 0; s < net->segment_count; s++) {
        char name[CR_ARRAY_NAME_MAX];
        name_norms(name, net, s);
        if (cr_net_remembered(net, s) != NULL)
            *all = *all && is_there(name, entries, count);
    }
    CR_FREE(entries);
    return CR_OK;
}

/* States of the streams, of which all->states gets or has the values. */
static cr_status add_all_states(cr_arrays *all, const cr_run *run)
{
    const cr_state_part *part = NULL;
    int64_t batch = run->options.batch;
    size_t floats = (size_t)(batch * run->net->state_floats);
    CR_TRY(cr_alloc((void **)&all->states, floats * sizeof *all->states));
    for (int i = 0; (part = cr_net_state_parts(run->net, i)) != NULL; i++) {
        char *name = all->names[all->count];
        (void)snprintf(name, CR_ARRAY_NAME_MAX, "/state/%s/%s", part->layer, part->name);
        all->blobs[all->count++] = (cr_blob){.name = name,
                                             .type = CR_BLOB_F32,
                                             .rank = 2,
                                             .dims = {batch, part->count},
                                             .dimensions = "N,C",
                                             .data = all->states + batch * part->offset};
    }
    return CR_OK;
}

/* Arrays of a run at most: a layer has two statistics and one norm. */
static size_t count_most(const cr_net *net)
{
    int parameters = 0;
    int states = 0;
    while (cr_net_parameter(net, parameters) != NULL)
        parameters++;
    while (cr_net_state_parts(net, states) != NULL)
        states++;
    return (size_t)parameters * (1 + CR_OPTIM_STATES) + 3 * (size_t)net->layer_count +
           (size_t)states;
}

cr_status cr_arrays_list(cr_arrays *all, const cr_run *run, bool with_training, bool with_norms)
{
    const cr_optim_rule *rule = run->optim.rule;
    size_t most = count_most(run->net);
    CR_TRY(cr_alloc((void **)&all->blobs, most * sizeof *all->blobs));
    CR_TRY(cr_alloc((void **)&all->names, most * sizeof *all->names));
    for (int i = 0; cr_net_parameter(run->net, i) != NULL; i++)
        add(all, "/parameters", cr_net_parameter(run->net, i), run->net->parameters);
    add_all_statistics(all, run->net);
    for (int s = 0; with_training && rule->states[s] != NULL; s++) {
        char group[CR_WORD_MAX];
        (void)snprintf(group, sizeof group, "/optimizer/%s", rule->states[s]);
        for (int i = 0; cr_net_parameter(run->net, i) != NULL; i++)
            add(all, group, cr_net_parameter(run->net, i), run->optim.state[s]);
    }
    if (with_norms)
        add_all_norms(all, run->net);
    return with_training ? add_all_states(all, run) : CR_OK;
}

void cr_arrays_free(cr_arrays *all)
{
    CR_FREE(all->blobs);
    CR_FREE(all->names);
    CR_FREE(all->states);
}
