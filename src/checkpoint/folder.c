/* folder: the checkpoints of a run by the step in their names: newest that verifies, keep-N. */
#include "colrow/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 64 };

static void step_name(char out[NAME_MAX_BYTES], int64_t step)
{
    (void)snprintf(out, NAME_MAX_BYTES, "step-%08" PRId64 ".h5", step); /* always fits */
}

cr_status cr_checkpoint_name(char out[CR_PATH_MAX], const char *folder, int64_t step)
{
    char name[NAME_MAX_BYTES];
    step_name(name, step);
    CR_TRY(cr_path_join(out, folder, name));
    return CR_OK;
}

/* The step in a file's name, -1 when it is not a name that cr_checkpoint_name gives. */
static int64_t step_of(const char *name)
{
    char again[NAME_MAX_BYTES];
    int64_t step = -1;
    if (sscanf(name, "step-%18" SCNd64, &step) != 1 || step < 0)
        return -1;
    step_name(again, step);
    return strcmp(name, again) == 0 ? step : -1;
}

static int newest_first(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left < right) - (left > right);
}

/* The steps among a folder's names; only counted while `steps` is NULL. */
static int collect(int64_t *steps, int most, DIR *listing)
{
    int count = 0;
    rewinddir(listing);
    for (struct dirent *entry = readdir(listing); entry != NULL && count < most;
         entry = readdir(listing)) {
        int64_t step = step_of(entry->d_name);
        if (step < 0)
            continue;
        if (steps != NULL)
            steps[count] = step;
        count++;
    }
    return count;
}

/* The steps of a folder's checkpoints, newest first; the caller frees *steps. No folder: none. */
static cr_status list_steps(int64_t **steps, int *count, const char *folder)
{
    cr_status status = CR_OK;
    *steps = NULL;
    *count = 0;
    DIR *listing = opendir(folder);
    if (listing == NULL && errno == ENOENT)
        return CR_OK;
    CR_CHECK(listing != NULL, CR_BAD_DATA, "%s: cannot list: %s", folder, strerror(errno));
    int most = collect(NULL, INT32_MAX, listing);
    CR_TRY_GOTO(cr_alloc((void **)steps, (size_t)most * sizeof **steps));
    *count = collect(*steps, most, listing);
    if (*steps != NULL)
        qsort(*steps, (size_t)*count, sizeof **steps, newest_first);
done:
    (void)closedir(listing); /* only read from */
    return status;
}

cr_status cr_checkpoint_newest(char out[CR_PATH_MAX], bool *found, const char *folder)
{
    cr_status status = CR_OK;
    int64_t *steps = NULL;
    int count = 0;
    bool good = false;
    char path[CR_PATH_MAX] = "";
    CR_TRY(list_steps(&steps, &count, folder));
    for (int i = 0; i < count && !good; i++) {
        CR_TRY_GOTO(cr_checkpoint_name(path, folder, steps[i]));
        good = cr_checkpoint_verify(path) == CR_OK;
        if (!good)
            cr_log_warn("%s; falling back to the next older", cr_error_message());
    }
    CR_CHECK_GOTO(good || count == 0, CR_BAD_DATA, "%s: none of %d checkpoints verifies", folder,
                  count);
    memcpy(out, path, sizeof path);
    *found = good;
done:
    CR_FREE(steps);
    return status;
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat left, right;
    return b != NULL && stat(a, &left) == 0 && stat(b, &right) == 0 &&
           left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

static cr_status remove_file(const char *path)
{
    CR_CHECK(unlink(path) == 0 || errno == ENOENT, CR_CANNOT_WRITE, "%s: cannot remove: %s", path,
             strerror(errno));
    return CR_OK;
}

/* Nothing goes before one of those that stay is known to be good: a damaged file with a high step
 * in its name must not push the good ones out. */
cr_status cr_checkpoint_prune(const char *folder, int keep, const char *best)
{
    cr_status status = CR_OK;
    int64_t *steps = NULL;
    int count = 0;
    bool good = false;
    char path[CR_PATH_MAX];
    if (keep == 0)
        return CR_OK;
    CR_TRY(list_steps(&steps, &count, folder));
    for (int i = 0; count > keep && i < count; i++) {
        CR_TRY_GOTO(cr_checkpoint_name(path, folder, steps[i]));
        if (!good) {
            good = cr_checkpoint_verify(path) == CR_OK;
            if (!good)
                cr_log_warn("%s; keeping an older one in its place", cr_error_message());
        } else if (i >= keep && !is_same_file(path, best)) {
            CR_TRY_GOTO(remove_file(path));
        }
    }
done:
    CR_FREE(steps);
    return status;
}
