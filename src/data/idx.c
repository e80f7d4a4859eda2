/*
 * idx: files of bytes in Y. LeCun's IDX format, plain or gzip.
 *
 *     00 00 08 dd              type 08 (unsigned bytes), dd dimensions
 *     size[0] ... size[dd-1]   32 bits each, highest byte first
 *     values                   size[0] x ... bytes, and nothing after them
 *
 * A header is believed only as far as the file's own size allows, so a damaged one cannot ask for
 * much memory.
 */
#include "colrow/data.h"
#include "reader.h"

#include <string.h>

enum {
    TYPE_BYTES = 0x08,
    DIMENSIONS_MAX = 3,
    WORD = 4,          /* B, of the magic number and of a size */
    DEFLATE_MAX = 1100 /* deflate makes data at most 1032 times smaller (zlib's own figure) */
};

/* Can the file hold what its header says? Exactly known for a plain one, bounded for gzip. */
static cr_status check_size(const cr_idx_header *header, const cr_reader *file)
{
    const int64_t *size = header->size;
    bool plain = !cr_reader_is_packed(file);
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

static cr_status take_header(cr_idx_header *header, cr_reader *file)
{
    uint8_t magic[WORD];
    uint8_t sizes[DIMENSIONS_MAX][WORD] = {{0}};
    cr_idx_header found = {.size = {1, 1, 1}};
    CR_TRY(cr_reader_take(file, magic, sizeof magic, "header"));
    CR_CHECK(magic[0] == 0 && magic[1] == 0 && magic[2] == TYPE_BYTES && magic[3] >= 1 &&
                 magic[3] <= DIMENSIONS_MAX,
             CR_BAD_DATA,
             "%s: expected an IDX file of bytes (00 00 08, then 01 to 03), found %02x %02x %02x "
             "%02x",
             file->path, magic[0], magic[1], magic[2], magic[3]);
    found.dimensions = magic[3];
    CR_TRY(cr_reader_take(file, sizes, (size_t)(WORD * found.dimensions), "header"));
    for (int i = 0; i < found.dimensions; i++)
        found.size[i] = big_endian(sizes[i]);
    CR_TRY(check_size(&found, file));
    *header = found;
    return CR_OK;
}

cr_status cr_idx_header_read(cr_idx_header *header, const char *path)
{
    cr_status status = CR_OK;
    cr_reader file = {.stream = NULL};
    CR_TRY_GOTO(cr_reader_open(&file, path));
    CR_TRY_GOTO(take_header(header, &file));
done:
    cr_reader_close(&file);
    return status;
}

static bool same_header(const cr_idx_header *a, const cr_idx_header *b)
{
    return a->dimensions == b->dimensions && memcmp(a->size, b->size, sizeof a->size) == 0;
}

cr_status cr_idx_values_read(uint8_t *out, const cr_idx_header *header, const char *path)
{
    cr_status status = CR_OK;
    cr_reader file = {.stream = NULL};
    cr_idx_header now = {.dimensions = 0};
    CR_TRY_GOTO(cr_reader_open(&file, path));
    CR_TRY_GOTO(take_header(&now, &file));
    CR_CHECK_GOTO(same_header(header, &now), CR_BAD_DATA,
                  "%s: expected the header read before, found another", file.path);
    size_t bytes = (size_t)(header->size[0] * header->size[1] * header->size[2]);
    CR_TRY_GOTO(cr_reader_take(&file, out, bytes, "values"));
    CR_TRY_GOTO(cr_reader_end(&file));
done:
    cr_reader_close(&file);
    return status;
}
