/* The ring: one file a process, in which spans live from their start until the server has them. It
 * is mapped, so that what was written survives the process whatever ends it. doc/format.md, "The
 * flight recorder", has the same in tables.
 *
 *     0      struct fg_ring_header
 *     4096   FG_RING_SCOPES_MAX × struct fg_ring_scope
 *     20480  settings: a protobuf message (FG_RING_SETTING_*)
 *     65536  slot_count × struct fg_slot
 *
 * A span takes a *head* slot, and further slots (*extents*) as it grows. What is told of it is a
 * stream of items, in the payload of the head and then of the extents in the order of `next`. An
 * item counts once head.committed includes it; the stream below that is never written again. So a
 * reader needs no lock, and a process may end between any two instructions: the last item is there
 * or it is not.
 *
 * States of a slot, in the low byte of `state`; the rest of it is the generation, which grows when
 * a slot is freed, so that old names of spans are known as such:
 *
 *     free ── fg_span_start ──> open ── fg_span_end ──> ended ── acknowledged ──> free
 *     free ── a span grows ──> extent ── its head is freed ──> free
 *
 * Only the owner of a span writes to it until it has ended, then the exporter alone. Numbers are
 * little-endian. A file is read by the machine that wrote it, but never trusted: every number is
 * checked. */
#pragma once

#include "base/slice.h"
#include "os/oom.h"

#include <assert.h>
#include <stdatomic.h>

#define FG_RING_MAGIC           "FGRING\r\n"
#define FG_RING_VERSION         1u
#define FG_RING_SCOPES_OFFSET   4096u
#define FG_RING_SETTINGS_OFFSET 20480u
#define FG_RING_SLOTS_OFFSET    65536u
#define FG_RING_SETTINGS_SIZE   (FG_RING_SLOTS_OFFSET - FG_RING_SETTINGS_OFFSET)
#define FG_RING_SCOPES_MAX      64u
#define FG_RING_SLOT_SIZE       512u
/* 512 MiB: what 24 bits of a span's name could count is more. */
#define FG_RING_SLOTS_MAX (1u << 20)
#define FG_RING_SIZE_MAX  (FG_RING_SLOTS_OFFSET + (size_t)FG_RING_SLOTS_MAX * FG_RING_SLOT_SIZE)
/* Bytes of one span's stream: 128 attributes of some 500 bytes. */
#define FG_STREAM_SIZE_MAX 65536u

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the ring is read where it was written");

enum fg_ring_state {
    FG_RING_EMPTY = 0, /* being made */
    FG_RING_LIVE = 1,
};

struct fg_ring_header {
    char magic[8];
    uint32_t version;
    uint32_t slot_size;
    uint32_t slot_count;
    uint32_t settings_size;
    uint64_t settings_hash; /* XXH3 of the settings */
    _Atomic uint32_t state; /* enum fg_ring_state; set last */
    uint32_t pid;
    uint64_t started_ns;
    char boot_id[40]; /* NUL-padded */
    uint8_t instance_id[16];
    _Atomic uint64_t alive_ns; /* the exporter's last sign of life */
    _Atomic uint32_t scope_count;
    /* A fault's signal, 0: none was seen. The rest is valid once it is set. */
    _Atomic uint32_t death_signal;
    uint64_t death_ns;
    uint64_t death_address;
    _Atomic uint64_t sequence; /* of exports */
    _Atomic uint64_t dropped_full;
    _Atomic uint64_t dropped_refused;
    uint64_t heartbeat_ns;     /* an idle process exports at least so often; 0: no promise */
    _Atomic uint64_t ended_ns; /* when the program stopped tracing in good order; 0: it did not */
    /* The control group's count of processes killed for want of memory, as last seen alive. */
    _Atomic uint64_t oom_kills;
    uint64_t oom_inode;
    char oom_path[FG_OOM_PATH_SIZE]; /* empty: none was found */
    uint8_t reserved[4096 - 704];
};
static_assert(sizeof(struct fg_ring_header) == FG_RING_SCOPES_OFFSET, "no padding");

#define FG_RING_SCOPE_NAME_MAX 190u
struct fg_ring_scope {
    uint8_t name_size;
    uint8_t version_size;
    char text[254]; /* the name, then the version */
};
static_assert(sizeof(struct fg_ring_scope) * FG_RING_SCOPES_MAX ==
                  FG_RING_SETTINGS_OFFSET - FG_RING_SCOPES_OFFSET,
              "the table fills its place");

/* Fields of the settings. */
enum {
    FG_RING_SETTING_SERVICE = 1,     /* string */
    FG_RING_SETTING_RESOURCE = 2,    /* repeated OTLP KeyValue */
    FG_RING_SETTING_DENIED_KEY = 3,  /* repeated string: patterns of redact/redact.h */
    FG_RING_SETTING_KINDS = 4,       /* varint: enum fg_redact_kind */
    FG_RING_SETTING_JOURNEY_KEY = 5, /* repeated string: values under it are never redacted */
};

enum fg_slot_phase { FG_SLOT_FREE = 0, FG_SLOT_OPEN = 1, FG_SLOT_ENDED = 2, FG_SLOT_EXTENT = 3 };
#define FG_SLOT_PHASE(state)             ((uint32_t)((state)&0xff))
#define FG_SLOT_GENERATION(state)        ((uint32_t)((state) >> 8))
#define FG_SLOT_STATE(generation, phase) ((uint64_t)(generation) << 8 | (uint64_t)(phase))

/* Slots are named by index + 1, so that 0 is none. */
struct fg_slot {
    _Atomic uint64_t state;
    uint32_t next;         /* the next extent, or the next free slot of a chain */
    _Atomic uint32_t link; /* free: the next chain */
    union {
        struct {
            uint8_t trace_id[16];
            uint8_t span_id[8];
            uint8_t parent_span_id[8];
            uint64_t start_ns;
            uint64_t end_ns;
            uint64_t start_mono_ns;
            _Atomic uint32_t committed; /* bytes of the stream */
            uint32_t flags;             /* OTLP's Span.flags */
            _Atomic uint32_t dropped_attributes;
            _Atomic uint32_t dropped_events;
            _Atomic uint32_t dropped_links;
            uint16_t scope;
            uint8_t kind;
            uint8_t status; /* as last set, for the rules of setting it again */
            /* The writer's own: the end of the stream, and how much is there. */
            uint32_t tail;      /* slot in which it ends */
            uint32_t tail_used; /* bytes of that slot's payload */
            uint16_t attribute_count;
            uint16_t event_count;
            uint16_t link_count;
            uint16_t reserved;
            uint8_t payload[FG_RING_SLOT_SIZE - 112];
        } head;
        struct {
            uint32_t owner; /* the head */
            uint32_t reserved;
            uint8_t payload[FG_RING_SLOT_SIZE - 24];
        } extent;
    };
};
static_assert(sizeof(struct fg_slot) == FG_RING_SLOT_SIZE, "slots lie close");
#define FG_HEAD_PAYLOAD_SIZE   sizeof(((struct fg_slot *)0)->head.payload)
#define FG_EXTENT_PAYLOAD_SIZE sizeof(((struct fg_slot *)0)->extent.payload)

/* An item of the stream: this, the key, the value. Unaligned. */
enum fg_item_kind {
    FG_ITEM_ATTRIBUTE = 1,       /* key; a value of `type` */
    FG_ITEM_EVENT = 2,           /* name; u64 time */
    FG_ITEM_EVENT_ATTRIBUTE = 3, /* of the event before it */
    FG_ITEM_LINK = 4,            /* no key; trace id, span id, u32 flags */
    FG_ITEM_LINK_ATTRIBUTE = 5,  /* of the link before it */
    FG_ITEM_NAME = 6,            /* no key; the span's name; the last one counts */
    FG_ITEM_STATUS = 7,          /* type: OTLP's status code; message; the last one counts */
    FG_ITEM_TRACE_STATE = 8,     /* no key; W3C tracestate */
};

struct fg_item_header {
    uint8_t kind;
    uint8_t type; /* enum fg_otlp_value_type. Scalars have 8 bytes, lists an AnyValue message */
    uint16_t key_size;
    uint32_t value_size;
};
static_assert(sizeof(struct fg_item_header) == 8, "no padding");

#define FG_LINK_VALUE_SIZE 28u

static inline struct fg_slot *fg_ring_slots(uint8_t *ring)
{
    return (struct fg_slot *)(void *)(ring + FG_RING_SLOTS_OFFSET);
}
