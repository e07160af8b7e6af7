#include "local/rewrite.h"

#include "base/limits.h"
#include "local/ancestry.h"
#include "local/pour.h"
#include "local/rewrite_input.h"
#include "span/builder.h"

#include <stdlib.h>

/* A row group of fewer rows than this is not ended for the sake of one that is copied behind it. */
#define GROUP_ROWS_MIN 4096u

struct state {
    const struct fg_rewrite *rewrite;
    struct rewrite_input inputs[FG_MERGE_INPUTS_MAX];
    struct rewrite_part *parts; /* by start, then id: parts of one trace side by side */
    size_t part_count;
    struct fg_pour *pour;
    struct fg_ancestry ancestry; /* with places */
    struct fg_builder *joined;   /* the rows of one trace from several inputs */
    struct fg_pour_source joined_source;
    struct fg_arena order_arena;
    struct fg_rewrite_result result;
};

/* -- The list of traces */

/* Of one input, as its traces are visited: a list of them beside the parts would be as large. */
struct adding {
    struct state *state;
    uint32_t input;
};

static int add_part(void *arg, const struct fg_segment_trace *trace)
{
    const struct adding *adding = arg;
    struct state *state = adding->state;
    const struct fg_rewrite *rewrite = state->rewrite;
    if (rewrite->keeps_trace && !rewrite->keeps_trace(rewrite->arg, trace)) {
        state->result.dropped_spans += trace->row_count;
        return 0;
    }
    state->parts[state->part_count++] =
        (struct rewrite_part){.id_high = trace->id_high,
                              .id_low = trace->id_low,
                              .start_ns = trace->start_ns,
                              .row_begin = trace->row_begin,
                              .row_count = (uint32_t)trace->row_count,
                              .input = adding->input};
    state->inputs[adding->input].parts_left++;
    return 0;
}

/* -- A trace that is whole in one input */

static int pour_part(struct state *state, const struct rewrite_part *part)
{
    struct rewrite_input *input = &state->inputs[part->input];
    int r = fg_pour_trace(state->pour, part->row_count);
    fg_ancestry_begin(&state->ancestry);
    for (uint32_t place = 0; place < part->row_count && r == 0; place++) {
        uint32_t row, parent;
        r = rewrite_input_row(input, part->row_begin + place, &row);
        if (r == 0)
            r = fg_ancestry_step(&state->ancestry, input->page->span_id[row],
                                 input->page->parent_span_id[row], place, &parent);
        if (r == 0)
            r = fg_pour_row(state->pour, &input->source, input->page, row, 0, parent);
    }
    return r;
}

/* -- A trace of several parts, or one that loses rows */

/* Copies the rows that stay into joined. FG_ELIMIT: the trace is too large for that. */
static int gather(struct state *state, const struct rewrite_part *parts, size_t count)
{
    fg_builder_reset(state->joined);
    for (size_t i = 0; i < count; i++) {
        struct rewrite_input *input = &state->inputs[parts[i].input];
        rewrite_input_forget_joined(input);
        for (uint32_t place = 0; place < parts[i].row_count; place++) {
            uint32_t row;
            int r = rewrite_input_row(input, parts[i].row_begin + place, &row);
            if (r == 0 && rewrite_input_is_gone(input, row)) {
                state->result.dropped_spans++;
                continue;
            }
            if (r == 0)
                r = rewrite_input_copy(input, row, state->joined);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static int pour_joined(struct state *state)
{
    struct fg_batch batch;
    fg_builder_view(state->joined, &batch);
    if (batch.span_count == 0)
        return 0;
    const struct fg_batch *batches[] = {&batch};
    struct fg_row *rows = malloc(batch.span_count * sizeof *rows);
    if (!rows)
        return FG_ENOMEM;
    for (uint32_t i = 0; i < batch.span_count; i++)
        rows[i] = (struct fg_row){.row = i};
    struct fg_order order;
    fg_arena_reset(&state->order_arena);
    int r = fg_order_rows(batches, rows, batch.span_count, &state->order_arena, &order);
    free(rows);
    if (r < 0)
        return r == FG_ELIMIT ? FG_ENOMEM : r; /* the arena's bound is enough for what was joined */
    state->result.duplicate_spans += order.counts.duplicates;
    fg_pour_source_forget(&state->joined_source);
    return fg_pour_order(state->pour, batches, &state->joined_source, &order);
}

/* A trace too large to be joined in memory: its parts stand one behind the other, unresolved. Who
 * reads it resolves it. */
static int pour_unjoined(struct state *state, const struct rewrite_part *parts, size_t count)
{
    uint64_t row_count = 0;
    for (size_t i = 0; i < count; i++)
        row_count += parts[i].row_count;
    int r = fg_pour_trace(state->pour, row_count);
    for (size_t i = 0; i < count && r == 0; i++) {
        struct rewrite_input *input = &state->inputs[parts[i].input];
        for (uint32_t place = 0; place < parts[i].row_count && r == 0; place++) {
            uint32_t row;
            r = rewrite_input_row(input, parts[i].row_begin + place, &row);
            if (r == 0 && rewrite_input_is_gone(input, row))
                state->result.dropped_spans++;
            else if (r == 0)
                r = fg_pour_row(state->pour, &input->source, input->page, row, 0, FG_TREE_NONE);
        }
    }
    return r;
}

/* -- Trace by trace */

/* Whether a part can be copied as it stands: it loses no row, and no span shares its id with its
 * client's half, whose children the path alone does not tell apart. */
static int is_plain(struct state *state, const struct rewrite_part *part, bool *ret_is_plain)
{
    struct rewrite_input *input = &state->inputs[part->input];
    *ret_is_plain = true;
    for (uint32_t place = 0; place < part->row_count && *ret_is_plain;) {
        uint32_t row;
        int r = rewrite_input_row(input, part->row_begin + place, &row);
        if (r < 0)
            return r;
        uint32_t rest = input->page->span_count - row;
        uint32_t count = part->row_count - place < rest ? part->row_count - place : rest;
        *ret_is_plain = rewrite_input_is_plain(input, row, row + count);
        place += count;
    }
    return 0;
}

static int rewrite_trace(struct state *state, const struct rewrite_part *parts, size_t count)
{
    bool plain = false;
    int r = count == 1 ? is_plain(state, parts, &plain) : 0;
    if (r < 0)
        return r;
    if (plain)
        return pour_part(state, parts);
    uint64_t dropped = state->result.dropped_spans;
    r = gather(state, parts, count);
    if (r != FG_ELIMIT)
        return r < 0 ? r : pour_joined(state);
    state->result.dropped_spans = dropped;
    return pour_unjoined(state, parts, count);
}

/* Reads a trace's pages once before anything of it is poured, so that a damaged one leaves it out
 * as a whole. */
static int check_pages(struct state *state, const struct rewrite_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct rewrite_input *input = &state->inputs[parts[i].input];
        for (uint32_t place = 0, row; place < parts[i].row_count;) {
            int r = rewrite_input_row(input, parts[i].row_begin + place, &row);
            if (r < 0)
                return r;
            place += input->page->span_count - row;
        }
    }
    return 0;
}

/* Copies the row group that parts begins with, where there is one. *ret_count: its traces. */
static int rewrite_group(struct state *state, const struct rewrite_part *parts, size_t count,
                         size_t *ret_count)
{
    const struct fg_rewrite *rewrite = state->rewrite;
    struct rewrite_input *input = &state->inputs[parts->input];
    struct fg_segment_group_place group;
    *ret_count = 0;
    uint32_t rows = fg_pour_group_rows(state->pour);
    bool may_copy = !rewrite->keeps_trace && !rewrite->match_rows && !rewrite->skip_damaged &&
                    (rows == 0 || rows >= GROUP_ROWS_MIN);
    int r = may_copy ? rewrite_input_find_group(input, parts, count, &group, ret_count) : 0;
    if (r == 0 && *ret_count > 0)
        r = fg_pour_group(state->pour, input->segment, input->skimmer, group.number);
    if (r == 0 && *ret_count > 0)
        state->result.copied_spans += group.row_count;
    if (r == FG_ECORRUPT)
        input->is_damaged = true;
    return r;
}

/* These are poured: an input that has nothing more to give gives its pages back. */
static void part_with(struct state *state, const struct rewrite_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct rewrite_input *input = &state->inputs[parts[i].input];
        if (--input->parts_left == 0)
            rewrite_input_close(input);
    }
}

/* The next trace, or a whole row group of them. *ret_end: where what comes after it begins. */
static int rewrite_next(struct state *state, size_t begin, size_t *ret_end)
{
    const struct fg_rewrite *rewrite = state->rewrite;
    const struct rewrite_part *parts = &state->parts[begin];
    size_t copied, end = begin + 1;
    int r = rewrite_group(state, parts, state->part_count - begin, &copied);
    *ret_end = begin + copied;
    if (r < 0 || copied > 0)
        return r;
    while (end < state->part_count && rewrite_part_is_same_trace(parts, &state->parts[end]))
        end++;
    *ret_end = end;
    r = rewrite->skip_damaged ? check_pages(state, parts, end - begin) : 0;
    if (r != FG_ECORRUPT)
        return r < 0 ? r : rewrite_trace(state, parts, end - begin);
    state->result.damaged_pages++;
    for (size_t i = begin; i < end; i++)
        state->result.dropped_spans += state->parts[i].row_count;
    return 0;
}

static int rewrite_traces(struct state *state)
{
    const struct fg_rewrite *rewrite = state->rewrite;
    int r = 0;
    for (size_t begin = 0, end; begin < state->part_count && r == 0; begin = end) {
        if (rewrite->is_cancelled && rewrite->is_cancelled(rewrite->arg))
            return FG_ECANCELLED;
        r = rewrite_next(state, begin, &end);
        if (r == 0)
            part_with(state, &state->parts[begin], end - begin);
    }
    return r;
}

/* Room for the parts of all inputs at once: where it grew by one input's after the other's the old
 * and the new would be there together. */
static int make_room_for_parts(struct state *state)
{
    const struct fg_rewrite *rewrite = state->rewrite;
    size_t count = 1;
    for (uint32_t i = 0; i < rewrite->input_count; i++)
        count += fg_segment_info(rewrite->inputs[i]->segment)->trace_count;
    state->parts = malloc(count * sizeof *state->parts);
    return state->parts ? 0 : FG_ENOMEM;
}

static int open_all(struct state *state, const char *path)
{
    const struct fg_rewrite *rewrite = state->rewrite;
    int r = make_room_for_parts(state);
    for (uint32_t i = 0; i < rewrite->input_count && r == 0; i++) {
        struct rewrite_input *input = &state->inputs[i];
        r = rewrite_input_open(input, rewrite->inputs[i], rewrite->match_rows, rewrite->arg);
        if (r == 0)
            r = fg_segment_visit_traces(rewrite->inputs[i]->segment, add_part,
                                        &(struct adding){state, i});
        if (r == FG_ECORRUPT)
            input->is_damaged = true;
    }
    if (r < 0)
        return r;
    uint64_t seed;
    fg_env_random(rewrite->local->env, &seed, sizeof seed);
    if (rewrite->input_count > 1) /* otherwise they are in order as they came */
        r = rewrite_parts_sort(state->parts, state->part_count, seed);
    if (r < 0)
        return r;
    struct fg_builder_limits limits = fg_builder_limits_default();
    limits.bytes_max = FG_MERGE_TRACE_SIZE_MAX;
    r = fg_builder_new(&limits, &state->joined);
    if (r < 0 || state->part_count == 0)
        return r;
    const struct fg_segment_writer_options options = {.pace = rewrite->pace,
                                                      .pace_arg = rewrite->arg};
    return fg_pour_open(rewrite->local->env, path, &options, rewrite->with_rollup, &state->pour);
}

static void close_all(struct state *state)
{
    for (uint32_t i = 0; i < state->rewrite->input_count; i++)
        rewrite_input_close(&state->inputs[i]);
    fg_builder_free(state->joined);
    fg_pour_source_free(&state->joined_source);
    fg_arena_free(&state->order_arena);
    free(state->parts);
    fg_ancestry_free(&state->ancestry);
}

/* The file that was begun: complete, or gone. */
static int finish(struct state *state, int r, uint64_t id)
{
    const struct fg_rewrite *rewrite = state->rewrite;
    const struct fg_manifest_segment *first = &rewrite->inputs[0]->entry;
    struct fg_segment_info info;
    bool is_empty = !state->pour || fg_pour_row_count(state->pour) == 0;
    bool has_file = state->pour != NULL;
    if (r == 0 && !is_empty)
        r = fg_pour_finish_take(state->pour, &info);
    else
        fg_pour_abort(state->pour);
    state->pour = NULL;
    if (r < 0 || is_empty) {
        if (has_file)
            fg_local_discard(rewrite->local, id);
        state->result.is_empty = true;
        return r;
    }
    state->result.entry = fg_local_entry(id, first->tenant, first->day, rewrite->level, &info);
    return 0;
}

int fg_rewrite_run(const struct fg_rewrite *rewrite, struct fg_rewrite_result *ret_result,
                   struct fg_local_segment **ret_damaged)
{
    struct state *state = calloc(1, sizeof *state);
    if (!state)
        return FG_ENOMEM;
    state->rewrite = rewrite;
    /* order.h: 20 bytes a row and 40 for the trace; a row takes 100 bytes of the builder's at least
     */
    fg_arena_init(&state->order_arena, FG_MERGE_TRACE_SIZE_MAX / 4);
    char path[FG_LOCAL_PATH_SIZE_MAX];
    uint64_t id = fg_local_id_new(rewrite->local);
    fg_local_segment_path(rewrite->local, id, path);
    int r = open_all(state, path);
    if (r == 0)
        r = rewrite_traces(state);
    for (uint32_t i = 0; i < rewrite->input_count && r == FG_ECORRUPT; i++)
        if (state->inputs[i].is_damaged)
            *ret_damaged = rewrite->inputs[i];
    r = finish(state, r, id);
    if (r == 0)
        *ret_result = state->result;
    close_all(state);
    free(state);
    return r;
}
