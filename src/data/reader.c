/* reader: plain files and gzip alike, by zlib; every failure with the file's name. */
#include "reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    READ_MAX = 1 << 30, /* B, gzread's counts are ints */
    BUFFER = 1 << 17,   /* B, of zlib */
    PIECE = 1 << 14     /* B, read at once to be counted */
};

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool cr_reader_find(char out[CR_PATH_MAX], const char *path)
{
    int length = snprintf(out, CR_PATH_MAX, "%s", path);
    if (length >= CR_PATH_MAX - (int)sizeof ".gz")
        return false;
    if (exists(out))
        return true;
    memcpy(out + length, ".gz", sizeof ".gz");
    return exists(out);
}

cr_status cr_reader_open(cr_reader *reader, const char *path)
{
    struct stat info;
    reader->stream = NULL;
    CR_CHECK(cr_reader_find(reader->path, path), CR_BAD_DATA,
             "%s: expected this file, plain or .gz, found neither", path);
    CR_CHECK(stat(reader->path, &info) == 0 && S_ISREG(info.st_mode), CR_BAD_DATA,
             "%s: expected a file, found something else", reader->path);
    reader->bytes = info.st_size;
    reader->stream = gzopen(reader->path, "rb");
    CR_CHECK(reader->stream != NULL, CR_BAD_DATA, "%s: cannot open: %s", reader->path,
             strerror(errno));
    (void)gzbuffer(reader->stream, BUFFER); /* no more than a matter of speed */
    return CR_OK;
}

void cr_reader_close(cr_reader *reader)
{
    if (reader->stream != NULL)
        (void)gzclose(reader->stream); /* all errors of reading were told by the reads */
    reader->stream = NULL;
}

bool cr_reader_is_packed(const cr_reader *reader)
{
    return gzdirect(reader->stream) == 0;
}

/* What zlib says of the last failure, without the path it puts in front; NULL: there was none. */
static const char *complaint(const cr_reader *reader)
{
    int code = Z_OK;
    const char *text = gzerror(reader->stream, &code);
    size_t length = strlen(reader->path);
    if (code == Z_OK || code == Z_STREAM_END)
        return NULL;
    bool named = strncmp(text, reader->path, length) == 0 && text[length] == ':';
    return named ? text + length + 2 : text;
}

cr_status cr_reader_take_some(cr_reader *reader, void *out, size_t *done, size_t bytes)
{
    int got = 1;
    *done = 0;
    while (*done < bytes && got > 0) {
        size_t left = bytes - *done;
        unsigned piece = left < READ_MAX ? (unsigned)left : READ_MAX;
        got = gzread(reader->stream, (uint8_t *)out + *done, piece);
        *done += got > 0 ? (size_t)got : 0;
    }
    CR_CHECK(got >= 0, CR_BAD_DATA, "%s: expected sound data, found: %s", reader->path,
             complaint(reader));
    return CR_OK;
}

cr_status cr_reader_take(cr_reader *reader, void *out, size_t bytes, const char *what)
{
    size_t done = 0;
    CR_TRY(cr_reader_take_some(reader, out, &done, bytes));
    CR_CHECK(done == bytes, CR_BAD_DATA, "%s: expected %zu bytes of %s, found %zu", reader->path,
             bytes, what, done);
    return CR_OK;
}

cr_status cr_reader_end(cr_reader *reader)
{
    uint8_t extra = 0;
    int got = gzread(reader->stream, &extra, 1);
    CR_CHECK(got <= 0, CR_BAD_DATA, "%s: expected the end after the values, found more bytes",
             reader->path);
    CR_CHECK(complaint(reader) == NULL, CR_BAD_DATA, "%s: expected sound data, found: %s",
             reader->path, complaint(reader));
    return CR_OK;
}

cr_status cr_reader_length(int64_t *out, cr_reader *reader)
{
    uint8_t piece[PIECE];
    size_t done = sizeof piece;
    int64_t total = 0;
    if (!cr_reader_is_packed(reader)) {
        *out = reader->bytes;
        return CR_OK;
    }
    while (done == sizeof piece) {
        CR_TRY(cr_reader_take_some(reader, piece, &done, sizeof piece));
        total += (int64_t)done;
    }
    CR_TRY(cr_reader_end(reader));
    *out = total;
    return CR_OK;
}
