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

void fg_record_free(struct fg_record *record)
{
    free(record->value);
    free(record->traces);
    free(record->trace_marks);
    free(record->reached_ns);
    free(record->trouble);
    free(record->recovered);
    *record = (struct fg_record){.value = NULL};
}

void fg_table_free(struct fg_table *table)
{
    for (uint32_t i = 0; i < table->count; i++)
        fg_record_free(&table->records[i]);
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

/* Of what is known to be in the map not yet. */
static bool is_none(const void *context, uint32_t id)
{
    (void)context;
    (void)id;
    return false;
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
    uint64_t hash = fg_hash_seeded(value, key);
    struct wanted wanted = {table, key, value};
    *ret_is_new = fg_idmap_find(&table->by_value, hash, is_wanted, &wanted, ret_record) < 0;
    if (!*ret_is_new)
        return 0;
    if (table->count >= table->count_max)
        return FG_ELIMIT;
    int r = grow((void **)&table->records, sizeof *table->records, table->count, &table->capacity);
    if (r < 0)
        return r;
    struct fg_record record = {.hash = hash,
                               .key = key,
                               .value_size = (uint32_t)value.size,
                               .value = malloc(value.size + 1),
                               .last_step = FG_NO_STEP,
                               .expected_step = FG_NO_STEP};
    if (step_count > 0)
        record.reached_ns = calloc(step_count, sizeof *record.reached_ns);
    if (!record.value || (step_count > 0 && !record.reached_ns)) {
        fg_record_free(&record);
        return FG_ENOMEM;
    }
    if (value.size > 0)
        memcpy(record.value, value.data, value.size);
    table->records[table->count] = record;
    uint32_t id;
    r = fg_idmap_intern(&table->by_value, hash, is_none, NULL, table->count, &id);
    if (r < 0) {
        fg_record_free(&record);
        return r;
    }
    *ret_record = table->count++;
    return 0;
}

/* -- By trace */

uint64_t fg_trace_hash(struct fg_trace_ref trace)
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
    int r = fg_idmap_find(&table->by_trace, fg_trace_hash(trace), is_wanted_trace, &wanted, &id);
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
    table->memberships[id] =
        (struct fg_membership){.trace = trace, .record = record, .next = FG_NO_RECORD};
    r = fg_idmap_intern(&table->by_trace, fg_trace_hash(trace), is_wanted_trace, &wanted, id,
                        &known);
    if (r < 0)
        return r;
    if (known != id) {
        table->memberships[id].next = table->memberships[known].next;
        table->memberships[known].next = id;
    }
    table->membership_count++;
    return 0;
}

static int map_again(struct fg_table *table);

/* The membership of a trace that stands in the record already. */
static int add_marked(struct fg_table *table, uint32_t id, uint32_t at)
{
    const struct fg_record *record = &table->records[id];
    int r = add_membership(table, id, record->traces[at]);
    if (r == 0)
        table->memberships[table->membership_count - 1].is_joined =
            (record->trace_marks[at] & FG_TRACE_JOINED) != 0;
    return r;
}

/* Takes the trace at this place of the record out. */
static int leave(struct fg_table *table, uint32_t id, uint32_t at)
{
    struct fg_record *record = &table->records[id];
    struct fg_trace_ref trace = record->traces[at];
    size_t behind = (size_t)record->trace_count - at - 1;
    for (uint32_t m = fg_table_trace(table, trace); m != FG_NO_RECORD;
         m = table->memberships[m].next)
        if (table->memberships[m].record == id) {
            table->memberships[m].record = FG_NO_RECORD;
            table->dead_count++;
        }
    memmove(record->traces + at, record->traces + at + 1, behind * sizeof *record->traces);
    memmove(record->trace_marks + at, record->trace_marks + at + 1, behind);
    record->trace_count--;
    return table->dead_count > 1024 && table->dead_count > table->membership_count / 2
               ? map_again(table)
               : 0;
}

static int make_trace_room(struct fg_table *table, uint32_t id)
{
    struct fg_record *record = &table->records[id];
    uint32_t at = 1;
    while (at < record->trace_count && (record->trace_marks[at] & FG_TRACE_MATTERS))
        at++;
    if (at == record->trace_count) {
        record->more_traces = true;
        at = 1;
    }
    return leave(table, id, at);
}

int fg_table_join(struct fg_table *table, uint32_t id, struct fg_trace_ref trace)
{
    struct fg_record *record = &table->records[id];
    int r = 0;
    for (uint32_t m = fg_table_trace(table, trace); m != FG_NO_RECORD;
         m = table->memberships[m].next)
        if (table->memberships[m].record == id) {
            table->memberships[m].is_joined = false;
            return 0;
        }
    if (record->trace_count == FG_JOURNEY_TRACES_MAX)
        r = make_trace_room(table, id);
    if (r < 0)
        return r;
    if (record->trace_count == record->trace_capacity) {
        uint16_t wanted = (uint16_t)(record->trace_capacity ? record->trace_capacity * 2 : 2);
        struct fg_trace_ref *traces = realloc(record->traces, wanted * sizeof *traces);
        if (traces)
            record->traces = traces;
        uint8_t *marks = realloc(record->trace_marks, wanted);
        if (marks)
            record->trace_marks = marks;
        if (!traces || !marks)
            return FG_ENOMEM;
        record->trace_capacity = wanted;
    }
    r = add_membership(table, id, trace);
    if (r < 0)
        return r;
    record->trace_marks[record->trace_count] = 0;
    record->traces[record->trace_count++] = trace;
    return 0;
}

static struct fg_membership *membership_of(struct fg_table *table, uint32_t id,
                                           struct fg_trace_ref trace)
{
    for (uint32_t m = fg_table_trace(table, trace); m != FG_NO_RECORD;
         m = table->memberships[m].next)
        if (table->memberships[m].record == id)
            return &table->memberships[m];
    return NULL;
}

int fg_table_join_other(struct fg_table *table, uint32_t id, struct fg_trace_ref trace,
                        bool *ret_is_new)
{
    *ret_is_new = false;
    for (uint32_t m = fg_table_trace(table, trace); m != FG_NO_RECORD;
         m = table->memberships[m].next)
        if (table->memberships[m].record == id ||
            (table->memberships[m].record != FG_NO_RECORD && !table->memberships[m].is_joined))
            return 0;
    int r = fg_table_join(table, id, trace);
    if (r < 0)
        return r;
    struct fg_record *record = &table->records[id];
    struct fg_membership *membership = membership_of(table, id, trace);
    if (membership)
        membership->is_joined = true;
    if (record->trace_count > 0)
        record->trace_marks[record->trace_count - 1] |= FG_TRACE_JOINED | FG_TRACE_MATTERS;
    *ret_is_new = true;
    return 0;
}

void fg_table_mark(struct fg_table *table, uint32_t id, struct fg_trace_ref trace,
                   enum fg_trace_mark mark)
{
    struct fg_record *record = &table->records[id];
    for (uint32_t i = record->trace_count; i > 0; i--)
        if (record->traces[i - 1].low == trace.low && record->traces[i - 1].high == trace.high) {
            record->trace_marks[i - 1] |= (uint8_t)mark;
            return;
        }
}

/* -- Room */

static bool has_ended(const struct fg_record *record)
{
    return record->state == FG_JOURNEY_DONE || record->state == FG_JOURNEY_CANCELLED;
}

/* What a record is worth to memory: ended ones least, then those heard least lately; those in
 * trouble much, those in doubt most. */
#define WORTH_RANK_SHIFT 62
enum rank { RANK_ENDED, RANK_WELL, RANK_IN_TROUBLE, RANK_IN_DOUBT };

static uint64_t worth_of(const struct fg_record *record)
{
    bool is_in_trouble = record->state == FG_JOURNEY_LATE || record->state == FG_JOURNEY_STUCK ||
                         record->state == FG_JOURNEY_BROKEN;
    uint64_t rank = record->is_dirty    ? RANK_IN_DOUBT
                    : has_ended(record) ? RANK_ENDED
                    : is_in_trouble     ? RANK_IN_TROUBLE
                                        : RANK_WELL;
    uint64_t last_ns_max = (UINT64_C(1) << WORTH_RANK_SHIFT) - 1;
    return rank << WORTH_RANK_SHIFT |
           (record->last_ns < last_ns_max ? record->last_ns : last_ns_max);
}

/* The value that has as many below it: by digits from the highest on, in as many steps whatever
 * the values are. */
static uint64_t nth_least(const uint64_t *values, uint32_t count, uint32_t below)
{
    enum { DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS };
    uint64_t found = 0;
    for (unsigned shift = 64; shift > 0;) {
        uint32_t counts[DIGITS] = {0}, digit = 0;
        uint64_t above = shift < 64 ? found >> shift : 0;
        shift -= DIGIT_BITS;
        for (uint32_t i = 0; i < count; i++)
            if ((values[i] >> shift) >> DIGIT_BITS == above)
                counts[(values[i] >> shift) % DIGITS]++;
        while (below >= counts[digit])
            below -= counts[digit++];
        found |= (uint64_t)digit << shift;
    }
    return found;
}

/* Room for what maps all records as they are, so that nothing of it grows step by step. */
static int reserve(struct fg_table *table)
{
    uint32_t memberships = 0;
    for (uint32_t i = 0; i < table->count; i++)
        memberships += table->records[i].trace_count;
    int r = fg_idmap_reserve(&table->by_value, table->count);
    if (r == 0)
        r = fg_idmap_reserve(&table->by_trace, memberships);
    if (r < 0 || memberships <= table->membership_capacity)
        return r;
    struct fg_membership *room = realloc(table->memberships, memberships * sizeof *room);
    if (!room)
        return FG_ENOMEM;
    table->memberships = room;
    table->membership_capacity = memberships;
    return 0;
}

static int map_again(struct fg_table *table)
{
    fg_idmap_clear(&table->by_value);
    fg_idmap_clear(&table->by_trace);
    table->membership_count = table->dead_count = 0;
    table->look_count = 0;
    int r = reserve(table);
    for (uint32_t i = 0; r == 0 && i < table->count; i++) {
        struct fg_record *record = &table->records[i];
        uint32_t id;
        r = fg_idmap_intern(&table->by_value, record->hash, is_none, NULL, i, &id);
        for (uint32_t t = 0; r == 0 && t < record->trace_count; t++)
            r = add_marked(table, i, t);
        if (r == 0 && record->look_ns)
            r = fg_table_plan(table, i, record->look_ns);
    }
    return r;
}

int fg_table_drop_dead(struct fg_table *table)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->records[i].is_dead) {
            fg_record_free(&table->records[i]);
            table->evicted++;
        } else {
            table->records[kept++] = table->records[i];
        }
    }
    table->count = kept;
    return map_again(table);
}

int fg_table_without_dead(const struct fg_table *table, struct fg_table *ret_table)
{
    struct fg_table kept;
    fg_table_init(&kept, table->count_max);
    kept.evicted = table->evicted;
    for (uint32_t i = 0; i < table->count; i++)
        kept.capacity += !table->records[i].is_dead;
    kept.records = malloc(((size_t)kept.capacity + 1) * sizeof *kept.records);
    int r = kept.records ? 0 : FG_ENOMEM;
    for (uint32_t i = 0; r == 0 && i < table->count; i++) {
        if (table->records[i].is_dead)
            kept.evicted++;
        else
            kept.records[kept.count++] = table->records[i];
    }
    if (r == 0)
        r = map_again(&kept);
    if (r < 0) {
        kept.count = 0; /* its records are the other one's */
        fg_table_free(&kept);
        return r;
    }
    *ret_table = kept;
    return 0;
}

void fg_table_free_dead(struct fg_table *table)
{
    for (uint32_t i = 0; i < table->count; i++)
        if (table->records[i].is_dead)
            fg_record_free(&table->records[i]);
    table->count = 0;
    fg_table_free(table);
}

int fg_table_choose(struct fg_table *table)
{
    uint32_t drop = table->count / 4 + 1, ended = 0, well = 0, exact = 0;
    uint64_t *worth = malloc(((size_t)table->count + 1) * sizeof *worth);
    if (!worth)
        return FG_ENOMEM;
    for (uint32_t i = 0; i < table->count; i++) {
        worth[i] = worth_of(&table->records[i]);
        ended += worth[i] >> WORTH_RANK_SHIFT == RANK_ENDED;
        well += worth[i] >> WORTH_RANK_SHIFT <= RANK_WELL;
    }
    uint32_t half = 2 * drop, more = drop + drop / 2;
    if (ended > more)
        drop = ended < half ? ended : half;
    else if (well > drop)
        drop = well < more ? well : more;
    if (drop > table->count)
        drop = table->count;
    uint64_t least_kept = drop < table->count ? nth_least(worth, table->count, drop) : UINT64_MAX;
    for (uint32_t i = 0; i < table->count; i++)
        exact += worth[i] < least_kept;
    for (uint32_t i = 0; i < table->count; i++) /* of those worth the same the first */
        if (worth[i] < least_kept || (worth[i] == least_kept && exact < drop && ++exact))
            table->records[i].is_dead = true;
    free(worth);
    return 0;
}

int fg_table_make_room(struct fg_table *table)
{
    int r = fg_table_choose(table);
    return r < 0 ? r : fg_table_drop_dead(table);
}

/* -- From elsewhere */

int fg_table_adopt_take(struct fg_table *table, struct fg_record *record, uint32_t *ret_record)
{
    struct wanted wanted = {table, record->key, fg_slice(record->value, record->value_size)};
    uint32_t id;
    int r = table->count < table->count_max ? grow((void **)&table->records, sizeof *table->records,
                                                   table->count, &table->capacity)
                                            : FG_ELIMIT;
    if (r == 0) {
        record->hash = fg_hash_seeded(wanted.value, record->key);
        table->records[table->count] = *record;
        r = fg_idmap_intern(&table->by_value, record->hash, is_wanted, &wanted, table->count, &id);
    }
    if (r < 0) {
        fg_record_free(record);
        return r;
    }
    *record = (struct fg_record){.value = NULL};
    id = table->count++;
    *ret_record = id;
    for (uint32_t i = 0; r == 0 && i < table->records[id].trace_count; i++)
        r = add_marked(table, id, i);
    if (r == 0 && table->records[id].look_ns)
        r = fg_table_plan(table, id, table->records[id].look_ns);
    return r;
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
    table->records[record].looks_to_learn = false;
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
