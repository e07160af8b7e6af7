/* The board: what is wrong right now, by place and cause, and where all others stand. */
#include "base/hash.h"
#include "base/idmap.h"
#include "journeys_internal.h"

#include <stdlib.h>

/* Of what one group is told by; its parts are bounded where they are made. */
#define WORDS_SIZE_MAX ((size_t)1 << 18)

struct group {
    struct fg_buffer words; /* copies: records move on while others are looked at */
    uint32_t record;        /* the one that stands longest */
    enum fg_place_kind place;
    enum fg_cause cause;
    struct fg_slice service, name, text, key, value;
    uint64_t since_ns;
    uint64_t count;
    uint64_t by_state[FG_JOURNEY_STATE_COUNT];
};

struct board {
    struct fg_journeys *journeys;
    struct fg_idmap map;
    struct group groups[FG_JOURNEY_GROUPS_MAX];
    uint32_t group_count;
    struct fg_journey_standing standing[FG_FLOWS_MAX][FG_FLOW_STEPS_MAX];
};

static bool is_trouble(const struct fg_record *record)
{
    return record->trouble && fg_record_is_in_trouble(record);
}

struct wanted {
    const struct board *board;
    const struct fg_record *record;
};

static bool is_wanted(const void *context, uint32_t id)
{
    const struct wanted *wanted = context;
    const struct group *group = &wanted->board->groups[id];
    const struct fg_record *record = wanted->record;
    return group->place == record->place && group->cause == record->cause &&
           fg_slice_equal(group->service, record->trouble->service) &&
           fg_slice_equal(group->name, record->trouble->name);
}

/* The record is the one that the group is told by. */
static int tell_by(struct board *board, struct group *group, uint32_t id)
{
    const struct fg_record *record = fg_table_record(&board->journeys->table, id);
    const struct fg_trouble *trouble = record->trouble;
    const struct fg_slice parts[] = {trouble->service, trouble->name, trouble->text,
                                     fg_slice(record->value, record->value_size)};
    struct fg_slice *const copies[] = {&group->service, &group->name, &group->text, &group->value};
    fg_buffer_reset(&group->words);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        fg_buffer_append_slice(&group->words, parts[i]);
    if (group->words.error)
        return group->words.error;
    const uint8_t *at = group->words.data;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *copies[i] = fg_slice(at, parts[i].size);
        at += parts[i].size;
    }
    group->record = id;
    group->place = (enum fg_place_kind)record->place;
    group->cause = (enum fg_cause)record->cause;
    group->key = board->journeys->keys[record->key].name;
    group->since_ns = record->since_ns;
    return 0;
}

static int add_to_group(struct board *board, uint32_t id)
{
    const struct fg_record *record = fg_table_record(&board->journeys->table, id);
    struct wanted wanted = {board, record};
    uint64_t hash =
        fg_hash(record->trouble->service) ^
        fg_hash_u64(fg_hash(record->trouble->name) + record->place * 64u + record->cause);
    uint32_t index;
    int r = fg_idmap_find(&board->map, hash, is_wanted, &wanted, &index);
    if (r == FG_ENOTFOUND) {
        if (board->group_count == FG_JOURNEY_GROUPS_MAX)
            return 0;
        struct group *made = &board->groups[board->group_count];
        *made = (struct group){.record = id};
        fg_buffer_init(&made->words, WORDS_SIZE_MAX);
        r = tell_by(board, made, id);
        if (r == 0)
            r = fg_idmap_intern(&board->map, hash, is_wanted, &wanted, board->group_count, &index);
        if (r < 0)
            fg_buffer_free(&made->words);
        board->group_count += r == 0;
    }
    if (r < 0)
        return r;
    struct group *to = &board->groups[index];
    to->count++;
    to->by_state[record->state]++;
    return record->since_ns < to->since_ns ? tell_by(board, to, id) : 0;
}

static void add_to_step(const struct fg_journeys *journeys, struct board *board,
                        const struct fg_record *record)
{
    const struct fg_watched_key *key = &journeys->keys[record->key];
    if (!key->flow || record->expected_step == FG_NO_STEP)
        return;
    struct fg_journey_standing *standing = &board->standing[key->flow_index][record->expected_step];
    standing->by_state[record->state]++;
    if (record->since_ns && (standing->since_ns == 0 || record->since_ns < standing->since_ns))
        standing->since_ns = record->since_ns;
}

static int compare_groups(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return (x->record > y->record) - (x->record < y->record);
}

static void tell_group(const struct group *group,
                       void (*fn)(void *arg, const struct fg_journey_group *group), void *arg)
{
    struct fg_journey_group told = {.place = {group->place, group->service, group->name},
                                    .cause = group->cause,
                                    .text = group->text,
                                    .key = group->key,
                                    .value = group->value,
                                    .count = group->count,
                                    .since_ns = group->since_ns};
    memcpy(told.by_state, group->by_state, sizeof told.by_state);
    fn(arg, &told);
}

static int add(void *arg, uint32_t id)
{
    struct board *board = arg;
    const struct fg_record *record = fg_table_record(&board->journeys->table, id);
    add_to_step(board->journeys, board, record);
    return is_trouble(record) ? add_to_group(board, id) : 0;
}

static void add_anew(void *arg)
{
    struct board *board = arg;
    for (uint32_t i = 0; i < board->group_count; i++)
        fg_buffer_free(&board->groups[i].words);
    board->group_count = 0;
    fg_idmap_clear(&board->map);
    memset(board->standing, 0, sizeof board->standing);
}

int fg_journeys_board(struct fg_journeys *journeys,
                      void (*group)(void *arg, const struct fg_journey_group *group),
                      void (*standing)(void *arg, const struct fg_journey_standing *standing),
                      void *arg)
{
    const struct fg_flow *flows[FG_FLOWS_MAX] = {NULL};
    uint64_t version;
    struct board *board = calloc(1, sizeof *board);
    if (!board)
        return FG_ENOMEM;
    board->journeys = journeys;
    fg_idmap_init(&board->map);
    int r = fg_journeys_pass(journeys, FG_TABLE_ALL, add, add_anew, board, &version);
    fg_journeys_enter(journeys);
    for (uint32_t i = 0; i < journeys->key_count; i++)
        flows[journeys->keys[i].flow_index] = journeys->keys[i].flow;
    fg_mutex_unlock(&journeys->mutex);
    qsort(board->groups, board->group_count, sizeof *board->groups, compare_groups);
    for (uint32_t i = 0; r == 0 && i < board->group_count; i++)
        tell_group(&board->groups[i], group, arg);
    for (uint32_t i = 0; r == 0 && i < FG_FLOWS_MAX; i++)
        for (uint32_t step = 0; flows[i] && step < flows[i]->step_count; step++) {
            board->standing[i][step].flow = flows[i];
            board->standing[i][step].step = step;
            standing(arg, &board->standing[i][step]);
        }
    add_anew(board);
    fg_idmap_free(&board->map);
    free(board);
    return r;
}
