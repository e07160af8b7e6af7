/* Collects each setting's text by precedence, then gives the texts their types. */
#include "config.h"

#include "base/limits.h"
#include "base/units.h"
#include "options.h"
#include "policies.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_BYTES_MAX ((size_t)4 << 20)
#define PREFIX           "FILIGREE_"

struct loader {
    struct fg_config *config;
    const char *file_name;
    struct fg_buffer *errors;
    bool failed;
};

void fg_config_environment_name(const char *name, char *ret_text, size_t size)
{
    size_t at = (size_t)snprintf(ret_text, size, "%s", PREFIX);
    for (; *name && at + 1 < size; name++)
        ret_text[at++] = *name == '-' ? '_' : (char)toupper((unsigned char)*name);
    ret_text[at] = 0;
}

static const struct fg_setting *find_setting(const char *name, size_t *ret_index)
{
    size_t count;
    const struct fg_setting *settings = fg_settings(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(settings[i].name, name) != 0)
            continue;
        *ret_index = i;
        return &settings[i];
    }
    return NULL;
}

/* What a value of this setting looks like, after "expected ". */
static void describe(const struct fg_setting *setting, char *ret_text, size_t size)
{
    static const char *const shapes[] = {
        [FG_SETTING_TEXT] = "a text that is not empty",
        [FG_SETTING_PATH] = "the path of a file",
        [FG_SETTING_ADDRESS] = "an address like 127.0.0.1:4317, [::1]:4317 or localhost:4317",
        [FG_SETTING_SIZE] = "a size like 4096, 64KiB, 16MiB or 2GiB",
        [FG_SETTING_DURATION] = "a time like 30d, 12h, 1h30m or 500ms",
        [FG_SETTING_COUNT] = "a whole number",
        [FG_SETTING_NUMBER] = "a number that is not negative, like 0.10",
        [FG_SETTING_CHOICE] = "one of",
        [FG_SETTING_LIST] = "a list",
        [FG_SETTING_POLICIES] = "a list of policies like service=payments age=90d",
    };
    bool is_chosen_list = setting->type == FG_SETTING_LIST && setting->choices;
    size_t at = (size_t)snprintf(ret_text, size, "%s%s", shapes[setting->type],
                                 is_chosen_list ? " of" : "");
    for (size_t i = 0; setting->choices && setting->choices[i]; i++)
        at +=
            (size_t)snprintf(ret_text + at, size - at, "%s %s", i ? "," : "", setting->choices[i]);
    if (setting->type == FG_SETTING_COUNT)
        snprintf(ret_text + at, size - at, " from %llu to %llu", (unsigned long long)setting->min,
                 (unsigned long long)setting->max);
}

/* why goes on after the value, as in "'x' is no size". */
static void refuse(struct loader *loader, const struct fg_setting *setting,
                   const struct fg_config_origin *origin, const char *why)
{
    char expected[200];
    describe(setting, expected, sizeof expected);
    loader->failed = true;
    fg_buffer_append_format(loader->errors, "%s: ", origin->where);
    if (origin->is_file)
        fg_buffer_append_format(loader->errors, "%s: ", setting->name);
    fg_buffer_append_format(loader->errors, "'%.80s' %s; expected %s\n", origin->text, why,
                            expected);
}

/* host:port, where the host may be [v6]; both there, the port a number up to 65535. */
static bool is_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || !isdigit((unsigned char)colon[1]) || strlen(colon + 1) > 5)
        return false;
    if (strspn(colon + 1, "0123456789") != strlen(colon + 1) || atoi(colon + 1) > 65535)
        return false;
    bool is_v6 = text[0] == '[' && colon[-1] == ']' && colon - text > 2;
    return is_v6 || !memchr(text, ':', (size_t)(colon - text));
}

static void bound_text(const struct fg_setting *setting, uint64_t bound, char *ret_text)
{
    if (setting->type == FG_SETTING_SIZE)
        fg_size_format(bound, ret_text);
    else if (setting->type == FG_SETTING_DURATION)
        fg_duration_format(bound, ret_text);
    else
        snprintf(ret_text, FG_UNITS_TEXT_SIZE, "%llu", (unsigned long long)bound);
}

static int parse_count(const char *text, uint64_t *ret_value)
{
    if (*text == 0 || strspn(text, "0123456789") != strlen(text))
        return FG_EINVALID;
    errno = 0;
    *ret_value = strtoull(text, NULL, 10);
    return errno ? FG_ELIMIT : 0;
}

static void load_quantity(struct loader *loader, const struct fg_setting *setting,
                          const struct fg_config_origin *origin, uint64_t *value)
{
    struct fg_slice text = fg_slice_from_string(origin->text);
    int r = setting->type == FG_SETTING_SIZE       ? fg_size_parse(text, value)
            : setting->type == FG_SETTING_DURATION ? fg_duration_parse(text, value)
                                                   : parse_count(origin->text, value);
    if (r < 0) {
        refuse(loader, setting, origin,
               setting->type == FG_SETTING_SIZE       ? "is no size"
               : setting->type == FG_SETTING_DURATION ? "is no time"
                                                      : "is no whole number");
        return;
    }
    if (*value >= setting->min && *value <= setting->max)
        return;
    char min[FG_UNITS_TEXT_SIZE], max[FG_UNITS_TEXT_SIZE], why[2 * FG_UNITS_TEXT_SIZE + 40];
    bound_text(setting, setting->min, min);
    bound_text(setting, setting->max, max);
    snprintf(why, sizeof why, "is out of bounds (%s to %s)", min, max);
    refuse(loader, setting, origin, why);
}

static void load_choice(struct loader *loader, const struct fg_setting *setting,
                        const struct fg_config_origin *origin, uint64_t *value)
{
    for (uint64_t i = 0; setting->choices[i]; i++) {
        if (strcmp(setting->choices[i], origin->text) != 0)
            continue;
        *value = i;
        return;
    }
    refuse(loader, setting, origin, "is not known here");
}

static void load_number(struct loader *loader, const struct fg_setting *setting,
                        const struct fg_config_origin *origin, double *value)
{
    char *end;
    *value = strtod(origin->text, &end);
    if (end == origin->text || *end || !isfinite(*value) || *value < 0)
        refuse(loader, setting, origin, "is no such number");
}

static bool is_choice(const struct fg_setting *setting, const char *item)
{
    for (size_t i = 0; setting->choices && item && setting->choices[i]; i++)
        if (strcmp(setting->choices[i], item) == 0)
            return true;
    return !setting->choices;
}

static void load_list(struct loader *loader, const struct fg_setting *setting,
                      const struct fg_config_origin *origin, struct fg_config_list *list)
{
    struct fg_arena *arena = &loader->config->arena;
    list->items = fg_arena_calloc(arena, FG_CONFIG_LIST_MAX, sizeof *list->items);
    if (!list->items)
        return;
    for (const char *p = origin->text; *p;) {
        size_t size = strcspn(p, ",");
        size_t begin = strspn(p, " "), end = size;
        while (end > begin && p[end - 1] == ' ')
            end--;
        if (end <= begin) {
            refuse(loader, setting, origin, "has an empty item");
            return;
        }
        if (list->count == FG_CONFIG_LIST_MAX) {
            refuse(loader, setting, origin, "has more than 256 items");
            return;
        }
        const char *item = fg_arena_string(arena, fg_slice(p + begin, end - begin));
        if (!is_choice(setting, item)) {
            const struct fg_config_origin of_item = {item ? item : "", origin->where,
                                                     origin->is_file};
            refuse(loader, setting, &of_item, "is not known here");
            return;
        }
        list->items[list->count++] = item;
        p += size + (p[size] == ',');
    }
}

static void load_policies(struct loader *loader, const struct fg_setting *setting,
                          const struct fg_config_origin *origin,
                          struct fg_config_policies *policies)
{
    struct fg_arena *arena = &loader->config->arena;
    char why[FG_POLICY_WHY_SIZE];
    load_list(loader, setting, origin, &policies->list);
    policies->policies =
        fg_arena_calloc(arena, FG_RETENTION_POLICIES_MAX, sizeof *policies->policies);
    if (!policies->policies)
        return;
    if (policies->list.count > FG_RETENTION_POLICIES_MAX) {
        refuse(loader, setting, origin, "has more than 32 policies");
        return;
    }
    for (size_t i = 0; i < policies->list.count; i++) {
        const char *item = policies->list.items[i];
        int r = item ? fg_policy_parse(item, arena, &policies->policies[i], why) : FG_ENOMEM;
        const struct fg_config_origin of_item = {item, origin->where, origin->is_file};
        if (r == FG_EINVALID)
            refuse(loader, setting, &of_item, why);
    }
}

static void load_value(struct loader *loader, const struct fg_setting *setting,
                       const struct fg_config_origin *origin)
{
    void *member = (char *)loader->config + setting->offset;
    switch (setting->type) {
    case FG_SETTING_TEXT:
        *(const char **)member = origin->text;
        if (*origin->text == 0)
            refuse(loader, setting, origin, "is empty");
        break;
    case FG_SETTING_PATH:
        *(const char **)member = origin->text;
        break;
    case FG_SETTING_ADDRESS:
        *(const char **)member = origin->text;
        if (!is_address(origin->text))
            refuse(loader, setting, origin, "is no address");
        break;
    case FG_SETTING_SIZE:
    case FG_SETTING_DURATION:
    case FG_SETTING_COUNT:
        load_quantity(loader, setting, origin, member);
        break;
    case FG_SETTING_NUMBER:
        load_number(loader, setting, origin, member);
        break;
    case FG_SETTING_CHOICE:
        load_choice(loader, setting, origin, member);
        break;
    case FG_SETTING_LIST:
        load_list(loader, setting, origin, member);
        break;
    case FG_SETTING_POLICIES:
        load_policies(loader, setting, origin, member);
        break;
    }
}

static const char *keep(struct loader *loader, const char *text)
{
    return fg_arena_string(&loader->config->arena, fg_slice_from_string(text));
}

static void unknown_key(struct loader *loader, const char *key, unsigned line)
{
    size_t count;
    const struct fg_setting *settings = fg_settings(&count);
    struct fg_suggestion suggestion = fg_suggestion(key);
    for (size_t i = 0; i < count; i++)
        fg_suggestion_offer(&suggestion, settings[i].name);
    fg_buffer_append_format(loader->errors, "%s:%u: there is no setting '%.80s'", loader->file_name,
                            line, key);
    if (suggestion.best)
        fg_buffer_append_format(loader->errors, "; did you mean %s?\n", suggestion.best);
    else
        fg_buffer_append_string(loader->errors,
                                "; `filigree serve --print-config` lists all settings\n");
}

/* A pair of the file: kept as text with its line. */
static void on_pair(void *arg, const char *key, const char *value, bool is_list, unsigned line)
{
    struct loader *loader = arg;
    size_t index;
    const struct fg_setting *setting = find_setting(key, &index);
    const char *problem = NULL;
    if (!setting) {
        loader->failed = true;
        unknown_key(loader, key, line);
        return;
    }
    struct fg_config_origin *origin = &loader->config->origins[index];
    if (origin->text)
        problem = "is set twice";
    else if (!value)
        problem = "has no value";
    else if (is_list && setting->type != FG_SETTING_LIST && setting->type != FG_SETTING_POLICIES)
        problem = "is a list";
    if (problem) {
        char expected[200];
        describe(setting, expected, sizeof expected);
        loader->failed = true;
        fg_buffer_append_format(loader->errors, "%s:%u: %s %s; expected %s%s\n", loader->file_name,
                                line, key, problem, origin->text ? "it once, with " : "", expected);
        return;
    }
    char where[300];
    snprintf(where, sizeof where, "%.280s:%u", loader->file_name, line);
    *origin = (struct fg_config_origin){keep(loader, value), keep(loader, where), true};
}

/* Lets the environment, then the flag, take the place of what the file said; fills in the default.
 */
static void choose(struct loader *loader, const struct fg_config_sources *sources,
                   const struct fg_setting *setting, struct fg_config_origin *origin)
{
    char name[80], where[100];
    fg_config_environment_name(setting->name, name, sizeof name);
    const char *text = sources->flag ? sources->flag(sources->arg, setting->name) : NULL;
    if (text) {
        snprintf(where, sizeof where, "--%s", setting->name);
    } else if (sources->environment && (text = sources->environment(sources->arg, name))) {
        snprintf(where, sizeof where, "%s", name);
    }
    if (text) {
        *origin = (struct fg_config_origin){keep(loader, text), keep(loader, where), false};
    } else if (!origin->text) {
        *origin = (struct fg_config_origin){setting->fallback, "default", false};
    }
}

int fg_config_load(const struct fg_config_sources *sources, struct fg_buffer *errors,
                   struct fg_config **ret_config)
{
    struct fg_config *config = calloc(1, sizeof *config);
    if (!config)
        return FG_ENOMEM;
    fg_arena_init(&config->arena, CONFIG_BYTES_MAX);
    struct loader loader = {.config = config, .file_name = sources->file_name, .errors = errors};
    int r = 0;
    if (sources->file.size)
        r = fg_config_file_parse(sources->file, sources->file_name, on_pair, &loader, errors);
    size_t count;
    const struct fg_setting *settings = fg_settings(&count);
    for (size_t i = 0; i < count && !config->arena.overflow; i++) {
        choose(&loader, sources, &settings[i], &config->origins[i]);
        if (!config->arena.overflow)
            load_value(&loader, &settings[i], &config->origins[i]);
    }
    if (r == 0 && config->arena.overflow)
        r = FG_ENOMEM;
    if (r == 0 && loader.failed)
        r = FG_EINVALID;
    if (r < 0) {
        fg_config_free(config);
        return r;
    }
    *ret_config = config;
    return 0;
}

void fg_config_free(struct fg_config *config)
{
    if (!config)
        return;
    fg_arena_free(&config->arena);
    free(config);
}

bool fg_config_same(const struct fg_config *a, const struct fg_config *b, size_t setting)
{
    return strcmp(a->origins[setting].text, b->origins[setting].text) == 0;
}

/* Whether YAML takes the text as it is, at any place. */
static bool is_plain(const char *text)
{
    return *text && strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "./_") == strlen(text);
}

static int print_scalar(FILE *out, const char *text)
{
    if (is_plain(text))
        return fprintf(out, "%s", text);
    int size = 2;
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            size += fprintf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            size += fprintf(out, "\\x%02x", c);
        else
            size += fputc(c, out) != EOF;
    }
    fputc('"', out);
    return size;
}

static int print_list(FILE *out, const struct fg_config_list *list)
{
    int size = fprintf(out, "[");
    for (size_t i = 0; i < list->count; i++) {
        size += i ? fprintf(out, ", ") : 0;
        size += print_scalar(out, list->items[i]);
    }
    return size + fprintf(out, "]");
}

void fg_config_print(const struct fg_config *config, FILE *out)
{
    size_t count;
    const struct fg_setting *settings = fg_settings(&count);
    fprintf(out, "# The effective configuration of filigree " FG_VERSION
                 ", and where each value comes from.\n");
    for (size_t i = 0; i < count; i++) {
        const void *member = (const char *)config + settings[i].offset;
        int size = fprintf(out, "%s: ", settings[i].name);
        bool is_list =
            settings[i].type == FG_SETTING_LIST || settings[i].type == FG_SETTING_POLICIES;
        /* of policies the list comes first */
        size += is_list ? print_list(out, member) : print_scalar(out, config->origins[i].text);
        fprintf(out, "%*s # %s\n", size < 36 ? 36 - size : 0, "", config->origins[i].where);
    }
}
