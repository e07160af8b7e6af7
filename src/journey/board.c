/* The board: what is wrong right now, by place and cause, and where all others stand. */
#include "base/hash.h"
#include "base/idmap.h"
#include "journeys_internal.h"

#include <stdlib.h>

struct group {
    uint32_t record; /* the one that stands longest */
    uint64_t count;
    uint64_t by_state[FG_JOURNEY_STATE_COUNT];
};

struct board {
    const struct fg_table *table;
    struct fg_idmap map;
    struct group groups[FG_JOURNEY_GROUPS_MAX];
    uint32_t group_count;
    struct fg_journey_standing standing[FG_FLOWS_MAX][FG_FLOW_STEPS_MAX];
};

static bool is_trouble(const struct fg_record *record)
{
    return record->trouble &&
           (record->state == FG_JOURNEY_LATE || record->state == FG_JOURNEY_STUCK ||
            record->state == FG_JOURNEY_BROKEN);
}

static bool is_alike(const struct fg_record *a, const struct fg_record *b)
{
    return a->place == b->place && a->cause == b->cause &&
           fg_slice_equal(a->trouble->service, b->trouble->service) &&
           fg_slice_equal(a->trouble->name, b->trouble->name);
}

struct wanted {
    const struct board *board;
    const struct fg_record *record;
};

static bool is_wanted(const void *context, uint32_t id)
{
    const struct wanted *wanted = context;
    const struct board *board = wanted->board;
    return is_alike(&board->table->records[board->groups[id].record], wanted->record);
}

static int add_to_group(struct board *board, uint32_t id)
{
    const struct fg_record *record = &board->table->records[id];
    struct wanted wanted = {board, record};
    uint64_t hash =
        fg_hash(record->trouble->service) ^
        fg_hash_u64(fg_hash(record->trouble->name) + record->place * 64u + record->cause);
    uint32_t group;
    int r = fg_idmap_find(&board->map, hash, is_wanted, &wanted, &group);
    if (r == FG_ENOTFOUND) {
        if (board->group_count == FG_JOURNEY_GROUPS_MAX)
            return 0;
        r = fg_idmap_intern(&board->map, hash, is_wanted, &wanted, board->group_count, &group);
        if (r == 0)
            board->groups[board->group_count++] = (struct group){.record = id};
    }
    if (r < 0)
        return r;
    struct group *to = &board->groups[group];
    to->count++;
    to->by_state[record->state]++;
    if (record->since_ns < board->table->records[to->record].since_ns)
        to->record = id;
    return 0;
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

static void tell_group(const struct fg_journeys *journeys, const struct group *group,
                       void (*fn)(void *arg, const struct fg_journey_group *group), void *arg)
{
    const struct fg_record *record = &journeys->table.records[group->record];
    struct fg_journey_group told = {.place = {(enum fg_place_kind)record->place,
                                              record->trouble->service, record->trouble->name},
                                    .cause = (enum fg_cause)record->cause,
                                    .text = record->trouble->text,
                                    .key = journeys->keys[record->key].name,
                                    .value = fg_slice(record->value, record->value_size),
                                    .count = group->count,
                                    .since_ns = record->since_ns};
    memcpy(told.by_state, group->by_state, sizeof told.by_state);
    fn(arg, &told);
}

int fg_journeys_board(struct fg_journeys *journeys,
                      void (*group)(void *arg, const struct fg_journey_group *group),
                      void (*standing)(void *arg, const struct fg_journey_standing *standing),
                      void *arg)
{
    const struct fg_flows *flows = journeys->options.flows;
    struct board *board = calloc(1, sizeof *board);
    int r = 0;
    if (!board)
        return FG_ENOMEM;
    board->table = &journeys->table;
    fg_idmap_init(&board->map);
    fg_mutex_lock(&journeys->mutex);
    for (uint32_t i = 0; r == 0 && i < journeys->table.count; i++) {
        const struct fg_record *record = &journeys->table.records[i];
        add_to_step(journeys, board, record);
        if (is_trouble(record))
            r = add_to_group(board, i);
    }
    qsort(board->groups, board->group_count, sizeof *board->groups, compare_groups);
    for (uint32_t i = 0; r == 0 && i < board->group_count; i++)
        tell_group(journeys, &board->groups[i], group, arg);
    fg_mutex_unlock(&journeys->mutex);
    for (uint32_t i = 0; r == 0 && i < flows->count; i++)
        for (uint32_t step = 0; step < flows->flows[i].step_count; step++) {
            board->standing[i][step].flow = &flows->flows[i];
            board->standing[i][step].step = step;
            standing(arg, &board->standing[i][step]);
        }
    fg_idmap_free(&board->map);
    free(board);
    return r;
}
