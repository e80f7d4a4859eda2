/* plot: pictures by gnuplot, which is looked for when the program runs. */
#include "study.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Run gnuplot in `folder` on its file `script`, which writes to `picture` there. *code: its exit
 * code, or 127 when there is no gnuplot. */
static cr_status run_gnuplot(int *code, const char *folder, const char *script, const char *picture)
{
    char setting[CR_PATH_MAX + 16];
    char *const arguments[] = {"gnuplot", "-e", setting, (char *)script, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child = 0;
    int state = 0;
    (void)snprintf(setting, sizeof setting, "out='%s'", picture);
    CR_CHECK(posix_spawn_file_actions_init(&actions) == 0, CR_INTERNAL, "out of memory");
    int reason = posix_spawn_file_actions_addchdir_np(&actions, folder);
    if (reason == 0)
        reason = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions); /* cannot fail */
    *code = 127;
    if (reason == ENOENT)
        return CR_OK;
    CR_CHECK(reason == 0, CR_INTERNAL, "cannot start gnuplot: %s", strerror(reason));
    while (waitpid(child, &state, 0) < 0)
        CR_CHECK(errno == EINTR, CR_INTERNAL, "cannot wait for gnuplot: %s", strerror(errno));
    *code = WIFEXITED(state) ? WEXITSTATUS(state) : 1;
    return CR_OK;
}

cr_status cr_plot(const char *folder, const char *name)
{
    char file[CR_WORD_MAX], script[CR_WORD_MAX], path[CR_PATH_MAX], temporary[CR_PATH_MAX];
    int code = 0;
    (void)snprintf(file, sizeof file, "%.48s.svg", name);
    (void)snprintf(script, sizeof script, "%.48s.gp", name);
    CR_TRY(cr_path_join(path, folder, file));
    CR_TRY(cr_file_temporary(temporary, path));
    CR_TRY(run_gnuplot(&code, folder, script, strrchr(temporary, '/') + 1));
    if (code == 0)
        return cr_file_commit(temporary, path);
    (void)unlink(temporary); /* there may be none */
    cr_log_warn(code == 127 ? "there is no gnuplot here: the figures are in %s, and `gnuplot %s` "
                              "there makes the picture"
                            : "gnuplot failed, so there is no picture: %s/%s",
                folder, script);
    return CR_OK;
}
