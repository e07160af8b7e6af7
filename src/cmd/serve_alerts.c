/* Alerts of `filigree serve`: who is told, by whichever part of the server something was noticed.
 *
 * What incidents' receivers were told is in the keyed state, so that it is known after a restart
 * who was told and who still has to be:
 *
 *     alerts_told   hash of the receiver's address be64, the alert's key → its begin in ns le64
 *
 * from when the receiver took the begin until it took the end. */
#include "base/endian.h"
#include "base/hash.h"
#include "net/webhook.h"
#include "serve.h"
#include "store/consumer.h"

static void on_trouble(void *arg, const char *url, const char *text)
{
    (void)arg;
    if (text)
        fg_log(FG_LOG_WARN, "alerts can't be told", "url=%s reason=%s", url, text);
    else
        fg_log(FG_LOG_INFO, "alerts are told again", "url=%s", url);
}

/* -- What was told */

#define TABLE           "alerts_told"
#define ROW_KEY_MAX     (8u + 200u)
#define INCIDENT_PREFIX "incident/"

static size_t row_key(const char *url, const char *key, uint8_t ret[ROW_KEY_MAX])
{
    size_t size = strlen(key) < ROW_KEY_MAX - 8 ? strlen(key) : ROW_KEY_MAX - 8;
    fg_store_be64(ret, fg_hash(fg_slice_from_string(url)));
    memcpy(ret + 8, key, size);
    return 8 + size;
}

static void on_told(void *arg, const char *url, const char *key, uint64_t starts_ns, bool is_firing)
{
    struct fg_serve *serve = arg;
    struct fg_state_batch *batch;
    uint8_t row[ROW_KEY_MAX], value[8];
    if (strncmp(key, INCIDENT_PREFIX, strlen(INCIDENT_PREFIX)) != 0)
        return; /* what monitors tell is told by their own state */
    struct fg_state *state = fg_store_state(serve->store);
    struct fg_slice row_slice = fg_slice(row, row_key(url, key, row));
    fg_store_le64(value, starts_ns);
    int r = fg_state_batch_new(state, &batch);
    if (r == 0) {
        if (is_firing)
            fg_state_put(batch, serve->alerts_table, row_slice, fg_slice(value, sizeof value));
        else
            fg_state_delete(batch, serve->alerts_table, row_slice);
        r = fg_state_commit_take(state, batch);
    }
    if (r < 0)
        fg_log(FG_LOG_WARN, "that an alert was told is not kept: it may come again",
               "key=%s reason=%s", key, fg_error_name(r));
}

int fg_serve_alerts_keep(struct fg_serve *serve)
{
    return fg_state_table(fg_store_state(serve->store), TABLE, &serve->alerts_table);
}

uint32_t fg_serve_alert_told(struct fg_serve *serve, const char *key, uint64_t starts_ns)
{
    const struct fg_serve_receivers *receivers = serve->receivers;
    struct fg_state_view *view;
    uint32_t told = 0;
    if (!serve->webhook || fg_state_view_take(fg_store_state(serve->store), &view) < 0)
        return 0; /* rather twice than never */
    for (uint32_t i = 0; i < receivers->count; i++) {
        uint8_t row[ROW_KEY_MAX];
        struct fg_slice value;
        size_t size = row_key(receivers->urls[i], key, row);
        if (fg_state_get(view, serve->alerts_table, fg_slice(row, size), &value) == 0 &&
            value.size == 8 && (starts_ns == 0 || fg_load_le64(value.data) == starts_ns))
            told |= UINT32_C(1) << i;
    }
    fg_state_view_release(view);
    return told;
}

/* Keys of alerts that were told as begun, each once. */
struct told_keys {
    struct fg_serve *serve;
    struct fg_buffer keys; /* ended by NUL each */
    struct fg_state_batch *batch;
};

static bool is_receiver(const struct fg_serve *serve, uint64_t hash)
{
    for (uint32_t i = 0; i < serve->receivers->count; i++)
        if (fg_hash(fg_slice_from_string(serve->receivers->urls[i])) == hash)
            return true;
    return false;
}

static int see_row(void *arg, struct fg_slice key, struct fg_slice value)
{
    struct told_keys *told = arg;
    (void)value;
    if (key.size <= 8 || key.size > ROW_KEY_MAX ||
        !is_receiver(told->serve, fg_load_be64(key.data))) {
        fg_state_delete(told->batch, told->serve->alerts_table, key);
        return 0;
    }
    fg_buffer_append(&told->keys, key.data + 8, key.size - 8);
    fg_buffer_append_byte(&told->keys, 0);
    return told->keys.error;
}

int fg_serve_alerts_recall(struct fg_serve *serve, void (*fn)(void *arg, const char *key),
                           void *arg)
{
    const struct fg_slice all = {0};
    struct fg_state *state = fg_store_state(serve->store);
    struct told_keys told = {.serve = serve};
    struct fg_state_view *view;
    if (!serve->webhook)
        return 0;
    int r = fg_state_batch_new(state, &told.batch);
    if (r < 0)
        return r;
    fg_buffer_init(&told.keys, (size_t)16 << 20);
    r = fg_state_view_take(state, &view);
    if (r == 0) {
        r = fg_state_each(view, serve->alerts_table, all, all, see_row, &told, NULL);
        fg_state_view_release(view);
    }
    if (r == 0)
        r = fg_state_commit_take(state, told.batch);
    else
        fg_state_batch_free(told.batch);
    for (size_t at = 0; r == 0 && at < told.keys.size;) {
        const char *key = (const char *)told.keys.data + at;
        fn(arg, key);
        at += strlen(key) + 1;
    }
    fg_buffer_free(&told.keys);
    return r;
}

/* -- Telling */

enum fg_exit fg_serve_alerts_open(struct fg_serve *serve)
{
    const struct fg_config *config = serve->config;
    enum fg_exit code = fg_serve_receivers_read(serve);
    const struct fg_serve_receivers *receivers = serve->receivers;
    if (code != FG_EXIT_OK || receivers->count == 0)
        return code;
    const struct fg_webhook_options options = {
        .env = serve->cli->env,
        .urls = receivers->urls,
        .url_count = receivers->count,
        .own_count = receivers->own_count,
        .token_files = receivers->tokens + (receivers->count - receivers->own_count),
        .headers_files = config->alert_headers.items,
        .headers_file_count = (uint32_t)config->alert_headers.count,
        .ca_file = *config->alert_ca ? config->alert_ca : NULL,
        .on_trouble = on_trouble,
        .on_told = on_told,
        .arg = serve};
    int r = fg_webhook_open(&options, &serve->webhook);
    if (r == FG_EINVALID)
        return fg_cli_fail(serve->cli, FG_EXIT_USAGE,
                           "alert-webhook, owner-webhooks: expected addresses like "
                           "http://alertmanager.internal:9093/api/v2/alerts");
    if (r < 0)
        return fg_cli_fail(serve->cli, FG_EXIT_FAILED, "can't start: %s", fg_error_name(r));
    return FG_EXIT_OK;
}

void fg_serve_alert(struct fg_serve *serve, const struct fg_alert *alert)
{
    int r = serve->webhook ? fg_webhook_tell(serve->webhook, alert) : 0;
    if (r < 0)
        fg_log(FG_LOG_WARN, "an alert could not be taken", "key=%s reason=%s", alert->key,
               fg_error_name(r));
}
