/* How journeys, places and causes look in the native API's answers. */
#pragma once

#include "exchange.h"
#include "journey/journeys.h"
#include "json_fields.h"

/* The asker's tenant's. NULL after a 503: they are not followed yet. */
struct fg_journeys *fg_journeys_of(struct fg_exchange *exchange);

/* "place": null where it is none. */
void fg_write_place(struct fg_json_writer *json, const struct fg_place *place);
/* "cause": null where it is none. */
void fg_write_cause(struct fg_json_writer *json, enum fg_cause cause, struct fg_slice text);
/* "states": {"flowing": 3, …} */
void fg_write_states(struct fg_json_writer *json, const uint64_t by_state[]);
/* An object. */
void fg_write_change(struct fg_json_writer *json, const struct fg_journey_change *change);

/* By language, where a step has several of it; null where it has one for all. */
void fg_write_labels(struct fg_json_writer *json, const char *key,
                     const struct fg_flow_labels *labels);
