/* The table of routes: what Filigree answers, on which ports, and what a caller must be permitted.
 */
#pragma once

#include "api/api.h"
#include "net/request.h"

struct fg_exchange;

/* How a route's refusals look. */
enum fg_form {
    FG_FORM_NATIVE,    /* {"error": "…", "code": "not_found"} */
    FG_FORM_OTLP,      /* google.rpc.Status in the request's encoding; gRPC's status */
    FG_FORM_JAEGER,    /* {"data": null, "errors": [{"code": 404, "msg": "…"}], …} */
    FG_FORM_JAEGER_V3, /* {"error": {"httpCode": 404, "message": "…"}} */
    FG_FORM_TEXT,
};

struct fg_route {
    enum fg_method method;
    const char *path; /* up to two segments may be {id}: any text without '/' */
    enum fg_permission permission;
    unsigned faces; /* bits, 1 << enum fg_face */
    enum fg_form form;
    uint64_t body_size_max; /* FG_BODY_CONFIGURED: what the configuration says */
    bool cors;              /* pages of the configured origins may call it */
    bool is_page;           /* whoever is not signed in is led to /login */
    bool whole_server;      /* concerns all tenants: only for who may choose one */
    bool signs_in;          /* makes a session: it needs none, nor its CSRF token */
    bool needs_store;       /* answered by 503 until the store has recovered */
    /* What the audit calls it; NULL: only refusals are recorded. One that is no GET and asks for
     * more than view is a change: it is recorded before it is made, and is not made where it can't
     * be recorded. */
    const char *audit;
    void (*handle)(struct fg_exchange *exchange);
};

#define FG_BODY_NONE       UINT64_C(0)
#define FG_BODY_SMALL      (UINT64_C(64) << 10)
#define FG_BODY_IMPORT     (UINT64_C(4) << 20) /* a table of incidents */
#define FG_BODY_CONFIGURED UINT64_MAX

#define FG_ON_OTLP (1u << FG_FACE_OTLP_GRPC | 1u << FG_FACE_OTLP_HTTP)
#define FG_ON_API  (1u << FG_FACE_API)

/* A route's first fields. permission is the end of a name of enum fg_permission: a route without
 * one, or with UNSET, does not compile. */
#define FG_ROUTE(method_, path_, permission_)                                                      \
    .method = FG_METHOD_##method_, .path = (path_),                                                \
    .permission = (enum fg_permission)(FG_PERMISSION_##permission_ +                               \
                                       0 * sizeof(struct {                                         \
                                           _Static_assert(                                         \
                                               FG_PERMISSION_##permission_ != FG_PERMISSION_UNSET, \
                                               "every route names the permission it needs");       \
                                           int unused;                                             \
                                       }))

#define FG_ROUTES_MAX       128
#define FG_ROUTE_PARAMS_MAX 2

const struct fg_route *fg_routes(size_t *ret_count);

/* What a path leads to on a port. */
struct fg_route_match {
    const struct fg_route *route; /* NULL: see allowed_methods */
    size_t index;
    struct fg_slice params[FG_ROUTE_PARAMS_MAX]; /* what stands for each {…}, as sent */
    unsigned allowed_methods; /* bits of enum fg_method that the path has; 0: no such path */
    bool cors;                /* one of those routes may be called by pages */
};

/* HEAD finds GET's route. */
struct fg_route_match fg_route_find(enum fg_method method, struct fg_slice path, int face);
