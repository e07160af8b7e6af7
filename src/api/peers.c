#include "peers.h"

#include "base/hash.h"
#include "base/idmap.h"
#include "base/limits.h"
#include "journey/message.h"
#include "monitor/monitors.h"
#include "peer_name.h"

#include <string.h>

#define ENOUGH         1
#define SPANS_MAX      262144u
#define FIRST_CAPACITY 1024u
/* Deliveries of one message that are looked at for another of the same reader. */
#define AGAIN_MAX 64u

struct reading {
    const struct fg_peers_wanted *wanted;
    struct fg_arena *arena;
    struct fg_slice *names;
    uint32_t name_count, name_capacity;
    struct fg_idmap name_map, peer_map, key_map;
    struct fg_peer *peers;
    uint32_t peer_count;
    struct fg_peer_span *spans;
    uint32_t span_count, span_capacity;
    uint64_t frontier_ns, left_off_count;
};

/* Room for one element more; arrays double, so what is left behind is no more than they are. */
static void *grow(struct fg_arena *arena, void *elements, uint32_t count, uint32_t *capacity,
                  size_t size)
{
    if (count < *capacity)
        return elements;
    uint32_t wanted = *capacity ? *capacity * 2 : FIRST_CAPACITY;
    void *larger = fg_arena_alloc(arena, wanted * size);
    if (!larger)
        return NULL;
    if (count)
        memcpy(larger, elements, count * size);
    *capacity = wanted;
    return larger;
}

/* -- Names and peers, each once
 * --------------------------------------------------------------------
 */

struct wanted_name {
    const struct reading *reading;
    struct fg_slice name;
};

static bool same_name(const void *context, uint32_t id)
{
    const struct wanted_name *wanted = context;
    return fg_slice_equal(wanted->reading->names[id], wanted->name);
}

static int intern_name(struct reading *reading, struct fg_slice name, uint32_t *ret_id)
{
    struct wanted_name wanted = {reading, name};
    int r = fg_idmap_intern(&reading->name_map, fg_hash(name), same_name, &wanted,
                            reading->name_count, ret_id);
    if (r < 0 || *ret_id < reading->name_count)
        return r;
    struct fg_slice *names = grow(reading->arena, reading->names, reading->name_count,
                                  &reading->name_capacity, sizeof *names);
    struct fg_slice kept = fg_arena_copy(reading->arena, name);
    if (!names || (name.size && !kept.data))
        return FG_ELIMIT;
    reading->names = names;
    names[reading->name_count++] = kept;
    return 0;
}

struct wanted_peer {
    const struct reading *reading;
    const struct fg_peer *peer;
};

static bool same_peer(const void *context, uint32_t id)
{
    const struct wanted_peer *wanted = context;
    const struct fg_peer *peer = &wanted->reading->peers[id];
    return peer->kind == wanted->peer->kind && fg_slice_equal(peer->name, wanted->peer->name) &&
           fg_slice_equal(peer->system, wanted->peer->system);
}

static int keep_peer(struct reading *reading, const struct fg_peer *peer)
{
    struct fg_peer kept = *peer;
    kept.name = fg_arena_copy(reading->arena, peer->name);
    kept.system = fg_arena_copy(reading->arena, peer->system);
    kept.address = fg_arena_copy(reading->arena, peer->address);
    for (uint32_t i = 0; i < peer->where_count; i++)
        kept.where_value[i] = fg_arena_copy(reading->arena, peer->where_value[i]);
    if (reading->arena->overflow)
        return FG_ELIMIT;
    reading->peers[reading->peer_count++] = kept;
    return 0;
}

static int find_peer(struct reading *reading, const struct fg_batch *batch, uint32_t row,
                     uint32_t *ret_peer)
{
    struct fg_peer peer;
    struct wanted_peer wanted = {reading, &peer};
    *ret_peer = FG_PEER_NONE;
    if (!fg_peer_of_span(batch, row, &peer))
        return 0;
    uint64_t hash = fg_hash_seeded(peer.name, fg_hash_seeded(peer.system, peer.kind));
    if (reading->peer_count == FG_PEERS_MAX) {
        int r = fg_idmap_find(&reading->peer_map, hash, same_peer, &wanted, ret_peer);
        reading->left_off_count += r == FG_ENOTFOUND;
        return r == FG_ENOTFOUND ? 0 : r;
    }
    int r = fg_idmap_intern(&reading->peer_map, hash, same_peer, &wanted, reading->peer_count,
                            ret_peer);
    return r == 0 && *ret_peer == reading->peer_count ? keep_peer(reading, &peer) : r;
}

/* -- Spans
 * ---------------------------------------------------------------------------------------
 */

/* Of a span in its trace; never 0. */
static uint64_t key_of(uint64_t high, uint64_t low, uint64_t span_id)
{
    uint64_t key = fg_hash_u64(fg_hash_u64(fg_hash_u64(high) ^ low) ^ span_id);
    return key ? key : 1;
}

/* To acknowledge a message, or to refuse it, is no call of its own. */
static bool settles(const struct fg_batch *batch, uint32_t row)
{
    const struct fg_attrs *attrs = &batch->span_attrs;
    uint32_t begin, end;
    fg_attrs_range(attrs, row, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        if (attrs->type[i] == FG_VALUE_STRING &&
            fg_slice_equal(batch->strings[attrs->value[i]], FG_SLICE("settle")) &&
            fg_slice_equal(batch->strings[attrs->key[i]], FG_SLICE("messaging.operation.type")))
            return true;
    return false;
}

/* What a span says of its message. */
static void read_message(const struct fg_batch *batch, uint32_t row, struct fg_peer_span *span)
{
    const struct fg_attrs *attrs = &batch->span_attrs;
    struct fg_slice type = {0};
    uint32_t begin, end;
    fg_attrs_range(attrs, row, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        struct fg_slice key = batch->strings[attrs->key[i]];
        if (attrs->type[i] == FG_VALUE_BOOL && !span->is_call &&
            fg_slice_equal(key, FG_SLICE(FG_REDELIVERED_ATTRIBUTE))) {
            span->says_again = true;
            span->is_again = attrs->value[i] != 0;
        } else if (attrs->type[i] == FG_VALUE_STRING && span->is_error &&
                   fg_slice_equal(key, FG_SLICE("error.type"))) {
            type = batch->strings[attrs->value[i]];
        }
    }
    if (span->is_call && span->is_error)
        span->is_returned = fg_message_is_returned(
            type, batch->strings[batch->status_message ? batch->status_message[row] : 0]);
}

static int add_row(struct reading *reading, const struct fg_batch *batch, uint32_t row)
{
    if (fg_slice_equal(batch->strings[batch->resource_service[batch->resource[row]]],
                       FG_SLICE(FG_MONITOR_SERVICE)))
        return 0; /* looking is no traffic */
    uint8_t kind = batch->kind[row];
    uint64_t high = batch->trace_id_high[row], low = batch->trace_id_low[row];
    bool is_call = kind == FG_SPAN_KIND_CLIENT || kind == FG_SPAN_KIND_PRODUCER;
    struct fg_peer_span span = {.key = key_of(high, low, batch->span_id[row]),
                                .start_ns = batch->start_ns[row],
                                .end_ns = batch->end_ns[row],
                                .peer = FG_PEER_NONE,
                                .other = FG_PEER_NONE,
                                .before = FG_PEER_NONE,
                                .is_publish = kind == FG_SPAN_KIND_PRODUCER,
                                .is_call = is_call,
                                .is_error = batch->status[row] == FG_STATUS_ERROR};
    if (batch->parent_span_id[row])
        span.parent_key = key_of(high, low, batch->parent_span_id[row]);
    if (batch->link_count && batch->link_begin[row] < batch->link_begin[row + 1]) {
        uint32_t link = batch->link_begin[row];
        span.link_key = key_of(batch->link_trace_id_high[link], batch->link_trace_id_low[link],
                               batch->link_span_id[link]);
    }
    struct fg_slice service = batch->strings[batch->resource_service[batch->resource[row]]];
    int r = intern_name(reading, service, &span.service);
    if (r == 0)
        r = intern_name(reading, batch->strings[batch->name[row]], &span.name);
    /* who serves a request names itself, not its client, in server.address */
    if (r == 0 && kind != FG_SPAN_KIND_SERVER)
        r = find_peer(reading, batch, row, &span.peer);
    if (r < 0)
        return r;
    if (kind == FG_SPAN_KIND_CLIENT && settles(batch, row))
        span.peer = FG_PEER_NONE; /* of the delivery above it */
    if (span.peer != FG_PEER_NONE && reading->peers[span.peer].kind == FG_PEER_QUEUE)
        read_message(batch, row, &span);
    struct fg_peer_span *spans = grow(reading->arena, reading->spans, reading->span_count,
                                      &reading->span_capacity, sizeof *spans);
    if (!spans)
        return FG_ELIMIT;
    reading->spans = spans;
    spans[reading->span_count++] = span;
    return 0;
}

static int add_rows(void *arg, const struct fg_scan_rows *rows)
{
    struct reading *reading = arg;
    for (uint32_t row = rows->row_begin; row < rows->row_end; row++) {
        uint32_t bit = row - rows->row_begin;
        int r = 0;
        if (rows->bits[bit / 64] >> bit % 64 & 1)
            r = add_row(reading, rows->batch, row);
        if (r < 0)
            return r;
    }
    reading->frontier_ns = rows->frontier_ns;
    return reading->span_count >= SPANS_MAX ? ENOUGH : 0;
}

static bool is_cancelled(void *arg)
{
    const struct reading *reading = arg;
    return reading->wanted->is_cancelled && reading->wanted->is_cancelled(reading->wanted->arg);
}

#define OF_KIND(kind_)                                                                             \
    {                                                                                              \
        .op = FG_PRED_EQ, .field = FG_FIELD_KIND, .type = FG_VALUE_INT, .integer = (kind_)         \
    }

static int scan(struct reading *reading, struct fg_store *store,
                const struct fg_peers_wanted *wanted, struct fg_peers *peers)
{
    static const struct fg_predicate kinds[] = {
        OF_KIND(FG_SPAN_KIND_SERVER), OF_KIND(FG_SPAN_KIND_CLIENT), OF_KIND(FG_SPAN_KIND_PRODUCER),
        OF_KIND(FG_SPAN_KIND_CONSUMER)};
    static const struct fg_predicate *const children[] = {&kinds[0], &kinds[1], &kinds[2],
                                                          &kinds[3]};
    static const struct fg_predicate predicate = {
        .op = FG_PRED_OR, .child_count = 4, .children = children};
    const struct fg_scan request = {.tenant = wanted->tenant,
                                    .start_ns_min = wanted->start_ns,
                                    .start_ns_max = wanted->end_ns,
                                    .predicate = &predicate,
                                    .columns = FG_COLUMNS_IDS | FG_COLUMNS_TIMES | FG_COLUMNS_NAME |
                                               FG_COLUMNS_RESOURCE | FG_COLUMNS_STATUS |
                                               FG_COLUMNS_SPAN_ATTRS | FG_COLUMNS_LINKS,
                                    .bytes_max = FG_QUERY_BYTES,
                                    .deadline_mono_ns = wanted->deadline_mono_ns,
                                    .is_cancelled = is_cancelled,
                                    .rows = add_rows,
                                    .arg = reading};
    struct fg_read_stats stats = {0};
    reading->frontier_ns = wanted->end_ns;
    int r = fg_store_scan(store, &request, &stats);
    bool is_spent = r == FG_ELIMIT && stats.bytes_read > request.bytes_max;
    bool is_cut = r == ENOUGH || r == FG_ETIMEOUT || is_spent;
    if (r < 0 && !is_cut)
        return r;
    peers->since_ns = wanted->start_ns;
    if (is_cut && reading->frontier_ns > wanted->start_ns)
        peers->since_ns = reading->frontier_ns;
    peers->is_partial = is_cut || stats.damaged_pages > 0;
    return 0;
}

/* -- Meeting
 * -------------------------------------------------------------------------------------
 */

/* Leaves out what began before the time that was read whole, unless that were everything. */
static void drop_older(struct reading *reading, struct fg_peers *peers)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < reading->span_count; i++)
        count += reading->spans[i].start_ns > peers->since_ns;
    if (!peers->is_partial || count == 0)
        return;
    count = 0;
    for (uint32_t i = 0; i < reading->span_count; i++)
        if (reading->spans[i].start_ns > peers->since_ns)
            reading->spans[count++] = reading->spans[i];
    reading->span_count = count;
}

struct wanted_key {
    const struct reading *reading;
    uint64_t key;
    bool is_call;
};

static bool same_key(const void *context, uint32_t id)
{
    const struct wanted_key *wanted = context;
    const struct fg_peer_span *span = &wanted->reading->spans[id];
    return span->key == wanted->key && span->is_call == wanted->is_call;
}

static uint32_t find_call(const struct reading *reading, uint64_t key)
{
    struct wanted_key wanted = {reading, key, true};
    uint32_t id;
    if (key == 0 || fg_idmap_find(&reading->key_map, key, same_key, &wanted, &id) < 0)
        return FG_PEER_NONE;
    return id;
}

/* Who does not say so took it again where a span of his took it as well. */
static void note_again(const struct reading *reading, struct fg_peer_span *taker)
{
    uint32_t at = taker->before;
    for (unsigned i = 0; !taker->says_again && i < AGAIN_MAX && at != FG_PEER_NONE; i++) {
        taker->is_again |= reading->spans[at].service == taker->service;
        at = reading->spans[at].before;
    }
}

static int meet(struct reading *reading)
{
    for (uint32_t i = 0; i < reading->span_count; i++) {
        struct fg_peer_span *span = &reading->spans[i];
        struct wanted_key wanted = {reading, span->key, span->is_call};
        uint32_t id;
        int r = fg_idmap_intern(&reading->key_map, wanted.key, same_key, &wanted, i, &id);
        if (r < 0)
            return r;
        span->is_repeat = id != i;
    }
    for (uint32_t i = 0; i < reading->span_count; i++) {
        struct fg_peer_span *taker = &reading->spans[i];
        if (taker->is_call || taker->is_repeat)
            continue;
        taker->other = find_call(reading, taker->parent_key);
        if (taker->other == FG_PEER_NONE)
            taker->other = find_call(reading, taker->link_key);
        if (taker->other == FG_PEER_NONE)
            continue;
        struct fg_peer_span *call = &reading->spans[taker->other];
        taker->before = call->other;
        note_again(reading, taker);
        call->other = i;
        if (call->peer != FG_PEER_NONE && reading->peers[call->peer].kind != FG_PEER_QUEUE)
            reading->peers[call->peer].answered_by = reading->names[taker->service];
    }
    return 0;
}

int fg_peers_read(struct fg_store *store, const struct fg_peers_wanted *wanted,
                  struct fg_arena *arena, struct fg_peers *ret_peers)
{
    struct reading reading = {.wanted = wanted, .arena = arena};
    struct fg_peers peers = {0};
    reading.peers = fg_arena_calloc(arena, FG_PEERS_MAX, sizeof *reading.peers);
    if (!reading.peers)
        return FG_ELIMIT;
    fg_idmap_init(&reading.name_map);
    fg_idmap_init(&reading.peer_map);
    fg_idmap_init(&reading.key_map);
    int r = scan(&reading, store, wanted, &peers);
    if (r == 0) {
        drop_older(&reading, &peers);
        r = meet(&reading);
    }
    fg_idmap_free(&reading.name_map);
    fg_idmap_free(&reading.peer_map);
    fg_idmap_free(&reading.key_map);
    if (r < 0)
        return r;
    peers.names = reading.names;
    peers.peers = reading.peers;
    peers.peer_count = reading.peer_count;
    peers.spans = reading.spans;
    peers.span_count = reading.span_count;
    peers.left_off_count = reading.left_off_count;
    *ret_peers = peers;
    return 0;
}
