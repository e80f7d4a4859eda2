/* subject: what a subcommand is about, a configuration file or a checkpoint. */
#include "app.h"

#include <stdio.h>
#include <string.h>

bool cr_app_is_checkpoint(const char *path)
{
    size_t length = strlen(path);
    return length > 3 && strcmp(path + length - 3, ".h5") == 0;
}

void cr_app_default_folder(char out[CR_PATH_MAX], const char *config)
{
    const char *slash = strrchr(config, '/');
    const char *name = slash != NULL ? slash + 1 : config;
    const char *dot = strrchr(name, '.');
    int length = dot != NULL && dot != name ? (int)(dot - name) : (int)strlen(name);
    (void)snprintf(out, CR_PATH_MAX, "runs/%.*s", length, name);
}

static cr_status load_from_checkpoint(cr_run_options *options, const cr_arguments *arguments)
{
    cr_attribute config = {.name = "config", .type = CR_ATTRIBUTE_TEXT};
    CR_TRY(cr_checkpoint_attributes(arguments->subject, &config, 1));
    cr_status status = cr_options_parse(options, config.text, arguments->subject,
                                        arguments->overrides, arguments->override_count);
    CR_FREE(config.text);
    return status;
}

static cr_status load(cr_run_options *options, int ranks, const cr_arguments *arguments)
{
    memset(options, 0, sizeof *options);
    if (cr_app_is_checkpoint(arguments->subject))
        CR_TRY(load_from_checkpoint(options, arguments));
    else
        CR_TRY(cr_options_load(options, arguments->subject, arguments->overrides,
                               arguments->override_count));
    return cr_options_settle(options, ranks);
}

cr_status cr_app_options(cr_run_options *options, cr_comm *comm, const cr_arguments *arguments)
{
    return cr_comm_any(comm, load(options, cr_comm_size(comm), arguments));
}

cr_status cr_app_run(cr_run **out, cr_comm *comm, const cr_arguments *arguments)
{
    cr_run_options options;
    CR_TRY(cr_app_options(&options, comm, arguments));
    CR_TRY(cr_machine_prepare(comm, &options));
    return cr_run_create(out, comm, &options);
}
