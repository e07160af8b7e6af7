#include "journey/common.h"

#include "base/hash.h"
#include "base/idmap.h"
#include "journeys_internal.h"
#include "span/builder.h"
#include "store/trace_reader.h"

#include <stdlib.h>

#define BEFORE_NS      (60 * FG_NS_PER_MINUTE)
#define VALUE_SIZE_MAX 200u
/* Where numbers of records change between choosing and copying. */
#define TRIES           8u
#define ARENA_BYTES_MAX ((size_t)FG_CASE_BYTES_MAX)

/* Of resources, then of spans; those that were chosen are looked for in both. */
static const char *const of_resources[] = {
    "service.version",        "host.name",    "service.instance.id", "deployment.environment.name",
    "deployment.environment", "k8s.pod.name", "k8s.node.name",       "cloud.availability_zone"};
static const char *const of_spans[] = {"messaging.destination.name"};

/* A journey that is to be read. */
struct chosen {
    uint64_t hash;
    uint32_t record; /* while the mutex is held */
    uint32_t key;
    struct fg_slice value;
    struct fg_trace_ref *traces;
    uint32_t trace_count;
};

struct side {
    struct chosen list[FG_COMMON_JOURNEYS_MAX];
    uint32_t count;
};

struct facet {
    struct fg_journey_facet is;
    uint32_t seen_in; /* the journey by which it was counted last, and one */
};

struct comparing {
    struct fg_journeys *journeys;
    struct fg_arena *arena;
    struct fg_idmap map;
    struct facet *facets;
    uint32_t count, journey;
    bool is_stopped, is_full;
    int error;
};

/* -- Choosing */

static bool is_well(const struct fg_record *record)
{
    return record->state == FG_JOURNEY_FLOWING || record->state == FG_JOURNEY_WAITING ||
           record->state == FG_JOURNEY_DONE;
}

/* Those with the smallest hashes: the same ones the next time. */
static void consider(struct side *side, const struct fg_record *record, uint32_t id)
{
    uint64_t hash = fg_hash_u64(record->hash);
    uint32_t at = side->count;
    if (side->count == FG_COMMON_JOURNEYS_MAX) {
        if (side->list[side->count - 1].hash <= hash)
            return;
        at--;
    } else {
        side->count++;
    }
    for (; at > 0 && side->list[at - 1].hash > hash; at--)
        side->list[at] = side->list[at - 1];
    side->list[at] = (struct chosen){.hash = hash, .record = id, .key = record->key};
}

static int copy_out(const struct fg_journeys *journeys, struct side *side, struct fg_arena *arena)
{
    for (uint32_t i = 0; i < side->count; i++) {
        struct chosen *is = &side->list[i];
        const struct fg_record *record = fg_table_record(&journeys->table, is->record);
        uint32_t count =
            record->trace_count < FG_COMMON_TRACES_MAX ? record->trace_count : FG_COMMON_TRACES_MAX;
        is->value = fg_arena_copy(arena, fg_slice(record->value, record->value_size));
        is->traces = fg_arena_alloc(arena, ((size_t)count + 1) * sizeof *is->traces);
        if (!is->value.data || !is->traces)
            return FG_ELIMIT;
        if (count > 0)
            memcpy(is->traces, record->traces + record->trace_count - count,
                   count * sizeof *is->traces);
        is->trace_count = count;
    }
    return 0;
}

struct choosing {
    struct fg_journeys *journeys;
    const struct fg_journey_filter *filter;
    struct side *stopped, *healthy;
    uint64_t count, since_ns; /* of the stopped */
    uint32_t keys;            /* bits: theirs */
};

static int choose_stopped(void *arg, uint32_t id)
{
    struct choosing *choosing = arg;
    const struct fg_record *record = fg_table_record(&choosing->journeys->table, id);
    if (!fg_journeys_passes(choosing->journeys, choosing->filter, record))
        return 0;
    choosing->count++;
    choosing->keys |= UINT32_C(1) << record->key;
    if (record->since_ns < choosing->since_ns)
        choosing->since_ns = record->since_ns;
    consider(choosing->stopped, record, id);
    return 0;
}

static void choose_stopped_anew(void *arg)
{
    struct choosing *choosing = arg;
    choosing->stopped->count = 0;
    choosing->count = 0;
    choosing->since_ns = UINT64_MAX;
    choosing->keys = 0;
}

static int choose_healthy(void *arg, uint32_t id)
{
    struct choosing *choosing = arg;
    const struct fg_record *record = fg_table_record(&choosing->journeys->table, id);
    uint64_t since_ns = choosing->since_ns > BEFORE_NS ? choosing->since_ns - BEFORE_NS : 0;
    if (is_well(record) && (choosing->keys >> record->key & 1) && record->last_ns >= since_ns)
        consider(choosing->healthy, record, id);
    return 0;
}

static void choose_healthy_anew(void *arg)
{
    ((struct choosing *)arg)->healthy->count = 0;
}

/* FG_EAGAIN: numbers of records changed meanwhile. */
static int choose_once(struct choosing *choosing, struct fg_arena *arena)
{
    struct fg_journeys *journeys = choosing->journeys;
    uint64_t stopped_version, version;
    int r = fg_journeys_pass(journeys, FG_TABLE_IN_TROUBLE, choose_stopped, choose_stopped_anew,
                             choosing, &stopped_version);
    if (r < 0 || choosing->count == 0)
        return r;
    r = fg_journeys_pass(journeys, FG_TABLE_ALL, choose_healthy, choose_healthy_anew, choosing,
                         &version);
    if (r < 0)
        return r;
    fg_journeys_enter(journeys);
    if (version != stopped_version || !fg_journeys_is_version(journeys, version))
        r = FG_EAGAIN;
    if (r == 0)
        r = copy_out(journeys, choosing->stopped, arena);
    if (r == 0)
        r = copy_out(journeys, choosing->healthy, arena);
    fg_mutex_unlock(&journeys->mutex);
    return r;
}

static int choose(struct fg_journeys *journeys, const struct fg_journey_filter *filter,
                  struct side *stopped, struct side *healthy, struct fg_arena *arena,
                  uint64_t *ret_count)
{
    struct choosing choosing = {
        .journeys = journeys, .filter = filter, .stopped = stopped, .healthy = healthy};
    int r = FG_EAGAIN;
    for (unsigned i = 0; r == FG_EAGAIN && i < TRIES; i++)
        r = choose_once(&choosing, arena);
    *ret_count = choosing.count;
    return r;
}

/* -- Reading */

struct same {
    const struct comparing *comparing;
    const struct fg_journey_facet *facet;
};

static bool is_same(const void *context, uint32_t id)
{
    const struct same *same = context;
    const struct fg_journey_facet *a = &same->comparing->facets[id].is, *b = same->facet;
    return fg_slice_equal(a->value, b->value) && fg_slice_equal(a->service, b->service) &&
           fg_slice_equal(a->attribute, b->attribute);
}

static void count_facet(struct comparing *comparing, struct fg_slice service,
                        struct fg_slice attribute, struct fg_slice value)
{
    const struct fg_journey_facet facet = {service, attribute, value, 0, 0};
    struct same same = {comparing, &facet};
    uint64_t hash = fg_hash_seeded(value, fg_hash_seeded(attribute, fg_hash(service)));
    uint32_t id;
    if (value.size == 0 || value.size > VALUE_SIZE_MAX ||
        (value.size >= 10 && memcmp(value.data, "[redacted]", 10) == 0))
        return;
    if (fg_idmap_find(&comparing->map, hash, is_same, &same, &id) < 0) {
        if (comparing->count == FG_COMMON_FACETS_MAX) {
            comparing->is_full = true;
            return;
        }
        int r = fg_idmap_intern(&comparing->map, hash, is_same, &same, comparing->count, &id);
        if (r < 0) {
            comparing->error = r;
            return;
        }
        comparing->facets[comparing->count++] =
            (struct facet){.is = {fg_arena_copy(comparing->arena, service),
                                  fg_arena_copy(comparing->arena, attribute),
                                  fg_arena_copy(comparing->arena, value), 0, 0}};
    }
    struct facet *is = &comparing->facets[id];
    if (is->seen_in == comparing->journey)
        return;
    is->seen_in = comparing->journey;
    if (comparing->is_stopped)
        is->is.stopped++;
    else
        is->is.healthy++;
}

static bool is_among(struct fg_slice name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fg_slice_equal(name, fg_slice_from_string(names[i])))
            return true;
    return false;
}

static bool is_chosen(const struct fg_journeys *journeys, struct fg_slice name)
{
    for (uint32_t i = 0; i < journeys->options.facet_count; i++)
        if (fg_slice_equal(name, journeys->options.facets[i]))
            return true;
    return false;
}

static void count_attrs(struct comparing *comparing, const struct fg_case *c,
                        struct fg_slice service, const struct fg_attrs *attrs, uint32_t owner,
                        const char *const *names, size_t name_count)
{
    uint32_t begin, end;
    fg_attrs_range(attrs, owner, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        struct fg_slice name = c->batch->strings[attrs->key[i]];
        if (attrs->type[i] == FG_VALUE_STRING &&
            (is_among(name, names, name_count) || is_chosen(comparing->journeys, name)))
            count_facet(comparing, service, name, c->batch->strings[attrs->value[i]]);
    }
}

static void count_case(struct comparing *comparing, const struct fg_case *c)
{
    const struct fg_batch *batch = c->batch;
    for (uint32_t row = 0; row < batch->span_count; row++) {
        struct fg_slice service = fg_case_service(c, row);
        if (!c->mine[row])
            continue;
        bool is_first = true; /* of its resource, among the rows that follow one another */
        if (row > 0 && c->mine[row - 1] && batch->resource[row] == batch->resource[row - 1])
            is_first = false;
        if (is_first)
            count_attrs(comparing, c, service, &batch->resource_attrs, batch->resource[row],
                        of_resources, sizeof of_resources / sizeof *of_resources);
        count_attrs(comparing, c, service, &batch->span_attrs, row, of_spans,
                    sizeof of_spans / sizeof *of_spans);
    }
}

/* Reads a side's journeys while there is time; *ret_read is how many. */
static int read_side(struct comparing *comparing, const struct side *side,
                     uint64_t deadline_mono_ns, struct fg_trace_reader *reader,
                     struct fg_builder *builder, struct fg_arena *work, uint32_t *ret_read)
{
    struct fg_journeys *journeys = comparing->journeys;
    uint32_t i = 0;
    int r = 0;
    for (; r == 0 && i < side->count && comparing->error == 0; i++) {
        const struct chosen *is = &side->list[i];
        struct fg_case c;
        if (deadline_mono_ns && fg_env_mono_ns(journeys->options.env) >= deadline_mono_ns)
            break;
        const struct fg_case_wanted wanted = {.reader = reader,
                                              .tenant = journeys->options.tenant,
                                              .key = journeys->keys[is->key].name,
                                              .value = is->value,
                                              .traces = is->traces,
                                              .trace_count = is->trace_count,
                                              .now_ns = fg_env_wall_ns(journeys->options.env),
                                              .neighbours = journeys->neighbours,
                                              .flows = journeys->options.flows};
        fg_arena_reset(work);
        r = fg_case_read(&wanted, builder, work, &c);
        comparing->journey++;
        if (r == 0)
            count_case(comparing, &c);
    }
    *ret_read = i;
    return r < 0 ? r : comparing->error;
}

/* -- What tells them apart */

static double difference(const struct fg_journey_facet *facet, const struct fg_journey_common *of)
{
    return (double)facet->stopped / of->stopped - (double)facet->healthy / of->healthy;
}

static bool is_told(const struct fg_journey_facet *facet, const struct fg_journey_common *of)
{
    return facet->stopped >= FG_COMMON_STOPPED_SHARE * of->stopped &&
           facet->healthy <= FG_COMMON_HEALTHY_SHARE * of->healthy;
}

static int pick(const struct comparing *comparing, struct fg_journey_common *common)
{
    struct fg_journey_facet *told =
        fg_arena_calloc(comparing->arena, FG_COMMON_SHOWN_MAX + 1, sizeof *told);
    if (!told)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < comparing->count; i++) {
        const struct fg_journey_facet *is = &comparing->facets[i].is;
        if (!is_told(is, common))
            continue;
        uint32_t at = common->facet_count;
        for (; at > 0 && difference(&told[at - 1], common) < difference(is, common); at--)
            told[at] = told[at - 1];
        told[at] = *is;
        common->facet_count += common->facet_count < FG_COMMON_SHOWN_MAX;
    }
    common->facets = told;
    return 0;
}

int fg_journeys_common(struct fg_journeys *journeys, const struct fg_journey_filter *filter,
                       uint64_t deadline_mono_ns, struct fg_arena *arena,
                       struct fg_journey_common *ret_common)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct side *sides = calloc(2, sizeof *sides);
    struct comparing comparing = {.journeys = journeys, .arena = arena, .is_stopped = true};
    struct fg_journey_common common = {.count = 0};
    struct fg_trace_reader *reader = NULL;
    struct fg_builder *builder = NULL;
    struct fg_arena work;
    comparing.facets = calloc(FG_COMMON_FACETS_MAX, sizeof *comparing.facets);
    fg_idmap_init(&comparing.map);
    fg_arena_init(&work, ARENA_BYTES_MAX);
    limits.bytes_max = FG_CASE_BYTES_MAX;
    int r = sides && comparing.facets ? 0 : FG_ENOMEM;
    if (r == 0)
        r = choose(journeys, filter, &sides[0], &sides[1], arena, &common.count);
    common.are_few = r == 0 && (sides[0].count < FG_COMMON_JOURNEYS_MIN ||
                                sides[1].count < FG_COMMON_JOURNEYS_MIN);
    if (r == 0 && !common.are_few)
        r = fg_builder_new(&limits, &builder);
    if (r == 0 && builder)
        r = fg_trace_reader_new(journeys->options.store, &reader);
    uint64_t now_ns = fg_env_mono_ns(journeys->options.env); /* half of the time for each side */
    uint64_t half_ns = deadline_mono_ns ? now_ns + (deadline_mono_ns - now_ns) / 2 : 0;
    if (r == 0 && builder)
        r = read_side(&comparing, &sides[0], half_ns, reader, builder, &work, &common.stopped);
    comparing.is_stopped = false;
    if (r == 0 && builder)
        r = read_side(&comparing, &sides[1], deadline_mono_ns, reader, builder, &work,
                      &common.healthy);
    if (r == 0 && builder) {
        common.is_partial =
            comparing.is_full || common.stopped < sides[0].count || common.healthy < sides[1].count;
        common.are_few =
            common.stopped < FG_COMMON_JOURNEYS_MIN || common.healthy < FG_COMMON_JOURNEYS_MIN;
    }
    if (r == 0 && !common.are_few)
        r = pick(&comparing, &common);
    if (r == 0 && arena->overflow)
        r = FG_ELIMIT;
    fg_builder_free(builder);
    fg_trace_reader_free(reader);
    fg_idmap_free(&comparing.map);
    fg_arena_free(&work);
    free(comparing.facets);
    free(sides);
    if (r == 0)
        *ret_common = common;
    return r;
}
