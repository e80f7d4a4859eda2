/*
 * image: seals the bytes of a checkpoint file and checks the seal. The seal that the bytes found
 * ought to carry is made again and compared, so no byte of the file can change unnoticed.
 */
#include "image.h"

#include "hdf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void make_seal(char seal[HDF_USER_BLOCK], size_t bytes, uint64_t hash)
{
    memset(seal, 0, HDF_USER_BLOCK);
    (void)snprintf(seal, HDF_USER_BLOCK, /* always fits */
                   "colrow checkpoint, format %d, %zu bytes, xxh64 %016" PRIx64 "\n",
                   CR_CHECKPOINT_FORMAT, bytes, hash);
}

static uint64_t hash_rest(const unsigned char *image, size_t bytes)
{
    return cr_hash(image + HDF_USER_BLOCK, bytes - HDF_USER_BLOCK, 0);
}

void image_seal(unsigned char *image, size_t bytes)
{
    char seal[HDF_USER_BLOCK];
    make_seal(seal, bytes, hash_rest(image, bytes));
    memcpy(image, seal, sizeof seal);
}

/* image: `bytes` bytes and a 0 */
static cr_status check(const unsigned char *image, size_t bytes)
{
    int format = 0;
    size_t expected = 0;
    uint64_t hash = 0;
    int fields =
        sscanf((const char *)image, "colrow checkpoint, format %9d, %19zu bytes, xxh64 %16" SCNx64,
               &format, &expected, &hash);
    CR_CHECK(fields >= 1, CR_BAD_DATA, "expected a colrow checkpoint, found something else");
    CR_CHECK(format == CR_CHECKPOINT_FORMAT, CR_BAD_DATA,
             "format version %d, this program reads %d", format, CR_CHECKPOINT_FORMAT);
    CR_CHECK(fields == 3, CR_BAD_DATA, "damaged: the first line is not whole");
    CR_CHECK(bytes == expected && bytes >= HDF_USER_BLOCK, CR_BAD_DATA,
             "expected %zu bytes, found %zu: truncated or damaged", expected, bytes);
    uint64_t found = hash_rest(image, bytes);
    CR_CHECK(found == hash, CR_BAD_DATA,
             "damaged: expected xxh64 %016" PRIx64 ", found %016" PRIx64, hash, found);
    char seal[HDF_USER_BLOCK];
    make_seal(seal, bytes, found);
    CR_CHECK(memcmp(image, seal, sizeof seal) == 0, CR_BAD_DATA,
             "damaged: the first %d bytes are not those written", HDF_USER_BLOCK);
    return CR_OK;
}

cr_status image_read(unsigned char **image, size_t *bytes, const char *path)
{
    char *read = NULL;
    CR_TRY(cr_file_read(&read, bytes, path));
    cr_status status = check((unsigned char *)read, *bytes);
    if (status != CR_OK) {
        CR_FREE(read);
        return cr_fail_prefix(status, "%s", path);
    }
    *image = (unsigned char *)read;
    return CR_OK;
}
