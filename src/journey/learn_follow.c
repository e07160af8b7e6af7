/* Learning from journeys as they complete, and using what was learned.
 *
 * Of a declared flow a journey teaches once, a grace after a step ended it well: its steps are in
 * its record, and nothing is read. Where none is declared, one that has been quiet for a while
 * teaches, and again when it goes on: its spans are read for it, as many as the tick's budget lets.
 * Once enough have taught it is one in some, and none that finds the budget spent. */
#include "journeys_internal.h"

#include <stdlib.h>

/* A journey without a declared flow that was not heard for so long teaches what it has done. */
#define QUIET_NS (30 * FG_NS_PER_SECOND)
/* Until so many were learned those that find the budget spent are read later, so many at a time. */
#define ENOUGH_TOTAL 1000u
#define LATER_NS     (200 * FG_NS_PER_MS)
#define LATER_COUNT  8u
/* Then one in so many is planned at all; before, at most so many more than were learned. */
#define ONE_IN      32u
#define PLANNED_MAX 4096u
/* Operations of one journey that are looked at. */
#define SEEN_MAX 512u
/* Flows made of what was learned, between a start and the next. */
#define MADE_MAX       256u
#define YAML_SIZE_MAX  ((size_t)256 << 10)
#define ARENA_SIZE_MAX ((size_t)2 << 20)
/* Records heard in this time are judged anew where their flow becomes another. */
#define ANEW_NS FG_NS_PER_DAY

struct fg_made_flow {
    struct fg_made_flow *next;
    struct fg_flows flows;
    struct fg_arena arena;
};

/* -- When */

static bool wants(const struct fg_journeys *journeys, const struct fg_record *record)
{
    const struct fg_watched_key *key = &journeys->keys[record->key];
    if (key->is_declared)
        return record->state == FG_JOURNEY_DONE && record->learned_ns == 0;
    return (record->state == FG_JOURNEY_FLOWING || record->state == FG_JOURNEY_DONE) &&
           record->last_ns > record->learned_ns;
}

static uint64_t when(const struct fg_journeys *journeys, const struct fg_record *record)
{
    return record->last_ns +
           (journeys->keys[record->key].is_declared ? FG_JOURNEY_GRACE_NS : QUIET_NS);
}

static void plan(struct fg_journeys *journeys, uint32_t id, uint64_t at_ns)
{
    if (fg_table_plan(&journeys->table, id, at_ns) == 0)
        fg_table_record(&journeys->table, id)->looks_to_learn = true;
    else
        journeys->counters.learned_not++; /* no memory: it teaches when it is heard again */
}

/* Of a key without a declared flow not each journey is planned, which costs memory and a change of
 * its record on disk: all up to some thousands more than were learned, and then one in some. */
static bool is_chosen(struct fg_watched_key *key, const struct fg_record *record)
{
    if (key->is_declared || record->hash % ONE_IN == 0)
        return true;
    if (key->learned->total >= ENOUGH_TOTAL || key->planned >= key->learned->total + PLANNED_MAX)
        return false;
    key->planned++;
    return true;
}

void fg_learn_plan(struct fg_journeys *journeys, uint32_t id)
{
    const struct fg_record *record = fg_table_record(&journeys->table, id);
    if (record->look_ns == 0 && wants(journeys, record) &&
        is_chosen(&journeys->keys[record->key], record))
        plan(journeys, id, when(journeys, record));
}

/* -- Taking */

/* What a failure or a monitor showed; other causes are taken from silence after a deadline, which
 * may be too tight. */
static bool was_shown(enum fg_cause cause)
{
    switch (cause) {
    case FG_CAUSE_NONE:
    case FG_CAUSE_WAITING:
    case FG_CAUSE_WORK_SKIPPED:
    case FG_CAUSE_SLOW_QUERY:
    case FG_CAUSE_SLOW:
    case FG_CAUSE_HUNG:
    case FG_CAUSE_GONE:
    case FG_CAUSE_FALLING_BEHIND:
    case FG_CAUSE_NOT_INSTRUMENTED:
    case FG_CAUSE_TELEMETRY_LOST:
    case FG_CAUSE_SAMPLED_OUT:
    case FG_CAUSE_NOT_ENOUGH_EVIDENCE:
    case FG_CAUSE_DEADLINE_TOO_TIGHT:
        return false;
    default:
        return true;
    }
}

static int learn_steps(struct fg_journeys *journeys, struct fg_record *record)
{
    struct fg_watched_key *key = &journeys->keys[record->key];
    record->learned_ns = record->last_ns;
    journeys->counters.learned++;
    const struct fg_trouble *recovered = record->recovered;
    bool was_wrong = recovered && was_shown((enum fg_cause)recovered->cause);
    uint64_t reached_ns[FG_FLOW_STEPS_MAX];
    fg_record_steps(record, reached_ns);
    return fg_learned_take_steps(key->learned, key->flow, record->reached, reached_ns,
                                 was_wrong ? recovered->since_ns : 0,
                                 was_wrong ? recovered->until_ns : 0);
}

/* What a service was asked to do, or began by itself, and did; reading is no step. */
static bool is_step(const struct fg_case *c, uint32_t row)
{
    uint8_t kind = c->batch->kind[row];
    bool begins = c->parent[row] == FG_TREE_NONE && c->batch->parent_span_id[row] == 0 &&
                  (kind == FG_SPAN_KIND_INTERNAL || kind == FG_SPAN_KIND_UNSPECIFIED);
    if (!c->mine[row] || c->batch->end_ns[row] == 0 || fg_case_failed(c, row) ||
        (kind != FG_SPAN_KIND_SERVER && kind != FG_SPAN_KIND_CONSUMER && !begins))
        return false;
    struct fg_slice method = fg_case_text(c, row, FG_KEY_HTTP_METHOD);
    return !fg_slice_equal(method, FG_SLICE("GET")) && !fg_slice_equal(method, FG_SLICE("HEAD"));
}

static int compare_seen(const void *a, const void *b)
{
    const struct fg_learned_seen *x = a, *y = b;
    if (x->end_ns != y->end_ns)
        return x->end_ns < y->end_ns ? -1 : 1;
    int r = fg_slice_compare(x->service, y->service);
    return r ? r : fg_slice_compare(x->name, y->name);
}

static uint32_t gather(const struct fg_case *c, struct fg_learned_seen *seen)
{
    uint32_t count = 0;
    for (uint32_t row = 0; row < c->batch->span_count && count < SEEN_MAX; row++) {
        if (!is_step(c, row))
            continue;
        struct fg_learned_seen is = {.service = fg_case_service(c, row),
                                     .name = fg_case_name(c, row),
                                     .kind = c->batch->kind[row],
                                     .end_ns = c->batch->end_ns[row]};
        uint32_t i = 0;
        while (i < count && (seen[i].kind != is.kind || !fg_slice_equal(seen[i].name, is.name) ||
                             !fg_slice_equal(seen[i].service, is.service)))
            i++;
        if (i == count)
            seen[count++] = is;
        else if (is.end_ns < seen[i].end_ns)
            seen[i].end_ns = is.end_ns;
    }
    qsort(seen, count, sizeof *seen, compare_seen);
    return count;
}

static int learn_spans(struct fg_journeys *journeys, uint32_t id)
{
    struct fg_case c;
    uint64_t last_ns = fg_table_record(&journeys->table, id)->last_ns;
    int r = fg_journeys_read_out(journeys, id, &c);
    struct fg_record *record = fg_table_record(&journeys->table, id);
    struct fg_learned *learned = journeys->keys[record->key].learned;
    struct fg_learned_seen *seen =
        r == 0 ? fg_arena_alloc(&journeys->arena, SEEN_MAX * sizeof *seen) : NULL;
    if (r == 0 && !seen)
        r = FG_ELIMIT;
    uint32_t count = r == 0 ? gather(&c, seen) : 0;
    uint64_t refused = learned->refused;
    if (r == 0 && count > 0)
        r = fg_learned_take_seen(learned, seen, count, record->learned_ns);
    journeys->counters.refused_steps += learned->refused - refused;
    journeys->counters.learned += count > 0;
    record->learned_ns = last_ns;
    fg_journeys_changed(journeys, id);
    return r;
}

static void learn(struct fg_journeys *journeys, uint32_t id)
{
    struct fg_record *record = fg_table_record(&journeys->table, id);
    struct fg_watched_key *key = &journeys->keys[record->key];
    bool is_late = fg_env_mono_ns(journeys->options.env) >= journeys->learn_until_ns;
    int r = 0;
    if (key->is_declared) {
        r = learn_steps(journeys, record);
        fg_journeys_changed(journeys, id);
    } else if (!is_late) {
        r = learn_spans(journeys, id);
    } else if (key->learned->total < ENOUGH_TOTAL) {
        /* one after the other, so that they don't come back at once */
        plan(journeys, id,
             fg_env_wall_ns(journeys->options.env) +
                 LATER_NS * (1 + journeys->learn_later++ / LATER_COUNT));
    } else {
        journeys->counters.learned_not++;
    }
    if (r < 0)
        journeys->counters.failed_reads++;
}

void fg_learn_look(struct fg_journeys *journeys, uint32_t id)
{
    const struct fg_record *record = fg_table_record(&journeys->table, id);
    uint64_t now_ns = fg_env_wall_ns(journeys->options.env);
    if (!record->looks_to_learn)
        fg_journeys_doubt(journeys, id);
    if (wants(journeys, record) && when(journeys, record) <= now_ns)
        learn(journeys, id);
    else
        fg_learn_plan(journeys, id);
}

void fg_learn_leave(struct fg_journeys *journeys, uint32_t id)
{
    struct fg_record *record = fg_table_record(&journeys->table, id);
    if (!record->looks_to_learn || !wants(journeys, record))
        return;
    fg_table_unplan(&journeys->table, id);
    fg_journeys_changed(journeys, id); /* as the disk has it, it is planned */
    if (journeys->keys[record->key].is_declared) {
        if (learn_steps(journeys, record) < 0)
            journeys->counters.failed_reads++;
        return;
    }
    journeys->counters.learned_not++; /* its spans would have to be read */
}

/* -- Deadlines in force */

static struct fg_hop_deadline deadline_of(const struct fg_watched_key *key, uint32_t step)
{
    const struct fg_flow_step *is = &key->flow->steps[step];
    uint32_t known = key->is_declared ? step : fg_learned_find(key->learned, is->name);
    uint64_t accepted_ns = fg_accepted_within_ns(key->accepted, is->name, is->print);
    struct fg_hop_deadline hop = {.ns = is->within_ns,
                                  .from_ns = key->is_declared ? key->step_since_ns[step] : 0};
    /* never looser than what is declared */
    if (accepted_ns > 0 && (hop.ns == 0 || accepted_ns < hop.ns))
        hop.ns = accepted_ns;
    if (known == FG_FLOW_STEP_NONE || is->after == 0)
        return hop;
    if (hop.ns > 0) {
        hop.needed_ns = fg_learned_deadline_ns(key->learned, known);
        if (hop.needed_ns > 0) {
            const struct fg_sketch *seen = key->learned->steps[known].hop;
            hop.seen_count = seen->count;
            hop.longer_count = fg_sketch_longer(seen, hop.ns);
        }
        return hop;
    }
    hop.ns = fg_learned_deadline_ns(key->learned, known);
    hop.is_provisional = hop.ns > 0;
    hop.count = hop.ns > 0 ? key->learned->steps[known].hop->count : 0;
    return hop;
}

static bool is_sooner(const struct fg_hop_deadline *now, const struct fg_hop_deadline *before)
{
    return now->ns > 0 && (before->ns == 0 || now->ns < before->ns / 2);
}

/* Those that stand where there is a deadline now are judged by it. */
static void doubt_standing(struct fg_journeys *journeys, uint32_t key, uint64_t steps)
{
    if (steps == 0)
        return;
    FG_TABLE_EACH (&journeys->table, FG_TABLE_ALL, id) {
        const struct fg_record *record = fg_table_record(&journeys->table, id);
        if (record->key == key && record->expected_step != FG_NO_STEP &&
            (steps >> record->expected_step & 1))
            fg_journeys_doubt(journeys, id);
    }
}

static void set_deadlines(struct fg_journeys *journeys, uint32_t index)
{
    struct fg_watched_key *key = &journeys->keys[index];
    struct fg_hop_deadline *in_force = journeys->deadlines[key->flow_index];
    uint64_t sooner = 0;
    for (uint32_t i = 0; key->flow && i < key->flow->step_count; i++) {
        struct fg_hop_deadline now = deadline_of(key, i);
        if (is_sooner(&now, &in_force[i]) || (in_force[i].is_provisional && !now.is_provisional))
            sooner |= UINT64_C(1) << i;
        in_force[i] = now;
    }
    doubt_standing(journeys, index, sooner);
}

/* -- Flows in force */

/* A flow of this text, which lives until the close: readers may hold it. *ret_flow NULL: "", no
 * flow, or more than MADE_MAX. */
static int make_flow(struct fg_journeys *journeys, struct fg_slice yaml,
                     const struct fg_flow **ret_flow)
{
    struct fg_buffer errors;
    if (yaml.size == 0) {
        *ret_flow = NULL;
        return 0;
    }
    struct fg_made_flow *made = calloc(1, sizeof *made);
    if (!made)
        return FG_ENOMEM;
    fg_arena_init(&made->arena, ARENA_SIZE_MAX);
    fg_buffer_init(&errors, 4096);
    int r = fg_flows_parse(yaml, "learned", &made->arena, &errors, &made->flows);
    fg_buffer_free(&errors);
    struct fg_made_flow *same = journeys->made;
    while (r == 0 && same && same->flows.flows[0].print != made->flows.flows[0].print)
        same = same->next;
    if (r == 0 && !same && journeys->made_count < MADE_MAX) {
        made->next = journeys->made;
        journeys->made = same = made;
        journeys->made_count++;
    } else {
        fg_flows_free(&made->flows);
        fg_arena_free(&made->arena);
        free(made);
    }
    if (r == FG_EINVALID) { /* a name that YAML can't hold: as if nothing were proposed */
        journeys->counters.damaged++;
        same = NULL;
        r = 0;
    }
    if (r == 0)
        *ret_flow = same ? &same->flows.flows[0] : NULL;
    return r;
}

/* The record's steps are those of another flow from now on. */
static void refit(struct fg_record *record)
{
    fg_record_unreach(record);
    record->last_step = record->expected_step = FG_NO_STEP;
    record->deadline_ns = 0;
}

static int use_flow(struct fg_journeys *journeys, uint32_t index, const struct fg_flow *flow)
{
    struct fg_watched_key *key = &journeys->keys[index];
    struct fg_steps *steps = NULL, **is = &journeys->steps[key->flow_index];
    uint64_t now_ns = fg_env_wall_ns(journeys->options.env);
    int r = flow ? fg_steps_new(flow, &journeys->names, &steps) : 0;
    if (r < 0)
        return r;
    FG_TABLE_EACH (&journeys->table, FG_TABLE_ALL, id) {
        struct fg_record *record = fg_table_record(&journeys->table, id);
        if (record->key == index)
            refit(record);
    }
    fg_steps_free(*is);
    *is = steps;
    memset(journeys->standing[key->flow_index], 0, sizeof journeys->standing[0]);
    memset(journeys->deadlines[key->flow_index], 0, sizeof journeys->deadlines[0]);
    fg_neighbours_forget_hops(journeys->neighbours, key->flow_index);
    fg_early_forget(journeys, NULL); /* of steps that are others now */
    key->flow = flow;
    FG_TABLE_EACH (&journeys->table, FG_TABLE_ALL, id) {
        const struct fg_record *record = fg_table_record(&journeys->table, id);
        if (record->key == index && record->last_ns + ANEW_NS > now_ns)
            fg_journeys_doubt(journeys, id);
    }
    return 0;
}

/* What a key without a declared flow goes by: what was accepted, else what is proposed. */
static int set_flow(struct fg_journeys *journeys, uint32_t index)
{
    struct fg_watched_key *key = &journeys->keys[index];
    const struct fg_flow *flow = NULL;
    struct fg_buffer yaml;
    fg_buffer_init(&yaml, YAML_SIZE_MAX);
    if (key->accepted)
        fg_buffer_append_slice(&yaml, key->accepted->yaml);
    else
        fg_learned_propose(key->learned, key->name, false, &yaml);
    int r = yaml.error ? yaml.error : make_flow(journeys, fg_buffer_slice(&yaml), &flow);
    bool was_provisional = key->is_provisional;
    fg_buffer_free(&yaml);
    if (r == 0 && flow != key->flow)
        r = use_flow(journeys, index, flow);
    if (r < 0)
        return r;
    key->is_provisional = flow && !key->accepted;
    if (was_provisional != key->is_provisional)
        memset(journeys->deadlines[key->flow_index], 0, sizeof journeys->deadlines[0]);
    if (key->learned->total >= FG_LEARN_JOURNEYS_MIN)
        key->proposed_total = key->learned->total;
    return 0;
}

/* A flow is proposed anew when as many journeys again were learned, and later after each
 * FG_LEARN_JOURNEYS_MAX, so that what lies at the edge of a share doesn't come and go. */
static bool is_proposal_due(const struct fg_watched_key *key)
{
    uint64_t before = key->proposed_total;
    uint64_t more = before < FG_LEARN_JOURNEYS_MAX ? before : FG_LEARN_JOURNEYS_MAX;
    return key->learned->total >= FG_LEARN_JOURNEYS_MIN && key->learned->total >= before + more;
}

int fg_learn_apply_key(struct fg_journeys *journeys, uint32_t index)
{
    int r = 0;
    if (!journeys->keys[index].is_declared)
        r = set_flow(journeys, index);
    if (r == 0)
        set_deadlines(journeys, index);
    return r;
}

int fg_learn_apply(struct fg_journeys *journeys)
{
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < journeys->key_count; i++) {
        struct fg_watched_key *key = &journeys->keys[i];
        bool is_new =
            key->was_accepted || (!key->is_declared && !key->accepted && is_proposal_due(key));
        if (is_new)
            r = fg_learn_apply_key(journeys, i);
        else if (key->learned->is_news)
            set_deadlines(journeys, i);
        if (r == 0)
            key->was_accepted = key->learned->is_news = false;
    }
    return r;
}

void fg_learn_close(struct fg_journeys *journeys)
{
    for (uint32_t i = 0; i < journeys->key_count; i++) {
        fg_learned_free(journeys->keys[i].learned);
        fg_accepted_free(journeys->keys[i].accepted);
    }
    while (journeys->made) {
        struct fg_made_flow *made = journeys->made;
        journeys->made = made->next;
        fg_flows_free(&made->flows);
        fg_arena_free(&made->arena);
        free(made);
    }
}
