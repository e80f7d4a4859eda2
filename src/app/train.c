/* train: colrow train CONFIG. */
#include "app.h"

static const cr_usage usage = {
    .arguments = "CONFIG",
    .about = "Train the network of a YAML configuration.\v"
             "Examples:\n"
             "  colrow train configs/mlp-digits.yaml\n"
             "  mpirun -n 4 colrow train configs/mlp-mnist.yaml -s data.path=data/mnist "
             "-s sampling.ratio=0.4 -o runs/mnist-40\n"
             "  mpirun -n 2 colrow train configs/mlp-mnist.yaml -o runs/mnist-40 --resume\n\n"
             "The output folder gets config.yaml (everything as resolved), metrics.jsonl, "
             "summary.json and checkpoints/. SIGTERM or SIGUSR1 saves and ends with exit code 7; "
             "--resume goes on, on any number of ranks.",
    .output = "where everything is written (default runs/CONFIG)",
    .resume = true,
    .overrides = true,
};

static cr_status print_keys(void)
{
    char *text = NULL;
    CR_TRY(cr_options_describe(&text));
    cr_print("%s", text);
    CR_FREE(text);
    return CR_OK;
}

static void say_engine(const cr_engine *engine)
{
    const char *remark = engine->remark != NULL ? engine->remark() : NULL;
    cr_log_info("engine %s, %s%s%s", engine->name, engine->precision, remark != NULL ? ": " : "",
                remark != NULL ? remark : "");
}

static cr_status train(cr_run *run, const cr_arguments *arguments)
{
    char by_name[CR_PATH_MAX];
    cr_app_default_folder(by_name, arguments->subject);
    const char *folder = arguments->output != NULL ? arguments->output : by_name;
    /* a file that was named is read first, so that nothing is made for one that is refused */
    bool named = arguments->resume_from[0] != '\0';
    if (named)
        CR_TRY(cr_run_resume(run, arguments->resume_from));
    CR_TRY(cr_run_open_folder(run, folder, arguments->resume));
    cr_log_info("%lld parameters, %lld training samples, %lld steps; writing to %s",
                (long long)cr_net_size(run->net), (long long)run->data.train.count,
                (long long)run->total, folder);
    say_engine(run->net->engine);
    if (arguments->resume && !named)
        CR_TRY(cr_run_resume(run, ""));
    return cr_run_train(run);
}

static cr_status run_command(cr_comm *comm, int argc, char **argv)
{
    cr_arguments arguments;
    cr_run *run = NULL;
    CR_TRY(cr_arguments_parse(&arguments, comm, &usage, argc, argv));
    if (arguments.help)
        return CR_OK;
    if (arguments.keys)
        return print_keys();
    CR_TRY(cr_signals_catch());
    CR_TRY(cr_app_run(&run, comm, &arguments));
    cr_status status = train(run, &arguments);
    cr_run_free(&run);
    return status == CR_STOPPED ? cr_fail_prefix(status, "--resume goes on from there") : status;
}

const cr_command cr_command_train = {
    .name = "train",
    .summary = "train a network: colrow train CONFIG [-s KEY=VALUE]... [-o FOLDER] [--resume]",
    .run = run_command,
};
