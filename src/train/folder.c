/* folder: where a run's output goes; one run a folder. */
#include "train.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { NAMES_MAX = 64 }; /* B, room for the names below the folder */

/* Held until the process ends, however it ends; the file itself stays. */
static cr_status take_lock(cr_run *run)
{
    char path[CR_PATH_MAX];
    CR_TRY(cr_path_join(path, run->folder, ".lock"));
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    CR_CHECK(file >= 0, CR_CANNOT_WRITE, "%s: cannot write in this folder: %s", run->folder,
             strerror(errno));
    run->lock = file;
    CR_CHECK(flock(file, LOCK_EX | LOCK_NB) == 0, CR_CANNOT_WRITE,
             "%s: another run is writing to this folder; choose another with -o", run->folder);
    return CR_OK;
}

static cr_status refuse_second_run(const cr_run *run, const char *checkpoints)
{
    char newest[CR_PATH_MAX];
    bool found = false;
    cr_status status = cr_checkpoint_newest(newest, &found, checkpoints);
    CR_CHECK(status == CR_OK && !found, CR_CANNOT_WRITE,
             "%s: holds the checkpoints of an earlier run; continue it with --resume, or choose "
             "another folder with -o",
             run->folder);
    return CR_OK;
}

static cr_status open_on_root(cr_run *run, bool resuming)
{
    char path[CR_PATH_MAX];
    CR_TRY(cr_folder_make(run->folder));
    CR_TRY(take_lock(run));
    CR_TRY(cr_path_join(path, run->folder, "checkpoints"));
    CR_TRY(cr_folder_make(path));
    if (!resuming)
        CR_TRY(refuse_second_run(run, path));
    int swept = cr_file_sweep(run->folder) + cr_file_sweep(path);
    if (swept > 0)
        cr_log_info("removed %d unfinished file(s) that an earlier run left in %s", swept,
                    run->folder);
    return CR_OK;
}

cr_status cr_run_open_folder(cr_run *run, const char *folder, bool resuming)
{
    cr_status status = CR_OK;
    bool fits = strlen(folder) + NAMES_MAX < CR_PATH_MAX;
    if (fits)
        (void)snprintf(run->folder, sizeof run->folder, "%s", folder);
    if (!fits)
        status = cr_fail(CR_BAD_CONFIG, __FILE__, __LINE__,
                         "-o: expected a path below %d bytes, found %zu bytes: %.60s...",
                         CR_PATH_MAX - NAMES_MAX, strlen(folder), folder);
    else if (cr_comm_rank(run->comm) == 0)
        status = open_on_root(run, resuming);
    return cr_comm_any(run->comm, status);
}

/* A file named by hand may be older than the folder's newest: going on from it would leave two
 * courses in one folder, and the next --resume would take the wrong one. */
static cr_status check_newest(const cr_run *run)
{
    char folder[CR_PATH_MAX];
    char newest[CR_PATH_MAX];
    bool found = false;
    cr_attribute step = {.name = "step", .type = CR_ATTRIBUTE_I64};
    CR_TRY(cr_path_join(folder, run->folder, "checkpoints"));
    CR_TRY(cr_checkpoint_newest(newest, &found, folder));
    if (!found)
        return CR_OK;
    CR_TRY(cr_checkpoint_attributes(newest, &step, 1));
    CR_CHECK(step.i64 <= run->progress.step, CR_BAD_CONFIG,
             "--resume: %s is newer (step %lld) than the file to resume from (step %lld); choose "
             "another output folder with -o, or remove the newer files",
             newest, (long long)step.i64, (long long)run->progress.step);
    return CR_OK;
}

static cr_status begin_on_root(const cr_run *run)
{
    char path[CR_PATH_MAX];
    CR_TRY(check_newest(run));
    CR_TRY(cr_path_join(path, run->folder, "config.yaml"));
    CR_TRY(cr_file_write(path, run->config, strlen(run->config)));
    return cr_report_trim(run, run->progress.step);
}

cr_status cr_folder_begin(cr_run *run)
{
    bool writes = cr_comm_rank(run->comm) == 0 && run->folder[0] != '\0';
    return cr_comm_any(run->comm, writes ? begin_on_root(run) : CR_OK);
}
