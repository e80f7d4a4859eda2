/* arguments: the command lines of the subcommands, by argp. */
#include "app.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_RESUME = 256, KEY_JSON, KEY_KEYS, KEY_HELP, KEY_SETTING };
enum { OPTIONS_MAX = 32, HELP_BYTES = 256 };

typedef struct parsing {
    cr_arguments *out;
    const cr_usage *usage;
    bool speaks;
    cr_status status;
} parsing;

static error_t fail(parsing *p, const char *what, const char *value)
{
    p->status = cr_fail(CR_BAD_CONFIG, __FILE__, __LINE__, "%s%s%s", what,
                        value != NULL ? ": " : "", value != NULL ? value : "");
    return EINVAL;
}

static error_t add_override(parsing *p, const char *text)
{
    if (p->out->override_count == CR_OVERRIDES_MAX)
        return fail(p, "too many -s options", text);
    p->out->overrides[p->out->override_count++] = text;
    return 0;
}

static error_t add_subject(parsing *p, const char *text)
{
    int most = p->usage->most > 0 ? p->usage->most : 1;
    if (p->out->subject_count == most)
        return fail(p, most == 1 ? "expected one argument, found one more" : "too many arguments",
                    text);
    p->out->subjects[p->out->subject_count++] = text;
    p->out->subject = p->out->subjects[0];
    return 0;
}

static error_t set_output(parsing *p, const char *text)
{
    if (text[0] == '\0')
        return fail(p, "-o: expected a folder, found an empty name", NULL);
    p->out->output = text;
    return 0;
}

/* A line of YAML more. */
static error_t add_setting(parsing *p, const cr_option *option, const char *value)
{
    char *settings = p->out->settings;
    size_t used = strlen(settings);
    size_t left = CR_SETTINGS_BYTES - used;
    int length = snprintf(settings + used, left, "%s: %s\n", option->name, value);
    if (strchr(value, '\n') != NULL || (size_t)length >= left)
        return fail(p, "expected one line, shorter than this, for option", option->name);
    return 0;
}

static error_t take(int key, char *argument, struct argp_state *state)
{
    parsing *p = state->input;
    switch (key) {
    case 's':
        return add_override(p, argument);
    case 'o':
        return set_output(p, argument);
    case KEY_RESUME:
        p->out->resume = true;
        p->out->resume_from = argument != NULL ? argument : "";
        return 0;
    case KEY_JSON:
        p->out->json = true;
        return 0;
    case KEY_KEYS:
        p->out->keys = true;
        return 0;
    case KEY_HELP:
        p->out->help = true;
        if (p->speaks)
            argp_state_help(state, stdout, ARGP_HELP_LONG | ARGP_HELP_DOC | ARGP_HELP_USAGE);
        return 0;
    case ARGP_KEY_ARG:
        return add_subject(p, argument);
    default:
        if (key >= KEY_SETTING && key < KEY_SETTING + OPTIONS_MAX)
            return add_setting(p, &p->usage->settings[key - KEY_SETTING], argument);
        return ARGP_ERR_UNKNOWN;
    }
}

/* Options for argp, and the help of those that get their default put in. */
typedef struct listing {
    struct argp_option options[OPTIONS_MAX];
    char help[OPTIONS_MAX][HELP_BYTES];
} listing;

/* A subcommand's own options; returns how many. */
static int list_settings(listing *list, const cr_option *settings)
{
    int n = 0;
    for (; settings != NULL && settings[n].name != NULL; n++) {
        const cr_option *one = &settings[n];
        (void)snprintf(list->help[n], HELP_BYTES, "%s (default %s)", one->help, one->fallback);
        list->options[n] =
            (struct argp_option){one->name, KEY_SETTING + n, "VALUE", 0, list->help[n], 0};
    }
    return n;
}

/* The options that a subcommand takes. */
static void list_options(listing *list, const cr_usage *usage)
{
    struct argp_option *out = list->options;
    int n = list_settings(list, usage->settings);
    if (usage->overrides)
        out[n++] = (struct argp_option){
            "set", 's', "KEY=VALUE", 0, "set a configuration key, e.g. sampling.ratio=0.4", 0};
    if (usage->output != NULL)
        out[n++] = (struct argp_option){"output", 'o', "FOLDER", 0, usage->output, 0};
    if (usage->resume) {
        out[n++] = (struct argp_option){
            "resume",
            KEY_RESUME,
            "FILE",
            OPTION_ARG_OPTIONAL,
            "go on from a checkpoint: FILE, or the newest good one of the output folder",
            0};
        out[n++] = (struct argp_option){
            "keys", KEY_KEYS, NULL, 0, "list all configuration keys, and end", 0};
    }
    if (usage->json)
        out[n++] = (struct argp_option){"json", KEY_JSON, NULL, 0, "print JSON, for programs", 0};
    out[n++] = (struct argp_option){"help", KEY_HELP, NULL, 0, "print this, and end", 0};
    out[n] = (struct argp_option){0};
}

static cr_status parse(cr_arguments *out, const cr_usage *usage, int argc, char **argv, bool speaks)
{
    char *said = NULL;
    size_t bytes = 0;
    listing list;
    parsing p = {out, usage, speaks, CR_OK};
    char name[64];
    *out = (cr_arguments){.resume_from = ""};
    list_options(&list, usage);
    (void)snprintf(name, sizeof name, "colrow %s", argv[0]);
    struct argp parser = {
        .options = list.options, .parser = take, .args_doc = usage->arguments, .doc = usage->about};
    /* argp's own words would go to stderr as several lines, on every rank: they are caught here */
    FILE *caught = open_memstream(&said, &bytes);
    CR_CHECK(caught != NULL, CR_INTERNAL, "out of memory");
    FILE *real = stderr;
    stderr = caught;
    argv[0] = name;
    error_t failed = argp_parse(&parser, argc, argv, ARGP_NO_EXIT | ARGP_NO_HELP, NULL, &p);
    stderr = real;
    (void)fclose(caught); /* in memory */
    cr_status status = p.status;
    if (failed != 0 && status == CR_OK)
        status =
            cr_fail(CR_BAD_CONFIG, __FILE__, __LINE__, "%.*s; see %s --help",
                    said != NULL ? (int)strcspn(said, "\n") : 0, said != NULL ? said : "", name);
    free(said);
    CR_TRY(status);
    bool complete = out->help || out->keys || usage->optional || out->subject != NULL;
    CR_CHECK(complete, CR_BAD_CONFIG, "%s: expected %s; see %s --help", name, usage->arguments,
             name);
    return CR_OK;
}

cr_status cr_arguments_parse(cr_arguments *out, cr_comm *comm, const cr_usage *usage, int argc,
                             char **argv)
{
    return cr_comm_any(comm, parse(out, usage, argc, argv, cr_comm_rank(comm) == 0));
}
