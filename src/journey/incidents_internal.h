/* What the parts of the incidents share: the records, who stands in them, and who guards what. */
#pragma once

#include "base/buffer.h"
#include "base/idmap.h"
#include "base/limits.h"
#include "journey/gone.h"
#include "journey/incidents.h"
#include "os/thread.h"

struct fg_incident_record {
    struct fg_incident is; /* its slices are mallocs of their own; see fg_incident_set() */
    struct fg_incident_event *events;
    uint32_t event_capacity;
    uint64_t group;           /* hash of what its journeys have alike */
    uint64_t latest_since_ns; /* of the journeys that were counted */
    uint8_t news;             /* bits, 1 << enum fg_incident_news: to be told still */

    /* Not durable. */
    struct fg_idmap listed;             /* hashes of the orders that are listed */
    uint32_t listed_count, next_number; /* of the next order that is listed */
    uint64_t left_ns;                   /* when the last one left; 0: some stand, or it has ended */
    uint64_t recovered, moved, moved_group;
    bool is_loaded; /* from the state: who stood in it is known by the list alone */
    bool is_dirty;
};

/* A journey that stands. */
struct fg_incident_member {
    uint64_t hash, group;
    uint64_t first_ns; /* when it was first seen to stand here */
    uint64_t incident; /* 0: in none, or not yet */
    bool is_kept;      /* found again by the look that is under way */
};

struct fg_incident_members {
    struct fg_incident_member *items;
    uint32_t count, capacity;
    struct fg_idmap by_hash;
};

struct fg_incidents {
    struct fg_incidents_options options;
    uint32_t table, order_table; /* of the state */

    /* Held over a change and its commit, so that commits have the order of the changes. */
    struct fg_mutex write_mutex;
    struct fg_buffer new_orders; /* to be written: see incident_keep.c */

    struct fg_mutex mutex;               /* guards what follows */
    struct fg_incident_record **records; /* by id, rising */
    uint32_t count, capacity;
    uint64_t next_id, version;
    struct fg_incident_members members, next_members;
    struct fg_idmap groups; /* of a look: group → index of its latest incident */
    struct fg_incidents_counters counters;

    /* The thread's own. */
    uint64_t now_ns; /* of the look that is under way */
    uint32_t open_count;

    struct fg_thread thread;
    struct fg_cond cond;
    bool is_stopping;
};

/* -- incident_record.c */

/* A new one at the end of the records. FG_ENOMEM, FG_ELIMIT (none has ended that could go). */
FG_MUST_CHECK int fg_incident_add(struct fg_incidents *incidents, uint64_t id,
                                  struct fg_incident_record **ret_record);
void fg_incident_free(struct fg_incident_record *record);
/* NULL: none. */
struct fg_incident_record *fg_incident_find(const struct fg_incidents *incidents, uint64_t id);
/* Puts a copy of text, cut at FG_INCIDENT_TEXT_SIZE_MAX, in the place of what stands there.
 * FG_ENOMEM. */
FG_MUST_CHECK int fg_incident_set(struct fg_slice *slot, struct fg_slice text);
/* Past FG_INCIDENT_EVENTS_MAX the second goes: the first says how it began. FG_ENOMEM. */
FG_MUST_CHECK int fg_incident_tell(struct fg_incident_record *record, uint64_t at_ns,
                                   enum fg_incident_event_kind kind, struct fg_slice by,
                                   struct fg_slice text);
uint64_t fg_incident_group(const struct fg_place *place, enum fg_cause cause);
uint64_t fg_incident_order_hash(struct fg_slice key, struct fg_slice value);
/* All of it but its events, in arena. FG_ELIMIT. */
FG_MUST_CHECK int fg_incident_copy(const struct fg_incident_record *record,
                                   const struct fg_incidents *incidents, struct fg_arena *arena,
                                   struct fg_incident *ret_incident);

/* As bytes; the format stands in incident_codec.c. */
void fg_incident_encode(const struct fg_incident_record *record, struct fg_buffer *buffer);
/* Into a record that is new. FG_ECORRUPT, FG_EUNSUPPORTED, FG_ENOMEM. */
FG_MUST_CHECK int fg_incident_decode(struct fg_slice bytes, struct fg_incident_record *record);

/* -- incident_keep.c: what is durable */

/* A row of the table of orders. */
struct fg_incident_row {
    uint64_t incident;
    uint32_t number;
    uint64_t since_ns;
    struct fg_slice key, value;
};
#define FG_INCIDENT_ORDER_KEY_SIZE 12u
/* False: it is none. */
bool fg_incident_row_read(struct fg_slice key, struct fg_slice value,
                          struct fg_incident_row *ret_row);

/* Reads all. */
FG_MUST_CHECK int fg_incidents_load(struct fg_incidents *incidents);
/* An order's place in the list; mutex held. What finds no room is counted and not listed. */
void fg_incident_list_order(struct fg_incidents *incidents, struct fg_incident_record *record,
                            const struct fg_journey_stopped *stopped, uint64_t hash);
/* What is listed is what the state has. write_mutex held, mutex not. */
FG_MUST_CHECK int fg_incidents_relist(struct fg_incidents *incidents);
/* Commits what is dirty; write_mutex held, mutex not. */
FG_MUST_CHECK int fg_incidents_write(struct fg_incidents *incidents);
/* Orders of an incident as listed, in arena. */
FG_MUST_CHECK int fg_incidents_orders(struct fg_incidents *incidents, uint64_t id,
                                      struct fg_arena *arena, struct fg_incident_order **ret_orders,
                                      uint32_t *ret_count);

/* -- incident_fold.c: one look. write_mutex held, mutex not. */
FG_MUST_CHECK int fg_incidents_look(struct fg_incidents *incidents,
                                    const struct fg_journey_stopped *stopped, size_t count);

/* -- incident_owner.c: "" where nobody is named. */
struct fg_slice fg_incident_owner(const struct fg_incidents *incidents,
                                  const struct fg_place *place);
