/* Asks the server under measurement for JSON. */
#pragma once

#include "../client.h"
#include "server.h"

struct fg_bench_ask {
    struct fg_cli *cli;
    struct fg_client *client; /* NULL before the first connect */
    char url[FG_BENCH_ADDRESS_SIZE + 8];
};

/* To this server from now on. On failure a sentence has been said. */
FG_MUST_CHECK int fg_bench_ask_connect(struct fg_bench_ask *ask,
                                       const struct fg_bench_server *server);
void fg_bench_ask_free(struct fg_bench_ask *ask);

/* The answer to a GET, or to a POST of {}; the caller's. NULL after a sentence. */
json_t *fg_bench_ask_get(struct fg_bench_ask *ask, const char *path);
json_t *fg_bench_ask_post(struct fg_bench_ask *ask, const char *path);

/* A metric without labels, of /metrics. FG_ENOTFOUND without a sentence: it is not there, as in a
 * server of another version. */
FG_MUST_CHECK int fg_bench_ask_metric(struct fg_bench_ask *ask, const char *name, uint64_t *ret);

/* A member that is a whole number; 0 where it is none, or below. */
uint64_t fg_bench_ask_member(const json_t *object, const char *name);
