/* app.h: the subcommands, one a file. */
#ifndef APP_APP_H
#define APP_APP_H

#include "colrow/train.h"

/* What every subcommand gets: arguments after its name, and the ranks. */
typedef struct cr_command {
    const char *name;
    const char *summary; /* one line for `colrow --help` */
    /* argv[0] is "colrow NAME". Collective; same status on all ranks. */
    cr_status (*run)(cr_comm *comm, int argc, char **argv);
} cr_command;

extern const cr_command cr_command_train;
extern const cr_command cr_command_eval;
extern const cr_command cr_command_info;
extern const cr_command cr_command_plot;
extern const cr_command cr_command_study;
extern const cr_command cr_command_study_error;
extern const cr_command cr_command_study_sweep;
extern const cr_command cr_command_study_scaling;

/* The command of that name in a table ended by NULL; NULL when there is none. */
const cr_command *cr_command_find(const cr_command *const *table, const char *name);

/* Print names and summaries, a line each; and the names as "train, eval". */
void cr_command_print(const cr_command *const *table);
void cr_command_names(char *out, size_t bytes, const cr_command *const *table);

#define CR_OVERRIDES_MAX 128
#define CR_SUBJECTS_MAX 64
#define CR_SETTINGS_BYTES 8192

/* Arguments that subcommands have in common. */
typedef struct cr_arguments {
    const char *subject;                   /* the first of `subjects`; NULL: none given */
    const char *subjects[CR_SUBJECTS_MAX]; /* CONFIG, CHECKPOINT, RUN ... */
    int subject_count;
    const char *overrides[CR_OVERRIDES_MAX];
    int override_count;
    const char *output; /* -o, NULL: none given */
    bool resume;
    const char *resume_from; /* --resume=FILE, "" for the newest */
    bool json;
    bool keys;                        /* --keys: print the configuration keys */
    bool help;                        /* help or usage was asked for and printed */
    char settings[CR_SETTINGS_BYTES]; /* of usage->settings those given, as YAML */
} cr_arguments;

/* What a subcommand takes. */
typedef struct cr_usage {
    const char *arguments; /* "CONFIG" */
    const char *about;
    int most;           /* subjects; 0: one */
    const char *output; /* what -o is for; NULL: there is no -o */
    bool resume, json, overrides;
    bool optional;             /* the subject may be left out */
    const cr_option *settings; /* options of its own: --NAME=VALUE for each; NULL: none */
} cr_usage;

/* Parse with argp; CR_BAD_CONFIG with one line when they are wrong on any rank. Rank 0 prints help
 * where that is asked for. Collective. */
cr_status cr_arguments_parse(cr_arguments *out, cr_comm *comm, const cr_usage *usage, int argc,
                             char **argv);

/* CR_RANKS naming a rank and both hashes unless all ranks run the same program. Collective. */
cr_status cr_program_check(cr_comm *comm);

/* How the ranks of a host share its cores. */
typedef struct cr_host {
    int cores;       /* that any of them may use */
    int threads;     /* of all of them */
    bool bound;      /* some may use only a part of the cores */
    bool cramped;    /* some have fewer cores than threads */
    bool overloaded; /* some core has more than one thread */
} cr_host;

/* Look at the host of this rank, which has so many threads. Collective. */
cr_status cr_host_look(cr_host *host, cr_comm *comm, int threads);

/* Log level, threads and binding from the options; warns of oversubscription. Collective. */
cr_status cr_machine_prepare(cr_comm *comm, const cr_run_options *options);

/* Options from a config file or from the config in a checkpoint; settled for the ranks. Collective.
 */
cr_status cr_app_options(cr_run_options *options, cr_comm *comm, const cr_arguments *arguments);

/* The same, the machine prepared, and the run made from them; the caller frees it. Collective. */
cr_status cr_app_run(cr_run **out, cr_comm *comm, const cr_arguments *arguments);

/* "runs/" and the name of a configuration file without its ending. */
void cr_app_default_folder(char out[CR_PATH_MAX], const char *config);

/* Does `path` look like a checkpoint (by its name)? */
bool cr_app_is_checkpoint(const char *path);

#endif
