/* A traced daemon, and the requests that it works on. */
#pragma once

#include "../instrument/tell.h"
#include "os/thread.h"

#include <microhttpd.h>

enum { FG_MHD_REQUESTS_MAX = 65536, FG_MHD_OPTIONS_MAX = 64, FG_MHD_PATH_MAX = 8192 };

struct fg_mhd_routes {
    struct fg_mhd_routes *before; /* replaced ones stay: requests hold their templates */
    size_t count;
    char *templates[];
};

struct fg_mhd_server {
    MHD_AccessHandlerCallback handler;
    void *handler_arg;
    MHD_RequestCompletedCallback completed;
    void *completed_arg;
    bool is_tls;
    struct fg_mutex mutex; /* of routes */
    struct fg_mhd_routes *routes;
};

struct fg_mhd_request {
    struct fg_mutex mutex; /* of context and status, which other threads may ask for and set */
    fg_span span;
    fg_context *context;
    unsigned status; /* 0: not answered yet */
    const char *route;
    char *own_route, *path;
    const char *method;
    uint64_t body_size;
};

void fg_mhd_server_free(struct fg_mhd_server *server);

/* Reads the options up to MHD_OPTION_END into items, which end so too. False for one that is
 * unknown, or too many. Notes the program's completed callback, which may also stand in an array.
 */
bool fg_mhd_read_options(va_list args, struct fg_mhd_server *server,
                         struct MHD_OptionItem items[FG_MHD_OPTIONS_MAX]);

/* NULL without memory. */
struct fg_mhd_request *fg_mhd_request_start(struct fg_mhd_server *server,
                                            struct MHD_Connection *connection, const char *path,
                                            const char *method, const char *version);
void fg_mhd_request_route(struct fg_mhd_request *request, const char *path_template);
/* Ends the span, and frees. */
void fg_mhd_request_end(struct fg_mhd_request *request, enum MHD_RequestTerminationCode code);
