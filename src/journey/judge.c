/* Judging: a record is copied out, its traces are read and decided without any lock, and what was
 * found is written back. */
#include "decide.h"
#include "journeys_internal.h"
#include "os/process.h"
#include "span/builder.h"
#include "store/trace_reader.h"
#include "way.h"

#include <stdlib.h>

/* One that is in doubt again and again, as when a message is retried, is judged this often. */
#define JUDGE_EVERY_NS (1 * FG_NS_PER_SECOND)
/* And one whose traces take long to read no more often than takes a twentieth of a processor. */
#define JUDGE_SHARE 20u
/* All that stand still are judged again for no more than such a share of a processor together. */
#define AGAIN_SHARE 40u
/* Of what a tick allows: a journey that took long holds the others up no longer than this. */
#define DEBT_MAX 10u
/* A round of judging begins when there is so much to spend: what is judged together reads a page of
 * the store once, and into the same memory. */
#define ROUND_NS (10 * FG_NS_PER_MS)

static uint64_t pause_ns(const struct fg_record *record, uint64_t least_ns)
{
    uint64_t ns = JUDGE_SHARE * (uint64_t)record->judge_ms * FG_NS_PER_MS;
    return ns > least_ns ? ns : least_ns;
}

/* Until one that stands still is judged again though nothing came: its reason may be told by then.
 */
static uint64_t again_ns(const struct fg_journeys *journeys, const struct fg_record *record)
{
    uint64_t standing = journeys->by_state[FG_JOURNEY_LATE] + journeys->by_state[FG_JOURNEY_STUCK] +
                        journeys->by_state[FG_JOURNEY_BROKEN];
    uint64_t one_ns = AGAIN_SHARE * journeys->judge_ns;
    uint64_t ns = one_ns > 0 && standing > FG_JOURNEY_AGAIN_NS_MAX / one_ns
                      ? FG_JOURNEY_AGAIN_NS_MAX
                      : standing * one_ns;
    return pause_ns(record, ns > FG_JOURNEY_AGAIN_NS ? ns : FG_JOURNEY_AGAIN_NS);
}

/* A record as it was when its case was begun. */
struct docket {
    uint32_t key;
    const struct fg_flow *flow; /* it may become another meanwhile, and lives until the close */
    bool flow_is_provisional;
    const struct fg_hop_deadline *deadlines;
    struct fg_slice value;
    struct fg_trace_ref *traces;
    uint32_t trace_count;
    bool more_traces;
    uint32_t waiting_count;
    struct fg_recovery recovered;
    uint64_t reached;
    uint64_t *reached_ns;
};

static int copy_out(struct fg_journeys *journeys, const struct fg_record *record,
                    struct fg_arena *arena, struct docket *ret_docket)
{
    const struct fg_watched_key *key = &journeys->keys[record->key];
    struct docket docket = {.key = record->key,
                            .flow = key->flow,
                            .flow_is_provisional = key->is_provisional,
                            .trace_count = record->trace_count,
                            .more_traces = record->more_traces};
    docket.value = fg_arena_copy(arena, fg_slice(record->value, record->value_size));
    docket.traces =
        fg_arena_alloc(arena, ((size_t)record->trace_count + 1) * sizeof *docket.traces);
    if (!docket.traces || !docket.value.data)
        return FG_ELIMIT;
    if (record->trace_count > 0)
        memcpy(docket.traces, record->traces, record->trace_count * sizeof *docket.traces);
    if (key->flow) {
        struct fg_hop_deadline *deadlines =
            fg_arena_alloc(arena, key->flow->step_count * sizeof *deadlines);
        if (!deadlines)
            return FG_ELIMIT;
        memcpy(deadlines, journeys->deadlines[key->flow_index],
               key->flow->step_count * sizeof *deadlines);
        docket.deadlines = deadlines;
    }
    if (key->flow && record->reached) {
        docket.reached = record->reached;
        docket.reached_ns = fg_arena_alloc(arena, FG_FLOW_STEPS_MAX * sizeof *docket.reached_ns);
        if (!docket.reached_ns)
            return FG_ELIMIT;
        fg_record_steps(record, docket.reached_ns);
    }
    if (key->flow && record->expected_step != FG_NO_STEP) {
        uint32_t standing = journeys->standing[key->flow_index][record->expected_step];
        docket.waiting_count = standing > 0 ? standing - 1 : 0;
    }
    if (record->recovered) {
        const struct fg_trouble *trouble = record->recovered;
        docket.recovered = (struct fg_recovery){.place = {(enum fg_place_kind)trouble->place,
                                                          fg_arena_copy(arena, trouble->service),
                                                          fg_arena_copy(arena, trouble->name)},
                                                .cause = (enum fg_cause)trouble->cause,
                                                .text = fg_arena_copy(arena, trouble->text),
                                                .since_ns = trouble->since_ns,
                                                .until_ns = trouble->until_ns};
    }
    *ret_docket = docket;
    return 0;
}

/* One that is on disk alone stays there: a question is no reason to drop another from memory. */
static int copy_out_absent(struct fg_journeys *journeys, uint32_t key, struct fg_slice value,
                           struct fg_arena *arena, struct docket *ret_docket)
{
    struct fg_record record;
    uint64_t flow_print;
    int r = fg_vault_get(journeys->vault, journeys->keys[key].hash, value, &record, &flow_print);
    if (r < 0)
        return r;
    record.key = (uint16_t)key;
    fg_journeys_enter(journeys);
    const struct fg_flow *flow = journeys->keys[key].flow;
    if (!flow || record.expected_step >= flow->step_count)
        record.expected_step = FG_NO_STEP;
    if (flow_print != (flow ? flow->print : 0))
        record.reached = 0;
    r = copy_out(journeys, &record, arena, ret_docket);
    fg_mutex_unlock(&journeys->mutex);
    fg_record_free(&record);
    return r;
}

static int read_case(struct fg_journeys *journeys, const struct docket *docket,
                     const struct fg_heard *heard, struct fg_trace_reader *reader,
                     struct fg_builder *builder, struct fg_arena *arena, struct fg_case *ret_case)
{
    const struct fg_journeys *leader =
        journeys->options.leader ? journeys->options.leader : journeys;
    const struct fg_watched_key *key = &journeys->keys[docket->key];
    const struct fg_case_wanted wanted = {.reader = reader,
                                          .tenant = journeys->options.tenant,
                                          .flow = docket->flow,
                                          .flow_index = key->flow_index,
                                          .key = key->name,
                                          .value = docket->value,
                                          .traces = docket->traces,
                                          .trace_count = docket->trace_count,
                                          .more_traces = docket->more_traces,
                                          .now_ns = heard->now_ns,
                                          .deafness = leader->deafness,
                                          .history = heard->history,
                                          .neighbours = journeys->neighbours,
                                          .instances = journeys->options.instances,
                                          .watch = journeys->watch,
                                          .flows = journeys->options.flows,
                                          .waiting_count = docket->waiting_count,
                                          .deadlines = docket->deadlines,
                                          .flow_is_provisional = docket->flow_is_provisional,
                                          .reached = docket->reached,
                                          .reached_ns = docket->reached_ns};
    int r = fg_case_read(&wanted, builder, arena, ret_case);
    if (r == 0)
        fg_case_learn(ret_case);
    return r;
}

/* -- Writing back */

static struct fg_trouble *trouble_of(const struct fg_finding *finding)
{
    size_t service = finding->place.service.size, name = finding->place.name.size,
           text = finding->text.size;
    struct fg_trouble *trouble = malloc(sizeof *trouble + service + name + text);
    if (!trouble)
        return NULL;
    *trouble = (struct fg_trouble){.confidence = finding->confidence};
    uint8_t *at = trouble->bytes;
    const struct fg_slice parts[] = {finding->place.service, finding->place.name, finding->text};
    struct fg_slice *const copies[] = {&trouble->service, &trouble->name, &trouble->text};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].size > 0)
            memcpy(at, parts[i].data, parts[i].size);
        *copies[i] = fg_slice(at, parts[i].size);
        at += parts[i].size;
    }
    return trouble;
}

/* The first step that it reached after a moment; 0: none. Spans of several may come at once. */
static uint64_t moved_ns(const struct fg_case *c, uint64_t after_ns)
{
    uint64_t first_ns = 0;
    for (uint32_t i = 0; c->flow && i < c->flow->step_count; i++)
        if ((c->reached >> i & 1) && c->reached_ns[i] > after_ns &&
            (first_ns == 0 || c->reached_ns[i] < first_ns))
            first_ns = c->reached_ns[i];
    return first_ns;
}

/* Notes what it got over, and when: at the step that it reached, or now. */
static void note_recovery(struct fg_record *record, const struct fg_case *c,
                          const struct fg_verdict *verdict)
{
    if (!fg_record_is_in_trouble(record) || fg_journey_is_trouble(verdict->state) ||
        !record->trouble)
        return;
    uint64_t until_ns = moved_ns(c, record->since_ns);
    free(record->recovered);
    record->recovered = record->trouble;
    record->trouble = NULL;
    record->recovered->place = record->place;
    record->recovered->cause = record->cause;
    record->recovered->since_ns = record->since_ns;
    record->recovered->until_ns = until_ns > 0 ? until_ns : c->now_ns;
}

static void write_back(struct fg_journeys *journeys, uint32_t id, const struct fg_case *c,
                       const struct fg_verdict *verdict)
{
    struct fg_record *record = fg_table_record(&journeys->table, id);
    for (uint32_t i = 0; c->flow && i < c->flow->step_count; i++)
        if ((c->reached >> i & 1) && ((record->reached >> i & 1) == 0) &&
            fg_record_reach(record, i, c->reached_ns[i]) < 0)
            break; /* the next verdict finds it again */
    enum fg_journey_state from = (enum fg_journey_state)record->state;
    bool is_news = from != verdict->state || record->cause != verdict->finding.cause;
    note_recovery(record, c, verdict);
    uint64_t now_ns = fg_env_wall_ns(journeys->options.env);
    record->judged_ns = now_ns;
    record->last_step = c->last_step == FG_FLOW_STEP_NONE ? FG_NO_STEP : (uint8_t)c->last_step;
    record->since_ns = verdict->since_ns;
    record->deadline_ns = verdict->deadline_ns;
    record->place = (uint8_t)verdict->finding.place.kind;
    record->cause = (uint8_t)verdict->finding.cause;
    free(record->trouble);
    record->trouble = NULL;
    if (verdict->finding.cause != FG_CAUSE_NONE)
        record->trouble = trouble_of(&verdict->finding);
    fg_journeys_set_state(journeys, id, verdict->state,
                          c->expected_step == FG_FLOW_STEP_NONE ? FG_NO_STEP
                                                                : (uint8_t)c->expected_step);
    if (is_news)
        fg_journeys_note(journeys, id, from);
    bool has_ended = fg_journey_has_ended(verdict->state);
    uint64_t look_ns = 0;
    uint64_t overdue_ns = fg_overdue_ns(&c->deafness, record->deadline_ns);
    if (!has_ended && overdue_ns >= c->now_ns && record->deadline_ns)
        look_ns = overdue_ns > now_ns ? overdue_ns + 1 : now_ns + JUDGE_EVERY_NS;
    else if (!has_ended && verdict->state != FG_JOURNEY_FLOWING &&
             verdict->state != FG_JOURNEY_WAITING)
        look_ns = now_ns + again_ns(journeys, record);
    if (!look_ns)
        fg_table_unplan(&journeys->table, id);
    else if (fg_table_plan(&journeys->table, id, look_ns) < 0)
        journeys->counters.failed_reads++;
    fg_learn_plan(journeys, id);
    fg_journeys_changed(journeys, id);
}

int fg_journeys_read_out(struct fg_journeys *journeys, uint32_t id, struct fg_case *ret_case)
{
    struct docket docket;
    fg_arena_reset(&journeys->arena);
    int r = copy_out(journeys, fg_table_record(&journeys->table, id), &journeys->arena, &docket);
    fg_mutex_unlock(&journeys->mutex);
    /* Behind the record, which only this thread changes. */
    struct fg_heard heard = fg_hearing_now(journeys);
    if (r == 0 && !journeys->reader)
        r = fg_trace_reader_new(journeys->options.store, &journeys->reader);
    if (r == 0)
        r = read_case(journeys, &docket, &heard, journeys->reader, journeys->builder,
                      &journeys->arena, ret_case);
    fg_mutex_lock(&journeys->mutex);
    return r;
}

void fg_journeys_read_out_end(struct fg_journeys *journeys)
{
    fg_trace_reader_free(journeys->reader);
    journeys->reader = NULL;
}

/* Judges one; the mutex is held when it is called and when it returns, not meanwhile. */
static void judge(struct fg_journeys *journeys, uint32_t id)
{
    struct fg_case c;
    uint64_t begin_ns = fg_env_mono_ns(journeys->options.env);
    int r = fg_journeys_read_out(journeys, id, &c);
    fg_mutex_unlock(&journeys->mutex);
    struct fg_verdict verdict;
    if (r == 0)
        fg_decide(&c, &verdict);
    fg_mutex_lock(&journeys->mutex);
    /* Only this thread makes and drops records: the number still means the same one. */
    uint64_t took_ns = fg_env_mono_ns(journeys->options.env) - begin_ns,
             took_ms = took_ns / FG_NS_PER_MS;
    journeys->judge_ns = journeys->judge_ns / 8 * 7 + took_ns / 8;
    fg_table_record(&journeys->table, id)->judge_ms =
        took_ms < UINT32_MAX ? (uint32_t)took_ms : UINT32_MAX;
    if (r == 0) {
        journeys->counters.judged++;
        write_back(journeys, id, &c, &verdict);
    } else {
        journeys->counters.failed_reads++;
        if (fg_table_plan(&journeys->table, id,
                          fg_env_wall_ns(journeys->options.env) + FG_JOURNEY_AGAIN_NS) < 0)
            journeys->counters.failed_reads++;
    }
}

/* What may be spent now: as much of each tick's budget as the time since the last look allows, so
 * that many short rounds, as in a flood of spans, take no more than a few long ones. What one
 * journey took more than that is paid back by the rounds after it. */
static uint64_t allowance(struct fg_journeys *journeys, uint64_t budget_ns)
{
    uint64_t now_ns = fg_env_mono_ns(journeys->options.env);
    uint64_t went_by_ns = now_ns - journeys->judge_since_ns;
    const uint64_t enough_ns = (DEBT_MAX + 1) * FG_JOURNEYS_TICK_NS;
    if (went_by_ns > enough_ns)
        went_by_ns = enough_ns;
    const int64_t most_ns = (int64_t)(budget_ns > ROUND_NS ? budget_ns : ROUND_NS);
    journeys->judge_since_ns = now_ns;
    journeys->judge_left_ns += (int64_t)(budget_ns * went_by_ns / FG_JOURNEYS_TICK_NS);
    if (journeys->judge_left_ns > most_ns)
        journeys->judge_left_ns = most_ns;
    return journeys->judge_left_ns >= (int64_t)ROUND_NS ? (uint64_t)journeys->judge_left_ns : 0;
}

static void pay(struct fg_journeys *journeys, uint64_t spent_ns, uint64_t budget_ns)
{
    int64_t least_ns = -(int64_t)(DEBT_MAX * budget_ns);
    int64_t spent = spent_ns < DEBT_MAX * budget_ns ? (int64_t)spent_ns : -least_ns;
    journeys->judge_left_ns -= spent;
    if (journeys->judge_left_ns < least_ns)
        journeys->judge_left_ns = least_ns;
}

void fg_journeys_judge(struct fg_journeys *journeys, uint64_t tick_ns)
{
    uint64_t budget_ns = tick_ns < UINT64_MAX ? allowance(journeys, tick_ns) : UINT64_MAX;
    if (budget_ns == 0 || journeys->dirty_count == 0)
        return;
    struct fg_journeys *leader = journeys->options.leader ? journeys->options.leader : journeys;
    uint64_t begin_ns = fg_env_mono_ns(journeys->options.env), begin_cpu_ns = fg_thread_cpu_ns();
    fg_journeys_follow(journeys);
    uint32_t count = journeys->dirty_count, kept = 0, i = 0;
    for (; i < count && !journeys->is_stopping; i++) {
        uint32_t id = journeys->dirty[i];
        struct fg_record *record = fg_table_record(&journeys->table, id);
        uint64_t now_ns = fg_env_wall_ns(journeys->options.env);
        bool is_early = record->judged_ns <= now_ns &&
                        now_ns - record->judged_ns < pause_ns(record, JUDGE_EVERY_NS);
        if (is_early && !journeys->options.manual) {
            journeys->dirty[kept++] = id;
            continue;
        }
        record->is_dirty = false;
        judge(journeys, id);
        fg_journeys_let_in(journeys);
        if (fg_env_mono_ns(journeys->options.env) - begin_ns >= budget_ns) {
            i++;
            break;
        }
    }
    if (journeys->dirty_count > i)
        memmove(journeys->dirty + kept, journeys->dirty + i,
                (journeys->dirty_count - i) * sizeof *journeys->dirty);
    journeys->dirty_count -= i - kept;
    if (tick_ns < UINT64_MAX)
        pay(journeys, fg_env_mono_ns(journeys->options.env) - begin_ns, tick_ns);
    fg_mutex_unlock(&journeys->mutex);
    fg_journeys_read_out_end(journeys);
    leader->budget.judging_ns += fg_thread_cpu_ns() - begin_cpu_ns;
}

/* -- Callers */

static void copy_evidence(struct fg_arena *arena, struct fg_evidence *evidence)
{
    evidence->text = fg_arena_copy(arena, evidence->text);
    evidence->query = fg_arena_copy(arena, evidence->query);
}

int fg_journeys_where(struct fg_journeys *journeys, struct fg_slice key, struct fg_slice value,
                      struct fg_arena *arena, struct fg_journey_answer *ret_answer)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_journey_answer answer;
    struct docket docket;
    struct fg_trace_reader *reader = NULL;
    struct fg_builder *builder;
    struct fg_arena work;
    struct fg_case c;
    uint32_t k = 0;
    while (k < journeys->key_count && !fg_slice_equal(journeys->keys[k].name, key))
        k++;
    if (k == journeys->key_count)
        return FG_EINVALID;
    struct fg_heard heard = fg_hearing_now(journeys);
    fg_journeys_enter(journeys);
    uint32_t id = fg_table_find(&journeys->table, k, value);
    int r = id == FG_NO_RECORD
                ? FG_ENOTFOUND
                : copy_out(journeys, fg_table_record(&journeys->table, id), arena, &docket);
    fg_mutex_unlock(&journeys->mutex);
    if (r == FG_ENOTFOUND && journeys->vault)
        r = copy_out_absent(journeys, k, value, arena, &docket);
    limits.bytes_max = FG_CASE_BYTES_MAX;
    if (r == 0)
        r = fg_builder_new(&limits, &builder);
    if (r < 0)
        return r;
    fg_arena_init(&work, (size_t)FG_CASE_BYTES_MAX);
    r = fg_trace_reader_new(journeys->options.store, &reader);
    if (r == 0)
        r = read_case(journeys, &docket, &heard, reader, builder, &work, &c);
    fg_trace_reader_free(reader);
    if (r == 0) {
        fg_decide(&c, &answer.verdict);
        if (docket.recovered.cause && !fg_journey_is_trouble(answer.verdict.state))
            answer.verdict.recovered = docket.recovered;
        struct fg_recovery *recovered = &answer.verdict.recovered;
        struct fg_slice *const told[] = {&recovered->place.service, &recovered->place.name,
                                         &recovered->text};
        for (size_t i = 0; i < sizeof told / sizeof *told; i++)
            *told[i] = fg_arena_copy(arena, *told[i]);
        struct fg_finding *finding = &answer.verdict.finding;
        struct fg_slice *const texts[] = {&finding->place.service, &finding->place.name,
                                          &finding->text, &finding->next};
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            *texts[i] = fg_arena_copy(arena, *texts[i]);
        for (uint32_t i = 0; i < finding->evidence_count; i++)
            copy_evidence(arena, &finding->evidence[i]);
        r = fg_way_find(&c, arena, &answer);
        struct fg_journey_trace *traces =
            fg_arena_alloc(arena, ((size_t)docket.trace_count + 1) * sizeof *traces);
        for (uint32_t i = 0; traces && i < docket.trace_count; i++)
            traces[i] = (struct fg_journey_trace){docket.traces[i].high, docket.traces[i].low};
        answer.traces = traces;
        answer.trace_count = docket.trace_count;
        answer.more_traces = docket.more_traces;
        if (arena->overflow)
            r = FG_ELIMIT;
    }
    fg_builder_free(builder);
    fg_arena_free(&work);
    if (r == 0)
        *ret_answer = answer;
    return r;
}
