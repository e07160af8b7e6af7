/* SIGHUP. */
#include "base/log.h"
#include "notify.h"
#include "redact/rules.h"
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

/* A failure changes nothing; errors may say more. */
static int put_in_force(struct fg_serve *serve, struct fg_config *next, struct fg_buffer *errors)
{
    struct fg_api_settings settings = fg_serve_api_settings(next);
    struct fg_redact_rules *redact = NULL;
    int r = fg_serve_redaction_load(serve, next, errors, &redact);
    if (r < 0)
        return r;
    fg_redact_rules_adopt(redact, serve->redact);
    settings.redact = redact;
    r = fg_api_configure(serve->api, &settings);
    if (r < 0) {
        fg_redact_rules_unref(redact);
        return r;
    }
    fg_redact_rules_unref(serve->redact);
    serve->redact = redact;
    fg_log_set((enum fg_log_level)next->log_level, next->log_format != 0);
    /* A worker that adds a tenant may be looking at what was in force. */
    fg_mutex_lock(&serve->mutex);
    struct fg_config *before = serve->reloaded;
    serve->reloaded = next;
    fg_mutex_unlock(&serve->mutex);
    fg_serve_put_retention(serve);
    fg_config_free(before);
    return 0;
}

static const char wrong[] = "the configuration is wrong; nothing was changed";

/* Whether it is in force. */
static bool load(struct fg_serve *serve, struct fg_buffer *messages)
{
    struct fg_config *next = NULL;
    enum fg_exit code = fg_serve_config_load(serve->cli, serve->arguments, messages, &next);
    if (code != FG_EXIT_OK) {
        log_lines(FG_LOG_ERROR, wrong, messages);
        return false;
    }
    log_lines(FG_LOG_WARN, "about the configuration", messages);
    log_changes(serve, next);
    fg_buffer_reset(messages);
    int r = put_in_force(serve, next, messages);
    if (r == 0)
        return true;
    log_lines(FG_LOG_ERROR, wrong, messages);
    fg_log(FG_LOG_ERROR, "the configuration could not be put in force; nothing was changed",
           "reason=%s", fg_error_name(r));
    fg_config_free(next);
    return false;
}

void fg_serve_reload(struct fg_serve *serve)
{
    char state[160];
    struct fg_buffer messages;
    fg_buffer_init(&messages, FG_CONFIG_ERRORS_SIZE_MAX);
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
             fg_env_mono_ns(serve->cli->env) / 1000);
    fg_notify(state);
    bool is_in_force = load(serve, &messages);
    snprintf(state, sizeof state, "READY=1\nSTATUS=ready%s%s", is_in_force ? "" : "; ",
             is_in_force ? "" : wrong);
    fg_notify(state);
    /* Last: `systemctl status` then says what is wrong with a certificate. */
    if (is_in_force)
        fg_serve_tls_reload(serve);
    fg_buffer_free(&messages);
}
