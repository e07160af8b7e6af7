#include "table.h"

#include "base/hash.h"
#include "base/limits.h"

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
    for (uint32_t i = 0; i < table->count; i++)
        fg_record_free(&table->records[i]);
    free(table->records);
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

/* -- By value */

static bool has_value(const struct fg_record *record, uint32_t key, struct fg_slice value)
{
    return record->key == key && fg_slice_equal(fg_slice(record->value, record->value_size), value);
}

static uint32_t find(const struct fg_table *table, uint64_t hash, uint32_t key,
                     struct fg_slice value)
{
    struct fg_tagmap_walk walk = fg_tagmap_walk(&table->by_value, hash);
    uint32_t id;
    do
        id = fg_tagmap_next(&table->by_value, &walk);
    while (id != FG_NO_RECORD && !has_value(&table->records[id], key, value));
    return id;
}

uint32_t fg_table_find(const struct fg_table *table, uint32_t key, struct fg_slice value)
{
    return find(table, fg_hash_seeded(value, key), key, value);
}

/* Numbers of records by their values, with room for more. */
static int map_values(struct fg_table *table, size_t room)
{
    int r = fg_tagmap_make(&table->by_value, room);
    for (uint32_t i = 0; r == 0 && i < table->count; i++)
        fg_tagmap_add(&table->by_value, table->records[i].hash, i);
    return r;
}

/* Behind all others. The record's parts are the table's from then on. */
static int add(struct fg_table *table, const struct fg_record *record)
{
    int r = grow((void **)&table->records, sizeof *table->records, table->count, &table->capacity);
    if (r == 0 && !fg_tagmap_has_room(&table->by_value, 1))
        r = map_values(table, (size_t)table->count * 2 + 1);
    if (r < 0)
        return r;
    fg_tagmap_add(&table->by_value, record->hash, table->count);
    table->records[table->count++] = *record;
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
    int r = add(table, &record);
    if (r < 0) {
        fg_record_free(&record);
        return r;
    }
    *ret_record = table->count - 1;
    return 0;
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

static bool is_of(const struct fg_record *record, struct fg_trace_ref trace)
{
    return place_of(record, trace) < record->trace_count;
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
    while (id != FG_NO_RECORD && !is_of(&table->records[id], walk->trace));
    return id;
}

uint32_t fg_table_trace(const struct fg_table *table, struct fg_trace_ref trace)
{
    struct fg_trace_walk walk = fg_table_trace_walk(table, trace);
    return fg_table_trace_next(table, &walk);
}

static size_t count_traces(const struct fg_table *table)
{
    size_t count = 0;
    for (uint32_t i = 0; i < table->count; i++)
        count += table->records[i].trace_count;
    return count;
}

static int map_traces(struct fg_table *table, size_t room)
{
    int r = fg_tagmap_make(&table->by_trace, room);
    if (r < 0)
        return r;
    table->trace_version++;
    for (uint32_t i = 0; i < table->count; i++)
        for (uint32_t t = 0; t < table->records[i].trace_count; t++)
            fg_tagmap_add(&table->by_trace, fg_trace_hash(table->records[i].traces[t]), i);
    return 0;
}

/* Room for so many traces more to be found by. */
static int make_trace_space(struct fg_table *table, uint32_t count)
{
    const struct fg_tagmap *map = &table->by_trace;
    size_t known = map->used - map->removed + count;
    return fg_tagmap_has_room(map, count) ? 0 : map_traces(table, known + known / 2);
}

/* Takes the trace at this place of the record out. */
static void leave(struct fg_table *table, uint32_t id, uint32_t at)
{
    struct fg_record *record = &table->records[id];
    struct fg_trace_walk walk = fg_table_trace_walk(table, record->traces[at]);
    size_t behind = (size_t)record->trace_count - at - 1;
    for (uint32_t found; (found = fg_table_trace_next(table, &walk)) != FG_NO_RECORD;)
        if (found == id) {
            fg_tagmap_remove(&table->by_trace, &walk.in);
            break;
        }
    memmove(record->traces + at, record->traces + at + 1, behind * sizeof *record->traces);
    memmove(record->trace_marks + at, record->trace_marks + at + 1, behind);
    record->trace_count--;
}

static void make_trace_room(struct fg_table *table, uint32_t id)
{
    struct fg_record *record = &table->records[id];
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

static int join(struct fg_table *table, uint32_t id, struct fg_trace_ref trace, uint8_t marks)
{
    struct fg_record *record = &table->records[id];
    if (record->trace_count == FG_JOURNEY_TRACES_MAX)
        make_trace_room(table, id);
    int r = record->trace_count == record->trace_capacity ? grow_traces(record) : 0;
    if (r == 0)
        r = make_trace_space(table, 1);
    if (r < 0)
        return r;
    fg_tagmap_add(&table->by_trace, fg_trace_hash(trace), id);
    record->trace_marks[record->trace_count] = marks;
    record->traces[record->trace_count++] = trace;
    return 0;
}

int fg_table_join(struct fg_table *table, uint32_t id, struct fg_trace_ref trace)
{
    struct fg_record *record = &table->records[id];
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
        if (other == id || names(&table->records[other], trace))
            return 0;
    int r = join(table, id, trace, FG_TRACE_JOINED | FG_TRACE_MATTERS);
    *ret_is_new = r == 0;
    return r;
}

void fg_table_mark(struct fg_table *table, uint32_t id, struct fg_trace_ref trace,
                   enum fg_trace_mark mark)
{
    struct fg_record *record = &table->records[id];
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

/* What finds all records as they are, with room for the others that there may be. */
static int map_again(struct fg_table *table)
{
    size_t traces = count_traces(table);
    table->look_count = 0;
    int r = map_values(table, table->capacity);
    if (r == 0)
        r = map_traces(table, traces + traces / 2 + 1);
    for (uint32_t i = 0; r == 0 && i < table->count; i++)
        if (table->records[i].look_ns)
            r = fg_table_plan(table, i, table->records[i].look_ns);
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

int fg_table_without_dead(const struct fg_table *table, uint32_t count_max,
                          struct fg_table *ret_table)
{
    struct fg_table kept;
    fg_table_init(&kept, count_max);
    kept.evicted = table->evicted;
    kept.trace_version = table->trace_version;
    for (uint32_t i = 0; i < table->count; i++)
        kept.capacity += !table->records[i].is_dead;
    if (kept.capacity < count_max) /* there are more where the bound was lowered */
        kept.capacity = count_max;
    kept.records = malloc((size_t)kept.capacity * sizeof *kept.records);
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
    int r =
        table->count < table->count_max ? make_trace_space(table, record->trace_count) : FG_ELIMIT;
    record->hash = fg_hash_seeded(fg_slice(record->value, record->value_size), record->key);
    if (r == 0)
        r = add(table, record);
    if (r < 0) {
        fg_record_free(record);
        return r;
    }
    uint32_t id = table->count - 1;
    for (uint32_t i = 0; i < record->trace_count; i++)
        fg_tagmap_add(&table->by_trace, fg_trace_hash(record->traces[i]), id);
    *record = (struct fg_record){.value = NULL};
    *ret_record = id;
    return table->records[id].look_ns ? fg_table_plan(table, id, table->records[id].look_ns) : 0;
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
