/* Sends what processes left behind that are gone: the rings of a folder whose lock nobody holds. A
 * ring is removed once the server has all of it; until then it stays as it was, and is sent again
 * as a whole: the server knows a span that it has by its ids, so that none is there twice. */
#pragma once

#include "base/error.h"
#include "os/env.h"
#include "outlet.h"

#define FG_RING_SUFFIX ".ring"

struct fg_recovery {
    struct fg_env *env;
    /* Where requests go: over the wire, or, where it is not NULL, to send, which waits for the
     * answer as fg_outlet_send() does. */
    struct fg_outlet *outlet;
    void (*send)(void *arg, struct fg_slice request, struct fg_outlet_answer *ret_answer);
    const char *service;      /* NULL: of all services */
    const char *oom_root;     /* where control groups are; NULL: where this machine has them */
    bool (*alive)(void *arg); /* false gives up; may be NULL */
    /* A line about a ring, for people; may be NULL. */
    void (*say)(void *arg, const char *path, const char *text);
    void *arg;
    unsigned tries_max; /* of one request */
    /* What it came to. */
    uint64_t rings, ended_spans, interrupted_spans, redacted, invalid_texts;
    uint64_t rings_left; /* could not be sent */
    uint64_t rings_damaged, torn_spans;
    uint64_t refused_spans;
};

/* 0, also where rings were left for another time; FG_ENOTFOUND: there is no such folder; FG_ENOMEM,
 * FG_ECANCELLED. */
FG_MUST_CHECK int fg_recovery_run(struct fg_recovery *recovery, const char *folder);
