/* Incidents: journeys that stopped in one place for one cause are one thing that happened, with a
 * begin, an end, people who look after it, and a memory of whether it came back.
 *
 * A place here is a kind of component and a service: operations of one service that fail for one
 * cause at one time are one incident. What the journeys stand in is looked at again and again as a
 * whole, so that an incident never depends on having seen each change; what changed is durable in
 * the keyed state before anybody is told. doc/journeys.md has the rules.
 *
 * All calls may come from any thread. */
#pragma once

#include "base/arena.h"
#include "journey/stopped.h"

struct fg_gone;
struct fg_incidents;
struct fg_state;

/* Kept in all: past it those that were resolved longest ago are dropped. Open at one time: what is
 * over is counted. Orders listed of one, and things told of it; more orders are counted. */
#define FG_INCIDENTS_MAX          10000u
#define FG_INCIDENTS_OPEN_MAX     256u
#define FG_INCIDENT_ORDERS_MAX    2000u
#define FG_INCIDENT_EVENTS_MAX    64u
#define FG_INCIDENT_TEXT_SIZE_MAX 2000u /* bytes of a note */
#define FG_INCIDENT_BY_SIZE_MAX   200u  /* of who does something */

/* A journey makes an incident when it has stood so long, so that a verdict that is about to change
 * makes none; it counts at once where there is an incident. */
#define FG_INCIDENT_SETTLE_NS (2 * FG_NS_PER_SECOND)
/* It is resolved when none has stood in it for so long; the end is when the last one left. */
#define FG_INCIDENT_QUIET_NS (30 * FG_NS_PER_SECOND)
/* What comes again so long after its end is the same incident. */
#define FG_INCIDENT_AGAIN_NS FG_NS_PER_DAY

enum fg_incident_event_kind {
    FG_INCIDENT_OPENED,
    FG_INCIDENT_REOPENED,
    FG_INCIDENT_ACKNOWLEDGED,
    FG_INCIDENT_NOTED,
    FG_INCIDENT_RESOLVED, /* by "" : its journeys recovered */
    FG_INCIDENT_MERGED,   /* its journeys turned out to stand in another one */
    FG_INCIDENT_EVENT_KIND_COUNT,
};
/* "opened" */
const char *fg_incident_event_name(enum fg_incident_event_kind kind);

struct fg_incident_event {
    uint64_t at_ns;
    enum fg_incident_event_kind kind;
    struct fg_slice by, text; /* may be "" */
};

struct fg_incident {
    uint64_t id;           /* from 1 on, rising */
    struct fg_place place; /* its name is the first journey's */
    enum fg_cause cause;   /* NONE: imported, and none of the codes */
    struct fg_slice text;  /* the first journey's sentence; of an imported one its cause */
    struct fg_slice owner; /* who looks after the place; "" where nobody is named */
    uint64_t opened_ns;    /* when the first of its journeys stopped */
    uint64_t found_ns;     /* when it was opened here */
    uint64_t spell_ns;     /* the begin of the last time that it stood open */
    uint64_t resolved_ns;  /* 0: open */
    uint64_t open_ns;      /* how long it stood open in all; while it is open up to the last end */
    uint64_t acknowledged_ns; /* 0: not since it was opened last */
    struct fg_slice acknowledged_by, resolved_by;
    uint64_t order_count;    /* journeys that ever stood in it; of an imported one as told */
    uint64_t standing_count; /* now */
    uint32_t reopened_count;
    uint64_t merged_into; /* 0: not */
    bool is_imported;
    const struct fg_incident_event *events; /* the oldest first */
    uint32_t event_count;
};

/* What an alert is about. */
enum fg_incident_news { FG_INCIDENT_NEWS_OPEN, FG_INCIDENT_NEWS_END };

struct fg_incidents_options {
    struct fg_env *env;           /* borrowed, as all that follows */
    struct fg_journeys *journeys; /* closed after the incidents; NULL: tests, fg_incidents_feed() */
    uint32_t tenant;              /* the journeys' */
    struct fg_state *state;       /* NULL: in memory only */
    const struct fg_slice *owners; /* "database/mes-db=dba", "mes-api=mes team", "*=on call" */
    size_t owner_count;
    /* Told once for each opening, reopening and end, after it is durable; again after a crash that
     * came before its 0 was durable, or later where it returned an error. May block. NULL: nobody
     * is told. */
    int (*tell)(void *arg, const struct fg_incident *incident, enum fg_incident_news news);
    void *arg;
    bool manual; /* tests: no thread; the caller drives fg_incidents_step() */
};

/* FG_ENOMEM; FG_ECORRUPT, FG_EIO of the state. */
FG_MUST_CHECK int fg_incidents_open(const struct fg_incidents_options *options,
                                    struct fg_incidents **ret_incidents);
/* Ends the thread; questions are answered still. NULL is accepted. */
void fg_incidents_stop(struct fg_incidents *incidents);
void fg_incidents_close(struct fg_incidents *incidents);

/* Whether an owner rule is one: [KIND/]SERVICE=OWNER, SERVICE may be *. */
bool fg_owner_rule_is_valid(struct fg_slice rule);

/* -- Reading: what is given out lies in arena. FG_ELIMIT: more than fits it. */

struct fg_incident_filter {
    bool only_open, only_ended;
    uint64_t from_ns, to_ns; /* open at some moment in [from, to); to 0: no bound */
    struct fg_slice service; /* "": all */
};

/* Open ones first, of each the last that opened; at most limit. *ret_count: how many pass in all,
 * *ret_open_count: how many are open, whatever the filter. Events are not among it. */
FG_MUST_CHECK int fg_incidents_list(struct fg_incidents *incidents,
                                    const struct fg_incident_filter *filter, uint32_t limit,
                                    struct fg_arena *arena, const struct fg_incident **ret_list,
                                    uint32_t *ret_listed, uint64_t *ret_count,
                                    uint64_t *ret_open_count);

/* An order that stood in an incident. */
struct fg_incident_order {
    struct fg_slice key, value;
    uint64_t since_ns;
    bool stands; /* still */
};

/* One, with its events and its orders in the order in which they stopped. FG_ENOTFOUND. */
FG_MUST_CHECK int fg_incidents_get(struct fg_incidents *incidents, uint64_t id,
                                   struct fg_arena *arena, struct fg_incident *ret_incident,
                                   const struct fg_incident_order **ret_orders,
                                   uint32_t *ret_order_count);

/* The open incident in which a journey stands; 0: none. */
uint64_t fg_incidents_of(struct fg_incidents *incidents, struct fg_slice key,
                         struct fg_slice value);

/* -- What people do: durable when it returns 0. by and text are copied. FG_ENOTFOUND; FG_EEXIST: it
 * has ended; FG_EINVALID: a text is too long or no UTF-8, or by is missing; others of the state. */
FG_MUST_CHECK int fg_incidents_acknowledge(struct fg_incidents *incidents, uint64_t id,
                                           struct fg_slice by);
FG_MUST_CHECK int fg_incidents_resolve(struct fg_incidents *incidents, uint64_t id,
                                       struct fg_slice by, struct fg_slice text);
/* Also of one that has ended. */
FG_MUST_CHECK int fg_incidents_note(struct fg_incidents *incidents, uint64_t id, struct fg_slice by,
                                    struct fg_slice text);

/* Takes the incidents of a CSV text (doc/journeys.md) that were before Filigree: all of them, or
 * none. One that is there already is not taken twice. FG_EINVALID: errors has a line for each that
 * is wrong; FG_ELIMIT: more than there is room for; others of the state. *ret_taken: how many are
 * new; *ret_known: how many were there. */
FG_MUST_CHECK int fg_incidents_import(struct fg_incidents *incidents, struct fg_slice csv,
                                      struct fg_buffer *errors, uint32_t *ret_taken,
                                      uint32_t *ret_known);

/* Strikes out whom an erase left nothing of: from the lists of orders, and from the texts where
 * their values stand as words. Counts stay. Durable when it returns 0; errors of the state. */
FG_MUST_CHECK int fg_incidents_erased(struct fg_incidents *incidents, const struct fg_gone *gone);

/* Calls fn once more whenever something changed: a number that rises. Any thread may ask. */
uint64_t fg_incidents_version(struct fg_incidents *incidents);

struct fg_incidents_counters {
    uint64_t open, acknowledged;                 /* now */
    uint64_t count;                              /* kept */
    uint64_t opened, reopened, resolved, merged; /* since the start */
    uint64_t refused;       /* looks at journeys that stood where no more incidents are opened */
    uint64_t failed_writes; /* changes that were not durable at the first try */
    uint64_t failed_tells;
};
void fg_incidents_counters(struct fg_incidents *incidents,
                           struct fg_incidents_counters *ret_counters);

/* Manual ones only: looks at the journeys (or at what is given, where there are none), writes, and
 * tells. */
FG_MUST_CHECK int fg_incidents_step(struct fg_incidents *incidents,
                                    const struct fg_journey_stopped *stopped, size_t count);
