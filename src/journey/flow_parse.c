/* Reading flows from YAML. The text is loaded whole by libyaml, then walked by what is expected of
 * each node; every complaint names file and line. */
#include "base/units.h"
#include "journey/flow.h"
#include "query/query.h"

#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

#define TEXT_SIZE_MAX ((size_t)1 << 20)

struct reader {
    yaml_document_t document;
    const char *file_name;
    struct fg_arena *arena;
    struct fg_buffer *errors;
};

static int refuse(struct reader *reader, const yaml_node_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(struct reader *reader, const yaml_node_t *node, const char *format, ...)
{
    char message[400];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    fg_buffer_append_format(reader->errors, "%s:%zu: %s\n", reader->file_name,
                            node ? node->start_mark.line + 1 : (size_t)1, message);
    return FG_EINVALID;
}

static yaml_node_t *node_at(struct reader *reader, int index)
{
    return yaml_document_get_node(&reader->document, index);
}

static int read_text(struct reader *reader, const yaml_node_t *node, const char *key,
                     struct fg_slice *ret_text)
{
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.length == 0)
        return refuse(reader, node, "%s: expected a text", key);
    struct fg_slice copy =
        fg_arena_copy(reader->arena, fg_slice(node->data.scalar.value, node->data.scalar.length));
    if (!copy.data)
        return FG_ELIMIT;
    *ret_text = copy;
    return 0;
}

static int read_duration(struct reader *reader, const yaml_node_t *node, const char *key,
                         uint64_t *ret_ns)
{
    struct fg_slice text = {0};
    int r = read_text(reader, node, key, &text);
    if (r == 0 && (fg_duration_parse(text, ret_ns) < 0 || *ret_ns == 0))
        r = refuse(reader, node, "%s: expected a time like 30s, 5m or 2d", key);
    return r;
}

static int read_bool(struct reader *reader, const yaml_node_t *node, const char *key, bool *ret)
{
    struct fg_slice text = {0};
    int r = read_text(reader, node, key, &text);
    if (r < 0)
        return r;
    if (!fg_slice_equal(text, FG_SLICE("true")) && !fg_slice_equal(text, FG_SLICE("false")))
        return refuse(reader, node, "%s: expected true or false", key);
    *ret = fg_slice_equal(text, FG_SLICE("true"));
    return 0;
}

/* -- Conditions */

static bool asks_status(const struct fg_predicate *predicate)
{
    if (predicate->op > FG_PRED_NOT)
        return predicate->field == FG_FIELD_STATUS;
    for (uint32_t i = 0; i < predicate->child_count; i++)
        if (asks_status(predicate->children[i]))
            return true;
    return false;
}

/* The one service that everything which matches has; "" where that can't be told. */
static struct fg_slice asked_service(const struct fg_predicate *predicate)
{
    struct fg_slice found = {0};
    if (predicate->op == FG_PRED_EQ && predicate->field == FG_FIELD_SERVICE)
        return predicate->string;
    if (predicate->op == FG_PRED_AND)
        for (uint32_t i = 0; i < predicate->child_count && found.size == 0; i++)
            found = asked_service(predicate->children[i]);
    if (predicate->op == FG_PRED_OR && predicate->child_count > 0) {
        found = asked_service(predicate->children[0]);
        for (uint32_t i = 1; i < predicate->child_count; i++)
            if (!fg_slice_equal(asked_service(predicate->children[i]), found))
                return (struct fg_slice){0};
    }
    return found;
}

static int read_condition(struct reader *reader, const yaml_node_t *node, struct fg_flow_step *step)
{
    struct fg_slice text = {0};
    const struct fg_query *query;
    struct fg_query_error error;
    const char *message = NULL;
    bool is_whole = false;
    int r = read_text(reader, node, "when", &text);
    if (r < 0)
        return r;
    if (fg_query_parse(text, reader->arena, &query, &error) < 0)
        return refuse(reader, node, "when: %s (at character %zu of the condition)", error.message,
                      error.offset + 1);
    if (fg_query_plan(query, reader->arena, &step->when, &is_whole, &message) < 0)
        return refuse(reader, node, "when: %s", message);
    if (!step->when || !is_whole)
        return refuse(reader, node,
                      "when: expected conditions on one span; trace.… and root.… can't be asked");
    step->any_status = asks_status(step->when);
    if (step->service.size == 0)
        step->service = asked_service(step->when);
    return 0;
}

/* -- Steps */

static int read_end(struct reader *reader, const yaml_node_t *node, enum fg_flow_end *ret_end)
{
    struct fg_slice text = {0};
    int r = read_text(reader, node, "ends", &text);
    if (r < 0)
        return r;
    if (fg_slice_equal(text, FG_SLICE("done")))
        *ret_end = FG_FLOW_ENDS_DONE;
    else if (fg_slice_equal(text, FG_SLICE("cancelled")))
        *ret_end = FG_FLOW_ENDS_CANCELLED;
    else
        return refuse(reader, node, "ends: expected done or cancelled");
    return 0;
}

static int read_step_pair(struct reader *reader, struct fg_flow_step *step, const char *key,
                          yaml_node_t *value, yaml_node_t **ret_after)
{
    if (strcmp(key, "name") == 0)
        return read_text(reader, value, key, &step->name);
    if (strcmp(key, "label") == 0)
        return read_text(reader, value, key, &step->label);
    if (strcmp(key, "by") == 0)
        return read_text(reader, value, key, &step->service);
    if (strcmp(key, "human") == 0)
        return read_text(reader, value, key, &step->human);
    if (strcmp(key, "when") == 0)
        return read_condition(reader, value, step);
    if (strcmp(key, "within") == 0)
        return read_duration(reader, value, key, &step->within_ns);
    if (strcmp(key, "optional") == 0)
        return read_bool(reader, value, key, &step->optional);
    if (strcmp(key, "ends") == 0)
        return read_end(reader, value, &step->ends);
    if (strcmp(key, "after") == 0) {
        *ret_after = value;
        return 0;
    }
    return refuse(reader, value,
                  "%s: a step has name, label, when, by, human, within, after, optional, ends",
                  key);
}

static uint32_t find_step(const struct fg_flow *flow, uint32_t count, struct fg_slice name)
{
    for (uint32_t i = 0; i < count; i++)
        if (fg_slice_equal(flow->steps[i].name, name))
            return i;
    return FG_FLOW_STEP_NONE;
}

static int read_after(struct reader *reader, struct fg_flow *flow, yaml_node_t *node,
                      uint64_t *ret_after)
{
    yaml_node_item_t one = 0, *item = &one, *end = &one + 1;
    if (node->type == YAML_SEQUENCE_NODE) {
        item = node->data.sequence.items.start;
        end = node->data.sequence.items.top;
    }
    for (; item < end; item++) {
        yaml_node_t *name_node = node->type == YAML_SEQUENCE_NODE ? node_at(reader, *item) : node;
        struct fg_slice name = {0};
        int r = read_text(reader, name_node, "after", &name);
        if (r < 0)
            return r;
        uint32_t step = find_step(flow, flow->step_count, name);
        if (step == FG_FLOW_STEP_NONE)
            return refuse(reader, name_node, "after: the flow has no step \"%.*s\"", (int)name.size,
                          (const char *)name.data);
        *ret_after |= UINT64_C(1) << step;
    }
    return 0;
}

/* Where nothing is said: after the nearest step before that goes on and can't be passed by. */
static uint64_t after_by_order(const struct fg_flow *flow, uint32_t step)
{
    for (uint32_t i = step; i > 0; i--)
        if (flow->steps[i - 1].ends == FG_FLOW_GOES_ON && !flow->steps[i - 1].optional)
            return UINT64_C(1) << (i - 1);
    return 0;
}

static int read_step(struct reader *reader, yaml_node_t *node, struct fg_flow *flow, uint32_t index,
                     yaml_node_t **ret_after)
{
    struct fg_flow_step *step = &flow->steps[index];
    if (node->type != YAML_MAPPING_NODE)
        return refuse(reader, node, "expected a step: name, when, …");
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = node_at(reader, pair->key);
        if (key->type != YAML_SCALAR_NODE)
            return refuse(reader, key, "expected a key of a step");
        int r = read_step_pair(reader, step, (const char *)key->data.scalar.value,
                               node_at(reader, pair->value), ret_after);
        if (r < 0)
            return r;
    }
    if (step->name.size == 0 || !step->when)
        return refuse(reader, node, "a step needs name and when");
    if (find_step(flow, index, step->name) != FG_FLOW_STEP_NONE)
        return refuse(reader, node, "the flow has two steps named \"%.*s\"", (int)step->name.size,
                      (const char *)step->name.data);
    if (step->label.size == 0)
        step->label = step->name;
    return 0;
}

static int read_steps(struct reader *reader, yaml_node_t *node, struct fg_flow *flow)
{
    if (node->type != YAML_SEQUENCE_NODE ||
        node->data.sequence.items.top == node->data.sequence.items.start)
        return refuse(reader, node, "steps: expected a list of steps");
    size_t count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    if (count > FG_FLOW_STEPS_MAX)
        return refuse(reader, node, "steps: a flow has at most %u", FG_FLOW_STEPS_MAX);
    yaml_node_t *after[FG_FLOW_STEPS_MAX] = {NULL};
    flow->steps = fg_arena_calloc(reader->arena, count, sizeof *flow->steps);
    if (!flow->steps)
        return FG_ELIMIT;
    flow->step_count = (uint32_t)count;
    for (uint32_t i = 0; i < count; i++) {
        int r = read_step(reader, node_at(reader, node->data.sequence.items.start[i]), flow, i,
                          &after[i]);
        if (r < 0)
            return r;
    }
    for (uint32_t i = 0; i < count; i++) {
        int r = 0;
        if (after[i])
            r = read_after(reader, flow, after[i], &flow->steps[i].after);
        else
            flow->steps[i].after = after_by_order(flow, i);
        if (r < 0)
            return r;
    }
    return 0;
}

/* -- Flows */

static int read_list(struct reader *reader, yaml_node_t *node, const char *key,
                     struct fg_slice **ret_list, uint32_t *ret_count)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return refuse(reader, node, "%s: expected a list of texts", key);
    size_t count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    struct fg_slice *list = fg_arena_calloc(reader->arena, count + 1, sizeof *list);
    if (!list)
        return FG_ELIMIT;
    for (size_t i = 0; i < count; i++) {
        int r =
            read_text(reader, node_at(reader, node->data.sequence.items.start[i]), key, &list[i]);
        if (r < 0)
            return r;
    }
    *ret_list = list;
    *ret_count = (uint32_t)count;
    return 0;
}

static int read_flow_pair(struct reader *reader, struct fg_flow *flow, const char *key,
                          yaml_node_t *value, uint64_t *ret_within_ns)
{
    if (strcmp(key, "name") == 0)
        return read_text(reader, value, key, &flow->name);
    if (strcmp(key, "key") == 0)
        return read_text(reader, value, key, &flow->key);
    if (strcmp(key, "within") == 0)
        return read_duration(reader, value, key, ret_within_ns);
    if (strcmp(key, "steps") == 0)
        return read_steps(reader, value, flow);
    if (strcmp(key, "format-errors") == 0)
        return read_list(reader, value, key, &flow->format_errors, &flow->format_error_count);
    if (strcmp(key, "shown-key") == 0)
        return read_text(reader, value, key, &flow->shown_key);
    if (strcmp(key, "status-key") == 0)
        return read_text(reader, value, key, &flow->status_key);
    return refuse(reader, value,
                  "%s: a flow has name, key, within, steps, format-errors, shown-key, status-key",
                  key);
}

static int read_flow(struct reader *reader, yaml_node_t *node, struct fg_flows *flows)
{
    struct fg_flow *flow = &flows->flows[flows->count];
    uint64_t within_ns = 0;
    if (node->type != YAML_MAPPING_NODE)
        return refuse(reader, node, "expected a flow: name, key, steps");
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = node_at(reader, pair->key);
        if (key->type != YAML_SCALAR_NODE)
            return refuse(reader, key, "expected a key of a flow");
        int r = read_flow_pair(reader, flow, (const char *)key->data.scalar.value,
                               node_at(reader, pair->value), &within_ns);
        if (r < 0)
            return r;
    }
    if (flow->name.size == 0 || flow->key.size == 0 || flow->step_count == 0)
        return refuse(reader, node, "a flow needs name, key and steps");
    if (fg_flows_find(flows, flow->key))
        return refuse(reader, node, "two flows have the key \"%.*s\"", (int)flow->key.size,
                      (const char *)flow->key.data);
    for (uint32_t i = 0; i < flow->step_count; i++)
        if (flow->steps[i].within_ns == 0)
            flow->steps[i].within_ns = within_ns;
    flows->count++;
    return 0;
}

static int read_document(struct reader *reader, struct fg_flows *flows)
{
    yaml_node_t *root = yaml_document_get_root_node(&reader->document);
    if (!root)
        return refuse(reader, NULL, "expected `flows:` and a list of flows");
    if (root->type != YAML_MAPPING_NODE ||
        root->data.mapping.pairs.top - root->data.mapping.pairs.start != 1)
        return refuse(reader, root, "expected `flows:` alone, and a list of flows");
    yaml_node_t *key = node_at(reader, root->data.mapping.pairs.start->key);
    yaml_node_t *list = node_at(reader, root->data.mapping.pairs.start->value);
    if (key->type != YAML_SCALAR_NODE || strcmp((char *)key->data.scalar.value, "flows") != 0 ||
        list->type != YAML_SEQUENCE_NODE)
        return refuse(reader, root, "expected `flows:` and a list of flows");
    size_t count = (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
    if (count > FG_FLOWS_MAX - flows->count)
        return refuse(reader, list, "flows: at most %u in all", FG_FLOWS_MAX);
    if (!flows->flows)
        flows->flows = fg_arena_calloc(reader->arena, FG_FLOWS_MAX, sizeof *flows->flows);
    if (!flows->flows)
        return FG_ELIMIT;
    for (size_t i = 0; i < count; i++) {
        int r = read_flow(reader, node_at(reader, list->data.sequence.items.start[i]), flows);
        if (r < 0)
            return r;
    }
    return 0;
}

int fg_flows_parse(struct fg_slice text, const char *file_name, struct fg_arena *arena,
                   struct fg_buffer *errors, struct fg_flows *flows)
{
    struct reader reader = {.file_name = file_name, .arena = arena, .errors = errors};
    yaml_parser_t parser;
    if (text.size > TEXT_SIZE_MAX) {
        fg_buffer_append_format(errors, "%s: a file of flows has at most 1 MiB\n", file_name);
        return FG_EINVALID;
    }
    if (!yaml_parser_initialize(&parser))
        return FG_ENOMEM;
    yaml_parser_set_input_string(&parser, text.data, text.size);
    if (!yaml_parser_load(&parser, &reader.document)) {
        fg_buffer_append_format(errors, "%s:%zu: %s\n", file_name, parser.problem_mark.line + 1,
                                parser.problem ? parser.problem : "this is no YAML");
        yaml_parser_delete(&parser);
        return FG_EINVALID;
    }
    int r = read_document(&reader, flows);
    yaml_document_delete(&reader.document);
    yaml_parser_delete(&parser);
    return r;
}
