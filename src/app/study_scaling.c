/* study_scaling: colrow study scaling RUN...: short runs on several numbers of ranks, compared. */
#include "app.h"

#include "colrow/config.h"
#include "colrow/scaling.h"

#include <string.h>

static const cr_usage usage = {
    .arguments = "RUN|FOLDER...",
    .about =
        "Compare finished runs on several numbers of ranks, and fit a model of a step to them.\v"
        "Each argument is the folder of a run, or one that holds such folders, as "
        "launch/scaling.sh "
        "makes it:\n"
        "  colrow study scaling runs/scaling -o runs/scaling\n"
        "  colrow study scaling runs/scaling --bandwidth=25 --latency=5 -o runs/on-25-gbe\n\n"
        "Runs of one batch are strong scaling, runs of one batch a rank weak scaling; those that "
        "differ in nothing are rounds, of which medians are taken. The output folder gets "
        "scaling.csv, scaling.md, model.csv (steps on up to --ranks ranks), pattern-RATIO.txt "
        "(what "
        "a rank does in a step, for bench/simulate.sh) and, where gnuplot is installed, pictures.",
    .most = CR_SUBJECTS_MAX,
    .output = "where everything is written (default runs/study-scaling)",
    .settings = cr_scaling_option_table,
};

static const cr_section sections[] = {
    {.name = "", .options = cr_scaling_option_table},
    {.name = NULL},
};

static cr_status compare_runs(const cr_arguments *arguments, const char *folder)
{
    cr_config *config = NULL;
    cr_scaling_options options = {0};
    cr_scaling scaling = {.cells = NULL};
    const char *text = arguments->settings;
    CR_TRY(cr_config_parse(&config, text, strlen(text), "study scaling", NULL, 0));
    cr_status status = cr_config_bind(config, sections, &options);
    cr_config_free(&config);
    CR_TRY(status);
    CR_TRY(cr_scaling_read(&scaling, arguments->subjects, arguments->subject_count));
    status = cr_scaling_report(&scaling, folder);
    if (status == CR_OK)
        status = cr_scaling_model(&scaling, &options, folder);
    cr_scaling_free(&scaling);
    return status;
}

static cr_status run_command(cr_comm *comm, int argc, char **argv)
{
    cr_arguments arguments;
    cr_status status = CR_OK;
    CR_TRY(cr_arguments_parse(&arguments, comm, &usage, argc, argv));
    if (arguments.help)
        return CR_OK;
    const char *folder = arguments.output != NULL ? arguments.output : "runs/study-scaling";
    if (cr_comm_rank(comm) == 0)
        status = compare_runs(&arguments, folder);
    CR_TRY(cr_comm_any(comm, status));
    cr_log_info("wrote %s", folder);
    return CR_OK;
}

const cr_command cr_command_study_scaling = {
    .name = "scaling",
    .summary = "runs on several numbers of ranks, and a model of more: colrow study scaling "
               "RUN|FOLDER...",
    .run = run_command,
};
