/* signals: SIGTERM, SIGINT and SIGUSR1 ask for a checkpoint and an orderly end. */
#include "train.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static volatile sig_atomic_t caught = 0;

static void note(int number)
{
    (void)number;
    caught = 1;
}

cr_status cr_signals_catch(void)
{
    const int numbers[] = {SIGTERM, SIGINT, SIGUSR1};
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        CR_CHECK(sigaction(numbers[i], &action, NULL) == 0, CR_INTERNAL,
                 "cannot catch signal %d: %s", numbers[i], strerror(errno));
    return CR_OK;
}

bool cr_signals_caught(void)
{
    return caught != 0;
}
