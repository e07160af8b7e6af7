/* Rows are numbered as they come. A node stands for a span id of a trace, whether a row has it
 * already or only names it as its parent; it lists the rows that have the id and those that wait
 * for it or have found it. So a call is counted when both its spans have met, whichever came first,
 * and each further form of a span meets those before it:
 *
 *     a better form (resolve.h)    the one before is taken back, with its call
 *     a worse or the same one      is not counted
 *     another ended form           is counted too
 *     a form in the head before    is not taken back there, since it will be sealed as it is, but
 *                                  noted (taken_back)
 *
 * The halves of a shared id (Zipkin) meet within one head only, as do a call's second caller and
 * the one it has: across two heads that is left to the merge.
 *
 * Nodes are told apart by a hash of 64 bits that senders can't choose. A node's list is walked up
 * to FORMS_MAX rows and CHILDREN_MAX calls a form; what is over counts as the first time it was
 * seen. */
#include "head_rollup.h"

#include "base/hash.h"
#include "content.h"
#include "rollup_state.h"

#include <stdlib.h>

#define NONE         UINT32_MAX
#define OLDER        UINT32_C(0x80000000) /* a service that a row of the head before has */
#define ROWS_MAX     (OLDER - 1)
#define SERVICES_MAX 1000u /* of those */
#define FORMS_MAX    64u
#define CHILDREN_MAX 100000u

struct row {
    const struct fg_batch *batch;
    uint32_t row;
    uint32_t next;         /* of the same node */
    uint32_t sibling;      /* the next child of the same parent's node */
    uint32_t half_sibling; /* the next server's half of the same node */
    uint32_t caller;       /* a row; with OLDER a place in older_services; NONE: it has none yet */
    bool is_counted;
    bool has_half; /* its caller is the client's half of its id */
};

struct node {
    uint64_t hash;                    /* 0: an empty slot */
    uint32_t first_row, last_row;     /* as they came */
    uint32_t first_child, first_half; /* rows that name it as their parent; that share its id */
};

struct fg_head_rollup {
    uint32_t tenant;
    uint64_t seed;
    size_t entry_count; /* that were looked at */
    struct row *rows;
    uint32_t row_count, row_capacity;
    struct node *nodes;
    size_t slot_count, node_count;
    struct fg_rollup *counted, *taken_back;
    struct fg_slice older_services[SERVICES_MAX]; /* in names */
    uint32_t older_service_count;
    struct fg_arena names;
    const struct fg_head_rollup *older; /* during an update */
};

/* -- Making */

void fg_head_rollup_free(struct fg_head_rollup *rollup)
{
    if (!rollup)
        return;
    fg_rollup_free(rollup->counted);
    fg_rollup_free(rollup->taken_back);
    free(rollup->rows);
    free(rollup->nodes);
    fg_arena_free(&rollup->names);
    free(rollup);
}

static int make(uint32_t tenant, uint64_t seed, struct fg_head_rollup **ret_rollup)
{
    struct fg_head_rollup *rollup = calloc(1, sizeof *rollup);
    if (!rollup)
        return FG_ENOMEM;
    rollup->tenant = tenant;
    rollup->seed = seed;
    fg_arena_init(&rollup->names, (size_t)2 << 20);
    int r = fg_rollup_new(&rollup->counted);
    if (r == 0)
        r = fg_rollup_new(&rollup->taken_back);
    if (r < 0) {
        fg_head_rollup_free(rollup);
        return r;
    }
    *ret_rollup = rollup;
    return 0;
}

/* -- Nodes */

static uint64_t hash_of(const struct fg_head_rollup *rollup, const struct fg_batch *batch,
                        uint32_t row, uint64_t span_id)
{
    uint64_t hash = fg_hash_u64(batch->trace_id_low[row] ^ rollup->seed);
    hash = fg_hash_u64(hash ^ batch->trace_id_high[row]);
    hash = fg_hash_u64(hash ^ span_id);
    return hash ? hash : 1;
}

static size_t slot_of(const struct fg_head_rollup *rollup, uint64_t hash)
{
    size_t mask = rollup->slot_count - 1, slot = hash & mask;
    while (rollup->nodes[slot].hash && rollup->nodes[slot].hash != hash)
        slot = (slot + 1) & mask;
    return slot;
}

/* NULL: there is none. */
static const struct node *find_node(const struct fg_head_rollup *rollup, uint64_t hash)
{
    if (!rollup || rollup->slot_count == 0)
        return NULL;
    const struct node *node = &rollup->nodes[slot_of(rollup, hash)];
    return node->hash ? node : NULL;
}

static int grow_nodes(struct fg_head_rollup *rollup)
{
    if (rollup->node_count + 1 <= rollup->slot_count / 4 * 3)
        return 0;
    struct fg_head_rollup larger = *rollup;
    larger.slot_count = rollup->slot_count ? 2 * rollup->slot_count : 1024;
    larger.nodes = calloc(larger.slot_count, sizeof *larger.nodes);
    if (!larger.nodes)
        return FG_ENOMEM;
    for (size_t i = 0; i < rollup->slot_count; i++)
        if (rollup->nodes[i].hash)
            larger.nodes[slot_of(&larger, rollup->nodes[i].hash)] = rollup->nodes[i];
    free(rollup->nodes);
    rollup->nodes = larger.nodes;
    rollup->slot_count = larger.slot_count;
    return 0;
}

/* The node's slot, which moves when another is made. */
static int make_node(struct fg_head_rollup *rollup, uint64_t hash, size_t *ret_slot)
{
    int r = grow_nodes(rollup);
    if (r < 0)
        return r;
    size_t slot = slot_of(rollup, hash);
    if (rollup->nodes[slot].hash == 0) {
        rollup->nodes[slot] = (struct node){hash, NONE, NONE, NONE, NONE};
        rollup->node_count++;
    }
    *ret_slot = slot;
    return 0;
}

/* -- Rows */

static struct fg_slice service_of(const struct row *row)
{
    const struct fg_batch *batch = row->batch;
    return batch->strings[batch->resource_service[batch->resource[row->row]]];
}

static bool has_mark(const struct row *row, uint16_t mark)
{
    return (fg_column_u16(row->batch->marks, row->row) & mark) != 0;
}

enum form { FORM_OPEN, FORM_INTERRUPTED, FORM_ENDED };

static enum form form_of(const struct row *row)
{
    if (has_mark(row, FG_MARK_INTERRUPTED))
        return FORM_INTERRUPTED;
    return row->batch->end_ns[row->row] ? FORM_ENDED : FORM_OPEN;
}

static bool is_same_span(const struct row *a, const struct row *b)
{
    return a->batch->kind[a->row] == b->batch->kind[b->row] &&
           fg_slice_equal(service_of(a), service_of(b));
}

static bool says_the_same(const struct row *a, const struct row *b)
{
    return fg_row_equal(a->batch, a->row, b->batch, b->row);
}

/* -- Counting */

/* A service of the head before, which may be gone when it is needed again. NONE: no room. */
static uint32_t older_service(struct fg_head_rollup *rollup, struct fg_slice service)
{
    for (uint32_t i = 0; i < rollup->older_service_count; i++)
        if (fg_slice_equal(rollup->older_services[i], service))
            return OLDER | i;
    struct fg_slice copy = {0};
    if (rollup->older_service_count < SERVICES_MAX && service.size)
        copy = fg_arena_copy(&rollup->names, service);
    if (!copy.data)
        return NONE;
    rollup->older_services[rollup->older_service_count] = copy;
    return OLDER | rollup->older_service_count++;
}

static struct fg_slice caller_of(const struct fg_head_rollup *rollup, const struct row *row)
{
    return row->caller & OLDER ? rollup->older_services[row->caller & ~OLDER]
                               : service_of(&rollup->rows[row->caller]);
}

static int count_call(struct fg_head_rollup *rollup, const struct row *row, int sign)
{
    if (row->caller == NONE)
        return 0;
    return fg_rollup_count_call(rollup->counted, caller_of(rollup, row), row->batch, row->row,
                                sign);
}

static int count(struct fg_head_rollup *rollup, struct row *row, int sign)
{
    int r = fg_rollup_count_span(rollup->counted, row->batch, row->row, sign);
    row->is_counted = sign > 0;
    return r == 0 ? count_call(rollup, row, sign) : r;
}

/* Whether a row with this service is a better caller than the one that row has: tree.c's rule, as
 * far as it decides between services. is_half: it is the client's half of the same id. */
static bool is_better(const struct fg_head_rollup *rollup, const struct row *row,
                      struct fg_slice service, bool is_half)
{
    if (row->caller == NONE || (is_half && !row->has_half))
        return true;
    return !row->has_half && fg_slice_equal(service, service_of(row)) &&
           !fg_slice_equal(caller_of(rollup, row), service);
}

static int offer_caller(struct fg_head_rollup *rollup, uint32_t at, const struct row *candidate,
                        uint32_t candidate_at)
{
    struct row *row = &rollup->rows[at];
    bool is_half = has_mark(row, FG_MARK_SHARED) &&
                   candidate->batch->span_id[candidate->row] == row->batch->span_id[row->row];
    int r = 0;
    if (row == candidate || !is_better(rollup, row, service_of(candidate), is_half))
        return 0;
    if (row->is_counted)
        r = count_call(rollup, row, -1);
    row->has_half = is_half;
    row->caller =
        candidate_at & OLDER ? older_service(rollup, service_of(candidate)) : candidate_at;
    if (r == 0 && row->is_counted)
        r = count_call(rollup, row, 1);
    return r;
}

/* The rows of a node as callers of row at. With half: those that are not the server's half. */
static int offer_callers(struct fg_head_rollup *rollup, uint32_t at,
                         const struct fg_head_rollup *of, const struct node *node, bool half)
{
    uint32_t candidate = node ? node->first_row : NONE;
    int r = 0;
    for (uint32_t i = 0; r == 0 && candidate != NONE && i < FORMS_MAX; i++) {
        const struct row *other = &of->rows[candidate];
        if (!half || !has_mark(other, FG_MARK_SHARED))
            r = offer_caller(rollup, at, other, of == rollup ? candidate : OLDER);
        candidate = other->next;
    }
    return r;
}

/* Finds the row's caller, where it is there, and lets it be found by one that comes later. */
static int find_caller(struct fg_head_rollup *rollup, uint32_t at, uint64_t span_id, bool half)
{
    struct row *row = &rollup->rows[at];
    uint64_t hash = hash_of(rollup, row->batch, row->row, span_id);
    size_t slot;
    int r = make_node(rollup, hash, &slot);
    if (r < 0)
        return r;
    struct node *node = &rollup->nodes[slot];
    r = offer_callers(rollup, at, rollup, node, half);
    if (r == 0 && rollup->older)
        r = offer_callers(rollup, at, rollup->older, find_node(rollup->older, hash), half);
    if (half) {
        row->half_sibling = node->first_half;
        node->first_half = at;
    } else {
        row->sibling = node->first_child;
        node->first_child = at;
    }
    return r;
}

/* Those that waited for the row's id. */
static int call_waiting(struct fg_head_rollup *rollup, uint32_t at, size_t slot)
{
    const struct row *row = &rollup->rows[at];
    uint32_t child = rollup->nodes[slot].first_child, half = rollup->nodes[slot].first_half;
    int r = 0;
    for (uint32_t i = 0; r == 0 && child != NONE && i < CHILDREN_MAX; i++) {
        r = offer_caller(rollup, child, row, at);
        child = rollup->rows[child].sibling;
    }
    if (has_mark(row, FG_MARK_SHARED))
        return r;
    for (uint32_t i = 0; r == 0 && half != NONE && i < CHILDREN_MAX; i++) {
        r = offer_caller(rollup, half, row, at);
        half = rollup->rows[half].half_sibling;
    }
    return r;
}

/* -- Forms of one span */

enum fate { FATE_COUNTS, FATE_IS_NONE };

/* Against the forms in this head. */
static int meet(struct fg_head_rollup *rollup, uint32_t at, uint32_t first, enum fate *ret_fate)
{
    const struct row *row = &rollup->rows[at];
    uint32_t other = first;
    *ret_fate = FATE_COUNTS;
    for (uint32_t i = 0; other != NONE && i < FORMS_MAX; i++) {
        struct row *form = &rollup->rows[other];
        other = form->next;
        if (!form->is_counted || !is_same_span(form, row))
            continue;
        enum form ours = form_of(row), theirs = form_of(form);
        bool is_both_ended = ours == FORM_ENDED && theirs == FORM_ENDED;
        if (theirs > ours || (is_both_ended && says_the_same(form, row))) {
            *ret_fate = FATE_IS_NONE;
            return 0;
        }
        if (is_both_ended)
            continue;
        int r = count(rollup, form, -1);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Whether a form of the head before has a better one here. */
static bool is_beaten(const struct fg_head_rollup *rollup, const struct row *form)
{
    uint64_t hash = hash_of(rollup, form->batch, form->row, form->batch->span_id[form->row]);
    const struct node *node = find_node(rollup, hash);
    uint32_t other = node ? node->first_row : NONE;
    for (uint32_t i = 0; other != NONE && i < FORMS_MAX; i++) {
        const struct row *row = &rollup->rows[other];
        if (is_same_span(row, form) && form_of(row) > form_of(form))
            return true;
        other = row->next;
    }
    return false;
}

/* The row that came here first with the id of a form's parent, where the head before had none. */
static const struct row *caller_here(const struct fg_head_rollup *rollup, const struct row *form)
{
    uint64_t parent = form->batch->parent_span_id[form->row];
    const struct node *node =
        parent ? find_node(rollup, hash_of(rollup, form->batch, form->row, parent)) : NULL;
    bool is_none = form->caller != NONE || !node || node->first_row == NONE;
    return is_none ? NULL : &rollup->rows[node->first_row];
}

/* Children of the head before: their calls are met here, with the first row that has their parent's
 * id. */
static int call_older_children(struct fg_head_rollup *rollup, uint32_t at, uint64_t hash)
{
    const struct fg_head_rollup *older = rollup->older;
    const struct node *node = find_node(older, hash);
    bool is_first = find_node(rollup, hash)->first_row == at;
    uint32_t child = node && is_first ? node->first_child : NONE;
    int r = 0;
    for (uint32_t i = 0; r == 0 && child != NONE && i < CHILDREN_MAX; i++) {
        const struct row *row = &older->rows[child];
        if (row->is_counted && row->caller == NONE && !is_beaten(rollup, row))
            r = fg_rollup_count_call(rollup->counted, service_of(&rollup->rows[at]), row->batch,
                                     row->row, 1);
        child = row->sibling;
    }
    return r;
}

/* The form counts no longer, here or there. */
static int take_back(struct fg_head_rollup *rollup, const struct row *form)
{
    int r = fg_rollup_count_span(rollup->taken_back, form->batch, form->row, 1);
    const struct row *here = caller_here(rollup, form);
    if (r == 0 && here)
        r = fg_rollup_count_call(rollup->counted, service_of(here), form->batch, form->row, -1);
    if (r == 0 && form->caller != NONE)
        r = fg_rollup_count_call(rollup->taken_back, caller_of(rollup->older, form), form->batch,
                                 form->row, 1);
    return r;
}

/* Against those of the head before, which stay counted there. */
static int meet_older(struct fg_head_rollup *rollup, uint32_t at, uint64_t hash,
                      enum fate *ret_fate)
{
    const struct fg_head_rollup *older = rollup->older;
    const struct row *row = &rollup->rows[at];
    const struct node *node = find_node(older, hash);
    uint32_t other = node ? node->first_row : NONE;
    int r = 0;
    for (uint32_t i = 0; r == 0 && other != NONE && i < FORMS_MAX; i++) {
        const struct row *form = &older->rows[other];
        other = form->next;
        if (!form->is_counted || !is_same_span(form, row))
            continue;
        enum form ours = form_of(row), theirs = form_of(form);
        bool is_both_ended = ours == FORM_ENDED && theirs == FORM_ENDED;
        if (theirs > ours || (theirs == ours && !is_both_ended) ||
            (is_both_ended && says_the_same(form, row)))
            *ret_fate = FATE_IS_NONE;
        else if (!is_both_ended && !is_beaten(rollup, form))
            r = take_back(rollup, form);
    }
    return r;
}

/* -- A row */

static int add_row(struct fg_head_rollup *rollup, const struct fg_batch *batch, uint32_t index)
{
    if (rollup->row_count == rollup->row_capacity) {
        if (rollup->row_capacity > ROWS_MAX / 2)
            return FG_ELIMIT;
        uint32_t capacity = rollup->row_capacity ? 2 * rollup->row_capacity : 1024;
        struct row *rows = realloc(rollup->rows, capacity * sizeof *rows);
        if (!rows)
            return FG_ENOMEM;
        rollup->rows = rows;
        rollup->row_capacity = capacity;
    }
    rollup->rows[rollup->row_count++] = (struct row){.batch = batch,
                                                     .row = index,
                                                     .next = NONE,
                                                     .sibling = NONE,
                                                     .half_sibling = NONE,
                                                     .caller = NONE};
    return 0;
}

static void append_row(struct fg_head_rollup *rollup, uint32_t at, struct node *node)
{
    if (node->first_row == NONE)
        node->first_row = at;
    else
        rollup->rows[node->last_row].next = at;
    node->last_row = at;
}

static int take_row(struct fg_head_rollup *rollup, const struct fg_batch *batch, uint32_t index)
{
    uint32_t at = rollup->row_count;
    uint64_t hash = hash_of(rollup, batch, index, batch->span_id[index]);
    enum fate fate = FATE_COUNTS;
    size_t slot = 0;
    int r = add_row(rollup, batch, index);
    if (r == 0)
        r = make_node(rollup, hash, &slot);
    if (r == 0)
        r = meet(rollup, at, rollup->nodes[slot].first_row, &fate);
    if (r == 0 && fate == FATE_COUNTS && rollup->older)
        r = meet_older(rollup, at, hash, &fate);
    if (r < 0)
        return r;
    append_row(rollup, at, &rollup->nodes[slot]);
    if (fate == FATE_COUNTS)
        r = count(rollup, &rollup->rows[at], 1);
    if (r == 0)
        r = call_waiting(rollup, at, slot);
    if (r == 0 && rollup->older)
        r = call_older_children(rollup, at, hash);
    uint64_t parent = batch->parent_span_id[index];
    bool is_shared = has_mark(&rollup->rows[at], FG_MARK_SHARED);
    if (r == 0 && is_shared)
        r = find_caller(rollup, at, batch->span_id[index], true);
    if (r == 0 && parent)
        r = find_caller(rollup, at, parent, false);
    return r;
}

int fg_head_rollup_update(struct fg_head_rollup **rollup, uint32_t tenant, uint64_t seed,
                          const struct fg_head_info *watermark, const struct fg_head_rollup *older)
{
    int r = 0;
    if (*rollup && (*rollup)->tenant != tenant) {
        fg_head_rollup_free(*rollup);
        *rollup = NULL;
    }
    if (!*rollup)
        r = make(tenant, seed, rollup);
    if (r < 0)
        return r;
    struct fg_head_cursor cursor = fg_head_begin(watermark);
    (*rollup)->older = older && older->tenant == tenant ? older : NULL;
    size_t at = 0;
    for (const struct fg_head_entry *entry; r == 0 && (entry = fg_head_next(&cursor)); at++) {
        if (at < (*rollup)->entry_count)
            continue;
        const struct fg_batch *batch = fg_block_batch(entry->block);
        for (uint32_t row = 0; r == 0 && entry->tenant == tenant && row < batch->span_count; row++)
            r = take_row(*rollup, batch, row);
        (*rollup)->entry_count = at + 1;
    }
    (*rollup)->older = NULL;
    if (r < 0) {
        fg_head_rollup_free(*rollup);
        *rollup = NULL;
    }
    return r;
}

int fg_head_rollup_add(const struct fg_head_rollup *rollup, uint64_t start_ns_min,
                       uint64_t start_ns_max, struct fg_rollup *to)
{
    return fg_rollup_add_window(to, rollup->counted, start_ns_min, start_ns_max, 1);
}

int fg_head_rollup_take_back(const struct fg_head_rollup *rollup, uint64_t start_ns_min,
                             uint64_t start_ns_max, struct fg_rollup *from)
{
    return fg_rollup_add_window(from, rollup->taken_back, start_ns_min, start_ns_max, -1);
}
