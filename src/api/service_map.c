#include "service_map.h"

#include "base/hash.h"
#include "base/idmap.h"
#include "monitor/monitors.h"

#define NODES_MAX 4096u
#define EDGES_MAX 8192u

/* What is counted of a service until it is known whether it takes requests. */
struct totals {
    uint64_t count, error_count;
    struct fg_histogram *durations;
};

struct reading {
    struct fg_arena *arena;
    struct fg_map *map;
    struct totals *all; /* by node: of spans of any kind */
    struct pair *pairs; /* by edge */
    struct fg_idmap node_map, edge_map;
    const struct fg_peers *peers;
    uint32_t peer_nodes[FG_PEERS_MAX]; /* FG_PEER_NONE: not made yet */
};

/* The calls of an edge between two services whose both spans were read. */
struct pair {
    uint64_t direct_count, queue_count, error_count;
    struct fg_histogram *durations;
};

/* -- Nodes and edges, each once
 * --------------------------------------------------------------------
 */

struct wanted_node {
    const struct fg_map *map;
    struct fg_slice name;
};

static bool same_service(const void *context, uint32_t id)
{
    const struct wanted_node *wanted = context;
    const struct fg_map_node *node = &wanted->map->nodes[id];
    return !node->peer && fg_slice_equal(node->name, wanted->name);
}

static int add_node(struct reading *reading, const struct fg_map_node *node)
{
    struct fg_map *map = reading->map;
    if (map->node_count == NODES_MAX)
        return FG_ELIMIT;
    map->nodes[map->node_count] = *node;
    map->nodes[map->node_count].name = fg_arena_copy(reading->arena, node->name);
    map->nodes[map->node_count].durations =
        fg_arena_calloc(reading->arena, 1, sizeof(struct fg_histogram));
    if (reading->arena->overflow)
        return FG_ELIMIT;
    map->node_count++;
    return 0;
}

static int find_service(struct reading *reading, struct fg_slice name, uint32_t *ret_node)
{
    struct wanted_node wanted = {reading->map, name};
    uint32_t count = reading->map->node_count;
    int r =
        fg_idmap_intern(&reading->node_map, fg_hash(name), same_service, &wanted, count, ret_node);
    if (r < 0 || *ret_node < count)
        return r;
    r = add_node(reading, &(struct fg_map_node){.name = name});
    if (r < 0)
        return r;
    reading->all[count].durations = fg_arena_calloc(reading->arena, 1, sizeof(struct fg_histogram));
    return reading->arena->overflow ? FG_ELIMIT : 0;
}

static int find_peer(struct reading *reading, uint32_t peer, uint32_t *ret_node)
{
    if (reading->peer_nodes[peer] == FG_PEER_NONE) {
        uint32_t node = reading->map->node_count;
        int r = add_node(reading, &(struct fg_map_node){.name = reading->peers->peers[peer].name,
                                                        .peer = &reading->peers->peers[peer],
                                                        .of_spans = true});
        if (r < 0)
            return r;
        reading->peer_nodes[peer] = node;
    }
    *ret_node = reading->peer_nodes[peer];
    return 0;
}

struct wanted_edge {
    const struct fg_map *map;
    uint32_t from, to;
};

static bool same_edge(const void *context, uint32_t id)
{
    const struct wanted_edge *wanted = context;
    const struct fg_map_edge *edge = &wanted->map->edges[id];
    return edge->from == wanted->from && edge->to == wanted->to;
}

static int find_edge(struct reading *reading, uint32_t from, uint32_t to, bool of_spans,
                     uint32_t *ret_edge)
{
    struct fg_map *map = reading->map;
    struct wanted_edge wanted = {map, from, to};
    uint64_t hash = fg_hash_u64((uint64_t)from << 32 | to);
    int r =
        fg_idmap_intern(&reading->edge_map, hash, same_edge, &wanted, map->edge_count, ret_edge);
    if (r < 0 || *ret_edge < map->edge_count)
        return r;
    if (map->edge_count == EDGES_MAX)
        return FG_ELIMIT;
    struct fg_map_edge *edge = &map->edges[map->edge_count++];
    *edge = (struct fg_map_edge){.from = from, .to = to, .of_spans = of_spans};
    edge->durations = fg_arena_calloc(reading->arena, 1, sizeof *edge->durations);
    return edge->durations ? 0 : FG_ELIMIT;
}

/* -- Services, from the rollups
 * --------------------------------------------------------------------
 */

static int add_edge_cell(struct reading *reading, const struct fg_rollup_cell *cell)
{
    uint32_t from, to, id;
    int r = find_service(reading, cell->caller, &from);
    if (r == 0)
        r = find_service(reading, cell->service, &to);
    if (r == 0)
        r = find_edge(reading, from, to, false, &id);
    if (r < 0)
        return r;
    struct fg_map_edge *edge = &reading->map->edges[id];
    edge->count += cell->count + cell->open_count;
    edge->error_count += cell->error_count;
    fg_histogram_add(edge->durations, cell);
    return 0;
}

static int add_cell(void *arg, const struct fg_rollup_cell *cell)
{
    struct reading *reading = arg;
    uint32_t id;
    if (fg_slice_equal(cell->service, FG_SLICE(FG_MONITOR_SERVICE)))
        return 0; /* looking is no traffic */
    if (cell->is_edge)
        return add_edge_cell(reading, cell);
    int r = find_service(reading, cell->service, &id);
    if (r < 0)
        return r;
    struct totals *all = &reading->all[id];
    all->count += cell->count + cell->open_count;
    all->error_count += cell->error_count;
    fg_histogram_add(all->durations, cell);
    if (cell->kind != FG_SPAN_KIND_SERVER && cell->kind != FG_SPAN_KIND_CONSUMER)
        return 0;
    struct fg_map_node *node = &reading->map->nodes[id];
    node->count += cell->count + cell->open_count;
    node->error_count += cell->error_count;
    fg_histogram_add(node->durations, cell);
    return 0;
}

static int read_services(struct reading *reading, struct fg_store *store,
                         const struct fg_peers_wanted *wanted)
{
    struct fg_rollup *rollup;
    int r = fg_rollup_new(&rollup);
    if (r < 0)
        return r;
    r = fg_store_rollup(store, wanted->tenant, wanted->start_ns, wanted->end_ns, rollup);
    if (r == 0)
        r = fg_rollup_each(rollup, add_cell, reading);
    reading->map->uncounted = fg_rollup_uncounted(rollup);
    fg_rollup_free(rollup);
    for (uint32_t i = 0; i < reading->map->node_count && r == 0; i++) {
        struct fg_map_node *node = &reading->map->nodes[i];
        if (node->count)
            continue;
        node->count = reading->all[i].count;
        node->error_count = reading->all[i].error_count;
        node->durations = reading->all[i].durations;
    }
    return r;
}

/* -- The others, from spans
 * ------------------------------------------------------------------------
 */

static void add_name(struct fg_map_edge *edge, struct fg_slice name)
{
    if (edge->call_name_count > FG_MAP_NAMES_MAX)
        return;
    for (uint32_t i = 0; i < edge->call_name_count; i++)
        if (fg_slice_equal(edge->call_names[i], name))
            return;
    if (edge->call_name_count < FG_MAP_NAMES_MAX)
        edge->call_names[edge->call_name_count] = name;
    edge->call_name_count++;
}

static void add_duration(struct fg_histogram *histogram, uint64_t start_ns, uint64_t end_ns)
{
    if (end_ns == 0)
        return;
    histogram->buckets[fg_histogram_bucket(end_ns > start_ns ? end_ns - start_ns : 0)]++;
    histogram->count++;
}

static void add_sent(struct fg_map_messages *messages, const struct fg_peer_span *call)
{
    uint64_t sent_ns = call->end_ns ? call->end_ns : call->start_ns;
    messages->returned += call->is_returned;
    if (!call->is_publish || call->is_error)
        return;
    messages->published++;
    if (call->other != FG_PEER_NONE)
        return;
    messages->waiting++;
    if (messages->waiting_since_ns == 0 || sent_ns < messages->waiting_since_ns)
        messages->waiting_since_ns = sent_ns;
}

static void add_taken(struct fg_map_messages *messages, const struct fg_peer_span *taker)
{
    messages->has_reader = true;
    messages->consumed += !taker->is_error && taker->end_ns != 0;
    messages->rejected += taker->is_error;
    messages->redelivered += taker->is_again;
}

/* A call of a service to one who sends no spans. */
static int add_call(struct reading *reading, const struct fg_peer_span *call, uint32_t from)
{
    struct fg_map *map = reading->map;
    uint32_t to, id;
    int r = find_peer(reading, call->peer, &to);
    if (r == 0)
        r = find_edge(reading, from, to, true, &id);
    if (r < 0)
        return r;
    struct fg_map_edge *edge = &map->edges[id];
    struct fg_map_node *node = &map->nodes[to];
    edge->count++;
    edge->error_count += call->is_error;
    node->count++;
    node->error_count += call->is_error;
    add_name(edge, reading->peers->names[call->name]);
    add_duration(edge->durations, call->start_ns, call->end_ns);
    if (node->peer->kind == FG_PEER_QUEUE)
        add_sent(&node->messages, call);
    else
        add_duration(node->durations, call->start_ns, call->end_ns);
    return 0;
}

/* A call to a service that was not answered by a span, though others to its address were. */
static int add_unanswered(struct reading *reading, const struct fg_peer_span *call, uint32_t from)
{
    uint32_t to, id;
    int r = find_service(reading, reading->peers->peers[call->peer].answered_by, &to);
    if (r == 0)
        r = find_edge(reading, from, to, true, &id);
    if (r < 0)
        return r;
    struct fg_map_edge *edge = &reading->map->edges[id];
    edge->unanswered_count++;
    edge->unanswered_error_count += call->is_error;
    add_name(edge, reading->peers->names[call->name]);
    return 0;
}

/* A call that another service answered by a span. */
static int add_met(struct reading *reading, const struct fg_peer_span *call, uint32_t from,
                   bool is_queued)
{
    const struct fg_peers *peers = reading->peers;
    const struct fg_peer_span *taker = &peers->spans[call->other];
    uint32_t to, id;
    int r = find_service(reading, peers->names[taker->service], &to);
    if (r < 0 || from == to)
        return r;
    r = find_edge(reading, from, to, true, &id);
    if (r < 0)
        return r;
    struct pair *pair = &reading->pairs[id];
    if (!pair->durations)
        pair->durations = fg_arena_calloc(reading->arena, 1, sizeof *pair->durations);
    if (!pair->durations)
        return FG_ELIMIT;
    add_name(&reading->map->edges[id], peers->names[call->name]);
    pair->queue_count += is_queued;
    pair->direct_count += !is_queued;
    pair->error_count += taker->is_error;
    add_duration(pair->durations, taker->start_ns, taker->end_ns);
    return 0;
}

/* The rollups know the calls between services once their spans are sealed; of those that are not
 * yet, the spans themselves tell. What knows more calls counts. */
static void end_pair(struct fg_map_edge *edge, const struct pair *pair)
{
    uint64_t count = pair->direct_count + pair->queue_count;
    edge->is_through_queue = pair->queue_count > 0 && pair->direct_count == 0;
    if (count <= edge->count)
        return;
    edge->count = count;
    edge->error_count = pair->error_count;
    edge->durations = pair->durations;
    edge->of_spans = true;
}

static int add_calling(struct reading *reading, const struct fg_peer_span *call)
{
    const struct fg_peers *peers = reading->peers;
    bool is_queued = call->peer != FG_PEER_NONE && peers->peers[call->peer].kind == FG_PEER_QUEUE;
    uint32_t from;
    int r = find_service(reading, peers->names[call->service], &from);
    if (r < 0)
        return r;
    if (call->other != FG_PEER_NONE) {
        r = add_met(reading, call, from, is_queued);
        return r == 0 && is_queued ? add_call(reading, call, from) : r;
    }
    if (call->peer == FG_PEER_NONE)
        return 0;
    if (!is_queued && peers->peers[call->peer].answered_by.data)
        return add_unanswered(reading, call, from);
    return add_call(reading, call, from);
}

/* A message that a service took from a queue: how long it had been there is known where the span
 * that sent it is. */
static int add_taking(struct reading *reading, const struct fg_peer_span *taker)
{
    const struct fg_peers *peers = reading->peers;
    uint32_t peer = taker->peer;
    const struct fg_peer_span *call =
        taker->other == FG_PEER_NONE ? NULL : &peers->spans[taker->other];
    uint32_t from, to, id;
    if (call && call->peer != FG_PEER_NONE && peers->peers[call->peer].kind == FG_PEER_QUEUE)
        peer = call->peer; /* the sender's name for it: both ends of one message are one queue */
    if (peer == FG_PEER_NONE || peers->peers[peer].kind != FG_PEER_QUEUE)
        return 0;
    int r = find_peer(reading, peer, &from);
    if (r == 0)
        r = find_service(reading, peers->names[taker->service], &to);
    if (r == 0)
        r = find_edge(reading, from, to, true, &id);
    if (r < 0)
        return r;
    struct fg_map_edge *edge = &reading->map->edges[id];
    edge->count++;
    edge->error_count += taker->is_error;
    add_name(edge, peers->names[taker->name]);
    add_taken(&reading->map->nodes[from].messages, taker);
    if (!call)
        return 0;
    uint64_t sent_ns = call->end_ns ? call->end_ns : call->start_ns;
    add_duration(edge->durations, sent_ns, taker->start_ns);
    add_duration(reading->map->nodes[from].durations, sent_ns, taker->start_ns);
    return 0;
}

static int add_spans(struct reading *reading)
{
    const struct fg_peers *peers = reading->peers;
    for (uint32_t i = 0; i < peers->span_count; i++) {
        const struct fg_peer_span *span = &peers->spans[i];
        int r = 0;
        if (!span->is_repeat)
            r = span->is_call ? add_calling(reading, span) : add_taking(reading, span);
        if (r < 0)
            return r;
    }
    for (uint32_t i = 0; i < reading->map->edge_count; i++)
        end_pair(&reading->map->edges[i], &reading->pairs[i]);
    return 0;
}

int fg_map_read(struct fg_store *store, const struct fg_peers_wanted *wanted,
                struct fg_arena *arena, struct fg_map *ret_map)
{
    struct fg_map map = {0};
    struct fg_peers *peers = fg_arena_calloc(arena, 1, sizeof *peers);
    struct reading *reading = fg_arena_calloc(arena, 1, sizeof *reading);
    map.nodes = fg_arena_calloc(arena, NODES_MAX, sizeof *map.nodes);
    map.edges = fg_arena_calloc(arena, EDGES_MAX, sizeof *map.edges);
    if (!peers || !reading || !map.nodes || !map.edges)
        return FG_ELIMIT;
    *reading = (struct reading){.arena = arena, .map = &map, .peers = peers};
    reading->all = fg_arena_calloc(arena, NODES_MAX, sizeof *reading->all);
    reading->pairs = fg_arena_calloc(arena, EDGES_MAX, sizeof *reading->pairs);
    if (!reading->all || !reading->pairs)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < FG_PEERS_MAX; i++)
        reading->peer_nodes[i] = FG_PEER_NONE;
    fg_idmap_init(&reading->node_map);
    fg_idmap_init(&reading->edge_map);
    int r = read_services(reading, store, wanted);
    if (r == 0)
        r = fg_peers_read(store, wanted, arena, peers);
    if (r == 0)
        r = add_spans(reading);
    fg_idmap_free(&reading->node_map);
    fg_idmap_free(&reading->edge_map);
    if (r < 0)
        return r;
    map.since_ns = peers->since_ns;
    map.is_partial = peers->is_partial;
    map.left_off_count = peers->left_off_count;
    *ret_map = map;
    return 0;
}
