/* GET /api/v1/journeys/events, /api/v1/journeys/{key}/{value}/events, /api/v1/incidents/events:
 *
 *     id: 18c0ffee-41
 *     event: change                a journey's state or cause: as in /api/v1/board's changes
 *     data: {"sequence": …, …}
 *
 *     event: incidents             something changed among the incidents: {"open": 3, "version":
 * 17} event: reset                 events were missed: read again what is shown event: dropped too
 * slow; the stream ends: {"reason": "…"}
 *
 * An id is the server's start and the event's number: a client that comes again with Last-Event-ID
 * gets what it missed, as far as it is kept; after a restart, or when more was missed, a reset. */
#include "events.h"

#include "base/hash.h"
#include "base/limits.h"
#include "handlers.h"
#include "journey/incidents.h"
#include "journey_json.h"
#include "permit.h"
#include "search_params.h"
#include "state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOK_NS       (200 * FG_NS_PER_MS)
#define BEAT_NS       (15 * FG_NS_PER_SECOND) /* a comment, so that proxies keep the connection */
#define TEXT_SIZE_MAX ((size_t)8 << 10)
#define RETRY_TEXT    "retry: 2000\n"

enum kind { KIND_CHANGE, KIND_INCIDENTS, KIND_RESET };

struct event {
    enum kind kind;
    uint32_t tenant;
    uint64_t journey; /* hash of its key and value */
    char *text;       /* from "event:" to the blank line */
};

/* What a client wants. */
struct listener {
    struct fg_generator generator;
    struct fg_request *request; /* a reference */
    struct fg_events *events;
    struct listener *next, **previous;
    uint32_t tenant;
    unsigned kinds;   /* bits */
    uint64_t journey; /* 0: all */
    uint64_t at;      /* the number of the event that is next */
    bool has_begun, must_reset, must_beat, waits;
};

struct fg_events {
    struct fg_api *api;
    struct fg_mutex mutex; /* guards all but what is the thread's */
    struct fg_cond cond;
    struct event ring[FG_EVENTS_KEPT];
    uint64_t end; /* the number of the next event; numbers begin with 1 */
    struct listener *listeners;
    unsigned listener_count;
    uint64_t dropped, refused;
    bool is_stopping, is_running;
    struct fg_thread thread;

    /* The thread's own. */
    struct {
        uint64_t change, incident_version;
        bool has_looked;
    } seen[FG_TENANTS_MAX];
    uint32_t tenant;                      /* that is looked at */
    uint64_t beat_mono_ns, asked_mono_ns; /* the last beat; whether all who listen still may */
    struct fg_buffer text;
};

/* -- Writing into the ring; mutex held */

static void put(struct fg_events *events, enum kind kind, uint64_t journey, const char *name,
                struct fg_slice data)
{
    struct event *event = &events->ring[events->end % FG_EVENTS_KEPT];
    size_t size = data.size + 64;
    char *text = malloc(size);
    free(event->text);
    /* Without memory there is a hole in the ring, which readers take for what was missed. */
    *event = (struct event){.kind = text ? kind : KIND_RESET,
                            .tenant = events->tenant,
                            .journey = journey,
                            .text = text};
    if (text)
        snprintf(text, size, "event: %s\ndata: %.*s\n\n", name, (int)data.size,
                 (const char *)data.data);
    events->end++;
}

static void put_reset(struct fg_events *events)
{
    put(events, KIND_RESET, 0, "reset", FG_SLICE("{}"));
}

static int put_change(void *arg, const struct fg_journey_change *change)
{
    struct fg_events *events = arg;
    fg_buffer_reset(&events->text);
    struct fg_json_writer json = fg_json_writer(&events->text);
    fg_write_change(&json, change);
    fg_mutex_lock(&events->mutex);
    if (change->sequence != events->seen[events->tenant].change + 1 || events->text.error)
        put_reset(events);
    if (!events->text.error)
        put(events, KIND_CHANGE, fg_hash_seeded(change->value, fg_hash(change->key)), "change",
            fg_buffer_slice(&events->text));
    events->seen[events->tenant].change = change->sequence;
    fg_mutex_unlock(&events->mutex);
    return 0;
}

static int skip_change(void *arg, const struct fg_journey_change *change)
{
    struct fg_events *events = arg;
    events->seen[events->tenant].change = change->sequence;
    return 0;
}

static void look_at_incidents(struct fg_events *events, struct fg_incidents *incidents)
{
    struct fg_incidents_counters counters;
    char text[80];
    uint64_t version = fg_incidents_version(incidents);
    bool is_new = events->seen[events->tenant].has_looked &&
                  version != events->seen[events->tenant].incident_version;
    events->seen[events->tenant].incident_version = version;
    if (!is_new)
        return;
    fg_incidents_counters(incidents, &counters);
    snprintf(text, sizeof text, "{\"open\":%" PRIu64 ",\"version\":%" PRIu64 "}", counters.open,
             version);
    fg_mutex_lock(&events->mutex);
    put(events, KIND_INCIDENTS, 0, "incidents", fg_slice_from_string(text));
    fg_mutex_unlock(&events->mutex);
}

/* What there was before the first look is no news. */
static void look_at(struct fg_events *events, uint32_t tenant)
{
    struct fg_journeys *journeys = fg_api_journeys(events->api, tenant);
    struct fg_incidents *incidents = fg_api_incidents(events->api, tenant);
    if (!journeys || !incidents)
        return;
    events->tenant = tenant;
    int r = fg_journeys_changes(journeys, events->seen[tenant].change,
                                events->seen[tenant].has_looked ? put_change : skip_change, events);
    if (r < 0) {
        fg_mutex_lock(&events->mutex);
        put_reset(events); /* no memory: what was missed is not known */
        fg_mutex_unlock(&events->mutex);
    }
    look_at_incidents(events, incidents);
    events->seen[tenant].has_looked = true;
}

static void look(struct fg_events *events)
{
    for (uint32_t tenant = 0; tenant < FG_TENANTS_MAX; tenant++)
        look_at(events, tenant);
}

static void wake_who_waits(struct fg_events *events)
{
    uint64_t now_ns = fg_env_mono_ns(events->api->env);
    bool is_beat = now_ns - events->beat_mono_ns >= BEAT_NS,
         is_asked = now_ns - events->asked_mono_ns >= FG_NS_PER_SECOND,
         is_draining = atomic_load(&events->api->draining);
    if (is_beat)
        events->beat_mono_ns = now_ns;
    if (is_asked)
        events->asked_mono_ns = now_ns;
    for (struct listener *one = events->listeners; one; one = one->next) {
        one->must_beat |= is_beat;
        bool is_over = is_asked && !fg_permit_holds(fg_exchange_of(one->request));
        if (one->waits && (one->at < events->end || is_beat || is_over || is_draining)) {
            one->waits = false;
            fg_request_wake(one->request);
        }
    }
}

static void run(void *arg)
{
    struct fg_events *events = arg;
    bool is_stopping = false;
    while (!is_stopping) {
        look(events);
        fg_mutex_lock(&events->mutex);
        wake_who_waits(events);
        if (!events->is_stopping)
            fg_cond_wait_for(&events->cond, &events->mutex, LOOK_NS);
        is_stopping = events->is_stopping;
        fg_mutex_unlock(&events->mutex);
    }
}

/* -- A client's side; loop threads */

static struct listener *listener_of(struct fg_generator *generator)
{
    return (struct listener *)((char *)generator - offsetof(struct listener, generator));
}

static void write_id(const struct fg_events *events, struct fg_buffer *out, uint64_t number)
{
    fg_buffer_append_format(out, "id: %" PRIx64 "-%" PRIu64 "\n",
                            events->api->started_ns / FG_NS_PER_MS, number);
}

/* What begins the stream: from where on events come, so that one who comes again can say it. */
static void begin(struct listener *one, struct fg_buffer *out)
{
    fg_buffer_append_string(out, RETRY_TEXT);
    write_id(one->events, out, one->at - 1);
    fg_buffer_append_string(out, one->must_reset ? "event: reset\ndata: {}\n\n"
                                                 : "event: ready\ndata: {}\n\n");
    one->has_begun = true;
}

static bool passes(const struct listener *one, const struct event *event)
{
    if (event->tenant != one->tenant)
        return false;
    if (event->kind == KIND_RESET)
        return true;
    return (one->kinds >> event->kind & 1) != 0 &&
           (one->journey == 0 || event->kind != KIND_CHANGE || one->journey == event->journey);
}

static void copy_events(struct listener *one, struct fg_buffer *out)
{
    struct fg_events *events = one->events;
    for (; one->at < events->end && out->size < FG_PULL_SIZE; one->at++) {
        const struct event *event = &events->ring[one->at % FG_EVENTS_KEPT];
        if (!passes(one, event))
            continue;
        write_id(events, out, one->at);
        fg_buffer_append_string(out, event->text ? event->text : "event: reset\ndata: {}\n\n");
    }
}

static int pull(struct fg_generator *generator, struct fg_buffer *out, bool *ret_done)
{
    struct listener *one = listener_of(generator);
    struct fg_events *events = one->events;
    size_t before = out->size;
    int r = 0;
    /* The page comes again, and is told what it lacks. */
    if (!fg_permit_holds(fg_exchange_of(one->request))) {
        *ret_done = true;
        return 0;
    }
    fg_mutex_lock(&events->mutex);
    if (!one->has_begun)
        begin(one, out);
    if (events->end - one->at > FG_EVENTS_KEPT) {
        fg_buffer_append_string(out,
                                "event: dropped\ndata: {\"reason\":\"you read more slowly than "
                                "things change; come again\"}\n\n");
        events->dropped++;
        *ret_done = true;
    } else {
        copy_events(one, out);
        if (one->must_beat && out->size == before)
            fg_buffer_append_string(out, ":\n\n");
        one->must_beat = false;
        *ret_done = atomic_load(&events->api->draining);
        if (!*ret_done && out->size == before)
            r = FG_EAGAIN;
        one->waits = r == FG_EAGAIN;
    }
    fg_mutex_unlock(&events->mutex);
    return r;
}

static void stop(struct fg_generator *generator)
{
    struct listener *one = listener_of(generator);
    struct fg_events *events = one->events;
    fg_mutex_lock(&events->mutex);
    *one->previous = one->next;
    if (one->next)
        one->next->previous = one->previous;
    events->listener_count--;
    fg_mutex_unlock(&events->mutex);
    fg_request_unref(one->request);
    free(one);
}

static void on_wake(struct fg_request *request)
{
    fg_response_resume(request);
}

/* "18c0ffee-41": the number, where it is of this start and the ring still has what followed. */
static bool read_id(const struct fg_events *events, struct fg_slice text, uint64_t *ret_number)
{
    char copy[64], *end;
    if (text.size == 0 || text.size >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    uint64_t start = strtoull(copy, &end, 16);
    if (*end != '-' || start != events->api->started_ns / FG_NS_PER_MS)
        return false;
    uint64_t number = strtoull(end + 1, &end, 10);
    *ret_number = number;
    return *end == 0 && number < events->end && events->end - number <= FG_EVENTS_KEPT;
}

/* FG_EAGAIN: so many listen already. */
static int enter(struct fg_events *events, struct listener *one, struct fg_slice last_id)
{
    uint64_t number;
    int r = 0;
    fg_mutex_lock(&events->mutex);
    if (events->listener_count == FG_EVENTS_CLIENTS_MAX)
        r = FG_EAGAIN;
    events->refused += r < 0;
    if (r == 0 && !events->is_running) {
        r = fg_thread_start(&events->thread, "events", run, events);
        events->is_running = r == 0;
    }
    if (r == 0) {
        bool is_known = read_id(events, last_id, &number);
        one->at = is_known ? number + 1 : events->end;
        one->must_reset = last_id.size > 0 && !is_known;
        one->next = events->listeners;
        one->previous = &events->listeners;
        if (one->next)
            one->next->previous = &one->next;
        events->listeners = one;
        events->listener_count++;
    }
    fg_mutex_unlock(&events->mutex);
    return r;
}

static void listen_to(struct fg_exchange *exchange, unsigned kinds, uint64_t journey)
{
    struct fg_events *events = exchange->api->events;
    if (!fg_params_known(exchange, NULL, 0) || !fg_journeys_of(exchange))
        return;
    struct listener *one = calloc(1, sizeof *one);
    int r = one ? 0 : FG_ENOMEM;
    if (r == 0) {
        *one = (struct listener){.generator = {.pull = pull, .stop = stop},
                                 .request = fg_request_ref(exchange->request),
                                 .events = events,
                                 .tenant = exchange->identity.tenant,
                                 .kinds = kinds,
                                 .journey = journey};
        r = enter(events, one, fg_request_field(exchange->request, "last-event-id"));
    }
    if (r == 0) {
        exchange->request->wake = on_wake;
        fg_answer_pull(exchange, "text/event-stream", &one->generator);
        return;
    }
    if (one)
        fg_request_unref(one->request);
    free(one);
    if (r == FG_EAGAIN)
        fg_answer_error_message(exchange, r, "so many listen already; ask again and again instead");
    else
        fg_answer_error(exchange, r, "follow what changes");
}

void fg_handle_journey_events(struct fg_exchange *exchange)
{
    listen_to(exchange, 1u << KIND_CHANGE | 1u << KIND_INCIDENTS, 0);
}

void fg_handle_one_journeys_events(struct fg_exchange *exchange)
{
    listen_to(exchange, 1u << KIND_CHANGE,
              fg_hash_seeded(exchange->second_param, fg_hash(exchange->param)));
}

void fg_handle_incident_events(struct fg_exchange *exchange)
{
    listen_to(exchange, 1u << KIND_INCIDENTS, 0);
}

/* -- Life */

int fg_events_new(struct fg_api *api, struct fg_events **ret_events)
{
    struct fg_events *events = calloc(1, sizeof *events);
    if (!events)
        return FG_ENOMEM;
    events->api = api;
    events->end = 1;
    fg_mutex_init(&events->mutex, FG_RANK_EVENTS);
    fg_cond_init(&events->cond);
    fg_buffer_init(&events->text, TEXT_SIZE_MAX);
    *ret_events = events;
    return 0;
}

void fg_events_forget(struct fg_events *events)
{
    fg_mutex_lock(&events->mutex);
    for (size_t i = 0; i < FG_EVENTS_KEPT; i++) {
        free(events->ring[i].text);
        events->ring[i] = (struct event){.kind = KIND_RESET};
    }
    fg_mutex_unlock(&events->mutex);
}

void fg_events_counters(struct fg_events *events, struct fg_events_counters *ret_counters)
{
    fg_mutex_lock(&events->mutex);
    *ret_counters = (struct fg_events_counters){.listeners = events->listener_count,
                                                .dropped = events->dropped,
                                                .refused = events->refused};
    fg_mutex_unlock(&events->mutex);
}

void fg_events_free(struct fg_events *events)
{
    if (!events)
        return;
    fg_mutex_lock(&events->mutex);
    events->is_stopping = true;
    fg_cond_broadcast(&events->cond);
    bool is_running = events->is_running;
    fg_mutex_unlock(&events->mutex);
    if (is_running)
        fg_thread_join(&events->thread);
    for (size_t i = 0; i < FG_EVENTS_KEPT; i++)
        free(events->ring[i].text);
    fg_buffer_free(&events->text);
    fg_cond_destroy(&events->cond);
    fg_mutex_destroy(&events->mutex);
    free(events);
}
