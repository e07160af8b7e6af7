/* `filigree`. */
#include "command.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    const char *no_colour = getenv("NO_COLOR");
    struct fg_cli cli = {
        .env = fg_env_real(),
        .out = stdout,
        .err = stderr,
        .colour = isatty(STDOUT_FILENO) && !(no_colour && *no_colour),
        .progress = isatty(STDERR_FILENO) != 0,
    };
    signal(SIGPIPE, SIG_IGN);
    enum fg_exit code = fg_cli_run(&cli, argc, argv);
    if (fflush(stdout) != 0 && code == FG_EXIT_OK)
        code = FG_EXIT_FAILED; /* a full disk or a closed pipe behind standard output */
    return (int)code;
}
