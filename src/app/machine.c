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

/* What is wrong on this node, if anything is: ranks will be slower than they need be. */
static void complain(const cr_host *host)
{
    int online = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (host->threads > online)
        cr_log_warn("oversubscribed: %d threads on a node of %d cores; ranks will wait for each "
                    "other (set threads or OMP_NUM_THREADS, or start fewer ranks)",
                    host->threads, online);
    else if (host->cramped)
        cr_log_warn("ranks have more threads than cores that they may use (mpirun --bind-to none, "
                    "or --map-by slot:PE=THREADS)");
    else
        cr_log_warn("ranks share cores: %d threads on a node, which may use %d cores (mpirun "
                    "--bind-to none, or --map-by slot:PE=THREADS)",
                    host->threads, host->cores);
}

/* Of the nodes on which something is wrong the first one speaks for all. */
static cr_status check_nodes(cr_comm *comm, const cr_host *host)
{
    bool wrong = cr_comm_node_rank(comm) == 0 && host->overloaded;
    double first = wrong ? -cr_comm_rank(comm) : -cr_comm_size(comm);
    CR_TRY(cr_comm_largest(comm, &first, 1));
    if (wrong && (int)-first == cr_comm_rank(comm))
        complain(host);
    return CR_OK;
}

cr_status cr_machine_prepare(cr_comm *comm, const cr_run_options *options)
{
    int threads = choose_threads(comm, options);
    double range[2] = {threads, -threads};
    cr_host host;
    cr_engine_set_threads(threads);
    cr_log_setup(level_of(options->log.level), cr_comm_rank(comm), cr_comm_size(comm));
    CR_TRY(cr_comm_largest(comm, range, 2));
    CR_TRY(cr_host_look(&host, comm, threads));
    cr_log_info("%d rank(s), %d thread(s) a rank, %s", cr_comm_size(comm), (int)range[0],
                host.bound ? "bound to cores" : "not bound");
    if (range[0] > -range[1] && cr_comm_rank(comm) == 0)
        cr_log_warn("ranks have %d to %d threads; those with the fewest set the pace",
                    (int)-range[1], (int)range[0]);
    return check_nodes(comm, &host);
}
