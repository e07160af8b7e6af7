/* Reading monitors from YAML. The text is loaded whole by libyaml; an entry's pairs become settings
 * (settings.h), the scheduler takes its own from them, the kind's open takes the rest, and what
 * nobody asked for is wrong. Every complaint names file and line, and reading goes on behind it, so
 * that all that is wrong is said at once. */
#include "monitor/config.h"

#include "base/limits.h"
#include "base/units.h"
#include "base/yaml_reader.h"
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>

#define CONFIG_BYTES_MAX ((size_t)256 << 10)
#define TEXT_SIZE_MAX    ((size_t)1 << 20)
#define INTERVAL_NS_MIN  (100 * FG_NS_PER_MS)
#define TIME_LIMIT_MIN   (10 * FG_NS_PER_MS)
#define TIME_LIMIT_MAX   (120 * FG_NS_PER_SECOND)

struct reader {
    struct fg_yaml yaml;
    const struct fg_monitor_source *source;
};

/* -- An entry's pairs */

static int read_scalar(struct reader *reader, const yaml_node_t *node, const char *key,
                       struct fg_arena *arena, const char **ret_text)
{
    if (node->type != YAML_SCALAR_NODE)
        return fg_yaml_refuse(&reader->yaml, node, "%s: expected a text or a list of texts", key);
    if (node->data.scalar.length == 0 && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return fg_yaml_refuse(&reader->yaml, node, "%s: expected a text", key);
    struct fg_slice text = fg_slice(node->data.scalar.value, node->data.scalar.length);
    if (memchr(text.data, 0, text.size))
        return fg_yaml_refuse(&reader->yaml, node, "%s: a text without a zero byte is expected",
                              key);
    *ret_text = fg_arena_string(arena, text);
    return *ret_text ? 0 : FG_ELIMIT;
}

static int read_value(struct reader *reader, const yaml_node_t *node, struct fg_arena *arena,
                      struct fg_setting_entry *entry)
{
    size_t count = 1;
    entry->is_list = node->type == YAML_SEQUENCE_NODE;
    if (entry->is_list)
        count = fg_yaml_count(node);
    if (count > FG_CHECK_LIST_MAX)
        return fg_yaml_refuse(&reader->yaml, node, "%s: at most %u", entry->key, FG_CHECK_LIST_MAX);
    const char **items = fg_arena_calloc(arena, count + 1, sizeof *items);
    if (!items)
        return FG_ELIMIT;
    entry->items = items;
    entry->item_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        const yaml_node_t *item = entry->is_list ? fg_yaml_item(&reader->yaml, node, i) : node;
        int r = read_scalar(reader, item, entry->key, arena, &items[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_pairs(struct reader *reader, const yaml_node_t *node,
                      struct fg_check_settings *settings)
{
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = fg_yaml_node(&reader->yaml, pair->key);
        const char *name = NULL;
        if (key->type != YAML_SCALAR_NODE)
            return fg_yaml_refuse(&reader->yaml, key, "expected a key of a monitor");
        int r = read_scalar(reader, key, "a key", settings->arena, &name);
        if (r < 0)
            return r;
        if (fg_settings_find(settings, name))
            return fg_yaml_refuse(&reader->yaml, key, "%s: it is there twice", name);
        if (settings->count == FG_CHECK_SETTINGS_MAX)
            return fg_yaml_refuse(&reader->yaml, key, "a monitor has at most %u settings",
                                  FG_CHECK_SETTINGS_MAX);
        struct fg_setting_entry *entry = &settings->entries[settings->count];
        *entry = (struct fg_setting_entry){.key = name, .line = (uint32_t)key->start_mark.line + 1};
        r = read_value(reader, fg_yaml_node(&reader->yaml, pair->value), settings->arena, entry);
        if (r < 0)
            return r;
        settings->count++;
    }
    return 0;
}

/* -- A monitor */

bool fg_monitor_name_valid(struct fg_slice name)
{
    if (name.size == 0 || name.size > FG_MONITOR_NAME_SIZE_MAX)
        return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool is_plain =
            (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
        if (!is_plain && (i == 0 || (c != '.' && c != '-')))
            return false;
    }
    return true;
}

static const struct fg_check_kind *find_kind(const struct fg_monitor_source *source,
                                             const char *name)
{
    const struct fg_check_kind *const *kinds = source->kinds ? source->kinds : fg_check_kinds;
    for (; *kinds; kinds++)
        if (strcmp((*kinds)->name, name) == 0)
            return *kinds;
    return NULL;
}

static void complain_of_kind(struct fg_check_settings *settings,
                             const struct fg_monitor_source *source)
{
    const struct fg_check_kind *const *kinds = source->kinds ? source->kinds : fg_check_kinds;
    char names[300] = "";
    for (; *kinds; kinds++) {
        size_t size = strlen(names);
        snprintf(names + size, sizeof names - size, "%s%s", size ? ", " : "", (*kinds)->name);
    }
    fg_check_complain(settings, "kind", "expected one of %s", names);
}

static void read_name(struct fg_monitor_config *config, const char *otherwise)
{
    struct fg_check_settings *settings = config->settings;
    const char *name = fg_check_setting(settings, "name");
    if (otherwise && name && strcmp(name, otherwise) != 0)
        fg_check_complain(settings, "name", "expected \"%s\", as the address has it", otherwise);
    if (!name && otherwise)
        name = fg_arena_string(&config->arena, fg_slice_from_string(otherwise));
    config->name = name;
    if (!config->name)
        fg_check_complain(settings, "name", "a monitor needs a name");
    else if (!fg_monitor_name_valid(fg_slice_from_string(config->name)))
        fg_check_complain(settings, "name",
                          "expected letters, digits, '_', '.' and '-', at most %u, the first a "
                          "letter or digit",
                          FG_MONITOR_NAME_SIZE_MAX);
}

static uint64_t read_time(struct fg_check_settings *settings, const char *key, uint64_t min_ns,
                          uint64_t max_ns, uint64_t otherwise_ns)
{
    char min[FG_UNITS_TEXT_SIZE], max[FG_UNITS_TEXT_SIZE];
    uint64_t ns = fg_check_setting_ns(settings, key, otherwise_ns);
    if (ns >= min_ns && ns <= max_ns)
        return ns;
    fg_duration_format(min_ns, min);
    fg_duration_format(max_ns, max);
    fg_check_complain(settings, key, "expected a time from %s to %s", min, max);
    return otherwise_ns;
}

/* What stands for all kinds. */
static void read_own(struct fg_monitor_config *config, const struct fg_monitor_source *source,
                     const char *name)
{
    struct fg_check_settings *settings = config->settings;
    read_name(config, name);
    config->service = fg_check_setting(settings, "service");
    config->tenant = fg_check_setting(settings, "tenant");
    if (config->tenant && source->secrets)
        fg_check_complain(settings, "tenant", "a monitor that is added is its adder's tenant's");
    config->interval_ns =
        read_time(settings, "interval", INTERVAL_NS_MIN, FG_NS_PER_DAY, FG_MONITOR_INTERVAL_NS);
    config->time_limit_ns =
        read_time(settings, "time-limit", TIME_LIMIT_MIN, TIME_LIMIT_MAX, FG_MONITOR_TIME_LIMIT_NS);
    config->confirm =
        (uint32_t)fg_check_setting_int(settings, "confirm", 0, 10, FG_MONITOR_CONFIRM);
    config->is_paused = fg_check_setting_bool(settings, "paused", false);
    const char *kind = fg_check_setting(settings, "kind");
    config->kind = kind ? find_kind(source, kind) : NULL;
    if (!config->kind)
        complain_of_kind(settings, source);
}

/* Secrets of what comes by the network: of one folder, lest somebody sends the server's own files
 * to a host of theirs. */
static void check_secrets(struct fg_check_settings *settings)
{
    if (!settings->secrets)
        return;
    size_t folder = strlen(settings->secrets);
    for (uint32_t i = 0; i < settings->count; i++) {
        const struct fg_setting_entry *entry = &settings->entries[i];
        size_t size = strlen(entry->key);
        const char *value = entry->item_count ? entry->items[0] : "";
        if (size > 4 && strcmp(entry->key + size - 4, "-env") == 0)
            fg_check_complain(settings, entry->key,
                              "only monitors of the server's own files read the environment");
        bool is_secret = size > 5 && strcmp(entry->key + size - 5, "-file") == 0 &&
                         strcmp(entry->key, "ca-file") != 0 && strcmp(entry->key, "pid-file") != 0;
        if (!is_secret)
            continue;
        if (strncmp(value, settings->secrets, folder) != 0 || value[folder] != '/' ||
            strstr(value, "/.."))
            fg_check_complain(settings, entry->key,
                              "expected a file in %s (setting monitor-secrets)", settings->secrets);
    }
}

static int open_check(struct fg_monitor_config *config, const struct fg_monitor_source *source)
{
    struct fg_check_settings *settings = config->settings;
    int r = config->kind->open(source->env, settings, &config->check);
    if (r == FG_EINVALID && !settings->is_wrong)
        fg_check_complain(settings, "kind", "the settings of this monitor can't be taken");
    if (r < 0 && r != FG_EINVALID)
        return r;
    fg_settings_complain_unknown(settings, config->kind->name);
    return settings->is_wrong ? FG_EINVALID : 0;
}

static int read_monitor(struct reader *reader, const yaml_node_t *node, const char *name,
                        struct fg_monitor_config **ret_config)
{
    const struct fg_monitor_source *source = reader->source;
    if (node->type != YAML_MAPPING_NODE)
        return fg_yaml_refuse(&reader->yaml, node, "expected a monitor: name, kind, …");
    struct fg_monitor_config *config = calloc(1, sizeof *config);
    if (!config)
        return FG_ENOMEM;
    int r = FG_ENOMEM;
    fg_arena_init(&config->arena, CONFIG_BYTES_MAX);
    config->line = (uint32_t)node->start_mark.line + 1;
    config->file_name = fg_arena_string(&config->arena, fg_slice_from_string(source->file_name));
    config->settings = fg_arena_calloc(&config->arena, 1, sizeof *config->settings);
    if (!config->settings || !config->file_name)
        goto fail;
    *config->settings = (struct fg_check_settings){.env = source->env,
                                                   .arena = &config->arena,
                                                   .file_name = config->file_name,
                                                   .line = config->line,
                                                   .errors = reader->yaml.errors,
                                                   .secrets = source->secrets};
    r = read_pairs(reader, node, config->settings);
    if (r < 0)
        goto fail;
    read_own(config, source, name);
    check_secrets(config->settings);
    r = config->kind ? open_check(config, source) : FG_EINVALID;
    if (r < 0)
        goto fail;
    config->settings->errors = NULL;
    *ret_config = config;
    return 0;
fail:
    fg_monitor_config_free(config);
    return r;
}

void fg_monitor_config_free(struct fg_monitor_config *config)
{
    if (!config)
        return;
    if (config->check && config->kind)
        config->kind->close(config->check);
    fg_arena_free(&config->arena);
    free(config);
}

void fg_monitor_configs_free(struct fg_monitor_configs *configs)
{
    for (uint32_t i = 0; i < configs->count; i++)
        fg_monitor_config_free(configs->items[i]);
    free(configs->items);
    *configs = (struct fg_monitor_configs){0};
}

/* -- A file */

static bool is_there(const struct fg_monitor_configs *configs, const char *name)
{
    for (uint32_t i = 0; i < configs->count; i++)
        if (strcmp(configs->items[i]->name, name) == 0)
            return true;
    return false;
}

int fg_monitor_configs_append(struct fg_monitor_configs *configs, struct fg_monitor_config *config)
{
    if (configs->count == configs->capacity) {
        uint32_t capacity = configs->capacity ? 2 * configs->capacity : 16;
        void *items = realloc(configs->items, capacity * sizeof(struct fg_monitor_config *));
        if (!items)
            return FG_ENOMEM;
        configs->items = items;
        configs->capacity = capacity;
    }
    configs->items[configs->count++] = config;
    return 0;
}

static int read_into(struct reader *reader, const yaml_node_t *node,
                     struct fg_monitor_configs *configs)
{
    struct fg_monitor_config *config = NULL;
    int r = read_monitor(reader, node, NULL, &config);
    if (r < 0)
        return r;
    if (is_there(configs, config->name))
        r = fg_yaml_refuse(&reader->yaml, node, "there are two monitors named \"%s\"",
                           config->name);
    else if (configs->count == FG_MONITORS_MAX)
        r = fg_yaml_refuse(&reader->yaml, node, "at most %u monitors in all", FG_MONITORS_MAX);
    else
        r = fg_monitor_configs_append(configs, config);
    if (r < 0)
        fg_monitor_config_free(config);
    return r;
}

static int read_list(struct reader *reader, struct fg_monitor_configs *configs)
{
    const yaml_node_t *root = yaml_document_get_root_node(&reader->yaml.document);
    if (!root)
        return fg_yaml_refuse(&reader->yaml, NULL, "expected `monitors:` and a list of monitors");
    if (root->type != YAML_MAPPING_NODE ||
        root->data.mapping.pairs.top - root->data.mapping.pairs.start != 1)
        return fg_yaml_refuse(&reader->yaml, root,
                              "expected `monitors:` alone, and a list of monitors");
    const yaml_node_t *key = fg_yaml_node(&reader->yaml, root->data.mapping.pairs.start->key);
    const yaml_node_t *list = fg_yaml_node(&reader->yaml, root->data.mapping.pairs.start->value);
    if (key->type != YAML_SCALAR_NODE || strcmp((char *)key->data.scalar.value, "monitors") != 0 ||
        list->type != YAML_SEQUENCE_NODE)
        return fg_yaml_refuse(&reader->yaml, root, "expected `monitors:` and a list of monitors");
    int result = 0;
    for (yaml_node_item_t *item = list->data.sequence.items.start;
         item < list->data.sequence.items.top; item++) {
        int r = read_into(reader, fg_yaml_node(&reader->yaml, *item), configs);
        if (r < 0 && r != FG_EINVALID)
            return r;
        result = r < 0 ? r : result;
    }
    return result;
}

/* Calls read with the loaded document. */
static int load(const struct fg_monitor_source *source, struct fg_slice text,
                struct fg_buffer *errors, int (*read)(struct reader *reader, void *arg), void *arg)
{
    struct reader reader = {.yaml = {.file_name = source->file_name, .errors = errors},
                            .source = source};
    if (text.size > TEXT_SIZE_MAX)
        return fg_yaml_refuse(&reader.yaml, NULL, "the text has more than %zu bytes",
                              TEXT_SIZE_MAX);
    int r = fg_yaml_load(&reader.yaml, text);
    if (r < 0)
        return r;
    r = read(&reader, arg);
    fg_yaml_free(&reader.yaml);
    return r;
}

static int read_file(struct reader *reader, void *arg)
{
    return read_list(reader, arg);
}

int fg_monitor_configs_parse(const struct fg_monitor_source *source, struct fg_slice text,
                             struct fg_buffer *errors, struct fg_monitor_configs *configs)
{
    return load(source, text, errors, read_file, configs);
}

struct one {
    const char *name;
    struct fg_monitor_config *config;
};

static int read_one(struct reader *reader, void *arg)
{
    struct one *one = arg;
    const yaml_node_t *root = yaml_document_get_root_node(&reader->yaml.document);
    if (!root)
        return fg_yaml_refuse(&reader->yaml, NULL, "expected a monitor: kind, …");
    return read_monitor(reader, root, one->name, &one->config);
}

int fg_monitor_config_parse(const struct fg_monitor_source *source, const char *name,
                            struct fg_slice text, struct fg_buffer *errors,
                            struct fg_monitor_config **ret_config)
{
    struct one one = {.name = name};
    int r = load(source, text, errors, read_one, &one);
    if (r == 0)
        *ret_config = one.config;
    return r;
}

void fg_monitor_config_paths(const struct fg_monitor_config *config,
                             void (*fn)(void *arg, const char *path), void *arg)
{
    for (uint32_t i = 0; config->settings && i < config->settings->count; i++) {
        const struct fg_setting_entry *entry = &config->settings->entries[i];
        size_t size = strlen(entry->key);
        bool is_path = (size > 5 && strcmp(entry->key + size - 5, "-file") == 0) ||
                       strcmp(entry->key, "proc") == 0;
        for (uint32_t k = 0; is_path && k < entry->item_count; k++)
            fn(arg, entry->items[k]);
    }
}
