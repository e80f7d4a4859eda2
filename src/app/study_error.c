/* study_error: colrow study error. */
#include "app.h"

#include "colrow/config.h"
#include "colrow/study.h"

#include <string.h>

static const cr_usage usage = {
    .arguments = "[CONFIG|CHECKPOINT]",
    .about =
        "The error that sampling leaves in a product, |AB - estimate| / (|A| |B|), by estimate and "
        "share of the channels kept. Without arguments: figures 1a and 1b of the paper.\v"
        "Examples:\n"
        "  colrow study error -o runs/error\n"
        "  colrow study error --kernel=3 --image=8 --sizes='[4, 64, 64]' --repeats=200\n"
        "  colrow study error --estimates='[top/norm, bernoulli/norm/scale]' --percents='[5, 25]'\n"
        "  colrow study error configs/cnn-mnist.yaml --layer=conv2 -s data.path=data/mnist\n"
        "  colrow study error runs/40/checkpoints/step-00022000.h5 --layer=fc2\n\n"
        "The output folder gets error.csv, error.json, error.gp and, "
        "where gnuplot is installed, error.svg. More ranks share the repeats.",
    .output = "where everything is written (default runs/study-error)",
    .overrides = true,
    .optional = true,
    .settings = cr_error_option_table,
};

static const cr_section sections[] = {
    {.name = "", .options = cr_error_option_table},
    {.name = NULL},
};

static cr_status read_settings(cr_error_options *options, const cr_arguments *arguments)
{
    cr_config *config = NULL;
    const char *text = arguments->settings;
    bool named = arguments->subject != NULL;
    CR_TRY(cr_config_parse(&config, text, strlen(text), "study error", NULL, 0));
    cr_status status = cr_config_bind(config, sections, options);
    cr_config_free(&config);
    CR_TRY(status);
    CR_CHECK(named == (options->layer[0] != '\0'), CR_BAD_CONFIG,
             "study error: expected CONFIG (or CHECKPOINT) and --layer together, found %s alone",
             named ? arguments->subject : "--layer");
    CR_CHECK(named || arguments->override_count == 0, CR_BAD_CONFIG,
             "study error: -s sets keys of CONFIG; expected one, found none");
    return CR_OK;
}

/* The run whose layer is wanted, nothing sampled; with the weights of a checkpoint, or those that
 * training begins with. */
static cr_status make_run(cr_run **out, cr_comm *comm, const cr_arguments *arguments)
{
    cr_run_options options;
    CR_TRY(cr_app_options(&options, comm, arguments));
    options.sampling.ratio = 1;
    options.sampling.layers.names.count = 0;
    options.sampling.schedule.count = 0;
    CR_TRY(cr_machine_prepare(comm, &options));
    CR_TRY(cr_run_create(out, comm, &options));
    return cr_app_is_checkpoint(arguments->subject) ? cr_run_load(*out, arguments->subject) : CR_OK;
}

static cr_status run_command(cr_comm *comm, int argc, char **argv)
{
    cr_status status = CR_OK;
    cr_arguments arguments;
    cr_error_options options = {0};
    cr_run *run = NULL;
    CR_TRY(cr_arguments_parse(&arguments, comm, &usage, argc, argv));
    if (arguments.help)
        return CR_OK;
    CR_TRY(cr_comm_any(comm, read_settings(&options, &arguments)));
    if (arguments.subject != NULL)
        CR_TRY_GOTO(make_run(&run, comm, &arguments));
    CR_TRY_GOTO(cr_error_study(&options, comm, run,
                               arguments.output != NULL ? arguments.output : "runs/study-error"));
done:
    cr_run_free(&run);
    return status;
}

const cr_command cr_command_study_error = {
    .name = "error",
    .summary = "errors of sampled products (figures 1a, 1b), of convolutions, of a net's layer",
    .run = run_command,
};
