/* Spans that come from within the server's own process, by the way that all spans come: the codec,
 * a loop's intake and builder, the store. The caller waits where a loop would go on. */
#include "base/hash.h"
#include "span/block.h"
#include "state.h"
#include "store/store.h"

#define NOTES_BYTES_MAX ((size_t)64 << 10)

struct injection {
    struct fg_append append;
    struct fg_api *api;
    bool is_done; /* under the api's inject_mutex */
    int result;
};

/* Committer's thread. */
static void on_done(struct fg_append *append, int result)
{
    struct injection *injection = (struct injection *)append;
    struct fg_api *api = injection->api;
    fg_mutex_lock(&api->inject_mutex);
    injection->result = result;
    injection->is_done = true;
    fg_cond_signal(&api->inject_cond);
    fg_mutex_unlock(&api->inject_mutex);
}

static int store_and_wait(struct fg_api *api, struct fg_loop *loop, uint32_t tenant,
                          struct fg_slice request)
{
    struct injection injection = {.api = api};
    int r = fg_block_freeze(loop->builder, &injection.append.block);
    if (r < 0)
        return r;
    injection.append.request_hash = fg_hash_seeded(request, FG_INGEST_RECORDER);
    injection.append.tenant = tenant;
    injection.append.done = on_done;
    r = fg_store_append_take(fg_api_store(api), &injection.append);
    if (r < 0)
        return r;
    fg_mutex_lock(&api->inject_mutex);
    while (!injection.is_done)
        fg_cond_wait(&api->inject_cond, &api->inject_mutex);
    fg_mutex_unlock(&api->inject_mutex);
    return injection.result;
}

static int inject(struct fg_api *api, uint32_t tenant, struct fg_slice request,
                  uint64_t *ret_rejected_spans)
{
    struct fg_loop *loop = &api->loops[api->loop_count - 1];
    struct fg_wire_error error = {""};
    int r = fg_loop_refresh(api, loop);
    if (r < 0)
        return r;
    uint64_t now_ns = fg_env_wall_ns(api->env);
    struct fg_arena arena;
    struct fg_intake_notes notes = {.arena = &arena};
    const struct fg_intake_rules rules = {.redactor = loop->redactor,
                                          .retention_age_ns = loop->settings->retention_age_ns,
                                          .notes = &notes};
    fg_arena_init(&arena, NOTES_BYTES_MAX);
    fg_intake_begin(&loop->intake, &rules, now_ns);
    r = fg_otlp_decode_traces(request, &fg_intake_visitor, &loop->intake, &error);
    if (r == 0 && loop->intake.counts.accepted_spans)
        r = store_and_wait(api, loop, tenant, request);
    /* Counted once it is there, since a request that is refused comes again. */
    if (r == 0) {
        fg_intake_notes_apply(&notes, api->instances, tenant, now_ns);
        fg_count_intake(&loop->counters, FG_INGEST_RECORDER, &loop->intake.counts);
        *ret_rejected_spans = fg_intake_rejected(&loop->intake.counts);
    }
    fg_arena_free(&arena);
    return r;
}

int fg_api_inject(struct fg_api *api, uint32_t tenant, struct fg_slice request,
                  uint64_t *ret_rejected_spans)
{
    fg_mutex_lock(&api->inject_gate);
    int r = inject(api, tenant, request, ret_rejected_spans);
    fg_mutex_unlock(&api->inject_gate);
    return r;
}
