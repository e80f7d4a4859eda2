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

void cr_sweep_difference(char *out, size_t bytes, const char *expected, const char *found)
{
    const char *section = "";
    while (line_length(found) == line_length(expected) &&
           strncmp(found, expected, strcspn(expected, "\n")) == 0 && *expected != '\0') {
        if (*expected != ' ')
            section = expected;
        found += line_length(found) + (found[line_length(found)] == '\n');
        expected += line_length(expected) + (expected[line_length(expected)] == '\n');
    }
    bool inside = *expected == ' ';
    found += strspn(found, " ");
    expected += strspn(expected, " ");
    (void)snprintf(out, bytes, "expected %.*s%s`%.*s`, found `%.*s`",
                   inside ? line_length(section) : 0, section, inside ? " " : "",
                   line_length(expected), expected, line_length(found), found);
}

static cr_status refuse_other(const char *folder, const char *there, const char *here)
{
    char difference[CR_DIFFERENCE_MAX];
    cr_sweep_difference(difference, sizeof difference, here, there);
    return cr_fail(CR_BAD_CONFIG, __FILE__, __LINE__,
                   "%s: holds a run of another configuration: %s; choose another folder with -o, "
                   "or remove this one",
                   folder, difference);
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
