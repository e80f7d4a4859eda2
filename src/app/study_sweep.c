/*
 * study_sweep: colrow study sweep SWEEP.yaml: many runs one after another, on all ranks each.
 *
 * What is done is told from the runs' own folders, so a sweep that was stopped in any way goes on
 * when it is started again. All configurations are checked before the first run starts.
 */
#include "app.h"

#include "colrow/sweep.h"

#include <string.h>

static const cr_usage usage = {
    .arguments = "SWEEP.yaml",
    .about =
        "Train a network once for every combination of what a file varies.\v"
        "The file has three keys:\n\n"
        "  base: ../mlp-mnist.yaml        # configuration of all runs, beside this file\n"
        "  set: {checkpoint.keep: 1}      # overrides for all runs, keys as for -s\n"
        "  vary:                          # axes: every combination is a run\n"
        "    estimator:                   #   overrides that go together, by name\n"
        "      top: {sampling.draw: top}\n"
        "      uniform: {sampling.draw: no_replacement, sampling.scores: uniform}\n"
        "    sampling.ratio: [0.1, 0.4]   #   values of one key\n"
        "    seed: [1, 2, 3]              #   results are averaged over seeds\n\n"
        "`vary` may be a list of such maps, whose combinations add up; a set of overrides may name "
        "another `base`. -s KEY=VALUE sets a key in all runs; -s AXIS=LIST takes other values, or "
        "the sets named, for an axis: -s seed=1 -s estimator=top -s epochs=2.\n\n"
        "Each run has a folder in the output folder, named by its choices. A sweep that was "
        "stopped "
        "goes on when started again; a run that diverges is noted, and the sweep goes on. At the "
        "end come runs.csv, table.csv, table.md and, where gnuplot is installed, pictures.",
    .output = "where everything is written (default runs/SWEEP)",
    .overrides = true,
};

/* A sweep under way. */
typedef struct sweep {
    cr_comm *comm; /* borrowed */
    cr_sweep *plan;
    const char *folder;
    cr_sweep_state *states; /* [plan->run_count], the same on all ranks; owned */
    int failed;             /* runs, so far */
    cr_status failure;      /* of the first of them */
} sweep;

/* ---- before the first run -------------------------------------------------------------------- */

static cr_status settled(cr_run_options *options, const sweep *s, int number)
{
    const cr_sweep_run *run = &s->plan->runs[number];
    CR_TRY(cr_sweep_options(options, s->plan, run));
    cr_status status = cr_options_settle(options, cr_comm_size(s->comm));
    return status == CR_OK ? CR_OK : cr_fail_prefix(status, "%s: %s", s->plan->path, run->name);
}

/* Check a run's configuration; rank 0 also looks at its folder. */
static cr_status look(const sweep *s, int number)
{
    char folder[CR_PATH_MAX];
    char *config = NULL;
    cr_run_options options;
    CR_TRY(settled(&options, s, number));
    if (cr_comm_rank(s->comm) != 0)
        return CR_OK;
    CR_TRY(cr_path_join(folder, s->folder, s->plan->runs[number].name));
    CR_TRY(cr_options_format(&config, &options));
    cr_status status = cr_sweep_look(&s->states[number], folder, config);
    CR_FREE(config);
    return status;
}

static cr_status look_at_all(const sweep *s)
{
    cr_status status = CR_OK;
    for (int i = 0; i < s->plan->run_count && status == CR_OK; i++)
        status = look(s, i);
    return status;
}

static cr_status prepare(sweep *s, const cr_arguments *arguments)
{
    CR_TRY(cr_sweep_load(&s->plan, arguments->subject, arguments->overrides,
                         arguments->override_count));
    CR_TRY(cr_alloc((void **)&s->states, (size_t)s->plan->run_count * sizeof *s->states));
    CR_TRY(look_at_all(s));
    return cr_comm_rank(s->comm) == 0 ? cr_folder_make(s->folder) : CR_OK;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static cr_status train(cr_run *run, const char *folder, cr_sweep_state state)
{
    CR_TRY(cr_run_open_folder(run, folder, true));
    if (state == CR_SWEEP_BEGUN)
        CR_TRY(cr_run_resume(run, ""));
    return cr_run_train(run);
}

static cr_status run_one(const sweep *s, int number)
{
    char folder[CR_PATH_MAX];
    cr_run_options options;
    cr_run *run = NULL;
    CR_TRY(cr_comm_any(s->comm, settled(&options, s, number)));
    CR_TRY(cr_path_join(folder, s->folder, s->plan->runs[number].name));
    CR_TRY(cr_machine_prepare(s->comm, &options));
    CR_TRY(cr_run_create(&run, s->comm, &options));
    cr_status status = train(run, folder, s->states[number]);
    cr_run_free(&run);
    return status;
}

/* Take note of a run that failed by itself, and let the sweep go on; any other failure is one of
 * the sweep. */
static cr_status note_failure(sweep *s, int number, cr_status status)
{
    char folder[CR_PATH_MAX];
    const char *name = s->plan->runs[number].name;
    bool root = cr_comm_rank(s->comm) == 0;
    if (status != CR_DIVERGED)
        return cr_fail_prefix(status, "%s", name);
    s->failure = s->failed++ == 0 ? status : s->failure;
    if (root)
        cr_log_warn("%s failed, the sweep goes on: %s", name, cr_error_message());
    CR_TRY(cr_path_join(folder, s->folder, name));
    return cr_comm_any(s->comm, root ? cr_sweep_note_failure(folder, cr_error_message()) : CR_OK);
}

/* A signal may come between two runs. */
static cr_status check_signals(const sweep *s)
{
    double caught = cr_signals_caught() ? 1 : 0;
    CR_TRY(cr_comm_largest(s->comm, &caught, 1));
    CR_CHECK(caught == 0, CR_STOPPED, "stopped as asked between two runs");
    return CR_OK;
}

static cr_status step(sweep *s, int number)
{
    const char *name = s->plan->runs[number].name;
    if (s->states[number] == CR_SWEEP_DONE)
        return CR_OK;
    if (s->states[number] == CR_SWEEP_FAILED) {
        s->failure = s->failed++ == 0 ? CR_DIVERGED : s->failure;
        cr_log_info("%s failed before; remove its folder to try it again", name);
        return CR_OK;
    }
    CR_TRY(check_signals(s));
    cr_log_info("run %d of %d: %s", number + 1, s->plan->run_count, name);
    cr_status status = run_one(s, number);
    cr_log_setup(CR_LOG_INFO, cr_comm_rank(s->comm), cr_comm_size(s->comm)); /* not the run's */
    return status == CR_OK ? CR_OK : note_failure(s, number, status);
}

static cr_status run_all(sweep *s)
{
    cr_status status = CR_OK;
    for (int i = 0; i < s->plan->run_count && status == CR_OK; i++)
        status = step(s, i);
    if (status == CR_STOPPED)
        return cr_fail_prefix(status, "the same command goes on from there");
    return status;
}

/* ---- the end --------------------------------------------------------------------------------- */

static int count(const sweep *s, cr_sweep_state state)
{
    int found = 0;
    for (int i = 0; i < s->plan->run_count; i++)
        found += s->states[i] == state;
    return found;
}

static cr_status report(const sweep *s)
{
    bool root = cr_comm_rank(s->comm) == 0;
    return cr_comm_any(s->comm, root ? cr_sweep_report(s->plan, s->folder) : CR_OK);
}

/* Run what is left, then write down what there is, also when a signal ends it early. */
static cr_status run_and_report(sweep *s)
{
    size_t bytes = (size_t)s->plan->run_count * sizeof *s->states;
    CR_TRY(cr_comm_broadcast(s->comm, s->states, bytes, 0));
    cr_log_info("%d runs, %d of them done; writing to %s", s->plan->run_count,
                count(s, CR_SWEEP_DONE), s->folder);
    cr_status status = run_all(s);
    if (status == CR_OK || status == CR_STOPPED)
        CR_TRY(report(s));
    CR_TRY(status);
    CR_CHECK(s->failed == 0, s->failure, "%d of %d runs failed; %s/table.md tells which", s->failed,
             s->plan->run_count, s->folder);
    cr_log_info("done: %d runs; %s/table.md", s->plan->run_count, s->folder);
    return CR_OK;
}

static cr_status run_command(cr_comm *comm, int argc, char **argv)
{
    cr_arguments arguments;
    char by_name[CR_PATH_MAX];
    CR_TRY(cr_arguments_parse(&arguments, comm, &usage, argc, argv));
    if (arguments.help)
        return CR_OK;
    cr_app_default_folder(by_name, arguments.subject);
    sweep s = {.comm = comm, .folder = arguments.output != NULL ? arguments.output : by_name};
    CR_TRY(cr_signals_catch());
    cr_status status = cr_comm_any(comm, prepare(&s, &arguments));
    if (status == CR_OK)
        status = run_and_report(&s);
    cr_sweep_free(&s.plan);
    CR_FREE(s.states);
    return status;
}

const cr_command cr_command_study_sweep = {
    .name = "sweep",
    .summary = "train for every combination of a file: colrow study sweep SWEEP.yaml [-s "
               "KEY=VALUE]...",
    .run = run_command,
};
