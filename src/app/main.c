/* main: find the subcommand, run it, turn its status into the exit code. */
#include "app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cr_command *const commands[] = {&cr_command_train, &cr_command_eval, &cr_command_info,
                                             &cr_command_study, &cr_command_plot, NULL};

static void print_help(void)
{
    cr_print("colrow %s: data-parallel neural-network training with column-row sampling\n\n"
             "usage: colrow COMMAND ...        on more ranks: mpirun -n N colrow COMMAND ...\n\n",
             COLROW_VERSION);
    cr_command_print(commands);
    cr_print(
        "\ncolrow COMMAND --help tells more; colrow train --keys lists all configuration keys.\n"
        "Exit codes: 0 done, 2 usage or configuration, 3 data or checkpoint cannot be read,\n"
        "4 numerical failure, 5 ranks disagree or one was lost, 6 cannot write,\n"
        "7 stopped by a signal or time limit after saving (resume it).\n");
}

static cr_status run(cr_comm *comm, int argc, char **argv)
{
    char names[256];
    CR_TRY(cr_program_check(comm));
    cr_command_names(names, sizeof names, commands);
    CR_CHECK(argc >= 2, CR_BAD_CONFIG, "expected a command (%s), found none; see colrow --help",
             names);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_help();
        return CR_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        char library[256];
        cr_comm_library(library, sizeof library);
        cr_print("colrow %s (%s)\n", COLROW_VERSION, library);
        return CR_OK;
    }
    const cr_command *command = cr_command_find(commands, argv[1]);
    CR_CHECK(command != NULL, CR_BAD_CONFIG, "expected a command (%s), found %s; see colrow --help",
             names, argv[1]);
    return command->run(comm, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    cr_comm *comm = NULL;
    cr_status status = cr_comm_create(&comm, &argc, &argv);
    if (status != CR_OK) {
        cr_log_error("%s", cr_error_message());
        return (int)status;
    }
    cr_log_setup(CR_LOG_INFO, cr_comm_rank(comm), cr_comm_size(comm));
    status = run(comm, argc, argv);
    bool speaks = cr_comm_rank(comm) == 0 && cr_error_message()[0] != '\0';
    if (status == CR_STOPPED && speaks)
        cr_log_info("%s", cr_error_message());
    else if (status != CR_OK && speaks)
        cr_log_error("%s", cr_error_message());
    if (status != CR_OK && speaks)
        cr_log_debug("at %s", cr_error_trail());
    cr_comm_free(&comm);
    return (int)status;
}
