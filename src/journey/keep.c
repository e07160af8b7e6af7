/* Keeping records: what is in memory and what on disk, and how one goes to the other.
 *
 *     new, changed --commit--> in memory, and on disk as it is
 *        in memory --evict---> on disk alone (absent): found by key, trace and deadline
 *           absent --fetch---> in memory again
 *
 * A commit holds the position that the log was read to: a record on disk may be newer than the
 * position, never older, and what is read twice changes nothing. What is evicted is written before
 * it is dropped, so that the disk alone is never behind; what stays waits for the commit, since it
 * may change again before. fetch.c reads back. */
#include "journeys_internal.h"
#include "sorted.h"
#include "store/consumer.h"
#include "warm.h"

#include "base/hash.h"

#include <stdlib.h>

/* Records of one transaction of the keyed state. Each changes a page of up to three trees, in
 * memory until it is committed and kept by LMDB for the next: 24 MiB. */
#define COMMIT_RECORDS_MAX 2048u
/* Each of these changes one. */
#define COMMIT_FINDERS_MAX (3 * COMMIT_RECORDS_MAX)
/* Beside the position in the log: when it was, by the wall clock. */
#define HEARD        "journeys_heard"
#define WALK_RECORDS 4096u
/* Of each of them, as a rule no more. */
#define TRACES_LOADED 16u
#define SWEEP_NS      (1 * FG_NS_PER_SECOND)
/* After a commit of more records than these the room on disk is looked at at once. */
#define MANY 256u
/* Those that have ended make room alone where they are one in so many; after a commit, where memory
 * is filled, and they are one in more. */
#define ENDED_MANY 8u
#define ENDED_SOME 16u

static struct fg_vault_name name_of(const struct fg_journeys *journeys,
                                    const struct fg_record *record)
{
    const struct fg_watched_key *key = &journeys->keys[record->key];
    return (struct fg_vault_name){key->hash, key->flow ? key->flow->print : 0};
}

uint32_t fg_journeys_key_of(const struct fg_journeys *journeys, uint64_t hash)
{
    for (uint32_t i = 0; i < journeys->key_count; i++)
        if (journeys->keys[i].hash == hash)
            return i;
    return FG_JOURNEY_KEYS_MAX;
}

/* -- When it was last listened */

int fg_journeys_recall_deafness(struct fg_journeys *journeys)
{
    uint64_t zero, heard_ns, now_ns = fg_env_wall_ns(journeys->options.env);
    int r = fg_state_position(journeys->options.state, HEARD, &zero, &heard_ns);
    if (r < 0)
        return r == FG_ENOTFOUND ? 0 : r;
    uint64_t deaf_ns = now_ns > heard_ns ? now_ns - heard_ns : 0;
    uint64_t hold_ns = deaf_ns < FG_JOURNEY_HOLD_NS_MAX - FG_JOURNEY_HOLD_NS
                           ? deaf_ns + FG_JOURNEY_HOLD_NS
                           : FG_JOURNEY_HOLD_NS_MAX;
    journeys->deafness = (struct fg_deafness){heard_ns, now_ns + hold_ns};
    return 0;
}

int fg_journeys_put_heard(struct fg_journeys *journeys)
{
    struct fg_state_batch *batch;
    int r = fg_state_batch_new(journeys->options.state, &batch);
    if (r < 0)
        return r;
    fg_state_put_position(batch, HEARD, 0, fg_env_wall_ns(journeys->options.env));
    r = fg_state_commit_take(journeys->options.state, batch);
    if (r == 0)
        journeys->heard_ns = fg_env_mono_ns(journeys->options.env);
    return r;
}

/* -- Room on disk */

/* With what was committed; true: old records are to go before their time. Mutex not held. */
static bool see_room(struct fg_journeys *journeys)
{
    struct fg_state_counters counters;
    fg_state_counters(journeys->options.state, &counters);
    fg_journeys_follow(journeys);
    journeys->is_full = counters.used_bytes > counters.size_max / 8 * 7;
    fg_mutex_unlock(&journeys->mutex);
    return counters.used_bytes > counters.size_max / 4 * 3;
}

/* -- Committing */

void fg_journeys_changed(struct fg_journeys *journeys, uint32_t id)
{
    struct fg_record *record = fg_table_record(&journeys->table, id);
    if (!journeys->vault || record->is_changed)
        return;
    if (journeys->changed_count == journeys->changed_capacity) {
        uint32_t capacity = journeys->changed_capacity ? journeys->changed_capacity * 2 : 256;
        uint32_t *changed = realloc(journeys->changed, capacity * sizeof *changed);
        if (!changed) {
            journeys->counters.failed_commits++; /* its next change puts it in */
            return;
        }
        journeys->changed = changed;
        journeys->changed_capacity = capacity;
    }
    record->is_changed = true;
    journeys->changed[journeys->changed_count++] = id;
}

/* -- What leads to records */

/* Halved when so many are counted. */
#define TRACES_COUNTED 65536u
/* Before so many nothing is known of how traces are. */
#define TRACES_KNOWN_MIN 4096u
/* Where no more traces than one in so many have spans that name no journey. */
#define UNNAMED_SHARE 64u

/* One with such a span is put once, and is counted then. */
static void count_trace(struct fg_journeys *journeys, uint8_t *marks)
{
    if (journeys->traces_put >= TRACES_COUNTED) {
        journeys->traces_put /= 2;
        journeys->traces_unnamed /= 2;
    }
    journeys->traces_put += (*marks & FG_TRACE_COUNTED) == 0;
    journeys->traces_unnamed += (*marks & FG_TRACE_UNNAMED) != 0;
    *marks |= FG_TRACE_COUNTED;
}

bool fg_journeys_list_traces(const struct fg_journeys *journeys)
{
    return journeys->traces_put < TRACES_KNOWN_MIN ||
           journeys->traces_unnamed > journeys->traces_put / UNNAMED_SHARE;
}

/* What leads from a trace to its record is asked for by spans that name no journey. Where all name
 * theirs, as libfiligree's do, it is written for those traces alone that have had such a span: the
 * rare other ones are looked up in the stored spans (fetch.c), and each would cost a page of the
 * disk when it comes and another one when the journey ends. */
static bool is_asked_for(const struct fg_journeys *journeys, uint8_t marks)
{
    return (marks & (FG_TRACE_UNNAMED | FG_TRACE_JOINED)) != 0 || fg_journeys_list_traces(journeys);
}

/* Whether all that has to lead to the record is on disk, or comes there with its look. */
static bool is_led_to(const struct fg_journeys *journeys, const struct fg_record *record,
                      struct fg_vault_name name)
{
    for (uint32_t at = 0; at < record->trace_count; at++)
        if (fg_vault_wants_trace(record, name, at) &&
            is_asked_for(journeys, record->trace_marks[at]))
            return false;
    return fg_vault_wants_finders(record, name);
}

/* -- Commits */

/* Some of the changed, and with the last of them the position. Mutex not held: only this
 * thread changes records. */
static int commit_some(struct fg_journeys *journeys, const uint32_t *changed, uint32_t count,
                       bool is_last)
{
    struct fg_state_batch *batch;
    int r = fg_state_batch_new(journeys->options.state, &batch);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < count; i++) {
        struct fg_record *record = fg_table_record(&journeys->table, changed[i]);
        fg_table_warm_next(&journeys->table, changed, count, i);
        struct fg_vault_name name = name_of(journeys, record);
        /* absent where that costs no more: if it goes as it is, it is not put again */
        fg_vault_put(journeys->vault, batch, name, record,
                     !record->is_dirty && is_led_to(journeys, record, name));
    }
    fg_journeys_follow(journeys);
    fg_learn_put(journeys, batch);
    if (is_last) {
        fg_journeys_put_room(journeys, batch);
        fg_early_put(journeys, batch);
    }
    fg_mutex_unlock(&journeys->mutex);
    /* A guest has none; and the leader's covers what its guests took of the log, too. */
    bool has_position = is_last && journeys->options.consumer && !journeys->guests_behind;
    if (has_position) {
        fg_consumer_put_position(journeys->options.consumer, batch, journeys->read_position);
        fg_state_put_position(batch, HEARD, 0, fg_env_wall_ns(journeys->options.env));
    }
    r = fg_state_commit_take(journeys->options.state, batch);
    for (uint32_t i = 0; r < 0 && i < count; i++)
        fg_vault_doubt(fg_table_record(&journeys->table, changed[i]));
    if (r == 0 && has_position)
        fg_consumer_durable(journeys->options.consumer, journeys->read_position);
    return r;
}

static int commit_all(struct fg_journeys *journeys, uint64_t *commits)
{
    uint32_t *changed = journeys->changed, all = journeys->changed_count, done = 0;
    int r;
    fg_table_sort(&journeys->table, changed, all);
    do {
        uint32_t rest = all - done, count = rest < COMMIT_RECORDS_MAX ? rest : COMMIT_RECORDS_MAX;
        r = commit_some(journeys, changed + done, count, count == rest);
        if (r < 0)
            break;
        for (uint32_t i = done; i < done + count; i++)
            fg_table_record(&journeys->table, changed[i])->is_changed = false;
        done += count;
        ++*commits;
    } while (done < all);
    journeys->changed_count -= done;
    if (done > 0 && done < all)
        memmove(changed, changed + done, journeys->changed_count * sizeof *changed);
    if (r == 0 && all > MANY)
        see_room(journeys);
    return r;
}

/* What was put of what was learned, and of what came early, is not on disk. */
static void put_again(struct fg_journeys *journeys)
{
    fg_early_unsettle(journeys->early);
    for (uint32_t i = 0; i < journeys->key_count; i++)
        journeys->keys[i].learned->is_changed = true;
}

void fg_journeys_put_look(struct fg_journeys *journeys, struct fg_state_batch *batch, uint32_t id)
{
    struct fg_record *record = fg_table_record(&journeys->table, id);
    struct fg_vault_name name = name_of(journeys, record);
    record->stored_look_ns = 0;
    fg_vault_put(journeys->vault, batch, name, record,
                 !record->is_dirty && is_led_to(journeys, record, name));
}

/* -- Evicting */

/* What is known of records that are dropped for good is not counted any more. */
static void count_again(struct fg_journeys *journeys)
{
    memset(journeys->by_state, 0, sizeof journeys->by_state);
    memset(journeys->standing, 0, sizeof journeys->standing);
    FG_TABLE_EACH (&journeys->table, FG_TABLE_ALL, id) {
        const struct fg_record *record = fg_table_record(&journeys->table, id);
        const struct fg_watched_key *key = &journeys->keys[record->key];
        journeys->by_state[record->state]++;
        if (key->flow && record->expected_step != FG_NO_STEP)
            journeys->standing[key->flow_index][record->expected_step]++;
    }
}

static uint32_t keep_there(const struct fg_table *table, uint32_t *records, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (!fg_table_is(table, FG_TABLE_DEAD, records[i]))
            records[kept++] = records[i];
    return kept;
}

void fg_journeys_unlist_dead(struct fg_journeys *journeys)
{
    journeys->dirty_count = keep_there(&journeys->table, journeys->dirty, journeys->dirty_count);
    journeys->changed_count =
        keep_there(&journeys->table, journeys->changed, journeys->changed_count);
}

/* A trace that has to lead to its record, by what the table of traces orders them by. */
struct finder {
    uint64_t order;
    uint32_t record, at;
};

struct finders {
    struct finder *all;
    size_t count, capacity;
};

static int compare_finders(const void *a, const void *b)
{
    const struct finder *x = a, *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

static int add_finders(struct fg_journeys *journeys, uint32_t id, struct finders *finders)
{
    const struct fg_record *record = fg_table_record(&journeys->table, id);
    struct fg_vault_name name = name_of(journeys, record);
    for (uint32_t at = 0; at < record->trace_count; at++) {
        if (!fg_vault_wants_trace(record, name, at))
            continue;
        count_trace(journeys, &record->trace_marks[at]);
        if (!is_asked_for(journeys, record->trace_marks[at]))
            continue;
        if (finders->count == finders->capacity) {
            size_t capacity = finders->capacity ? finders->capacity * 2 : 1024;
            struct finder *all = realloc(finders->all, capacity * sizeof *all);
            if (!all)
                return FG_ENOMEM;
            finders->all = all;
            finders->capacity = capacity;
        }
        finders->all[finders->count++] = (struct finder){fg_trace_hash(record->traces[at]), id, at};
    }
    return 0;
}

static int put_some_finders(struct fg_journeys *journeys, const struct finder *finders,
                            size_t count)
{
    struct fg_state_batch *batch;
    int r = fg_state_batch_new(journeys->options.state, &batch);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++) {
        if (count - i > 2 * FG_WARM_AHEAD)
            fg_table_warm_record(&journeys->table, finders[i + 2 * FG_WARM_AHEAD].record);
        if (count - i > FG_WARM_AHEAD)
            fg_table_warm_parts(&journeys->table, finders[i + FG_WARM_AHEAD].record);
        struct fg_record *record = fg_table_record(&journeys->table, finders[i].record);
        fg_vault_put_trace(journeys->vault, batch, name_of(journeys, record), record,
                           finders[i].at);
    }
    return fg_state_commit_take(journeys->options.state, batch);
}

static int put_finders(struct fg_journeys *journeys, const uint32_t *ids, uint32_t count)
{
    struct finders finders = {NULL, 0, 0};
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < count; i++)
        r = add_finders(journeys, ids[i], &finders);
    if (finders.count > 1)
        qsort(finders.all, finders.count, sizeof *finders.all, compare_finders);
    for (size_t i = 0; r == 0 && i < finders.count; i += COMMIT_FINDERS_MAX)
        r = put_some_finders(journeys, finders.all + i,
                             finders.count - i < COMMIT_FINDERS_MAX ? finders.count - i
                                                                    : COMMIT_FINDERS_MAX);
    free(finders.all);
    return r;
}

static int put_some_absent(struct fg_journeys *journeys, const uint32_t *ids, uint32_t count)
{
    struct fg_state_batch *batch;
    int r = fg_state_batch_new(journeys->options.state, &batch);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < count; i++) {
        fg_table_warm_next(&journeys->table, ids, count, i);
        struct fg_record *record = fg_table_record(&journeys->table, ids[i]);
        struct fg_vault_name name = name_of(journeys, record);
        fg_vault_put(journeys->vault, batch, name, record, fg_vault_wants_finders(record, name));
    }
    fg_journeys_follow(journeys);
    fg_learn_put(journeys, batch); /* what they taught before they go */
    fg_mutex_unlock(&journeys->mutex);
    return fg_state_commit_take(journeys->options.state, batch);
}

/* Those that are chosen (dead) and not on disk as they have to be there alone. */
static uint32_t list_unput(const struct fg_journeys *journeys, uint32_t *ids)
{
    const struct fg_table *table = &journeys->table;
    uint32_t count = 0;
    FG_TABLE_EACH (table, FG_TABLE_DEAD, id) {
        const struct fg_record *record = fg_table_record(table, id);
        struct fg_vault_name name = name_of(journeys, record);
        bool is_there = !fg_vault_wants_finders(record, name) ||
                        (fg_vault_is_put_absent(record) && is_led_to(journeys, record, name));
        if (record->is_changed || !is_there)
            ids[count++] = id;
    }
    return count;
}

/* First what finds them, then they themselves, each in its own order. */
static int put_absent(struct fg_journeys *journeys)
{
    struct fg_table *table = &journeys->table;
    uint32_t *ids = malloc(((size_t)fg_table_count(table, FG_TABLE_DEAD) + 1) * sizeof *ids);
    if (!ids)
        return FG_ENOMEM;
    uint32_t count = list_unput(journeys, ids);
    int r = put_finders(journeys, ids, count);
    fg_table_sort(&journeys->table, ids, count);
    for (uint32_t i = 0; r == 0 && i < count; i += COMMIT_RECORDS_MAX)
        r = put_some_absent(journeys, ids + i,
                            count - i < COMMIT_RECORDS_MAX ? count - i : COMMIT_RECORDS_MAX);
    for (uint32_t i = 0; i < count; i++)
        if (r == 0)
            fg_table_record(table, ids[i])->is_changed = false;
        else
            fg_vault_doubt(fg_table_record(table, ids[i]));
    free(ids);
    return r;
}

/* What they teach is taken before they go. */
static void see_them_off(struct fg_journeys *journeys)
{
    fg_journeys_follow(journeys);
    FG_TABLE_EACH (&journeys->table, FG_TABLE_DEAD, id) {
        fg_learn_leave(journeys, id);
        fg_journeys_let_in(journeys);
    }
    fg_mutex_unlock(&journeys->mutex);
}

/* They stay in memory as they were; on disk they are to be present again. */
static void keep_them(struct fg_journeys *journeys)
{
    FG_TABLE_EACH (&journeys->table, FG_TABLE_DEAD, id) {
        fg_table_mark_dead(&journeys->table, id, false);
        fg_journeys_changed(journeys, id);
    }
}

int fg_journeys_widen(struct fg_journeys *journeys, uint32_t records, uint32_t traces)
{
    struct fg_table_maps maps;
    if (fg_table_has_room(&journeys->table, records, traces) &&
        !fg_table_is_sparse(&journeys->table))
        return 0;
    fg_mutex_unlock(&journeys->mutex);
    int r = fg_table_widened(&journeys->table, records, traces, &maps);
    fg_journeys_follow(journeys);
    if (r < 0)
        return r;
    fg_table_exchange(&journeys->table, &maps);
    fg_mutex_unlock(&journeys->mutex);
    fg_table_free_maps(&maps);
    fg_journeys_follow(journeys);
    return 0;
}

static void note_absent(struct fg_journeys *journeys, const uint32_t *ids, uint32_t count)
{
    enum { AHEAD = 6 }; /* of those that were fetched from memory for it */
    const struct fg_table *table = &journeys->table;
    for (uint32_t i = 0; i < count; i++) {
        fg_table_warm_next(table, ids, count, i);
        if (i + AHEAD < count) {
            const struct fg_record *next = fg_table_record(table, ids[i + AHEAD]);
            if (next->trace_count > 0)
                fg_vault_expect(journeys->vault, journeys->keys[next->key].hash,
                                fg_slice(next->value, next->value_size), next->traces[0]);
        }
        const struct fg_record *record = fg_table_record(table, ids[i]);
        fg_vault_note_absent(journeys->vault, journeys->keys[record->key].hash, record);
    }
}

static void note_all_absent(struct fg_journeys *journeys)
{
    enum { AT_ONCE = 256 };
    uint32_t ids[AT_ONCE] = {0}, count = 0;
    FG_TABLE_EACH (&journeys->table, FG_TABLE_DEAD, id) {
        ids[count++] = id;
        if (count == AT_ONCE) {
            note_absent(journeys, ids, count);
            count = 0;
        }
    }
    note_absent(journeys, ids, count);
}

/* At once, as far as others see it: who asks finds each in memory or on disk. */
static void drop_absent(struct fg_journeys *journeys)
{
    struct fg_table *table = &journeys->table;
    uint32_t at = 0;
    note_all_absent(journeys);
    fg_journeys_unlist_dead(journeys);
    fg_journeys_follow(journeys);
    journeys->absent_count += fg_table_begin_drop(table);
    while (!fg_table_drop_some(table, &at))
        fg_journeys_let_in(journeys);
    fg_mutex_unlock(&journeys->mutex);
    fg_fetch_forget(&journeys->fetch);
}

/* -- Giving memory back */

/* Of a million records so many are moved within a millisecond or two; and no more often, since who
 * passes over all begins anew then. */
#define MOVED_AT_ONCE 2048u
#define MOVE_EVERY_NS (1 * FG_NS_PER_SECOND)

/* Others stand in lists by their numbers. */
static bool is_movable(const struct fg_record *record)
{
    return !record->is_dirty && !record->is_changed;
}

void fg_journeys_close_ranks(struct fg_journeys *journeys)
{
    uint64_t now_ns = fg_env_mono_ns(journeys->options.env);
    if (now_ns - journeys->moved_ns < MOVE_EVERY_NS)
        return;
    journeys->moved_ns = now_ns;
    fg_table_close_ranks(&journeys->table, journeys->table.count_max, MOVED_AT_ONCE, is_movable);
}

/* -- Evicting, to disk */

static bool have_ended(const struct fg_table *table, uint32_t one_in)
{
    return fg_table_count(table, FG_TABLE_ENDED) > table->count / one_in;
}

bool fg_journeys_have_many_ended(const struct fg_journeys *journeys)
{
    return have_ended(&journeys->table, ENDED_MANY);
}

/* Ended ones alone have to go. */
#define NONE_UNDER_WAY 0u

/* Who has to go. Mutex not held. */
static int choose(struct fg_table *table, uint32_t eighths)
{
    if (eighths == NONE_UNDER_WAY) {
        fg_table_choose_ended(table);
        return 0;
    }
    bool are_enough =
        have_ended(table, ENDED_MANY) && fg_table_choose_ended(table) > table->count / ENDED_SOME;
    return are_enough ? 0 : fg_table_choose(table, eighths);
}

/* Mutex not held. */
static int put_to_disk(struct fg_journeys *journeys, uint32_t eighths)
{
    int r = choose(&journeys->table, eighths);
    if (r < 0)
        return r;
    see_them_off(journeys);
    r = put_absent(journeys);
    see_room(journeys);
    if (r == 0)
        drop_absent(journeys);
    else
        keep_them(journeys);
    return r;
}

static int evict_to_disk(struct fg_journeys *journeys, uint32_t eighths)
{
    fg_mutex_unlock(&journeys->mutex);
    int r = put_to_disk(journeys, eighths);
    fg_journeys_follow(journeys);
    if (r < 0)
        put_again(journeys);
    journeys->counters.failed_commits += r < 0;
    return r;
}

int fg_journeys_evict(struct fg_journeys *journeys, uint32_t eighths)
{
    if (journeys->vault)
        return evict_to_disk(journeys, eighths);
    int r = fg_table_choose(&journeys->table, eighths); /* what goes is lost */
    if (r == 0) {
        fg_journeys_unlist_dead(journeys);
        fg_table_drop_dead(&journeys->table);
    }
    count_again(journeys);
    return r;
}

/* Just after a commit they are on disk as they are: they go from memory, and nothing is written. */
static int drop_ended(struct fg_journeys *journeys)
{
    const struct fg_table *table = &journeys->table;
    uint32_t count = table->count;
    if (journeys->is_stopping || !fg_journeys_is_filled(journeys) || !have_ended(table, ENDED_SOME))
        return 0;
    int r = evict_to_disk(journeys, NONE_UNDER_WAY);
    journeys->room.dropped += count - table->count;
    return r;
}

/* -- Committing all that changed */

int fg_journeys_commit(struct fg_journeys *journeys)
{
    uint64_t commits = 0;
    if (!journeys->vault)
        return 0;
    fg_mutex_unlock(&journeys->mutex);
    int r = commit_all(journeys, &commits);
    fg_journeys_follow(journeys);
    journeys->counters.commits += commits;
    journeys->committed_ns = journeys->heard_ns = fg_env_mono_ns(journeys->options.env);
    if (r < 0) {
        put_again(journeys);
        journeys->counters.failed_commits++;
        return r;
    }
    if (!journeys->guests_behind)
        journeys->committed_position = journeys->read_position;
    return drop_ended(journeys);
}

/* -- A start */

struct loading {
    struct fg_journeys *journeys;
    struct fg_state_batch *batch; /* for those that are absent from now on */
    uint32_t batch_count;
};

static int load_one(void *arg, uint64_t key_hash, uint64_t flow_print, bool is_absent,
                    struct fg_record *record)
{
    struct loading *loading = arg;
    struct fg_journeys *journeys = loading->journeys;
    uint32_t key = fg_journeys_key_of(journeys, key_hash), id;
    bool is_other_flow;
    if (key == FG_JOURNEY_KEYS_MAX)
        return 0; /* nobody watches it any more: swept with time */
    fg_journeys_let_in(journeys);
    int r = fg_fetch_fit(journeys, key, flow_print, record, &is_other_flow);
    if (r == FG_ECORRUPT) {
        journeys->counters.damaged++;
        return 0;
    }
    if (r < 0)
        return r;
    bool has_ended = fg_record_has_ended(record);
    bool is_in_trouble = fg_record_is_in_trouble(record);
    uint32_t room = journeys->table.count_max - journeys->table.count;
    journeys->by_state[record->state]++;
    if (journeys->keys[key].flow && record->expected_step != FG_NO_STEP)
        journeys->standing[journeys->keys[key].flow_index][record->expected_step]++;
    if (room > journeys->table.count_max / (is_in_trouble ? 8 : has_ended ? 2 : 4))
        return fg_fetch_adopt(journeys, record, is_other_flow, &id);
    const struct fg_vault_name name = {key_hash, flow_print};
    fg_vault_note_absent(journeys->vault, key_hash, record);
    journeys->absent_count++;
    if (!is_absent && fg_vault_wants_finders(record, name)) {
        for (uint32_t at = 0; at < record->trace_count; at++)
            if (fg_vault_wants_trace(record, name, at))
                fg_vault_put_trace(journeys->vault, loading->batch, name, record, at);
        fg_vault_put(journeys->vault, loading->batch, name, record, true);
        loading->batch_count++;
    }
    return 0;
}

static int load_some(struct fg_journeys *journeys, struct fg_vault_walk *walk)
{
    struct loading *loading = walk->arg;
    int r = fg_state_batch_new(journeys->options.state, &loading->batch);
    if (r < 0)
        return r;
    loading->batch_count = 0;
    fg_journeys_follow(journeys);
    r = fg_journeys_widen(journeys, WALK_RECORDS, TRACES_LOADED * WALK_RECORDS);
    if (r == 0)
        r = fg_vault_walk(journeys->vault, walk);
    fg_mutex_unlock(&journeys->mutex);
    if (r < 0 || loading->batch_count == 0) {
        fg_state_batch_free(loading->batch);
        return r;
    }
    return fg_state_commit_take(journeys->options.state, loading->batch);
}

int fg_journeys_load(struct fg_journeys *journeys)
{
    struct loading loading = {.journeys = journeys};
    struct fg_vault_walk walk = {.fn = load_one, .arg = &loading, .max = WALK_RECORDS};
    int r;
    do
        r = load_some(journeys, &walk);
    while (r == 0 && walk.after_size > 0);
    journeys->counters.damaged += walk.damaged;
    return r;
}

/* -- Looking after the disk */

void fg_journeys_uncount_absent(struct fg_journeys *journeys, const struct fg_record *record)
{
    const struct fg_watched_key *key = &journeys->keys[record->key];
    journeys->by_state[record->state] -= journeys->by_state[record->state] > 0;
    journeys->absent_count -= journeys->absent_count > 0;
    if (key->flow && record->expected_step != FG_NO_STEP &&
        record->expected_step < key->flow->step_count &&
        journeys->standing[key->flow_index][record->expected_step] > 0)
        journeys->standing[key->flow_index][record->expected_step]--;
}

struct sweeping {
    struct fg_journeys *journeys;
    struct fg_state_batch *batch;
    uint64_t now_ns;
    bool is_scarce;
    uint32_t count;
};

static int sweep_one(void *arg, uint64_t key_hash, uint64_t flow_print, bool is_absent,
                     struct fg_record *record)
{
    struct sweeping *sweeping = arg;
    struct fg_journeys *journeys = sweeping->journeys;
    uint32_t key = fg_journeys_key_of(journeys, key_hash);
    const struct fg_watched_key *watched = key < FG_JOURNEY_KEYS_MAX ? &journeys->keys[key] : NULL;
    bool has_ended = fg_record_has_ended(record);
    bool is_under_way = !has_ended && watched && watched->flow && record->reached != 0;
    uint64_t kept_ns =
        sweeping->is_scarce && !is_under_way ? FG_JOURNEY_KEPT_SCARCE_NS : FG_JOURNEY_KEPT_NS;
    struct fg_slice value = fg_slice(record->value, record->value_size);
    (void)flow_print;
    (void)is_absent;
    if (record->last_ns + kept_ns > sweeping->now_ns ||
        (watched && fg_table_find(&journeys->table, key, value) != FG_NO_RECORD))
        return 0;
    fg_vault_delete(journeys->vault, sweeping->batch, key_hash, record);
    sweeping->count++;
    if (watched) {
        record->key = (uint16_t)key;
        fg_journeys_follow(journeys);
        fg_journeys_uncount_absent(journeys, record);
        fg_mutex_unlock(&journeys->mutex);
    }
    return 0;
}

int fg_journeys_sweep(struct fg_journeys *journeys, uint64_t now_ns)
{
    struct sweeping sweeping = {.journeys = journeys, .now_ns = now_ns};
    uint64_t mono_ns = fg_env_mono_ns(journeys->options.env);
    if (!journeys->vault || mono_ns - journeys->swept_ns < SWEEP_NS)
        return 0;
    journeys->swept_ns = mono_ns;
    sweeping.is_scarce = see_room(journeys);
    int r = fg_state_batch_new(journeys->options.state, &sweeping.batch);
    if (r < 0)
        return r;
    journeys->sweep.fn = sweep_one;
    journeys->sweep.arg = &sweeping;
    journeys->sweep.max = sweeping.is_scarce ? WALK_RECORDS : 512;
    r = fg_vault_walk(journeys->vault, &journeys->sweep);
    if (r < 0 || sweeping.count == 0) {
        fg_state_batch_free(sweeping.batch);
        return r;
    }
    return fg_state_commit_take(journeys->options.state, sweeping.batch);
}

int fg_journeys_clear(struct fg_journeys *journeys)
{
    struct fg_state_batch *batch;
    int r = 0;
    if (journeys->vault) {
        r = fg_state_batch_new(journeys->options.state, &batch);
        if (r < 0)
            return r;
        fg_vault_delete_all(journeys->vault, batch);
        fg_early_forget(journeys, batch);
        /* until all is made anew a start makes all anew */
        fg_state_delete_position(batch, FG_JOURNEYS_CONSUMER);
        r = fg_state_commit_take(journeys->options.state, batch);
        if (r < 0)
            return r;
        fg_vault_forget_absent(journeys->vault);
        fg_fetch_forget(&journeys->fetch);
        journeys->absent_count = 0;
    }
    fg_learn_clear(journeys);
    FG_TABLE_EACH (&journeys->table, FG_TABLE_ALL, id)
        fg_table_mark_dead(&journeys->table, id, true);
    fg_journeys_unlist_dead(journeys);
    fg_table_drop_dead(&journeys->table);
    count_again(journeys);
    return 0;
}

int fg_journeys_reindex(struct fg_journeys *journeys)
{
    fg_mutex_lock(&journeys->mutex);
    journeys->reindex_wanted = true;
    journeys->counters.is_rebuilding = true;
    while (!journeys->options.manual && !journeys->is_stopping &&
           (journeys->reindex_wanted || journeys->counters.is_rebuilding))
        fg_cond_wait(&journeys->cond, &journeys->mutex);
    bool is_cut = journeys->is_stopping;
    fg_mutex_unlock(&journeys->mutex);
    return is_cut ? FG_ECANCELLED : 0;
}
