#include "neighbours.h"

#include "base/hash.h"
#include "base/idmap.h"
#include "os/thread.h"
#include "watch.h"

#include <stdlib.h>

struct hop {
    uint64_t from_ns, arrived_ns;
};

struct hops {
    struct hop ring[FG_HOPS_KEPT];
    uint32_t count, next;
};

struct service {
    struct fg_service_signs signs;
    struct fg_slice name; /* owned */
};

struct fg_neighbours {
    struct fg_mutex mutex; /* guards all of it */
    struct fg_idmap map;   /* of services by name */
    struct service *services;
    uint32_t service_count;
    struct hops *hops[FG_FLOWS_MAX]; /* FG_FLOW_STEPS_MAX of each flow that has any */
    struct fg_service_signs *seen;   /* scratch: of a batch, by resource */
    uint32_t seen_capacity;
};

int fg_neighbours_new(struct fg_neighbours **ret_neighbours)
{
    struct fg_neighbours *neighbours = calloc(1, sizeof *neighbours);
    if (!neighbours)
        return FG_ENOMEM;
    neighbours->services = calloc(FG_NEIGHBOURS_SERVICES, sizeof *neighbours->services);
    if (!neighbours->services) {
        free(neighbours);
        return FG_ENOMEM;
    }
    fg_idmap_init(&neighbours->map);
    fg_mutex_init(&neighbours->mutex, FG_RANK_LEAF);
    *ret_neighbours = neighbours;
    return 0;
}

void fg_neighbours_free(struct fg_neighbours *neighbours)
{
    if (!neighbours)
        return;
    for (uint32_t i = 0; i < neighbours->service_count; i++)
        free((void *)(uintptr_t)neighbours->services[i].name.data);
    for (uint32_t i = 0; i < FG_FLOWS_MAX; i++)
        free(neighbours->hops[i]);
    fg_idmap_free(&neighbours->map);
    fg_mutex_destroy(&neighbours->mutex);
    free(neighbours->services);
    free(neighbours->seen);
    free(neighbours);
}

/* -- Services */

struct named {
    const struct fg_neighbours *neighbours;
    struct fg_slice name;
};

static bool is_named(const void *context, uint32_t id)
{
    const struct named *named = context;
    return fg_slice_equal(named->neighbours->services[id].name, named->name);
}

static struct service *find(struct fg_neighbours *neighbours, struct fg_slice name)
{
    struct named named = {neighbours, name};
    uint32_t id;
    if (fg_idmap_find(&neighbours->map, fg_hash(name), is_named, &named, &id) < 0)
        return NULL;
    return &neighbours->services[id];
}

/* NULL where there is no room. */
static struct service *intern(struct fg_neighbours *neighbours, struct fg_slice name)
{
    struct service *known = find(neighbours, name);
    uint32_t id = neighbours->service_count, ret_id;
    if (known || name.size == 0 || id == FG_NEIGHBOURS_SERVICES)
        return known;
    uint8_t *copy = malloc(name.size);
    if (!copy)
        return NULL;
    memcpy(copy, name.data, name.size);
    if (fg_idmap_intern(&neighbours->map, fg_hash(name), NULL, NULL, id, &ret_id) < 0 ||
        ret_id != id) {
        free(copy);
        return NULL;
    }
    neighbours->services[id].name = fg_slice(copy, name.size);
    neighbours->service_count++;
    return &neighbours->services[id];
}

static void latest(uint64_t *moment_ns, uint64_t ns)
{
    if (ns > *moment_ns)
        *moment_ns = ns;
}

static void merge_signs(struct fg_service_signs *into, const struct fg_service_signs *from)
{
    latest(&into->heard_ns, from->heard_ns);
    latest(&into->consumed_ns, from->consumed_ns);
    latest(&into->interrupted_ns, from->interrupted_ns);
    into->consumed_count += from->consumed_count;
    if (from->well_ns > into->well_ns) {
        into->well_ns = from->well_ns;
        into->failed_count = 0;
    }
    if (from->consumed_ns > into->well_ns)
        into->failed_count += from->failed_count;
    if (from->sampled > 0)
        into->sampled = from->sampled;
}

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* T of "th:T", at most 14 hexadecimal digits of which trailing zeros are left out: T / 2^56 of all
 * traces are dropped. */
static double share_of_threshold(struct fg_slice text)
{
    double threshold = 0, digit = 1;
    size_t i = 0;
    for (; i < text.size && i < 14 && hex_digit(text.data[i]) >= 0; i++) {
        digit /= 16;
        threshold += digit * hex_digit(text.data[i]);
    }
    return i > 0 ? 1 - threshold : 0;
}

double fg_sampled_share(struct fg_slice trace_state)
{
    const uint8_t *at =
        trace_state.size > 0 ? memmem(trace_state.data, trace_state.size, "ot=", 3) : NULL;
    if (!at)
        return 0;
    size_t size = trace_state.size - (size_t)(at - trace_state.data);
    const uint8_t *end = memchr(at, ',', size);
    struct fg_slice member = fg_slice(at, end ? (size_t)(end - at) : size);
    const uint8_t *th = memmem(member.data, member.size, "th:", 3);
    if (th)
        return share_of_threshold(fg_slice(th + 3, member.size - (size_t)(th + 3 - member.data)));
    const uint8_t *p = memmem(member.data, member.size, "p:", 2);
    double share = p ? 1 : 0;
    unsigned exponent = 0;
    for (p = p ? p + 2 : at; p < member.data + member.size && *p >= '0' && *p <= '9'; p++)
        exponent = exponent * 10 + (unsigned)(*p - '0') % 64;
    for (; share > 0 && exponent > 0 && exponent < 64; exponent--)
        share /= 2;
    return share;
}

static void collect(struct fg_service_signs *seen, const struct fg_batch *batch)
{
    uint32_t last_state = 0;
    double share = 0;
    bool has_failed = false;
    for (uint32_t row = 0; row < batch->span_count; row++) {
        struct fg_service_signs *signs = &seen[batch->resource[row]];
        uint64_t ns = batch->end_ns[row] ? batch->end_ns[row] : batch->start_ns[row];
        latest(&signs->heard_ns, ns);
        if (batch->kind[row] == FG_SPAN_KIND_CONSUMER) {
            latest(&signs->consumed_ns, ns);
            signs->consumed_count++;
            if (batch->status[row] != FG_STATUS_ERROR)
                latest(&signs->well_ns, ns);
            has_failed |= batch->status[row] == FG_STATUS_ERROR;
        }
        if (fg_column_u16(batch->marks, row) & FG_MARK_INTERRUPTED)
            latest(&signs->interrupted_ns, ns);
        uint32_t state = fg_column_u32(batch->trace_state, row);
        if (state != last_state)
            share = fg_sampled_share(batch->strings[state]);
        last_state = state;
        if (state && share > 0)
            signs->sampled = share;
    }
    for (uint32_t row = 0; has_failed && row < batch->span_count; row++) {
        struct fg_service_signs *signs = &seen[batch->resource[row]];
        signs->failed_count += batch->kind[row] == FG_SPAN_KIND_CONSUMER &&
                               batch->status[row] == FG_STATUS_ERROR &&
                               batch->end_ns[row] > signs->well_ns;
    }
}

void fg_neighbours_add(struct fg_neighbours *neighbours, const struct fg_batch *batch)
{
    fg_mutex_lock(&neighbours->mutex);
    if (batch->resource_count > neighbours->seen_capacity) {
        struct fg_service_signs *seen =
            realloc(neighbours->seen, batch->resource_count * sizeof *seen);
        if (!seen) {
            fg_mutex_unlock(&neighbours->mutex);
            return;
        }
        neighbours->seen = seen;
        neighbours->seen_capacity = batch->resource_count;
    }
    if (batch->resource_count > 0)
        memset(neighbours->seen, 0, batch->resource_count * sizeof *neighbours->seen);
    collect(neighbours->seen, batch);
    for (uint32_t i = 0; i < batch->resource_count; i++) {
        struct fg_slice name = batch->strings[batch->resource_service[i]];
        if (neighbours->seen[i].heard_ns == 0 || fg_slice_equal(name, FG_SLICE(FG_MONITOR_SERVICE)))
            continue;
        struct service *service = intern(neighbours, name);
        if (service)
            merge_signs(&service->signs, &neighbours->seen[i]);
    }
    fg_mutex_unlock(&neighbours->mutex);
}

void fg_neighbours_hear(struct fg_neighbours *neighbours, struct fg_slice name, bool consumed,
                        uint64_t at_ns)
{
    fg_mutex_lock(&neighbours->mutex);
    struct service *service = intern(neighbours, name);
    if (service) {
        latest(&service->signs.heard_ns, at_ns);
        if (consumed)
            latest(&service->signs.consumed_ns, at_ns);
    }
    fg_mutex_unlock(&neighbours->mutex);
}

struct fg_service_signs fg_neighbours_service(struct fg_neighbours *neighbours,
                                              struct fg_slice name)
{
    fg_mutex_lock(&neighbours->mutex);
    const struct service *service = find(neighbours, name);
    struct fg_service_signs signs = service ? service->signs : (struct fg_service_signs){0};
    fg_mutex_unlock(&neighbours->mutex);
    return signs;
}

/* -- Hops */

void fg_neighbours_hop(struct fg_neighbours *neighbours, uint32_t flow, uint32_t step,
                       uint64_t from_ns, uint64_t arrived_ns)
{
    fg_mutex_lock(&neighbours->mutex);
    if (!neighbours->hops[flow])
        neighbours->hops[flow] = calloc(FG_FLOW_STEPS_MAX, sizeof **neighbours->hops);
    if (neighbours->hops[flow]) {
        struct hops *hops = &neighbours->hops[flow][step];
        hops->ring[hops->next] = (struct hop){from_ns, arrived_ns};
        hops->next = (hops->next + 1) % FG_HOPS_KEPT;
        hops->count += hops->count < FG_HOPS_KEPT;
    }
    fg_mutex_unlock(&neighbours->mutex);
}

void fg_neighbours_forget_hops(struct fg_neighbours *neighbours, uint32_t flow)
{
    fg_mutex_lock(&neighbours->mutex);
    free(neighbours->hops[flow]);
    neighbours->hops[flow] = NULL;
    fg_mutex_unlock(&neighbours->mutex);
}

static int compare_ns(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

struct fg_hop_signs fg_neighbours_hops(struct fg_neighbours *neighbours, uint32_t flow,
                                       uint32_t step, uint64_t from_ns)
{
    struct fg_hop_signs signs = {0};
    uint64_t took_ns[FG_HOPS_KEPT];
    fg_mutex_lock(&neighbours->mutex);
    const struct hops *hops = neighbours->hops[flow] ? &neighbours->hops[flow][step] : NULL;
    for (uint32_t i = 0; hops && i < hops->count; i++) {
        const struct hop *hop = &hops->ring[i];
        took_ns[signs.count++] =
            hop->arrived_ns > hop->from_ns ? hop->arrived_ns - hop->from_ns : 0;
        signs.overtook += hop->from_ns > from_ns;
        latest(&signs.arrived_ns, hop->arrived_ns);
    }
    fg_mutex_unlock(&neighbours->mutex);
    if (signs.count > 0) {
        qsort(took_ns, signs.count, sizeof *took_ns, compare_ns);
        signs.usual_ns = took_ns[signs.count / 2];
    }
    return signs;
}
