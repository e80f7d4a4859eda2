/* status: the last failure of a thread, with the places it passed on its way up. */
#include "colrow/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 2048, TRAIL_MAX = 1024 };

static _Thread_local char message[MESSAGE_MAX];
static _Thread_local char trail[TRAIL_MAX];

static const char *short_name(const char *file)
{
    const char *src = strstr(file, "src/");
    return src != NULL ? src : file;
}

/* A message is one line, whatever a file name or a key in it contains. */
static void make_one_line(char *text)
{
    for (char *c = text; *c != '\0'; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
}

cr_status cr_fail(cr_status code, const char *file, int line, const char *format, ...)
{
    char text[MESSAGE_MAX]; /* apart, because an argument may be the last message */
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments); /* a cut message is still one */
    va_end(arguments);
    make_one_line(text);
    memcpy(message, text, sizeof message);
    (void)snprintf(trail, sizeof trail, "%s:%d", short_name(file), line);
    return code;
}

void cr_trail_add(const char *file, int line)
{
    size_t used = strlen(trail);
    (void)snprintf(trail + used, sizeof trail - used, " < %s:%d", short_name(file), line);
}

const char *cr_error_message(void)
{
    return message;
}

const char *cr_error_trail(void)
{
    return trail;
}

cr_status cr_fail_prefix(cr_status code, const char *format, ...)
{
    char text[MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    int used = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t start = used < 0 ? 0 : (size_t)used < sizeof text ? (size_t)used : sizeof text - 1;
    (void)snprintf(text + start, sizeof text - start, ": %s", message);
    make_one_line(text);
    memcpy(message, text, sizeof message);
    return code;
}

void cr_assert_failed(const char *condition, const char *file, int line)
{
    cr_log_error("%s:%d: assertion failed: %s", short_name(file), line, condition);
    abort();
}
