/* comm: start and end of MPI, who is who, and how a job dies. */
#include "comm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cr_status cr_mpi_check(int code, const char *what, const char *file, int line)
{
    if (code == MPI_SUCCESS)
        return CR_OK;
    char words[MPI_MAX_ERROR_STRING] = "unknown error";
    int length = 0;
    (void)MPI_Error_string(code, words, &length); /* the words stay as they are when this fails */
    return cr_fail(CR_RANKS, file, line, "MPI failed: %s in %.60s", words, what);
}

static cr_status set_up(cr_comm *comm)
{
    CR_MPI(MPI_Comm_dup(MPI_COMM_WORLD, &comm->world));
    CR_MPI(MPI_Comm_set_errhandler(comm->world, MPI_ERRORS_RETURN));
    CR_MPI(MPI_Comm_dup(MPI_COMM_WORLD, &comm->second));
    CR_MPI(MPI_Comm_set_errhandler(comm->second, MPI_ERRORS_RETURN));
    /* what has no communicator, as waiting for several sums, asks the original world's handler */
    CR_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    CR_MPI(MPI_Comm_rank(comm->world, &comm->rank));
    CR_MPI(MPI_Comm_size(comm->world, &comm->size));
    CR_MPI(MPI_Comm_split_type(comm->world, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL,
                               &comm->node));
    CR_MPI(MPI_Comm_set_errhandler(comm->node, MPI_ERRORS_RETURN));
    CR_MPI(MPI_Comm_rank(comm->node, &comm->node_rank));
    CR_MPI(MPI_Comm_size(comm->node, &comm->node_size));
    return CR_OK;
}

/* Open MPI sums in place by a tree unless told otherwise, 2 log2(p) times the bytes on the busiest
 * link, where scattering and gathering (Rabenseifner) needs 2 (p - 1) / p. Its users may have told
 * otherwise; other libraries do not read this. */
static void choose_sums(void)
{
    (void)setenv("OMPI_MCA_coll_libnbc_iallreduce_algorithm", "3", 0); /* at worst it is slower */
}

/* The watchdog's limit until a run sets its own. */
static cr_status first_limit(double *seconds)
{
    const char *text = getenv("COLROW_WATCHDOG_SECONDS");
    char *end = NULL;
    if (text == NULL)
        return CR_OK;
    *seconds = strtod(text, &end);
    CR_CHECK(end != text && *end == '\0' && *seconds >= 0, CR_BAD_CONFIG,
             "COLROW_WATCHDOG_SECONDS: expected seconds, found '%.60s'", text);
    return CR_OK;
}

cr_status cr_comm_create(cr_comm **out, int *argc, char ***argv)
{
    cr_comm *comm = NULL;
    int provided = MPI_THREAD_SINGLE;
    double limit = CR_COMM_LIMIT;
    choose_sums();
    CR_TRY(first_limit(&limit));
    CR_TRY(cr_guard_start());
    cr_guard_limit(limit);
    CR_MPI(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided));
    CR_CHECK(provided >= MPI_THREAD_FUNNELED, CR_RANKS,
             "MPI: expected support of threads (MPI_THREAD_FUNNELED), found none");
    CR_TRY(cr_alloc((void **)&comm, sizeof *comm));
    cr_status status = set_up(comm);
    if (status != CR_OK) {
        CR_FREE(comm);
        return status;
    }
    cr_comm_watch(comm, limit);
    *out = comm;
    return CR_OK;
}

void cr_comm_free(cr_comm **comm)
{
    if (*comm == NULL)
        return;
    while ((*comm)->window_count > 0) {
        void *memory = (*comm)->windows[0].memory;
        cr_comm_unshare(*comm, &memory);
    }
    /* MPI's own end waits for all ranks, and knows no time; what fails here fails there as well */
    (void)cr_wait_for_all(*comm, (*comm)->world);
    CR_MPI_LAST(MPI_Comm_free(&(*comm)->node));
    CR_MPI_LAST(MPI_Comm_free(&(*comm)->second));
    CR_MPI_LAST(MPI_Comm_free(&(*comm)->world));
    CR_MPI_LAST(MPI_Finalize());
    CR_FREE((*comm)->room[0]);
    CR_FREE((*comm)->room[1]);
    CR_FREE(*comm);
}

int cr_comm_rank(const cr_comm *comm)
{
    return comm->rank;
}

int cr_comm_size(const cr_comm *comm)
{
    return comm->size;
}

int cr_comm_node_rank(const cr_comm *comm)
{
    return comm->node_rank;
}

int cr_comm_node_size(const cr_comm *comm)
{
    return comm->node_size;
}

void cr_comm_abort(cr_comm *comm, cr_status code)
{
    cr_log_error("%s", cr_error_message());
    cr_log_debug("at %s", cr_error_trail());
    cr_guard_last(code);
    (void)MPI_Abort(comm->world, (int)code); /* does not return where MPI works */
    exit((int)code);
}

void cr_comm_library(char *out, size_t bytes)
{
    char words[MPI_MAX_LIBRARY_VERSION_STRING] = "unknown MPI";
    int length = 0;
    (void)MPI_Get_library_version(words, &length); /* the words stay as they are when this fails */
    (void)snprintf(out, bytes, "%.*s", (int)strcspn(words, ",\n"), words);
}
