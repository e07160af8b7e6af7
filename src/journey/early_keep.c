/* What came before it was known whose it is, in the keyed state, so that a start does not forget
 * what the log is not read again for:
 *
 *     journey_early    TENANT (4) CHUNK (4), big-endian    chunks of what early.c has in memory
 *
 * A chunk is a row of things, little-endian: u64 and u64 the trace, u64 when, u64 the hash of the
 * key's name, u64 what tells the flow apart as it is declared, u8 the step. What is another flow's
 * by the next start is dropped then. */
#include "journeys_internal.h"

#include "base/endian.h"
#include "input.h"

#define KEY_SIZE   8u
#define THING_SIZE 41u

static struct fg_slice state_key(const struct fg_journeys *journeys, uint32_t chunk,
                                 uint8_t bytes[KEY_SIZE])
{
    fg_store_be32(bytes, journeys->options.tenant);
    fg_store_be32(bytes + 4, chunk);
    return fg_slice(bytes, KEY_SIZE);
}

/* NULL: no key has it any more. */
static const struct fg_watched_key *key_of_flow(const struct fg_journeys *journeys, uint8_t flow)
{
    for (uint32_t i = 0; i < journeys->key_count; i++)
        if (journeys->keys[i].flow_index == flow && journeys->keys[i].flow)
            return &journeys->keys[i];
    return NULL;
}

static size_t encode(const struct fg_journeys *journeys, const struct fg_early_step *steps,
                     uint32_t count, uint8_t *bytes)
{
    uint8_t *at = bytes;
    for (uint32_t i = 0; i < count; i++) {
        const struct fg_watched_key *key =
            steps[i].step == FG_EARLY_FAILED ? NULL : key_of_flow(journeys, steps[i].flow);
        if (!key && steps[i].step != FG_EARLY_FAILED)
            continue;
        const uint64_t numbers[] = {steps[i].trace.high, steps[i].trace.low, steps[i].at_ns,
                                    key ? key->hash : 0, key ? key->flow->print : 0};
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++, at += 8)
            fg_store_le64(at, numbers[k]);
        *at++ = steps[i].step;
    }
    return (size_t)(at - bytes);
}

void fg_early_put(struct fg_journeys *journeys, struct fg_state_batch *batch)
{
    struct fg_early_step steps[FG_EARLY_CHUNK];
    uint8_t bytes[FG_EARLY_CHUNK * THING_SIZE], name[KEY_SIZE];
    uint32_t chunk, count;
    while (fg_early_changed(journeys->early, &chunk)) {
        count = fg_early_settle(journeys->early, chunk, steps);
        fg_state_put(batch, journeys->early_table, state_key(journeys, chunk, name),
                     fg_slice(bytes, encode(journeys, steps, count, bytes)));
    }
}

void fg_early_forget(struct fg_journeys *journeys, struct fg_state_batch *batch)
{
    uint8_t name[KEY_SIZE];
    fg_early_free(journeys->early);
    journeys->early = NULL;
    if (batch)
        fg_state_delete_prefix(batch, journeys->early_table,
                               fg_slice(state_key(journeys, 0, name).data, 4));
}

/* -- A start */

int fg_early_open(struct fg_journeys *journeys)
{
    return fg_state_table(journeys->options.state, "journey_early", &journeys->early_table);
}

static uint64_t take_u64(struct fg_input *in)
{
    return fg_load_le64(fg_input_take(in, 8));
}

static int take_thing(struct fg_journeys *journeys, struct fg_input *in)
{
    struct fg_trace_ref trace = {.high = take_u64(in)};
    trace.low = take_u64(in);
    uint64_t at_ns = take_u64(in), key_hash = take_u64(in), print = take_u64(in);
    uint8_t step = *fg_input_take(in, 1);
    uint32_t key = fg_journeys_key_of(journeys, key_hash);
    if (in->is_bad)
        return FG_ECORRUPT;
    if (step == FG_EARLY_FAILED)
        return fg_early_note(&journeys->early, trace, 0, step, at_ns);
    if (key == FG_JOURNEY_KEYS_MAX)
        return 0;
    const struct fg_flow *flow = journeys->keys[key].flow;
    if (!flow || flow->print != print || step >= flow->step_count)
        return 0;
    return fg_early_note(&journeys->early, trace, (uint8_t)journeys->keys[key].flow_index, step,
                         at_ns);
}

static int load_chunk(void *arg, struct fg_slice key, struct fg_slice value)
{
    struct fg_journeys *journeys = arg;
    struct fg_input in = {value.data, value.size, false};
    int r = 0;
    (void)key;
    while (r == 0 && in.rest > 0)
        r = take_thing(journeys, &in);
    journeys->counters.damaged += r == FG_ECORRUPT;
    return r == FG_ECORRUPT ? 0 : r;
}

int fg_early_load(struct fg_journeys *journeys)
{
    const struct fg_slice from_begin = {0};
    struct fg_state_view *view;
    uint8_t name[KEY_SIZE];
    uint32_t chunk;
    struct fg_early_step steps[FG_EARLY_CHUNK];
    int r = fg_state_view_take(journeys->options.state, &view);
    if (r < 0)
        return r;
    r = fg_state_each(view, journeys->early_table, fg_slice(state_key(journeys, 0, name).data, 4),
                      from_begin, load_chunk, journeys, NULL);
    fg_state_view_release(view);
    while (r >= 0 && fg_early_changed(journeys->early, &chunk))
        fg_early_settle(journeys->early, chunk, steps); /* as it is on disk */
    return r < 0 ? r : 0;
}
