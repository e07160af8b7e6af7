#include "journey_json.h"

#include "state.h"

struct fg_journeys *fg_journeys_of(struct fg_exchange *exchange)
{
    struct fg_journeys *journeys = fg_api_journeys(exchange->api, exchange->identity.tenant);
    if (!journeys) {
        const struct fg_failure failure = {
            503, FG_RPC_UNAVAILABLE, "journeys are not followed yet; try again later", 1000000000};
        fg_answer_failure(exchange, &failure);
    }
    return journeys;
}

void fg_write_place(struct fg_json_writer *json, const struct fg_place *place)
{
    FG_JSON_KEY(json, "place");
    if (place->kind == FG_PLACE_NONE) {
        fg_json_null(json);
        return;
    }
    fg_json_object_begin(json);
    fg_write_name(json, "kind", fg_place_kind_name(place->kind));
    fg_write_text(json, "service", place->service);
    fg_write_text(json, "name", place->name);
    fg_json_object_end(json);
}

void fg_write_cause(struct fg_json_writer *json, enum fg_cause cause, struct fg_slice text)
{
    FG_JSON_KEY(json, "cause");
    if (cause == FG_CAUSE_NONE) {
        fg_json_null(json);
        return;
    }
    fg_json_object_begin(json);
    fg_write_name(json, "code", fg_cause_name(cause));
    fg_write_text(json, "text", text);
    fg_json_object_end(json);
}

void fg_write_states(struct fg_json_writer *json, const uint64_t by_state[])
{
    FG_JSON_KEY(json, "states");
    fg_json_object_begin(json);
    for (unsigned i = 0; i < FG_JOURNEY_STATE_COUNT; i++) {
        fg_json_key(json, fg_slice_from_string(fg_journey_state_name((enum fg_journey_state)i)));
        fg_json_uint(json, by_state[i]);
    }
    fg_json_object_end(json);
}

void fg_write_change(struct fg_json_writer *json, const struct fg_journey_change *change)
{
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "sequence");
    fg_json_uint(json, change->sequence);
    fg_write_time(json, "at", change->at_ns);
    fg_write_text(json, "key", change->key);
    fg_write_text(json, "value", change->value);
    fg_write_name(json, "state", fg_journey_state_name(change->state));
    fg_write_name(json, "from", fg_journey_state_name(change->from));
    fg_write_place(json, &change->place);
    fg_write_cause(json, change->cause, (struct fg_slice){0});
    fg_write_text(json, "last_step", change->last_step);
    fg_write_text(json, "expected_step", change->expected_step);
    fg_json_object_end(json);
}

void fg_write_labels(struct fg_json_writer *json, const char *key,
                     const struct fg_flow_labels *labels)
{
    fg_json_key(json, fg_slice_from_string(key));
    if (!labels) {
        fg_json_null(json);
        return;
    }
    fg_json_object_begin(json);
    for (uint32_t i = 0; i < labels->count; i++) {
        fg_json_key(json, labels->of[i].language);
        fg_json_string(json, labels->of[i].text);
    }
    fg_json_object_end(json);
}
