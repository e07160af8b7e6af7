/* What monitors tell of the components beside the traces: which of them was found wrong when, as
 * their spans say it (doc/monitors.md), and which components a service's own spans name. A verdict
 * takes its reasons from here where no span of the journey can know them: why a query waits, that a
 * replica is gone, that a queue has no consumer.
 *
 * A component that nobody looks at is not healthy: a finding ends when a later check does not
 * repeat it, and where checks end, nothing is known from there on.
 *
 * Fed from every batch; bounded. Thread-safe: calls copy. */
#pragma once

#include "base/error.h"
#include "journey/verdict.h"
#include "span/batch.h"

struct fg_watch;

/* The service name of monitors' spans: they belong to no journey and teach nothing. */
#define FG_MONITOR_SERVICE "filigree-monitor"

#define FG_WATCH_COMPONENTS_MAX 1024u /* monitored ones */
#define FG_WATCH_SIGNS_KEPT     16u   /* of each, the newest */
#define FG_WATCH_SIGNS_MAX      16u   /* of one answer */
#define FG_WATCH_USES_MAX       16u   /* components of one service */
#define FG_WATCH_SERVICES_MAX   1024u
#define FG_WATCH_NAME_SIZE_MAX  96u
#define FG_WATCH_TEXT_SIZE_MAX  240u

/* For how long a check counts where its span does not say it: monitors store one a minute at least.
 */
#define FG_WATCH_GAP_NS UINT64_C(150000000000)

struct fg_watch_text {
    uint16_t size;
    char bytes[FG_WATCH_NAME_SIZE_MAX];
};

/* A component: what kind, and how spans name it. Fields that are not known are empty. */
struct fg_watch_where {
    enum fg_place_kind kind; /* DATABASE, OBJECT_STORE, BROKER, PROCESS, APPLICATION; NONE: any */
    struct fg_slice address;
    uint32_t port;
    struct fg_slice name; /* queue, bucket, database or process; "" */
};

/* Something that was wrong with a component for a while. */
struct fg_watch_sign {
    enum fg_cause cause;
    enum fg_place_kind kind;
    bool is_standing;  /* marks the place; alone it breaks nothing */
    bool is_down;      /* the component did not serve */
    bool is_unsure;    /* the check got no answer: it may be the network's fault */
    uint64_t print;    /* tells apart findings of one code */
    uint64_t from_ns;  /* when it was first seen */
    uint64_t last_ns;  /* and last */
    uint64_t holds_ns; /* from then on it counts for so long, unless a check says otherwise */
    uint64_t until_ns; /* when a check no longer found it; 0: it stands, or nobody looked since */
    uint64_t trace_id_high, trace_id_low, span_id; /* of the check that saw it last */
    struct fg_watch_text monitor, address, name;
    uint32_t port;
    uint16_t text_size;
    char text[FG_WATCH_TEXT_SIZE_MAX];
};

enum fg_watch_state {
    FG_WATCH_NONE, /* no monitor looks at it */
    FG_WATCH_GAP,  /* one does, but did not at this time: nothing is known */
    FG_WATCH_OK,
    FG_WATCH_BAD,
};

FG_MUST_CHECK int fg_watch_new(struct fg_watch **ret_watch);
void fg_watch_free(struct fg_watch *watch);

/* Takes the monitors' spans among rows [row_begin, row_end) whose bit is set (bits NULL: all). */
void fg_watch_add(struct fg_watch *watch, const struct fg_batch *batch, uint32_t row_begin,
                  uint32_t row_end, const uint64_t *bits);

/* A service's span names this component; one that answers it as `answers` ("" unknown). */
void fg_watch_use(struct fg_watch *watch, struct fg_slice service,
                  const struct fg_watch_where *where, struct fg_slice answers);
/* The service that answered at this address when it was last called; size 0: not known. */
struct fg_watch_text fg_watch_answers(struct fg_watch *watch, const struct fg_watch_where *where);

/* The queue that a service consumes; size 0: not known. */
struct fg_watch_text fg_watch_queue(struct fg_watch *watch, struct fg_slice service);

/* Signs of a component that touch [from_ns, to_ns], the newest first; at most FG_WATCH_SIGNS_MAX.
 */
uint32_t fg_watch_signs(struct fg_watch *watch, const struct fg_watch_where *where,
                        uint64_t from_ns, uint64_t to_ns, struct fg_watch_sign *ret_signs);
/* The same of all components that a service is known to use, and of its own process. */
uint32_t fg_watch_service_signs(struct fg_watch *watch, struct fg_slice service, uint64_t from_ns,
                                uint64_t to_ns, struct fg_watch_sign *ret_signs);
/* How a component was at a moment. */
enum fg_watch_state fg_watch_state(struct fg_watch *watch, const struct fg_watch_where *where,
                                   uint64_t at_ns);

static inline struct fg_slice fg_watch_slice(const struct fg_watch_text *text)
{
    return (struct fg_slice){(const uint8_t *)text->bytes, text->size};
}
