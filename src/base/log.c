/*
 * log: the only place that prints. A rank does not wait for long for a reader that has stopped
 * reading: mpirun does so for the second in which a run that is asked to end has to save.
 */
#include "colrow/base.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A line, and one that says how many are missing, fit together where poll sees room (PIPE_BUF). */
enum { TEXT_MAX_BYTES = 3800, LINE_MAX_BYTES = TEXT_MAX_BYTES + 64 };

enum { PATIENCE_MS = 250, PATIENCE_ERROR_MS = 5000 }; /* for a reader */

static cr_log_level threshold = CR_LOG_INFO;
static int own_rank = 0;
static int ranks = 1;
static bool progress_open = false; /* a progress line stands on the terminal, without a newline */

void cr_log_setup(cr_log_level level, int rank, int size)
{
    threshold = level;
    own_rank = rank;
    ranks = size;
}

bool cr_log_is_terminal(void)
{
    return isatty(STDERR_FILENO) == 1;
}

/* Can stderr be written to, now or soon? */
static bool has_room(int patience_ms)
{
    struct pollfd end = {.fd = STDERR_FILENO, .events = POLLOUT};
    int ready = 0;
    do
        ready = poll(&end, 1, patience_ms);
    while (ready < 0 && errno == EINTR);
    return ready != 0;
}

/* One write a line, so that the lines of several ranks do not mix. Those that find no reader are
 * counted, and told of when there is one again. */
static void put(const char *line, cr_log_level level)
{
    static atomic_int missing = 0;
    int before = atomic_load(&missing);
    int patience = before > 0 ? 0 : PATIENCE_MS;
    if (!has_room(level == CR_LOG_ERROR ? PATIENCE_ERROR_MS : patience)) {
        (void)atomic_fetch_add(&missing, 1);
        return;
    }
    if (before > 0) {
        (void)atomic_fetch_sub(&missing, before);
        (void)fprintf(stderr, "colrow: %d lines are missing here, which nobody read\n", before);
    }
    (void)fputs(line, stderr);
    (void)fflush(stderr);
}

static void emit(cr_log_level level, const char *prefix, const char *format, va_list arguments)
{
    char text[TEXT_MAX_BYTES];
    char line[LINE_MAX_BYTES];
    (void)vsnprintf(text, sizeof text, format, arguments);
    const char *clear = progress_open ? "\r\033[K" : "";
    progress_open = false;
    if (ranks > 1 && prefix[0] != '\0')
        (void)snprintf(line, sizeof line, "%scolrow: rank %d: %s%s\n", clear, own_rank, prefix,
                       text);
    else
        (void)snprintf(line, sizeof line, "%scolrow: %s%s\n", clear, prefix, text);
    put(line, level);
}

#define DEFINE_LOG(function, level, prefix, everyone)                                              \
    void function(const char *format, ...)                                                         \
    {                                                                                              \
        va_list arguments;                                                                         \
        va_start(arguments, format);                                                               \
        if ((level) <= threshold && ((everyone) || own_rank == 0))                                 \
            emit(level, prefix, format, arguments);                                                \
        va_end(arguments);                                                                         \
    }

DEFINE_LOG(cr_log_error, CR_LOG_ERROR, "error: ", true)
DEFINE_LOG(cr_log_warn, CR_LOG_WARN, "warning: ", true)
DEFINE_LOG(cr_log_info, CR_LOG_INFO, "", false)
DEFINE_LOG(cr_log_debug, CR_LOG_DEBUG, "debug: ", true)

void cr_log_progress(const char *format, ...)
{
    if (own_rank != 0 || threshold < CR_LOG_INFO)
        return;
    va_list arguments;
    va_start(arguments, format);
    if (cr_log_is_terminal()) {
        char line[LINE_MAX_BYTES] = "\r\033[K";
        size_t used = strlen(line);
        (void)vsnprintf(line + used, sizeof line - used, format, arguments);
        put(line, CR_LOG_INFO);
        progress_open = true;
    } else {
        emit(CR_LOG_INFO, "", format, arguments);
    }
    va_end(arguments);
}

void cr_print(const char *format, ...)
{
    if (own_rank != 0)
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)fflush(stdout);
}
