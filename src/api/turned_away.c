/* Connections that net turned away before they could make a request, and requests that came to an
 * open server from elsewhere: a record of the audit, which counts those that come in numbers, and
 * for connections a line in the log, but of many not more than one in ten seconds, which says how
 * many there were. */
#include "turned_away.h"

#include "api/api.h"

#include "auth/audit.h"
#include "auth/auth.h"
#include "base/limits.h"
#include "base/log.h"
#include "net/counters.h"
#include "permit.h"
#include "state.h"

#include <inttypes.h>

#define LINE_EVERY_NS (10 * FG_NS_PER_SECOND)

static const char *face_name(int face)
{
    static const char *const names[FG_FACE_COUNT] = {[FG_FACE_OTLP_GRPC] = "otlp-grpc",
                                                     [FG_FACE_OTLP_HTTP] = "otlp-http",
                                                     [FG_FACE_API] = "api"};
    return names[face];
}

void fg_turned_away_note(struct fg_api *api, int face, struct fg_slice address, const char *why)
{
    const struct fg_audit_record record = {.from = address,
                                           .action = FG_SLICE("turned_away"),
                                           .what = fg_slice_from_string(face_name(face)),
                                           .result = fg_slice_from_string(why)};
    fg_audit_tally(fg_auth_audit(api->auth), &record);
}

void fg_api_on_turned_away(void *arg, int face, struct fg_slice peer, enum fg_refusal_reason reason)
{
    struct fg_api *api = arg;
    fg_turned_away_note(api, face, fg_without_port(peer), fg_refusal_name(reason));
    uint64_t now_ns = fg_env_mono_ns(api->env);
    uint64_t due_ns = atomic_load_explicit(&api->turned_away_due_ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&api->turned_away, 1, memory_order_relaxed);
    /* Of several loops that find it due one writes. */
    if (now_ns < due_ns ||
        !atomic_compare_exchange_strong(&api->turned_away_due_ns, &due_ns, now_ns + LINE_EVERY_NS))
        return;
    uint64_t count = atomic_exchange(&api->turned_away, 0);
    fg_log(FG_LOG_WARN, "connection turned away",
           "reason=%s listener=%s peer=%.*s since_last_line=%" PRIu64, fg_refusal_name(reason),
           face_name(face), (int)peer.size, (const char *)peer.data, count);
}
