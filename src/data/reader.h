/* reader: files of bytes, plain or gzip, read from front to back, inside data only. */
#ifndef CR_DATA_READER_H
#define CR_DATA_READER_H

#include "colrow/base.h"

#include <zlib.h>

typedef struct cr_reader {
    char path[CR_PATH_MAX]; /* as found, with .gz where it has it */
    gzFile stream;          /* NULL: closed */
    int64_t bytes;          /* of the file as it lies there */
} cr_reader;

/* Is the file `path` there, plain or as `path`.gz? out: the name it goes by. */
bool cr_reader_find(char out[CR_PATH_MAX], const char *path);

/* Open `path`, or `path`.gz where only that exists. CR_BAD_DATA naming the file. The caller closes,
 * after a failure too. */
cr_status cr_reader_open(cr_reader *reader, const char *path);

/* Accepts a reader whose stream is NULL. */
void cr_reader_close(cr_reader *reader);

/* Is it packed, so that `bytes` is not the number of bytes it gives? */
bool cr_reader_is_packed(const cr_reader *reader);

/* Read `bytes` bytes, no fewer; `what` they are stands in the message. CR_BAD_DATA. */
cr_status cr_reader_take(cr_reader *reader, void *out, size_t bytes, const char *what);

/* Read `bytes` bytes, or as many as there are left: *done. CR_BAD_DATA. */
cr_status cr_reader_take_some(cr_reader *reader, void *out, size_t *done, size_t bytes);

/* Nothing may follow, and the gzip trailer (length and CRC) must be there and right. CR_BAD_DATA.
 */
cr_status cr_reader_end(cr_reader *reader);

/* How many bytes a reader just opened gives: known of a plain file; a packed one is read through,
 * and is at its end afterwards. CR_BAD_DATA. */
cr_status cr_reader_length(int64_t *out, cr_reader *reader);

#endif
