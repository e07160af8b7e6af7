#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

bool world_is_durable;
uint32_t world_journeys_min;
uint64_t world_state_size = (uint64_t)64 << 20;
const char *world_flows;

static const char flow_text[] =
    "flows:\n"
    "  - name: order\n"
    "    key: order.id\n"
    "    within: 30s\n"
    "    steps:\n"
    "      - {name: placed, when: 'service:shop name=place'}\n"
    "      - {name: priced, when: 'service:mes name=price'}\n"
    "      - {name: shipped, when: 'service:mes name=ship', ends: done}\n";

void open_again(struct world *world)
{
    static const struct fg_slice keys[] = {{(const uint8_t *)"payment.id", 10}},
                                 facets[] = {{(const uint8_t *)"shelf", 5}};
    struct fg_journeys_options options = {
        .env = fg_sim_env(world->on.sim),
        .store = world->on.store,
        .flows = &world->flows,
        .keys = keys,
        .key_count = 1,
        .facets = facets,
        .facet_count = 1,
        .journeys_max = world->journeys_max,
        .journeys_min = world_journeys_min,
        .manual = true,
        .state = world->state,
        .consumer = world->state ? fg_store_consumer(world->on.store, FG_JOURNEYS_CONSUMER) : NULL};
    assert_int_equal(fg_journeys_open(&options, &world->journeys), 0);
    assert_int_equal(fg_journeys_step(world->journeys), 0);
}

void set_flows(struct world *world, const char *text)
{
    struct fg_buffer errors;
    fg_buffer_init(&errors, 4096);
    fg_flows_free(&world->flows);
    if (fg_flows_parse(fg_slice_from_string(text), "f", &world->arena, &errors, &world->flows) < 0)
        fail_msg("%.*s", (int)errors.size, (const char *)errors.data);
    fg_buffer_free(&errors);
}

static int position(void *arg, uint64_t *ret_store_id, uint64_t *ret_sequence)
{
    struct world *world = arg;
    return fg_state_position(world->state, FG_JOURNEYS_CONSUMER, ret_store_id, ret_sequence);
}

static int on_erased(void *arg, const struct fg_erased *erased)
{
    struct world *world = arg;
    fg_gone_free(&world->gone);
    fg_gone_init(&world->gone);
    return fg_journeys_erased(world->journeys, erased, &world->gone);
}

static void open_state(struct world *world)
{
    struct fg_arena arena;
    const char *message = "";
    snprintf(world->folder, sizeof world->folder, "/dev/shm/test-journeys-XXXXXX");
    if (!mkdtemp(world->folder)) {
        snprintf(world->folder, sizeof world->folder, "/tmp/test-journeys-XXXXXX");
        assert_non_null(mkdtemp(world->folder));
    }
    const struct fg_state_options options = {.folder = world->folder, .size_max = world_state_size};
    fg_arena_init(&arena, 4096);
    if (fg_state_open(&options, &arena, &message, &world->state) < 0)
        fail_msg("%s", message);
    fg_arena_free(&arena);
    world->consumer = (struct fg_consumer_options){
        .name = FG_JOURNEYS_CONSUMER, .position = position, .erased = on_erased, .arg = world};
}

void begin(struct world *world, uint32_t journeys_max)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    *world = (struct world){.journeys_max = journeys_max, .next_span = 1};
    fg_gone_init(&world->gone);
    fg_arena_init(&world->arena, (size_t)1 << 20);
    fg_arena_init(&world->answers, (size_t)256 << 20);
    set_flows(world, world_flows ? world_flows : flow_text);
    if (world_is_durable)
        open_state(world);
    sim_store_open_for(&world->on, 1, world->state ? &world->consumer : NULL);
    assert_int_equal(fg_builder_new(&limits, &world->builder), 0);
    world->begin_ns = fg_env_wall_ns(fg_sim_env(world->on.sim));
    open_again(world);
}

void reopen(struct world *world)
{
    fg_journeys_close(world->journeys);
    open_again(world);
}

void restart(struct world *world)
{
    fg_journeys_close(world->journeys);
    sim_store_restart(&world->on);
    open_again(world);
}

void end(struct world *world)
{
    fg_journeys_close(world->journeys);
    fg_builder_free(world->builder);
    sim_store_close(&world->on);
    if (world->state) {
        char command[128];
        fg_state_close(world->state);
        snprintf(command, sizeof command, "rm -rf '%s'", world->folder);
        assert_int_equal(system(command), 0); // NOLINT(cert-env33-c)
    }
    fg_gone_free(&world->gone);
    fg_flows_free(&world->flows);
    fg_arena_free(&world->arena);
    fg_arena_free(&world->answers);
}

void put(struct world *world, struct told told)
{
    struct fg_builder *builder = world->builder;
    struct fg_value service = {.type = FG_VALUE_STRING,
                               .bytes = fg_slice_from_string(told.service)};
    uint64_t start_ns = world->begin_ns + (uint64_t)(told.at * 1e9);
    struct fg_span span = {.trace_id_high = 1,
                           .trace_id_low = told.trace,
                           .span_id = told.id ? told.id : 1000 + world->next_span++,
                           .parent_span_id = told.parent,
                           .start_ns = start_ns,
                           .end_ns = told.open ? 0 : start_ns + 1000000,
                           .received_ns = told.received > 0
                                              ? world->begin_ns + (uint64_t)(told.received * 1e9)
                                              : start_ns,
                           .name = fg_slice_from_string(told.name),
                           .kind = told.kind ? told.kind : FG_SPAN_KIND_SERVER,
                           .status = told.error ? FG_STATUS_ERROR : FG_STATUS_UNSET,
                           .status_message = fg_slice_from_string(told.error)};
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_attr(builder, FG_SLICE("service.name"), &service), 0);
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &span.resource), 0);
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(
        fg_builder_scope_end(builder, FG_SLICE(""), FG_SLICE(""), FG_SLICE(""), 0, &span.scope), 0);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    if (told.value || told.number > 0) {
        struct fg_value value = {.type = FG_VALUE_STRING,
                                 .bytes = fg_slice_from_string(told.value)};
        if (!told.value)
            value = (struct fg_value){.type = FG_VALUE_INT, .bits = told.number};
        struct fg_slice key = fg_slice_from_string(told.key ? told.key : "order.id");
        assert_int_equal(fg_builder_span_attr(builder, key, &value), 0);
    }
    for (unsigned i = 0; told.attrs && told.attrs[i]; i += 2) {
        struct fg_value value = {.type = FG_VALUE_STRING,
                                 .bytes = fg_slice_from_string(told.attrs[i + 1])};
        assert_int_equal(fg_builder_span_attr(builder, fg_slice_from_string(told.attrs[i]), &value),
                         0);
    }
    for (unsigned i = 0; i < told.junk; i++) {
        char key[32];
        struct fg_value value = {.type = FG_VALUE_INT, .bits = i};
        int size = snprintf(key, sizeof key, "junk.%u", told.junk_from + i);
        assert_int_equal(fg_builder_span_attr(builder, fg_slice(key, (size_t)size), &value), 0);
    }
    if (told.link_trace) {
        struct fg_link link = {
            .trace_id_high = 1, .trace_id_low = told.link_trace, .span_id = told.link_id};
        assert_int_equal(fg_builder_link_begin(builder), 0);
        assert_int_equal(fg_builder_link_end(builder, &link), 0);
    }
    assert_int_equal(fg_builder_span_end(builder, &span), 0);
}

void append(struct world *world)
{
    sim_store_append(&world->on, world->builder);
    fg_builder_reset(world->builder);
}

struct fg_journeys_counters counters_of(struct world *world)
{
    struct fg_journeys_counters counters;
    fg_journeys_counters(world->journeys, &counters);
    return counters;
}

void send(struct world *world)
{
    append(world);
    assert_int_equal(fg_journeys_step(world->journeys), 0);
}

void tell(struct world *world, struct told told)
{
    put(world, told);
    send(world);
}

void wait_s(struct world *world, uint64_t seconds)
{
    fg_sim_advance(world->on.sim, seconds * FG_NS_PER_SECOND);
    assert_int_equal(fg_journeys_step(world->journeys), 0);
}

struct fg_verdict where(struct world *world, const char *value)
{
    struct fg_journey_answer answer;
    assert_int_equal(fg_journeys_where(world->journeys, FG_SLICE("order.id"),
                                       fg_slice_from_string(value), &world->answers, &answer),
                     0);
    return answer.verdict;
}

int find_row(void *arg, const struct fg_journey_row *row)
{
    struct found *found = arg;
    found->count++;
    if (found->value && fg_slice_equal(row->value, fg_slice_from_string(found->value)))
        found->row = *row;
    return 0;
}

void assert_board(struct world *world, const char *value, enum fg_journey_state state,
                  enum fg_cause cause)
{
    const struct fg_journey_filter all = {0};
    struct found found = {.value = value};
    uint64_t count;
    assert_int_equal(fg_journeys_list(world->journeys, &all, 1000, find_row, &found, &count), 0);
    assert_int_equal(count, found.count);
    assert_int_equal(found.row.state, state);
    assert_int_equal(found.row.cause, cause);
    struct fg_verdict verdict = where(world, value);
    assert_int_equal(verdict.state, state);
    assert_int_equal(verdict.finding.cause, cause);
}

const char *order_name(unsigned i)
{
    static char names[8][16];
    static unsigned next;
    char *name = names[next++ % 8];
    snprintf(name, 16, "O%u", i);
    return name;
}

uint64_t heard_s(struct world *world, const char *value)
{
    const struct fg_journey_filter all = {0};
    struct found found = {.value = value};
    uint64_t count;
    assert_int_equal(fg_journeys_list(world->journeys, &all, 1000, find_row, &found, &count), 0);
    return found.row.last_ns ? (found.row.last_ns - world->begin_ns) / FG_NS_PER_SECOND : 0;
}

static int count_row(void *arg, struct fg_slice key, struct fg_slice value)
{
    (void)key;
    (void)value;
    ++*(unsigned *)arg;
    return 0;
}

unsigned rows_of(struct world *world, const char *name)
{
    struct fg_state_view *view;
    unsigned count = 0;
    uint32_t table;
    assert_int_equal(fg_state_table(world->state, name, &table), 0);
    assert_int_equal(fg_state_view_take(world->state, &view), 0);
    assert_int_equal(fg_state_each(view, table, (struct fg_slice){0}, (struct fg_slice){0},
                                   count_row, &count, NULL),
                     0);
    fg_state_view_release(view);
    return count;
}
