/* `filigree`. */
#include "command.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How jemalloc keeps memory that was freed: a sealed head is 24 MiB that the next head needs within
 * a second, or never. So few arenas, which give to each other's threads, and back to the machine
 * after a fifth of a second (kept for a second it costs 60 MB at full speed and saves no time), on
 * a thread of its own. The variable MALLOC_CONF overrides it (jemalloc(3)). */
extern const char *malloc_conf;
const char *malloc_conf = "narenas:3,dirty_decay_ms:200,background_thread:true";

/* https://no-color.org, and terminals that know no escape sequences. */
static bool takes_colour(void)
{
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no_colour && *no_colour) &&
           !(terminal && strcmp(terminal, "dumb") == 0);
}

int main(int argc, char **argv)
{
    struct fg_cli cli = {
        .env = fg_env_real(),
        .out = stdout,
        .err = stderr,
        .colour = takes_colour(),
        .progress = isatty(STDERR_FILENO) != 0,
    };
    signal(SIGPIPE, SIG_IGN);
    enum fg_exit code = fg_cli_run(&cli, argc, argv);
    if (fflush(stdout) != 0 && code == FG_EXIT_OK)
        code = FG_EXIT_FAILED; /* a full disk or a closed pipe behind standard output */
    return (int)code;
}
