/* info: colrow info CONFIG | CHECKPOINT: what a run will cost, or what a file holds. */
#include "app.h"

#include <jansson.h>
#include <stdlib.h>

static const cr_usage usage = {
    .arguments = "CONFIG|CHECKPOINT",
    .about =
        "Layers with shapes, parameters and multiply-accumulates, memory and message sizes of a "
        "configuration; or the contents of a checkpoint.\v"
        "Multiply-accumulates are a sample's, in thousands: exact / as the paper counts them / "
        "as they are executed, for the forward product, the input gradient and the weight "
        "gradient. Numbers that vary by a schedule are shown at their largest; draws that keep a "
        "varying number of channels with the number they are asked for, their memory and messages "
        "at the largest.",
    .json = true,
    .overrides = true,
};

/* Figures of a configuration. */
typedef struct figures {
    cr_macs macs;          /* a sample, all products */
    int64_t message_bytes; /* gradients of a step as they travel */
    int64_t memory_bytes;  /* of the net: parameters, gradients, tensors */
    int64_t optimizer_bytes;
} figures;

static bool contracts(const cr_net *net, int s)
{
    return net->layers[net->segments[s].consumer].type->contraction != NULL;
}

static void add(cr_macs *sum, cr_macs one)
{
    sum->exact += one.exact;
    sum->paper += one.paper;
    sum->executed += one.executed;
}

static figures measure(const cr_net *net, const cr_run_options *options)
{
    figures all = {.memory_bytes = (int64_t)net->arena.size};
    const cr_optim_rule *rule = cr_optim_rule_find(options->optimizer.rule);
    for (int i = 0; rule->states[i] != NULL; i++)
        all.optimizer_bytes += net->parameter_count * (int64_t)sizeof(float);
    for (int s = 0; s < net->segment_count; s++)
        for (int p = 0; contracts(net, s) && p < 3; p++)
            add(&all.macs,
                cr_net_macs(net, s, p, net->segments[s].asked, cr_net_live_asked(net, s)));
    all.message_bytes = cr_dist_message_floats(&options->dist, net) * (int64_t)sizeof(float);
    return all;
}

/* ---- text ------------------------------------------------------------------------------------ */

static int segment_of(const cr_net *net, int layer)
{
    for (int s = 0; s < net->segment_count; s++)
        if (net->segments[s].consumer == layer)
            return s;
    return -1;
}

static void print_layer(const cr_net *net, int l)
{
    const cr_layer *layer = &net->layers[l];
    int s = segment_of(net, l);
    int64_t parameters = 0;
    for (int i = 0; i < layer->parameter_count; i++)
        parameters += layer->parameters[i].count;
    cr_print("%-22s %-22s %4dx%dx%-6d %10lld", layer->name, layer->type->name, layer->out.h,
             layer->out.w, layer->out.c, (long long)parameters);
    if (s >= 0 && layer->type->contraction != NULL) {
        cr_print("  %5d/%-5d", net->segments[s].asked, net->segments[s].n);
        for (int p = 0; p < 3; p++) {
            cr_macs m = cr_net_macs(net, s, p, net->segments[s].asked, cr_net_live_asked(net, s));
            cr_print("  %7.1f/%.1f/%.1f", (double)m.exact / 1e3, (double)m.paper / 1e3,
                     (double)m.executed / 1e3);
        }
    }
    cr_print("\n");
}

static void print_text(const cr_net *net, const cr_run_options *options)
{
    figures all = measure(net, options);
    cr_print("%-22s %-22s %-13s %10s  %-11s  %s\n", "layer", "type", "output HxWxC", "parameters",
             "kept", "kMAC a sample: forward, input gradient, weight gradient");
    for (int l = 0; l < net->layer_count; l++)
        print_layer(net, l);
    const char *remark = net->engine->remark != NULL ? net->engine->remark() : NULL;
    cr_print("\nengine                %s, %s%s%s\n", net->engine->name, net->engine->precision,
             remark != NULL ? ": " : "", remark != NULL ? remark : "");
    cr_print("parameters            %lld\n", (long long)cr_net_size(net));
    cr_print("MAC a sample          %lld exact, %lld paper, %lld executed\n",
             (long long)all.macs.exact, (long long)all.macs.paper, (long long)all.macs.executed);
    if (net->positions > 1)
        cr_print("labels a sample       %d, of %.2f million MAC each, exact\n", net->positions,
                 (double)all.macs.exact / net->positions / 1e6);
    if (net->state_floats > 0)
        cr_print("carried states        %.3f MB, of %d streams\n",
                 (double)(options->batch * net->state_floats) * (double)sizeof(float) / 1e6,
                 options->batch);
    cr_print("reduction             %.2f%% paper, %.2f%% executed\n",
             100 * cr_macs_reduction_paper(&all.macs), 100 * cr_macs_reduction_executed(&all.macs));
    cr_print("memory of the net     %.1f MB (micro-batch of %d)\n", (double)all.memory_bytes / 1e6,
             net->rows);
    cr_print("kept activations      %.1f MB of it\n", (double)net->activation_bytes / 1e6);
    cr_print("optimizer state       %.1f MB\n", (double)all.optimizer_bytes / 1e6);
    cr_print("gradient message      %.3f MB a step (%.3f MB dense)\n",
             (double)all.message_bytes / 1e6,
             (double)cr_net_size(net) * (double)sizeof(float) / 1e6);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static json_t *macs_json(const cr_macs *m)
{
    return json_pack("{s:I,s:I,s:I}", "exact", (json_int_t)m->exact, "paper", (json_int_t)m->paper,
                     "executed", (json_int_t)m->executed);
}

static json_t *layer_json(const cr_net *net, int l)
{
    static const char *const products[] = {"forward", "input_gradient", "weight_gradient"};
    const cr_layer *layer = &net->layers[l];
    int s = segment_of(net, l);
    int64_t parameters = 0;
    for (int i = 0; i < layer->parameter_count; i++)
        parameters += layer->parameters[i].count;
    json_t *row = json_pack("{s:s,s:s,s:[i,i,i],s:I}", "name", layer->name, "type",
                            layer->type->name, "output", layer->out.h, layer->out.w, layer->out.c,
                            "parameters", (json_int_t)parameters);
    if (s < 0 || layer->type->contraction == NULL)
        return row;
    (void)json_object_set_new(row, "inputs", json_integer(net->segments[s].n));
    (void)json_object_set_new(row, "kept", json_integer(net->segments[s].asked));
    for (int p = 0; p < 3; p++) {
        cr_macs m = cr_net_macs(net, s, p, net->segments[s].asked, cr_net_live_asked(net, s));
        (void)json_object_set_new(row, products[p], macs_json(&m));
    }
    return row;
}

static cr_status print_json(const cr_net *net, const cr_run_options *options)
{
    figures all = measure(net, options);
    json_t *layers = json_array();
    for (int l = 0; l < net->layer_count; l++)
        (void)json_array_append_new(layers, layer_json(net, l)); /* a failure shows in json_dumps */
    json_t *whole = json_pack(
        "{s:i,s:i,s:i,s:s,s:s,s:I,s:{s:f,s:f},s:o,s:I,s:I,s:I,s:I,s:I,s:o}", "batch",
        options->batch, "micro_batch", options->micro_batch, "labels_per_sample", net->positions,
        "engine", net->engine->name, "precision", net->engine->precision, "parameters",
        (json_int_t)cr_net_size(net), "reduction", "paper", cr_macs_reduction_paper(&all.macs),
        "executed", cr_macs_reduction_executed(&all.macs), "macs", macs_json(&all.macs),
        "memory_bytes", (json_int_t)all.memory_bytes, "activation_bytes",
        (json_int_t)net->activation_bytes, "optimizer_bytes", (json_int_t)all.optimizer_bytes,
        "message_bytes", (json_int_t)all.message_bytes, "dense_bytes",
        (json_int_t)(cr_net_size(net) * (int64_t)sizeof(float)), "layers", layers);
    char *text = json_dumps(whole, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(whole);
    CR_CHECK(text != NULL, CR_INTERNAL, "cannot make JSON of the figures");
    cr_print("%s\n", text);
    free(text);
    return CR_OK;
}

/* ---- subjects -------------------------------------------------------------------------------- */

static cr_status describe_config(const cr_run_options *options, bool json)
{
    cr_net *net = NULL;
    cr_status status = CR_OK;
    CR_TRY(cr_options_net(&net, options));
    if (json)
        status = print_json(net, options);
    else
        print_text(net, options);
    cr_net_free(&net);
    return status;
}

/* What a run was judged by, from its configuration. */
static cr_status find_measure(const cr_measure **out, const char *config, const char *path)
{
    cr_run_options options;
    CR_TRY(cr_options_parse(&options, config, path, NULL, 0));
    *out = cr_measure_for(options.data.kind);
    return CR_OK;
}

static cr_status describe_checkpoint(const char *path)
{
    cr_checkpoint_entry *entries = NULL;
    const cr_measure *measure = NULL;
    int count = 0;
    cr_attribute run[] = {{.name = "step", .type = CR_ATTRIBUTE_I64},
                          {.name = "epoch", .type = CR_ATTRIBUTE_I64},
                          {.name = "valid_loss", .type = CR_ATTRIBUTE_F64},
                          {.name = "valid_accuracy", .type = CR_ATTRIBUTE_F64},
                          {.name = "config", .type = CR_ATTRIBUTE_TEXT}};
    enum { CONFIG = 4, ATTRIBUTES };
    CR_TRY(cr_checkpoint_verify(path));
    CR_TRY(cr_checkpoint_attributes(path, run, ATTRIBUTES));
    cr_status status = cr_checkpoint_list(&entries, &count, path);
    if (status == CR_OK)
        status = find_measure(&measure, run[CONFIG].text, path);
    if (status == CR_OK) {
        cr_print("step %lld, epoch %lld, validation %s %.*f; all checksums hold\n\n",
                 (long long)run[0].i64, (long long)run[1].i64, measure->name, measure->digits,
                 measure->of(run[2].f64, run[3].f64));
        for (int i = 0; i < count; i++) {
            cr_print("%-40s %-14s", entries[i].name, entries[i].dimensions);
            for (int d = 0; d < entries[i].rank; d++)
                cr_print(" %lld", (long long)entries[i].dims[d]);
            cr_print("\n");
        }
        cr_print("\n%s", run[CONFIG].text);
    }
    CR_FREE(entries);
    CR_FREE(run[CONFIG].text);
    return status;
}

static cr_status run_command(cr_comm *comm, int argc, char **argv)
{
    cr_arguments arguments;
    cr_run_options options;
    bool root = cr_comm_rank(comm) == 0;
    cr_status status = CR_OK;
    CR_TRY(cr_arguments_parse(&arguments, comm, &usage, argc, argv));
    if (arguments.help)
        return CR_OK;
    if (cr_app_is_checkpoint(arguments.subject))
        return cr_comm_any(comm, root ? describe_checkpoint(arguments.subject) : CR_OK);
    CR_TRY(cr_app_options(&options, comm, &arguments));
    if (root)
        status = describe_config(&options, arguments.json);
    return cr_comm_any(comm, status);
}

const cr_command cr_command_info = {
    .name = "info",
    .summary = "what a configuration costs, or what a checkpoint holds: colrow info FILE [--json]",
    .run = run_command,
};
