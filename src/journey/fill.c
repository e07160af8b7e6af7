/* Taking records into memory before spans of theirs come: where more room was given because orders
 * come back, those under way that are on disk alone are read one after the other, which takes a
 * fraction of what it takes to look each of them up when it is asked for. */
#include "journeys_internal.h"

/* Records that are looked at in a tick: ten thousand a second. */
#define RECORDS_AT_ONCE 2048u
/* Of each of them, as a rule no more. */
#define TRACES_OF_ONE 16u

void fg_journeys_begin_fill(struct fg_journeys *journeys)
{
    journeys->fill.ends_to_come = 2; /* it goes on where the last one ended: so all are seen */
}

static int take_in(void *arg, uint64_t key_hash, uint64_t flow_print, bool is_absent,
                   struct fg_record *record)
{
    struct fg_journeys *journeys = arg;
    uint32_t key = fg_journeys_key_of(journeys, key_hash), id;
    struct fg_slice value = fg_slice(record->value, record->value_size);
    (void)is_absent; /* some that are in memory are marked so, too: see keep.c */
    if (fg_journeys_is_filled(journeys))
        return 1;
    if (key == FG_JOURNEY_KEYS_MAX || fg_record_has_ended(record) ||
        fg_table_find(&journeys->table, key, value) != FG_NO_RECORD)
        return 0;
    fg_journeys_follow(journeys);
    int r = fg_fetch_take_in(journeys, key, flow_print, record, &id);
    journeys->room.count += r == 0 && id != FG_NO_RECORD; /* it did not come by itself */
    fg_mutex_unlock(&journeys->mutex);
    return r;
}

static int make_place(struct fg_journeys *journeys)
{
    fg_journeys_follow(journeys);
    int r = fg_journeys_widen(journeys, RECORDS_AT_ONCE, TRACES_OF_ONE * RECORDS_AT_ONCE);
    fg_mutex_unlock(&journeys->mutex);
    return r;
}

int fg_journeys_fill(struct fg_journeys *journeys)
{
    struct fg_fill *fill = &journeys->fill;
    uint64_t mono_ns = fg_env_mono_ns(journeys->options.env);
    bool is_early = mono_ns - fill->filled_ns < FG_JOURNEYS_TICK_NS && !journeys->options.manual;
    if (fill->ends_to_come == 0 || is_early)
        return 0;
    if (fg_journeys_is_filled(journeys) || journeys->absent_count == 0) {
        fill->ends_to_come = 0;
        return 0;
    }
    fill->filled_ns = mono_ns;
    fill->walk.fn = take_in;
    fill->walk.arg = journeys;
    fill->walk.max = RECORDS_AT_ONCE;
    int r = make_place(journeys);
    if (r == 0)
        r = fg_vault_walk(journeys->vault, &fill->walk);
    fill->ends_to_come -= r == 0 && fill->walk.after_size == 0;
    return r;
}
