/* Opening, closing, counters, and the steps of a manual store. */
#include "base/limits.h"
#include "consume.h"
#include "local/local.h"
#include "store_internal.h"

#include <stdio.h>
#include <stdlib.h>

struct fg_store_options fg_store_options_default(struct fg_env *env, const char *path)
{
    return (struct fg_store_options){
        .env = env,
        .path = path,
        .head_size_max = FG_HEAD_SIZE_MAX,
        .head_age_ns_max = FG_HEAD_AGE_NS_MAX,
        .wal_segment_size = FG_WAL_SEGMENT_SIZE,
        .cache_size_max = FG_CACHE_SIZE_MAX,
        .append_queue_bytes_max = FG_APPEND_QUEUE_BYTES_MAX,
        .merge_rate_bytes = FG_MERGE_RATE_BYTES,
        .reserve_bytes = FG_RESERVE_BYTES,
        .wal_hold_bytes_max = FG_WAL_HOLD_BYTES_MAX,
        .scan_alone_ns = FG_SCAN_ALONE_NS,
        .retention = {.age_ns = 0, .bytes_max = 0, .pinned_bytes_max = FG_PINNED_BYTES_MAX},
    };
}

/* -- The folder */

static int explain(int error, struct fg_arena *arena, const char **ret_message, const char *path,
                   const char *what)
{
    char text[1024];
    snprintf(text, sizeof text, "%s: %s", path, what);
    *ret_message = fg_arena_string(arena, fg_slice_from_string(text));
    if (!*ret_message)
        *ret_message = what;
    return error;
}

/* The name of a folder that was made stands in the folder above it. */
static int sync_parent(struct fg_store *store)
{
    char parent[FG_LOCAL_PATH_SIZE_MAX];
    const char *path = store->options.path, *slash = strrchr(path, '/');
    size_t size = slash ? (size_t)(slash - path) : 0;
    if (slash && size == 0)
        return fg_env_sync_dir(store->env, "/");
    if (!slash)
        return fg_env_sync_dir(store->env, ".");
    memcpy(parent, path, size);
    parent[size] = 0;
    return fg_env_sync_dir(store->env, parent);
}

static int make_folder(struct fg_store *store, struct fg_arena *arena, const char **ret_message)
{
    const char *path = store->options.path;
    if (store->options.read_only)
        return 0;
    int r = fg_env_mkdir(store->env, path);
    if (r == 0)
        r = sync_parent(store);
    switch (r) {
    case 0:
    case FG_EEXIST:
        return 0;
    case FG_ENOTFOUND:
        return explain(r, arena, ret_message, path,
                       "the folder above it does not exist; make it first");
    case FG_EDENIED:
        return explain(r, arena, ret_message, path,
                       "this user may not make it; make it, and give it to the user that runs "
                       "filigree");
    case FG_ENOSPACE:
        return explain(r, arena, ret_message, path, "the disk is full; free some space");
    default:
        return explain(r, arena, ret_message, path, "can't make the folder; check the disk");
    }
}

static int lock_folder(struct fg_store *store, struct fg_arena *arena, const char **ret_message)
{
    char path[FG_LOCAL_PATH_SIZE_MAX];
    snprintf(path, sizeof path, "%s/LOCK", store->options.path);
    int r = fg_env_lock(store->env, path, &store->folder_lock);
    /* A tool may read what it may not write, such as a backup on a read-only disk. */
    if (r == FG_EDENIED && store->options.read_only)
        return 0;
    switch (r) {
    case 0:
        return 0;
    case FG_EBUSY:
        return explain(r, arena, ret_message, store->options.path,
                       "another filigree holds this folder; stop it, or name another folder");
    case FG_EDENIED:
        return explain(r, arena, ret_message, store->options.path,
                       "this user may not write there; give the folder to the user that runs "
                       "filigree");
    case FG_ENOSPACE:
        return explain(r, arena, ret_message, store->options.path,
                       "the disk is full; free some space");
    case FG_ENOTFOUND:
        return explain(r, arena, ret_message, store->options.path, "there is no such folder");
    default:
        return explain(r, arena, ret_message, store->options.path,
                       "can't lock the folder; check the disk");
    }
}

/* -- Threads */

static int start_threads(struct fg_store *store)
{
    static const struct {
        const char *name;
        void (*run)(void *arg);
    } threads[] = {{"fg-commit", fg_committer_run},
                   {"fg-seal", fg_sealer_run},
                   {"fg-maintain", fg_maintainer_run}};
    struct fg_thread *all[] = {&store->committer, &store->sealer, &store->maintainer};
    int r = 0;
    for (unsigned i = 0; r == 0 && i < 3; i++) {
        r = fg_thread_start(all[i], threads[i].name, threads[i].run, store);
        store->thread_count += r == 0;
    }
    return r;
}

/* The committer first: what was taken is committed. */
static void end_threads(struct fg_store *store)
{
    struct fg_thread *all[] = {&store->committer, &store->sealer, &store->maintainer};
    fg_mutex_lock(&store->queue_lock);
    store->is_closing = true;
    fg_cond_broadcast(&store->queue_changed);
    fg_mutex_unlock(&store->queue_lock);
    if (store->thread_count > 0)
        fg_thread_join(all[0]);
    if (store->blocks)
        store->blocks->ops->stop(store->blocks); /* a merge may have minutes to go */
    fg_mutex_lock(&store->wake_lock);
    store->is_stopping = true;
    fg_cond_broadcast(&store->wake);
    fg_mutex_unlock(&store->wake_lock);
    for (unsigned i = 1; i < store->thread_count; i++)
        fg_thread_join(all[i]);
    store->thread_count = 0;
}

/* -- Opening and closing */

static struct fg_store *store_new(const struct fg_store_options *options)
{
    struct fg_store *store = calloc(1, sizeof *store);
    size_t size = strlen(options->path);
    char *path = malloc(size + 1);
    if (!store || !path) {
        free(store);
        free(path);
        return NULL;
    }
    while (size > 1 && options->path[size - 1] == '/')
        size--;
    memcpy(path, options->path, size);
    path[size] = 0;
    store->options = *options;
    store->options.path = path;
    store->env = options->env;
    atomic_init(&store->seal_byte_ps, FG_SEAL_BYTE_NS * 1000);
    fg_mutex_init(&store->job_lock, FG_RANK_STORE_JOB);
    fg_mutex_init(&store->lock, FG_RANK_STORE);
    fg_mutex_init(&store->queue_lock, FG_RANK_WAL);
    fg_mutex_init(&store->consume_lock, FG_RANK_CONSUME);
    fg_mutex_init(&store->rollup_lock, FG_RANK_ROLLUP);
    fg_env_random(store->env, &store->rollup_seed, sizeof store->rollup_seed);
    fg_mutex_init(&store->wake_lock, FG_RANK_LEAF);
    fg_cond_init(&store->consume_changed);
    fg_cond_init(&store->changed);
    fg_cond_init(&store->queue_changed);
    fg_cond_init(&store->wake);
    return store;
}

static void store_free(struct fg_store *store)
{
    fg_head_unref(store->active);
    fg_head_unref(store->sealing);
    fg_wal_close(store->wal);
    if (store->blocks)
        store->blocks->ops->close(store->blocks);
    fg_wal_codec_free(store->codec);
    fg_retries_free(store->retries);
    fg_state_close(store->keyed_state);
    fg_consumers_free(store);
    fg_space_free(&store->space);
    fg_file_close(store->folder_lock);
    fg_mutex_destroy(&store->job_lock);
    fg_mutex_destroy(&store->lock);
    fg_mutex_destroy(&store->queue_lock);
    fg_mutex_destroy(&store->consume_lock);
    fg_mutex_destroy(&store->rollup_lock);
    fg_mutex_destroy(&store->wake_lock);
    fg_cond_destroy(&store->consume_changed);
    fg_cond_destroy(&store->changed);
    fg_cond_destroy(&store->queue_changed);
    fg_cond_destroy(&store->wake);
    free(store->commit_slices);
    free((char *)(uintptr_t)store->options.path);
    free(store);
}

/* A tool that only reads a folder does without what is not there. */
static int open_state(struct fg_store *store, struct fg_arena *arena, const char **ret_message)
{
    const struct fg_state_options options = {.folder = store->options.path,
                                             .size_max = store->options.state_size_max,
                                             .read_only = store->options.read_only};
    if (!options.size_max)
        return 0;
    int r = fg_state_open(&options, arena, ret_message, &store->keyed_state);
    return r == FG_ENOTFOUND && options.read_only ? 0 : r;
}

static int open_store(struct fg_store *store, struct fg_arena *arena, const char **ret_message)
{
    struct fg_local *local = NULL;
    int r = make_folder(store, arena, ret_message);
    if (r == 0)
        r = lock_folder(store, arena, ret_message);
    if (r < 0)
        return r;
    const char *path = store->options.path;
    r = fg_space_init(&store->space, store->env, path, store->options.reserve_bytes,
                      store->options.read_only);
    if (r == 0)
        r = fg_wal_codec_new(&store->codec);
    if (r == 0)
        r = fg_retries_new(&store->retries);
    if (r < 0)
        return explain(r, arena, ret_message, path, "out of memory");
    r = fg_local_open(&store->options, &store->space, arena, ret_message, &local);
    if (r < 0)
        return r;
    store->blocks = &local->blocks;
    r = open_state(store, arena, ret_message);
    if (r < 0)
        return r;
    r = fg_recover(store, arena, ret_message);
    if (r < 0)
        return r;
    if (!store->options.read_only && !fg_space_is_enough(&store->space))
        fg_store_refuse_for_space(store);
    if (store->options.manual || store->options.read_only)
        return 0;
    fg_seal_prepare_log(store); /* the first commit would wait for it */
    r = start_threads(store);
    return r < 0 ? explain(r, arena, ret_message, path, "can't start a thread") : 0;
}

int fg_store_open(const struct fg_store_options *options, struct fg_arena *arena,
                  const char **ret_message, struct fg_store **ret_store)
{
    struct fg_store *store = NULL;
    if (strlen(options->path) >= FG_LOCAL_PATH_SIZE_MAX - 64)
        return explain(FG_ELIMIT, arena, ret_message, options->path, "the path is too long");
    store = store_new(options);
    if (!store)
        return explain(FG_ENOMEM, arena, ret_message, options->path, "out of memory");
    int r = open_store(store, arena, ret_message);
    if (r < 0) {
        end_threads(store);
        store_free(store);
        return r;
    }
    *ret_store = store;
    return 0;
}

void fg_store_close(struct fg_store *store, bool seal)
{
    if (!store)
        return;
    bool can_write = !store->options.read_only;
    if (seal && can_write && fg_store_seal(store) < 0)
        fg_store_event(&store->options, FG_LOG_WARN,
                       "could not seal at the end; the next start replays the log");
    end_threads(store);
    if (store->options.manual && can_write) {
        bool did = true;
        while (did)
            fg_commit_step(store, &did);
        fg_commit_refuse(store); /* both heads are full */
    }
    store_free(store);
}

void fg_store_set_retention(struct fg_store *store, const struct fg_retention *retention)
{
    store->blocks->ops->set_retention(store->blocks, retention);
}

/* -- Looking */

static void count_heads(struct fg_store *store, struct fg_store_counters *counters)
{
    fg_mutex_lock(&store->lock);
    struct fg_head *heads[] = {store->active, store->sealing};
    for (int i = 0; i < 2; i++) {
        struct fg_head_info info = heads[i] ? fg_head_info(heads[i]) : (struct fg_head_info){0};
        counters->head_spans += info.span_count;
        counters->head_bytes += info.size_bytes;
    }
    counters->heads = atomic_load(&store->heads_alive);
    fg_mutex_unlock(&store->lock);
}

static uint64_t count_behind(struct fg_store *store)
{
    uint64_t behind = 0;
    for (size_t i = 0; i < store->consumer_count; i++) {
        struct fg_consumer_lag lag;
        fg_consumer_lag(&store->consumers[i], &lag);
        behind = lag.records > behind ? lag.records : behind;
    }
    return behind;
}

void fg_store_counters(struct fg_store *store, struct fg_store_counters *ret_counters)
{
    struct fg_store_counters counters = {
        .state = (enum fg_store_state)atomic_load(&store->state),
        .appended_spans = atomic_load(&store->counters.appended_spans),
        .appended_requests = atomic_load(&store->counters.appended_requests),
        .retried_requests = atomic_load(&store->counters.retried_requests),
        .refused_requests = atomic_load(&store->counters.refused_requests),
        .commit_groups = atomic_load(&store->counters.commit_groups),
        .commit_ns_total = atomic_load(&store->counters.commit_ns_total),
        .commit_ns_max = atomic_load(&store->counters.commit_ns_max),
        .seals = atomic_load(&store->counters.seals),
        .disk_free_bytes = atomic_load(&store->space.free_bytes),
        .disk_total_bytes = atomic_load(&store->space.total_bytes),
        .recovered_records = store->counters.recovered_records,
        .recovered_spans = store->counters.recovered_spans,
        .damaged_records = store->counters.damaged_records,
    };
    struct fg_wal_counters wal = {0};
    if (store->wal)
        fg_wal_counters(store->wal, &wal);
    counters.wal_bytes_written = wal.bytes_written;
    counters.wal_size_bytes = wal.size_bytes;
    count_heads(store, &counters);
    counters.behind = count_behind(store);
    if (store->keyed_state) {
        struct fg_state_counters state;
        fg_state_counters(store->keyed_state, &state);
        counters.state_used_bytes = state.used_bytes;
        counters.state_file_bytes = state.file_bytes;
        counters.state_size_max = state.size_max;
    }
    store->blocks->ops->counters(store->blocks, &counters);
    *ret_counters = counters;
}

int fg_store_step(struct fg_store *store, bool *ret_did)
{
    bool did = false;
    fg_commit_step(store, &did);
    int r = did ? 0 : fg_seal_step(store, &did);
    if (r == 0 && !did)
        r = fg_maintain_step(store, &did);
    *ret_did = did;
    return r;
}
