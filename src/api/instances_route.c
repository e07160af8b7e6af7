/* Processes that tell of their own telemetry (store/instances.h): GET /api/v1/instances. */
#include "base/units.h"
#include "handlers.h"
#include "json_fields.h"
#include "search_params.h"
#include "state.h"
#include "wire/json_writer.h"
#include "work.h"

#define LIMIT_DEFAULT 100u

struct wanted {
    struct fg_instance_filter filter;
    uint32_t limit;
};

struct listing {
    struct fg_json_writer json;
    const struct wanted *wanted;
    uint32_t count;
    bool is_truncated;
};

static void write_text(struct fg_json_writer *json, const char *key,
                       const struct fg_instance_text *text)
{
    if (text->size == 0)
        return;
    fg_json_key(json, fg_slice_from_string(key));
    fg_json_string(json, fg_instance_text_slice(text));
}

static void write_lost(struct fg_json_writer *json, const uint64_t lost[FG_LOSS_KIND_COUNT])
{
    FG_JSON_KEY(json, "lost");
    fg_json_object_begin(json);
    for (int i = 0; i < FG_LOSS_KIND_COUNT; i++)
        fg_write_count(json, fg_loss_kind_name((enum fg_loss_kind)i), lost[i]);
    fg_json_object_end(json);
}

/* Only those of the time that is asked for. */
static void write_losses(struct fg_json_writer *json, const struct fg_instance *instance,
                         const struct fg_instance_filter *filter)
{
    FG_JSON_KEY(json, "losses");
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < instance->loss_count; i++) {
        const struct fg_loss *loss = &instance->losses[i];
        if (loss->from_ns > filter->to_ns || loss->to_ns < filter->from_ns)
            continue;
        fg_json_object_begin(json);
        FG_JSON_KEY(json, "kind");
        fg_json_string(json, fg_slice_from_string(fg_loss_kind_name(loss->kind)));
        fg_write_count(json, "count", loss->count);
        fg_write_moment(json, "from", loss->from_ns);
        fg_write_moment(json, "to", loss->to_ns);
        fg_json_object_end(json);
    }
    fg_json_array_end(json);
}

static bool write_instance(void *arg, const struct fg_instance *instance,
                           enum fg_instance_state state)
{
    struct listing *listing = arg;
    struct fg_json_writer *json = &listing->json;
    const struct fg_instance_note *last = &instance->last;
    if (listing->count == listing->wanted->limit) {
        listing->is_truncated = true;
        return false;
    }
    listing->count++;
    fg_json_object_begin(json);
    write_text(json, "service", &last->service);
    write_text(json, "namespace", &last->space);
    write_text(json, "instance", &last->instance);
    write_text(json, "host", &last->host);
    if (last->pid)
        fg_write_count(json, "pid", last->pid);
    FG_JSON_KEY(json, "state");
    fg_json_string(json, fg_slice_from_string(fg_instance_state_name(state)));
    write_text(json, "ended", &last->ended);
    if (last->started_ns)
        fg_write_moment(json, "started", last->started_ns);
    if (last->alive_ns)
        fg_write_moment(json, "alive", last->alive_ns);
    fg_write_moment(json, "first_heard", instance->first_heard_ns);
    fg_write_moment(json, "last_heard", instance->last_heard_ns);
    fg_write_count(json, "heartbeat_ns", last->heartbeat_ns);
    fg_write_count(json, "exports", instance->exports);
    fg_write_count(json, "first_sequence", instance->first_sequence);
    fg_write_count(json, "last_sequence", last->sequence);
    write_lost(json, instance->lost);
    write_losses(json, instance, &listing->wanted->filter);
    fg_json_object_end(json);
    return true;
}

static void write_sum(struct fg_json_writer *json, const struct fg_instance_sum *sum)
{
    FG_JSON_KEY(json, "sum");
    fg_json_object_begin(json);
    fg_write_count(json, "count", sum->count);
    for (int i = 0; i < FG_INSTANCE_STATE_COUNT; i++)
        fg_write_count(json, fg_instance_state_name((enum fg_instance_state)i), sum->states[i]);
    write_lost(json, sum->lost);
    fg_json_object_end(json);
}

static int write(struct fg_work *work)
{
    struct fg_api *api = work->exchange->api;
    const struct wanted *wanted = (const struct wanted *)work->state;
    uint64_t now_ns = fg_env_wall_ns(api->env);
    struct listing listing = {.json = fg_json_writer(&work->body), .wanted = wanted};
    struct fg_instance_sum sum = {0};
    fg_instances_sum(api->instances, &wanted->filter, now_ns, &sum);
    fg_json_object_begin(&listing.json);
    write_sum(&listing.json, &sum);
    FG_JSON_KEY(&listing.json, "instances");
    fg_json_array_begin(&listing.json);
    fg_instances_list(api->instances, &wanted->filter, now_ns, write_instance, &listing);
    fg_json_array_end(&listing.json);
    FG_JSON_KEY(&listing.json, "truncated");
    fg_json_bool(&listing.json, listing.is_truncated);
    fg_json_object_end(&listing.json);
    return 0;
}

/* False after a 400. */
static bool state_param(struct fg_exchange *exchange, struct fg_instance_filter *filter)
{
    struct fg_slice text = fg_exchange_param(exchange, "state");
    if (text.size == 0)
        return true;
    for (int i = 0; i < FG_INSTANCE_STATE_COUNT; i++) {
        filter->state = (enum fg_instance_state)i;
        filter->has_state =
            fg_slice_equal(text, fg_slice_from_string(fg_instance_state_name(filter->state)));
        if (filter->has_state)
            return true;
    }
    fg_answer_invalid(exchange, "state: expected running, silent, ended or died");
    return false;
}

void fg_handle_instances(struct fg_exchange *exchange)
{
    static const char *const names[] = {"service", "state", "start", "end", "limit"};
    struct wanted wanted = {.filter = {.tenant = exchange->identity.tenant,
                                       .service = fg_exchange_param(exchange, "service")}};
    if (!fg_params_known(exchange, names, sizeof names / sizeof *names) ||
        !fg_time_params(exchange, &wanted.filter.from_ns, &wanted.filter.to_ns) ||
        !state_param(exchange, &wanted.filter) ||
        !fg_limit_param(exchange, LIMIT_DEFAULT, &wanted.limit))
        return;
    struct fg_work *work = fg_work_new(exchange, "read the instances", write, sizeof wanted);
    if (!work)
        return;
    memcpy(work->state, &wanted, sizeof wanted);
    fg_work_start(work, exchange->api->readers);
}
