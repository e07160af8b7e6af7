/* Judging: a record is copied out, its traces are read and decided without any lock, and what was
 * found is written back. */
#include "decide.h"
#include "journeys_internal.h"
#include "span/builder.h"
#include "way.h"

#include <stdlib.h>

/* One that is in doubt again and again, as when a message is retried, is judged this often. */
#define JUDGE_EVERY_NS (1 * FG_NS_PER_SECOND)
/* And one whose traces take long to read no more often than takes a twentieth of a processor. */
#define JUDGE_SHARE 20u

static uint64_t pause_ns(const struct fg_record *record, uint64_t least_ns)
{
    uint64_t ns = JUDGE_SHARE * (uint64_t)record->judge_ms * FG_NS_PER_MS;
    return ns > least_ns ? ns : least_ns;
}

/* A record as it was when its case was begun. */
struct docket {
    uint32_t key;
    struct fg_slice value;
    struct fg_trace_ref *traces;
    uint32_t trace_count;
    bool more_traces;
    uint32_t waiting_count;
};

static int copy_out(struct fg_journeys *journeys, uint32_t id, struct fg_arena *arena,
                    struct docket *ret_docket)
{
    const struct fg_record *record = &journeys->table.records[id];
    const struct fg_watched_key *key = &journeys->keys[record->key];
    struct docket docket = {
        .key = record->key, .trace_count = record->trace_count, .more_traces = record->more_traces};
    docket.value = fg_arena_copy(arena, fg_slice(record->value, record->value_size));
    docket.traces =
        fg_arena_alloc(arena, ((size_t)record->trace_count + 1) * sizeof *docket.traces);
    if (!docket.traces || !docket.value.data)
        return FG_ELIMIT;
    if (record->trace_count > 0)
        memcpy(docket.traces, record->traces, record->trace_count * sizeof *docket.traces);
    if (key->flow && record->expected_step != FG_NO_STEP) {
        uint32_t standing = journeys->standing[key->flow_index][record->expected_step];
        docket.waiting_count = standing > 0 ? standing - 1 : 0;
    }
    *ret_docket = docket;
    return 0;
}

static int read_case(struct fg_journeys *journeys, const struct docket *docket,
                     struct fg_builder *builder, struct fg_arena *arena, struct fg_case *ret_case)
{
    const struct fg_watched_key *key = &journeys->keys[docket->key];
    const struct fg_case_wanted wanted = {.store = journeys->options.store,
                                          .tenant = journeys->options.tenant,
                                          .flow = key->flow,
                                          .flow_index = key->flow_index,
                                          .key = key->name,
                                          .value = docket->value,
                                          .traces = docket->traces,
                                          .trace_count = docket->trace_count,
                                          .more_traces = docket->more_traces,
                                          .now_ns = fg_env_wall_ns(journeys->options.env),
                                          .neighbours = journeys->neighbours,
                                          .instances = journeys->options.instances,
                                          .waiting_count = docket->waiting_count};
    return fg_case_read(&wanted, builder, arena, ret_case);
}

/* -- Writing back */

static struct fg_trouble *trouble_of(const struct fg_finding *finding)
{
    size_t service = finding->place.service.size, name = finding->place.name.size,
           text = finding->text.size;
    struct fg_trouble *trouble = malloc(sizeof *trouble + service + name + text);
    if (!trouble)
        return NULL;
    uint8_t *at = trouble->bytes;
    const struct fg_slice parts[] = {finding->place.service, finding->place.name, finding->text};
    struct fg_slice *const copies[] = {&trouble->service, &trouble->name, &trouble->text};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].size > 0)
            memcpy(at, parts[i].data, parts[i].size);
        *copies[i] = fg_slice(at, parts[i].size);
        at += parts[i].size;
    }
    trouble->confidence = finding->confidence;
    return trouble;
}

static void write_back(struct fg_journeys *journeys, uint32_t id, const struct fg_case *c,
                       const struct fg_verdict *verdict)
{
    struct fg_record *record = &journeys->table.records[id];
    for (uint32_t i = 0; c->flow && i < c->flow->step_count; i++)
        if ((c->reached >> i & 1) && ((record->reached >> i & 1) == 0)) {
            record->reached |= UINT64_C(1) << i;
            record->reached_ns[i] = c->reached_ns[i];
        }
    enum fg_journey_state from = (enum fg_journey_state)record->state;
    bool is_news = from != verdict->state || record->cause != verdict->finding.cause;
    record->judged_ns = c->now_ns;
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
    bool has_ended = verdict->state == FG_JOURNEY_DONE || verdict->state == FG_JOURNEY_CANCELLED;
    uint64_t look_ns = 0;
    if (!has_ended && record->deadline_ns + FG_JOURNEY_GRACE_NS >= c->now_ns && record->deadline_ns)
        look_ns = record->deadline_ns + FG_JOURNEY_GRACE_NS + 1;
    else if (!has_ended && verdict->state != FG_JOURNEY_FLOWING &&
             verdict->state != FG_JOURNEY_WAITING)
        look_ns = c->now_ns + pause_ns(record, FG_JOURNEY_AGAIN_NS);
    record->look_ns = 0;
    if (look_ns && fg_table_plan(&journeys->table, id, look_ns) < 0)
        journeys->counters.failed_reads++;
}

/* Judges one; the mutex is held when it is called and when it returns, not meanwhile. */
static void judge(struct fg_journeys *journeys, uint32_t id)
{
    struct docket docket;
    struct fg_case c;
    uint64_t begin_ns = fg_env_mono_ns(journeys->options.env);
    fg_arena_reset(&journeys->arena);
    int r = copy_out(journeys, id, &journeys->arena, &docket);
    fg_mutex_unlock(&journeys->mutex);
    struct fg_verdict verdict;
    if (r == 0)
        r = read_case(journeys, &docket, journeys->builder, &journeys->arena, &c);
    if (r == 0)
        fg_decide(&c, &verdict);
    fg_mutex_lock(&journeys->mutex);
    /* Only this thread makes and drops records: the number still means the same one. */
    uint64_t took_ms = (fg_env_mono_ns(journeys->options.env) - begin_ns) / FG_NS_PER_MS;
    journeys->table.records[id].judge_ms = took_ms < UINT32_MAX ? (uint32_t)took_ms : UINT32_MAX;
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

void fg_journeys_judge(struct fg_journeys *journeys, uint64_t budget_ns)
{
    uint64_t begin_ns = fg_env_mono_ns(journeys->options.env);
    fg_mutex_lock(&journeys->mutex);
    uint32_t count = journeys->dirty_count, kept = 0, i = 0;
    for (; i < count && !journeys->is_stopping; i++) {
        uint32_t id = journeys->dirty[i];
        struct fg_record *record = &journeys->table.records[id];
        uint64_t now_ns = fg_env_wall_ns(journeys->options.env);
        bool is_early = record->judged_ns <= now_ns &&
                        now_ns - record->judged_ns < pause_ns(record, JUDGE_EVERY_NS);
        if (is_early && !journeys->options.manual) {
            journeys->dirty[kept++] = id;
            continue;
        }
        record->is_dirty = false;
        judge(journeys, id);
        if (fg_env_mono_ns(journeys->options.env) - begin_ns >= budget_ns) {
            i++;
            break;
        }
    }
    memmove(journeys->dirty + kept, journeys->dirty + i,
            (journeys->dirty_count - i) * sizeof *journeys->dirty);
    journeys->dirty_count -= i - kept;
    fg_mutex_unlock(&journeys->mutex);
}

/* -- Callers */

int fg_journeys_where(struct fg_journeys *journeys, struct fg_slice key, struct fg_slice value,
                      struct fg_arena *arena, struct fg_journey_answer *ret_answer)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_journey_answer answer;
    struct docket docket;
    struct fg_builder *builder;
    struct fg_arena work;
    struct fg_case c;
    uint32_t k = 0;
    while (k < journeys->key_count && !fg_slice_equal(journeys->keys[k].name, key))
        k++;
    if (k == journeys->key_count)
        return FG_EINVALID;
    fg_mutex_lock(&journeys->mutex);
    uint32_t id = fg_table_find(&journeys->table, k, value);
    int r = id == FG_NO_RECORD ? FG_ENOTFOUND : copy_out(journeys, id, arena, &docket);
    fg_mutex_unlock(&journeys->mutex);
    limits.bytes_max = FG_CASE_BYTES_MAX;
    if (r == 0)
        r = fg_builder_new(&limits, &builder);
    if (r < 0)
        return r;
    fg_arena_init(&work, (size_t)FG_CASE_BYTES_MAX);
    r = read_case(journeys, &docket, builder, &work, &c);
    if (r == 0) {
        fg_decide(&c, &answer.verdict);
        struct fg_finding *finding = &answer.verdict.finding;
        struct fg_slice *const texts[] = {&finding->place.service, &finding->place.name,
                                          &finding->text, &finding->next};
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            *texts[i] = fg_arena_copy(arena, *texts[i]);
        for (uint32_t i = 0; i < finding->evidence_count; i++)
            finding->evidence[i].text = fg_arena_copy(arena, finding->evidence[i].text);
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
