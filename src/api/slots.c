#include "slots.h"

#include "base/hash.h"
#include "base/idmap.h"
#include "base/limits.h"
#include "base/units.h"
#include "handlers.h"
#include "os/thread.h"
#include "search_params.h"
#include "state.h"
#include "store/rollup.h"
#include "wire/json_writer.h"
#include "work.h"

#include <stdlib.h>

/* Between two looks at all times: for services whose first spans came late. */
#define WHOLE_NS    (60 * FG_NS_PER_SECOND)
#define RECENT_NS   (3600 * FG_NS_PER_SECOND)
#define NAMES_BYTES ((size_t)4 << 20)

struct fg_slots {
    struct fg_mutex mutex; /* guards all; held while the rollups are read, so that one reads */
    struct fg_arena arena; /* the names */
    struct fg_slice names[FG_SLOTS_MAX];
    uint32_t count;
    struct fg_idmap map; /* hash of a name → its place */
    uint64_t whole_mono_ns;
    bool has_read;
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

struct wanted {
    const struct fg_slots *slots;
    struct fg_slice name;
};

static bool same_name(const void *context, uint32_t id)
{
    const struct wanted *wanted = context;
    return fg_slice_equal(wanted->slots->names[id], wanted->name);
}

/* Cells come by minute, then by service. */
static int see(void *arg, const struct fg_rollup_cell *cell)
{
    struct fg_slots *slots = arg;
    struct wanted wanted = {slots, cell->service};
    uint64_t hash = fg_hash(cell->service);
    uint32_t id;
    if (cell->is_edge || fg_idmap_find(&slots->map, hash, same_name, &wanted, &id) == 0)
        return 0;
    if (slots->count == FG_SLOTS_MAX)
        return 0;
    struct fg_slice kept = fg_arena_copy(&slots->arena, cell->service);
    if (cell->service.size && !kept.data)
        return 0; /* no room for names any more */
    int r = fg_idmap_intern(&slots->map, hash, same_name, &wanted, slots->count, &id);
    if (r == 0)
        slots->names[slots->count++] = kept;
    return r;
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

static int copy_names(const struct fg_slots *slots, struct fg_arena *arena,
                      struct fg_slice **ret_names, uint32_t *ret_count)
{
    struct fg_slice *names = fg_arena_calloc(arena, slots->count + 1, sizeof *names);
    if (!names)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < slots->count; i++) {
        names[i] = fg_arena_copy(arena, slots->names[i]);
        if (slots->names[i].size && !names[i].data)
            return FG_ELIMIT;
    }
    *ret_names = names;
    *ret_count = slots->count;
    return 0;
}

int fg_slots_read(struct fg_slots *slots, struct fg_env *env, struct fg_store *store,
                  struct fg_arena *arena, struct fg_slice **ret_names, uint32_t *ret_count)
{
    fg_mutex_lock(&slots->mutex);
    int r = look(slots, env, store);
    if (r == 0)
        r = copy_names(slots, arena, ret_names, ret_count);
    fg_mutex_unlock(&slots->mutex);
    return r;
}

/* -- GET /api/v1/services/slots: {"services": ["shop-api", …]} */

/* Reader's thread. */
static int run(struct fg_work *work)
{
    struct fg_api *api = work->exchange->api;
    struct fg_json_writer json = fg_json_writer(&work->body);
    struct fg_slice *names;
    uint32_t count;
    int r = fg_slots_read(api->slots, api->env, fg_api_store(api), &work->arena, &names, &count);
    if (r < 0)
        return r;
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "services");
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < count; i++)
        fg_json_string(&json, names[i]);
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
