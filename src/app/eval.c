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

static cr_status evaluate(cr_run *run, const cr_arguments *arguments)
{
    const struct {
        const char *name;
        const cr_data_part *part;
    } parts[] = {{"valid", &run->data.valid}, {"test", &run->data.test}};
    CR_TRY(cr_run_load(run, arguments->subject));
    CR_TRY(cr_run_recalibrate(run));
    for (int i = 0; i < 2; i++) {
        cr_result result = {0};
        if (parts[i].part->count == 0)
            continue;
        CR_TRY(cr_run_evaluate(run, &result, parts[i].part));
        const char *format = arguments->json ? "{\"part\":\"%s\",\"samples\":%lld,\"loss\":%.9g,"
                                               "\"accuracy\":%.9g}\n"
                                             : "%-5s  %lld samples  loss %.4f  accuracy %.4f\n";
        cr_print(format, parts[i].name, (long long)result.samples,
                 result.loss / (double)result.samples,
                 (double)result.correct / (double)result.samples);
    }
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
