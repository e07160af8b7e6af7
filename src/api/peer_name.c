#include "peer_name.h"

#include <string.h>

/* Attributes that say who the other end is; where several say the same, the first one counts. */
enum known {
    PEER_SERVICE,
    DB_SYSTEM,
    DB_SYSTEM_OLD,
    DB_NAMESPACE,
    DB_NAME_OLD,
    MESSAGING_SYSTEM,
    MESSAGING_DESTINATION,
    MESSAGING_DESTINATION_OLD,
    BUCKET,
    SERVER_ADDRESS,
    PEER_NAME_OLD,
    PEER_IP_OLD,
    URL,
    URL_OLD,
    RPC_SERVICE,
    KNOWN_COUNT,
};

static const char *const keys[KNOWN_COUNT] = {
    [PEER_SERVICE] = "peer.service",
    [DB_SYSTEM] = "db.system.name",
    [DB_SYSTEM_OLD] = "db.system",
    [DB_NAMESPACE] = "db.namespace",
    [DB_NAME_OLD] = "db.name",
    [MESSAGING_SYSTEM] = "messaging.system",
    [MESSAGING_DESTINATION] = "messaging.destination.name",
    [MESSAGING_DESTINATION_OLD] = "messaging.destination",
    [BUCKET] = "aws.s3.bucket",
    [SERVER_ADDRESS] = "server.address",
    [PEER_NAME_OLD] = "net.peer.name",
    [PEER_IP_OLD] = "net.peer.ip",
    [URL] = "url.full",
    [URL_OLD] = "http.url",
    [RPC_SERVICE] = "rpc.service",
};

/* server.port, or its name before 1.20; 0: neither is there. */
static uint32_t port_of(const struct fg_batch *batch, uint32_t row)
{
    const struct fg_attrs *attrs = &batch->span_attrs;
    uint32_t begin, end;
    fg_attrs_range(attrs, row, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        struct fg_slice key = batch->strings[attrs->key[i]];
        if (attrs->type[i] == FG_VALUE_INT && attrs->value[i] <= 65535 &&
            (fg_slice_equal(key, FG_SLICE("server.port")) ||
             fg_slice_equal(key, FG_SLICE("net.peer.port"))))
            return (uint32_t)attrs->value[i];
    }
    return 0;
}

static void read_known(const struct fg_batch *batch, uint32_t row,
                       struct fg_slice values[KNOWN_COUNT])
{
    const struct fg_attrs *attrs = &batch->span_attrs;
    uint32_t begin, end;
    fg_attrs_range(attrs, row, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        struct fg_slice key = batch->strings[attrs->key[i]];
        if (attrs->type[i] != FG_VALUE_STRING || key.size == 0 || !strchr("admnprsuh", key.data[0]))
            continue;
        for (size_t k = 0; k < KNOWN_COUNT; k++)
            if (fg_slice_equal(key, fg_slice_from_string(keys[k])))
                values[k] = batch->strings[attrs->value[i]];
    }
}

/* The first of known[0..count) that is there; KNOWN_COUNT: none is. */
static enum known first_of(const struct fg_slice values[KNOWN_COUNT], const enum known *known,
                           size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (values[known[i]].size)
            return known[i];
    return KNOWN_COUNT;
}

#define FIRST_OF(values, ...)                                                                      \
    first_of(values, (const enum known[]){__VA_ARGS__},                                            \
             sizeof((const enum known[]){__VA_ARGS__}) / sizeof(enum known))

static void add_where(struct fg_peer *peer, enum known known, struct fg_slice value)
{
    peer->where_key[peer->where_count] = fg_slice_from_string(keys[known]);
    peer->where_value[peer->where_count++] = value;
}

/* "shop.example" of "https://user@shop.example:8443/orders". */
static struct fg_slice host_of(struct fg_slice url)
{
    const uint8_t *scheme = url.size ? memmem(url.data, url.size, "://", 3) : NULL;
    if (!scheme)
        return (struct fg_slice){0};
    const uint8_t *begin = scheme + 3, *end = url.data + url.size, *at = begin;
    while (at < end && !memchr("/?#", *at, 3))
        at++;
    end = at;
    const uint8_t *user = memchr(begin, '@', (size_t)(end - begin));
    begin = user ? user + 1 : begin;
    const uint8_t *port =
        begin < end && *begin == '[' ? NULL : memchr(begin, ':', (size_t)(end - begin));
    return fg_slice(begin, (size_t)((port ? port : end) - begin));
}

static bool name_it(struct fg_peer *peer, const struct fg_slice values[KNOWN_COUNT],
                    enum known name)
{
    if (name == KNOWN_COUNT)
        return false;
    peer->name = values[name];
    add_where(peer, name, values[name]);
    return true;
}

bool fg_peer_of_span(const struct fg_batch *batch, uint32_t row, struct fg_peer *ret_peer)
{
    struct fg_slice values[KNOWN_COUNT] = {0};
    struct fg_peer peer = {.kind = FG_PEER_EXTERNAL};
    read_known(batch, row, values);
    enum known system = FIRST_OF(values, DB_SYSTEM, DB_SYSTEM_OLD);
    enum known name = KNOWN_COUNT;
    if (values[BUCKET].size) {
        peer.kind = FG_PEER_OBJECT_STORE;
        name = BUCKET;
    } else if (system != KNOWN_COUNT) {
        peer.kind = FG_PEER_DATABASE;
        peer.system = values[system];
        add_where(&peer, system, values[system]);
        name = FIRST_OF(values, PEER_SERVICE, DB_NAMESPACE, DB_NAME_OLD, SERVER_ADDRESS,
                        PEER_NAME_OLD, PEER_IP_OLD);
        if (name == KNOWN_COUNT)
            peer.name = values[system];
    } else if (values[MESSAGING_SYSTEM].size) {
        peer.kind = FG_PEER_QUEUE;
        peer.system = values[MESSAGING_SYSTEM];
        name = FIRST_OF(values, MESSAGING_DESTINATION, MESSAGING_DESTINATION_OLD, MESSAGING_SYSTEM);
    } else {
        name = FIRST_OF(values, PEER_SERVICE, SERVER_ADDRESS, PEER_NAME_OLD, PEER_IP_OLD);
    }
    if (!name_it(&peer, values, name) && peer.name.size == 0) {
        enum known url = FIRST_OF(values, URL, URL_OLD);
        if (url != KNOWN_COUNT)
            peer.name = host_of(values[url]);
        if (peer.name.size == 0 && !name_it(&peer, values, FIRST_OF(values, RPC_SERVICE)))
            return false;
    }
    enum known address = FIRST_OF(values, SERVER_ADDRESS, PEER_NAME_OLD, PEER_IP_OLD);
    if (address != KNOWN_COUNT)
        peer.address = values[address];
    peer.port = port_of(batch, row);
    *ret_peer = peer;
    return true;
}
