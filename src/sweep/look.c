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

static int line_length(const char *text)
{
    return (int)strcspn(text, "\n");
}

/* Refuse, naming the first line that differs and the section it stands in. */
static cr_status refuse_other(const char *folder, const char *there, const char *here)
{
    const char *section = "";
    while (line_length(there) == line_length(here) &&
           strncmp(there, here, strcspn(here, "\n")) == 0 && *here != '\0') {
        if (*here != ' ')
            section = here;
        there += line_length(there) + (there[line_length(there)] == '\n');
        here += line_length(here) + (here[line_length(here)] == '\n');
    }
    bool inside = *here == ' ';
    there += strspn(there, " ");
    here += strspn(here, " ");
    return cr_fail(CR_BAD_CONFIG, __FILE__, __LINE__,
                   "%s: holds a run of another configuration: expected %.*s%s`%.*s`, found `%.*s`; "
                   "choose another folder with -o, or remove this one",
                   folder, inside ? line_length(section) : 0, section, inside ? " " : "",
                   line_length(here), here, line_length(there), there);
}

cr_status cr_sweep_look(cr_sweep_state *state, const char *folder, const char *config)
{
    char path[CR_PATH_MAX];
    char *text = NULL;
    size_t bytes = 0;
    *state = CR_SWEEP_NEW;
    if (!is_there(folder, "config.yaml"))
        return CR_OK;
    CR_TRY(cr_path_join(path, folder, "config.yaml"));
    CR_TRY(cr_file_read(&text, &bytes, path));
    cr_status status = strcmp(text, config) == 0 ? CR_OK : refuse_other(folder, text, config);
    CR_FREE(text);
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
