/* The sender of alerts. What has to be told stands in a table by key; each entry has the newest
 * state of its thing and, for each receiver, what that was told last. The thread looks for what
 * differs, sends it, and waits for a change, for the end of a receiver's back-off, or for the next
 * time when Alertmanager wants to hear that an alert lasts. */
#include "net/webhook.h"

#include "alert_body.h"
#include "base/arena.h"
#include "base/limits.h"
#include "base/trust.h"
#include "os/thread.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_SIZE_MAX     200u
#define ALERT_BYTES_MAX  ((size_t)16 << 10)
#define HEADERS_SIZE_MAX ((size_t)16 << 10)
#define SEND_MS_MAX      10000L
#define LAST_SEND_MS_MAX 1000L
#define BACK_OFF_NS      FG_NS_PER_SECOND
#define BACK_OFF_NS_MAX  (5 * FG_NS_PER_MINUTE)
#define REFRESH_NS       FG_NS_PER_MINUTE
#define LAST_SENDS_MAX   20u
#define BATCH_MAX        64u
/* So many changes in so long a time are flapping; its end is told after so long a quiet. */
#define FLAPS          6u
#define FLAP_WINDOW_NS (10 * FG_NS_PER_MINUTE)
#define FLAP_QUIET_NS  (5 * FG_NS_PER_MINUTE)
#define FOREVER_NS     (24 * 3600 * FG_NS_PER_SECOND)

/* An alert with its texts. */
struct copy {
    struct fg_alert alert;
    struct fg_arena arena;
};

struct told {
    uint64_t version; /* of the entry, 0: nothing */
    bool was_firing;
    uint64_t at_ns; /* monotonic */
};

struct entry {
    struct copy *now, *before; /* before: had other labels, and is to be ended; NULL: none */
    uint64_t version;
    uint64_t changed_ns[FLAPS]; /* monotonic: the last changes, a ring */
    uint32_t change_count;
    struct told told[FG_WEBHOOK_URLS_MAX];
};

struct receiver {
    const char *url, *shown; /* shown: for the log */
    bool is_alertmanager, is_troubled;
    uint64_t back_off_ns, again_ns;
};

struct fg_webhook {
    struct fg_webhook_options options;
    struct fg_arena arena;
    struct receiver receivers[FG_WEBHOOK_URLS_MAX];
    struct fg_thread thread;
    bool has_thread;
    struct fg_mutex mutex; /* guards what follows */
    struct fg_cond cond;
    bool is_closing;
    struct entry **entries;
    uint32_t count, capacity;
    struct fg_webhook_counters counters;
};

/* -- Copies */

static void copy_free(struct copy *copy)
{
    if (!copy)
        return;
    fg_arena_free(&copy->arena);
    free(copy);
}

static const char *copy_string(struct copy *copy, const char *string)
{
    return string ? fg_arena_string(&copy->arena, fg_slice_from_string(string)) : NULL;
}

static struct copy *copy_of(const struct fg_alert *alert)
{
    struct copy *copy = calloc(1, sizeof *copy);
    if (!copy)
        return NULL;
    fg_arena_init(&copy->arena, ALERT_BYTES_MAX);
    copy->alert = *alert;
    copy->alert.key = copy_string(copy, alert->key);
    copy->alert.name = copy_string(copy, alert->name);
    copy->alert.severity = copy_string(copy, alert->severity);
    copy->alert.url = copy_string(copy, alert->url);
    copy->alert.summary = fg_arena_copy(&copy->arena, alert->summary);
    copy->alert.description = fg_arena_copy(&copy->arena, alert->description);
    for (uint32_t i = 0; i < alert->label_count; i++) {
        copy->alert.labels[i].name = copy_string(copy, alert->labels[i].name);
        copy->alert.labels[i].value = fg_arena_copy(&copy->arena, alert->labels[i].value);
    }
    return copy;
}

static void entry_free(struct entry *entry)
{
    copy_free(entry->now);
    copy_free(entry->before);
    free(entry);
}

/* -- The table; all locked */

static uint64_t now_of(struct fg_webhook *webhook)
{
    return fg_env_mono_ns(webhook->options.env);
}

static bool has_own(const struct fg_webhook *webhook, uint32_t index)
{
    return index >= webhook->options.url_count - webhook->options.own_count;
}

static bool is_told(const struct fg_webhook *webhook, const struct entry *entry)
{
    for (uint32_t i = 0; i < webhook->options.url_count; i++)
        if (entry->told[i].version != entry->version)
            return false;
    return true;
}

static bool is_flapping(const struct entry *entry, uint64_t now_ns)
{
    if (entry->change_count < FLAPS)
        return false;
    uint64_t oldest_ns = entry->changed_ns[entry->change_count % FLAPS];
    uint64_t newest_ns = entry->changed_ns[(entry->change_count - 1) % FLAPS];
    return newest_ns - oldest_ns < FLAP_WINDOW_NS && now_ns - newest_ns < FLAP_QUIET_NS;
}

/* Ended, told, and so long quiet that its changes don't count any more. */
static bool is_spent(const struct fg_webhook *webhook, const struct entry *entry, uint64_t now_ns)
{
    uint64_t newest_ns = entry->changed_ns[(entry->change_count + FLAPS - 1) % FLAPS];
    return !entry->now->alert.is_firing && is_told(webhook, entry) &&
           now_ns - newest_ns > FLAP_WINDOW_NS;
}

static void drop_spent(struct fg_webhook *webhook)
{
    uint64_t now_ns = now_of(webhook);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < webhook->count; i++)
        if (is_spent(webhook, webhook->entries[i], now_ns))
            entry_free(webhook->entries[i]);
        else
            webhook->entries[kept++] = webhook->entries[i];
    webhook->count = kept;
}

static struct entry *find(const struct fg_webhook *webhook, const char *key)
{
    for (uint32_t i = 0; i < webhook->count; i++)
        if (strcmp(webhook->entries[i]->now->alert.key, key) == 0)
            return webhook->entries[i];
    return NULL;
}

static int add(struct fg_webhook *webhook, struct entry **ret_entry)
{
    drop_spent(webhook);
    if (webhook->count == FG_WEBHOOK_ALERTS_MAX)
        return FG_ELIMIT;
    if (webhook->count == webhook->capacity) {
        uint32_t capacity = webhook->capacity ? 2 * webhook->capacity : 16;
        void *entries = realloc(webhook->entries, capacity * sizeof(struct entry *));
        if (!entries)
            return FG_ENOMEM;
        webhook->entries = entries;
        webhook->capacity = capacity;
    }
    *ret_entry = calloc(1, sizeof **ret_entry);
    if (!*ret_entry)
        return FG_ENOMEM;
    webhook->entries[webhook->count++] = *ret_entry;
    return 0;
}

/* What a receiver knows already, from before a restart, too. */
static void see_who_knows(const struct fg_webhook *webhook, struct entry *entry, uint32_t index,
                          bool is_new)
{
    const struct fg_alert *alert = &entry->now->alert;
    bool knows = (alert->told >> index & 1) != 0;
    struct told *told = &entry->told[index];
    bool is_his = has_own(webhook, index) ? (alert->own >> index & 1) != 0 : !alert->is_only_own;
    if (!is_his && (alert->is_firing || !knows))
        *told = (struct told){.version = entry->version}; /* it is not for him */
    else if (!is_his) /* it was for him once, and he believes it to last */
        *told = (struct told){.was_firing = true};
    else if (alert->is_firing && knows && !webhook->receivers[index].is_alertmanager)
        *told = (struct told){.version = entry->version, .was_firing = true};
    else if (!alert->is_firing && is_new)
        *told = (struct told){.version = knows ? 0 : entry->version, .was_firing = knows};
}

/* Whether nothing of it is new: it is told again by who does not know that it was told. */
static bool is_same(const struct fg_alert *a, const struct fg_alert *b)
{
    return a->is_firing == b->is_firing && a->starts_ns == b->starts_ns &&
           a->ends_ns == b->ends_ns && fg_slice_equal(a->summary, b->summary) &&
           fg_alert_same_labels(a, b);
}

/* Takes the copy over. */
static void set(struct fg_webhook *webhook, struct entry *entry, struct copy *copy)
{
    struct copy *before = entry->now;
    if (before && is_same(&before->alert, &copy->alert)) {
        entry->now = copy;
        copy_free(before);
        return;
    }
    if (!before || before->alert.is_firing != copy->alert.is_firing ||
        !fg_alert_same_labels(&before->alert, &copy->alert))
        entry->changed_ns[entry->change_count++ % FLAPS] = now_of(webhook);
    entry->now = copy;
    entry->version++;
    for (uint32_t i = 0; i < webhook->options.url_count; i++)
        see_who_knows(webhook, entry, i, !before);
    if (before && before->alert.is_firing && copy->alert.is_firing &&
        !fg_alert_same_labels(&before->alert, &copy->alert) && !entry->before) {
        before->alert.is_firing = false;
        before->alert.ends_ns = fg_env_wall_ns(webhook->options.env);
        entry->before = before;
        return;
    }
    copy_free(before);
}

int fg_webhook_tell(struct fg_webhook *webhook, const struct fg_alert *alert)
{
    struct copy *copy = copy_of(alert);
    if (!copy)
        return FG_ENOMEM;
    int r = copy->arena.overflow || strlen(alert->key) > KEY_SIZE_MAX ? FG_ELIMIT : 0;
    fg_mutex_lock(&webhook->mutex);
    struct entry *entry = r == 0 ? find(webhook, alert->key) : NULL;
    if (r == 0 && !entry && (alert->is_firing || alert->told))
        r = add(webhook, &entry);
    if (entry) {
        set(webhook, entry, copy);
        webhook->counters.told++;
        fg_cond_signal(&webhook->cond);
        copy = NULL;
    }
    fg_mutex_unlock(&webhook->mutex);
    copy_free(copy);
    return r;
}

void fg_webhook_counters(struct fg_webhook *webhook, struct fg_webhook_counters *ret_counters)
{
    fg_mutex_lock(&webhook->mutex);
    *ret_counters = webhook->counters;
    ret_counters->firing = ret_counters->waiting = 0;
    for (uint32_t i = 0; i < webhook->count; i++) {
        ret_counters->firing += webhook->entries[i]->now->alert.is_firing;
        ret_counters->waiting += !is_told(webhook, webhook->entries[i]);
    }
    fg_mutex_unlock(&webhook->mutex);
}

/* -- What a receiver is told next; locked */

/* When the receiver has to hear of the entry: 0: now. A receiver that knows of the begin hears
 * nothing of what flaps until it was quiet. */
static uint64_t due_of(const struct receiver *receiver, struct entry *entry, uint32_t index,
                       uint64_t now_ns)
{
    struct told *told = &entry->told[index];
    bool is_flap = told->was_firing && is_flapping(entry, now_ns);
    if (is_flap && entry->now->alert.is_firing && !entry->before)
        told->version = entry->version;
    if (told->version == entry->version) {
        if (!receiver->is_alertmanager || !told->was_firing)
            return UINT64_MAX;
        uint64_t again_ns = told->at_ns + REFRESH_NS;
        return again_ns > now_ns ? again_ns : 0;
    }
    if (!is_flap)
        return 0;
    return entry->changed_ns[(entry->change_count - 1) % FLAPS] + FLAP_QUIET_NS;
}

struct batch {
    json_t *body;
    struct {
        struct entry *entry;
        uint64_t version, starts_ns;
        bool is_firing;
        char key[KEY_SIZE_MAX + 1];
    } items[BATCH_MAX];
    uint32_t count;
};

static void put_entry(const struct receiver *receiver, struct entry *entry, struct batch *batch,
                      uint64_t now_ns)
{
    const struct fg_alert *alert = &entry->now->alert;
    if (receiver->is_alertmanager) {
        if (entry->before)
            (void)json_array_append_new(batch->body,
                                        fg_alert_to_alertmanager(&entry->before->alert));
        (void)json_array_append_new(batch->body, fg_alert_to_alertmanager(alert));
    } else {
        batch->body = fg_alert_to_message(alert, is_flapping(entry, now_ns));
    }
    batch->items[batch->count].entry = entry;
    batch->items[batch->count].version = entry->version;
    batch->items[batch->count].starts_ns = alert->starts_ns;
    snprintf(batch->items[batch->count].key, KEY_SIZE_MAX + 1, "%s", alert->key);
    batch->items[batch->count++].is_firing = alert->is_firing;
}

/* Fills batch with what is due; returns when something will be. */
static uint64_t gather(struct fg_webhook *webhook, uint32_t index, uint64_t now_ns,
                       struct batch *batch)
{
    const struct receiver *receiver = &webhook->receivers[index];
    uint32_t count_max = receiver->is_alertmanager ? BATCH_MAX : 1;
    uint64_t next_ns = UINT64_MAX;
    *batch = (struct batch){.body = receiver->is_alertmanager ? json_array() : NULL};
    for (uint32_t i = 0; i < webhook->count && batch->count < count_max; i++) {
        uint64_t due_ns = due_of(receiver, webhook->entries[i], index, now_ns);
        if (due_ns == 0)
            put_entry(receiver, webhook->entries[i], batch, now_ns);
        else if (due_ns < next_ns)
            next_ns = due_ns;
    }
    return batch->count > 0 ? 0 : next_ns;
}

/* Entries are only freed by this thread's doings or while it is not sending, since a firing or
 * untold one is never spent. */
static void note_sent(struct fg_webhook *webhook, uint32_t index, const struct batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        struct entry *entry = batch->items[i].entry;
        entry->told[index] = (struct told){.version = batch->items[i].version,
                                           .was_firing = batch->items[i].is_firing,
                                           .at_ns = now_of(webhook)};
        if (is_told(webhook, entry)) {
            copy_free(entry->before);
            entry->before = NULL;
        }
    }
}

/* -- Sending; not locked */

static size_t ignore(char *data, size_t size, size_t count, void *arg)
{
    (void)data, (void)arg;
    return size * count;
}

/* Appends the lines of a file to the list. */
static int read_headers(struct fg_env *env, const char *path, struct curl_slist **list)
{
    struct fg_file *file;
    size_t size = 0;
    char *text = malloc(HEADERS_SIZE_MAX + 1);
    int r = text ? fg_env_open(env, path, FG_OPEN_READ, &file) : FG_ENOMEM;
    if (r == 0) {
        r = fg_file_pread(file, 0, text, HEADERS_SIZE_MAX, &size);
        fg_file_close(file);
    }
    if (r == 0) {
        text[size] = 0;
        char *rest = text, *line;
        while ((line = strsep(&rest, "\r\n")) != NULL) {
            struct curl_slist *longer = strchr(line, ':') ? curl_slist_append(*list, line) : NULL;
            *list = longer ? longer : *list;
        }
        explicit_bzero(text, size);
    }
    free(text);
    return r;
}

/* Appends the token that is the first line of a file. */
static int read_token(struct fg_env *env, const char *path, struct curl_slist **list)
{
    static const char prefix[] = "Authorization: Bearer ";
    struct fg_file *file;
    size_t size = 0;
    char *text = malloc(sizeof prefix + HEADERS_SIZE_MAX);
    int r = text ? fg_env_open(env, path, FG_OPEN_READ, &file) : FG_ENOMEM;
    if (r == 0) {
        r = fg_file_pread(file, 0, text + sizeof prefix - 1, HEADERS_SIZE_MAX, &size);
        fg_file_close(file);
    }
    if (r == 0) {
        memcpy(text, prefix, sizeof prefix - 1);
        text[sizeof prefix - 1 + size] = 0;
        text[strcspn(text, "\r\n")] = 0;
        struct curl_slist *longer = curl_slist_append(*list, text);
        *list = longer ? longer : *list;
        r = longer ? 0 : FG_ENOMEM;
        explicit_bzero(text, sizeof prefix - 1 + size);
    }
    free(text);
    return r;
}

/* NULL with a text. Files are read anew: credentials change. */
static struct curl_slist *headers_of(struct fg_webhook *webhook, uint32_t index,
                                     char ret_text[CURL_ERROR_SIZE])
{
    const struct fg_webhook_options *options = &webhook->options;
    struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
    if (list && has_own(webhook, index)) {
        const char *path = options->token_files[index - (options->url_count - options->own_count)];
        int r = path ? read_token(options->env, path, &list) : 0;
        if (r == 0)
            return list;
        snprintf(ret_text, CURL_ERROR_SIZE, "can't read %s: %s", path, fg_error_name(r));
        curl_slist_free_all(list);
        return NULL;
    }
    for (uint32_t i = 0; list && i < options->headers_file_count; i++) {
        int r = read_headers(options->env, options->headers_files[i], &list);
        if (r == 0)
            continue;
        snprintf(ret_text, CURL_ERROR_SIZE, "can't read %s: %s", options->headers_files[i],
                 fg_error_name(r));
        curl_slist_free_all(list);
        return NULL;
    }
    return list;
}

/* The status, or 0 with a text. */
static long post(struct fg_webhook *webhook, uint32_t index, const char *body, long limit_ms,
                 char ret_text[CURL_ERROR_SIZE])
{
    const struct receiver *receiver = &webhook->receivers[index];
    long status = 0;
    CURL *curl = curl_easy_init();
    snprintf(ret_text, CURL_ERROR_SIZE, "out of memory");
    struct curl_slist *headers = headers_of(webhook, index, ret_text);
    if (curl && headers) {
        ret_text[0] = 0;
        curl_easy_setopt(curl, CURLOPT_URL, receiver->url);
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
        fg_curl_trust(curl, webhook->options.ca_file);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, limit_ms);
        curl_easy_setopt(curl, CURLOPT_USERAGENT, "filigree/" FG_VERSION);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, ret_text);
        CURLcode code = curl_easy_perform(curl);
        if (code == CURLE_OK)
            curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        else if (!*ret_text)
            snprintf(ret_text, CURL_ERROR_SIZE, "%s", curl_easy_strerror(code));
    }
    curl_slist_free_all(headers);
    if (curl)
        curl_easy_cleanup(curl);
    return status;
}

static void say(struct fg_webhook *webhook, struct receiver *receiver, const char *text)
{
    if (receiver->is_troubled == (text != NULL))
        return;
    receiver->is_troubled = text != NULL;
    if (webhook->options.on_trouble)
        webhook->options.on_trouble(webhook->options.arg, receiver->shown, text);
}

/* Whether the batch needs not be sent again. */
static bool judge(struct fg_webhook *webhook, struct receiver *receiver, long status,
                  const char *text)
{
    char refusal[80];
    bool is_taken = status >= 200 && status < 300;
    bool is_for_ever = status >= 400 && status < 500 && status != 408 && status != 429;
    snprintf(refusal, sizeof refusal, "it answers %ld", status);
    say(webhook, receiver, is_taken ? NULL : status ? refusal : text);
    if (is_taken || is_for_ever) {
        receiver->back_off_ns = 0;
        return true;
    }
    receiver->back_off_ns = receiver->back_off_ns ? 2 * receiver->back_off_ns : BACK_OFF_NS;
    if (receiver->back_off_ns > BACK_OFF_NS_MAX)
        receiver->back_off_ns = BACK_OFF_NS_MAX;
    receiver->again_ns = now_of(webhook) + receiver->back_off_ns;
    return false;
}

/* Sends what one receiver has to hear; locked but while it sends. Returns when there is more. */
static uint64_t serve(struct fg_webhook *webhook, uint32_t index, long limit_ms)
{
    struct receiver *receiver = &webhook->receivers[index];
    struct batch batch;
    char text[CURL_ERROR_SIZE];
    uint64_t now_ns = now_of(webhook);
    if (receiver->again_ns > now_ns && !webhook->is_closing)
        return receiver->again_ns;
    uint64_t next_ns = gather(webhook, index, now_ns, &batch);
    if (batch.count == 0) {
        json_decref(batch.body);
        return next_ns;
    }
    fg_mutex_unlock(&webhook->mutex);
    char *body = batch.body ? json_dumps(batch.body, JSON_COMPACT) : NULL;
    json_decref(batch.body);
    long status = 0;
    snprintf(text, sizeof text, "out of memory");
    if (body)
        status = post(webhook, index, body, limit_ms, text);
    free(body);
    bool is_done = judge(webhook, receiver, status, text);
    for (uint32_t i = 0; is_done && webhook->options.on_told && i < batch.count; i++)
        webhook->options.on_told(webhook->options.arg, receiver->url, batch.items[i].key,
                                 batch.items[i].starts_ns, batch.items[i].is_firing);
    fg_mutex_lock(&webhook->mutex);
    webhook->counters.sent += status >= 200 && status < 300 ? batch.count : 0;
    webhook->counters.refused += is_done && status >= 300 ? batch.count : 0;
    webhook->counters.failed += !is_done;
    if (is_done)
        note_sent(webhook, index, &batch);
    return is_done ? 0 : receiver->again_ns;
}

static void run(void *arg)
{
    struct fg_webhook *webhook = arg;
    fg_mutex_lock(&webhook->mutex);
    while (!webhook->is_closing) {
        uint64_t next_ns = now_of(webhook) + FOREVER_NS;
        uint64_t version = webhook->counters.told;
        for (uint32_t i = 0; i < webhook->options.url_count && !webhook->is_closing; i++) {
            uint64_t due_ns = serve(webhook, i, SEND_MS_MAX);
            next_ns = due_ns < next_ns ? due_ns : next_ns;
        }
        uint64_t now_ns = now_of(webhook);
        if (next_ns > now_ns && version == webhook->counters.told && !webhook->is_closing)
            (void)fg_cond_wait_for(&webhook->cond, &webhook->mutex, next_ns - now_ns);
    }
    for (uint32_t i = 0; i < webhook->options.url_count; i++)
        for (uint32_t n = 0; n < LAST_SENDS_MAX && serve(webhook, i, LAST_SEND_MS_MAX) == 0; n++)
            continue;
    fg_mutex_unlock(&webhook->mutex);
}

/* -- Beginning and end */

/* The address without user and query; NULL where it is none. */
static const char *shown_of(struct fg_webhook *webhook, const char *url)
{
    CURLU *parsed = curl_url();
    char *text = NULL;
    const char *shown = NULL;
    if (parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK) {
        (void)curl_url_set(parsed, CURLUPART_USER, NULL, 0);
        (void)curl_url_set(parsed, CURLUPART_PASSWORD, NULL, 0);
        (void)curl_url_set(parsed, CURLUPART_QUERY, NULL, 0);
        (void)curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0);
        if (curl_url_get(parsed, CURLUPART_URL, &text, 0) == CURLUE_OK &&
            (strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0))
            shown = fg_arena_string(&webhook->arena, fg_slice_from_string(text));
    }
    curl_free(text);
    curl_url_cleanup(parsed);
    return shown;
}

static int set_receivers(struct fg_webhook *webhook)
{
    static const char path[] = "/api/v2/alerts";
    if (webhook->options.url_count > FG_WEBHOOK_URLS_MAX ||
        webhook->options.own_count > webhook->options.url_count)
        return FG_EINVALID;
    for (uint32_t i = 0; i < webhook->options.url_count; i++) {
        struct receiver *receiver = &webhook->receivers[i];
        const char *url = webhook->options.urls[i];
        receiver->url = fg_arena_string(&webhook->arena, fg_slice_from_string(url));
        receiver->shown = shown_of(webhook, url);
        if (!receiver->url || !receiver->shown)
            return webhook->arena.overflow ? FG_ENOMEM : FG_EINVALID;
        size_t size = strlen(receiver->shown);
        receiver->is_alertmanager = size >= sizeof path - 1 &&
                                    strcmp(receiver->shown + size - (sizeof path - 1), path) == 0;
    }
    return 0;
}

int fg_webhook_open(const struct fg_webhook_options *options, struct fg_webhook **ret_webhook)
{
    struct fg_webhook *webhook = calloc(1, sizeof *webhook);
    if (!webhook)
        return FG_ENOMEM;
    webhook->options = *options;
    fg_arena_init(&webhook->arena, (size_t)64 << 10);
    fg_mutex_init(&webhook->mutex, FG_RANK_ALERTS);
    fg_cond_init(&webhook->cond);
    int r = set_receivers(webhook);
    if (r == 0)
        r = fg_thread_start(&webhook->thread, "webhook", run, webhook);
    webhook->has_thread = r == 0;
    if (r < 0) {
        fg_webhook_close(webhook);
        return r;
    }
    *ret_webhook = webhook;
    return 0;
}

void fg_webhook_close(struct fg_webhook *webhook)
{
    if (!webhook)
        return;
    fg_mutex_lock(&webhook->mutex);
    webhook->is_closing = true;
    fg_cond_signal(&webhook->cond);
    fg_mutex_unlock(&webhook->mutex);
    if (webhook->has_thread)
        fg_thread_join(&webhook->thread);
    for (uint32_t i = 0; i < webhook->count; i++)
        entry_free(webhook->entries[i]);
    free(webhook->entries);
    fg_cond_destroy(&webhook->cond);
    fg_mutex_destroy(&webhook->mutex);
    fg_arena_free(&webhook->arena);
    free(webhook);
}
