/* When to look at which record: a heap, the earliest first, with one entry a record, which says
 * where it is. As a journey goes on its deadline is put off time and again: the entry stays where
 * it was, too early, and moves when its time has come. To move an entry is to write to its record,
 * which is waited for: so four stand below each, and an entry moves half as often as in a binary
 * heap. */
#include "table.h"

#include "base/limits.h"

#include <stdlib.h>

#define BELOW 4u

static void put(struct fg_table *table, uint32_t at, struct fg_look look)
{
    struct fg_record *record = fg_table_record(table, look.record);
    uint64_t look_s = look.at_ns / FG_NS_PER_SECOND + 1;
    table->looks[at] = look;
    record->look_at = at + 1;
    record->look_s = look_s < UINT32_MAX ? (uint32_t)look_s : 0;
}

/* Whether what the record has in the plan comes up in time for a look: as a rule the record alone
 * tells. */
static bool is_early_enough(const struct fg_table *table, const struct fg_record *record,
                            uint64_t at_ns)
{
    return (record->look_s > 0 && at_ns / FG_NS_PER_SECOND >= record->look_s) ||
           table->looks[record->look_at - 1].at_ns <= at_ns;
}

/* The place at is free: those above give way to the look. */
static void rise(struct fg_table *table, uint32_t at, struct fg_look look)
{
    for (uint32_t above; at > 0; at = above) {
        above = (at - 1) / BELOW;
        if (table->looks[above].at_ns <= look.at_ns)
            break;
        put(table, at, table->looks[above]);
    }
    put(table, at, look);
}

/* The earliest of those below, of which there is one at least. */
static uint32_t earliest_below(const struct fg_table *table, uint32_t at)
{
    uint32_t least = BELOW * at + 1, end = least + BELOW;
    end = end < table->look_count ? end : table->look_count;
    for (uint32_t i = least + 1; i < end; i++)
        if (table->looks[i].at_ns < table->looks[least].at_ns)
            least = i;
    return least;
}

static void sink(struct fg_table *table, uint32_t at, struct fg_look look)
{
    for (uint32_t least; BELOW * at + 1 < table->look_count; at = least) {
        least = earliest_below(table, at);
        if (table->looks[least].at_ns >= look.at_ns)
            break;
        put(table, at, table->looks[least]);
    }
    put(table, at, look);
}

static void settle(struct fg_table *table, uint32_t at, struct fg_look look)
{
    if (at > 0 && table->looks[(at - 1) / BELOW].at_ns > look.at_ns)
        rise(table, at, look);
    else
        sink(table, at, look);
}

static int make_space(struct fg_table *table)
{
    if (table->look_count < table->look_capacity)
        return 0;
    uint32_t capacity = table->look_capacity ? table->look_capacity * 2 : 64;
    struct fg_look *looks = realloc(table->looks, capacity * sizeof *looks);
    if (!looks)
        return FG_ENOMEM;
    table->looks = looks;
    table->look_capacity = capacity;
    return 0;
}

int fg_table_plan(struct fg_table *table, uint32_t id, uint64_t at_ns)
{
    struct fg_record *record = fg_table_record(table, id);
    struct fg_look look = {at_ns > 0 ? at_ns : 1, id};
    uint32_t at = record->look_at;
    int r = at > 0 ? 0 : make_space(table);
    if (r < 0)
        return r;
    if (at == 0)
        rise(table, table->look_count++, look);
    else if (!is_early_enough(table, record, look.at_ns))
        rise(table, at - 1, look);
    record->look_ns = look.at_ns;
    record->looks_to_learn = false;
    return 0;
}

void fg_table_unplan(struct fg_table *table, uint32_t id)
{
    fg_table_record(table, id)->look_ns = 0; /* the entry goes when its time has come */
}

void fg_table_drop_plan(struct fg_table *table, uint32_t id)
{
    struct fg_record *record = fg_table_record(table, id);
    uint32_t at = record->look_at;
    record->look_ns = 0;
    record->look_at = 0;
    if (at > 0 && at - 1 < --table->look_count)
        settle(table, at - 1, table->looks[table->look_count]);
}

void fg_table_move_plan(struct fg_table *table, uint32_t id)
{
    uint32_t at = fg_table_record(table, id)->look_at;
    if (at > 0)
        table->looks[at - 1].record = id;
}

bool fg_table_due(struct fg_table *table, uint64_t now_ns, uint32_t *ret_record)
{
    *ret_record = FG_NO_RECORD;
    if (table->look_count == 0 || table->looks[0].at_ns > now_ns)
        return false;
    struct fg_look look = table->looks[0];
    uint64_t look_ns = fg_table_record(table, look.record)->look_ns;
    if (look_ns > look.at_ns) {
        sink(table, 0, (struct fg_look){look_ns, look.record});
        return true;
    }
    fg_table_drop_plan(table, look.record);
    if (look_ns)
        *ret_record = look.record;
    return true;
}
