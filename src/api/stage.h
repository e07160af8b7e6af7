/* How far watching has come: which places of the map send spans themselves, which are only watched
 * by monitors, which are known from their callers alone, and what is worth doing next. */
#pragma once

#include "monitor/monitors.h"
#include "service_map.h"

enum fg_stage_status {
    FG_STAGE_INSTRUMENTED, /* sends spans */
    FG_STAGE_WATCHED,      /* sends none; a monitor looks at it */
    FG_STAGE_UNKNOWN,      /* known from its callers alone */
};

enum fg_stage_action {
    FG_STAGE_NOTHING,
    FG_STAGE_INSTRUMENT, /* a program of one's own, by its looks */
    FG_STAGE_WATCH,      /* a database, a broker, an object store, or somebody else's address */
};

#define FG_STAGE_MONITORS_MAX 8u

struct fg_stage_place {
    struct fg_slice name;
    const struct fg_peer *peer; /* NULL: a service, or one that only a monitor knows */
    const char *kind;           /* "service", "database", …: as on the map */
    enum fg_stage_status status;
    enum fg_stage_action action;
    uint64_t calls, errors; /* that ended there, over what was read */
    struct fg_slice monitors[FG_STAGE_MONITORS_MAX];
    uint32_t monitor_count; /* may be more than are in monitors */
    bool is_unwell;         /* one of them says down or degraded */
    struct fg_slice caller; /* who calls it most; empty: nobody was seen */
};

struct fg_stage {
    struct fg_stage_place *places; /* what to do next first, then by name */
    uint32_t count, next_count;    /* next_count: the first of them have an action */
    uint32_t by_status[3];
    uint64_t since_ns;
    bool is_partial;
};

/* Reads the map and lays monitors over it. All lies in arena. May block; errors as of
 * fg_map_read().
 */
FG_MUST_CHECK int fg_stage_read(struct fg_store *store, struct fg_monitors *monitors,
                                const struct fg_peers_wanted *wanted, struct fg_arena *arena,
                                struct fg_stage *ret_stage);

/* Whether the monitor looks at a place of the map: by the name that it was given, or by what its
 * last look said that it looks at. peer: NULL for a service. */
bool fg_stage_is_of(const struct fg_monitor_view *view, const struct fg_peer *peer,
                    struct fg_slice name);

/* A monitor for the place, as YAML that is ready but for its secrets, and its name. secrets: the
 * folder that these are looked for in. False where too little is known of it. */
bool fg_stage_propose(const struct fg_stage_place *place, const char *secrets,
                      struct fg_buffer *text, char ret_name[FG_MONITOR_NAME_SIZE_MAX + 1]);

/* "instrumented", "watched", "unknown"; "instrument", "watch". */
const char *fg_stage_status_name(enum fg_stage_status status);
const char *fg_stage_action_name(enum fg_stage_action action);
