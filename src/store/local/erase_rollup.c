#include "local/erase_rollup.h"

#include "base/limits.h"
#include "local/rollup_file.h"
#include "rollup_state.h"

#include <stdlib.h>

/* -- Whether a predicate is true of every span that an operation counts */

enum truth { NO, YES, UNKNOWN };

/* What is known of a span: of an edge's ends the service alone. */
struct known {
    struct fg_slice service, name;
    uint8_t kind, status;
    bool is_service_alone;
};

static enum truth compare(const struct fg_predicate *leaf, bool is_equal)
{
    if (leaf->op == FG_PRED_EQ)
        return is_equal ? YES : NO;
    return leaf->op == FG_PRED_NE ? (is_equal ? NO : YES) : UNKNOWN;
}

static enum truth compare_text(const struct fg_predicate *leaf, struct fg_slice text)
{
    /* A text that is empty may be one that is not there, or "other". */
    if (leaf->type != FG_VALUE_STRING || text.size == 0 || fg_slice_equal(text, FG_SLICE("other")))
        return UNKNOWN;
    return compare(leaf, fg_slice_equal(leaf->string, text));
}

static enum truth compare_code(const struct fg_predicate *leaf, uint8_t code)
{
    return leaf->type == FG_VALUE_INT ? compare(leaf, leaf->integer == code) : UNKNOWN;
}

static enum truth leaf_truth(const struct fg_predicate *leaf, const struct known *known)
{
    bool is_service_name = fg_slice_equal(leaf->key, FG_SLICE("service.name"));
    enum truth truth = UNKNOWN;
    switch (leaf->field) {
    case FG_FIELD_SERVICE:
        return compare_text(leaf, known->service);
    case FG_FIELD_ATTR_RESOURCE:
        return is_service_name ? compare_text(leaf, known->service) : UNKNOWN;
    case FG_FIELD_ATTR_ANY: /* the span may have another of this name */
        truth = is_service_name ? compare_text(leaf, known->service) : UNKNOWN;
        return truth == YES ? YES : UNKNOWN;
    case FG_FIELD_NAME:
        return known->is_service_alone ? UNKNOWN : compare_text(leaf, known->name);
    case FG_FIELD_KIND:
        return known->is_service_alone ? UNKNOWN : compare_code(leaf, known->kind);
    case FG_FIELD_STATUS:
        return known->is_service_alone ? UNKNOWN : compare_code(leaf, known->status);
    default:
        return UNKNOWN;
    }
}

/* Recursion is bounded by fg_predicate_check(). */
static enum truth truth_of(const struct fg_predicate *node, const struct known *known)
{
    enum truth truth, worst = node->op == FG_PRED_AND ? YES : NO;
    switch (node->op) {
    case FG_PRED_TRUE:
        return YES;
    case FG_PRED_NOT:
        truth = truth_of(node->children[0], known);
        return truth == UNKNOWN ? UNKNOWN : truth == YES ? NO : YES;
    case FG_PRED_AND:
    case FG_PRED_OR:
        for (uint32_t i = 0; i < node->child_count; i++) {
            truth = truth_of(node->children[i], known);
            if (truth == (node->op == FG_PRED_AND ? NO : YES))
                return truth;
            worst = truth == UNKNOWN ? UNKNOWN : worst;
        }
        return worst;
    default:
        return leaf_truth(node, known);
    }
}

/* -- Taking out */

static struct fg_slice text_of(const struct fg_rollup *rollup, uint32_t string)
{
    return rollup->strings[string].bytes;
}

static bool is_service_erased(const struct fg_predicate *predicate, struct fg_slice service)
{
    const struct known known = {.service = service, .is_service_alone = true};
    return truth_of(predicate, &known) == YES;
}

static bool is_erased(const struct fg_predicate *predicate, const struct fg_rollup *rollup,
                      const struct rollup_op *op)
{
    struct fg_slice first = text_of(rollup, op->first), second = text_of(rollup, op->second);
    if (!predicate)
        return true;
    if (op->type == ROLLUP_EDGE)
        return is_service_erased(predicate, first) || is_service_erased(predicate, second);
    const struct known known = {first, second, op->kind, op->status, false};
    return truth_of(predicate, &known) == YES;
}

/* The number of each operation, and whether a service has any. */
static void look_at_numbers(const struct fg_rollup *rollup, uint64_t *counts, bool *has_operation)
{
    for (size_t i = 0; i < rollup->slot_count; i++)
        if (rollup->keys[i])
            counts[rollup_key_op(rollup->keys[i] - 1)] += rollup->counts[i];
    for (uint32_t i = 0; i < rollup->op_count; i++)
        if (counts[i] && rollup->ops[i].type == ROLLUP_OPERATION)
            has_operation[rollup->ops[i].first] = true;
}

/* By the string of a service; strings that came later had none. */
struct services {
    bool *has_operation;
    uint32_t count;
};

static bool has_lost_all(const struct services *had, const bool *has_operation, uint32_t service)
{
    return service < had->count && had->has_operation[service] && !has_operation[service];
}

static void drop_numbers(struct fg_rollup *rollup, const bool *is_dropped)
{
    for (size_t i = 0; i < rollup->slot_count; i++)
        if (rollup->keys[i] && is_dropped[rollup_key_op(rollup->keys[i] - 1)])
            rollup->counts[i] = 0;
}

/* Operations that match, then calls of services that have lost all of theirs. *ret_did: whether
 * there was any. */
static int drop_ops(const struct fg_rollup_erase *erase, struct fg_rollup *rollup,
                    const struct services *had, bool *ret_did)
{
    uint64_t *counts = calloc(rollup->op_count + 1, sizeof *counts);
    bool *is_dropped = calloc(rollup->op_count + 1, sizeof *is_dropped);
    bool *has_operation = calloc(rollup->string_count + 1, sizeof *has_operation);
    int r = counts && is_dropped && has_operation ? 0 : FG_ENOMEM;
    for (uint32_t i = 0; r == 0 && i < rollup->op_count; i++)
        is_dropped[i] = is_erased(erase->predicate, rollup, &rollup->ops[i]);
    if (r == 0) {
        look_at_numbers(rollup, counts, has_operation);
        for (uint32_t i = 0; i < rollup->op_count; i++)
            *ret_did |= is_dropped[i] && counts[i];
        drop_numbers(rollup, is_dropped);
        memset(counts, 0, rollup->op_count * sizeof *counts);
        memset(has_operation, 0, rollup->string_count * sizeof *has_operation);
        look_at_numbers(rollup, counts, has_operation);
        for (uint32_t i = 0; i < rollup->op_count; i++) {
            const struct rollup_op *op = &rollup->ops[i];
            bool is_orphan = has_lost_all(had, has_operation, op->first) ||
                             has_lost_all(had, has_operation, op->second);
            is_dropped[i] = op->type == ROLLUP_EDGE && is_orphan;
            *ret_did |= is_dropped[i] && counts[i];
        }
        drop_numbers(rollup, is_dropped);
    }
    free(counts);
    free(is_dropped);
    free(has_operation);
    return r;
}

static int take_out(const struct fg_rollup_erase *erase, struct fg_rollup *rollup, bool *ret_did)
{
    struct services had = {.count = rollup->string_count};
    uint64_t *counts = calloc(rollup->op_count + 1, sizeof *counts);
    had.has_operation = calloc(had.count + 1, sizeof *had.has_operation);
    int r = counts && had.has_operation ? 0 : FG_ENOMEM;
    if (r == 0)
        look_at_numbers(rollup, counts, had.has_operation);
    if (r == 0 && erase->gone && erase->gone->used) {
        *ret_did = true;
        r = fg_rollup_add_window(rollup, erase->gone, 0, UINT64_MAX, -1);
    }
    if (r == 0)
        r = drop_ops(erase, rollup, &had, ret_did);
    free(counts);
    free(had.has_operation);
    return r;
}

/* -- A day's file */

static int write_file(const struct fg_rollup_erase *erase, const struct fg_rollup *rollup,
                      struct fg_manifest_rollup *ret_new)
{
    struct fg_local *local = erase->local;
    char path[FG_LOCAL_PATH_SIZE_MAX];
    struct fg_rollup *written;
    uint64_t id = fg_local_id_new(local);
    int r = fg_rollup_new(&written);
    if (r < 0)
        return r;
    /* Anew: names that nothing counts are not copied. */
    r = fg_rollup_add_window(written, rollup, 0, UINT64_MAX, 1);
    *ret_new = (struct fg_manifest_rollup){.tenant = erase->tenant, .day = erase->day};
    if (r == 0 && (written->used || fg_rollup_uncounted(written))) {
        fg_local_rollup_path(local, id, path);
        r = fg_rollup_file_write(local->env, path, written, &ret_new->size_bytes);
        ret_new->id = r == 0 ? id : 0;
    }
    fg_rollup_free(written);
    return r;
}

int fg_rollup_erase(const struct fg_rollup_erase *erase, const struct fg_local_version *version,
                    const struct fg_manifest_rollup **ret_old, struct fg_manifest_rollup *ret_new)
{
    const struct fg_manifest_rollup *old = NULL;
    struct fg_rollup *rollup;
    char path[FG_LOCAL_PATH_SIZE_MAX];
    bool did = false;
    *ret_old = NULL;
    *ret_new = (struct fg_manifest_rollup){.id = 0};
    for (size_t i = 0; i < version->rollup_count && !old; i++) {
        const struct fg_manifest_rollup *entry = &version->rollups[i]->entry;
        if (entry->tenant == erase->tenant && entry->day == erase->day)
            old = entry;
    }
    if (!old)
        return 0;
    int r = fg_rollup_new(&rollup);
    if (r < 0)
        return r;
    fg_local_rollup_path(erase->local, old->id, path);
    r = fg_rollup_file_read(erase->local->env, path, 0, UINT64_MAX, rollup);
    if (r == 0)
        r = take_out(erase, rollup, &did);
    if (r == 0 && did)
        r = write_file(erase, rollup, ret_new);
    if (r == 0 && did)
        *ret_old = old;
    fg_rollup_free(rollup);
    return r;
}

/* -- What goes of a segment */

static bool has_bit(const uint64_t *bits, uint32_t row)
{
    return bits[row / 64] >> (row % 64) & 1;
}

/* The service of the row's parent; empty: it does not lie in the page. */
static struct fg_slice caller_in(const struct fg_batch *page, uint32_t row)
{
    uint64_t parent = page->parent_span_id[row];
    for (uint32_t i = 0; parent && i < page->span_count; i++)
        if (page->span_id[i] == parent && page->trace_id_low[i] == page->trace_id_low[row] &&
            page->trace_id_high[i] == page->trace_id_high[row])
            return page->strings[page->resource_service[page->resource[i]]];
    return fg_slice(NULL, 0);
}

/* A call goes with either of its spans. */
static int count_page(const struct fg_batch *page, const uint64_t *bits, struct fg_rollup *gone)
{
    int r = 0;
    for (uint32_t row = 0; r == 0 && row < page->span_count; row++) {
        if (!has_bit(bits, row))
            continue;
        r = fg_rollup_count_span(gone, page, row, 1);
        if (r == 0)
            r = fg_rollup_count_call(gone, caller_in(page, row), page, row, 1);
    }
    return r;
}

int fg_rollup_count_gone(struct fg_segment *segment, const struct fg_predicate *predicate,
                         int (*match)(void *arg, const struct fg_batch *page, uint64_t *bits),
                         void *arg, struct fg_rollup *gone)
{
    const struct fg_segment_reader_options options = {
        .columns = (predicate ? fg_predicate_columns(predicate) : 0) | FG_COLUMNS_IDS |
                   FG_COLUMNS_TIMES | FG_COLUMNS_NAME | FG_COLUMNS_RESOURCE | FG_COLUMNS_STATUS,
        .keys_of = predicate,
        .page_cache_count = 1};
    uint64_t bits[FG_PAGE_ROWS_MAX / 64 + 1], count = fg_segment_info(segment)->span_count;
    struct fg_segment_reader *reader;
    int r = fg_segment_reader_new(segment, &options, &reader);
    if (r < 0)
        return r;
    for (uint64_t row = 0; row < count && r == 0;) {
        const struct fg_batch *page;
        uint64_t row_begin = 0;
        r = fg_segment_reader_page(reader, row, &page, &row_begin);
        if (r == 0 && (page->span_count > FG_PAGE_ROWS_MAX || page->span_count == 0))
            r = FG_ECORRUPT;
        if (r == 0)
            r = match(arg, page, bits);
        if (r == 0)
            r = count_page(page, bits, gone);
        if (r == 0)
            row = row_begin + page->span_count;
    }
    fg_segment_reader_free(reader);
    return r;
}
