#include "table.h"

#include "base/hash.h"
#include "base/limits.h"

#include <stdlib.h>

void fg_table_init(struct fg_table *table, uint32_t count_max)
{
    *table = (struct fg_table){.count_max = count_max};
    fg_idmap_init(&table->by_value);
    fg_idmap_init(&table->by_trace);
}

static void free_record(struct fg_record *record)
{
    free(record->value);
    free(record->traces);
    free(record->reached_ns);
    free(record->trouble);
}

void fg_table_free(struct fg_table *table)
{
    for (uint32_t i = 0; i < table->count; i++)
        free_record(&table->records[i]);
    free(table->records);
    free(table->memberships);
    free(table->looks);
    fg_idmap_free(&table->by_value);
    fg_idmap_free(&table->by_trace);
}

/* Room for one more element. */
static int grow(void **array, size_t element_size, uint32_t count, uint32_t *capacity)
{
    if (count < *capacity)
        return 0;
    uint32_t wanted = *capacity ? *capacity * 2 : 64;
    void *bigger = realloc(*array, wanted * element_size);
    if (!bigger)
        return FG_ENOMEM;
    *array = bigger;
    *capacity = wanted;
    return 0;
}

/* -- By value */

struct wanted {
    const struct fg_table *table;
    uint32_t key;
    struct fg_slice value;
};

static bool is_wanted(const void *context, uint32_t id)
{
    const struct wanted *wanted = context;
    const struct fg_record *record = &wanted->table->records[id];
    return record->key == wanted->key &&
           fg_slice_equal(fg_slice(record->value, record->value_size), wanted->value);
}

uint32_t fg_table_find(const struct fg_table *table, uint32_t key, struct fg_slice value)
{
    struct wanted wanted = {table, key, value};
    uint32_t id;
    int r = fg_idmap_find(&table->by_value, fg_hash_seeded(value, key), is_wanted, &wanted, &id);
    return r < 0 ? FG_NO_RECORD : id;
}

int fg_table_intern(struct fg_table *table, uint32_t key, struct fg_slice value,
                    uint32_t step_count, uint32_t *ret_record, bool *ret_is_new)
{
    uint32_t found = fg_table_find(table, key, value);
    *ret_is_new = found == FG_NO_RECORD;
    *ret_record = found;
    if (found != FG_NO_RECORD)
        return 0;
    if (table->count >= table->count_max)
        return FG_ELIMIT;
    int r = grow((void **)&table->records, sizeof *table->records, table->count, &table->capacity);
    if (r < 0)
        return r;
    struct fg_record record = {.hash = fg_hash_seeded(value, key),
                               .key = key,
                               .value_size = (uint32_t)value.size,
                               .value = malloc(value.size + 1),
                               .last_step = FG_NO_STEP,
                               .expected_step = FG_NO_STEP};
    if (step_count > 0)
        record.reached_ns = calloc(step_count, sizeof *record.reached_ns);
    if (!record.value || (step_count > 0 && !record.reached_ns)) {
        free_record(&record);
        return FG_ENOMEM;
    }
    if (value.size > 0)
        memcpy(record.value, value.data, value.size);
    table->records[table->count] = record;
    struct wanted wanted = {table, key, value};
    uint32_t id;
    r = fg_idmap_intern(&table->by_value, record.hash, is_wanted, &wanted, table->count, &id);
    if (r < 0) {
        free_record(&record);
        return r;
    }
    *ret_record = table->count++;
    return 0;
}

/* -- By trace */

static uint64_t trace_hash(struct fg_trace_ref trace)
{
    return fg_hash_u64(trace.high ^ fg_hash_u64(trace.low));
}

struct wanted_trace {
    const struct fg_table *table;
    struct fg_trace_ref trace;
};

static bool is_wanted_trace(const void *context, uint32_t id)
{
    const struct wanted_trace *wanted = context;
    const struct fg_trace_ref *trace = &wanted->table->memberships[id].trace;
    return trace->high == wanted->trace.high && trace->low == wanted->trace.low;
}

uint32_t fg_table_trace(const struct fg_table *table, struct fg_trace_ref trace)
{
    struct wanted_trace wanted = {table, trace};
    uint32_t id;
    int r = fg_idmap_find(&table->by_trace, trace_hash(trace), is_wanted_trace, &wanted, &id);
    return r < 0 ? FG_NO_RECORD : id;
}

static int add_membership(struct fg_table *table, uint32_t record, struct fg_trace_ref trace)
{
    int r = grow((void **)&table->memberships, sizeof *table->memberships, table->membership_count,
                 &table->membership_capacity);
    if (r < 0)
        return r;
    uint32_t id = table->membership_count, known;
    struct wanted_trace wanted = {table, trace};
    table->memberships[id] = (struct fg_membership){trace, record, FG_NO_RECORD};
    r = fg_idmap_intern(&table->by_trace, trace_hash(trace), is_wanted_trace, &wanted, id, &known);
    if (r < 0)
        return r;
    if (known != id) {
        table->memberships[id].next = table->memberships[known].next;
        table->memberships[known].next = id;
    }
    table->membership_count++;
    return 0;
}

int fg_table_join(struct fg_table *table, uint32_t id, struct fg_trace_ref trace)
{
    struct fg_record *record = &table->records[id];
    for (uint32_t m = fg_table_trace(table, trace); m != FG_NO_RECORD;
         m = table->memberships[m].next)
        if (table->memberships[m].record == id)
            return 0;
    if (record->trace_count == FG_JOURNEY_TRACES_MAX) {
        record->more_traces = true;
        return 0;
    }
    if (record->trace_count == record->trace_capacity) {
        uint16_t wanted = (uint16_t)(record->trace_capacity ? record->trace_capacity * 2 : 2);
        struct fg_trace_ref *traces = realloc(record->traces, wanted * sizeof *traces);
        if (!traces)
            return FG_ENOMEM;
        record->traces = traces;
        record->trace_capacity = wanted;
    }
    int r = add_membership(table, id, trace);
    if (r == 0)
        record->traces[record->trace_count++] = trace;
    return r;
}

/* -- Room */

static bool has_ended(const struct fg_record *record)
{
    return record->state == FG_JOURNEY_DONE || record->state == FG_JOURNEY_CANCELLED;
}

/* Ended ones first, then those heard least lately. */
static int compare_worth(const void *a, const void *b)
{
    const struct fg_record *x = *(const struct fg_record *const *)a,
                           *y = *(const struct fg_record *const *)b;
    if (has_ended(x) != has_ended(y))
        return has_ended(x) ? -1 : 1;
    return (x->last_ns > y->last_ns) - (x->last_ns < y->last_ns);
}

static int map_again(struct fg_table *table)
{
    int r = 0;
    fg_idmap_clear(&table->by_value);
    fg_idmap_clear(&table->by_trace);
    table->membership_count = 0;
    table->look_count = 0;
    for (uint32_t i = 0; r == 0 && i < table->count; i++) {
        struct fg_record *record = &table->records[i];
        uint32_t id;
        struct wanted wanted = {table, record->key, fg_slice(record->value, record->value_size)};
        r = fg_idmap_intern(&table->by_value, record->hash, is_wanted, &wanted, i, &id);
        for (uint32_t t = 0; r == 0 && t < record->trace_count; t++)
            r = add_membership(table, i, record->traces[t]);
        if (r == 0 && record->look_ns)
            r = fg_table_plan(table, i, record->look_ns);
    }
    return r;
}

int fg_table_make_room(struct fg_table *table)
{
    uint32_t drop = table->count / 8 + 1, kept = 0;
    struct fg_record **order = malloc(((size_t)table->count + 1) * sizeof *order);
    if (!order)
        return FG_ENOMEM;
    for (uint32_t i = 0; i < table->count; i++)
        order[i] = &table->records[i];
    qsort(order, table->count, sizeof *order, compare_worth);
    for (uint32_t i = 0; i < drop && i < table->count; i++)
        order[i]->is_dead = true;
    free(order);
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->records[i].is_dead) {
            free_record(&table->records[i]);
            table->evicted++;
        } else {
            table->records[kept++] = table->records[i];
        }
    }
    table->count = kept;
    return map_again(table);
}

/* -- When to look */

static void swap_looks(struct fg_look *a, struct fg_look *b)
{
    struct fg_look look = *a;
    *a = *b;
    *b = look;
}

static void rise(struct fg_table *table, uint32_t at)
{
    for (; at > 0 && table->looks[(at - 1) / 2].at_ns > table->looks[at].at_ns; at = (at - 1) / 2)
        swap_looks(&table->looks[at], &table->looks[(at - 1) / 2]);
}

/* Plans that were replaced wait in the heap until their time comes; they are not let grow past a
 * few for each record. */
static void drop_stale(struct fg_table *table)
{
    uint32_t count = table->look_count;
    table->look_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct fg_look look = table->looks[i];
        if (table->records[look.record].look_ns != look.at_ns)
            continue;
        table->looks[table->look_count] = look;
        rise(table, table->look_count++);
    }
}

int fg_table_plan(struct fg_table *table, uint32_t record, uint64_t at_ns)
{
    if (table->look_count > 4 * (size_t)table->count + 1024)
        drop_stale(table);
    int r = grow((void **)&table->looks, sizeof *table->looks, table->look_count,
                 &table->look_capacity);
    if (r < 0)
        return r;
    table->looks[table->look_count] = (struct fg_look){at_ns, record};
    rise(table, table->look_count++);
    table->records[record].look_ns = at_ns;
    return 0;
}

static void drop_first(struct fg_table *table)
{
    uint32_t at = 0;
    table->looks[0] = table->looks[--table->look_count];
    for (;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < table->look_count && table->looks[child].at_ns < table->looks[least].at_ns)
                least = child;
        if (least == at)
            return;
        swap_looks(&table->looks[at], &table->looks[least]);
        at = least;
    }
}

uint32_t fg_table_due(struct fg_table *table, uint64_t now_ns)
{
    while (table->look_count > 0 && table->looks[0].at_ns <= now_ns) {
        struct fg_look look = table->looks[0];
        drop_first(table);
        if (table->records[look.record].look_ns == look.at_ns) {
            table->records[look.record].look_ns = 0;
            return look.record;
        }
    }
    return FG_NO_RECORD;
}
