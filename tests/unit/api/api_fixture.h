/* An api over a fake store, and requests to it. */
#pragma once

#include "fake_net.h"
#include "fake_store.h"

#include <jansson.h>

struct fixture {
    struct fg_api *api;
    struct fg_store *store;
    struct fake_request last; /* the request that was made last */
    bool has_last;
};

/* 2025-11-25T12:00:00Z: the wall clock of the fixture's environment. */
#define FIXTURE_NOW_NS (UINT64_C(1764072000) * UINT64_C(1000000000))

void fixture_begin(struct fixture *fixture);
void fixture_end(struct fixture *fixture);

/* Makes a request and runs it to its end. query may be NULL. Returns the status. */
unsigned fixture_get(struct fixture *fixture, const char *path, const char *query);
unsigned fixture_post(struct fixture *fixture, const char *path, const char *content_type,
                      struct fg_slice body, int face);

/* The last answer's body: as text, and as JSON, which the caller gives back with json_decref(). */
const char *fixture_text(struct fixture *fixture);
json_t *fixture_json(struct fixture *fixture);

/* A GET whose answer is golden, compared as JSON, so that the order of keys does not matter. golden
 * has ' for ". */
void fixture_answers(struct fixture *fixture, const char *path, const char *query, unsigned status,
                     const char *golden);

/* Sends spans as OTLP JSON; the test fails where they are not taken. */
void fixture_send(struct fixture *fixture, const char *json);
/* An order's trace over shop-api and mes-api, trace id 0af7651916cd43dd8448eb211c80319c; it starts
 * a minute before FIXTURE_NOW_NS. */
void fixture_send_order(struct fixture *fixture);
#define FIXTURE_TRACE "0af7651916cd43dd8448eb211c80319c"
