/* An OTLP/HTTP server in a child process that reads and forgets: HTTP/1.1, 200 to everything, some
 * connections one after the other. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* Ends the program where it can't be. Each connection is served by a process of its own. */
pid_t bench_sink_start(uint16_t *ret_port);
void bench_sink_stop(pid_t sink);
