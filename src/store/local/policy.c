#include "local/policy.h"

#include "base/limits.h"

#include <stdlib.h>

#define CONDITIONS_MAX 4u /* of one policy */

struct policy {
    struct fg_retention_policy asked; /* slices in the arena */
    struct fg_predicate conditions[CONDITIONS_MAX];
    const struct fg_predicate *children[CONDITIONS_MAX];
    struct fg_predicate root; /* all conditions */
    bool has_conditions;
};

struct fg_policies {
    atomic_uint refs;
    struct fg_retention retention; /* without policies */
    struct fg_arena arena;
    struct policy *list;
    size_t count;
    uint64_t generation; /* no two alike */
};

/* -- Making them */

static struct fg_slice copy(struct fg_policies *policies, struct fg_slice text)
{
    return text.size ? fg_arena_copy(&policies->arena, text) : text;
}

static void add_condition(struct policy *policy, const struct fg_predicate *condition)
{
    uint32_t at = policy->root.child_count++;
    policy->conditions[at] = *condition;
    policy->children[at] = &policy->conditions[at];
}

static void add_text(struct policy *policy, enum fg_field field, struct fg_slice key,
                     struct fg_slice value)
{
    const struct fg_predicate condition = {
        .op = FG_PRED_EQ, .field = field, .key = key, .type = FG_VALUE_STRING, .string = value};
    add_condition(policy, &condition);
}

static void fill(struct fg_policies *policies, struct policy *policy,
                 const struct fg_retention_policy *asked)
{
    policy->asked = *asked;
    policy->asked.service = copy(policies, asked->service);
    policy->asked.name = copy(policies, asked->name);
    policy->asked.key = copy(policies, asked->key);
    policy->asked.value = copy(policies, asked->value);
    policy->root = (struct fg_predicate){.op = FG_PRED_AND, .children = policy->children};
    if (asked->service.size)
        add_text(policy, FG_FIELD_SERVICE, fg_slice(NULL, 0), policy->asked.service);
    if (asked->name.size)
        add_text(policy, FG_FIELD_NAME, fg_slice(NULL, 0), policy->asked.name);
    if (asked->key.size)
        add_text(policy, FG_FIELD_ATTR_ANY, policy->asked.key, policy->asked.value);
    if (asked->has_status) {
        const struct fg_predicate condition = {.op = FG_PRED_EQ,
                                               .field = FG_FIELD_STATUS,
                                               .type = FG_VALUE_INT,
                                               .integer = asked->status};
        add_condition(policy, &condition);
    }
    policy->has_conditions = policy->root.child_count > 0;
}

int fg_policies_new(const struct fg_retention *retention, struct fg_policies **ret_policies)
{
    static atomic_uint_fast64_t generations;
    struct fg_policies *policies = calloc(1, sizeof *policies);
    if (!policies)
        return FG_ENOMEM;
    atomic_init(&policies->refs, 1);
    policies->retention = *retention;
    policies->retention.policies = NULL;
    policies->retention.policy_count = 0;
    policies->generation = atomic_fetch_add(&generations, 1) + 1;
    fg_arena_init(&policies->arena, (size_t)1 << 20);
    policies->list = calloc(retention->policy_count + 1, sizeof *policies->list);
    if (!policies->list) {
        fg_policies_unref(policies);
        return FG_ENOMEM;
    }
    policies->count = retention->policy_count;
    for (size_t i = 0; i < policies->count; i++)
        fill(policies, &policies->list[i], &retention->policies[i]);
    if (policies->arena.overflow) {
        fg_policies_unref(policies);
        return FG_ENOMEM;
    }
    *ret_policies = policies;
    return 0;
}

struct fg_policies *fg_policies_ref(struct fg_policies *policies)
{
    atomic_fetch_add(&policies->refs, 1);
    return policies;
}

void fg_policies_unref(struct fg_policies *policies)
{
    if (!policies || atomic_fetch_sub(&policies->refs, 1) != 1)
        return;
    fg_arena_free(&policies->arena);
    free(policies->list);
    free(policies);
}

/* -- Of a tenant */

static bool is_of(const struct policy *policy, uint32_t tenant)
{
    return !policy->asked.has_tenant || policy->asked.tenant == tenant;
}

uint64_t fg_policies_generation(const struct fg_policies *policies)
{
    return policies->generation;
}

const struct fg_retention *fg_policies_retention(const struct fg_policies *policies)
{
    return &policies->retention;
}

/* The first of the tenant's that asks nothing of a span: what comes behind it is never met. */
static const struct policy *default_of(const struct fg_policies *policies, uint32_t tenant)
{
    for (size_t i = 0; i < policies->count; i++)
        if (is_of(&policies->list[i], tenant) && !policies->list[i].has_conditions)
            return &policies->list[i];
    return NULL;
}

struct fg_retention fg_policies_default(const struct fg_policies *policies, uint32_t tenant)
{
    struct fg_retention retention = policies->retention;
    const struct policy *own = default_of(policies, tenant);
    if (own && own->asked.has_age)
        retention.age_ns = own->asked.age_ns;
    return retention;
}

bool fg_policies_has_bytes(const struct fg_policies *policies, uint32_t tenant)
{
    const struct policy *own = default_of(policies, tenant);
    return policies->retention.bytes_max != 0 || (own && own->asked.bytes_max != 0);
}

int fg_policies_each_tenant(const struct fg_policies *policies,
                            int (*fn)(void *arg, uint32_t tenant, uint64_t bytes_max), void *arg)
{
    int r = 0;
    for (size_t i = 0; i < policies->count && r == 0; i++) {
        const struct policy *policy = &policies->list[i];
        if (policy->has_conditions || !policy->asked.has_tenant || !policy->asked.bytes_max ||
            default_of(policies, policy->asked.tenant) != policy)
            continue;
        r = fn(arg, policy->asked.tenant, policy->asked.bytes_max);
    }
    return r;
}

/* Policies that ask something of a span, and can be met. */
static uint32_t conditions_of(const struct fg_policies *policies, uint32_t tenant)
{
    uint32_t mask = 0;
    for (size_t i = 0; i < policies->count; i++) {
        if (!is_of(&policies->list[i], tenant))
            continue;
        if (!policies->list[i].has_conditions)
            break;
        mask |= UINT32_C(1) << i;
    }
    return mask;
}

bool fg_policies_has_conditions(const struct fg_policies *policies, uint32_t tenant)
{
    return conditions_of(policies, tenant) != 0;
}

/* -- Which policy a row has */

struct marker {
    const struct fg_policy_round *round;
    uint32_t tenant;
    uint32_t mask; /* of conditions_of() */
    struct fg_matcher *matchers[FG_RETENTION_POLICIES_MAX];
    const struct fg_predicate *roots[FG_RETENTION_POLICIES_MAX];
    struct fg_predicate any; /* of them */
    uint64_t left[FG_PAGE_ROWS_MAX / 64 + 1], bits[FG_PAGE_ROWS_MAX / 64 + 1];
};

static void marker_free(struct marker *marker)
{
    if (!marker)
        return;
    for (size_t i = 0; i < FG_RETENTION_POLICIES_MAX; i++)
        fg_matcher_free(marker->matchers[i]);
    free(marker);
}

static int marker_new(const struct fg_policy_round *round, uint32_t tenant,
                      struct marker **ret_marker)
{
    const struct fg_policies *policies = round->policies;
    struct marker *marker = calloc(1, sizeof *marker);
    if (!marker)
        return FG_ENOMEM;
    marker->round = round;
    marker->tenant = tenant;
    marker->mask = conditions_of(policies, tenant);
    marker->any = (struct fg_predicate){.op = FG_PRED_OR, .children = marker->roots};
    int r = 0;
    for (size_t i = 0; i < policies->count && r == 0; i++) {
        if (!(marker->mask >> i & 1))
            continue;
        marker->roots[marker->any.child_count++] = &policies->list[i].root;
        r = fg_matcher_new(&policies->list[i].root, &marker->matchers[i]);
    }
    if (r < 0) {
        marker_free(marker);
        return r;
    }
    *ret_marker = marker;
    return 0;
}

/* Calls fn with the rows of a page that are policy's own, for each policy; then, as policy -1, with
 * those that have none. */
struct page_rows {
    const struct fg_batch *page;
    int policy;
    const uint64_t *bits;
};

static int mark_page(struct marker *marker, const struct fg_batch *page,
                     int (*fn)(void *arg, const struct page_rows *rows), void *arg)
{
    size_t words = (page->span_count + 63) / 64;
    int r = 0;
    memset(marker->left, 0xff, words * sizeof *marker->left);
    if (page->span_count % 64)
        marker->left[words - 1] = (UINT64_C(1) << page->span_count % 64) - 1;
    for (size_t i = 0; i < FG_RETENTION_POLICIES_MAX && r == 0; i++) {
        if (!marker->matchers[i])
            continue;
        r = fg_matcher_bind(marker->matchers[i], page);
        if (r == 0)
            r = fg_matcher_run(marker->matchers[i], 0, page->span_count, marker->bits);
        for (size_t w = 0; w < words && r == 0; w++) {
            marker->bits[w] &= marker->left[w];
            marker->left[w] &= ~marker->bits[w];
        }
        const struct page_rows rows = {page, (int)i, marker->bits};
        if (r == 0)
            r = fn(arg, &rows);
    }
    const struct page_rows others = {page, -1, marker->left};
    return r == 0 ? fn(arg, &others) : r;
}

static int mark_segment(struct marker *marker, struct fg_local_segment *segment,
                        int (*fn)(void *arg, const struct page_rows *rows), void *arg)
{
    const struct fg_segment_reader_options options = {
        .columns = fg_predicate_columns(&marker->any) | FG_COLUMNS_IDS,
        .keys_of = &marker->any,
        .page_cache_count = 1};
    struct fg_segment_reader *reader;
    if (!segment->segment)
        return FG_ECORRUPT;
    int r = fg_segment_reader_new(segment->segment, &options, &reader);
    if (r < 0)
        return r;
    uint64_t count = fg_segment_info(segment->segment)->span_count;
    for (uint64_t row = 0; row < count && r == 0;) {
        const struct fg_batch *page;
        uint64_t row_begin;
        if (fg_upkeep_is_stopping(&marker->round->local->upkeep))
            r = FG_ECANCELLED;
        if (r == 0)
            r = fg_segment_reader_page(reader, row, &page, &row_begin);
        if (r == 0 && (page->span_count > FG_PAGE_ROWS_MAX || page->span_count == 0))
            r = FG_ECORRUPT;
        if (r == 0)
            r = mark_page(marker, page, fn, arg);
        if (r == 0)
            row = row_begin + page->span_count;
    }
    fg_segment_reader_free(reader);
    return r;
}

/* -- Which policies have expired */

static bool has_aged(const struct fg_retention_policy *policy, uint32_t day, uint64_t now_ns)
{
    uint64_t day_end_ns = ((uint64_t)day + 1) * FG_NS_PER_DAY;
    return policy->has_age && policy->age_ns != 0 && now_ns > policy->age_ns &&
           day_end_ns <= now_ns - policy->age_ns;
}

/* Forgets what was found by other policies. */
static void renew(const struct fg_policies *policies, struct fg_local_segment *segment)
{
    if (segment->policy_generation == policies->generation)
        return;
    free(segment->policy_spans);
    segment->policy_spans = NULL;
    segment->policy_seen_mask = 0;
    segment->policy_generation = policies->generation;
}

bool fg_policy_has_seen(const struct fg_policies *policies, const struct fg_local_segment *segment,
                        uint32_t mask)
{
    return segment->policy_generation == policies->generation &&
           (segment->policy_seen_mask & mask) == mask;
}

void fg_policy_set_seen(const struct fg_policies *policies, struct fg_local_segment *segment,
                        uint32_t mask)
{
    renew(policies, segment);
    segment->policy_seen_mask |= mask;
}

struct counting {
    uint64_t *counts; /* by policy */
};

static int count_rows(void *arg, const struct page_rows *rows)
{
    const struct counting *counting = arg;
    if (rows->policy < 0)
        return 0;
    for (size_t w = 0; w < (rows->page->span_count + 63) / 64; w++)
        counting->counts[rows->policy] += (uint64_t)__builtin_popcountll(rows->bits[w]);
    return 0;
}

/* How many spans of a segment each policy has: remembered with it, since it does not change. */
static int count_segment(struct marker *marker, struct fg_local_segment *segment)
{
    const struct fg_policies *policies = marker->round->policies;
    if (segment->policy_generation == policies->generation && segment->policy_spans)
        return 0;
    uint64_t *counts = calloc(FG_RETENTION_POLICIES_MAX, sizeof *counts);
    if (!counts)
        return FG_ENOMEM;
    struct counting counting = {counts};
    int r = mark_segment(marker, segment, count_rows, &counting);
    if (r == FG_ECORRUPT) { /* said by whoever reads it */
        memset(counts, 0, FG_RETENTION_POLICIES_MAX * sizeof *counts);
        r = 0;
    }
    if (r < 0) {
        free(counts);
        return r;
    }
    renew(policies, segment);
    segment->policy_spans = counts;
    return 0;
}

static uint64_t bytes_of(const struct fg_local_segment *segment, size_t policy)
{
    const struct fg_manifest_segment *entry = &segment->entry;
    if (!segment->policy_spans || entry->span_count == 0)
        return 0;
    return (uint64_t)((double)entry->size_bytes * (double)segment->policy_spans[policy] /
                      (double)entry->span_count);
}

/* Whether what a policy has of this day and of later ones is more than it may have. Of the newest
 * day nothing goes. */
static bool is_over_bytes(const struct fg_policy_round *round, uint32_t tenant, uint32_t day,
                          size_t policy)
{
    uint64_t bytes = 0;
    uint32_t newest = 0;
    for (size_t i = 0; i < round->version->segment_count; i++) {
        const struct fg_local_segment *segment = round->version->segments[i];
        if (segment->entry.tenant != tenant || segment->entry.day < day)
            continue;
        bytes += bytes_of(segment, policy);
        newest = segment->entry.day > newest ? segment->entry.day : newest;
    }
    return day < newest && bytes > round->policies->list[policy].asked.bytes_max;
}

int fg_policy_expired(const struct fg_policy_round *round, uint32_t tenant, uint32_t day,
                      uint32_t *ret_mask)
{
    const struct fg_policies *policies = round->policies;
    uint32_t conditions = conditions_of(policies, tenant), mask = 0;
    struct marker *marker = NULL;
    bool has_bytes = false;
    int r = 0;
    for (size_t i = 0; i < policies->count; i++)
        has_bytes |= (conditions >> i & 1) && policies->list[i].asked.bytes_max;
    if (has_bytes)
        r = marker_new(round, tenant, &marker);
    for (size_t i = 0; has_bytes && i < round->version->segment_count && r == 0; i++)
        if (round->version->segments[i]->entry.tenant == tenant)
            r = count_segment(marker, round->version->segments[i]);
    marker_free(marker);
    if (r < 0)
        return r;
    for (size_t i = 0; i < policies->count; i++) {
        const struct fg_retention_policy *asked = &policies->list[i].asked;
        if (!(conditions >> i & 1))
            continue;
        bool is_over = asked->bytes_max && is_over_bytes(round, tenant, day, i);
        if (is_over || has_aged(asked, day, round->now_wall_ns))
            mask |= UINT32_C(1) << i;
    }
    *ret_mask = mask;
    return 0;
}

/* -- Which traces */

struct finding {
    struct fg_trace_set *set;
    uint32_t mask;
    bool default_expired;
    bool marks; /* the second pass: marks those that stay */
};

static bool has_expired(const struct finding *finding, int policy)
{
    return policy < 0 ? finding->default_expired : finding->mask >> policy & 1;
}

static int find_rows(void *arg, const struct page_rows *rows)
{
    struct finding *finding = arg;
    const struct fg_batch *page = rows->page;
    /* Of days that stay those that go are found, of days that go those that stay. */
    bool is_wanted = has_expired(finding, rows->policy) != finding->default_expired;
    if (is_wanted == finding->marks)
        return 0;
    for (uint32_t row = 0; row < page->span_count; row++) {
        if (!(rows->bits[row / 64] >> (row % 64) & 1))
            continue;
        uint64_t high = page->trace_id_high[row], low = page->trace_id_low[row];
        if (!finding->marks) {
            int r = fg_trace_set_add(finding->set, high, low);
            if (r < 0)
                return r;
            continue;
        }
        uint32_t at = fg_trace_set_find(finding->set, high, low);
        if (at != UINT32_MAX)
            finding->set->is_marked[at] = true;
    }
    return 0;
}

static int find(const struct fg_policy_round *round, const struct fg_policy_partition *partition,
                struct finding *finding)
{
    struct marker *marker;
    int r = marker_new(round, partition->tenant, &marker);
    if (r < 0)
        return r;
    for (size_t i = partition->begin; i < partition->end && r == 0; i++) {
        r = mark_segment(marker, round->version->segments[i], find_rows, finding);
        if (r == FG_ECORRUPT && finding->default_expired)
            r = 0;
    }
    marker_free(marker);
    return r;
}

int fg_policy_find_gone(const struct fg_policy_round *round,
                        const struct fg_policy_partition *partition, uint32_t mask,
                        struct fg_trace_set *set)
{
    struct finding finding = {.set = set, .mask = mask};
    int r = find(round, partition, &finding);
    if (r < 0 || set->count == 0)
        return r;
    finding.marks = true;
    return find(round, partition, &finding);
}

int fg_policy_find_kept(const struct fg_policy_round *round,
                        const struct fg_policy_partition *partition, uint32_t mask,
                        struct fg_trace_set *set)
{
    struct finding finding = {.set = set, .mask = mask, .default_expired = true};
    return find(round, partition, &finding);
}
