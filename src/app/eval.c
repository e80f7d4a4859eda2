/* eval: colrow eval CHECKPOINT. */
#include "app.h"

static const cr_usage usage = {
    .arguments = "CHECKPOINT",
    .about = "Evaluate a checkpoint exactly on the validation and test data of its configuration.\v"
             "Example:\n"
             "  colrow eval runs/mnist-40/checkpoints/step-00022000.h5 -s data.path=data/mnist",
    .json = true,
    .overrides = true,
};

static void print_part(const char *part, const cr_result *result, const cr_measure *measure,
                       bool json)
{
    double loss = result->loss / (double)result->samples;
    double value = cr_measure_of(measure, result);
    if (result->samples == 0)
        return;
    if (json)
        cr_print("{\"part\":\"%s\",\"%s\":%lld,\"loss\":%.9g,\"%s\":%.9g}\n", part, measure->labels,
                 (long long)result->samples, loss, measure->name, value);
    else
        cr_print("%-5s  %lld %s  loss %.4f  %s %.*f\n", part, (long long)result->samples,
                 measure->labels, loss, measure->name, measure->digits, value);
}

static cr_status evaluate(cr_run *run, const cr_arguments *arguments)
{
    const char *const names[] = {"valid", "test"};
    const cr_data_part *const parts[] = {&run->data.valid, &run->data.test};
    cr_result results[2];
    CR_TRY(cr_run_load(run, arguments->subject));
    CR_TRY(cr_run_recalibrate(run));
    CR_TRY(cr_run_evaluate_both(run, results, parts));
    for (int i = 0; i < 2; i++)
        print_part(names[i], &results[i], cr_measure_for(run->options.data.kind), arguments->json);
    return CR_OK;
}

static cr_status run_command(cr_comm *comm, int argc, char **argv)
{
    cr_arguments arguments;
    cr_run *run = NULL;
    CR_TRY(cr_arguments_parse(&arguments, comm, &usage, argc, argv));
    if (arguments.help)
        return CR_OK;
    CR_CHECK(cr_app_is_checkpoint(arguments.subject), CR_BAD_CONFIG,
             "expected a checkpoint (a file NAME.h5), found %s", arguments.subject);
    CR_TRY(cr_app_run(&run, comm, &arguments));
    cr_status status = evaluate(run, &arguments);
    cr_run_free(&run);
    return status;
}

const cr_command cr_command_eval = {
    .name = "eval",
    .summary = "evaluate a checkpoint: colrow eval CHECKPOINT [-s KEY=VALUE]... [--json]",
    .run = run_command,
};
