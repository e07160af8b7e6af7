/* One HTTP exchange that is back by its deadline, takes no more memory than it was given, and says
 * what came of it so that a check can tell "down" from "could not see". libcurl does the work. */
#pragma once

#include "base/buffer.h"
#include "monitor/check.h"

enum fg_web_outcome {
    FG_WEB_ANSWERED, /* status and body are there */
    FG_WEB_REFUSED,  /* nobody listens: the one failure that proves that it is down */
    FG_WEB_NAME,     /* the host name could not be looked up */
    FG_WEB_TIMEOUT,  /* time is up; whether at the server or on the way nobody knows */
    FG_WEB_TLS,      /* no TLS session, or a certificate that is not good */
    FG_WEB_BROKEN,   /* connected, then cut off or answered by what is no HTTP */
    FG_WEB_FAILED,   /* the request could not even be made: no memory, a bad URL */
};

struct fg_web_call {
    /* In. Texts are borrowed; user and password never appear in why. */
    struct fg_env *env;
    struct fg_check_report *report; /* whose run it is: who cancels that ends the call, too */
    const char *method;             /* "GET" */
    const char *url;
    const char *user, *password; /* both or neither; HTTP Basic, or the keys of sigv4 */
    const char *sigv4;           /* "aws:amz:us-east-1:s3", or NULL */
    const char *ca_file;         /* NULL: the system's */
    const char *const *headers;  /* "name: value", NULL-ended; or NULL */
    struct fg_slice upload;      /* the request's body */
    bool is_owed;                /* who cancels the run waits a second or two for this call */
    bool only_connect;           /* the port is all that is asked for: nothing is sent */
    uint64_t deadline_mono_ns;
    /* Header of the answer, one call a line without its end; may be NULL. */
    void (*on_header)(void *arg, struct fg_slice line);
    void *on_header_arg;
    struct fg_buffer *body; /* takes the answer up to its size_max; the rest is not read */

    /* Out. */
    enum fg_web_outcome outcome;
    long status;                /* of HTTP, 0 where none came */
    bool is_cut;                /* the body was larger than the buffer may be */
    uint64_t received_bytes;    /* of the body, also on a timeout */
    uint64_t total_ns, wait_ns; /* from connected to the end; from connected to the first byte */
    const char *code;           /* static: of a finding, where it is not answered */
    char why[160];              /* a phrase: "the connection was refused" */
};

/* Thread-safe. */
void fg_web_call(struct fg_web_call *call);

/* What a call that was not answered means: refused is down, all else is unknown. what: "its API".
 */
void fg_web_report_failure(const struct fg_web_call *call, const char *what);

/* The host (without an IPv6 address's brackets) and port of an http or https URL, which must hold
 * no user, no password, no query and no fragment. *ret_why is a static text where false. */
bool fg_web_url_split(const char *url, char ret_host[256], uint16_t *ret_port,
                      const char **ret_why);

/* Appends text as it may stand in a part of a URL's path or query. */
void fg_web_url_append(struct fg_buffer *url, const char *text);
