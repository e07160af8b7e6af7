/* GET /api/v1/map: who calls whom, with rates, errors and durations.
 *
 *     {"start": …, "end": …, "spans_since": …, "is_partial": false, "uncounted": 0, "left_off": 0,
 *      "nodes": [{"id": 0, "name": "shop-api", "kind": "service", "is_watched": true, "system": "",
 *                 "count": …, "error_count": …, "rate": per second, "p50_ns": …, "p95_ns": …,
 *                 "p99_ns": …, "monitor": null or {"name", "result", "since"} of the one that is
 * worst, "messages": null or of a queue {"published", "waiting", "consumed", "redelivered",
 * "rejected", "returned", "waiting_since"}, "query": "service:\"shop-api\""}], "edges": [{"from":
 * 0, "to": 1, "count": …, …, "unanswered_count": 0, "is_through_queue": false, "query":
 * "service:\"shop-api\" name:\"POST mes-api\""}]}
 *
 * query finds the traces behind a node or an edge. */
#include "base/limits.h"
#include "base/units.h"
#include "handlers.h"
#include "json_fields.h"
#include "search_params.h"
#include "service_map.h"
#include "stage.h"
#include "state.h"
#include "wire/json_writer.h"
#include "work.h"

#define LOOKBACK_NS    (60 * FG_NS_PER_MINUTE)
#define SPANS_NS_MAX   (2 * FG_NS_PER_SECOND)
#define QUERY_SIZE_MAX ((size_t)16 << 10)

struct window {
    uint64_t start_ns, end_ns;
};

/* The worst of the monitors that look at a node; name empty: none does. */
struct seen {
    struct fg_slice name;
    enum fg_check_result result;
    uint64_t since_ns;
};

struct writing {
    struct fg_json_writer *json;
    struct seen *seen; /* by node */
    const struct fg_map *map;
    double seconds, spans_seconds; /* of the window, and of the part whose spans were read */
    struct fg_buffer query;
};

/* -- Queries
 * -------------------------------------------------------------------------------------
 */

static void append_quoted(struct fg_buffer *query, struct fg_slice text)
{
    fg_buffer_append_byte(query, '"');
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == '"' || byte == '\\')
            fg_buffer_append_byte(query, '\\');
        if (byte == '\n' || byte == '\t')
            fg_buffer_append_string(query, byte == '\n' ? "\\n" : "\\t");
        else
            fg_buffer_append_byte(query, byte);
    }
    fg_buffer_append_byte(query, '"');
}

static void append_condition(struct fg_buffer *query, const char *key, struct fg_slice value)
{
    if (query->size)
        fg_buffer_append_byte(query, ' ');
    fg_buffer_append_string(query, key);
    append_quoted(query, value);
}

static void append_names(struct fg_buffer *query, const struct fg_map_edge *edge)
{
    if (edge->call_name_count == 0 || edge->call_name_count > FG_MAP_NAMES_MAX)
        return;
    fg_buffer_append_string(query, edge->call_name_count > 1 ? " (" : " ");
    for (uint32_t i = 0; i < edge->call_name_count; i++) {
        fg_buffer_append_string(query, i ? " or name=" : "name=");
        append_quoted(query, edge->call_names[i]);
    }
    fg_buffer_append_string(query, edge->call_name_count > 1 ? ")" : "");
}

static void append_where(struct fg_buffer *query, const struct fg_peer *peer)
{
    for (uint32_t i = 0; i < peer->where_count; i++) {
        if (query->size)
            fg_buffer_append_byte(query, ' ');
        fg_buffer_append_slice(query, peer->where_key[i]);
        fg_buffer_append_byte(query, '=');
        append_quoted(query, peer->where_value[i]);
    }
}

static void write_query(struct writing *writing)
{
    FG_JSON_KEY(writing->json, "query");
    fg_json_string(writing->json, fg_buffer_slice(&writing->query));
}

/* -- Figures
 * -------------------------------------------------------------------------------------
 */

static void write_figures(const struct writing *writing, uint64_t count, uint64_t error_count,
                          const struct fg_histogram *durations, bool of_spans)
{
    static const struct {
        const char *name;
        double quantile;
    } quantiles[] = {{"p50_ns", 0.5}, {"p95_ns", 0.95}, {"p99_ns", 0.99}};
    struct fg_json_writer *json = writing->json;
    FG_JSON_KEY(json, "count");
    fg_json_uint(json, count);
    FG_JSON_KEY(json, "error_count");
    fg_json_uint(json, error_count);
    FG_JSON_KEY(json, "rate");
    fg_json_double(json, (double)count / (of_spans ? writing->spans_seconds : writing->seconds));
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        fg_json_key(json, fg_slice_from_string(quantiles[i].name));
        fg_json_uint(json, fg_histogram_quantile(durations, quantiles[i].quantile));
    }
}

static const char *kind_of(const struct fg_map_node *node)
{
    static const char *const names[] = {[FG_PEER_DATABASE] = "database",
                                        [FG_PEER_QUEUE] = "queue",
                                        [FG_PEER_OBJECT_STORE] = "object_store",
                                        [FG_PEER_EXTERNAL] = "external"};
    return node->peer ? names[node->peer->kind] : "service";
}

static void write_seen(struct fg_json_writer *json, const struct seen *seen)
{
    FG_JSON_KEY(json, "monitor");
    if (seen->name.size == 0) {
        fg_json_null(json);
        return;
    }
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "name");
    fg_json_string(json, seen->name);
    FG_JSON_KEY(json, "result");
    fg_json_string(json, fg_slice_from_string(fg_check_result_name(seen->result)));
    fg_write_moment(json, "since", seen->since_ns);
    fg_json_object_end(json);
}

static void write_messages(struct fg_json_writer *json, const struct fg_map_node *node)
{
    const struct fg_map_messages *messages = &node->messages;
    FG_JSON_KEY(json, "messages");
    if (!node->peer || node->peer->kind != FG_PEER_QUEUE) {
        fg_json_null(json);
        return;
    }
    fg_json_object_begin(json);
    fg_write_count(json, "published", messages->published);
    if (messages->has_reader) {
        fg_write_count(json, "waiting", messages->waiting);
    } else {
        FG_JSON_KEY(json, "waiting");
        fg_json_null(json);
    }
    fg_write_count(json, "consumed", messages->consumed);
    fg_write_count(json, "redelivered", messages->redelivered);
    fg_write_count(json, "rejected", messages->rejected);
    fg_write_count(json, "returned", messages->returned);
    fg_write_time(json, "waiting_since", messages->has_reader ? messages->waiting_since_ns : 0);
    fg_json_object_end(json);
}

static void write_node(struct writing *writing, uint32_t id)
{
    const struct fg_map_node *node = &writing->map->nodes[id];
    struct fg_json_writer *json = writing->json;
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "id");
    fg_json_uint(json, id);
    FG_JSON_KEY(json, "name");
    fg_json_string(json, node->name);
    FG_JSON_KEY(json, "kind");
    fg_json_string(json, fg_slice_from_string(kind_of(node)));
    FG_JSON_KEY(json, "system");
    fg_json_string(json, node->peer ? node->peer->system : (struct fg_slice){0});
    FG_JSON_KEY(json, "is_watched");
    fg_json_bool(json, node->peer == NULL);
    write_seen(json, &writing->seen[id]);
    write_figures(writing, node->count, node->error_count, node->durations, node->of_spans);
    write_messages(json, node);
    fg_buffer_reset(&writing->query);
    if (node->peer)
        append_where(&writing->query, node->peer);
    else
        append_condition(&writing->query, "service=", node->name);
    write_query(writing);
    fg_json_object_end(json);
}

/* The calls of an edge are found on the caller's side, by what its spans carry; those of a queue on
 * its reader's. */
static void query_of_edge(struct writing *writing, const struct fg_map_edge *edge)
{
    const struct fg_map_node *from = &writing->map->nodes[edge->from];
    const struct fg_map_node *to = &writing->map->nodes[edge->to];
    fg_buffer_reset(&writing->query);
    bool is_known = edge->call_name_count > 0 && edge->call_name_count <= FG_MAP_NAMES_MAX;
    if (from->peer || (!to->peer && !is_known))
        append_condition(&writing->query, "service=", to->name);
    else
        append_condition(&writing->query, "service=", from->name);
    if (to->peer && to->peer->where_count)
        append_where(&writing->query, to->peer);
    else
        append_names(&writing->query, edge);
}

static void write_edge(struct writing *writing, const struct fg_map_edge *edge)
{
    struct fg_json_writer *json = writing->json;
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "from");
    fg_json_uint(json, edge->from);
    FG_JSON_KEY(json, "to");
    fg_json_uint(json, edge->to);
    write_figures(writing, edge->count, edge->error_count, edge->durations, edge->of_spans);
    FG_JSON_KEY(json, "unanswered_count");
    fg_json_uint(json, edge->unanswered_count);
    FG_JSON_KEY(json, "unanswered_error_count");
    fg_json_uint(json, edge->unanswered_error_count);
    FG_JSON_KEY(json, "is_through_queue");
    fg_json_bool(json, edge->is_through_queue);
    query_of_edge(writing, edge);
    write_query(writing);
    fg_json_object_end(json);
}

static void write_map(struct writing *writing, const struct window *window)
{
    struct fg_json_writer *json = writing->json;
    const struct fg_map *map = writing->map;
    fg_json_object_begin(json);
    fg_write_moment(json, "start", window->start_ns);
    fg_write_moment(json, "end", window->end_ns);
    fg_write_moment(json, "spans_since", map->since_ns);
    FG_JSON_KEY(json, "is_partial");
    fg_json_bool(json, map->is_partial);
    FG_JSON_KEY(json, "uncounted");
    fg_json_uint(json, map->uncounted);
    FG_JSON_KEY(json, "left_off");
    fg_json_uint(json, map->left_off_count);
    FG_JSON_KEY(json, "nodes");
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < map->node_count; i++)
        write_node(writing, i);
    fg_json_array_end(json);
    FG_JSON_KEY(json, "edges");
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < map->edge_count; i++)
        write_edge(writing, &map->edges[i]);
    fg_json_array_end(json);
    fg_json_object_end(json);
}

/* -- The route
 * -----------------------------------------------------------------------------------
 */

static double seconds_between(uint64_t start_ns, uint64_t end_ns)
{
    uint64_t ns = end_ns > start_ns ? end_ns - start_ns : 0;
    return ns > FG_NS_PER_SECOND ? (double)ns / (double)FG_NS_PER_SECOND : 1;
}

struct looking {
    struct fg_arena *arena;
    const struct fg_map *map;
    struct seen *seen;
};

/* ok, unknown, degraded, down */
static int badness(enum fg_check_result result)
{
    static const int ranks[] = {
        [FG_CHECK_OK] = 0, [FG_CHECK_UNKNOWN] = 1, [FG_CHECK_DEGRADED] = 2, [FG_CHECK_DOWN] = 3};
    return ranks[result];
}

static void look(void *arg, const struct fg_monitor_view *view)
{
    const struct looking *looking = arg;
    for (uint32_t i = 0; i < looking->map->node_count; i++) {
        const struct fg_map_node *node = &looking->map->nodes[i];
        struct seen *seen = &looking->seen[i];
        bool is_worse = seen->name.size == 0 || badness(view->result) > badness(seen->result);
        if (view->is_new || !is_worse || !fg_stage_is_of(view, node->peer, node->name))
            continue;
        seen->name = fg_arena_copy(looking->arena, fg_slice_from_string(view->config->name));
        seen->result = view->result;
        seen->since_ns = view->since_ns;
    }
}

static int run(struct fg_work *work)
{
    struct fg_api *api = work->exchange->api;
    const struct window *window = (const struct window *)work->state;
    const struct fg_peers_wanted wanted = {.tenant = work->exchange->identity.tenant,
                                           .start_ns = window->start_ns,
                                           .end_ns = window->end_ns,
                                           .deadline_mono_ns =
                                               fg_env_mono_ns(api->env) + SPANS_NS_MAX,
                                           .is_cancelled = fg_work_is_cancelled,
                                           .arg = work->exchange->request};
    struct fg_map map;
    int r = fg_map_read(fg_api_store(api), &wanted, &work->arena, &map);
    if (r < 0)
        return r;
    struct fg_monitors *monitors = fg_api_monitors(api, work->exchange->identity.tenant);
    struct looking looking = {.arena = &work->arena, .map = &map};
    looking.seen = fg_arena_calloc(&work->arena, map.node_count + 1, sizeof *looking.seen);
    if (!looking.seen)
        return FG_ELIMIT;
    if (monitors)
        (void)fg_monitors_each(monitors, NULL, look, &looking);
    struct fg_json_writer json = fg_json_writer(&work->body);
    struct writing writing = {.json = &json,
                              .seen = looking.seen,
                              .map = &map,
                              .seconds = seconds_between(window->start_ns, window->end_ns),
                              .spans_seconds = seconds_between(map.since_ns, window->end_ns)};
    fg_buffer_init(&writing.query, QUERY_SIZE_MAX);
    write_map(&writing, window);
    fg_buffer_free(&writing.query);
    return 0;
}

void fg_handle_map(struct fg_exchange *exchange)
{
    static const char *const names[] = {"start", "end"};
    struct window window;
    if (!fg_params_known(exchange, names, sizeof names / sizeof *names) ||
        !fg_time_params(exchange, &window.start_ns, &window.end_ns))
        return;
    if (!fg_window_params(exchange, LOOKBACK_NS, &window.start_ns, &window.end_ns))
        return;
    struct fg_work *work = fg_work_new(exchange, "read the map", run, sizeof window);
    if (!work)
        return;
    memcpy(work->state, &window, sizeof window);
    fg_work_start(work, exchange->api->readers);
}
