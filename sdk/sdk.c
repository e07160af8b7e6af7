/* Start and stop, forks, threads that end, and the process's end. */
#include "sdk.h"

#include "base/hash.h"
#include "base/limits.h"
#include "exporter.h"
#include "fault.h"
#include "os/guest.h"
#include "os/thread.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#define RING_NAME_TRIES 3

struct fg_sdk fg_sdk;
_Thread_local struct fg_lane fg_lane __attribute__((tls_model("initial-exec")));

/* Under the mutex. */
static struct {
    struct fg_mutex mutex;
    struct fg_exporter *exporter;  /* NULL while nothing is traced */
    struct fg_exporter *abandoned; /* of the parents of this process */
    struct fg_map region;          /* where rings are mapped, from the first start on */
    uint32_t slot_count;           /* of the region */
    uint32_t start_count;
    uint64_t exit_timeout_ns;
    fg_options options; /* the last start's, with texts of our own: for the child of a fork */
    bool is_installed;
    struct fg_cond cond;
    unsigned flush_count; /* threads that wait in a flush of the exporter */
} sdk = {.mutex = {.mutex = PTHREAD_MUTEX_INITIALIZER, .rank = 5},
         .cond = {.cond = PTHREAD_COND_INITIALIZER}};

/* -- Threads ---------------------------------------------------------------------------------- */

static void give_chain(struct fg_lane *lane)
{
    uint32_t count = 0;
    for (uint32_t name = lane->chain; name; name = fg_pool_slot(&lane->active->pool, name)->next)
        count++;
    if (count)
        fg_pool_give(&lane->active->pool, lane->chain, count);
    lane->chain = 0;
}

static void at_thread_end(void *arg)
{
    struct fg_lane *lane = arg;
    if (lane->active && lane->active == atomic_load(&fg_sdk.active))
        give_chain(lane);
    fg_lane_drop_scopes(lane);
    memset(lane, 0, sizeof *lane);
}

void fg_lane_renew(struct fg_lane *lane, struct fg_active *active)
{
    if (lane->active != active) {
        /* The slots of an earlier ring are gone with it. */
        lane->chain = 0;
        lane->active = active;
        fg_guest_seed(lane->random);
    }
    if (!lane->is_watched)
        lane->is_watched = fg_guest_watch_thread(lane, at_thread_end) == 0;
}

uint32_t fg_lane_take_slot(void *arg)
{
    struct fg_lane *lane = arg;
    struct fg_pool *pool = &lane->active->pool;
    if (!lane->chain) {
        lane->chain = fg_pool_take(pool);
        if (atomic_load_explicit(&pool->taken, memory_order_relaxed) >=
            atomic_load_explicit(&lane->active->wake_at, memory_order_relaxed))
            fg_wake_signal(&lane->active->wake);
    }
    return lane->chain ? fg_lane_take(lane) : 0;
}

/* -- Forks --------------------------------------------------------------------------------------
 */

static void before_fork(void)
{
    fg_mutex_lock(&sdk.mutex);
    if (sdk.exporter)
        fg_exporter_lock(sdk.exporter);
    fg_tracers_lock();
}

static void after_fork_in_parent(void)
{
    fg_tracers_unlock();
    if (sdk.exporter)
        fg_exporter_unlock(sdk.exporter);
    fg_mutex_unlock(&sdk.mutex);
}

/* The parent's ring is given up before anything can write to it; the rest waits for a span, since
 * most children call exec() at once. */
static void after_fork_in_child(void)
{
    fg_tracers_child();
    fg_fault_target(NULL);
    if (sdk.exporter) {
        struct fg_exporter *exporter = sdk.exporter;
        atomic_store(&fg_sdk.active, NULL);
        sdk.exporter = NULL;
        atomic_store(&fg_sdk.is_child, fg_exporter_abandon(exporter, sdk.abandoned) == 0);
        sdk.abandoned = exporter;
    }
    sdk.region.fd = -1;
    sdk.flush_count = 0;
    fg_mutex_unlock(&sdk.mutex);
}

/* -- Starting -----------------------------------------------------------------------------------
 */

static void at_exit(void)
{
    fg_tracing_stop((unsigned)(sdk.exit_timeout_ns / FG_NS_PER_MS));
}

static int install(void)
{
    static const struct fg_guest_hooks hooks = {
        .before_fork = before_fork,
        .after_fork_in_parent = after_fork_in_parent,
        .after_fork_in_child = after_fork_in_child,
        .at_exit = at_exit,
    };
    if (sdk.is_installed)
        return 0;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return FG_ENOMEM;
    int r = fg_guest_install(&hooks);
    sdk.is_installed = r == 0;
    return r;
}

/* Memory of the first start's size; later rings take its place. */
static int prepare_region(struct fg_settings *settings)
{
    if (sdk.region.data) {
        settings->slot_count = sdk.slot_count;
        return fg_map_detach(&sdk.region);
    }
    size_t size = FG_RING_SLOTS_OFFSET + (size_t)settings->slot_count * FG_RING_SLOT_SIZE;
    int r = fg_map_anonymous(size, &sdk.region);
    if (r == 0)
        sdk.slot_count = settings->slot_count;
    return r;
}

/* Puts a file in the region's place. Without one spans live in memory alone, and that is said. */
static void make_file(const struct fg_settings *settings, struct fg_map *map, char **ret_path)
{
    int r = fg_private_dir(settings->recorder_dir);
    for (int i = 0; i < RING_NAME_TRIES; i++) {
        char path[4096];
        uint64_t chance[4];
        fg_guest_seed(chance);
        int size = snprintf(path, sizeof path, "%s/%u-%016llx.ring", settings->recorder_dir,
                            (unsigned)fg_guest_pid(), (unsigned long long)chance[0]);
        if (r == 0 && (size < 0 || (size_t)size >= sizeof path))
            r = FG_ELIMIT;
        if (r < 0)
            break;
        r = fg_map_create(path, sdk.region.size, sdk.region.data, map);
        if (r == 0) {
            *ret_path = strdup(path);
            if (*ret_path)
                return;
            r = fg_env_unlink(fg_env_real(), path);
            if (r == 0)
                r = fg_map_detach(map);
            if (r == 0)
                r = FG_ENOMEM;
        }
        if (r != FG_EEXIST && r != FG_EBUSY)
            break;
        r = 0;
    }
    fg_notice(FG_NOTICE_RECORDER, "filigree: no flight recorder in %s: %s", settings->recorder_dir,
              fg_error_name(r));
}

static void find_oom_counter(struct fg_ring_header *header)
{
    struct fg_oom_count count = {.inode = 0};
    memset(header->oom_path, 0, sizeof header->oom_path);
    if (fg_oom_find(FG_OOM_GROUPS, FG_OOM_ROOT, header->oom_path) < 0 ||
        fg_oom_read(FG_OOM_ROOT, header->oom_path, &count) < 0)
        header->oom_path[0] = 0;
    header->oom_inode = count.inode;
    atomic_store(&header->oom_kills, count.kills);
}

static int fill_header(const struct fg_settings *settings, uint8_t *ring)
{
    struct fg_ring_header *header = (void *)ring;
    struct fg_buffer encoded;
    fg_buffer_init(&encoded, FG_RING_SETTINGS_SIZE);
    fg_settings_encode(settings, &encoded);
    if (encoded.error) {
        fg_buffer_free(&encoded);
        return encoded.error == FG_ELIMIT ? FG_EINVALID : FG_ENOMEM;
    }
    memcpy(ring + FG_RING_SETTINGS_OFFSET, encoded.data, encoded.size);
    memcpy(header->magic, FG_RING_MAGIC, sizeof header->magic);
    header->version = FG_RING_VERSION;
    header->slot_size = FG_RING_SLOT_SIZE;
    header->slot_count = settings->slot_count;
    header->settings_size = (uint32_t)encoded.size;
    header->settings_hash = fg_hash(fg_buffer_slice(&encoded));
    header->pid = fg_guest_pid();
    header->started_ns = fg_env_wall_ns(fg_env_real());
    fg_guest_boot_id(header->boot_id);
    header->heartbeat_ns = settings->heartbeat_ns;
    atomic_store(&header->ended_ns, 0);
    find_oom_counter(header);
    memcpy(header->instance_id, settings->instance_id, sizeof header->instance_id);
    atomic_store(&header->alive_ns, header->started_ns);
    fg_tracers_attach(header);
    atomic_store_explicit(&header->state, FG_RING_LIVE, memory_order_release);
    fg_buffer_free(&encoded);
    return 0;
}

static struct fg_active *active_new(const struct fg_settings *settings)
{
    static struct fg_active *last;
    struct fg_active *active = aligned_alloc(_Alignof(struct fg_active), sizeof *active);
    if (!active)
        return NULL;
    memset(active, 0, sizeof *active);
    struct fg_env *env = fg_env_real();
    active->first_generation = ++sdk.start_count << 22 | 1;
    active->env = env;
    active->sampler = settings->sampler;
    active->limits = settings->limits;
    active->header = (void *)sdk.region.data;
    active->before = last;
    fg_pool_init(&active->pool, fg_ring_slots(sdk.region.data), settings->slot_count);
    fg_wake_init(&active->wake);
    atomic_store(&fg_sdk.wall_offset_ns, fg_env_wall_ns(env) - fg_env_mono_ns(env));
    last = active;
    return active;
}

/* Contexts know journey keys with tracing off, too; so these are kept. */
static int publish_journey_keys(const struct fg_settings *settings)
{
    static struct fg_texts *last;
    struct fg_texts *keys = calloc(1, sizeof *keys);
    int r = keys ? 0 : FG_ENOMEM;
    for (uint32_t i = 0; r == 0 && i < settings->journey_keys.count; i++)
        r = fg_texts_add(keys, fg_slice_from_string(settings->journey_keys.items[i]));
    bool is_same = r == 0 && last && last->count == keys->count;
    for (uint32_t i = 0; is_same && i < keys->count; i++)
        is_same = strcmp(last->items[i], keys->items[i]) == 0;
    if (r < 0 || is_same) {
        if (keys)
            fg_texts_free(keys);
        free(keys);
        return r;
    }
    last = keys;
    atomic_store(&fg_sdk.journey_keys, keys);
    return 0;
}

/* Takes settings. */
static int begin_tracing(struct fg_settings *settings)
{
    struct fg_map map = sdk.region;
    char *path = NULL;
    bool note_faults = settings->note_faults;
    if (settings->recorder)
        make_file(settings, &map, &path);
    int r = fill_header(settings, sdk.region.data);
    struct fg_active *active = r == 0 ? active_new(settings) : NULL;
    if (!active) {
        if (path && fg_env_unlink(fg_env_real(), path) < 0)
            fg_notice(FG_NOTICE_RECORDER, "filigree: %s can't be removed", path);
        fg_map_release(&map);
        fg_settings_free(settings);
        free(path);
        return r < 0 ? r : FG_ENOMEM;
    }
    bool has_file = path != NULL;
    r = fg_exporter_start_take(settings, active, &map, path, &sdk.exporter);
    if (r < 0)
        return r;
    if (has_file && note_faults)
        fg_fault_watch();
    fg_fault_target(has_file ? active->header : NULL);
    atomic_store_explicit(&fg_sdk.active, active, memory_order_release);
    return 0;
}

static int start(const fg_options *options)
{
    struct fg_settings settings;
    int r = fg_settings_read(options, &settings);
    if (r < 0)
        return r;
    sdk.exit_timeout_ns = settings.exit_timeout_ns;
    r = publish_journey_keys(&settings);
    if (r == 0 && !settings.disabled) {
        r = install();
        if (r == 0)
            r = prepare_region(&settings);
        if (r == 0)
            return begin_tracing(&settings);
    }
    fg_settings_free(&settings);
    return r;
}

/* The texts of an options struct, one after the other. */
static const char **option_texts(fg_options *options, size_t index)
{
    const char **texts[] = {
        &options->service_name, &options->resource_attributes,
        &options->endpoint,     &options->headers,
        &options->protocol,     &options->compression,
        &options->certificate,  &options->client_certificate,
        &options->client_key,   &options->sampler,
        &options->sampler_arg,  &options->recorder_dir,
        &options->redact_keys,  &options->redact_values,
        &options->journey_keys,
    };
    return index < sizeof texts / sizeof *texts ? texts[index] : NULL;
}

static void free_options(void)
{
    const char **text;
    for (size_t i = 0; (text = option_texts(&sdk.options, i)); i++)
        free((char *)(uintptr_t)*text);
    memset(&sdk.options, 0, sizeof sdk.options);
}

static int keep_options(const fg_options *options)
{
    const char **text;
    free_options();
    if (!options)
        return 0;
    memcpy(&sdk.options, options,
           options->size < sizeof sdk.options ? options->size : sizeof sdk.options);
    sdk.options.size = sizeof sdk.options;
    for (size_t i = 0; (text = option_texts(&sdk.options, i)); i++) {
        if (!*text)
            continue;
        char *own = strdup(*text);
        *text = own;
        if (!own) {
            /* What follows is the caller's still. */
            for (; (text = option_texts(&sdk.options, i)); i++)
                *text = NULL;
            return FG_ENOMEM;
        }
    }
    return 0;
}

int fg_tracing_start(const fg_options *options)
{
    int r = 0;
    fg_mutex_lock(&sdk.mutex);
    if (!sdk.exporter) {
        fg_options whole = {.size = 0};
        if (options && options->size >= sizeof options->size)
            memcpy(&whole, options, options->size < sizeof whole ? options->size : sizeof whole);
        fg_notice_start(whole.diagnostic, whole.diagnostic_arg);
        atomic_store(&fg_sdk.is_child, false);
        r = start(options);
        if (r == 0)
            r = keep_options(options);
    }
    fg_mutex_unlock(&sdk.mutex);
    return r;
}

struct fg_active *fg_sdk_start_in_child(void)
{
    fg_mutex_lock(&sdk.mutex);
    if (atomic_load(&fg_sdk.is_child)) {
        atomic_store(&fg_sdk.is_child, false);
        int r = start(sdk.options.size ? &sdk.options : NULL);
        if (r < 0)
            fg_notice(FG_NOTICE_RECORDER, "filigree: the child of a fork is not traced: %s",
                      fg_error_name(r));
    }
    fg_mutex_unlock(&sdk.mutex);
    return atomic_load_explicit(&fg_sdk.active, memory_order_acquire);
}

/* Waits without the mutex, so that another thread may fork or stop meanwhile. */
int fg_tracing_flush(unsigned timeout_ms)
{
    fg_mutex_lock(&sdk.mutex);
    struct fg_exporter *exporter = sdk.exporter;
    sdk.flush_count += exporter != NULL;
    fg_mutex_unlock(&sdk.mutex);
    if (!exporter)
        return 0;
    int r = fg_exporter_flush(exporter, timeout_ms * FG_NS_PER_MS);
    fg_mutex_lock(&sdk.mutex);
    sdk.flush_count--;
    fg_cond_broadcast(&sdk.cond);
    fg_mutex_unlock(&sdk.mutex);
    return r;
}

void fg_tracing_stop(unsigned timeout_ms)
{
    fg_mutex_lock(&sdk.mutex);
    struct fg_exporter *exporter = sdk.exporter;
    atomic_store(&fg_sdk.is_child, false);
    if (exporter) {
        atomic_store(&fg_sdk.active, NULL);
        fg_tracers_detach();
        fg_fault_target(NULL);
        fg_exporter_stop(exporter, timeout_ms * FG_NS_PER_MS);
        sdk.exporter = NULL;
        while (sdk.flush_count)
            fg_cond_wait(&sdk.cond, &sdk.mutex);
        fg_exporter_free(exporter);
    }
    fg_mutex_unlock(&sdk.mutex);
}

const char *fg_tracing_error(int error)
{
    return fg_error_name(error);
}

void fg_tracing_stats(fg_stats *stats)
{
    if (!stats || stats->size < sizeof stats->size)
        return;
    struct fg_counters *c = &fg_counters;
    fg_stats whole = {
        .size = stats->size,
        .exported_spans = atomic_load(&c->exported),
        .announced_spans = atomic_load(&c->announced),
        .recovered_spans = atomic_load(&c->recovered),
        .dropped_full_spans = atomic_load(&c->dropped_full),
        .dropped_refused_spans = atomic_load(&c->dropped_refused),
        .dropped_items = atomic_load(&c->dropped_items),
        .truncated_values = atomic_load(&c->truncated),
        .redacted_values = atomic_load(&c->redacted),
        .invalid_texts = atomic_load(&c->invalid_texts),
        .misuses = atomic_load(&c->misuses),
        .exports = atomic_load(&c->exports),
        .failed_exports = atomic_load(&c->failed_exports),
        .malformed_contexts = atomic_load(&c->malformed_contexts),
    };
    memcpy(stats, &whole, stats->size < sizeof whole ? stats->size : sizeof whole);
}
