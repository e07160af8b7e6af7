/* Reading flows from YAML. The text is loaded whole by libyaml, then walked by what is expected of
 * each node; every complaint names file and line. */
#include "base/hash.h"
#include "base/units.h"
#include "base/yaml_reader.h"
#include "flow_check.h"
#include "journey/flow.h"
#include "key_rule.h"
#include "query/query.h"

#define TEXT_SIZE_MAX ((size_t)1 << 20)

struct reader {
    struct fg_yaml yaml;
    struct fg_arena *arena;
    struct fg_slice text;
    struct fg_slice tenant; /* of the file; "": the default one */
};

static int read_text(struct reader *reader, const yaml_node_t *node, const char *key,
                     struct fg_slice *ret_text)
{
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.length == 0)
        return fg_yaml_refuse(&reader->yaml, node, "%s: expected a text", key);
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
        r = fg_yaml_refuse(&reader->yaml, node, "%s: expected a time like 30s, 5m or 2d", key);
    return r;
}

static int read_bool(struct reader *reader, const yaml_node_t *node, const char *key, bool *ret)
{
    struct fg_slice text = {0};
    int r = read_text(reader, node, key, &text);
    if (r < 0)
        return r;
    if (!fg_slice_equal(text, FG_SLICE("true")) && !fg_slice_equal(text, FG_SLICE("false")))
        return fg_yaml_refuse(&reader->yaml, node, "%s: expected true or false", key);
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
        return fg_yaml_refuse(&reader->yaml, node, "when: %s (at character %zu of the condition)",
                              error.message, error.offset + 1);
    if (fg_query_plan(query, reader->arena, &step->when, &is_whole, &message) < 0)
        return fg_yaml_refuse(&reader->yaml, node, "when: %s", message);
    if (!step->when || !is_whole)
        return fg_yaml_refuse(
            &reader->yaml, node,
            "when: expected conditions on one span; trace.… and root.… can't be asked");
    step->condition = text;
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
        return fg_yaml_refuse(&reader->yaml, node, "ends: expected done or cancelled");
    return 0;
}

/* -- Labels */

/* Two or three letters, and behind hyphens parts of two to eight letters or digits. */
static bool is_language(struct fg_slice text)
{
    size_t part = 0, size = 0;
    for (size_t i = 0; i <= text.size; i++) {
        uint8_t byte = i < text.size ? text.data[i] : '-';
        bool is_letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
        if (byte == '-') {
            if (size < 2 || size > (part == 0 ? 3 : 8))
                return false;
            part++;
            size = 0;
        } else if (is_letter || (part > 0 && byte >= '0' && byte <= '9')) {
            size++;
        } else {
            return false;
        }
    }
    return true;
}

/* Of several the English one is ret_text, or else the first. */
static int read_labels(struct reader *reader, yaml_node_t *node, const char *key,
                       struct fg_slice *ret_text, const struct fg_flow_labels **ret_labels)
{
    size_t count = (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
    struct fg_flow_labels *labels = fg_arena_calloc(reader->arena, 1, sizeof *labels);
    if (!labels)
        return FG_ELIMIT;
    if (count == 0 || count > FG_FLOW_LANGUAGES_MAX)
        return fg_yaml_refuse(&reader->yaml, node, "%s: expected one to %u languages", key,
                              FG_FLOW_LANGUAGES_MAX);
    int r = fg_yaml_refuse_twice(&reader->yaml, node);
    for (size_t i = 0; r == 0 && i < count; i++) {
        yaml_node_pair_t *pair = &node->data.mapping.pairs.start[i];
        yaml_node_t *name = fg_yaml_node(&reader->yaml, pair->key);
        struct fg_flow_label *label = &labels->of[labels->count];
        r = read_text(reader, name, key, &label->language);
        if (r == 0 && !is_language(label->language))
            r = fg_yaml_refuse(&reader->yaml, name, "%s: expected a language like en or pt-BR",
                               key);
        if (r == 0)
            r = read_text(reader, fg_yaml_node(&reader->yaml, pair->value), key, &label->text);
        if (r == 0 && (labels->count++ == 0 || fg_slice_equal(label->language, FG_SLICE("en"))))
            *ret_text = label->text;
    }
    *ret_labels = labels;
    return r;
}

static int read_label(struct reader *reader, yaml_node_t *node, const char *key,
                      struct fg_slice *ret_text, const struct fg_flow_labels **ret_labels)
{
    if (node->type == YAML_MAPPING_NODE)
        return read_labels(reader, node, key, ret_text, ret_labels);
    if (node->type != YAML_SCALAR_NODE)
        return fg_yaml_refuse(&reader->yaml, node,
                              "%s: expected a text, or one for each language: {en: Placed, …}",
                              key);
    return read_text(reader, node, key, ret_text);
}

static int read_step_pair(struct reader *reader, struct fg_flow_step *step, const char *key,
                          yaml_node_t *value, yaml_node_t **ret_after)
{
    if (strcmp(key, "name") == 0)
        return read_text(reader, value, key, &step->name);
    if (strcmp(key, "label") == 0)
        return read_label(reader, value, key, &step->label, &step->labels);
    if (strcmp(key, "by") == 0)
        return read_text(reader, value, key, &step->service);
    if (strcmp(key, "human") == 0)
        return read_label(reader, value, key, &step->human, &step->humans);
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
    return fg_yaml_refuse(
        &reader->yaml, value,
        "%s: a step has name, label, when, by, human, within, after, optional, ends", key);
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
        yaml_node_t *name_node =
            node->type == YAML_SEQUENCE_NODE ? fg_yaml_node(&reader->yaml, *item) : node;
        struct fg_slice name = {0};
        int r = read_text(reader, name_node, "after", &name);
        if (r < 0)
            return r;
        uint32_t step = find_step(flow, flow->step_count, name);
        if (step == FG_FLOW_STEP_NONE)
            return fg_yaml_refuse(&reader->yaml, name_node, "after: the flow has no step \"%.*s\"",
                                  (int)name.size, (const char *)name.data);
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

static uint64_t print_of(const struct fg_flow *flow, uint32_t step)
{
    uint64_t print = fg_hash(flow->steps[step].condition);
    for (uint32_t i = 0; i < flow->step_count; i++)
        if (flow->steps[step].after >> i & 1)
            print = fg_hash_seeded(flow->steps[i].name, print);
    return print;
}

static int refuse_contradiction(struct reader *reader, const yaml_node_t *list,
                                const struct fg_flow *flow)
{
    uint32_t step, other;
    enum fg_flow_contradiction found = fg_flow_check(flow, &step, &other);
    const yaml_node_t *node = fg_yaml_item(&reader->yaml, list, step);
    struct fg_slice name = flow->steps[step].name, other_name = flow->steps[other].name;
    switch (found) {
    case FG_FLOW_IS_SOUND:
        return 0;
    case FG_FLOW_FOLLOWS_ITSELF:
        return fg_yaml_refuse(&reader->yaml, node, "after: \"%.*s\" can't follow itself",
                              (int)name.size, (const char *)name.data);
    case FG_FLOW_FOLLOWS_END:
        return fg_yaml_refuse(&reader->yaml, node,
                              "after: nothing follows \"%.*s\", which ends the flow",
                              (int)other_name.size, (const char *)other_name.data);
    case FG_FLOW_SAME_CONDITION:
        return fg_yaml_refuse(
            &reader->yaml, node,
            "when: \"%.*s\" and \"%.*s\" have the same condition: one span would reach "
            "both",
            (int)other_name.size, (const char *)other_name.data, (int)name.size,
            (const char *)name.data);
    case FG_FLOW_NEVER_BEGINS:
        return fg_yaml_refuse(&reader->yaml, node,
                              "after: no step begins the flow, each follows another");
    case FG_FLOW_NEVER_REACHED:
        break;
    }
    return fg_yaml_refuse(&reader->yaml, node,
                          "after: \"%.*s\" is never reached, since what it follows is not",
                          (int)name.size, (const char *)name.data);
}

static int write_waits(struct reader *reader, struct fg_flow_step *step)
{
    const struct fg_slice acts = FG_SLICE(" has to act: ");
    const struct fg_slice parts[] = {step->human, acts, step->label};
    size_t size = 0;
    if (step->human.size == 0)
        return 0;
    uint8_t *text = fg_arena_alloc(reader->arena, step->human.size + acts.size + step->label.size);
    if (!text)
        return FG_ELIMIT;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; size += parts[i++].size)
        memcpy(text + size, parts[i].data, parts[i].size);
    step->waits = fg_slice(text, size);
    return 0;
}

static int read_step(struct reader *reader, yaml_node_t *node, struct fg_flow *flow, uint32_t index,
                     yaml_node_t **ret_after)
{
    struct fg_flow_step *step = &flow->steps[index];
    if (node->type != YAML_MAPPING_NODE)
        return fg_yaml_refuse(&reader->yaml, node, "expected a step: name, when, …");
    int twice = fg_yaml_refuse_twice(&reader->yaml, node);
    if (twice < 0)
        return twice;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = fg_yaml_node(&reader->yaml, pair->key);
        if (key->type != YAML_SCALAR_NODE)
            return fg_yaml_refuse(&reader->yaml, key, "expected a key of a step");
        int r = read_step_pair(reader, step, (const char *)key->data.scalar.value,
                               fg_yaml_node(&reader->yaml, pair->value), ret_after);
        if (r < 0)
            return r;
    }
    if (step->name.size == 0 || !step->when)
        return fg_yaml_refuse(&reader->yaml, node, "a step needs name and when");
    if (find_step(flow, index, step->name) != FG_FLOW_STEP_NONE)
        return fg_yaml_refuse(&reader->yaml, node, "the flow has two steps named \"%.*s\"",
                              (int)step->name.size, (const char *)step->name.data);
    if (step->label.size == 0)
        step->label = step->name;
    return write_waits(reader, step);
}

static int read_steps(struct reader *reader, yaml_node_t *node, struct fg_flow *flow)
{
    if (node->type != YAML_SEQUENCE_NODE ||
        node->data.sequence.items.top == node->data.sequence.items.start)
        return fg_yaml_refuse(&reader->yaml, node, "steps: expected a list of steps");
    size_t count = fg_yaml_count(node);
    if (count > FG_FLOW_STEPS_MAX)
        return fg_yaml_refuse(&reader->yaml, node, "steps: a flow has at most %u",
                              FG_FLOW_STEPS_MAX);
    yaml_node_t *after[FG_FLOW_STEPS_MAX] = {NULL};
    flow->steps = fg_arena_calloc(reader->arena, count, sizeof *flow->steps);
    if (!flow->steps)
        return FG_ELIMIT;
    flow->step_count = (uint32_t)count;
    for (uint32_t i = 0; i < count; i++) {
        int r = read_step(reader, fg_yaml_item(&reader->yaml, node, i), flow, i, &after[i]);
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
    for (uint32_t i = 0; i < count; i++)
        flow->steps[i].print = print_of(flow, i);
    return refuse_contradiction(reader, node, flow);
}

/* -- Flows */

static int read_list(struct reader *reader, yaml_node_t *node, const char *key,
                     struct fg_slice **ret_list, uint32_t *ret_count)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return fg_yaml_refuse(&reader->yaml, node, "%s: expected a list of texts", key);
    size_t count = fg_yaml_count(node);
    struct fg_slice *list = fg_arena_calloc(reader->arena, count + 1, sizeof *list);
    if (!list)
        return FG_ELIMIT;
    for (size_t i = 0; i < count; i++) {
        int r = read_text(reader, fg_yaml_item(&reader->yaml, node, i), key, &list[i]);
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
    if (strcmp(key, "message-schema") == 0)
        return read_text(reader, value, key, &flow->schema_file);
    if (strcmp(key, "shown-key") == 0)
        return read_text(reader, value, key, &flow->shown_key);
    if (strcmp(key, "status-key") == 0)
        return read_text(reader, value, key, &flow->status_key);
    return fg_yaml_refuse(&reader->yaml, value,
                          "%s: a flow has name, key, within, steps, format-errors, message-schema, "
                          "shown-key, status-key",
                          key);
}

static bool has_key(const struct fg_flows *flows, struct fg_slice tenant, struct fg_slice key)
{
    for (uint32_t i = 0; i < flows->count; i++)
        if (fg_slice_equal(flows->flows[i].key, key) &&
            fg_slice_equal(flows->flows[i].tenant, tenant))
            return true;
    return false;
}

static bool has_name(const struct fg_flows *flows, struct fg_slice tenant, struct fg_slice name)
{
    for (uint32_t i = 0; i < flows->count; i++)
        if (fg_slice_equal(flows->flows[i].name, name) &&
            fg_slice_equal(flows->flows[i].tenant, tenant))
            return true;
    return false;
}

static int read_flow(struct reader *reader, yaml_node_t *node, struct fg_flows *flows)
{
    struct fg_flow *flow = &flows->flows[flows->count];
    uint64_t within_ns = 0;
    if (node->type != YAML_MAPPING_NODE)
        return fg_yaml_refuse(&reader->yaml, node, "expected a flow: name, key, steps");
    int twice = fg_yaml_refuse_twice(&reader->yaml, node);
    if (twice < 0)
        return twice;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = fg_yaml_node(&reader->yaml, pair->key);
        if (key->type != YAML_SCALAR_NODE)
            return fg_yaml_refuse(&reader->yaml, key, "expected a key of a flow");
        int r = read_flow_pair(reader, flow, (const char *)key->data.scalar.value,
                               fg_yaml_node(&reader->yaml, pair->value), &within_ns);
        if (r < 0)
            return r;
    }
    if (flow->name.size == 0 || flow->key.size == 0 || flow->step_count == 0)
        return fg_yaml_refuse(&reader->yaml, node, "a flow needs name, key and steps");
    if (has_key(flows, reader->tenant, flow->key))
        return fg_yaml_refuse(&reader->yaml, node, "two flows have the key \"%.*s\"",
                              (int)flow->key.size, (const char *)flow->key.data);
    if (has_name(flows, reader->tenant, flow->name))
        return fg_yaml_refuse(&reader->yaml, node, "two flows are named \"%.*s\"",
                              (int)flow->name.size, (const char *)flow->name.data);
    for (uint32_t i = 0; i < flow->step_count; i++)
        if (flow->steps[i].within_ns == 0)
            flow->steps[i].within_ns = within_ns;
    flow->within_ns = within_ns;
    flow->tenant = reader->tenant;
    size_t begin = node->start_mark.index, end = node->end_mark.index;
    if (end > reader->text.size)
        end = reader->text.size;
    flow->print = fg_hash(fg_slice(reader->text.data + begin, end > begin ? end - begin : 0)) | 1;
    flows->count++;
    return 0;
}

/* -- Rules of keys */

static int read_rule(struct reader *reader, yaml_node_t *node, struct fg_key_rule *rule)
{
    char message[200];
    if (node->type != YAML_MAPPING_NODE)
        return fg_yaml_refuse(&reader->yaml, node, "expected a rule: key, from, pattern");
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = fg_yaml_node(&reader->yaml, pair->key),
                    *value = fg_yaml_node(&reader->yaml, pair->value);
        const char *name = key->type == YAML_SCALAR_NODE ? (char *)key->data.scalar.value : "";
        int r = strcmp(name, "key") == 0    ? read_text(reader, value, name, &rule->key)
                : strcmp(name, "from") == 0 ? read_text(reader, value, name, &rule->from)
                : strcmp(name, "pattern") == 0
                    ? read_text(reader, value, name, &rule->pattern)
                    : fg_yaml_refuse(&reader->yaml, key, "a rule has key, from, pattern");
        if (r < 0)
            return r;
    }
    if (rule->key.size == 0 || rule->from.size == 0)
        return fg_yaml_refuse(&reader->yaml, node, "a rule needs key and from");
    if (fg_slice_equal(rule->key, rule->from))
        return fg_yaml_refuse(&reader->yaml, node, "a rule takes the key from another attribute");
    if (rule->pattern.size > 0 && fg_key_rule_compile(rule, message) < 0)
        return fg_yaml_refuse(&reader->yaml, node, "pattern: %s", message);
    return 0;
}

static int read_rules(struct reader *reader, yaml_node_t *list, struct fg_flows *flows)
{
    if (list->type != YAML_SEQUENCE_NODE)
        return fg_yaml_refuse(&reader->yaml, list, "keys: expected a list of rules");
    size_t count = fg_yaml_count(list);
    if (count > FG_KEY_RULES_MAX - flows->key_rule_count)
        return fg_yaml_refuse(&reader->yaml, list, "keys: at most %u in all", FG_KEY_RULES_MAX);
    if (!flows->key_rules)
        flows->key_rules =
            fg_arena_calloc(reader->arena, FG_KEY_RULES_MAX, sizeof *flows->key_rules);
    if (!flows->key_rules)
        return FG_ELIMIT;
    for (size_t i = 0; i < count; i++) {
        struct fg_key_rule *rule = &flows->key_rules[flows->key_rule_count++];
        rule->tenant = reader->tenant;
        int r = read_rule(reader, fg_yaml_item(&reader->yaml, list, i), rule);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_flows(struct reader *reader, yaml_node_t *list, struct fg_flows *flows)
{
    if (list->type != YAML_SEQUENCE_NODE)
        return fg_yaml_refuse(&reader->yaml, list, "expected `flows:` and a list of flows");
    size_t count = fg_yaml_count(list);
    if (count > FG_FLOWS_MAX - flows->count)
        return fg_yaml_refuse(&reader->yaml, list, "flows: at most %u in all", FG_FLOWS_MAX);
    if (!flows->flows)
        flows->flows = fg_arena_calloc(reader->arena, FG_FLOWS_MAX, sizeof *flows->flows);
    if (!flows->flows)
        return FG_ELIMIT;
    for (size_t i = 0; i < count; i++) {
        int r = read_flow(reader, fg_yaml_item(&reader->yaml, list, i), flows);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Whose the file is: it may stand anywhere in it. */
static int read_tenant(struct reader *reader, const yaml_node_t *root)
{
    for (yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         pair < root->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = fg_yaml_node(&reader->yaml, pair->key);
        if (key->type != YAML_SCALAR_NODE || strcmp((char *)key->data.scalar.value, "tenant") != 0)
            continue;
        int r =
            read_text(reader, fg_yaml_node(&reader->yaml, pair->value), "tenant", &reader->tenant);
        if (r < 0)
            return r;
        if (fg_slice_equal(reader->tenant, FG_SLICE("default")))
            reader->tenant = (struct fg_slice){0};
    }
    return 0;
}

static int read_document(struct reader *reader, struct fg_flows *flows)
{
    yaml_node_t *root = yaml_document_get_root_node(&reader->yaml.document);
    bool any = false;
    if (!root || root->type != YAML_MAPPING_NODE)
        return fg_yaml_refuse(&reader->yaml, root, "expected `flows:` alone, and a list of flows");
    int told = read_tenant(reader, root);
    if (told < 0)
        return told;
    for (yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         pair < root->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = fg_yaml_node(&reader->yaml, pair->key),
                    *value = fg_yaml_node(&reader->yaml, pair->value);
        const char *name = key->type == YAML_SCALAR_NODE ? (char *)key->data.scalar.value : "";
        bool is_tenant = strcmp(name, "tenant") == 0;
        int r =
            is_tenant                    ? 0
            : strcmp(name, "flows") == 0 ? read_flows(reader, value, flows)
            : strcmp(name, "keys") == 0
                ? read_rules(reader, value, flows)
                : fg_yaml_refuse(&reader->yaml, key, "expected `flows:`, `keys:` and `tenant:`");
        if (r < 0)
            return r;
        any |= !is_tenant;
    }
    return any ? 0 : fg_yaml_refuse(&reader->yaml, root, "expected `flows:` and a list of flows");
}

int fg_flows_parse(struct fg_slice text, const char *file_name, struct fg_arena *arena,
                   struct fg_buffer *errors, struct fg_flows *flows)
{
    struct reader reader = {
        .yaml = {.file_name = file_name, .errors = errors}, .arena = arena, .text = text};
    if (text.size > TEXT_SIZE_MAX) {
        fg_buffer_append_format(errors, "%s: a file of flows has at most 1 MiB\n", file_name);
        return FG_EINVALID;
    }
    int r = fg_yaml_load(&reader.yaml, text);
    if (r < 0)
        return r;
    r = read_document(&reader, flows);
    fg_yaml_free(&reader.yaml);
    return r;
}
