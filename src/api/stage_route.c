/* GET /api/v1/stage: what is instrumented, what is only watched, what is known from its callers
 * alone, and what is worth doing next, with a monitor ready where one would help. */
#include "base/limits.h"
#include "base/units.h"
#include "handlers.h"
#include "json_fields.h"
#include "search_params.h"
#include "stage.h"
#include "state.h"
#include "wire/json_writer.h"
#include "work.h"

#include <inttypes.h>
#include <stdio.h>

#define LOOKBACK_NS   (60 * FG_NS_PER_MINUTE)
#define READ_NS_MAX   (5 * FG_NS_PER_SECOND)
#define TEXT_SIZE_MAX ((size_t)8 << 10)

struct window {
    uint64_t start_ns, end_ns;
};

/* Why the place is worth it, as a sentence. */
static void write_why(struct fg_json_writer *json, const struct fg_stage_place *place)
{
    char text[500], who[200];
    snprintf(who, sizeof who, "%s%.*s", place->caller.size ? ", most from " : "",
             (int)place->caller.size, (const char *)place->caller.data);
    if (place->calls == 0)
        snprintf(text, sizeof text, "a monitor watches it, and no calls to it are seen: %s",
                 place->is_unwell ? "it is not well, and nobody sees what that does to its callers"
                                  : "whoever calls it sends no spans either");
    else if (place->action == FG_STAGE_INSTRUMENT)
        snprintf(text, sizeof text,
                 "%" PRIu64 " calls end there%s, %" PRIu64 " of them failed, and what happens "
                 "inside is not seen",
                 place->calls, who, place->errors);
    else
        snprintf(text, sizeof text,
                 "%" PRIu64 " calls end there%s, %" PRIu64 " of them failed, and nobody looks at "
                 "it from outside",
                 place->calls, who, place->errors);
    fg_write_string(json, "why", fg_slice_from_string(text));
}

static void write_proposal(struct fg_json_writer *json, const struct fg_stage_place *place,
                           const char *secrets)
{
    char name[FG_MONITOR_NAME_SIZE_MAX + 1];
    struct fg_buffer text;
    fg_buffer_init(&text, TEXT_SIZE_MAX);
    FG_JSON_KEY(json, "proposal");
    if (fg_stage_propose(place, secrets, &text, name)) {
        fg_json_object_begin(json);
        fg_write_string(json, "name", fg_slice_from_string(name));
        fg_write_string(json, "text", fg_buffer_slice(&text));
        fg_json_object_end(json);
    } else {
        fg_json_null(json);
    }
    fg_buffer_free(&text);
}

static void write_place(struct fg_json_writer *json, const struct fg_stage_place *place,
                        const char *secrets)
{
    fg_json_object_begin(json);
    fg_write_string(json, "name", place->name);
    fg_write_string(json, "kind", fg_slice_from_string(place->kind));
    fg_write_string(json, "system", place->peer ? place->peer->system : (struct fg_slice){0});
    fg_write_string(json, "status", fg_slice_from_string(fg_stage_status_name(place->status)));
    fg_write_count(json, "calls", place->calls);
    fg_write_count(json, "errors", place->errors);
    FG_JSON_KEY(json, "monitors");
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < place->monitor_count && i < FG_STAGE_MONITORS_MAX; i++)
        fg_json_string(json, place->monitors[i]);
    fg_json_array_end(json);
    FG_JSON_KEY(json, "action");
    if (place->action == FG_STAGE_NOTHING) {
        fg_json_null(json);
    } else {
        fg_json_string(json, fg_slice_from_string(fg_stage_action_name(place->action)));
        write_why(json, place);
    }
    write_proposal(json, place, secrets);
    fg_json_object_end(json);
}

static int run(struct fg_work *work)
{
    struct fg_api *api = work->exchange->api;
    const struct window *window = (const struct window *)work->state;
    const struct fg_peers_wanted wanted = {.tenant = work->exchange->identity.tenant,
                                           .start_ns = window->start_ns,
                                           .end_ns = window->end_ns,
                                           .deadline_mono_ns =
                                               fg_env_mono_ns(api->env) + READ_NS_MAX,
                                           .is_cancelled = fg_work_is_cancelled,
                                           .arg = work->exchange->request};
    struct fg_stage stage;
    int r = fg_stage_read(fg_api_store(api), fg_api_monitors(api, work->exchange->identity.tenant),
                          &wanted, &work->arena, &stage);
    if (r < 0)
        return r;
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    fg_write_moment(&json, "start", window->start_ns);
    fg_write_moment(&json, "end", window->end_ns);
    fg_write_moment(&json, "spans_since", stage.since_ns);
    FG_JSON_KEY(&json, "is_partial");
    fg_json_bool(&json, stage.is_partial);
    FG_JSON_KEY(&json, "counts");
    fg_json_object_begin(&json);
    for (int i = FG_STAGE_INSTRUMENTED; i <= FG_STAGE_UNKNOWN; i++)
        fg_write_count(&json, fg_stage_status_name((enum fg_stage_status)i), stage.by_status[i]);
    fg_json_object_end(&json);
    fg_write_count(&json, "next", stage.next_count);
    FG_JSON_KEY(&json, "places");
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < stage.count; i++)
        write_place(&json, &stage.places[i], api->monitor_secrets);
    fg_json_array_end(&json);
    fg_json_object_end(&json);
    return 0;
}

void fg_handle_stage(struct fg_exchange *exchange)
{
    static const char *const names[] = {"start", "end"};
    struct window window;
    if (!fg_params_known(exchange, names, sizeof names / sizeof *names) ||
        !fg_time_params(exchange, &window.start_ns, &window.end_ns))
        return;
    if (!fg_api_monitors(exchange->api, exchange->identity.tenant)) {
        const struct fg_failure failure = {
            503, FG_RPC_UNAVAILABLE, "nothing is watched yet; try again later", FG_NS_PER_SECOND};
        fg_answer_failure(exchange, &failure);
        return;
    }
    if (!fg_window_params(exchange, LOOKBACK_NS, &window.start_ns, &window.end_ns))
        return;
    struct fg_work *work = fg_work_new(exchange, "read the stage", run, sizeof window);
    if (!work)
        return;
    memcpy(work->state, &window, sizeof window);
    fg_work_start(work, exchange->api->readers);
}
