/* GET /api/v1/stats: what fills the disk, how long it lasts, what it costs.
 *
 * The growth is measured, not promised: the bytes of the days with the newest starts (a week of
 * them at most), by the time that they cover. A service's bytes are its share of the spans in that
 * time, since segments keep columns apart and services together.
 *
 * With tenant=NAME days, services, attributes and growth are that tenant's; the store's counters,
 * the disk and what is left of it are the server's. */
#include "base/hash.h"
#include "base/idmap.h"
#include "base/limits.h"
#include "base/units.h"
#include "handlers.h"
#include "net/url.h"
#include "search_params.h"
#include "service_totals.h"
#include "state.h"
#include "stats_tenants.h"
#include "totals.h"
#include "wire/json_writer.h"
#include "work.h"

#include <stdlib.h>

#define WINDOW_DAYS_MAX 7u
/* Less time says too little of a day. */
#define WINDOW_NS_MIN (3600 * FG_NS_PER_SECOND)
#define DAYS_MAX      40000u
#define KEYS_MAX      65536u
#define GB            1e9

struct day {
    uint32_t day; /* since 1970 */
    uint64_t segment_count, span_count, trace_count, size_bytes, start_ns_min;
};

struct key {
    enum fg_field level;
    struct fg_slice key;
    uint64_t value_count, size_bytes;
};

struct stats {
    struct fg_arena *arena;
    struct fg_store_counters counters;
    struct day *days; /* newest first, once read */
    uint32_t day_count;
    struct key *keys; /* largest first, once read */
    uint32_t key_count;
    struct fg_idmap key_map;
    uint64_t key_bytes; /* of all columns */
    struct fg_stats_tenants tenants;
    const struct fg_stats_tenant *wanted;              /* NULL: all of them */
    struct fg_service_totals services[FG_TENANTS_MAX]; /* as tenants; none of those not wanted */

    uint64_t now_ns, window_start_ns;
    double window_days;
    double bytes_per_day; /* < 0: not known */
};

/* -- Reading
 * ---------------------------------------------------------------------------------------
 */

static struct day *find_day(struct stats *stats, uint32_t number)
{
    for (uint32_t i = stats->day_count; i > 0; i--)
        if (stats->days[i - 1].day == number)
            return &stats->days[i - 1];
    if (stats->day_count == DAYS_MAX)
        return NULL;
    stats->days[stats->day_count] = (struct day){.day = number, .start_ns_min = UINT64_MAX};
    return &stats->days[stats->day_count++];
}

static bool is_left_out(const struct stats *stats, uint32_t tenant)
{
    return stats->wanted && stats->wanted->tenant != tenant;
}

static int add_segment(void *arg, const struct fg_segment_stats *segment)
{
    struct stats *stats = arg;
    fg_stats_tenants_add(&stats->tenants, segment);
    if (is_left_out(stats, segment->tenant))
        return 0;
    struct day *day = find_day(stats, segment->day);
    if (!day)
        return FG_ELIMIT;
    day->segment_count++;
    day->span_count += segment->span_count;
    day->trace_count += segment->trace_count;
    day->size_bytes += segment->size_bytes;
    if (segment->start_ns_min < day->start_ns_min)
        day->start_ns_min = segment->start_ns_min;
    return 0;
}

static int compare_days(const void *a, const void *b)
{
    const struct day *x = a, *y = b;
    return x->day > y->day ? -1 : x->day < y->day;
}

struct wanted_key {
    const struct stats *stats;
    const struct fg_column_stats *column;
};

static bool same_key(const void *context, uint32_t id)
{
    const struct wanted_key *wanted = context;
    const struct key *key = &wanted->stats->keys[id];
    return key->level == wanted->column->level && fg_slice_equal(key->key, wanted->column->key);
}

static int add_column(void *arg, const struct fg_column_stats *column)
{
    struct stats *stats = arg;
    struct wanted_key wanted = {stats, column};
    uint32_t id = 0;
    if (is_left_out(stats, column->tenant))
        return 0;
    int r = fg_idmap_intern(&stats->key_map, fg_hash_seeded(column->key, column->level), same_key,
                            &wanted, stats->key_count, &id);
    if (r < 0)
        return r;
    if (id == stats->key_count) {
        if (stats->key_count == KEYS_MAX)
            return FG_ELIMIT;
        stats->keys[stats->key_count++] =
            (struct key){.level = column->level, .key = fg_arena_copy(stats->arena, column->key)};
        if (stats->arena->overflow)
            return FG_ELIMIT;
    }
    stats->keys[id].value_count += column->value_count;
    stats->keys[id].size_bytes += column->size_bytes;
    stats->key_bytes += column->size_bytes;
    return 0;
}

static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->size_bytes != y->size_bytes)
        return x->size_bytes > y->size_bytes ? -1 : 1;
    return fg_slice_compare(x->key, y->key);
}

/* The days that the growth is measured by: from the newest back, without those that lie ahead. */
static void measure(struct stats *stats)
{
    uint32_t today = (uint32_t)(stats->now_ns / FG_NS_PER_DAY);
    uint64_t bytes = 0;
    stats->bytes_per_day = -1;
    stats->window_start_ns = stats->now_ns;
    for (uint32_t i = 0; i < stats->day_count; i++) {
        const struct day *day = &stats->days[i];
        if (day->day > today || day->day + WINDOW_DAYS_MAX <= today)
            continue;
        bytes += day->size_bytes;
        if (day->start_ns_min < stats->window_start_ns)
            stats->window_start_ns = day->start_ns_min;
    }
    uint64_t window_ns = stats->now_ns - stats->window_start_ns;
    if (window_ns < WINDOW_NS_MIN)
        window_ns = WINDOW_NS_MIN;
    stats->window_days = (double)window_ns / (double)FG_NS_PER_DAY;
    if (bytes)
        stats->bytes_per_day = (double)bytes / stats->window_days;
}

static int read_services(struct fg_work *work, struct stats *stats)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < stats->tenants.count; i++) {
        const struct fg_stats_tenant *tenant = &stats->tenants.items[i];
        struct fg_service_totals_wanted wanted = {.tenant = tenant->tenant,
                                                  .start_ns_min = stats->window_start_ns,
                                                  .start_ns_max = UINT64_MAX};
        if (!is_left_out(stats, tenant->tenant))
            r = fg_service_totals_read(fg_api_store(work->exchange->api), &wanted, &work->arena,
                                       &stats->services[i]);
    }
    return r;
}

static int read_stats(struct fg_work *work, struct stats *stats)
{
    struct fg_store *store = fg_api_store(work->exchange->api);
    stats->arena = &work->arena;
    stats->now_ns = fg_env_wall_ns(work->exchange->api->env);
    stats->days = fg_arena_calloc(&work->arena, DAYS_MAX, sizeof *stats->days);
    stats->keys = fg_arena_calloc(&work->arena, KEYS_MAX, sizeof *stats->keys);
    if (!stats->days || !stats->keys)
        return FG_ELIMIT;
    fg_store_counters(store, &stats->counters);
    int r = fg_store_segments(store, add_segment, stats);
    if (r == 0)
        r = fg_store_columns(store, add_column, stats);
    if (r < 0)
        return r;
    qsort(stats->days, stats->day_count, sizeof *stats->days, compare_days);
    qsort(stats->keys, stats->key_count, sizeof *stats->keys, compare_keys);
    measure(stats);
    return read_services(work, stats);
}

/* -- Writing
 * ---------------------------------------------------------------------------------------
 */

static void put_uint(struct fg_json_writer *json, const char *name, uint64_t value)
{
    fg_json_key(json, fg_slice_from_string(name));
    fg_json_uint(json, value);
}

static void put_time(struct fg_json_writer *json, const char *name, uint64_t ns)
{
    char text[FG_UNITS_TEXT_SIZE];
    fg_time_format(ns, text);
    fg_json_key(json, fg_slice_from_string(name));
    fg_json_string(json, fg_slice_from_string(text));
}

/* A number that is null where it is negative: not known. */
static void put_number(struct fg_json_writer *json, const char *name, double value)
{
    fg_json_key(json, fg_slice_from_string(name));
    if (value < 0)
        fg_json_null(json);
    else
        fg_json_double(json, value);
}

/* Bytes, null where they are negative. */
static void put_bytes(struct fg_json_writer *json, const char *name, double value)
{
    fg_json_key(json, fg_slice_from_string(name));
    if (value < 0)
        fg_json_null(json);
    else
        fg_json_uint(json, (uint64_t)value);
}

static void write_store(struct fg_json_writer *json, const struct fg_store_counters *counters)
{
    FG_JSON_KEY(json, "store");
    fg_json_object_begin(json);
    put_uint(json, "segment_count", counters->segment_count);
    put_uint(json, "segment_bytes", counters->segment_bytes);
    put_uint(json, "segment_spans", counters->segment_spans);
    put_number(json, "bytes_per_span",
               counters->segment_spans
                   ? (double)counters->segment_bytes / (double)counters->segment_spans
                   : -1);
    put_uint(json, "head_spans", counters->head_spans);
    put_uint(json, "head_bytes", counters->head_bytes);
    put_uint(json, "wal_bytes", counters->wal_size_bytes);
    put_uint(json, "cache_bytes", counters->cache_bytes);
    put_uint(json, "state_bytes", counters->state_file_bytes);
    put_uint(json, "state_used_bytes", counters->state_used_bytes);
    put_uint(json, "state_bytes_max", counters->state_size_max);
    put_uint(json, "merge_debt_bytes", counters->merge_debt_bytes);
    put_uint(json, "appended_spans", counters->appended_spans);
    put_uint(json, "duplicate_spans", counters->duplicate_spans);
    put_uint(json, "expired_spans", counters->retention_dropped_spans);
    put_uint(json, "erased_spans", counters->erased_spans);
    put_uint(json, "retried_requests", counters->retried_requests);
    put_uint(json, "damaged_pages", counters->damaged_pages);
    put_uint(json, "damaged_records", counters->damaged_records);
    put_uint(json, "seals", counters->seals);
    put_uint(json, "seal_bytes", counters->seal_bytes_written);
    put_uint(json, "merges", counters->merges);
    put_uint(json, "merge_bytes", counters->merge_bytes_written);
    put_uint(json, "wal_written_bytes", counters->wal_bytes_written);
    put_uint(json, "commits", counters->commit_groups);
    put_uint(json, "commit_ns", counters->commit_ns_total);
    put_uint(json, "commit_ns_max", counters->commit_ns_max);
    fg_json_object_end(json);
}

/* null: no bound of this kind. */
static void write_retention(struct fg_json_writer *json, const struct fg_settings *settings)
{
    FG_JSON_KEY(json, "retention");
    fg_json_object_begin(json);
    put_number(json, "age_days",
               settings->retention_age_ns
                   ? (double)settings->retention_age_ns / (double)FG_NS_PER_DAY
                   : -1);
    put_bytes(json, "size_bytes",
              settings->retention_size_max ? (double)settings->retention_size_max : -1);
    fg_json_object_end(json);
}

static const char *readiness_name(enum fg_readiness readiness)
{
    switch (readiness) {
    case FG_READY_YES:
        return "yes";
    case FG_READY_STARTING:
        return "starting";
    case FG_READY_DRAINING:
        return "draining";
    case FG_READY_NO_SPACE:
        return "no_space";
    case FG_READY_STORE_FAILED:
        break;
    }
    return "failed";
}

/* What the growth comes to: how many days are left until the disk or retention-size is full, or
 * none, where retention-age deletes as much as comes before that. */
static void write_forecast(struct fg_json_writer *json, const struct stats *stats,
                           const struct fg_settings *settings)
{
    const struct fg_store_counters *counters = &stats->counters;
    double rate = stats->bytes_per_day, stored = (double)counters->segment_bytes;
    double room = (double)counters->disk_free_bytes, full = -1, days_left = -1;
    bool by_size =
        settings->retention_size_max > 0 && (double)settings->retention_size_max - stored < room;
    if (by_size)
        room = (double)settings->retention_size_max - stored;
    if (room < 0)
        room = 0;
    if (rate > 0 && settings->retention_age_ns)
        full = rate * ((double)settings->retention_age_ns / (double)FG_NS_PER_DAY);
    if (rate > 0 && (full < 0 || full > stored + room)) {
        days_left = room / rate;
        full = stored + room;
    }
    FG_JSON_KEY(json, "forecast");
    fg_json_object_begin(json);
    put_time(json, "window_start", stats->window_start_ns);
    put_number(json, "window_days", stats->window_days);
    put_bytes(json, "bytes_per_day", rate);
    FG_JSON_KEY(json, "limited_by");
    fg_json_string(json, by_size ? FG_SLICE("retention-size") : FG_SLICE("disk"));
    put_uint(json, "room_bytes", (uint64_t)room);
    put_number(json, "days_left", days_left);
    put_bytes(json, "full_bytes", full);
    put_number(json, "price_per_gb_month", settings->price_per_gb_month);
    put_number(json, "cost_per_month", stored / GB * settings->price_per_gb_month);
    put_number(json, "full_cost_per_month",
               full < 0 ? -1 : full / GB * settings->price_per_gb_month);
    fg_json_object_end(json);
}

static void write_days(struct fg_json_writer *json, const struct stats *stats)
{
    FG_JSON_KEY(json, "days");
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < stats->day_count; i++) {
        const struct day *day = &stats->days[i];
        char text[FG_UNITS_TEXT_SIZE];
        fg_time_format(day->day * FG_NS_PER_DAY, text);
        fg_json_object_begin(json);
        FG_JSON_KEY(json, "day");
        fg_json_string(json, fg_slice(text, strlen("2026-11-24")));
        put_uint(json, "segments", day->segment_count);
        put_uint(json, "spans", day->span_count);
        put_uint(json, "traces", day->trace_count);
        put_uint(json, "bytes", day->size_bytes);
        fg_json_object_end(json);
    }
    fg_json_array_end(json);
}

static uint64_t count_all(const struct stats *stats)
{
    uint64_t all = 0;
    for (size_t t = 0; t < stats->tenants.count; t++)
        for (uint32_t i = 0; i < stats->services[t].service_count; i++)
            all += stats->services[t].services[i].span_count +
                   stats->services[t].services[i].open_count;
    return all;
}

static void write_services_of(struct fg_json_writer *json, const struct stats *stats, size_t t,
                              uint64_t all)
{
    const struct fg_service_totals *totals = &stats->services[t];
    for (uint32_t i = 0; i < totals->service_count; i++) {
        const struct fg_service_total *service = &totals->services[i];
        uint64_t count = service->span_count + service->open_count;
        double share = (double)count / (double)all;
        fg_json_object_begin(json);
        FG_JSON_KEY(json, "tenant");
        fg_json_string(json, fg_slice_from_string(stats->tenants.items[t].name));
        FG_JSON_KEY(json, "service");
        fg_json_string(json, service->service);
        put_uint(json, "spans", count);
        put_uint(json, "errors", service->error_count);
        put_number(json, "share", share);
        put_bytes(json, "bytes_per_day",
                  stats->bytes_per_day < 0 ? -1 : stats->bytes_per_day * share);
        fg_json_object_end(json);
    }
}

static void write_services(struct fg_json_writer *json, const struct stats *stats)
{
    uint64_t all = count_all(stats);
    FG_JSON_KEY(json, "services");
    fg_json_array_begin(json);
    for (size_t t = 0; t < stats->tenants.count; t++)
        write_services_of(json, stats, t, all);
    fg_json_array_end(json);
}

static const char *level_name(enum fg_field level)
{
    switch (level) {
    case FG_FIELD_ATTR_SPAN:
        return "span";
    case FG_FIELD_ATTR_RESOURCE:
        return "resource";
    case FG_FIELD_ATTR_SCOPE:
        return "scope";
    case FG_FIELD_ATTR_EVENT:
        return "event";
    case FG_FIELD_ATTR_LINK:
        return "link";
    default:
        return "fields";
    }
}

static void write_keys(struct fg_json_writer *json, const struct stats *stats)
{
    FG_JSON_KEY(json, "keys");
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < stats->key_count; i++) {
        const struct key *key = &stats->keys[i];
        double share = stats->key_bytes ? (double)key->size_bytes / (double)stats->key_bytes : 0;
        fg_json_object_begin(json);
        FG_JSON_KEY(json, "of");
        fg_json_string(json, fg_slice_from_string(level_name(key->level)));
        FG_JSON_KEY(json, "key");
        fg_json_string(json, key->key);
        put_uint(json, "values", key->value_count);
        put_uint(json, "bytes", key->size_bytes);
        put_number(json, "share", share);
        put_bytes(json, "bytes_per_day",
                  stats->bytes_per_day < 0 ? -1 : stats->bytes_per_day * share);
        fg_json_object_end(json);
    }
    fg_json_array_end(json);
}

static void write_all(struct fg_work *work, const struct stats *stats,
                      const struct fg_settings *settings)
{
    static const char *const states[] = {
        [FG_STORE_OK] = "ok", [FG_STORE_NO_SPACE] = "no_space", [FG_STORE_FAILED] = "failed"};
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "version");
    fg_json_string(&json, FG_SLICE(FG_VERSION));
    put_time(&json, "started", work->exchange->api->started_ns);
    put_time(&json, "time", stats->now_ns);
    FG_JSON_KEY(&json, "state");
    fg_json_string(&json, fg_slice_from_string(states[stats->counters.state]));
    FG_JSON_KEY(&json, "ready");
    fg_json_string(&json,
                   fg_slice_from_string(readiness_name(fg_api_readiness(work->exchange->api))));
    fg_ingest_totals_write(&json, work->exchange->api);
    write_retention(&json, settings);
    write_store(&json, &stats->counters);
    FG_JSON_KEY(&json, "disk");
    fg_json_object_begin(&json);
    put_uint(&json, "free_bytes", stats->counters.disk_free_bytes);
    put_uint(&json, "total_bytes", stats->counters.disk_total_bytes);
    fg_json_object_end(&json);
    write_forecast(&json, stats, settings);
    FG_JSON_KEY(&json, "tenant");
    if (stats->wanted)
        fg_json_string(&json, fg_slice_from_string(stats->wanted->name));
    else
        fg_json_null(&json);
    fg_stats_tenants_write(&json, &stats->tenants);
    write_days(&json, stats);
    write_services(&json, stats);
    write_keys(&json, stats);
    fg_json_object_end(&json);
}

static int run(struct fg_work *work)
{
    struct stats *stats = (struct stats *)work->state;
    fg_idmap_init(&stats->key_map);
    int r = read_stats(work, stats);
    fg_idmap_free(&stats->key_map);
    if (r < 0)
        return r;
    struct fg_settings *settings = fg_api_settings_ref(work->exchange->api);
    write_all(work, stats, settings);
    fg_settings_unref(settings);
    return 0;
}

void fg_handle_stats(struct fg_exchange *exchange)
{
    static const char *const names[] = {"tenant"};
    if (!fg_params_known(exchange, names, 1))
        return;
    struct fg_slice name =
        fg_url_param(exchange->request->query, "tenant", exchange->request->arena);
    struct fg_work *work = fg_work_new(exchange, "read the statistics", run, sizeof(struct stats));
    if (!work)
        return;
    struct stats *stats = (struct stats *)work->state;
    fg_stats_tenants_read(exchange->api->auth, &stats->tenants);
    stats->wanted = name.data ? fg_stats_tenant_find(&stats->tenants, name) : NULL;
    if (name.data && !stats->wanted) {
        fg_answer_error(exchange, FG_ENOTFOUND,
                        "read the statistics of a tenant that is not there");
        return;
    }
    fg_work_start(work, exchange->api->readers);
}
