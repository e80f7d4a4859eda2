/*
 * host: the cores that the ranks of a host may use, and how many threads come to each. A rank's
 * threads are spread evenly over its cores, so the load of a core is
 *
 *     load(c) = sum of threads(r) / cores(r) over the ranks r that may use c
 *
 * and more than 1 means that ranks take each other's time.
 */
#include "app.h"

#include <sched.h>
#include <unistd.h>

#define LOAD_MOST 1.001 /* 1, and roundings */

/* A rank, as it tells the others of its host. */
typedef struct tenant {
    cpu_set_t cores;
    int threads;
} tenant;

static tenant look_at_self(int threads)
{
    tenant self = {.threads = threads};
    if (sched_getaffinity(0, sizeof self.cores, &self.cores) == 0)
        return self;
    for (size_t core = 0; core < (size_t)sysconf(_SC_NPROCESSORS_ONLN); core++)
        CPU_SET(core, &self.cores); /* a system without affinity: all of them */
    return self;
}

/* Load of the fullest core. */
static double fullest(const tenant *tenants, int ranks)
{
    double most = 0;
    for (size_t core = 0; core < CPU_SETSIZE; core++) {
        double load = 0;
        for (int r = 0; r < ranks; r++)
            if (CPU_ISSET(core, &tenants[r].cores))
                load += (double)tenants[r].threads / CPU_COUNT(&tenants[r].cores);
        most = load > most ? load : most;
    }
    return most;
}

static void sum_up(cr_host *host, const tenant *tenants, int ranks)
{
    cpu_set_t all = tenants[0].cores;
    *host = (cr_host){0};
    for (int r = 0; r < ranks; r++) {
        int cores = CPU_COUNT(&tenants[r].cores);
        CPU_OR(&all, &all, &tenants[r].cores);
        host->threads += tenants[r].threads;
        if (tenants[r].threads > cores)
            host->cramped = true;
    }
    host->cores = CPU_COUNT(&all);
    for (int r = 0; r < ranks; r++)
        host->bound = host->bound || !CPU_EQUAL(&all, &tenants[r].cores);
    host->overloaded = fullest(tenants, ranks) > LOAD_MOST;
}

cr_status cr_host_look(cr_host *host, cr_comm *comm, int threads)
{
    void *memory = NULL;
    int ranks = cr_comm_node_size(comm);
    CR_TRY(cr_comm_share(comm, &memory, (size_t)ranks * sizeof(tenant)));
    tenant *tenants = memory;
    tenants[cr_comm_node_rank(comm)] = look_at_self(threads);
    CR_TRY(cr_comm_share_sync(comm));
    sum_up(host, tenants, ranks);
    cr_comm_unshare(comm, &memory); /* after all have read */
    return CR_OK;
}
