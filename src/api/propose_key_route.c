/* GET /api/v1/key-proposal: which attribute may name the business object, by the spans alone. */
#include "base/limits.h"
#include "handlers.h"
#include "journey/propose_key.h"
#include "journey_json.h"
#include "search_params.h"
#include "state.h"
#include "work.h"

struct wanted {
    uint64_t start_ns_min, start_ns_max;
};

static void write_share(struct fg_json_writer *json, const char *key, double share)
{
    fg_json_key(json, fg_slice_from_string(key));
    fg_json_double(json, share);
}

static void write_candidate(struct fg_json_writer *json, const struct fg_key_candidate *candidate)
{
    fg_json_object_begin(json);
    fg_write_text(json, "key", candidate->name);
    fg_write_flag(json, "fits", candidate->fault == FG_KEY_FITS);
    fg_write_text(json, "fault",
                  candidate->fault == FG_KEY_FITS
                      ? (struct fg_slice){0}
                      : fg_slice_from_string(fg_key_fault_name(candidate->fault)));
    fg_write_text(json, "group_of", candidate->group_of);
    fg_write_count(json, "spans", candidate->spans);
    fg_write_count(json, "traces", candidate->traces);
    fg_write_count(json, "values", candidate->values);
    fg_write_count(json, "services", candidate->services);
    write_share(json, "coverage", candidate->coverage);
    write_share(json, "several_traces", candidate->several_traces);
    write_share(json, "several_services", candidate->several_services);
    write_share(json, "values_a_trace", candidate->values_a_trace);
    write_share(json, "top_share", candidate->top_share);
    write_share(json, "score", candidate->score);
    fg_json_object_end(json);
}

static int run(struct fg_work *work)
{
    const struct wanted *wanted = (const struct wanted *)work->state;
    struct fg_api *api = work->exchange->api;
    struct fg_json_writer json = fg_json_writer(&work->body);
    struct fg_key_proposal proposal;
    const struct fg_propose propose = {
        .store = fg_api_store(api),
        .tenant = work->exchange->identity.tenant,
        .start_ns_min = wanted->start_ns_min,
        .start_ns_max = wanted->start_ns_max,
        .deadline_mono_ns = fg_env_mono_ns(api->env) + FG_PROPOSE_TIME_NS,
    };
    int r = fg_key_propose(&propose, &work->arena, &proposal);
    if (r < 0)
        return r;
    bool any =
        !proposal.are_few && proposal.count > 0 && proposal.candidates[0].fault == FG_KEY_FITS;
    fg_json_object_begin(&json);
    fg_write_text(&json, "proposed", any ? proposal.candidates[0].name : (struct fg_slice){0});
    fg_write_flag(&json, "few", proposal.are_few);
    fg_write_count(&json, "spans", proposal.spans);
    fg_write_count(&json, "traces", proposal.traces);
    fg_write_flag(&json, "partial", proposal.is_partial);
    fg_write_count(&json, "refused_keys", proposal.refused_keys);
    FG_JSON_KEY(&json, "candidates");
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < proposal.count; i++)
        write_candidate(&json, &proposal.candidates[i]);
    fg_json_array_end(&json);
    fg_json_object_end(&json);
    return 0;
}

void fg_handle_key_proposal(struct fg_exchange *exchange)
{
    static const char *const names[] = {"start", "end"};
    struct wanted wanted;
    if (!fg_params_known(exchange, names, sizeof names / sizeof *names) ||
        !fg_time_params(exchange, &wanted.start_ns_min, &wanted.start_ns_max))
        return;
    struct fg_work *work = fg_work_new(exchange, "look for a key", run, sizeof wanted);
    if (!work)
        return;
    *(struct wanted *)work->state = wanted;
    fg_work_start(work, exchange->api->readers);
}
