/* study: colrow study NAME ...: what takes more than a training, one a file (study_NAME.c). */
#include "app.h"

#include <stdio.h>
#include <string.h>

static const cr_command *const studies[] = {&cr_command_study_error, &cr_command_study_sweep,
                                            &cr_command_study_scaling, NULL};

static cr_status run_command(cr_comm *comm, int argc, char **argv)
{
    char names[256], title[CR_WORD_MAX];
    cr_command_names(names, sizeof names, studies);
    CR_CHECK(argc >= 2, CR_BAD_CONFIG, "expected a study (%s), found none; see colrow study --help",
             names);
    if (strcmp(argv[1], "--help") == 0) {
        cr_print("usage: colrow study NAME ...\n\n");
        cr_command_print(studies);
        cr_print("\ncolrow study NAME --help tells more.\n");
        return CR_OK;
    }
    const cr_command *study = cr_command_find(studies, argv[1]);
    CR_CHECK(study != NULL, CR_BAD_CONFIG,
             "expected a study (%s), found %s; see colrow study --help", names, argv[1]);
    (void)snprintf(title, sizeof title, "study %s", study->name);
    argv[1] = title; /* as it is to stand in messages */
    return study->run(comm, argc - 1, argv + 1);
}

const cr_command cr_command_study = {
    .name = "study",
    .summary = "errors of sampled products, sweeps of many runs, scaling: colrow study "
               "error|sweep|scaling ...",
    .run = run_command,
};
