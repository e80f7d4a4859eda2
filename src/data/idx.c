/*
 * idx: files of bytes in Y. LeCun's IDX format, plain or gzip; zlib reads both alike.
 *
 *     00 00 08 dd              type 08 (unsigned bytes), dd dimensions
 *     size[0] ... size[dd-1]   32 bits each, highest byte first
 *     values                   size[0] x ... bytes, and nothing after them
 *
 * A header is believed only as far as the file's own size allows, so a damaged one cannot ask for
 * much memory.
 */
#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum {
    TYPE_BYTES = 0x08,
    DIMENSIONS_MAX = 3,
    WORD = 4,           /* B, of the magic number and of a size */
    READ_MAX = 1 << 30, /* B, gzread's counts are ints */
    BUFFER = 1 << 17,   /* B */
    DEFLATE_MAX = 1100  /* deflate makes data at most 1032 times smaller (zlib's own figure) */
};

typedef struct idx_file {
    char path[CR_PATH_MAX]; /* as found, with .gz where it has it */
    gzFile stream;
    int64_t bytes; /* of the file as it lies there */
} idx_file;

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool cr_idx_find(char out[CR_PATH_MAX], const char *path)
{
    int length = snprintf(out, CR_PATH_MAX, "%s", path);
    if (length >= CR_PATH_MAX - (int)sizeof ".gz")
        return false;
    if (exists(out))
        return true;
    memcpy(out + length, ".gz", sizeof ".gz");
    return exists(out);
}

static cr_status open_file(idx_file *file, const char *path)
{
    struct stat info;
    CR_CHECK(cr_idx_find(file->path, path), CR_BAD_DATA,
             "%s: expected this file, plain or .gz, found neither", path);
    CR_CHECK(stat(file->path, &info) == 0 && S_ISREG(info.st_mode), CR_BAD_DATA,
             "%s: expected a file, found something else", file->path);
    file->bytes = info.st_size;
    file->stream = gzopen(file->path, "rb");
    CR_CHECK(file->stream != NULL, CR_BAD_DATA, "%s: cannot open: %s", file->path, strerror(errno));
    (void)gzbuffer(file->stream, BUFFER); /* no more than a matter of speed */
    return CR_OK;
}

static void close_file(idx_file *file)
{
    if (file->stream != NULL)
        (void)gzclose(file->stream); /* all errors of reading were told by the reads */
    file->stream = NULL;
}

/* What zlib says of the last failure, without the path it puts in front; NULL: there was none. */
static const char *complaint(const idx_file *file)
{
    int code = Z_OK;
    const char *text = gzerror(file->stream, &code);
    size_t length = strlen(file->path);
    if (code == Z_OK || code == Z_STREAM_END)
        return NULL;
    return strncmp(text, file->path, length) == 0 && text[length] == ':' ? text + length + 2 : text;
}

/* Read `bytes` bytes, no fewer. */
static cr_status take(idx_file *file, void *out, size_t bytes, const char *what)
{
    size_t done = 0;
    int got = 1;
    while (done < bytes && got > 0) {
        size_t left = bytes - done;
        unsigned piece = left < READ_MAX ? (unsigned)left : READ_MAX;
        got = gzread(file->stream, (uint8_t *)out + done, piece);
        done += got > 0 ? (size_t)got : 0;
    }
    CR_CHECK(got >= 0, CR_BAD_DATA, "%s: expected sound data, found: %s", file->path,
             complaint(file));
    CR_CHECK(done == bytes, CR_BAD_DATA, "%s: expected %zu bytes of %s, found %zu", file->path,
             bytes, what, done);
    return CR_OK;
}

/* Nothing may follow, and the gzip trailer (length and CRC) must be there and right. */
static cr_status expect_end(idx_file *file)
{
    uint8_t extra = 0;
    int got = gzread(file->stream, &extra, 1);
    CR_CHECK(got <= 0, CR_BAD_DATA, "%s: expected the end after the values, found more bytes",
             file->path);
    CR_CHECK(complaint(file) == NULL, CR_BAD_DATA, "%s: expected sound data, found: %s", file->path,
             complaint(file));
    return CR_OK;
}

/* Can the file hold what its header says? Exactly known for a plain one, bounded for gzip. */
static cr_status check_size(const cr_idx_header *header, const idx_file *file)
{
    const int64_t *size = header->size;
    bool plain = gzdirect(file->stream) != 0;
    int64_t most = plain ? file->bytes : file->bytes * DEFLATE_MAX;
    int64_t total = 1;
    for (int i = 0; i < DIMENSIONS_MAX; i++)
        CR_CHECK(size[i] >= 1, CR_BAD_DATA, "%s: expected sizes of at least 1, found %lld",
                 file->path, (long long)size[i]);
    for (int i = 0; i < DIMENSIONS_MAX; i++) {
        CR_CHECK(size[i] <= most / total, CR_BAD_DATA,
                 "%s: expected %lld x %lld x %lld values, found a file of only %lld bytes",
                 file->path, (long long)size[0], (long long)size[1], (long long)size[2],
                 (long long)file->bytes);
        total *= size[i];
    }
    int64_t whole = total + (int64_t)WORD * (1 + header->dimensions);
    CR_CHECK(!plain || file->bytes == whole, CR_BAD_DATA, "%s: expected %lld bytes, found %lld",
             file->path, (long long)whole, (long long)file->bytes);
    return CR_OK;
}

static int64_t big_endian(const uint8_t word[WORD])
{
    return (int64_t)word[0] << 24 | word[1] << 16 | word[2] << 8 | word[3];
}

static cr_status take_header(cr_idx_header *header, idx_file *file)
{
    uint8_t magic[WORD];
    uint8_t sizes[DIMENSIONS_MAX][WORD] = {{0}};
    cr_idx_header found = {.size = {1, 1, 1}};
    CR_TRY(take(file, magic, sizeof magic, "header"));
    CR_CHECK(magic[0] == 0 && magic[1] == 0 && magic[2] == TYPE_BYTES && magic[3] >= 1 &&
                 magic[3] <= DIMENSIONS_MAX,
             CR_BAD_DATA,
             "%s: expected an IDX file of bytes (00 00 08, then 01 to 03), found %02x %02x %02x "
             "%02x",
             file->path, magic[0], magic[1], magic[2], magic[3]);
    found.dimensions = magic[3];
    CR_TRY(take(file, sizes, (size_t)(WORD * found.dimensions), "header"));
    for (int i = 0; i < found.dimensions; i++)
        found.size[i] = big_endian(sizes[i]);
    CR_TRY(check_size(&found, file));
    *header = found;
    return CR_OK;
}

cr_status cr_idx_header_read(cr_idx_header *header, const char *path)
{
    cr_status status = CR_OK;
    idx_file file = {.stream = NULL};
    CR_TRY_GOTO(open_file(&file, path));
    CR_TRY_GOTO(take_header(header, &file));
done:
    close_file(&file);
    return status;
}

static bool same_header(const cr_idx_header *a, const cr_idx_header *b)
{
    return a->dimensions == b->dimensions && memcmp(a->size, b->size, sizeof a->size) == 0;
}

cr_status cr_idx_values_read(uint8_t *out, const cr_idx_header *header, const char *path)
{
    cr_status status = CR_OK;
    idx_file file = {.stream = NULL};
    cr_idx_header now = {.dimensions = 0};
    CR_TRY_GOTO(open_file(&file, path));
    CR_TRY_GOTO(take_header(&now, &file));
    CR_CHECK_GOTO(same_header(header, &now), CR_BAD_DATA,
                  "%s: expected the header read before, found another", file.path);
    size_t bytes = (size_t)(header->size[0] * header->size[1] * header->size[2]);
    CR_TRY_GOTO(take(&file, out, bytes, "values"));
    CR_TRY_GOTO(expect_end(&file));
done:
    close_file(&file);
    return status;
}
