/* SIGHUP. */
#include "base/log.h"
#include "notify.h"
#include "serve.h"
#include "serve_config.h"

#include <inttypes.h>
#include <stdio.h>

static void log_lines(enum fg_log_level level, const char *message, const struct fg_buffer *lines)
{
    const char *at = (const char *)lines->data;
    size_t left = lines->size;
    while (left > 0) {
        const char *end = memchr(at, '\n', left);
        size_t size = end ? (size_t)(end - at) : left;
        fg_log(level, message, "text=%.*s", (int)size, at);
        at += size + (end ? 1 : 0);
        left -= size + (end ? 1 : 0);
    }
}

/* Says which settings differ. Those that need a restart are compared with the start's. */
static void log_changes(const struct fg_serve *serve, const struct fg_config *next)
{
    const struct fg_config *now = fg_serve_settings(serve);
    size_t count, changed = 0;
    const struct fg_setting *settings = fg_settings(&count);
    for (size_t i = 0; i < count; i++) {
        const struct fg_config *before = settings[i].reloads ? now : serve->config;
        if (fg_config_same(before, next, i))
            continue;
        changed++;
        fg_log(settings[i].reloads ? FG_LOG_INFO : FG_LOG_WARN,
               settings[i].reloads ? "setting changed" : "setting changes with the next restart",
               "setting=%s from=%s to=%s", settings[i].name, before->origins[i].text,
               next->origins[i].text);
    }
    if (changed == 0)
        fg_log(FG_LOG_INFO, "configuration read again; nothing in it differs", NULL);
}

/* FG_EINVALID where the api refuses a rule; nothing is changed then. */
static int put_in_force(struct fg_serve *serve, struct fg_config *next)
{
    struct fg_api_settings settings = fg_serve_api_settings(next);
    struct fg_retention retention = fg_serve_retention(next);
    int r = fg_api_configure(serve->api, &settings);
    if (r < 0)
        return r;
    fg_store_set_retention(serve->store, &retention);
    fg_log_set((enum fg_log_level)next->log_level, next->log_format != 0);
    fg_config_free(serve->reloaded);
    serve->reloaded = next;
    return 0;
}

static void load(struct fg_serve *serve, struct fg_buffer *messages)
{
    struct fg_config *next = NULL;
    enum fg_exit code = fg_serve_config_load(serve->cli, serve->arguments, messages, &next);
    if (code != FG_EXIT_OK) {
        log_lines(FG_LOG_ERROR, "the configuration is wrong; nothing was changed", messages);
        return;
    }
    log_lines(FG_LOG_WARN, "about the configuration", messages);
    log_changes(serve, next);
    int r = put_in_force(serve, next);
    if (r == 0)
        return;
    fg_log(FG_LOG_ERROR, "the configuration could not be put in force; nothing was changed",
           "reason=%s",
           r == FG_EINVALID ? "redact-keys: a * may stand only at the end of a key, and not alone"
                            : fg_error_name(r));
    fg_config_free(next);
}

void fg_serve_reload(struct fg_serve *serve)
{
    char state[80];
    struct fg_buffer messages;
    fg_buffer_init(&messages, FG_CONFIG_ERRORS_SIZE_MAX);
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
             fg_env_mono_ns(serve->cli->env) / 1000);
    fg_notify(state);
    load(serve, &messages);
    fg_notify("READY=1\nSTATUS=ready");
    fg_buffer_free(&messages);
}
