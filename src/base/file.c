/* file: whole or absent. Write a temporary beside the target, sync, rename, sync the folder. */
#include "colrow/base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void host_name(char out[HOST_NAME_MAX + 1])
{
    if (gethostname(out, HOST_NAME_MAX + 1) != 0)
        (void)snprintf(out, HOST_NAME_MAX + 1, "host");
    out[HOST_NAME_MAX] = '\0';
}

static cr_status split(char folder[CR_PATH_MAX], const char **name, const char *path)
{
    CR_CHECK(strlen(path) < CR_PATH_MAX, CR_BAD_CONFIG, "path longer than %d bytes: %.60s...",
             CR_PATH_MAX - 1, path);
    const char *slash = strrchr(path, '/');
    size_t length = slash != NULL ? (size_t)(slash - path) : 0;
    if (slash == NULL)
        (void)snprintf(folder, CR_PATH_MAX, ".");
    else if (length == 0)
        (void)snprintf(folder, CR_PATH_MAX, "/");
    else
        (void)snprintf(folder, CR_PATH_MAX, "%.*s", (int)length, path);
    *name = slash != NULL ? slash + 1 : path;
    return CR_OK;
}

cr_status cr_path_join(char out[CR_PATH_MAX], const char *folder, const char *name)
{
    int length = snprintf(out, CR_PATH_MAX, "%s/%s", folder, name);
    CR_CHECK(length > 0 && length < CR_PATH_MAX, CR_BAD_CONFIG,
             "path longer than %d bytes: %.60s...", CR_PATH_MAX - 1, folder);
    return CR_OK;
}

cr_status cr_file_temporary(char out[CR_PATH_MAX], const char *path)
{
    char folder[CR_PATH_MAX];
    const char *name = NULL;
    char host[HOST_NAME_MAX + 1];
    CR_TRY(split(folder, &name, path));
    host_name(host);
    int length =
        snprintf(out, CR_PATH_MAX, "%s/.%s.tmp-%s-%ld", folder, name, host, (long)getpid());
    CR_CHECK(length > 0 && length < CR_PATH_MAX, CR_BAD_CONFIG,
             "path longer than %d bytes: %.60s...", CR_PATH_MAX - 1, path);
    return CR_OK;
}

static cr_status sync_path(const char *path, int flags)
{
    int file = open(path, flags);
    CR_CHECK(file >= 0, CR_CANNOT_WRITE, "%s: cannot open to sync: %s", path, strerror(errno));
    int failed = fsync(file);
    int reason = errno;
    (void)close(file); /* the sync has told what there is to tell */
    CR_CHECK(failed == 0, CR_CANNOT_WRITE, "%s: cannot sync: %s", path, strerror(reason));
    return CR_OK;
}

cr_status cr_file_commit(const char *temporary, const char *path)
{
    cr_status status = CR_OK;
    char folder[CR_PATH_MAX];
    const char *name = NULL;
    CR_TRY_GOTO(split(folder, &name, path));
    CR_TRY_GOTO(sync_path(temporary, O_RDONLY));
    CR_CHECK_GOTO(rename(temporary, path) == 0, CR_CANNOT_WRITE, "%s: cannot rename to it: %s",
                  path, strerror(errno));
    return sync_path(folder, O_RDONLY | O_DIRECTORY);
done:
    (void)unlink(temporary); /* best effort: the failure above is what matters */
    return status;
}

static cr_status print_all(const char *path, void (*print)(FILE *file, const void *what),
                           const void *what)
{
    FILE *file = fopen(path, "wb");
    CR_CHECK(file != NULL, CR_CANNOT_WRITE, "%s: cannot create: %s", path, strerror(errno));
    print(file, what);
    bool whole = ferror(file) == 0;
    whole = fclose(file) == 0 && whole;
    CR_CHECK(whole, CR_CANNOT_WRITE, "%s: cannot write: %s", path, strerror(errno));
    return CR_OK;
}

cr_status cr_file_print(const char *path, void (*print)(FILE *file, const void *what),
                        const void *what)
{
    char temporary[CR_PATH_MAX];
    CR_TRY(cr_file_temporary(temporary, path));
    cr_status status = print_all(temporary, print, what);
    if (status != CR_OK) {
        (void)unlink(temporary); /* may not exist */
        return status;
    }
    CR_TRY(cr_file_commit(temporary, path));
    return CR_OK;
}

typedef struct bytes_of {
    const void *data;
    size_t bytes;
} bytes_of;

static void print_bytes(FILE *file, const void *what)
{
    const bytes_of *all = what;
    (void)fwrite(all->data, 1, all->bytes, file); /* a failure shows in the stream */
}

cr_status cr_file_write(const char *path, const void *data, size_t bytes)
{
    const bytes_of all = {data, bytes};
    return cr_file_print(path, print_bytes, &all);
}

cr_status cr_file_read(char **out, size_t *bytes, const char *path)
{
    cr_status status = CR_OK;
    char *text = NULL;
    struct stat info;
    FILE *file = fopen(path, "rb");
    CR_CHECK(file != NULL, CR_BAD_DATA, "%s: cannot open: %s", path, strerror(errno));
    CR_CHECK_GOTO(fstat(fileno(file), &info) == 0 && S_ISREG(info.st_mode), CR_BAD_DATA,
                  "%s: expected a file, found something else", path);
    size_t size = (size_t)info.st_size;
    CR_TRY_GOTO(cr_alloc((void **)&text, size + 1));
    CR_CHECK_GOTO(fread(text, 1, size, file) == size, CR_BAD_DATA, "%s: cannot read %zu bytes: %s",
                  path, size, strerror(errno));
    *out = text;
    *bytes = size;
    text = NULL;
done:
    CR_FREE(text);
    (void)fclose(file); /* only read from */
    return status;
}

/* Is `name` a temporary, and not one that this process is writing? */
static bool is_leftover(const char *name, const char *own)
{
    const char *mark = strstr(name, ".tmp-");
    return name[0] == '.' && mark != NULL && strcmp(mark, own) != 0;
}

int cr_file_sweep(const char *folder)
{
    char own[CR_PATH_MAX];
    char path[CR_PATH_MAX];
    int removed = 0;
    if (cr_file_temporary(own, "x") != CR_OK)
        return 0;
    DIR *listing = opendir(folder);
    if (listing == NULL)
        return 0;
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing))
        if (is_leftover(entry->d_name, strstr(own, ".tmp-")) &&
            cr_path_join(path, folder, entry->d_name) == CR_OK)
            removed += unlink(path) == 0;
    (void)closedir(listing); /* only read from */
    return removed;
}

cr_status cr_folder_make(const char *folder)
{
    char path[CR_PATH_MAX];
    CR_CHECK(strlen(folder) < sizeof path, CR_BAD_CONFIG, "path longer than %d bytes: %.60s...",
             CR_PATH_MAX - 1, folder);
    (void)snprintf(path, sizeof path, "%s", folder);
    for (char *c = path + 1; *c != '\0'; c++) {
        if (*c != '/')
            continue;
        *c = '\0';
        (void)mkdir(path, 0777); /* what matters is whether the last one is there */
        *c = '/';
    }
    struct stat info;
    bool made = mkdir(path, 0777) == 0;
    int reason = errno;
    CR_CHECK(made || reason == EEXIST, CR_CANNOT_WRITE, "%s: cannot make the folder: %s", folder,
             strerror(reason));
    CR_CHECK(stat(path, &info) == 0 && S_ISDIR(info.st_mode), CR_CANNOT_WRITE,
             "%s: expected a folder, found something else", folder);
    return CR_OK;
}
