/* What spans say of those whom a service talks to: databases, queues, object stores and others that
 * send no spans of their own.
 *
 * The rollups know callers and callees by their services alone. The other end of a call that nobody
 * answers with a span is known by the caller's attributes (OpenTelemetry's semantic conventions for
 * databases, messaging, RPC and HTTP, the old names and the new), so spans have to be read: the
 * newest first, as many as the bounds allow. What is counted is counted over the part of the window
 * that was read whole, which the answer names. */
#pragma once

#include "base/arena.h"
#include "store/store.h"

enum fg_peer_kind {
    FG_PEER_DATABASE,
    FG_PEER_QUEUE,
    FG_PEER_OBJECT_STORE,
    FG_PEER_EXTERNAL, /* anything else: known by its address */
};

#define FG_PEER_WHERE_MAX 2u
#define FG_PEERS_MAX      512u
#define FG_PEER_NONE      UINT32_MAX

struct fg_peer {
    enum fg_peer_kind kind;
    struct fg_slice name;   /* never empty */
    struct fg_slice system; /* "postgresql", "rabbitmq"; may be empty */
    /* attributes that its callers' spans carry, to find them by */
    uint32_t where_count;
    struct fg_slice where_key[FG_PEER_WHERE_MAX], where_value[FG_PEER_WHERE_MAX];
    struct fg_slice address;     /* where the first call that was read went; may be empty */
    uint32_t port;               /* 0: not said */
    struct fg_slice answered_by; /* a service whose spans were seen under calls to this address */
};

/* A span that calls, of kind client or producer; or one that takes, of kind server or consumer. */
struct fg_peer_span {
    uint64_t key, parent_key, link_key; /* of trace and span id; 0: none */
    uint64_t start_ns, end_ns;          /* end 0: open */
    uint32_t service, name;             /* of names */
    uint32_t peer;                      /* of peers, or FG_PEER_NONE */
    uint32_t other;                     /* the span that it meets, of spans, or FG_PEER_NONE */
    uint32_t before; /* one that took the same message, of spans, or FG_PEER_NONE */
    bool is_call, is_error;
    bool is_publish, is_returned; /* of a call to a queue */
    bool says_again, is_again;    /* of one that takes: its message had been delivered before */
    bool is_repeat;               /* another form of a span that came before: counts once */
};

struct fg_peers {
    const struct fg_slice *names; /* of services and spans */
    struct fg_peer *peers;
    uint32_t peer_count;
    struct fg_peer_span *spans;
    uint32_t span_count;
    uint64_t since_ns;       /* spans from here to the window's end were read whole */
    bool is_partial;         /* that is not the whole window, or a page was damaged */
    uint64_t left_off_count; /* calls to peers past FG_PEERS_MAX */
};

struct fg_peers_wanted {
    uint32_t tenant;
    uint64_t start_ns, end_ns;
    uint64_t deadline_mono_ns;
    bool (*is_cancelled)(void *arg);
    void *arg;
};

/* Reads, and lets calls and those that take them meet: by parent, or by a link. All that is
 * returned lies in arena. May block. FG_ELIMIT (the arena is full), FG_ENOMEM, FG_EIO,
 * FG_ECORRUPT, FG_ECANCELLED. */
FG_MUST_CHECK int fg_peers_read(struct fg_store *store, const struct fg_peers_wanted *wanted,
                                struct fg_arena *arena, struct fg_peers *ret_peers);
