/* libfiligree-microhttpd: what is asked of a libmicrohttpd server, as OpenTelemetry's HTTP server
 * spans.
 *
 * Each call has the name of libmicrohttpd's with fg_ before it, takes the same, and gives back the
 * same. With FILIGREE_DROP_IN defined before this header, libmicrohttpd's own names stand for them,
 * and a program's text need not change:
 *
 *     cc -DFILIGREE_DROP_IN -include filigree_microhttpd.h … $(pkg-config --cflags --libs
 * filigree-microhttpd)
 *
 * A request is a span from the first call of the access handler until its answer is sent or given
 * up. It continues the trace in its headers. In the handler it is current, with the caller's
 * baggage; what is put on the journey there stays for the request's later calls. Suspended
 * connections and all ways of threads are followed. */
#ifndef FILIGREE_MICROHTTPD_H
#define FILIGREE_MICROHTTPD_H

#include <filigree.h>
#include <microhttpd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A daemon with an option that is unknown here is started untraced. */
FG_API struct MHD_Daemon *fg_MHD_start_daemon(unsigned flags, uint16_t port,
                                              MHD_AcceptPolicyCallback apc, void *apc_cls,
                                              MHD_AccessHandlerCallback dh, void *dh_cls, ...);
FG_API void fg_MHD_stop_daemon(struct MHD_Daemon *daemon);
/* Needed for answers that are queued outside of the handler, for a suspended connection; in it
 * MHD's own serves too. */
FG_API enum MHD_Result fg_MHD_queue_response(struct MHD_Connection *connection, unsigned status,
                                             struct MHD_Response *response);

/* -- What libmicrohttpd has no word for -- */

/* The paths that the daemon serves: "/orders/{id}/files/{name}"; an {x} is one segment, a last *
 * all that is left. The first that fits is a request's http.route and names its span. Copied; from
 * the next request on. 0, or a negative number for fg_tracing_error(). */
FG_API int fg_mhd_set_routes(struct MHD_Daemon *daemon, const char *const *templates, size_t count);
/* The template that fits the request, for the handler to choose by; NULL: none, or the connection
 * is not traced. */
FG_API const char *fg_mhd_route(struct MHD_Connection *connection);
/* What stands in the path for {name}. Writes at most size bytes, NUL included; returns the whole
 * value's bytes, 0: none. */
FG_API size_t fg_mhd_route_value(struct MHD_Connection *connection, const char *name, char *text,
                                 size_t size);
/* For programs with a router of their own. */
FG_API void fg_mhd_set_route(struct MHD_Connection *connection, const char *path_template);

/* The request's span and context, for work that goes on outside of the handler. The context is the
 * caller's, who frees it; NULL where there is none. Until the request is completed. */
FG_API fg_span fg_mhd_span(struct MHD_Connection *connection);
FG_API fg_context *fg_mhd_context(struct MHD_Connection *connection);

#ifdef __cplusplus
}
#endif

#ifdef FILIGREE_DROP_IN
#define MHD_start_daemon   fg_MHD_start_daemon
#define MHD_stop_daemon    fg_MHD_stop_daemon
#define MHD_queue_response fg_MHD_queue_response
#endif
#endif
