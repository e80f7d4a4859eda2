/* plot: colrow plot RUN...: learning curves and phases. */
#include "app.h"

#include "colrow/sweep.h"

static const cr_usage usage = {
    .arguments = "RUN...",
    .about = "Learning curves and seconds by phase of the runs in the folders given.\v"
             "Example:\n"
             "  colrow plot runs/exact runs/40 -o plots\n\n"
             "Writes for each picture NAME.csv, NAME.gp and, where gnuplot is installed, NAME.svg: "
             "training loss and error by epoch, step and second, and the phases of a step. A run "
             "that is under way has curves already.",
    .most = CR_SUBJECTS_MAX,
    .output = "where the pictures are written (default plots)",
};

static cr_status run_command(cr_comm *comm, int argc, char **argv)
{
    cr_arguments arguments;
    cr_status status = CR_OK;
    CR_TRY(cr_arguments_parse(&arguments, comm, &usage, argc, argv));
    if (arguments.help)
        return CR_OK;
    const char *folder = arguments.output != NULL ? arguments.output : "plots";
    if (cr_comm_rank(comm) == 0)
        status = cr_plot_runs(folder, arguments.subjects, arguments.subject_count);
    CR_TRY(cr_comm_any(comm, status));
    cr_log_info("wrote %s", folder);
    return CR_OK;
}

const cr_command cr_command_plot = {
    .name = "plot",
    .summary = "learning curves and phases of runs: colrow plot RUN... [-o FOLDER]",
    .run = run_command,
};
