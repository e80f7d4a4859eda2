/*
 * look: where the run in a folder stands. What counts is what the run itself has left there: its
 * configuration as resolved, its summary, or the note that it failed.
 */
#include "colrow/sweep.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char failure_name[] = "failure.txt";

static bool is_there(const char *folder, const char *name)
{
    char path[CR_PATH_MAX];
    return cr_path_join(path, folder, name) == CR_OK && access(path, F_OK) == 0;
}

/* The configuration in a run's folder as this build resolves it: a key that it lacks, of a build
 * that did not know it, has its default. */
static cr_status read_config(char **config, const char *folder)
{
    char path[CR_PATH_MAX];
    cr_run_options options;
    CR_TRY(cr_path_join(path, folder, "config.yaml"));
    cr_status status = cr_options_load(&options, path, NULL, 0);
    if (status == CR_OK)
        status = cr_options_format(config, &options);
    else
        (void)cr_fail_prefix(status, "expected a run that this build of colrow can read");
    return status;
}

static cr_status refuse_other(const char *folder, const char *there, const char *here)
{
    char difference[CR_DIFFERENCE_MAX];
    CR_TRY(cr_config_difference(difference, here, there));
    return cr_fail(CR_BAD_CONFIG, __FILE__, __LINE__,
                   "%s: holds a run of another configuration: expected %s; choose another folder "
                   "with -o, or remove this one",
                   folder, difference);
}

cr_status cr_sweep_look(cr_sweep_state *state, const char *folder, const char *config)
{
    char *there = NULL;
    *state = CR_SWEEP_NEW;
    if (!is_there(folder, "config.yaml"))
        return CR_OK;
    CR_TRY(read_config(&there, folder));
    cr_status status = strcmp(there, config) == 0 ? CR_OK : refuse_other(folder, there, config);
    CR_FREE(there);
    if (is_there(folder, "summary.json"))
        *state = CR_SWEEP_DONE;
    else
        *state = is_there(folder, failure_name) ? CR_SWEEP_FAILED : CR_SWEEP_BEGUN;
    return status;
}

cr_status cr_sweep_note_failure(const char *folder, const char *message)
{
    char path[CR_PATH_MAX];
    CR_TRY(cr_path_join(path, folder, failure_name));
    return cr_file_write(path, message, strlen(message));
}

void cr_sweep_failure(char *out, size_t bytes, const char *folder)
{
    char path[CR_PATH_MAX];
    char *text = NULL;
    size_t length = 0;
    out[0] = '\0';
    if (!is_there(folder, failure_name) || cr_path_join(path, folder, failure_name) != CR_OK ||
        cr_file_read(&text, &length, path) != CR_OK)
        return;
    (void)snprintf(out, bytes, "%s", text);
    CR_FREE(text);
}
