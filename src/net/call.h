/* A call: a request with what net keeps of it besides what handlers see, and its answer.
 *
 * References: the loop's one from the first header on until the answer is sent or dropped, and
 * those of fg_request_ref(). Who drops the last one on another thread sends the call to its loop,
 * which frees it there. The message serves both that and fg_request_wake(): `signals` says for
 * what, and who sets the first of them pushes. */
#pragma once

#include "body.h"
#include "conn.h"
#include "net/counters.h"
#include "net/grpc.h"
#include "net/inflate.h"
#include "net/queue.h"
#include "net/request.h"

struct fg_net_loop;

/* What is parsed of a request's head: text, and where the parts lie in it, since text moves while
 * it grows. In the call's arena. */
struct fg_head_field {
    uint32_t name_at, name_size, value_at, value_size;
};

struct fg_head {
    uint8_t *text;
    uint32_t text_size, text_capacity;
    uint32_t url_at, url_size;
    uint32_t authority_at, authority_size; /* HTTP/2 */
    struct fg_head_field *fields;          /* the last one may be under way */
    uint32_t field_count, field_capacity;
    uint32_t fields_size; /* bytes of names and values */
};

enum fg_answer_state {
    FG_ANSWER_NONE,
    FG_ANSWER_READY,   /* given by the handler, nothing sent */
    FG_ANSWER_SENDING, /* its begin is sent */
    FG_ANSWER_WAITING, /* the generator has nothing now; resume follows */
    FG_ANSWER_OVER,    /* sent or dropped */
};

struct fg_answer {
    enum fg_answer_state state;
    unsigned status;
    bool has_body;                  /* not of HEAD, 204, 304 */
    bool has_trailers;              /* gRPC, status OK */
    bool is_last;                   /* the generator gave its last part */
    struct fg_buffer head;          /* HTTP/1.1: status line and fields */
    struct fg_buffer body;          /* whole; or, pulled, the current part */
    size_t body_at;                 /* HTTP/2: sent so far */
    size_t counted_size;            /* of a part, in buffered_bytes */
    struct fg_generator *generator; /* until it is stopped */
    uint64_t stalled_since_ns;      /* HTTP/2: the client has taken nothing since; 0: not stalled */
};

enum fg_call_signal { FG_SIGNAL_WAKE = 1, FG_SIGNAL_FREE = 2 };

#define FG_NO_FAILURE (-1)

struct fg_call {
    struct fg_request request; /* first: handlers hold a pointer to it */
    struct fg_net_loop *loop;
    struct fg_conn *conn;            /* NULL: the client has gone */
    struct fg_call *previous, *next; /* of the connection's; next also of spares and ended ones */
    struct fg_message message;
    _Atomic unsigned refs, signals;
    _Atomic bool is_cancelled;
    bool is_counted; /* in requests_open */
    bool is_seen;    /* a handler knows of it */
    bool is_ended;   /* in loop->ended */
    bool is_whole;   /* the body has come to its end */
    bool is_gone;    /* HTTP/2: the stream has been closed */
    enum fg_net_protocol protocol;
    struct fg_arena arena;
    struct fg_head head;
    int failure;                 /* the first thing wrong with the head: enum fg_refusal_reason */
    const char *failure_message; /* in place of the reason's own; may be NULL */
    enum fg_encoding encoding;
    struct fg_body body;
    uint64_t body_size_max, inflated_size_max;
    uint64_t content_length; /* UINT64_MAX: unknown */
    uint64_t body_since_ns;  /* when the head was there */
    int32_t stream_id;       /* HTTP/2 */
    char peer[FG_PEER_TEXT_SIZE];
    struct fg_answer answer;
};

static inline struct fg_call *fg_call_of(struct fg_request *request)
{
    return (struct fg_call *)request;
}

/* NULL: no memory. The call is the first of conn->calls. */
struct fg_call *fg_call_new(struct fg_conn *conn, enum fg_net_protocol protocol);
/* Those of loop->spare_calls. */
void fg_call_spares_free(struct fg_net_loop *loop);
/* The answer is sent or dropped: at the end of the turn its generator is stopped and the loop's
 * reference given back. Once or more. */
void fg_call_end(struct fg_call *call);
/* The end of the turn. */
void fg_call_finish(struct fg_call *call);
/* The client went before the answer was there. */
void fg_call_cancel(struct fg_call *call);
/* The stream is no more: cancels what is not answered, drops what is. */
void fg_call_detach(struct fg_call *call);
/* The same for the connection. */
void fg_call_orphan(struct fg_call *call);

/* -- head.c: the head as it comes in. What breaks a limit sets call->failure, and the rest is
 * ignored. ------------------------------------------------------------------------------------- */

void fg_call_fail(struct fg_call *call, enum fg_refusal_reason reason, const char *message);
void fg_head_add_url(struct fg_call *call, struct fg_slice bytes);
void fg_head_add_authority(struct fg_call *call, struct fg_slice bytes);
/* A name's first piece begins a field. */
void fg_head_begin_field(struct fg_call *call);
void fg_head_add_name(struct fg_call *call, struct fg_slice bytes);
void fg_head_add_value(struct fg_call *call, struct fg_slice bytes);
/* Makes request.fields, path, query, content_type of what is there. */
void fg_head_finish(struct fg_call *call);

/* -- request.c: the way of a request to its handler ---------------------------------------------
 */

/* The head is whole. May answer. */
void fg_call_on_head(struct fg_call *call);
/* May answer. */
void fg_call_on_body(struct fg_call *call, struct fg_slice bytes);
/* The body has ended. */
void fg_call_on_whole(struct fg_call *call);
/* Counts and answers; not where it is answered already. message: NULL for the reason's own. */
void fg_call_refuse(struct fg_call *call, enum fg_refusal_reason reason, const char *message);
/* What fg_body_reserve() returned. */
void fg_call_refuse_memory(struct fg_call *call, int error);
/* Until when more of a body must have come. */
uint64_t fg_net_body_due_ns(const struct fg_net_loop *loop, uint64_t since_ns,
                            uint64_t received_bytes);

/* -- response.c ---------------------------------------------------------------------------------
 */

static inline bool fg_call_is_answered(const struct fg_call *call)
{
    return call->answer.state != FG_ANSWER_NONE;
}

/* Pulls the next part into answer.body. FG_EAGAIN: state is waiting. Others: the answer is broken.
 */
FG_MUST_CHECK int fg_answer_pull_part(struct fg_call *call);
void fg_answer_clear(struct fg_call *call);
/* gRPC's own way to answer (grpc_answer.c) hands over its body. */
void fg_call_respond_grpc(struct fg_call *call, const struct fg_response *response,
                          bool has_trailers);
