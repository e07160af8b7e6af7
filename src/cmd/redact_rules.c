/* Reading rules of redaction from YAML; every complaint names file and line. */
#include "redact_rules.h"

#include "base/yaml_reader.h"

#include <string.h>

struct reader {
    struct fg_yaml yaml;
    struct fg_arena *arena;
};

static int read_text(struct reader *reader, const yaml_node_t *node, const char *key,
                     const char **ret_text)
{
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.length == 0)
        return fg_yaml_refuse(&reader->yaml, node, "%s: expected a text", key);
    struct fg_slice bytes = fg_slice(node->data.scalar.value, node->data.scalar.length);
    if (memchr(bytes.data, 0, bytes.size))
        return fg_yaml_refuse(&reader->yaml, node, "%s: a text can't hold a NUL", key);
    *ret_text = fg_arena_string(reader->arena, bytes);
    return *ret_text ? 0 : FG_ELIMIT;
}

/* One text, or a list of them. */
static int read_list(struct reader *reader, const yaml_node_t *node, const char *key,
                     const char *const **ret_items, size_t *ret_count)
{
    bool is_list = node->type == YAML_SEQUENCE_NODE;
    size_t count = is_list ? fg_yaml_count(node) : 1;
    if (count == 0)
        return fg_yaml_refuse(&reader->yaml, node, "%s: the list is empty", key);
    const char **items = fg_arena_calloc(reader->arena, count, sizeof *items);
    int r = items ? 0 : FG_ELIMIT;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = read_text(reader, is_list ? fg_yaml_item(&reader->yaml, node, i) : node, key,
                      &items[i]);
    *ret_items = items;
    *ret_count = count;
    return r;
}

static int read_kinds(struct reader *reader, const yaml_node_t *node, unsigned *ret_kinds)
{
    const char *const *names = NULL;
    size_t count = 0;
    int r = read_list(reader, node, "values", &names, &count);
    for (size_t i = 0; r == 0 && i < count; i++) {
        enum fg_redact_kind kind;
        if (!fg_redact_kind_parse(fg_slice_from_string(names[i]), &kind))
            return fg_yaml_refuse(
                &reader->yaml, node,
                "values: '%.40s' is none of card, email, token, sql, phone, private-key, "
                "secret, url",
                names[i]);
        *ret_kinds |= kind;
    }
    return r;
}

static int read_action(struct reader *reader, const yaml_node_t *node,
                       enum fg_redact_action *ret_action)
{
    const char *name = NULL;
    int r = read_text(reader, node, "action", &name);
    if (r < 0)
        return r;
    if (fg_redact_action_parse(fg_slice_from_string(name), ret_action))
        return 0;
    return fg_yaml_refuse(&reader->yaml, node,
                          "action: expected keep, drop, hash or mask, not '%.40s'", name);
}

static int read_pair(struct reader *reader, struct fg_redact_rule *rule, const char *key,
                     const yaml_node_t *value, bool *has_action)
{
    if (strcmp(key, "name") == 0)
        return read_text(reader, value, key, &rule->name);
    if (strcmp(key, "keys") == 0)
        return read_list(reader, value, key, &rule->keys, &rule->key_count);
    if (strcmp(key, "values") == 0)
        return read_kinds(reader, value, &rule->kinds);
    if (strcmp(key, "pattern") == 0)
        return read_text(reader, value, key, &rule->pattern);
    if (strcmp(key, "action") == 0) {
        *has_action = true;
        return read_action(reader, value, &rule->action);
    }
    return fg_yaml_refuse(&reader->yaml, value,
                          "%.60s: a rule has name, keys, values, pattern, action", key);
}

/* The rule alone is made once, so that what is wrong with it is said at its line. */
static int check_rule(struct reader *reader, const yaml_node_t *node,
                      const struct fg_redact_rule *rule)
{
    struct fg_redact_rules *alone = NULL;
    const char *message = NULL;
    int r = fg_redact_rules_new(rule, 1, NULL, reader->arena, &message, &alone);
    fg_redact_rules_unref(alone);
    return r == FG_EINVALID ? fg_yaml_refuse(&reader->yaml, node, "%s", message) : r;
}

static int read_rule(struct reader *reader, const yaml_node_t *node,
                     struct fg_redact_rule *ret_rule)
{
    if (node->type != YAML_MAPPING_NODE)
        return fg_yaml_refuse(&reader->yaml, node,
                              "expected a rule: name, keys, values or pattern, action");
    struct fg_redact_rule rule = {.name = NULL};
    bool has_action = false;
    int result = 0;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const char *key = NULL;
        int r = read_text(reader, fg_yaml_node(&reader->yaml, pair->key), "a rule's key", &key);
        if (r == 0 && key)
            r = read_pair(reader, &rule, key, fg_yaml_node(&reader->yaml, pair->value),
                          &has_action);
        if (r < 0)
            result = r;
    }
    if (result == 0 && !rule.name)
        return fg_yaml_refuse(&reader->yaml, node, "the rule has no name");
    if (result == 0 && !has_action)
        return fg_yaml_refuse(&reader->yaml, node,
                              "the rule has no action: keep, drop, hash or mask");
    *ret_rule = rule;
    return result == 0 ? check_rule(reader, node, &rule) : result;
}

static int read_rules(struct reader *reader, const yaml_node_t *node, struct fg_redact_file *file)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return fg_yaml_refuse(&reader->yaml, node, "rules: expected a list of rules");
    size_t count = fg_yaml_count(node);
    if (count > FG_REDACT_RULES_MAX)
        return fg_yaml_refuse(&reader->yaml, node, "rules: more than %u", FG_REDACT_RULES_MAX);
    file->rules = fg_arena_calloc(reader->arena, count + 1, sizeof *file->rules);
    if (!file->rules)
        return FG_ELIMIT;
    int result = 0;
    for (size_t i = 0; i < count; i++) {
        const yaml_node_t *rule = fg_yaml_item(&reader->yaml, node, i);
        int r = read_rule(reader, rule, &file->rules[file->count]);
        if (r < 0)
            result = r;
        else
            file->count++;
    }
    return result;
}

static int read_document(struct reader *reader, struct fg_redact_file *file)
{
    const yaml_node_t *root = yaml_document_get_root_node(&reader->yaml.document);
    if (!root)
        return 0;
    if (root->type != YAML_MAPPING_NODE)
        return fg_yaml_refuse(&reader->yaml, root, "expected `rules:` and a list");
    for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         pair < root->data.mapping.pairs.top; pair++) {
        const char *key = NULL;
        int r = read_text(reader, fg_yaml_node(&reader->yaml, pair->key), "a key", &key);
        if (r == 0 && key && strcmp(key, "rules") != 0)
            r = fg_yaml_refuse(&reader->yaml, fg_yaml_node(&reader->yaml, pair->key),
                               "%.60s: expected `rules:` alone", key);
        if (r == 0)
            r = read_rules(reader, fg_yaml_node(&reader->yaml, pair->value), file);
        if (r < 0)
            return r;
    }
    return 0;
}

int fg_redact_file_parse(struct fg_slice text, const char *file_name, struct fg_arena *arena,
                         struct fg_buffer *errors, struct fg_redact_file *ret_file)
{
    struct reader reader = {.yaml = {.file_name = file_name, .errors = errors}, .arena = arena};
    *ret_file = (struct fg_redact_file){.rules = NULL};
    int r = fg_yaml_load(&reader.yaml, text);
    if (r < 0)
        return r;
    r = read_document(&reader, ret_file);
    fg_yaml_free(&reader.yaml);
    return r;
}
