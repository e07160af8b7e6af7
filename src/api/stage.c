#include "stage.h"

#include <stdio.h>
#include <stdlib.h>

/* An error weighs as much as so many calls: what breaks there is not seen. */
#define ERROR_WEIGHT 20u
#define PLACES_MAX   4096u

struct reading {
    struct fg_arena *arena;
    struct fg_stage *stage;
    const struct fg_map *map;
    uint32_t node_count; /* the first places are the map's nodes */
};

const char *fg_stage_status_name(enum fg_stage_status status)
{
    static const char *const names[] = {"instrumented", "watched", "unknown"};
    return names[status];
}

const char *fg_stage_action_name(enum fg_stage_action action)
{
    static const char *const names[] = {"nothing", "instrument", "watch"};
    return names[action];
}

static const char *kind_of(const struct fg_map_node *node)
{
    static const char *const names[] = {[FG_PEER_DATABASE] = "database",
                                        [FG_PEER_QUEUE] = "queue",
                                        [FG_PEER_OBJECT_STORE] = "object_store",
                                        [FG_PEER_EXTERNAL] = "external"};
    return node->peer ? names[node->peer->kind] : "service";
}

/* -- Monitors over the map */

static struct fg_slice value_of(const struct fg_check_report *report, const char *key)
{
    struct fg_slice wanted = fg_slice_from_string(key);
    for (uint32_t i = 0; i < report->value_count; i++)
        if (report->values[i].type == FG_CHECK_VALUE_TEXT &&
            fg_slice_equal(report->values[i].key, wanted))
            return report->values[i].text;
    return (struct fg_slice){0};
}

static bool is_same(struct fg_slice a, struct fg_slice b)
{
    return a.size > 0 && fg_slice_equal(a, b);
}

bool fg_stage_is_of(const struct fg_monitor_view *view, const struct fg_peer *peer,
                    struct fg_slice name)
{
    const struct fg_check_report *report = view->report;
    if (view->config->service && is_same(fg_slice_from_string(view->config->service), name))
        return true;
    if (!peer)
        return false;
    struct fg_slice address = value_of(report, "server.address");
    bool is_there = is_same(address, peer->address) || is_same(address, peer->name);
    switch (peer->kind) {
    case FG_PEER_DATABASE:
        return is_same(value_of(report, "db.system.name"), peer->system) &&
               (is_there || is_same(value_of(report, "db.namespace"), peer->name));
    case FG_PEER_QUEUE: /* a broker's monitor looks at all its queues */
        return is_same(value_of(report, "messaging.system"), peer->system) &&
               (is_there || peer->address.size == 0 ||
                is_same(value_of(report, "messaging.destination.name"), peer->name));
    case FG_PEER_OBJECT_STORE:
        return is_same(value_of(report, "aws.s3.bucket"), peer->name);
    case FG_PEER_EXTERNAL:
        return is_there;
    }
    return false;
}

static void add_monitor(struct reading *reading, struct fg_stage_place *place,
                        const struct fg_monitor_view *view)
{
    if (place->monitor_count < FG_STAGE_MONITORS_MAX)
        place->monitors[place->monitor_count] =
            fg_arena_copy(reading->arena, fg_slice_from_string(view->config->name));
    place->monitor_count++;
    place->is_unwell |= view->result == FG_CHECK_DOWN || view->result == FG_CHECK_DEGRADED;
    if (place->status == FG_STAGE_UNKNOWN)
        place->status = FG_STAGE_WATCHED;
}

/* A place of which nothing is known but that it is watched. */
static void add_place(struct reading *reading, const struct fg_monitor_view *view)
{
    struct fg_stage *stage = reading->stage;
    const char *name = view->config->service ? view->config->service : view->config->name;
    if (stage->count == PLACES_MAX + FG_MONITORS_MAX)
        return;
    struct fg_slice text = fg_slice_from_string(name);
    struct fg_stage_place *place = NULL;
    for (uint32_t i = reading->node_count; i < stage->count && !place; i++)
        if (fg_slice_equal(stage->places[i].name, text))
            place = &stage->places[i];
    if (!place) {
        place = &stage->places[stage->count++];
        *place = (struct fg_stage_place){.name = fg_arena_copy(reading->arena, text),
                                         .kind = view->config->kind->name,
                                         .status = FG_STAGE_UNKNOWN};
    }
    add_monitor(reading, place, view);
}

static void lay_over(void *arg, const struct fg_monitor_view *view)
{
    struct reading *reading = arg;
    bool is_found = false;
    for (uint32_t i = 0; i < reading->node_count; i++) {
        struct fg_stage_place *place = &reading->stage->places[i];
        if (!fg_stage_is_of(view, place->peer, place->name))
            continue;
        add_monitor(reading, place, view);
        is_found = true;
    }
    if (!is_found)
        add_place(reading, view);
}

/* -- The map's places */

static struct fg_slice caller_of(const struct fg_map *map, uint32_t node)
{
    const struct fg_map_edge *most = NULL;
    for (uint32_t i = 0; i < map->edge_count; i++)
        if (map->edges[i].to == node && !map->nodes[map->edges[i].from].peer &&
            (!most || map->edges[i].count > most->count))
            most = &map->edges[i];
    return most ? map->nodes[most->from].name : (struct fg_slice){0};
}

static void take_nodes(struct reading *reading)
{
    const struct fg_map *map = reading->map;
    for (uint32_t i = 0; i < map->node_count && i < PLACES_MAX; i++) {
        const struct fg_map_node *node = &map->nodes[i];
        /* an address that a service of one's own answered is that service */
        if (node->peer && node->peer->answered_by.size)
            continue;
        reading->stage->places[reading->stage->count++] =
            (struct fg_stage_place){.name = node->name,
                                    .peer = node->peer,
                                    .kind = kind_of(node),
                                    .status = node->peer ? FG_STAGE_UNKNOWN : FG_STAGE_INSTRUMENTED,
                                    .calls = node->count,
                                    .errors = node->error_count,
                                    .caller = caller_of(map, i)};
    }
    reading->node_count = reading->stage->count;
}

/* -- What is next */

static enum fg_stage_action action_of(const struct fg_stage_place *place)
{
    bool is_program = place->peer
                          ? place->peer->kind == FG_PEER_EXTERNAL
                          : strcmp(place->kind, "http") == 0 || strcmp(place->kind, "process") == 0;
    if (place->status == FG_STAGE_INSTRUMENTED)
        return FG_STAGE_NOTHING;
    if (is_program)
        return FG_STAGE_INSTRUMENT;
    return place->status == FG_STAGE_UNKNOWN ? FG_STAGE_WATCH : FG_STAGE_NOTHING;
}

static uint64_t weight_of(const struct fg_stage_place *place)
{
    uint64_t weight = place->calls + ERROR_WEIGHT * place->errors + 1;
    return place->is_unwell ? 2 * weight : weight;
}

static int compare(const void *a, const void *b)
{
    const struct fg_stage_place *left = a, *right = b;
    bool left_acts = left->action != FG_STAGE_NOTHING,
         right_acts = right->action != FG_STAGE_NOTHING;
    if (left_acts != right_acts)
        return left_acts ? -1 : 1;
    uint64_t left_weight = weight_of(left), right_weight = weight_of(right);
    if (left_acts && left_weight != right_weight)
        return left_weight > right_weight ? -1 : 1;
    return fg_slice_compare(left->name, right->name);
}

int fg_stage_read(struct fg_store *store, struct fg_monitors *monitors,
                  const struct fg_peers_wanted *wanted, struct fg_arena *arena,
                  struct fg_stage *ret_stage)
{
    struct fg_stage stage = {0};
    struct fg_map map;
    int r = fg_map_read(store, wanted, arena, &map);
    if (r < 0)
        return r;
    stage.places = fg_arena_calloc(arena, PLACES_MAX + FG_MONITORS_MAX, sizeof *stage.places);
    if (!stage.places)
        return FG_ELIMIT;
    struct reading reading = {.arena = arena, .stage = &stage, .map = &map};
    take_nodes(&reading);
    (void)fg_monitors_each(monitors, NULL, lay_over, &reading);
    if (arena->overflow)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < stage.count; i++) {
        stage.places[i].action = action_of(&stage.places[i]);
        stage.next_count += stage.places[i].action != FG_STAGE_NOTHING;
        stage.by_status[stage.places[i].status]++;
    }
    qsort(stage.places, stage.count, sizeof *stage.places, compare);
    stage.since_ns = map.since_ns;
    stage.is_partial = map.is_partial;
    *ret_stage = stage;
    return 0;
}

/* -- Proposals */

/* What of text may stand in a monitor's name, with '-' for the rest. */
static void name_from(struct fg_slice text, char ret_name[FG_MONITOR_NAME_SIZE_MAX + 1])
{
    size_t size = 0;
    for (size_t i = 0; i < text.size && size < FG_MONITOR_NAME_SIZE_MAX; i++) {
        struct fg_slice one = fg_slice(text.data + i, 1);
        bool is_fit = fg_monitor_name_valid(one) || (size > 0 && text.data[i] == '.');
        if (is_fit || (size > 0 && ret_name[size - 1] != '-'))
            ret_name[size++] = is_fit ? (char)text.data[i] : '-';
    }
    while (size > 0 && ret_name[size - 1] == '-')
        size--;
    ret_name[size] = 0;
}

static void put_line(struct fg_buffer *text, const char *key, struct fg_slice value)
{
    fg_buffer_append_format(text, "%s: \"", key);
    for (size_t i = 0; i < value.size; i++) {
        uint8_t byte = value.data[i];
        if (byte == '"' || byte == '\\')
            fg_buffer_append_byte(text, '\\');
        fg_buffer_append_byte(text, byte < 0x20 ? ' ' : byte);
    }
    fg_buffer_append_string(text, "\"\n");
}

static void put_tcp(struct fg_buffer *text, const struct fg_peer *peer)
{
    fg_buffer_append_string(text, "kind: tcp\n");
    put_line(text, "host", peer->address);
    fg_buffer_append_format(text, "port: %u\n", peer->port);
}

static bool put_database(struct fg_buffer *text, const struct fg_peer *peer, const char *secrets,
                         const char *name)
{
    if (peer->address.size == 0)
        return false;
    if (!fg_slice_equal(peer->system, FG_SLICE("postgresql"))) {
        if (peer->port)
            put_tcp(text, peer);
        return peer->port != 0;
    }
    fg_buffer_append_string(text, "kind: postgresql\n");
    put_line(text, "host", peer->address);
    if (peer->port)
        fg_buffer_append_format(text, "port: %u\n", peer->port);
    if (!fg_slice_equal(peer->name, peer->address))
        put_line(text, "database", peer->name);
    fg_buffer_append_format(text, "user: filigree\npassword-file: %s/%s\n", secrets, name);
    return true;
}

static bool put_queue(struct fg_buffer *text, const struct fg_peer *peer, const char *secrets,
                      const char *name)
{
    if (peer->address.size == 0)
        return false;
    if (!fg_slice_equal(peer->system, FG_SLICE("rabbitmq"))) {
        if (peer->port)
            put_tcp(text, peer);
        return peer->port != 0;
    }
    fg_buffer_append_format(text, "kind: rabbitmq\nurl: http://%.*s:15672\n",
                            (int)peer->address.size, (const char *)peer->address.data);
    fg_buffer_append_format(text, "user: filigree\npassword-file: %s/%s\n", secrets, name);
    return true;
}

static bool put_store(struct fg_buffer *text, const struct fg_peer *peer, const char *secrets,
                      const char *name)
{
    if (peer->address.size == 0)
        return false;
    bool is_tls = peer->port == 0 || peer->port == 443;
    fg_buffer_append_format(text, "kind: s3\nurl: %s://%.*s", is_tls ? "https" : "http",
                            (int)peer->address.size, (const char *)peer->address.data);
    if (peer->port && peer->port != 443)
        fg_buffer_append_format(text, ":%u", peer->port);
    fg_buffer_append_string(text, "\n");
    put_line(text, "bucket", peer->name);
    fg_buffer_append_format(text, "access-key: filigree\nsecret-key-file: %s/%s\n", secrets, name);
    return true;
}

static bool put_kind(const struct fg_stage_place *place, const char *secrets, const char *name,
                     struct fg_buffer *text)
{
    const struct fg_peer *peer = place->peer;
    switch (peer->kind) {
    case FG_PEER_DATABASE:
        return put_database(text, peer, secrets, name);
    case FG_PEER_QUEUE:
        return put_queue(text, peer, secrets, name);
    case FG_PEER_OBJECT_STORE:
        return put_store(text, peer, secrets, name);
    case FG_PEER_EXTERNAL:
        if (peer->address.size && peer->port)
            put_tcp(text, peer);
        return peer->address.size && peer->port;
    }
    return false;
}

bool fg_stage_propose(const struct fg_stage_place *place, const char *secrets,
                      struct fg_buffer *text, char ret_name[FG_MONITOR_NAME_SIZE_MAX + 1])
{
    size_t before = text->size;
    if (!place->peer || place->monitor_count > 0)
        return false;
    /* a broker's monitor is one for all its queues */
    bool is_queue = place->peer->kind == FG_PEER_QUEUE;
    name_from(is_queue ? place->peer->system : place->name, ret_name);
    if (!*ret_name)
        return false;
    fg_buffer_append_format(text, "name: %s\n", ret_name);
    if (!put_kind(place, secrets, ret_name, text)) {
        text->size = before;
        return false;
    }
    if (!is_queue)
        put_line(text, "service", place->name);
    return text->error == 0;
}
