/* `filigree`. */
#include "command.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* How jemalloc keeps memory that was freed: a sealed head is 48 MiB that the next head needs within
 * a second, or never. So few arenas, which give to each other's threads, and back to the machine
 * after a second, on a thread of its own. The variable MALLOC_CONF overrides it (jemalloc(3)). */
extern const char *malloc_conf;
const char *malloc_conf = "narenas:3,dirty_decay_ms:1000,background_thread:true";

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
