/* What the kinds that speak by libcurl share: one handle a run, that ends by its deadline and when
 * nobody wants it any more, and what an end without success means. */
#pragma once

#include "monitor/check.h"

#include <curl/curl.h>

struct fg_transfer {
    CURL *curl;
    struct fg_env *env;
    struct fg_check_report *report;
    uint64_t deadline_ns;
    const bool *is_cut; /* the reader had enough: no failure; NULL: it never has */
    /* How long it goes on after the run was cancelled (libcurl looks once a second at least), for
     * what would leave something behind if it were cut off. 0, unless set after the begin. */
    uint64_t patience_ns;
    uint64_t cancelled_ns; /* when that was seen first; 0: not yet */
    char error[CURL_ERROR_SIZE];
};

/* FG_ENOMEM. Proxies of the environment are not used: what is watched is the component. */
FG_MUST_CHECK int fg_transfer_begin(struct fg_transfer *transfer, struct fg_env *env,
                                    uint64_t deadline_ns, struct fg_check_report *report);
/* Performs; what came in the way becomes a finding. 0, or FG_EIO when there is one, FG_ECANCELLED.
 */
FG_MUST_CHECK int fg_transfer_run(struct fg_transfer *transfer);
void fg_transfer_end(struct fg_transfer *transfer);

/* Milliseconds until the deadline, 0 at least. */
long fg_transfer_left_ms(const struct fg_transfer *transfer);

/* Connects by TCP alone, to host and port: what begins like fg_transfer_run() and ends with an open
 * socket, that belongs to the transfer. Sets server.address, server.port, network.peer.address. */
FG_MUST_CHECK int fg_transfer_connect(struct fg_transfer *transfer, const char *host, int64_t port,
                                      curl_socket_t *ret_socket);

/* `host` (without a port) and `port`, complained of where they are wrong; NULL then. */
const char *fg_transfer_host(struct fg_check_settings *settings);
