/* An HTTP server on the loopback: a table of routes, each with a handler that gets the whole
 * request and fills in the answer. A thread a connection, so that a handler may wait. */
#ifndef DEMO_WEB_H
#define DEMO_WEB_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define WEB_ID_SIZE 64

struct web_request {
    struct MHD_Connection *connection;
    const char *path;
    char id[WEB_ID_SIZE]; /* what stands for {id} in the route; empty where it has none */
    const char *body;     /* NUL-terminated; never NULL */
    size_t body_size;
};

/* Filled by a handler through the calls below. */
struct web_answer {
    unsigned status;
    const char *content_type;
    char *body; /* owned; freed by the server */
    size_t body_size;
};

typedef void (*web_handler)(void *arg, const struct web_request *request,
                            struct web_answer *answer);

struct web_route {
    const char *method;
    const char *path; /* "/orders/{id}/submit"; {id} is an order's number: ORD- and digits */
    web_handler handler;
    size_t body_size_max; /* bytes; more is answered with 413 */
};

struct web_options {
    uint16_t port;
    const struct web_route *routes; /* live as long as the server */
    size_t route_count;
    void *arg;               /* for the handlers */
    const char *page;        /* the file of PAGES that GET / gives: "shop.html" */
    const char *page_config; /* JSON, what GET /config.json gives */
};

struct web;

/* NULL where the port can't be had; says why. With FILIGREE's tracing on, each request is a span
 * named by its route. GET /healthz, /faults.json, / and /assets/ are answered here. */
struct web *web_start(const struct web_options *options);
/* Waits until requests under way have been answered. NULL is allowed. */
void web_stop(struct web *web);

/* Takes over body, also on failure. */
void web_answer_json_take(struct web_answer *answer, unsigned status, json_t *body);
/* {"error": code, "message": text} */
void web_answer_error(struct web_answer *answer, unsigned status, const char *code,
                      const char *text);

/* The value of ?name=, or the fallback. Lives as long as the request. */
const char *web_query(const struct web_request *request, const char *name, const char *fallback);
/* The request's body, which must be a JSON object; NULL, with the answer filled in, where it is
 * none. The caller decrefs it. */
json_t *web_body_json(const struct web_request *request, struct web_answer *answer);

#endif
