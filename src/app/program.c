/* program: do all ranks run the same one? Told apart by a hash of the file it was started from. */
#include "app.h"

#include <string.h>

static uint64_t hash_of_file(const char *path)
{
    char *bytes = NULL;
    size_t count = 0;
    uint64_t hash = cr_hash(COLROW_VERSION, strlen(COLROW_VERSION), 0);
    if (cr_file_read(&bytes, &count, path) == CR_OK) /* else the version has to do */
        hash = cr_hash(bytes, count, hash);
    CR_FREE(bytes);
    return hash;
}

cr_status cr_program_check(cr_comm *comm)
{
    if (cr_comm_size(comm) == 1)
        return CR_OK;
    return cr_comm_same(comm, hash_of_file("/proc/self/exe"),
                        "program (colrow " COLROW_VERSION " on rank 0)");
}
