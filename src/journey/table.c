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

void fg_table_free(struct fg_table *table)
{
    FG_TABLE_EACH (table, FG_TABLE_ALL, id)
        fg_record_free(fg_table_record(table, id));
    for (uint32_t i = 0; i < table->block_count; i++)
        free(table->records[i]);
    free(table->records);
    free(table->blocks);
    free(table->looks);
    fg_tagmap_free(&table->by_value);
    fg_tagmap_free(&table->by_trace);
}

/* -- Places */

/* Room for one more block. */
static int grow(struct fg_table *table)
{
    if (table->block_count < table->block_capacity)
        return 0;
    uint32_t capacity = table->block_capacity ? table->block_capacity * 2 : 64;
    struct fg_block *blocks = realloc(table->blocks, capacity * sizeof *blocks);
    if (blocks)
        table->blocks = blocks;
    struct fg_record **records = realloc(table->records, capacity * sizeof *records);
    if (records)
        table->records = records;
    if (!blocks || !records)
        return FG_ENOMEM;
    table->block_capacity = capacity;
    return 0;
}

/* Behind the others, without places. */
static int add_block(struct fg_table *table)
{
    int r = grow(table);
    if (r < 0)
        return r;
    table->blocks[table->block_count] = (struct fg_block){.next_free = FG_NO_RECORD};
    table->records[table->block_count++] = NULL;
    return 0;
}

/* Its places, all of them free. */
static int fill_block(struct fg_table *table, uint32_t at)
{
    struct fg_record *records = calloc(FG_BLOCK_RECORDS, sizeof *records);
    if (!records)
        return FG_ENOMEM;
    for (uint32_t i = 0; i < FG_BLOCK_RECORDS; i++)
        records[i].hash = i + 1 < FG_BLOCK_RECORDS ? i + 1 : FG_NO_RECORD;
    table->records[at] = records;
    table->blocks[at].next_free = 0;
    return 0;
}

/* The first free place, the lower the better: the last blocks get empty and go. It is not taken
 * yet. */
static int find_place(struct fg_table *table, uint32_t *ret_id)
{
    uint32_t at = table->first_open;
    while (at < table->block_count && table->blocks[at].used == FG_BLOCK_RECORDS)
        at++;
    table->first_open = at;
    int r = at == table->block_count ? add_block(table) : 0;
    if (r == 0 && !table->records[at])
        r = fill_block(table, at);
    if (r == 0)
        *ret_id = at * FG_BLOCK_RECORDS + table->blocks[at].next_free;
    return r;
}

static void set(struct fg_table *table, enum fg_table_set set, uint32_t id, bool is_of_it)
{
    uint64_t *bits = &table->blocks[id / FG_BLOCK_RECORDS].sets[id % FG_BLOCK_RECORDS / 64][set],
             bit = UINT64_C(1) << id % 64;
    *bits = is_of_it ? *bits | bit : *bits & ~bit;
}

void fg_table_see_state(struct fg_table *table, uint32_t id)
{
    const struct fg_record *record = fg_table_record(table, id);
    set(table, FG_TABLE_ENDED, id, fg_record_has_ended(record));
    set(table, FG_TABLE_IN_TROUBLE, id, fg_record_is_in_trouble(record));
}

void fg_table_mark_dead(struct fg_table *table, uint32_t id, bool is_dead)
{
    set(table, FG_TABLE_DEAD, id, is_dead);
}

/* The record's parts are the table's from then on. */
static void take_place(struct fg_table *table, uint32_t id, const struct fg_record *record)
{
    struct fg_block *block = &table->blocks[id / FG_BLOCK_RECORDS];
    struct fg_record *place = fg_table_record(table, id);
    block->next_free = (uint32_t)place->hash;
    block->used++;
    *place = *record;
    set(table, FG_TABLE_ALL, id, true);
    fg_table_see_state(table, id);
}

/* The record's parts have gone already. A free place says in its hash which the next one is. */
static void leave_place(struct fg_table *table, uint32_t id)
{
    uint32_t at = id / FG_BLOCK_RECORDS;
    struct fg_block *block = &table->blocks[at];
    *fg_table_record(table, id) = (struct fg_record){.hash = block->next_free};
    for (unsigned of = 0; of < FG_TABLE_SETS; of++)
        set(table, (enum fg_table_set)of, id, false);
    block->next_free = id % FG_BLOCK_RECORDS;
    if (at < table->first_open)
        table->first_open = at;
    if (--block->used > 0)
        return;
    free(table->records[at]);
    table->records[at] = NULL;
    while (table->block_count > 0 && !table->records[table->block_count - 1])
        table->block_count--;
    if (table->first_open > table->block_count)
        table->first_open = table->block_count;
}

/* -- Sets */

/* Dropped ones among them. */
static uint32_t next_of(const struct fg_table *table, enum fg_table_set set, uint32_t from,
                        uint32_t end)
{
    uint32_t last = fg_table_end(table);
    end = end < last ? end : last;
    for (uint32_t id = from; id < end; id = (id / 64 + 1) * 64) {
        const struct fg_block *block = &table->blocks[id / FG_BLOCK_RECORDS];
        uint64_t bits = block->sets[id % FG_BLOCK_RECORDS / 64][set] >> id % 64;
        uint32_t found = bits ? id + (uint32_t)__builtin_ctzll(bits) : end;
        if (found < end)
            return found;
    }
    return FG_NO_RECORD;
}

uint32_t fg_table_next(const struct fg_table *table, enum fg_table_set set, uint32_t from,
                       uint32_t end)
{
    uint32_t id = next_of(table, set, from, end);
    while (table->is_dropping && id != FG_NO_RECORD && fg_table_is(table, FG_TABLE_DEAD, id))
        id = next_of(table, set, id + 1, end);
    return id;
}

uint32_t fg_table_count(const struct fg_table *table, enum fg_table_set set)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->block_count; i++)
        for (uint32_t word = 0; word < FG_BLOCK_RECORDS / 64; word++)
            count += (uint32_t)__builtin_popcountll(table->blocks[i].sets[word][set]);
    return count;
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

/* Of an order that was just placed. */
#define TRACES_AT_FIRST 1u
#define STEPS_AT_FIRST  1u

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
    struct fg_record record;
    int r = fg_record_make(&record, value, TRACES_AT_FIRST, STEPS_AT_FIRST);
    if (r < 0)
        return r;
    record.hash = hash;
    record.key = (uint16_t)key;
    r = add(table, &record, ret_record);
    if (r < 0)
        fg_record_free(&record);
    return r;
}

/* -- By trace */

static bool is_of(const struct fg_table *table, uint32_t id, struct fg_trace_ref trace)
{
    const struct fg_record *record = fg_table_at(table, id);
    return record && fg_record_trace(record, trace) < record->trace_count;
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
    forget_trace(table, id, record->traces[at]);
    table->trace_version++; /* others may stand where they have not been told yet */
    fg_record_drop_trace(record, at);
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
    int r = reserve_traces(table, 1);
    if (r == 0)
        r = fg_record_add_trace(record, trace, marks);
    if (r == 0)
        fg_tagmap_add(&table->by_trace, fg_trace_hash(trace), id);
    return r;
}

int fg_table_join(struct fg_table *table, uint32_t id, struct fg_trace_ref trace)
{
    struct fg_record *record = fg_table_record(table, id);
    uint32_t at = fg_record_trace(record, trace);
    if (at == record->trace_count)
        return join(table, id, trace, 0);
    if (record->trace_marks[at] & FG_TRACE_JOINED)
        record->trace_marks[at] |= FG_TRACE_NAMED;
    return 0;
}

/* Whether the trace names the record itself. */
static bool names(const struct fg_record *record, struct fg_trace_ref trace)
{
    uint8_t marks = record->trace_marks[fg_record_trace(record, trace)];
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
    uint32_t at = fg_record_trace(record, trace);
    if (at < record->trace_count)
        record->trace_marks[at] |= (uint8_t)mark;
}

/* -- Room */

/* What a record is worth to memory: ended ones least, then those heard least lately; those in
 * trouble much, those in doubt most. */
#define WORTH_RANK_SHIFT 62
enum rank { RANK_ENDED, RANK_WELL, RANK_IN_TROUBLE, RANK_IN_DOUBT };

static uint64_t worth_of(const struct fg_record *record)
{
    uint64_t rank = record->is_dirty                  ? RANK_IN_DOUBT
                    : fg_record_has_ended(record)     ? RANK_ENDED
                    : fg_record_is_in_trouble(record) ? RANK_IN_TROUBLE
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
    fg_table_drop_plan(table, id);
    for (uint32_t i = 0; i < record->trace_count; i++)
        forget_trace(table, id, record->traces[i]);
}

uint32_t fg_table_begin_drop(struct fg_table *table)
{
    uint32_t dead = fg_table_count(table, FG_TABLE_DEAD);
    table->is_dropping = true;
    table->count -= dead;
    table->evicted += dead;
    table->version++;
    return dead;
}

/* The dead of so many places are dropped at once. */
#define DROPPED_AT_ONCE 256u

bool fg_table_drop_some(struct fg_table *table, uint32_t *at)
{
    uint32_t ids[DROPPED_AT_ONCE] = {0}, count = 0, begin = *at, end = fg_table_end(table);
    bool goes_on = begin < end && end - begin > DROPPED_AT_ONCE; /* the last blocks may have gone */
    uint32_t next = goes_on ? begin + DROPPED_AT_ONCE : end;
    for (uint32_t id = begin; (id = next_of(table, FG_TABLE_DEAD, id, next)) != FG_NO_RECORD; id++)
        ids[count++] = id;
    fg_table_warm_drop(table, ids, count);
    table->trace_version++;
    for (uint32_t i = count; i > 0; i--) { /* so that the first place is free first */
        forget(table, ids[i - 1]);
        fg_record_free(fg_table_record(table, ids[i - 1]));
        leave_place(table, ids[i - 1]);
    }
    *at = next;
    table->is_dropping = next < fg_table_end(table);
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

static bool move_before(struct fg_table *table, uint32_t from)
{
    uint32_t to;
    if (find_place(table, &to) < 0 || to > from) /* next time */
        return false;
    move(table, from, to);
    fg_table_move_plan(table, to);
    return true;
}

/* Places that are looked at for each record that may be moved. */
#define SEEN_FOR_ONE 64u

uint32_t fg_table_close_ranks(struct fg_table *table, uint32_t end, uint32_t max,
                              bool (*movable)(const struct fg_record *record))
{
    uint32_t moved = 0, from = fg_table_end(table);
    uint64_t least = from > SEEN_FOR_ONE * (uint64_t)max ? from - SEEN_FOR_ONE * (uint64_t)max : 0;
    least = least > end ? least : end;
    if (from <= least || table->count >= end)
        return 0;
    table->version++;
    while (from > least && moved < max) {
        const struct fg_record *record =
            --from < fg_table_end(table) ? fg_table_at(table, from) : NULL;
        if (!record || !movable(record))
            continue;
        if (!move_before(table, from))
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

bool fg_table_is_sparse(const struct fg_table *table)
{
    return fg_tagmap_is_sparse(&table->by_value) || fg_tagmap_is_sparse(&table->by_trace);
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

uint32_t fg_table_choose_ended(struct fg_table *table)
{
    uint32_t count = 0;
    FG_TABLE_EACH (table, FG_TABLE_ENDED, id) {
        bool is_dirty = fg_table_record(table, id)->is_dirty;
        fg_table_mark_dead(table, id, !is_dirty);
        count += !is_dirty;
    }
    return count;
}

int fg_table_choose(struct fg_table *table, uint32_t eighths)
{
    uint32_t drop = table->count / 4 + 1, well = 0, exact = 0, count = 0;
    uint64_t *worth = malloc(((size_t)table->count + 1) * sizeof *worth);
    if (!worth)
        return FG_ENOMEM;
    FG_TABLE_EACH (table, FG_TABLE_ALL, id) {
        worth[count] = worth_of(fg_table_record(table, id));
        well += worth[count] >> WORTH_RANK_SHIFT <= RANK_WELL;
        count++;
    }
    uint32_t more = (uint32_t)((uint64_t)table->count * eighths / 8);
    if (well > drop && more > drop)
        drop = well < more ? well : more;
    if (drop > count)
        drop = count;
    uint64_t least_kept = drop < count ? nth_least(worth, count, drop) : UINT64_MAX;
    for (uint32_t i = 0; i < count; i++)
        exact += worth[i] < least_kept;
    count = 0;
    FG_TABLE_EACH (table, FG_TABLE_ALL, id) {
        uint64_t is = worth[count++];
        /* of those worth the same the first */
        if (is < least_kept || (is == least_kept && exact < drop && ++exact))
            fg_table_mark_dead(table, id, true);
    }
    free(worth);
    return 0;
}

/* -- From elsewhere */

int fg_table_adopt_take(struct fg_table *table, struct fg_record *record, uint32_t *ret_record)
{
    int r =
        table->count < table->count_max ? reserve_traces(table, record->trace_count) : FG_ELIMIT;
    uint64_t look_ns = record->look_ns;
    record->look_ns = 0;
    record->look_at = 0;
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
    return look_ns ? fg_table_plan(table, id, look_ns) : 0;
}
