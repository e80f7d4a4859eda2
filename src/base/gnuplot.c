/*
 * gnuplot: pictures are made by it, from scripts beside or with their data, so that anybody can
 * change and run them again. It is looked for when a picture is wanted; a machine without it gets
 * the scripts and a hint.
 */
#include "colrow/base.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 48, NOT_FOUND = 127 /* exit code where there is no such program */ };

/* What it has to say of harmless things, as a picture of one point, is not for our users. */
static int prepare(posix_spawn_file_actions_t *actions, const char *folder)
{
    int failed = posix_spawn_file_actions_addchdir_np(actions, folder);
    if (failed == 0)
        failed = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    return failed;
}

static cr_status start(pid_t *child, bool *found, const char *folder, char *const arguments[])
{
    posix_spawn_file_actions_t actions;
    CR_CHECK(posix_spawn_file_actions_init(&actions) == 0, CR_INTERNAL, "out of memory");
    int failed = prepare(&actions, folder);
    if (failed == 0)
        failed = posix_spawnp(child, arguments[0], &actions, NULL, arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions); /* cannot fail */
    *found = failed != ENOENT;
    CR_CHECK(failed == 0 || failed == ENOENT, CR_INTERNAL, "cannot start gnuplot: %s",
             strerror(failed));
    return CR_OK;
}

/* Run `script` in `folder`. *code: its exit code, or NOT_FOUND. */
static cr_status run(int *code, const char *folder, char *script, const char *picture)
{
    char program[] = "gnuplot", option[] = "-e";
    char setting[CR_PATH_MAX + 16];
    char *const arguments[] = {program, option, setting, script, NULL};
    pid_t child = 0;
    int state = 0;
    bool found = false;
    (void)snprintf(setting, sizeof setting, "out='%s'", picture);
    CR_TRY(start(&child, &found, folder, arguments));
    *code = NOT_FOUND;
    if (!found)
        return CR_OK;
    while (waitpid(child, &state, 0) < 0)
        CR_CHECK(errno == EINTR, CR_INTERNAL, "cannot wait for gnuplot: %s", strerror(errno));
    *code = WIFEXITED(state) ? WEXITSTATUS(state) : 1;
    return CR_OK;
}

static void hint(int code, const char *folder, const char *script)
{
    static bool hinted = false; /* once for the whole program */
    if (code != NOT_FOUND)
        cr_log_warn("gnuplot failed, so there is no picture: `gnuplot %s` in %s tells why", script,
                    folder);
    else if (!hinted)
        cr_log_warn("there is no gnuplot here, so there are no pictures: the figures are in %s, "
                    "and `gnuplot %s` there makes a picture",
                    folder, script);
    hinted = true;
}

cr_status cr_gnuplot(const char *folder, const char *name)
{
    char file[CR_WORD_MAX], script[CR_WORD_MAX], path[CR_PATH_MAX], temporary[CR_PATH_MAX];
    int code = 0;
    (void)snprintf(file, sizeof file, "%.*s.svg", NAME_MAX_BYTES, name);
    (void)snprintf(script, sizeof script, "%.*s.gp", NAME_MAX_BYTES, name);
    CR_TRY(cr_path_join(path, folder, file));
    CR_TRY(cr_file_temporary(temporary, path));
    CR_TRY(run(&code, folder, script, strrchr(temporary, '/') + 1));
    if (code == 0)
        return cr_file_commit(temporary, path);
    (void)unlink(temporary); /* there may be none */
    hint(code, folder, script);
    return CR_OK;
}
