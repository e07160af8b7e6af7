#include "serve_config.h"

#include "api/api.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_SIZE_MAX ((size_t)1 << 20)

static const char *environment(void *arg, const char *name)
{
    (void)arg;
    return getenv(name);
}

static const char *flag(void *arg, const char *name)
{
    return fg_arguments_get(arg, name);
}

/* A variable that begins like ours and is none is most likely misspelt: worth a line, not an end.
 */
static void warn_of_unknown_variables(struct fg_buffer *messages)
{
    size_t count;
    const struct fg_setting *settings = fg_settings(&count);
    for (char **variable = environ; *variable; variable++) {
        if (strncmp(*variable, "FILIGREE_", 9) != 0)
            continue;
        char name[80], known[80];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*variable, "="), *variable);
        struct fg_suggestion suggestion = fg_suggestion(name);
        fg_suggestion_offer(&suggestion, "FILIGREE_CONFIG");
        fg_suggestion_offer(&suggestion, "FILIGREE_SERVER");
        fg_suggestion_offer(&suggestion, "FILIGREE_TOKEN");
        fg_suggestion_offer(&suggestion, "FILIGREE_TENANT");
        fg_suggestion_offer(&suggestion, "FILIGREE_CA");
        fg_suggestion_offer(&suggestion, "FILIGREE_CLIENT_CERT");
        fg_suggestion_offer(&suggestion, "FILIGREE_CLIENT_KEY");
        /* Of libfiligree, and too like one of ours. */
        fg_suggestion_offer(&suggestion, "FILIGREE_RECORDER");
        fg_suggestion_offer(&suggestion, "FILIGREE_RECORDER_DIR");
        for (size_t i = 0; i < count; i++) {
            fg_config_environment_name(settings[i].name, known, sizeof known);
            fg_suggestion_offer(&suggestion, known);
        }
        if (suggestion.best && suggestion.distance > 0)
            fg_buffer_append_format(messages,
                                    "the environment variable %s is unknown; did you mean %s?\n",
                                    name, suggestion.best);
    }
}

const char *fg_serve_config_path(const struct fg_arguments *arguments)
{
    const char *path = fg_arguments_get(arguments, "config");
    return path ? path : getenv("FILIGREE_CONFIG");
}

enum fg_exit fg_serve_config_load(struct fg_cli *cli, const struct fg_arguments *arguments,
                                  struct fg_buffer *messages, struct fg_config **ret_config)
{
    const char *path = fg_serve_config_path(arguments);
    uint8_t *file = NULL;
    size_t file_size = 0;
    int r = path ? fg_cli_read_file(cli, path, FILE_SIZE_MAX, &file, &file_size) : 0;
    if (r < 0) {
        char why[FG_SERVE_WHY_SIZE];
        fg_buffer_append_format(messages, "can't read the configuration %s: %s\n", path,
                                fg_serve_why_unread(path, r, why));
        return FG_EXIT_USAGE;
    }
    struct fg_arguments flags = *arguments;
    struct fg_config_sources sources = {.file = fg_slice(file, file_size),
                                        .file_name = path,
                                        .environment = environment,
                                        .flag = flag,
                                        .arg = &flags};
    r = fg_config_load(&sources, messages, ret_config);
    free(file);
    if (r == 0)
        warn_of_unknown_variables(messages);
    else if (messages->size == 0)
        fg_buffer_append_format(messages, "can't load the configuration: %s\n", fg_error_name(r));
    return r == 0 ? FG_EXIT_OK : r == FG_EINVALID ? FG_EXIT_USAGE : FG_EXIT_FAILED;
}

/* A span younger than the longest of all ages may have to stay: only what is older is refused. */
static uint64_t longest_age_ns(const struct fg_config *config)
{
    const struct fg_config_policies *policies = &config->retention_policies;
    uint64_t longest_ns = config->retention_age_ns;
    for (size_t i = 0; i < policies->list.count; i++) {
        const struct fg_retention_policy *policy = &policies->policies[i];
        bool asks_of_spans =
            policy->service.size || policy->name.size || policy->key.size || policy->has_status;
        bool is_for_ever = policy->has_age ? policy->age_ns == 0 : asks_of_spans;
        if (is_for_ever)
            return 0;
        if (policy->has_age && longest_ns && policy->age_ns > longest_ns)
            longest_ns = policy->age_ns;
    }
    return longest_ns;
}

struct fg_api_settings fg_serve_api_settings(const struct fg_config *config)
{
    /* Bounds of settings.c keep these within 32 bits. */
    return (struct fg_api_settings){
        .value_size_max = (uint32_t)config->value_size_max,
        .attributes_max = (uint32_t)config->attributes_max,
        .events_max = (uint32_t)config->events_max,
        .links_max = (uint32_t)config->links_max,
        .retention_age_ns = config->retention_age_ns,
        .span_age_ns_max = longest_age_ns(config),
        .retention_size_max = config->retention_size_max,
        .price_per_gb_month = config->price_per_gb_month,
        .cors_origins = config->cors_origins.items,
        .cors_origin_count = config->cors_origins.count,
    };
}
