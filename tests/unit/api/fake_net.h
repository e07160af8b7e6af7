/* net/request.h without a network: requests that a test makes, whose answers it looks at. The
 * test's thread is the loop; wakes from other threads are waited for. */
#pragma once

#include "exchange.h"
#include "net/counters.h"
#include "net/request.h"
#include "os/thread.h"

#include <stdatomic.h>

#define FAKE_FIELDS_MAX 16

struct fake_request {
    struct fg_request request; /* first */
    struct fg_arena arena;
    struct fg_header_field fields[FAKE_FIELDS_MAX];

    struct fg_mutex mutex;
    struct fg_cond cond;
    unsigned wakes; /* not yet delivered */
    unsigned refs;  /* beyond the test's own */
    _Atomic bool cancelled;

    uint64_t body_size_max, inflated_size_max; /* as on_headers set them; 0 where it did not */

    /* The answer. */
    bool answered;
    unsigned status;
    int grpc_status;         /* -1: none */
    struct fg_buffer answer; /* the body; for gRPC the message, or the status's details */
    char content_type[80];
    char header[1024]; /* "name: value\n" of each field */
    char grpc_message[256];
    struct fg_generator *generator;
    int broken;           /* an error that pull returned */
    size_t pull_size_max; /* the largest part that was pulled */
};

/* A request of the given line; query may be NULL. Fields and body are the caller's to add. */
void fake_init(struct fake_request *fake, enum fg_method method, const char *path,
               const char *query, int face);
void fake_field(struct fake_request *fake, const char *name, const char *value);
void fake_body(struct fake_request *fake, const char *content_type, struct fg_slice body);
void fake_free(struct fake_request *fake);

/* Has the api answer it: headers, body, wakes and pulls until the answer is whole. */
void fake_run(struct fake_request *fake, struct fg_api *api);
/* Only as far as the answer has begun; the generator is left to the test. */
void fake_begin(struct fake_request *fake, struct fg_api *api);
/* One pull; waits for a wake where there is nothing. False at the end. */
bool fake_pull(struct fake_request *fake);
/* Waits for a wake and delivers it. */
void fake_wait(struct fake_request *fake);
/* Waits until nobody but the test holds the request. */
void fake_wait_refs(struct fake_request *fake);
/* The client goes. */
void fake_cancel(struct fake_request *fake);

/* What fg_server_counters() gives. */
extern struct fg_net_counters fake_counters;

/* The answer's body with a NUL behind it. */
const char *fake_text(struct fake_request *fake);
