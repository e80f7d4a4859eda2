/* machine: threads, binding and oversubscription, checked and said at the start. */
#include "app.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const levels[] = {"error", "warn", "info", "debug"};

static cr_log_level level_of(const char *name)
{
    for (int i = 0; i < (int)(sizeof levels / sizeof *levels); i++)
        if (strcmp(levels[i], name) == 0)
            return (cr_log_level)i;
    return CR_LOG_INFO;
}

/* Cores this process may run on. */
static int cores_allowed(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    return CPU_COUNT(&set);
}

/* Asked for; or OMP_NUM_THREADS; or this rank's share of the cores: those it is bound to, or an
 * equal part where nothing binds it. */
static int choose_threads(const cr_comm *comm, const cr_run_options *options)
{
    const char *environment = getenv("OMP_NUM_THREADS");
    int asked = environment != NULL ? atoi(environment) : 0;
    int allowed = cores_allowed();
    bool bound = allowed < sysconf(_SC_NPROCESSORS_ONLN);
    int share = bound ? allowed : allowed / cr_comm_node_size(comm);
    if (options->threads > 0)
        return options->threads;
    if (asked > 0)
        return asked;
    return share > 1 ? share : 1;
}

cr_status cr_machine_prepare(cr_comm *comm, const cr_run_options *options)
{
    int threads = choose_threads(comm, options);
    int online = (int)sysconf(_SC_NPROCESSORS_ONLN);
    int allowed = cores_allowed();
    double most[2] = {threads, (double)threads * cr_comm_node_size(comm)};
    cr_engine_set_threads(threads);
    cr_log_setup(level_of(options->log.level), cr_comm_rank(comm), cr_comm_size(comm));
    CR_TRY(cr_comm_largest(comm, most, 2));
    cr_log_info("%d rank(s), %d thread(s) a rank, %s", cr_comm_size(comm), (int)most[0],
                allowed < online ? "bound to cores" : "not bound");
    if (most[1] > online && cr_comm_rank(comm) == 0)
        cr_log_warn("oversubscribed: %d threads on a node of %d cores; ranks will wait for each "
                    "other (set threads or OMP_NUM_THREADS, or start fewer ranks)",
                    (int)most[1], online);
    if (threads > allowed && most[1] <= online)
        cr_log_warn("%d threads on %d core(s): the launcher binds each rank to fewer cores than it "
                    "has threads (mpirun --bind-to none, or --map-by slot:PE=%d)",
                    threads, allowed, threads);
    return CR_OK;
}
