/* libfiligree: tracing for C and C++ programs, by OpenTelemetry's model and protocol (OTLP).
 *
 *     fg_tracing_start(NULL);                          settings come from OTEL_* variables
 *     fg_span span = fg_span_start("price.calculate", NULL);
 *     fg_scope scope = fg_span_enter(span);            spans started below are its children
 *     fg_span_set_string(span, "order.id", "4711");
 *     ...
 *     fg_scope_leave(&scope);
 *     fg_span_end(span);
 *
 * What every call keeps to: it does not block, abort, or fail the program; what does not fit is
 * dropped and counted (fg_tracing_stats). NULL, a zeroed struct, an ended span and a call before
 * fg_tracing_start() are allowed everywhere and do nothing. All calls are thread-safe; one span is
 * used by one thread at a time, and may be handed from thread to thread. Texts are UTF-8 ending in
 * NUL, and are copied. Times are nanoseconds since 1970 UTC.
 *
 * Calls that return int return 0, or a negative number that fg_tracing_error() puts into words. */
#ifndef FILIGREE_H
#define FILIGREE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FG_API __attribute__((visibility("default")))
#else
#define FG_API
#endif

/* -- Start and stop -------------------------------------------------------------------------- */

typedef enum fg_recorder_mode {
    FG_RECORDER_DEFAULT = 0, /* FILIGREE_RECORDER, or on */
    FG_RECORDER_ON = 1,
    FG_RECORDER_OFF = 2,
} fg_recorder_mode;

/* Begin with FG_OPTIONS_INIT. A member left 0 is taken from its environment variable, then from
 * its default; doc/sdk.md has the table. */
typedef struct fg_options {
    size_t size; /* sizeof(fg_options): how a program built against an older header is known */
    const char *service_name;
    const char *resource_attributes; /* "key=value,key=value" */
    const char *endpoint;            /* "http://host:4318"; /v1/traces is added */
    const char *headers;             /* "key=value,key=value" */
    const char *protocol;            /* "http/protobuf" or "grpc" */
    const char *compression;         /* "none" or "gzip" */
    const char *certificate;         /* file of the authorities that the server's is checked by */
    const char *client_certificate;
    const char *client_key;
    const char *sampler;      /* as OTEL_TRACES_SAMPLER: "parentbased_traceidratio" */
    const char *sampler_arg;  /* "0.1" */
    unsigned timeout_ms;      /* of one export */
    unsigned exit_timeout_ms; /* what the program's end may wait for the last export */
    unsigned queue_size;      /* spans that are open, or wait to be sent */
    unsigned batch_size;      /* spans of one export */
    unsigned delay_ms;        /* an ended span waits no longer for others */
    fg_recorder_mode recorder;
    const char *recorder_dir;
    unsigned announce_after_ms; /* a span open for so long is sent while it runs */
    const char *redact_keys;    /* "key,begin.*": attributes that are never sent; "" for none */
    const char *redact_values;  /* of "card,email,token,sql", those to be found; "" for none */
    const char *journey_keys;   /* "order.id,claim.id": baggage that stands on every span */
    /* Each kind of trouble is said once, from any thread. */
    void (*diagnostic)(void *arg, const char *text);
    void *diagnostic_arg;
} fg_options;

#define FG_OPTIONS_INIT                                                                            \
    {                                                                                              \
        sizeof(fg_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, FG_RECORDER_DEFAULT,   \
            0, 0, 0, 0, 0, 0, 0                                                                    \
    }

/* NULL: all from the environment. A wrong option is refused and nothing is traced; a wrong
 * environment variable is said and its default taken. Started already: nothing happens. */
FG_API int fg_tracing_start(const fg_options *options);

/* Waits until what has ended so far is acknowledged, or the time is over. */
FG_API int fg_tracing_flush(unsigned timeout_ms);

/* Sends what is there, open spans as interrupted, and stops. Runs by itself at exit(). What could
 * not be sent stays in the recorder for the next start. fg_tracing_start() may follow. */
FG_API void fg_tracing_stop(unsigned timeout_ms);

FG_API const char *fg_tracing_error(int error);

typedef struct fg_stats {
    size_t size;                    /* sizeof(fg_stats), set by the caller */
    uint64_t exported_spans;        /* acknowledged by the server */
    uint64_t announced_spans;       /* sent while they were open */
    uint64_t recovered_spans;       /* of processes that died, sent by this one */
    uint64_t dropped_full_spans;    /* no room: too many open or waiting */
    uint64_t dropped_refused_spans; /* the server would not have them */
    uint64_t dropped_items;         /* attributes, events, links over a limit or without room */
    uint64_t truncated_values;
    uint64_t redacted_values;
    uint64_t invalid_texts;      /* bytes that are no UTF-8 were replaced */
    uint64_t misuses;            /* a span used after its end, a scope left in the wrong order */
    uint64_t exports;            /* requests acknowledged */
    uint64_t failed_exports;     /* requests that were refused or got no answer */
    uint64_t malformed_contexts; /* extracted headers that were wrong */
} fg_stats;

/* What has happened since the process began. */
FG_API void fg_tracing_stats(fg_stats *stats);

/* -- Attributes ------------------------------------------------------------------------------ */

typedef enum fg_attr_type {
    FG_ATTR_NONE = 0,
    FG_ATTR_STRING = 1,
    FG_ATTR_BOOL = 2,
    FG_ATTR_INT = 3,
    FG_ATTR_DOUBLE = 4,
    FG_ATTR_STRINGS = 5, /* arrays of count elements */
    FG_ATTR_BOOLS = 6,
    FG_ATTR_INTS = 7,
    FG_ATTR_DOUBLES = 8,
} fg_attr_type;

typedef struct fg_attr {
    const char *key;
    fg_attr_type type;
    size_t count; /* of an array; of FG_ATTR_STRING its bytes */
    union {
        const char *string;
        int boolean;
        int64_t integer;
        double number;
        const char *const *strings;
        const unsigned char *booleans; /* one byte each */
        const int64_t *integers;
        const double *numbers;
    } value;
} fg_attr;

FG_API fg_attr fg_attr_string(const char *key, const char *value);
FG_API fg_attr fg_attr_string_n(const char *key, const char *value, size_t size);
FG_API fg_attr fg_attr_bool(const char *key, int value);
FG_API fg_attr fg_attr_int(const char *key, int64_t value);
FG_API fg_attr fg_attr_double(const char *key, double value);
FG_API fg_attr fg_attr_strings(const char *key, const char *const *values, size_t count);
FG_API fg_attr fg_attr_bools(const char *key, const unsigned char *values, size_t count);
FG_API fg_attr fg_attr_ints(const char *key, const int64_t *values, size_t count);
FG_API fg_attr fg_attr_doubles(const char *key, const double *values, size_t count);

/* -- Spans ----------------------------------------------------------------------------------- */

/* A span's name for itself: copied freely, never freed. All zero is no span. */
typedef struct fg_span {
    unsigned char trace_id[16];
    unsigned char span_id[8];
    uint64_t opaque;
} fg_span;

typedef struct fg_context fg_context;
/* The library that makes spans (OpenTelemetry's instrumentation scope); lives for ever. */
typedef struct fg_tracer fg_tracer;

/* OpenTelemetry's numbers. */
typedef enum fg_span_kind {
    FG_SPAN_UNSPECIFIED = 0, /* taken as internal */
    FG_SPAN_INTERNAL = 1,
    FG_SPAN_SERVER = 2,
    FG_SPAN_CLIENT = 3,
    FG_SPAN_PRODUCER = 4,
    FG_SPAN_CONSUMER = 5,
} fg_span_kind;

typedef enum fg_status {
    FG_STATUS_IS_UNSET = 0,
    FG_STATUS_IS_OK = 1,
    FG_STATUS_IS_ERROR = 2
} fg_status;

typedef struct fg_link {
    fg_span span;
    const fg_attr *attrs;
    size_t attr_count;
} fg_link;

typedef struct fg_span_options {
    size_t size; /* sizeof(fg_span_options) */
    fg_span_kind kind;
    int is_root;              /* a trace of its own, whatever the context */
    const fg_context *parent; /* NULL: the thread's current context */
    const fg_tracer *tracer;  /* NULL: the program itself */
    uint64_t start_ns;        /* 0: now */
    const fg_attr *attrs;
    size_t attr_count;
    const fg_link *links;
    size_t link_count;
} fg_span_options;

#define FG_SPAN_OPTIONS_INIT                                                                       \
    {                                                                                              \
        sizeof(fg_span_options), FG_SPAN_UNSPECIFIED, 0, 0, 0, 0, 0, 0, 0, 0                       \
    }

/* NULL where there are too many. version may be NULL. */
FG_API const fg_tracer *fg_tracer_get(const char *name, const char *version);

FG_API fg_span fg_span_start(const char *name, const fg_span_options *options);
FG_API void fg_span_end(fg_span span);
FG_API void fg_span_end_at(fg_span span, uint64_t end_ns);

/* Of one key the last value counts. */
FG_API void fg_span_set(fg_span span, fg_attr attr);
FG_API void fg_span_set_string(fg_span span, const char *key, const char *value);
FG_API void fg_span_set_string_n(fg_span span, const char *key, const char *value, size_t size);
FG_API void fg_span_set_bool(fg_span span, const char *key, int value);
FG_API void fg_span_set_int(fg_span span, const char *key, int64_t value);
FG_API void fg_span_set_double(fg_span span, const char *key, double value);
FG_API void fg_span_set_name(fg_span span, const char *name);
/* Ok is final; an error is not taken back by unset. message may be NULL. */
FG_API void fg_span_set_status(fg_span span, fg_status status, const char *message);
FG_API void fg_span_add_event(fg_span span, const char *name, const fg_attr *attrs, size_t count);
FG_API void fg_span_add_event_at(fg_span span, const char *name, uint64_t time_ns,
                                 const fg_attr *attrs, size_t count);
FG_API void fg_span_add_link(fg_span span, fg_span other, const fg_attr *attrs, size_t count);
/* An event `exception` with type and message, and the status error. */
FG_API void fg_span_record_error(fg_span span, const char *type, const char *message);

/* Whether what is set on it is kept; guards work that is done for the trace alone. */
FG_API int fg_span_is_recording(fg_span span);
FG_API int fg_span_is_valid(fg_span span);
FG_API int fg_span_is_sampled(fg_span span);

/* -- The current context of a thread, and explicit ones -----------------------------------------
 */

/* Where fg_scope_leave() goes back to. On the stack of the function that entered. */
typedef struct fg_scope {
    uint64_t opaque[8];
} fg_scope;

FG_API fg_scope fg_span_enter(fg_span span);
FG_API fg_scope fg_context_enter(const fg_context *context);
/* On the thread that entered, in reverse order. Twice does nothing. */
FG_API void fg_scope_leave(fg_scope *scope);
FG_API fg_span fg_span_current(void);

/* A context is a span, W3C trace state and baggage; it never changes, may be kept for as long as
 * one likes, and be entered on any thread. Those returned are the caller's, who frees them; NULL
 * where memory is short. As an argument NULL stands for the thread's current context. */
FG_API fg_context *fg_context_current(void);
FG_API fg_context *fg_context_root(void);
FG_API fg_context *fg_context_ref(const fg_context *context);
FG_API void fg_context_free(fg_context *context);
FG_API fg_context *fg_context_with_span(const fg_context *context, fg_span span);
/* A value of NULL removes the key. */
FG_API fg_context *fg_context_with_baggage(const fg_context *context, const char *key,
                                           const char *value);
FG_API fg_context *fg_context_with_journey(const fg_context *context, const char *key,
                                           const char *value);
FG_API fg_span fg_context_span(const fg_context *context);
/* Writes at most size bytes, NUL included; returns the whole value's bytes, 0 where there is none.
 */
FG_API size_t fg_context_baggage(const fg_context *context, const char *key, char *text,
                                 size_t size);

/* The same on the thread's current context, until the scope around it is left. A journey key goes
 * on the current span, on every span started under it, and by baggage to every later service. */
FG_API void fg_baggage_set(const char *key, const char *value);
FG_API void fg_journey_set(const char *key, const char *value);

/* -- Over the wire: headers traceparent, tracestate, baggage --------------------------------------
 */

/* The value of a header by its lower-case name, valid until the next call; NULL: not there. */
typedef const char *(*fg_get_fn)(void *carrier, const char *name);
/* Non-zero ends the injection and is its result. */
typedef int (*fg_set_fn)(void *carrier, const char *name, const char *value);

/* Never NULL for want of headers: a context without a span then. */
FG_API fg_context *fg_context_extract(fg_get_fn get, void *carrier);
FG_API int fg_context_inject(const fg_context *context, fg_set_fn set, void *carrier);

/* A span's traceparent header; the empty text for no span. */
#define FG_TRACEPARENT_SIZE 56
FG_API void fg_span_traceparent(fg_span span, char text[FG_TRACEPARENT_SIZE]);

/* -- A span that is not recorded costs no call ---------------------------------------------------
 *
 * The calls above stand in the library all the same. In opaque, bits 10 to 31 are 0 for a span that
 * this process does not record. FG_NO_INLINE, defined before the include, leaves this out. */
#if defined(__GNUC__) && !defined(FG_NO_INLINE)
#define FG_GUARDED(name, parameters, arguments)                                                    \
    extern void name##_call parameters __asm__(#name);                                             \
    extern __inline__ __attribute__((__gnu_inline__, __always_inline__)) void name parameters      \
    {                                                                                              \
        if (span.opaque & 0xfffffc00u)                                                             \
            name##_call arguments;                                                                 \
    }
FG_GUARDED(fg_span_end, (fg_span span), (span))
FG_GUARDED(fg_span_set_string, (fg_span span, const char *key, const char *value),
           (span, key, value))
FG_GUARDED(fg_span_set_string_n, (fg_span span, const char *key, const char *value, size_t size),
           (span, key, value, size))
FG_GUARDED(fg_span_set_bool, (fg_span span, const char *key, int value), (span, key, value))
FG_GUARDED(fg_span_set_int, (fg_span span, const char *key, int64_t value), (span, key, value))
FG_GUARDED(fg_span_set_double, (fg_span span, const char *key, double value), (span, key, value))
#undef FG_GUARDED
#endif

#ifdef __cplusplus
}
#endif
#endif
