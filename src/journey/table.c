#include "table.h"

#include "base/hash.h"
#include "base/limits.h"
#include "warm.h"

#include <stdlib.h>

void fg_table_init(struct fg_table *table, uint32_t count_max)
{
    *table = (struct fg_table){.count_max = count_max};
    fg_tagmap_init(&table->by_value);
    fg_tagmap_init(&table->by_trace);
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
    for (uint32_t i = 0; i < fg_table_end(table); i++)
        if (table->blocks[i / FG_BLOCK_RECORDS])
            fg_record_free(fg_table_record(table, i));
    for (uint32_t i = 0; i < table->block_count; i++)
        free(table->blocks[i]);
    free(table->blocks);
    free(table->looks);
    fg_tagmap_free(&table->by_value);
    fg_tagmap_free(&table->by_trace);
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

/* -- Places */

static struct fg_block *make_block(void)
{
    struct fg_block *block = calloc(1, sizeof *block);
    if (!block)
        return NULL;
    for (uint32_t i = 0; i < FG_BLOCK_RECORDS; i++)
        block->records[i].hash = i + 1 < FG_BLOCK_RECORDS ? i + 1 : FG_NO_RECORD;
    return block;
}

/* The first free place, the lower the better: the last blocks get empty and go. It is not taken
 * yet. */
static int find_place(struct fg_table *table, uint32_t *ret_id)
{
    uint32_t at = table->first_open;
    while (at < table->block_count && table->blocks[at] &&
           table->blocks[at]->used == FG_BLOCK_RECORDS)
        at++;
    table->first_open = at;
    if (at == table->block_count) {
        int r = grow((void **)&table->blocks, sizeof *table->blocks, table->block_count,
                     &table->block_capacity);
        if (r < 0)
            return r;
        table->blocks[table->block_count++] = NULL;
    }
    if (!table->blocks[at] && !(table->blocks[at] = make_block()))
        return FG_ENOMEM;
    *ret_id = at * FG_BLOCK_RECORDS + table->blocks[at]->next_free;
    return 0;
}

/* The record's parts are the table's from then on. */
static void take_place(struct fg_table *table, uint32_t id, const struct fg_record *record)
{
    struct fg_block *block = table->blocks[id / FG_BLOCK_RECORDS];
    struct fg_record *place = fg_table_record(table, id);
    block->next_free = (uint32_t)place->hash;
    block->used++;
    *place = *record;
}

/* The record's parts have gone already. A free place says in its hash which the next one is. */
static void leave_place(struct fg_table *table, uint32_t id)
{
    uint32_t at = id / FG_BLOCK_RECORDS;
    struct fg_block *block = table->blocks[at];
    *fg_table_record(table, id) = (struct fg_record){.hash = block->next_free};
    block->next_free = id % FG_BLOCK_RECORDS;
    if (at < table->first_open)
        table->first_open = at;
    if (--block->used > 0)
        return;
    free(block);
    table->blocks[at] = NULL;
    while (table->block_count > 0 && !table->blocks[table->block_count - 1])
        table->block_count--;
    if (table->first_open > table->block_count)
        table->first_open = table->block_count;
}

/* -- By value */

static bool has_value(const struct fg_table *table, uint32_t id, uint32_t key,
                      struct fg_slice value)
{
    const struct fg_record *record = fg_table_at(table, id);
    return record && record->key == key &&
           fg_slice_equal(fg_slice(record->value, record->value_size), value);
}

static uint32_t find(const struct fg_table *table, uint64_t hash, uint32_t key,
                     struct fg_slice value)
{
    struct fg_tagmap_walk walk = fg_tagmap_walk(&table->by_value, hash);
    uint32_t id;
    do
        id = fg_tagmap_next(&table->by_value, &walk);
    while (id != FG_NO_RECORD && !has_value(table, id, key, value));
    return id;
}

uint32_t fg_table_find(const struct fg_table *table, uint32_t key, struct fg_slice value)
{
    return find(table, fg_hash_seeded(value, key), key, value);
}

/* The record's parts are the table's from then on. */
static int add(struct fg_table *table, const struct fg_record *record, uint32_t *ret_id)
{
    int r = fg_tagmap_reserve(&table->by_value, 1);
    if (r == 0)
        r = find_place(table, ret_id);
    if (r < 0)
        return r;
    take_place(table, *ret_id, record);
    fg_tagmap_add(&table->by_value, record->hash, *ret_id);
    table->count++;
    return 0;
}

int fg_table_intern(struct fg_table *table, uint32_t key, struct fg_slice value,
                    uint32_t *ret_record, bool *ret_is_new)
{
    uint64_t hash = fg_hash_seeded(value, key);
    *ret_record = find(table, hash, key, value);
    *ret_is_new = *ret_record == FG_NO_RECORD;
    if (!*ret_is_new)
        return 0;
    if (table->count >= table->count_max)
        return FG_ELIMIT;
    struct fg_record record = {.hash = hash,
                               .key = key,
                               .value_size = (uint32_t)value.size,
                               .value = malloc(value.size + 1),
                               .last_step = FG_NO_STEP,
                               .expected_step = FG_NO_STEP};
    if (!record.value)
        return FG_ENOMEM;
    if (value.size > 0)
        memcpy(record.value, value.data, value.size);
    int r = add(table, &record, ret_record);
    if (r < 0)
        fg_record_free(&record);
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

static bool is_planned(const struct fg_table *table, struct fg_look look)
{
    const struct fg_record *record =
        look.record < fg_table_end(table) ? fg_table_at(table, look.record) : NULL;
    return record && record->look_ns == look.at_ns;
}

/* Plans that were replaced wait in the heap until their time comes; they are not let grow past a
 * few for each record. */
static void drop_stale(struct fg_table *table)
{
    uint32_t count = table->look_count;
    table->look_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct fg_look look = table->looks[i];
        if (!is_planned(table, look))
            continue;
        table->looks[table->look_count] = look;
        rise(table, table->look_count++);
    }
}

static int reserve_look(struct fg_table *table)
{
    if (table->look_count > 4 * (size_t)table->count + 1024)
        drop_stale(table);
    return grow((void **)&table->looks, sizeof *table->looks, table->look_count,
                &table->look_capacity);
}

/* There is room for it. */
static void put_look(struct fg_table *table, uint32_t id, uint64_t at_ns)
{
    struct fg_record *record = fg_table_record(table, id);
    table->looks[table->look_count] = (struct fg_look){at_ns, id};
    rise(table, table->look_count++);
    record->look_ns = at_ns;
    record->looks_to_learn = false;
}

int fg_table_plan(struct fg_table *table, uint32_t id, uint64_t at_ns)
{
    int r = reserve_look(table);
    if (r == 0)
        put_look(table, id, at_ns);
    return r;
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
        if (is_planned(table, look)) {
            fg_table_record(table, look.record)->look_ns = 0;
            return look.record;
        }
    }
    return FG_NO_RECORD;
}

/* -- Steps */

static uint32_t steps_before(const struct fg_record *record, uint32_t step)
{
    return (uint32_t)__builtin_popcountll(record->reached & ((UINT64_C(1) << step) - 1));
}

uint64_t fg_record_reached_ns(const struct fg_record *record, uint32_t step)
{
    return record->reached >> step & 1 ? record->reached_ns[steps_before(record, step)] : 0;
}

int fg_record_reach(struct fg_record *record, uint32_t step, uint64_t at_ns)
{
    uint32_t at = steps_before(record, step),
             count = (uint32_t)__builtin_popcountll(record->reached);
    if ((record->reached >> step & 1) == 0) {
        uint64_t *bigger = realloc(record->reached_ns, (count + 1) * sizeof *bigger);
        if (!bigger)
            return FG_ENOMEM;
        record->reached_ns = bigger;
        memmove(bigger + at + 1, bigger + at, (count - at) * sizeof *bigger);
        record->reached |= UINT64_C(1) << step;
    }
    record->reached_ns[at] = at_ns;
    return 0;
}

void fg_record_steps(const struct fg_record *record, uint64_t ret_ns[FG_FLOW_STEPS_MAX])
{
    memset(ret_ns, 0, FG_FLOW_STEPS_MAX * sizeof *ret_ns);
    uint32_t at = 0;
    for (uint64_t bits = record->reached; bits != 0; bits &= bits - 1)
        ret_ns[__builtin_ctzll(bits)] = record->reached_ns[at++];
}

void fg_record_unreach(struct fg_record *record)
{
    free(record->reached_ns);
    record->reached_ns = NULL;
    record->reached = 0;
}

/* -- By trace */

uint64_t fg_trace_hash(struct fg_trace_ref trace)
{
    return fg_hash_u64(trace.high ^ fg_hash_u64(trace.low));
}

/* The place of a trace among the record's, the latest of which are asked for most; trace_count:
 * it is none of them. */
static uint32_t place_of(const struct fg_record *record, struct fg_trace_ref trace)
{
    for (uint32_t i = record->trace_count; i > 0; i--)
        if (record->traces[i - 1].low == trace.low && record->traces[i - 1].high == trace.high)
            return i - 1;
    return record->trace_count;
}

static bool is_of(const struct fg_table *table, uint32_t id, struct fg_trace_ref trace)
{
    const struct fg_record *record = fg_table_at(table, id);
    return record && place_of(record, trace) < record->trace_count;
}

struct fg_trace_walk fg_table_trace_walk(const struct fg_table *table, struct fg_trace_ref trace)
{
    return (struct fg_trace_walk){trace, fg_tagmap_walk(&table->by_trace, fg_trace_hash(trace)),
                                  table->trace_version};
}

uint32_t fg_table_trace_next(const struct fg_table *table, struct fg_trace_walk *walk)
{
    uint32_t id;
    if (walk->version != table->trace_version)
        *walk = fg_table_trace_walk(table, walk->trace);
    do
        id = fg_tagmap_next(&table->by_trace, &walk->in);
    while (id != FG_NO_RECORD && !is_of(table, id, walk->trace));
    return id;
}

uint32_t fg_table_trace(const struct fg_table *table, struct fg_trace_ref trace)
{
    struct fg_trace_walk walk = fg_table_trace_walk(table, trace);
    return fg_table_trace_next(table, &walk);
}

/* The trace does not lead to the record any more. */
static void forget_trace(struct fg_table *table, uint32_t id, struct fg_trace_ref trace)
{
    struct fg_tagmap_walk walk = fg_tagmap_walk(&table->by_trace, fg_trace_hash(trace));
    uint32_t found;
    while ((found = fg_tagmap_next(&table->by_trace, &walk)) != FG_TAGMAP_NONE && found != id)
        ;
    if (found == id)
        fg_tagmap_remove(&table->by_trace, &walk);
}

/* Takes the trace at this place of the record out. */
static void leave(struct fg_table *table, uint32_t id, uint32_t at)
{
    struct fg_record *record = fg_table_record(table, id);
    size_t behind = (size_t)record->trace_count - at - 1;
    forget_trace(table, id, record->traces[at]);
    table->trace_version++; /* others may stand where they have not been told yet */
    memmove(record->traces + at, record->traces + at + 1, behind * sizeof *record->traces);
    memmove(record->trace_marks + at, record->trace_marks + at + 1, behind);
    record->trace_count--;
}

static void make_trace_room(struct fg_table *table, uint32_t id)
{
    struct fg_record *record = fg_table_record(table, id);
    uint32_t at = 1;
    while (at < record->trace_count && (record->trace_marks[at] & FG_TRACE_MATTERS))
        at++;
    if (at == record->trace_count) {
        record->more_traces = true;
        at = 1;
    }
    leave(table, id, at);
}

static int grow_traces(struct fg_record *record)
{
    uint32_t wanted =
        record->trace_count + (record->trace_count < 8 ? 2u : record->trace_count / 2u);
    struct fg_trace_ref *traces = realloc(record->traces, wanted * sizeof *traces);
    if (traces)
        record->traces = traces;
    uint8_t *marks = realloc(record->trace_marks, wanted);
    if (marks)
        record->trace_marks = marks;
    if (!traces || !marks)
        return FG_ENOMEM;
    record->trace_capacity = (uint16_t)wanted;
    return 0;
}

/* Room for so many traces more to be found by. */
static int reserve_traces(struct fg_table *table, uint32_t count)
{
    if (fg_tagmap_has_room(&table->by_trace, count))
        return 0;
    table->trace_version++;
    return fg_tagmap_reserve(&table->by_trace, count);
}

static int join(struct fg_table *table, uint32_t id, struct fg_trace_ref trace, uint8_t marks)
{
    struct fg_record *record = fg_table_record(table, id);
    if (record->trace_count == FG_JOURNEY_TRACES_MAX)
        make_trace_room(table, id);
    int r = record->trace_count == record->trace_capacity ? grow_traces(record) : 0;
    if (r == 0)
        r = reserve_traces(table, 1);
    if (r < 0)
        return r;
    fg_tagmap_add(&table->by_trace, fg_trace_hash(trace), id);
    record->trace_marks[record->trace_count] = marks;
    record->traces[record->trace_count++] = trace;
    return 0;
}

int fg_table_join(struct fg_table *table, uint32_t id, struct fg_trace_ref trace)
{
    struct fg_record *record = fg_table_record(table, id);
    uint32_t at = place_of(record, trace);
    if (at == record->trace_count)
        return join(table, id, trace, 0);
    if (record->trace_marks[at] & FG_TRACE_JOINED)
        record->trace_marks[at] |= FG_TRACE_NAMED;
    return 0;
}

/* Whether the trace names the record itself. */
static bool names(const struct fg_record *record, struct fg_trace_ref trace)
{
    uint8_t marks = record->trace_marks[place_of(record, trace)];
    return (marks & (FG_TRACE_JOINED | FG_TRACE_NAMED)) != FG_TRACE_JOINED;
}

int fg_table_join_other(struct fg_table *table, uint32_t id, struct fg_trace_ref trace,
                        bool *ret_is_new)
{
    struct fg_trace_walk walk = fg_table_trace_walk(table, trace);
    *ret_is_new = false;
    for (uint32_t other; (other = fg_table_trace_next(table, &walk)) != FG_NO_RECORD;)
        if (other == id || names(fg_table_record(table, other), trace))
            return 0;
    int r = join(table, id, trace, FG_TRACE_JOINED | FG_TRACE_MATTERS);
    *ret_is_new = r == 0;
    return r;
}

void fg_table_mark(struct fg_table *table, uint32_t id, struct fg_trace_ref trace,
                   enum fg_trace_mark mark)
{
    struct fg_record *record = fg_table_record(table, id);
    uint32_t at = place_of(record, trace);
    if (at < record->trace_count)
        record->trace_marks[at] |= (uint8_t)mark;
}

/* -- Room */

bool fg_record_has_ended(const struct fg_record *record)
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
    uint64_t rank = record->is_dirty              ? RANK_IN_DOUBT
                    : fg_record_has_ended(record) ? RANK_ENDED
                    : is_in_trouble               ? RANK_IN_TROUBLE
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

/* -- Dropping */

/* Nothing leads to the record any more. */
static void forget(struct fg_table *table, uint32_t id)
{
    const struct fg_record *record = fg_table_record(table, id);
    struct fg_tagmap_walk walk = fg_tagmap_walk(&table->by_value, record->hash);
    while (fg_tagmap_next(&table->by_value, &walk) != id)
        ;
    fg_tagmap_remove(&table->by_value, &walk);
    for (uint32_t i = 0; i < record->trace_count; i++)
        forget_trace(table, id, record->traces[i]);
}

void fg_table_begin_drop(struct fg_table *table)
{
    uint32_t dead = 0;
    for (uint32_t i = 0; i < fg_table_end(table); i++) {
        const struct fg_record *record = fg_table_at(table, i);
        dead += record && record->is_dead;
    }
    table->is_dropping = true;
    table->count -= dead;
    table->evicted += dead;
    table->version++;
}

/* Places that are looked at for dead ones at once. */
#define DROPPED_AT_ONCE 256u

bool fg_table_drop_some(struct fg_table *table, uint32_t *at)
{
    uint32_t ids[DROPPED_AT_ONCE] = {0}, count = 0, begin = *at, end = fg_table_end(table);
    for (uint32_t i = begin; i < end && i < begin + DROPPED_AT_ONCE; i++) {
        const struct fg_block *block = table->blocks[i / FG_BLOCK_RECORDS];
        if (block && block->records[i % FG_BLOCK_RECORDS].is_dead)
            ids[count++] = i;
    }
    fg_table_warm_drop(table, ids, count);
    table->trace_version++;
    for (uint32_t i = count; i > 0; i--) { /* so that the first place is free first */
        forget(table, ids[i - 1]);
        fg_record_free(fg_table_record(table, ids[i - 1]));
        leave_place(table, ids[i - 1]);
    }
    *at = begin + DROPPED_AT_ONCE;
    table->is_dropping = *at < end;
    return !table->is_dropping;
}

void fg_table_drop_dead(struct fg_table *table)
{
    uint32_t at = 0;
    fg_table_begin_drop(table);
    while (!fg_table_drop_some(table, &at))
        ;
}

/* -- Giving places back */

static void move(struct fg_table *table, uint32_t from, uint32_t to)
{
    struct fg_record *record = fg_table_record(table, from);
    struct fg_tagmap_walk walk = fg_tagmap_walk(&table->by_value, record->hash);
    while (fg_tagmap_next(&table->by_value, &walk) != from)
        ;
    fg_tagmap_renumber(&table->by_value, &walk, to);
    for (uint32_t i = 0; i < record->trace_count; i++) {
        walk = fg_tagmap_walk(&table->by_trace, fg_trace_hash(record->traces[i]));
        while (fg_tagmap_next(&table->by_trace, &walk) != from)
            ;
        fg_tagmap_renumber(&table->by_trace, &walk, to);
    }
    take_place(table, to, record);
    leave_place(table, from);
}

/* Its plan goes with it. */
static bool move_before(struct fg_table *table, uint32_t from)
{
    bool looks_to_learn = fg_table_record(table, from)->looks_to_learn;
    uint64_t look_ns = fg_table_record(table, from)->look_ns;
    uint32_t to;
    if (find_place(table, &to) < 0 || to > from ||
        (look_ns && reserve_look(table) < 0)) /* next time */
        return false;
    move(table, from, to);
    if (look_ns)
        put_look(table, to, look_ns);
    fg_table_record(table, to)->looks_to_learn = looks_to_learn;
    return true;
}

/* Places that are looked at for each record that may be moved. */
#define SEEN_FOR_ONE 64u

uint32_t fg_table_close_ranks(struct fg_table *table, uint32_t max,
                              bool (*movable)(const struct fg_record *record))
{
    uint32_t moved = 0, seen = 0;
    if (fg_table_end(table) - table->count <= fg_table_end(table) / 4 + FG_BLOCK_RECORDS)
        return 0;
    table->version++;
    for (uint32_t id = fg_table_end(table); id > 0 && moved < max && seen < SEEN_FOR_ONE * max;
         id--, seen++) {
        const struct fg_record *record =
            id <= fg_table_end(table) ? fg_table_at(table, id - 1) : NULL;
        if (!record || !movable(record))
            continue;
        if (!move_before(table, id - 1))
            break;
        moved++;
    }
    return moved;
}

/* -- Room in what finds them */

bool fg_table_has_room(const struct fg_table *table, uint32_t records, uint32_t traces)
{
    return fg_tagmap_has_room(&table->by_value, records) &&
           fg_tagmap_has_room(&table->by_trace, traces);
}

void fg_table_free_maps(struct fg_table_maps *maps)
{
    fg_tagmap_free(&maps->by_value);
    fg_tagmap_free(&maps->by_trace);
}

int fg_table_widened(const struct fg_table *table, uint32_t records, uint32_t traces,
                     struct fg_table_maps *ret_maps)
{
    struct fg_table_maps maps;
    fg_tagmap_init(&maps.by_value);
    fg_tagmap_init(&maps.by_trace);
    int r = fg_tagmap_widened(&table->by_value, records, &maps.by_value);
    if (r == 0)
        r = fg_tagmap_widened(&table->by_trace, traces, &maps.by_trace);
    if (r < 0) {
        fg_table_free_maps(&maps);
        return r;
    }
    *ret_maps = maps;
    return 0;
}

void fg_table_exchange(struct fg_table *table, struct fg_table_maps *maps)
{
    struct fg_table_maps before = {table->by_value, table->by_trace};
    table->by_value = maps->by_value;
    table->by_trace = maps->by_trace;
    table->trace_version++;
    *maps = before;
}

/* -- What goes first */

int fg_table_choose(struct fg_table *table)
{
    uint32_t drop = table->count / 4 + 1, ended = 0, well = 0, exact = 0, count = 0;
    uint64_t *worth = malloc(((size_t)table->count + 1) * sizeof *worth);
    if (!worth)
        return FG_ENOMEM;
    for (uint32_t i = 0; i < fg_table_end(table); i++) {
        const struct fg_record *record = fg_table_at(table, i);
        if (!record)
            continue;
        worth[count] = worth_of(record);
        ended += worth[count] >> WORTH_RANK_SHIFT == RANK_ENDED;
        well += worth[count] >> WORTH_RANK_SHIFT <= RANK_WELL;
        count++;
    }
    uint32_t half = 2 * drop, more = drop + drop / 2;
    if (ended > more)
        drop = ended < half ? ended : half;
    else if (well > drop)
        drop = well < more ? well : more;
    if (drop > count)
        drop = count;
    uint64_t least_kept = drop < count ? nth_least(worth, count, drop) : UINT64_MAX;
    for (uint32_t i = 0; i < count; i++)
        exact += worth[i] < least_kept;
    for (uint32_t i = 0, at = 0; i < fg_table_end(table); i++) {
        struct fg_record *record = fg_table_at(table, i);
        if (!record)
            continue;
        /* of those worth the same the first */
        if (worth[at] < least_kept || (worth[at] == least_kept && exact < drop && ++exact))
            record->is_dead = true;
        at++;
    }
    free(worth);
    return 0;
}

/* -- From elsewhere */

int fg_table_adopt_take(struct fg_table *table, struct fg_record *record, uint32_t *ret_record)
{
    int r =
        table->count < table->count_max ? reserve_traces(table, record->trace_count) : FG_ELIMIT;
    record->hash = fg_hash_seeded(fg_slice(record->value, record->value_size), record->key);
    uint32_t id = FG_NO_RECORD;
    if (r == 0)
        r = add(table, record, &id);
    if (r < 0) {
        fg_record_free(record);
        return r;
    }
    for (uint32_t i = 0; i < record->trace_count; i++)
        fg_tagmap_add(&table->by_trace, fg_trace_hash(record->traces[i]), id);
    *record = (struct fg_record){.value = NULL};
    *ret_record = id;
    uint64_t look_ns = fg_table_record(table, id)->look_ns;
    return look_ns ? fg_table_plan(table, id, look_ns) : 0;
}
