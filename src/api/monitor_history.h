/* What stored spans say of monitors' past: who was how, from when to when. What no span speaks for
 * is a gap: nobody looked. doc/monitors.md tells the attributes. */
#pragma once

#include "base/arena.h"
#include "monitor/monitors.h"
#include "store/store.h"

struct fg_monitor_sighting {
    uint64_t start_ns, end_ns, holds_ns;
    enum fg_check_result result;
    struct fg_slice name, code, text; /* code and text: of the worst finding; may be empty */
    uint64_t trace_id_high, trace_id_low;
};

struct fg_monitor_period {
    uint64_t start_ns, end_ns;
    enum fg_check_result result;
};

struct fg_monitor_past {
    struct fg_slice name;
    const struct fg_monitor_sighting *sightings; /* oldest first */
    uint32_t sighting_count;
    const struct fg_monitor_period *periods; /* oldest first; they touch or leave gaps */
    uint32_t period_count;
};

struct fg_monitor_history_wanted {
    uint32_t tenant;
    uint64_t start_ns, end_ns;
    struct fg_slice name; /* empty: all monitors */
    uint64_t deadline_mono_ns;
    bool (*is_cancelled)(void *arg);
    void *arg;
};

struct fg_monitor_history {
    struct fg_monitor_past *pasts; /* by name */
    uint32_t count;
    uint64_t whole_from_ns; /* from here on all was read */
};

/* All lies in arena. May block. Errors as of fg_store_scan(), but that a deadline or a full arena
 * only moves whole_from_ns. */
FG_MUST_CHECK int fg_monitor_history_read(struct fg_store *store,
                                          const struct fg_monitor_history_wanted *wanted,
                                          struct fg_arena *arena,
                                          struct fg_monitor_history *ret_history);
/* NULL: none of this name. */
const struct fg_monitor_past *fg_monitor_history_find(const struct fg_monitor_history *history,
                                                      struct fg_slice name);
