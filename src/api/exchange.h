/* One request and what the api knows of it: its route, its parameters, its answer's form. It lives
 * in the request's arena, and hangs on its `user`. */
#pragma once

#include "auth/identity.h"
#include "net/request.h"
#include "route.h"
#include "wire/otlp_response.h"

struct fg_loop;

struct fg_exchange {
    struct fg_api *api;
    struct fg_loop *loop;
    struct fg_request *request;
    const struct fg_route *route; /* NULL: none was found */
    size_t route_index;           /* for counting; FG_ROUTES_MAX where there is no route */
    struct fg_slice param;        /* what the path has for {id}, decoded */
    struct fg_slice second_param;
    struct fg_identity identity;    /* who asks (permit.h) */
    struct fg_slice session;        /* the session's secret, from its cookie; empty: none holds */
    struct fg_header_field more[3]; /* of the answer: set-cookie, location, www-authenticate */
    size_t more_count;
    struct fg_slice audit_what; /* for the audit, where the path says too little; no secrets */
    struct fg_slice allow;      /* for 405: the methods that the path takes */
    uint64_t begin_mono_ns;
    unsigned status; /* as answered; for gRPC what HTTP would have said */
    bool is_cut;     /* the answer's first trace has more spans than may come: said in a header */
    size_t error_at; /* from 1: the byte of `q` that a refusal is about; 0: none */
    void *work;      /* the handler's own, for its wake */
};

struct fg_exchange *fg_exchange_of(struct fg_request *request);

/* A refusal, in any form. */
struct fg_failure {
    unsigned status;
    enum fg_rpc_code code;
    const char *message;     /* a sentence that says what to do, where that is known */
    uint64_t retry_after_ns; /* 0: no promise */
};

void fg_answer_failure(struct fg_exchange *exchange, const struct fg_failure *failure);

/* 400, with a sentence put together. */
void fg_answer_invalid(struct fg_exchange *exchange, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* For an error of the store or of memory; what is "read the trace", for the sentence. */
void fg_answer_error(struct fg_exchange *exchange, int error, const char *what);
/* The same with a whole sentence of one's own. */
void fg_answer_error_message(struct fg_exchange *exchange, int error, const char *message);

/* A whole body. take consumes the buffer's memory; an error that sticks in it is answered instead.
 */
void fg_answer_take(struct fg_exchange *exchange, unsigned status, const char *content_type,
                    struct fg_buffer *body);
void fg_answer_copy(struct fg_exchange *exchange, unsigned status, const char *content_type,
                    struct fg_slice body);
void fg_answer_pull(struct fg_exchange *exchange, const char *content_type,
                    struct fg_generator *generator);

/* The first value of a query parameter, decoded; {NULL, 0} where it is absent. */
struct fg_slice fg_exchange_param(struct fg_exchange *exchange, const char *name);

/* A trace id's 32 hexadecimal digits, without a NUL. */
#define FG_TRACE_ID_TEXT_SIZE 32
struct fg_slice fg_trace_id_format(uint64_t high, uint64_t low,
                                   char ret_text[FG_TRACE_ID_TEXT_SIZE]);

/* A trace id: 16 or 32 hexadecimal digits, leading zeros may be cut, not all zero. FG_EINVALID. */
FG_MUST_CHECK int fg_trace_id_parse(struct fg_slice text, uint64_t *ret_high, uint64_t *ret_low);
