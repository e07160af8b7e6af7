/* Redaction of `filigree serve`: which rules are in force, and the key of their hashes.
 *
 * In this order, since the first that matches decides: keys of journeys are kept, as orders are
 * found by them; then the file's rules; then redact-keys; then the default ones. */
#include "redact_rules.h"
#include "serve.h"
#include "serve_config.h"

#include <stdlib.h>

#define FILE_SIZE_MAX   ((size_t)1 << 20)
#define ARENA_BYTES_MAX ((size_t)4 << 20)
#define PATH_SIZE_MAX   ((size_t)64 << 10)
#define KEY_FILE        "redact.key"

struct sources {
    struct fg_redact_rule rules[FG_REDACT_RULES_MAX + 1];
    size_t count;
    bool is_full;
};

static void add(struct sources *sources, const struct fg_redact_rule *rule)
{
    if (sources->count < FG_REDACT_RULES_MAX)
        sources->rules[sources->count++] = *rule;
    else
        sources->is_full = true;
}

static int add_journey_keys(struct sources *sources, const struct fg_serve *serve,
                            const struct fg_config *config, struct fg_arena *arena)
{
    size_t count = config->journey_keys.count + serve->flows.count;
    const char **keys = fg_arena_calloc(arena, count + 1, sizeof *keys);
    if (!keys)
        return FG_ENOMEM;
    for (size_t i = 0; i < config->journey_keys.count; i++)
        keys[i] = config->journey_keys.items[i];
    for (size_t i = 0; i < serve->flows.count; i++)
        keys[config->journey_keys.count + i] = fg_arena_string(arena, serve->flows.flows[i].key);
    const struct fg_redact_rule rule = {
        .name = "journey-keys", .keys = keys, .key_count = count, .action = FG_REDACT_KEEP};
    if (count > 0)
        add(sources, &rule);
    return arena->overflow ? FG_ENOMEM : 0;
}

static int add_file(struct sources *sources, struct fg_serve *serve, const char *path,
                    struct fg_arena *arena, struct fg_buffer *errors)
{
    uint8_t *text = NULL;
    size_t size = 0;
    struct fg_redact_file file = {.count = 0};
    int r = fg_cli_read_file(serve->cli, path, FILE_SIZE_MAX, &text, &size);
    if (r < 0) {
        char why[FG_SERVE_WHY_SIZE];
        fg_buffer_append_format(errors, "redact-rules: can't read %s: %s\n", path,
                                fg_serve_why_unread(path, r, why));
        return FG_EINVALID;
    }
    r = fg_redact_file_parse(fg_slice(text, size), path, arena, errors, &file);
    free(text);
    for (size_t i = 0; r == 0 && i < file.count; i++)
        add(sources, &file.rules[i]);
    return r;
}

/* The key is made once and kept beside the store: hashes of today group with those of last month.
 */
static int read_hash_key(struct fg_env *env, const char *path, uint8_t *key)
{
    struct fg_file *file;
    size_t size = 0;
    int r = fg_env_open(env, path, FG_OPEN_READ, &file);
    if (r < 0)
        return r;
    r = fg_file_pread(file, 0, key, FG_REDACT_HASH_KEY_SIZE, &size);
    fg_file_close(file);
    return r < 0 ? r : size == FG_REDACT_HASH_KEY_SIZE ? 0 : FG_ECORRUPT;
}

static int make_hash_key(struct fg_env *env, const char *folder, const char *path, uint8_t *key)
{
    struct fg_file *file;
    int r = fg_env_mkdir(env, folder);
    if (r < 0 && r != FG_EEXIST)
        return r;
    r = fg_env_open(env, path, FG_OPEN_WRITE | FG_OPEN_CREATE | FG_OPEN_EXCLUSIVE, &file);
    if (r < 0)
        return r;
    fg_env_random(env, key, FG_REDACT_HASH_KEY_SIZE);
    r = fg_file_pwrite(file, 0, key, FG_REDACT_HASH_KEY_SIZE);
    if (r == 0)
        r = fg_file_sync(file);
    fg_file_close(file);
    return r == 0 ? fg_env_sync_dir(env, folder) : r;
}

static int load_hash_key(struct fg_serve *serve, const struct fg_config *config,
                         struct fg_buffer *errors, uint8_t *key)
{
    struct fg_env *env = serve->cli->env;
    struct fg_buffer path;
    fg_buffer_init(&path, PATH_SIZE_MAX);
    fg_buffer_append_format(&path, "%s/" KEY_FILE "%c", config->data, 0);
    int r = path.error;
    const char *name = (const char *)path.data;
    if (r == 0)
        r = read_hash_key(env, name, key);
    if (r == FG_ENOTFOUND)
        r = make_hash_key(env, config->data, name, key);
    if (r < 0)
        fg_buffer_append_format(errors, "redaction: the key of hashes, %s: %s\n",
                                path.error ? config->data : name,
                                r == FG_ECORRUPT ? "expected 32 bytes" : fg_error_name(r));
    fg_buffer_free(&path);
    return r;
}

static int collect(struct sources *sources, struct fg_serve *serve, const struct fg_config *config,
                   struct fg_arena *arena, struct fg_buffer *errors)
{
    int r = add_journey_keys(sources, serve, config, arena);
    for (size_t i = 0; r == 0 && i < config->redact_rules.count; i++)
        r = add_file(sources, serve, config->redact_rules.items[i], arena, errors);
    const struct fg_redact_rule keys = {.name = "redact-keys",
                                        .keys = config->redact_keys.items,
                                        .key_count = config->redact_keys.count,
                                        .action = FG_REDACT_DROP};
    if (keys.key_count > 0)
        add(sources, &keys);
    for (size_t i = 0; config->redact_defaults && i < fg_redact_default_rule_count; i++)
        add(sources, &fg_redact_default_rules[i]);
    if (r == 0 && sources->is_full) {
        fg_buffer_append_format(errors, "redact-rules: more than %u rules in all\n",
                                FG_REDACT_RULES_MAX);
        r = FG_EINVALID;
    }
    return r;
}

int fg_serve_redaction_load(struct fg_serve *serve, const struct fg_config *config,
                            struct fg_buffer *errors, struct fg_redact_rules **ret_rules)
{
    struct fg_arena arena;
    struct sources sources = {.count = 0};
    uint8_t hash_key[FG_REDACT_HASH_KEY_SIZE];
    const char *message = NULL;
    fg_arena_init(&arena, ARENA_BYTES_MAX);
    int r = collect(&sources, serve, config, &arena, errors);
    if (r == 0)
        r = load_hash_key(serve, config, errors, hash_key);
    if (r == 0) {
        r = fg_redact_rules_new(sources.rules, sources.count, hash_key, &arena, &message,
                                ret_rules);
        if (message)
            fg_buffer_append_format(errors, "redaction: %s\n", message);
    }
    explicit_bzero(hash_key, sizeof hash_key);
    fg_arena_free(&arena);
    return r;
}
