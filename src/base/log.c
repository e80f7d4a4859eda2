/* log: the only place that prints. */
#include "colrow/base.h"

#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096 };

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

/* One write a line, so that the lines of several ranks do not mix. */
static void emit(const char *prefix, const char *format, va_list arguments)
{
    char text[LINE_MAX_BYTES];
    char line[LINE_MAX_BYTES + 64];
    (void)vsnprintf(text, sizeof text, format, arguments);
    const char *clear = progress_open ? "\r\033[K" : "";
    progress_open = false;
    if (ranks > 1 && prefix[0] != '\0')
        (void)snprintf(line, sizeof line, "%scolrow: rank %d: %s%s\n", clear, own_rank, prefix,
                       text);
    else
        (void)snprintf(line, sizeof line, "%scolrow: %s%s\n", clear, prefix, text);
    (void)fputs(line, stderr);
    (void)fflush(stderr);
}

#define DEFINE_LOG(function, level, prefix, everyone)                                              \
    void function(const char *format, ...)                                                         \
    {                                                                                              \
        va_list arguments;                                                                         \
        va_start(arguments, format);                                                               \
        if ((level) <= threshold && ((everyone) || own_rank == 0))                                 \
            emit(prefix, format, arguments);                                                       \
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
        (void)fputs("\r\033[K", stderr);
        (void)vfprintf(stderr, format, arguments);
        (void)fflush(stderr);
        progress_open = true;
    } else {
        emit("", format, arguments);
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
