/* Since when each step of a declared flow is declared as it is. A flow that is changed holds for
 * journeys that are under way, too; but what a new step asks of them it asks from then on, or all
 * that stand before it would be late at once.
 *
 *     journey_flows     hash of the key's name be64 → of each step its print le64, since ns le64
 *
 * A step's print covers its condition and what it follows, not its deadline: one that is made
 * tighter holds at once. */
#include "journeys_internal.h"

#include "base/endian.h"

#define STEP_SIZE 16u

/* What was kept of a step; UINT64_MAX: nothing. */
static uint64_t find(struct fg_slice kept, uint64_t print)
{
    for (size_t at = 0; at + STEP_SIZE <= kept.size; at += STEP_SIZE)
        if (fg_load_le64(kept.data + at) == print)
            return fg_load_le64(kept.data + at + 8);
    return UINT64_MAX;
}

/* is_new: nothing was kept of the key, and its flow holds from ever. */
static void set(struct fg_watched_key *key, struct fg_slice kept, bool is_new, uint64_t now_ns)
{
    for (uint32_t i = 0; i < key->flow->step_count; i++) {
        uint64_t since_ns = find(kept, key->flow->steps[i].print);
        key->step_since_ns[i] = since_ns < UINT64_MAX ? since_ns : is_new ? 0 : now_ns;
    }
}

static void put(const struct fg_watched_key *key, uint32_t table, struct fg_state_batch *batch)
{
    uint8_t name[8], steps[FG_FLOW_STEPS_MAX * STEP_SIZE];
    fg_store_be64(name, key->hash);
    for (uint32_t i = 0; i < key->flow->step_count; i++) {
        fg_store_le64(steps + i * STEP_SIZE, key->flow->steps[i].print);
        fg_store_le64(steps + i * STEP_SIZE + 8, key->step_since_ns[i]);
    }
    fg_state_put(batch, table, fg_slice(name, sizeof name),
                 fg_slice(steps, key->flow->step_count * STEP_SIZE));
}

static int read_key(struct fg_journeys *journeys, struct fg_watched_key *key, uint32_t table,
                    struct fg_state_view *view)
{
    uint8_t name[8];
    struct fg_slice kept = {0};
    fg_store_be64(name, key->hash);
    int r = fg_state_get(view, table, fg_slice(name, sizeof name), &kept);
    bool is_new = r == FG_ENOTFOUND;
    if (r < 0 && !is_new)
        return r;
    set(key, kept, is_new, fg_env_wall_ns(journeys->options.env));
    return 0;
}

int fg_flow_since_open(struct fg_journeys *journeys)
{
    struct fg_state *state = journeys->options.state;
    struct fg_state_batch *batch;
    struct fg_state_view *view;
    uint32_t table;
    int r = fg_state_tenant_table(state, "journey_flows", journeys->options.tenant, &table);
    if (r == 0)
        r = fg_state_view_take(state, &view);
    if (r < 0)
        return r;
    for (uint32_t i = 0; r == 0 && i < journeys->key_count; i++)
        if (journeys->keys[i].is_declared)
            r = read_key(journeys, &journeys->keys[i], table, view);
    fg_state_view_release(view);
    if (r == 0)
        r = fg_state_batch_new(state, &batch);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < journeys->key_count; i++)
        if (journeys->keys[i].is_declared)
            put(&journeys->keys[i], table, batch);
    return fg_state_commit_take(state, batch);
}
