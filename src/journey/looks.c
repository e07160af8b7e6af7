/* When to look at which record: a binary heap, the earliest first, with one entry a record, which
 * says where it is. As a journey goes on its deadline is put off time and again: the entry stays
 * where it was, too early, and moves when its time has come. */
#include "table.h"

#include <stdlib.h>

static void put(struct fg_table *table, uint32_t at, struct fg_look look)
{
    table->looks[at] = look;
    fg_table_record(table, look.record)->look_at = at + 1;
}

/* The place at is free: those above give way to the look. */
static void rise(struct fg_table *table, uint32_t at, struct fg_look look)
{
    for (uint32_t above; at > 0; at = above) {
        above = (at - 1) / 2;
        if (table->looks[above].at_ns <= look.at_ns)
            break;
        put(table, at, table->looks[above]);
    }
    put(table, at, look);
}

static void sink(struct fg_table *table, uint32_t at, struct fg_look look)
{
    for (uint32_t least; (least = 2 * at + 1) < table->look_count; at = least) {
        if (least + 1 < table->look_count &&
            table->looks[least + 1].at_ns < table->looks[least].at_ns)
            least++;
        if (table->looks[least].at_ns >= look.at_ns)
            break;
        put(table, at, table->looks[least]);
    }
    put(table, at, look);
}

static void settle(struct fg_table *table, uint32_t at, struct fg_look look)
{
    if (at > 0 && table->looks[(at - 1) / 2].at_ns > look.at_ns)
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
    bool is_put_off = record->look_ns && look.at_ns >= record->look_ns;
    int r = at > 0 ? 0 : make_space(table);
    if (r < 0)
        return r;
    if (at == 0)
        rise(table, table->look_count++, look);
    else if (!is_put_off && look.at_ns < table->looks[at - 1].at_ns)
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
