/* What the minute rollups say of services and their operations, added up over a window of time. */
#pragma once

#include "base/arena.h"
#include "store/rollup.h"
#include "store/store.h"

struct fg_operation_total {
    struct fg_slice name;
    uint8_t kind; /* enum fg_span_kind */
    uint64_t span_count, error_count, open_count;
    struct fg_histogram *durations;
};

struct fg_service_total {
    struct fg_slice service;                      /* may be empty: spans without service.name */
    uint64_t span_count, error_count, open_count; /* open spans are not in span_count */
    struct fg_histogram *durations;
};

struct fg_service_totals {
    const struct fg_service_total *services; /* by count, the largest first, then by name */
    uint32_t service_count;
    const struct fg_operation_total *operations; /* of one service; by count, then name, kind */
    uint32_t operation_count;
    uint64_t uncounted; /* spans that found no place in the rollups */
};

struct fg_service_totals_wanted {
    uint32_t tenant;
    uint64_t start_ns_min, start_ns_max;
    bool with_operations;    /* of the service below */
    struct fg_slice service; /* all others are left out; {NULL, 0}: all services */
};

/* All that is returned lies in arena. May block. FG_ELIMIT (the arena is full), FG_ENOMEM, FG_EIO,
 * FG_ECORRUPT. */
FG_MUST_CHECK int fg_service_totals_read(struct fg_store *store,
                                         const struct fg_service_totals_wanted *wanted,
                                         struct fg_arena *arena,
                                         struct fg_service_totals *ret_totals);

struct fg_names {
    struct fg_slice *names; /* sorted, each once, none empty */
    uint32_t count;
};

/* The names of services, or, with wanted->with_operations, of that service's operations. As above.
 */
FG_MUST_CHECK int fg_service_names_read(struct fg_store *store,
                                        const struct fg_service_totals_wanted *wanted,
                                        struct fg_arena *arena, struct fg_names *ret_names);
