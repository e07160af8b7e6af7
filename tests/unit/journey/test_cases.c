/* The rules, case by case. Each file of cases/ holds some journeys as JSON: their spans, what the
 * neighbours did, and the verdict that is expected. A new case is a new entry there; see
 * cases/README.md for the fields. */
#include "case.h"
#include "decide.h"
#include "query/query.h"
#include "span/builder.h"
#include "store/instances.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define BASE_NS  (UINT64_C(1767225600) * 1000000000)
#define ROWS_MAX 256

static struct fg_slice text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return fg_slice_from_string(text ? text : "");
}

static uint64_t time_of(const json_t *object, const char *name)
{
    const json_t *number = json_object_get(object, name);
    return number ? BASE_NS + (uint64_t)(json_number_value(number) * 1e9) : 0;
}

static uint8_t kind_of(const json_t *span)
{
    static const char *const names[] = {"", "internal", "server", "client", "producer", "consumer"};
    struct fg_slice kind = text_of(span, "kind");
    for (uint8_t i = 0; i < 6; i++)
        if (fg_slice_equal(kind, fg_slice_from_string(names[i])))
            return i;
    fail_msg("no such kind: %.*s", (int)kind.size, (const char *)kind.data);
    return 0;
}

static struct fg_value value_of(const json_t *value)
{
    if (json_is_boolean(value))
        return (struct fg_value){.type = FG_VALUE_BOOL, .bits = json_is_true(value)};
    if (json_is_integer(value))
        return (struct fg_value){.type = FG_VALUE_INT, .bits = (uint64_t)json_integer_value(value)};
    return (struct fg_value){.type = FG_VALUE_STRING,
                             .bytes = fg_slice_from_string(json_string_value(value))};
}

static uint32_t put_resource(struct fg_builder *builder, const json_t *span)
{
    struct fg_value service = {.type = FG_VALUE_STRING, .bytes = text_of(span, "service")};
    const char *key;
    json_t *value;
    uint32_t id;
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_attr(builder, FG_SLICE("service.name"), &service), 0);
    json_object_foreach(json_object_get(span, "resource"), key, value)
    {
        struct fg_value attr = value_of(value);
        assert_int_equal(fg_builder_resource_attr(builder, fg_slice_from_string(key), &attr), 0);
    }
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &id), 0);
    return id;
}

static void put_span(struct fg_builder *builder, const json_t *span)
{
    uint32_t resource = put_resource(builder, span), scope;
    const char *key;
    json_t *value;
    size_t i;
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(
        fg_builder_scope_end(builder, FG_SLICE("t"), FG_SLICE(""), FG_SLICE(""), 0, &scope), 0);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    json_object_foreach(json_object_get(span, "attrs"), key, value)
    {
        struct fg_value attr = value_of(value);
        assert_int_equal(fg_builder_span_attr(builder, fg_slice_from_string(key), &attr), 0);
    }
    json_array_foreach(json_object_get(span, "events"), i, value)
    {
        json_t *attr_value;
        assert_int_equal(fg_builder_event_begin(builder), 0);
        json_object_foreach(json_object_get(value, "attrs"), key, attr_value)
        {
            struct fg_value attr = value_of(attr_value);
            assert_int_equal(fg_builder_event_attr(builder, fg_slice_from_string(key), &attr), 0);
        }
        assert_int_equal(
            fg_builder_event_end(builder, time_of(span, "end"), text_of(value, "name"), 0), 0);
    }
    json_array_foreach(json_object_get(span, "links"), i, value)
    {
        struct fg_link link = {.trace_id_low =
                                   (uint64_t)json_integer_value(json_array_get(value, 0)),
                               .span_id = (uint64_t)json_integer_value(json_array_get(value, 1))};
        assert_int_equal(fg_builder_link_begin(builder), 0);
        assert_int_equal(fg_builder_link_end(builder, &link), 0);
    }
    struct fg_span row = {
        .trace_id_low = (uint64_t)json_integer_value(json_object_get(span, "trace")),
        .span_id = (uint64_t)json_integer_value(json_object_get(span, "id")),
        .parent_span_id = (uint64_t)json_integer_value(json_object_get(span, "parent")),
        .start_ns = time_of(span, "start"),
        .end_ns = time_of(span, "end"),
        .received_ns = json_object_get(span, "received") ? time_of(span, "received")
                       : json_object_get(span, "end")    ? time_of(span, "end")
                                                         : time_of(span, "start"),
        .name = text_of(span, "name"),
        .status_message = text_of(span, "message"),
        .resource = resource,
        .scope = scope,
        .kind = kind_of(span),
        .status = text_of(span, "status").size ? FG_STATUS_ERROR : FG_STATUS_UNSET,
        .trace_state = text_of(span, "tracestate"),
        .flags = (uint32_t)json_integer_value(json_object_get(span, "flags")),
        .marks = json_is_true(json_object_get(span, "interrupted")) ? FG_MARK_INTERRUPTED : 0};
    assert_int_equal(fg_builder_span_end(builder, &row), 0);
}

/* Spans of the journey, which stand trace by trace. */
static uint32_t put_spans(struct fg_builder *builder, const json_t *list, uint32_t ends[ROWS_MAX])
{
    uint32_t traces = 0;
    json_int_t last = -1;
    json_t *span;
    size_t i;
    json_array_foreach(list, i, span)
    {
        json_int_t trace = json_integer_value(json_object_get(span, "trace"));
        traces += trace != last;
        last = trace;
        assert_true(traces < ROWS_MAX);
        put_span(builder, span);
        ends[traces - 1] = fg_builder_span_count(builder);
    }
    return traces;
}

static void put_neighbours(struct fg_neighbours *neighbours, const struct fg_flow *flow,
                           const json_t *item)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    struct fg_batch batch;
    json_t *entry;
    size_t i;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    json_array_foreach(json_object_get(item, "others"), i, entry) put_span(builder, entry);
    json_array_foreach(json_object_get(item, "spans"), i, entry) put_span(builder, entry);
    fg_builder_view(builder, &batch);
    fg_neighbours_add(neighbours, &batch);
    fg_builder_free(builder);
    json_array_foreach(json_object_get(item, "hops"), i, entry)
    {
        uint32_t step = 0;
        json_int_t count = json_integer_value(json_object_get(entry, "count"));
        while (step < flow->step_count &&
               !fg_slice_equal(flow->steps[step].name, text_of(entry, "step")))
            step++;
        assert_true(step < flow->step_count);
        for (json_int_t k = 0; k < count; k++)
            fg_neighbours_hop(neighbours, 0, step, time_of(entry, "from"),
                              time_of(entry, "arrived"));
    }
}

/* "learned": what journeys that went well needed for a step. */
static void put_learned(const struct fg_flow *flow, const json_t *list,
                        struct fg_hop_deadline deadlines[FG_FLOW_STEPS_MAX])
{
    json_t *entry;
    size_t i;
    for (uint32_t step = 0; flow && step < flow->step_count; step++)
        deadlines[step] = (struct fg_hop_deadline){.ns = flow->steps[step].within_ns};
    json_array_foreach(list, i, entry)
    {
        uint32_t step = 0;
        while (step < flow->step_count &&
               !fg_slice_equal(flow->steps[step].name, text_of(entry, "step")))
            step++;
        assert_true(step < flow->step_count);
        deadlines[step].seen_count = (uint32_t)json_integer_value(json_object_get(entry, "seen"));
        deadlines[step].longer_count =
            (uint32_t)json_integer_value(json_object_get(entry, "longer"));
        deadlines[step].needed_ns = time_of(entry, "needed") - BASE_NS;
    }
}

/* "checks": what monitors saw; each is the span of one. */
static json_t *check_span(const json_t *check, json_int_t id)
{
    const char *code = json_string_value(json_object_get(check, "code")), *key;
    json_t *attr,
        *attrs = json_pack("{s:O, s:s, s:s}", "monitor.name", json_object_get(check, "monitor"),
                           "monitor.kind", json_string_value(json_object_get(check, "kind")),
                           "monitor.result", code ? "degraded" : "ok");
    json_t *events = json_array();
    const char *result = json_string_value(json_object_get(check, "result"));
    if (result)
        json_object_set_new(attrs, "monitor.result", json_string(result));
    json_object_foreach(json_object_get(check, "attrs"), key, attr)
        json_object_set(attrs, key, attr);
    if (code)
        json_array_append_new(
            events,
            json_pack("{s:s, s:{s:s, s:s, s:s, s:b}}", "name", "monitor.finding", "attrs",
                      "finding.code", code, "finding.result", result ? result : "degraded",
                      "finding.text", json_string_value(json_object_get(check, "text")),
                      "finding.standing", json_is_true(json_object_get(check, "standing"))));
    double at = json_number_value(json_object_get(check, "at"));
    return json_pack("{s:i, s:I, s:s, s:s, s:s, s:f, s:f, s:o, s:o}", "trace", 7000, "id", id,
                     "service", "filigree-monitor", "name", "check", "kind", "client", "start", at,
                     "end", at + 0.1, "attrs", attrs, "events", events);
}

static void put_checks(struct fg_watch *watch, const json_t *item)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    struct fg_batch batch;
    json_t *entry;
    size_t i;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    json_array_foreach(json_object_get(item, "checks"), i, entry)
    {
        json_t *span = check_span(entry, (json_int_t)(8000 + i));
        assert_non_null(span);
        put_span(builder, span);
        json_decref(span);
    }
    fg_builder_view(builder, &batch);
    fg_watch_add(watch, &batch, 0, batch.span_count, NULL);
    fg_builder_free(builder);
    json_array_foreach(json_object_get(item, "uses"), i, entry)
    {
        struct fg_slice kind = text_of(entry, "kind");
        struct fg_watch_where where = {
            .address = text_of(entry, "address"),
            .port = (uint32_t)json_integer_value(json_object_get(entry, "port")),
            .name = text_of(entry, "name")};
        for (unsigned k = 0; k < FG_PLACE_KIND_COUNT; k++)
            if (fg_slice_equal(kind, fg_slice_from_string(fg_place_kind_name(k))))
                where.kind = k;
        assert_true(where.kind != FG_PLACE_NONE);
        fg_watch_use(watch, text_of(entry, "service"), &where, text_of(entry, "answers"));
    }
}

/* "telemetry": exports that came, by service and number in a row; what lies between two was lost.
 */
static void put_telemetry(struct fg_instances *instances, const json_t *list)
{
    json_t *entry;
    size_t i;
    json_array_foreach(list, i, entry)
    {
        struct fg_instance_note note = {
            .started_ns = BASE_NS - 1000,
            .alive_ns = time_of(entry, "at"),
            .sequence = (uint64_t)json_integer_value(json_object_get(entry, "sequence")),
            .dropped_full = (uint64_t)json_integer_value(json_object_get(entry, "dropped"))};
        fg_instance_text_set(&note.service, text_of(entry, "service"));
        fg_instance_text_set(&note.instance, FG_SLICE("one"));
        fg_instance_text_set(&note.ended, text_of(entry, "ended"));
        note.is_recovered = note.ended.size > 0;
        fg_instances_note(instances, &note, time_of(entry, "at"));
    }
}

static struct fg_slice load(const char *folder, struct fg_slice name)
{
    char path[512];
    static char text[65536];
    snprintf(path, sizeof path, "%s/%.*s", folder, (int)name.size, (const char *)name.data);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof text, file);
    fclose(file);
    return fg_slice(text, size);
}

static void load_flow(const char *folder, const char *name, struct fg_arena *arena,
                      struct fg_flows *flows)
{
    struct fg_buffer errors;
    fg_buffer_init(&errors, 65536);
    if (fg_flows_parse(load(folder, fg_slice_from_string(name)), name, arena, &errors, flows) < 0)
        fail_msg("%.*s", (int)errors.size, (const char *)errors.data);
    for (uint32_t i = 0; i < flows->count; i++)
        if (flows->flows[i].schema_file.size > 0 &&
            fg_flow_set_schema(&flows->flows[i], load(folder, flows->flows[i].schema_file), arena,
                               &errors) < 0)
            fail_msg("%.*s", (int)errors.size, (const char *)errors.data);
    fg_buffer_free(&errors);
}

static bool is_query(struct fg_slice text)
{
    const struct fg_query *query;
    struct fg_query_error error;
    struct fg_arena arena;
    fg_arena_init(&arena, (size_t)1 << 20);
    int r = fg_query_parse(text, &arena, &query, &error);
    fg_arena_free(&arena);
    return r == 0;
}

static bool differs(const char *what, struct fg_slice got, const json_t *expect, const char *name)
{
    struct fg_slice wanted = text_of(expect, name);
    if (!json_object_get(expect, name) || fg_slice_equal(got, wanted))
        return false;
    print_error("%s: %s is \"%.*s\", expected \"%.*s\"\n", what, name, (int)got.size,
                (const char *)got.data, (int)wanted.size, (const char *)wanted.data);
    return true;
}

static int compare(const char *what, const struct fg_verdict *verdict, const json_t *expect)
{
    const struct fg_finding *finding = &verdict->finding;
    int wrong = 0;
    struct fg_slice state = fg_slice_from_string(fg_journey_state_name(verdict->state)),
                    place = fg_slice_from_string(fg_place_kind_name(finding->place.kind)),
                    cause = fg_slice_from_string(fg_cause_name(finding->cause));
    wrong += differs(what, state, expect, "state");
    wrong += differs(what, place, expect, "place");
    wrong += differs(what, cause, expect, "cause");
    wrong += differs(what, finding->place.service, expect, "service");
    wrong += differs(what, finding->place.name, expect, "name");
    wrong += differs(what, verdict->last_step, expect, "last_step");
    wrong += differs(what, verdict->expected_step, expect, "expected_step");
    if (json_object_get(expect, "since") && verdict->since_ns != time_of(expect, "since")) {
        print_error("%s: since is %.3f\n", what, (double)(verdict->since_ns - BASE_NS) / 1e9);
        wrong++;
    }
    const json_t *max = json_object_get(expect, "confidence_max");
    if (max && finding->confidence > json_number_value(max)) {
        print_error("%s: confidence is %.2f\n", what, finding->confidence);
        wrong++;
    }
    const json_t *min = json_object_get(expect, "confidence_min");
    if (min && finding->confidence < json_number_value(min)) {
        print_error("%s: confidence is %.2f\n", what, finding->confidence);
        wrong++;
    }
    struct fg_slice says = text_of(expect, "says");
    const struct fg_evidence *saying = NULL;
    for (uint32_t i = 0; i < finding->evidence_count; i++) {
        const struct fg_evidence *one = &finding->evidence[i];
        if (says.size > 0 && memmem(one->text.data, one->text.size, says.data, says.size))
            saying = one;
        if (one->query.size > 0 && !is_query(one->query)) {
            print_error("%s: no query: %.*s\n", what, (int)one->query.size,
                        (const char *)one->query.data);
            wrong++;
        }
    }
    if (says.size > 0 && !saying) {
        print_error("%s: no evidence says \"%s\"\n", what, (const char *)says.data);
        wrong++;
    }
    if (saying)
        wrong += differs(what, saying->query, expect, "asks");
    bool in_trouble = finding->cause != FG_CAUSE_NONE;
    if (in_trouble && (finding->text.size == 0 || finding->next.size == 0 ||
                       (finding->evidence_count == 0 && finding->place.kind != FG_PLACE_UNKNOWN))) {
        print_error("%s: a verdict without words, advice or evidence\n", what);
        wrong++;
    }
    return wrong;
}

static int run_case(const char *folder, const char *file, const json_t *item)
{
    char what[300];
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    struct fg_neighbours *neighbours;
    struct fg_instances *instances;
    struct fg_watch *watch;
    struct fg_arena arena;
    struct fg_flows flows = {0};
    struct fg_verdict verdict;
    struct fg_case c;
    uint32_t ends[ROWS_MAX];
    snprintf(what, sizeof what, "%s: %s", file, json_string_value(json_object_get(item, "name")));
    fg_arena_init(&arena, (size_t)16 << 20);
    const char *flow = json_string_value(json_object_get(item, "flow"));
    if (flow)
        load_flow(folder, flow, &arena, &flows);
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    assert_int_equal(fg_neighbours_new(&neighbours), 0);
    put_neighbours(neighbours, flows.flows, item);
    assert_int_equal(fg_instances_new(16, &instances), 0);
    put_telemetry(instances, json_object_get(item, "telemetry"));
    assert_int_equal(fg_watch_new(&watch), 0);
    put_checks(watch, item);
    uint32_t traces = put_spans(builder, json_object_get(item, "spans"), ends);
    struct fg_hop_deadline deadlines[FG_FLOW_STEPS_MAX];
    put_learned(flows.flows, json_object_get(item, "learned"), deadlines);
    struct fg_case_wanted wanted = {
        .flow = flows.count ? flows.flows : NULL,
        .key = flows.count ? flows.flows->key : FG_SLICE("order.id"),
        .value = text_of(item, "value"),
        .more_traces = json_is_true(json_object_get(item, "more")),
        .now_ns = time_of(item, "now"),
        .neighbours = neighbours,
        .instances = instances,
        .watch = watch,
        .deadlines = deadlines,
        .waiting_count = (uint32_t)json_integer_value(json_object_get(item, "waiting"))};
    assert_int_equal(fg_case_lay_out(&wanted, builder, ends, traces, &arena, &c), 0);
    fg_case_learn(&c);
    fg_decide(&c, &verdict);
    int wrong = compare(what, &verdict, json_object_get(item, "expect"));
    fg_neighbours_free(neighbours);
    fg_instances_free(instances);
    fg_watch_free(watch);
    fg_builder_free(builder);
    fg_flows_free(&flows);
    fg_arena_free(&arena);
    return wrong;
}

static void test_cases(void **state)
{
    const char *folder = getenv("CASES");
    struct dirent *entry;
    int wrong = 0, count = 0;
    (void)state;
    assert_non_null(folder);
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        char path[600];
        json_error_t error;
        json_t *item;
        size_t i;
        if (!strstr(entry->d_name, ".json"))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        json_t *list = json_load_file(path, 0, &error);
        if (!list)
            fail_msg("%s:%d: %s", entry->d_name, error.line, error.text);
        json_array_foreach(list, i, item)
        {
            wrong += run_case(folder, entry->d_name, item);
            count++;
        }
        json_decref(list);
    }
    closedir(dir);
    print_message("%d cases\n", count);
    assert_true(count > 0);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
