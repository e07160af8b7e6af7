#include "slots.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/idmap.h"
#include "base/limits.h"
#include "handlers.h"
#include "os/thread.h"
#include "search_params.h"
#include "service_totals.h"
#include "state.h"
#include "store/consumer.h"
#include "store/rollup.h"
#include "store/state.h"
#include "wire/json_writer.h"
#include "work.h"

#include <stdlib.h>

/* Between two looks at all times: for services whose first spans came late. */
#define WHOLE_NS    (60 * FG_NS_PER_SECOND)
#define RECENT_NS   (3600 * FG_NS_PER_SECOND)
#define TABLE       "service_slots"
#define NAMES_BYTES ((size_t)4 << 20)

/* One a service that was ever seen; its place in the order is the index. */
struct slot {
    uint64_t
        hash; /* of the name: the name itself is not kept on disk, so that an erasure is whole */
    struct fg_slice name; /* {NULL, 0}: the rollups don't have it, or not yet */
    bool is_named;
};

struct fg_slots {
    struct fg_mutex mutex; /* guards all; held while the rollups are read, so that one reads */
    struct fg_arena arena; /* the names */
    struct slot slots[FG_SLOTS_MAX];
    uint32_t count;
    uint32_t durable_count; /* of them are in the keyed state */
    uint32_t table;         /* of the keyed state */
    struct fg_idmap map;    /* hash of a name → its place */
    uint64_t whole_mono_ns;
    bool has_loaded; /* what the keyed state has */
    bool has_read;   /* all rollups, once */
};

int fg_slots_new(struct fg_slots **ret_slots)
{
    struct fg_slots *slots = calloc(1, sizeof *slots);
    if (!slots)
        return FG_ENOMEM;
    fg_mutex_init(&slots->mutex, FG_RANK_API);
    fg_arena_init(&slots->arena, NAMES_BYTES);
    fg_idmap_init(&slots->map);
    *ret_slots = slots;
    return 0;
}

void fg_slots_free(struct fg_slots *slots)
{
    if (!slots)
        return;
    fg_idmap_free(&slots->map);
    fg_arena_free(&slots->arena);
    fg_mutex_destroy(&slots->mutex);
    free(slots);
}

/* -- The keyed state */

static int load_slot(void *arg, struct fg_slice key, struct fg_slice value)
{
    struct fg_slots *slots = arg;
    uint32_t id;
    if (key.size != sizeof(uint32_t) || value.size != sizeof(uint64_t) ||
        fg_load_be32(key.data) != slots->count || slots->count == FG_SLOTS_MAX)
        return FG_ECORRUPT;
    uint64_t hash = fg_load_be64(value.data);
    int r = fg_idmap_intern(&slots->map, hash, NULL, NULL, slots->count, &id);
    if (r == 0)
        slots->slots[slots->count++] = (struct slot){.hash = hash};
    return r;
}

/* Once. A store without a keyed state has none to load. */
static int load(struct fg_slots *slots, struct fg_state *state)
{
    struct fg_state_view *view;
    if (slots->has_loaded || !state)
        return 0;
    int r = fg_state_table(state, TABLE, &slots->table);
    if (r == 0)
        r = fg_state_view_take(state, &view);
    if (r < 0)
        return r;
    r = fg_state_each(view, slots->table, (struct fg_slice){0}, (struct fg_slice){0}, load_slot,
                      slots, NULL);
    fg_state_view_release(view);
    slots->durable_count = slots->count;
    slots->has_loaded = r == 0;
    if (r < 0) { /* next time anew */
        fg_idmap_clear(&slots->map);
        slots->count = slots->durable_count = 0;
    }
    return r;
}

/* Whoever was told an order is told the same after a crash, so it is on disk before the answer. */
static int keep(struct fg_slots *slots, struct fg_state *state)
{
    struct fg_state_batch *batch;
    if (!state || slots->durable_count == slots->count)
        return 0;
    int r = fg_state_batch_new(state, &batch);
    if (r < 0)
        return r;
    for (uint32_t i = slots->durable_count; i < slots->count; i++) {
        uint8_t key[sizeof(uint32_t)], value[sizeof(uint64_t)];
        fg_store_be32(key, i);
        fg_store_be64(value, slots->slots[i].hash);
        fg_state_put(batch, slots->table, fg_slice(key, sizeof key), fg_slice(value, sizeof value));
    }
    r = fg_state_commit_take(state, batch);
    if (r == 0)
        slots->durable_count = slots->count;
    return r;
}

/* -- The rollups */

/* Cells come by minute, then by service. */
static int see(void *arg, const struct fg_rollup_cell *cell)
{
    struct fg_slots *slots = arg;
    uint64_t hash = fg_hash(cell->service);
    uint32_t id;
    if (cell->is_edge)
        return 0;
    if (fg_idmap_find(&slots->map, hash, NULL, NULL, &id) < 0) {
        if (slots->count == FG_SLOTS_MAX)
            return 0;
        int r = fg_idmap_intern(&slots->map, hash, NULL, NULL, slots->count, &id);
        if (r < 0)
            return r;
        slots->slots[slots->count++] = (struct slot){.hash = hash};
    }
    struct slot *slot = &slots->slots[id];
    if (slot->is_named)
        return 0;
    slot->name = fg_arena_copy(&slots->arena, cell->service);
    slot->is_named =
        cell->service.size == 0 || slot->name.data != NULL; /* else: no room any more */
    return 0;
}

static int look(struct fg_slots *slots, struct fg_env *env, struct fg_store *store)
{
    uint64_t now_ns = fg_env_wall_ns(env), mono_ns = fg_env_mono_ns(env);
    bool whole = !slots->has_read || mono_ns - slots->whole_mono_ns >= WHOLE_NS;
    uint64_t start_ns = whole || now_ns < RECENT_NS ? 0 : now_ns - RECENT_NS;
    struct fg_rollup *rollup;
    int r = fg_rollup_new(&rollup);
    if (r < 0)
        return r;
    r = fg_store_rollup(store, 0, start_ns, UINT64_MAX, rollup);
    if (r == 0)
        r = fg_rollup_each(rollup, see, slots);
    fg_rollup_free(rollup);
    if (r == 0 && whole) {
        slots->has_read = true;
        slots->whole_mono_ns = mono_ns;
    }
    return r;
}

static int copy_places(const struct fg_slots *slots, uint32_t known_count, struct fg_arena *arena,
                       struct fg_service_place **ret_places, uint32_t *ret_count)
{
    struct fg_service_place *places = fg_arena_calloc(arena, slots->count + 1, sizeof *places);
    uint32_t count = 0;
    if (!places)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < known_count; i++) {
        if (!slots->slots[i].is_named)
            continue;
        struct fg_slice name = fg_arena_copy(arena, slots->slots[i].name);
        if (slots->slots[i].name.size && !name.data)
            return FG_ELIMIT;
        places[count++] = (struct fg_service_place){.service = name, .place = i};
    }
    *ret_places = places;
    *ret_count = count;
    return 0;
}

int fg_slots_read(struct fg_slots *slots, struct fg_env *env, struct fg_store *store,
                  struct fg_arena *arena, struct fg_service_place **ret_places, uint32_t *ret_count)
{
    struct fg_state *state = fg_store_state(store);
    fg_mutex_lock(&slots->mutex);
    int r = load(slots, state);
    if (r == 0)
        r = look(slots, env, store);
    /* A full disk takes no new service, and the places of the others are told all the same; that it
     * is full the state's own counters say. */
    bool is_kept = r == 0 && keep(slots, state) == 0;
    if (r == 0)
        r = copy_places(slots, is_kept ? slots->count : slots->durable_count, arena, ret_places,
                        ret_count);
    fg_mutex_unlock(&slots->mutex);
    return r;
}

/* -- GET /api/v1/services/slots: {"services": [{"service": "shop-api", "place": 0}, …]} */

/* Of a tenant beside the default one no order is kept: a service's place is made from its name. */
static int read_by_name(struct fg_work *work, struct fg_service_place **ret_places,
                        uint32_t *ret_count)
{
    const struct fg_service_totals_wanted wanted = {.tenant = work->exchange->identity.tenant,
                                                    .start_ns_max = UINT64_MAX};
    struct fg_names names;
    int r = fg_service_names_read(fg_api_store(work->exchange->api), &wanted, &work->arena, &names);
    if (r < 0)
        return r;
    struct fg_service_place *places =
        fg_arena_calloc(&work->arena, names.count + 1, sizeof *places);
    if (!places)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < names.count; i++)
        places[i] = (struct fg_service_place){
            .service = names.names[i], .place = (uint32_t)(fg_hash(names.names[i]) % FG_SLOTS_MAX)};
    *ret_places = places;
    *ret_count = names.count;
    return 0;
}

/* Reader's thread. */
static int run(struct fg_work *work)
{
    struct fg_api *api = work->exchange->api;
    struct fg_json_writer json = fg_json_writer(&work->body);
    struct fg_service_place *places;
    uint32_t count;
    int r = work->exchange->identity.tenant ? read_by_name(work, &places, &count)
                                            : fg_slots_read(api->slots, api->env, fg_api_store(api),
                                                            &work->arena, &places, &count);
    if (r < 0)
        return r;
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "services");
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < count; i++) {
        fg_json_object_begin(&json);
        FG_JSON_KEY(&json, "service");
        fg_json_string(&json, places[i].service);
        FG_JSON_KEY(&json, "place");
        fg_json_uint(&json, places[i].place);
        fg_json_object_end(&json);
    }
    fg_json_array_end(&json);
    fg_json_object_end(&json);
    return work->body.error;
}

void fg_handle_slots(struct fg_exchange *exchange)
{
    if (!fg_params_known(exchange, NULL, 0))
        return;
    struct fg_work *work = fg_work_new(exchange, "read the services' order", run, 0);
    if (work)
        fg_work_start(work, exchange->api->readers);
}
