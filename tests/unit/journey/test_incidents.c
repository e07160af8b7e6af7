/* Incidents over a keyed state on the real disk and a clock that the test moves: grouping, ends,
 * coming back, what people do, restarts and kills, the import of a table. */
#include "journey/gone.h"
#include "journey/incidents.h"

#include "base/limits.h"
#include "sim_env.h"
#include "store/state.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define STOPPED_MAX 4000u
#define TOLD_MAX    1024u

struct told {
    uint64_t id;
    enum fg_incident_news news;
};

struct world {
    char folder[64];
    struct fg_sim *sim;
    struct fg_state *state;
    struct fg_incidents *incidents;
    struct fg_journey_stopped stopped[STOPPED_MAX];
    char values[STOPPED_MAX][16];
    size_t count;
    struct told told[TOLD_MAX];
    size_t told_count;
    int tell_result;
    int pipe; /* of a child: where it says what it told */
    struct fg_arena arena;
};

static int tell(void *arg, const struct fg_incident *incident, enum fg_incident_news news)
{
    struct world *world = arg;
    if (world->tell_result < 0)
        return world->tell_result;
    assert_true(world->told_count < TOLD_MAX);
    struct told told = {incident->id, news};
    world->told[world->told_count++] = told;
    if (world->pipe > 0 && write(world->pipe, &told, sizeof told) != sizeof told)
        _exit(1);
    return 0;
}

static uint64_t now_ns(const struct world *world)
{
    return fg_env_wall_ns(fg_sim_env(world->sim));
}

static void open_all(struct world *world)
{
    static const struct fg_slice owners[] = {{(const uint8_t *)"mes-api=mes team", 16},
                                             {(const uint8_t *)"database/mes-db=dba", 19},
                                             {(const uint8_t *)"*=on call", 9}};
    struct fg_state_options state = {.folder = world->folder, .size_max = (uint64_t)64 << 20};
    const char *message;
    assert_int_equal(fg_state_open(&state, &world->arena, &message, &world->state), 0);
    struct fg_incidents_options options = {.env = fg_sim_env(world->sim),
                                           .state = world->state,
                                           .owners = owners,
                                           .owner_count = 3,
                                           .tell = tell,
                                           .arg = world,
                                           .manual = true};
    assert_int_equal(fg_incidents_open(&options, &world->incidents), 0);
}

static void close_all(struct world *world)
{
    fg_incidents_close(world->incidents);
    fg_state_close(world->state);
}

static struct world *begin(void)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    snprintf(world->folder, sizeof world->folder, "/dev/shm/test-incidents-XXXXXX");
    if (!mkdtemp(world->folder)) {
        snprintf(world->folder, sizeof world->folder, "/tmp/test-incidents-XXXXXX");
        assert_non_null(mkdtemp(world->folder));
    }
    fg_arena_init(&world->arena, (size_t)64 << 20);
    assert_int_equal(fg_sim_new(1, &world->sim), 0);
    open_all(world);
    return world;
}

static void end(struct world *world)
{
    char command[160];
    close_all(world);
    fg_sim_free(world->sim);
    fg_arena_free(&world->arena);
    snprintf(command, sizeof command, "rm -rf '%s'", world->folder);
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c)
    free(world);
}

static void restart(struct world *world)
{
    close_all(world);
    open_all(world);
}

/* -- Journeys that stand */

static void stop_at(struct world *world, unsigned order, enum fg_place_kind kind,
                    const char *service, const char *name, enum fg_cause cause)
{
    size_t i = world->count++;
    assert_true(i < STOPPED_MAX);
    snprintf(world->values[i], sizeof world->values[i], "ORD-%u", order);
    world->stopped[i] = (struct fg_journey_stopped){
        .key = FG_SLICE("order.id"),
        .value = fg_slice_from_string(world->values[i]),
        .state = FG_JOURNEY_BROKEN,
        .place = {kind, fg_slice_from_string(service), fg_slice_from_string(name)},
        .cause = cause,
        .text = FG_SLICE("it stopped"),
        .since_ns = now_ns(world)};
}

static void die(struct world *world, unsigned order)
{
    stop_at(world, order, FG_PLACE_PROCESS, "mes-api", "price.calculate", FG_CAUSE_DIED);
}

static void recover_all(struct world *world)
{
    world->count = 0;
}

static void step(struct world *world)
{
    assert_int_equal(fg_incidents_step(world->incidents, world->stopped, world->count), 0);
}

static void wait_s(struct world *world, uint64_t seconds)
{
    for (uint64_t i = 0; i < seconds; i++) {
        fg_sim_advance(world->sim, FG_NS_PER_SECOND);
        step(world);
    }
}

struct listed {
    const struct fg_incident *items;
    uint32_t count;
    uint64_t all, open;
};

static struct listed list(struct world *world)
{
    const struct fg_incident_filter filter = {0};
    struct listed listed;
    assert_int_equal(fg_incidents_list(world->incidents, &filter, 1000, &world->arena,
                                       &listed.items, &listed.count, &listed.all, &listed.open),
                     0);
    return listed;
}

static void assert_lists(struct world *world, unsigned all, unsigned open)
{
    struct listed listed = list(world);
    assert_int_equal(listed.all, all);
    assert_int_equal(listed.count, all);
    assert_int_equal(listed.open, open);
}

static void assert_text(struct fg_slice text, const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, text.size);
}

/* -- Grouping */

/* A fault that hits 200 orders, over many operations and over time, is one incident. */
static void test_one(void **state)
{
    struct world *world = begin();
    (void)state;
    uint64_t begin_ns = now_ns(world);
    for (unsigned i = 0; i < 200; i++) {
        stop_at(world, i, FG_PLACE_DATABASE, "mes-db", i % 2 ? "UPDATE prices" : "SELECT models",
                FG_CAUSE_CONNECTION_LIMIT);
        if (i % 20 == 0)
            wait_s(world, 1);
    }
    wait_s(world, 3);
    assert_lists(world, 1, 1);
    const struct fg_incident *is = list(world).items;
    assert_int_equal(is->order_count, 200);
    assert_int_equal(is->standing_count, 200);
    assert_int_equal(is->opened_ns, begin_ns);
    assert_int_equal(is->place.kind, FG_PLACE_DATABASE);
    assert_int_equal(is->cause, FG_CAUSE_CONNECTION_LIMIT);
    assert_text(is->owner, "dba");
    assert_text(is->text, "it stopped");
    assert_int_equal(world->told_count, 1);
    assert_int_equal(fg_incidents_of(world->incidents, FG_SLICE("order.id"), FG_SLICE("ORD-7")),
                     is->id);
    assert_int_equal(fg_incidents_of(world->incidents, FG_SLICE("order.id"), FG_SLICE("ORD-200")),
                     0);
    assert_int_equal(fg_incidents_of(world->incidents, FG_SLICE("payment.id"), FG_SLICE("ORD-7")),
                     0);
    end(world);
}

/* Two places, and two causes in one place, at once are as many. What nobody stopped is none. */
static void test_several(void **state)
{
    struct world *world = begin();
    (void)state;
    die(world, 1);
    stop_at(world, 2, FG_PLACE_PROCESS, "crm-api", "price.calculate", FG_CAUSE_DIED);
    stop_at(world, 3, FG_PLACE_PROCESS, "mes-api", "price.calculate", FG_CAUSE_HUNG);
    stop_at(world, 4, FG_PLACE_CONSUMER, "mes-api", "mes.orders", FG_CAUSE_GONE);
    stop_at(world, 5, FG_PLACE_UNKNOWN, "engraving", "", FG_CAUSE_NOT_INSTRUMENTED);
    stop_at(world, 6, FG_PLACE_UNKNOWN, "mes-api", "", FG_CAUSE_TELEMETRY_LOST);
    stop_at(world, 7, FG_PLACE_UNKNOWN, "mes-api", "", FG_CAUSE_SAMPLED_OUT);
    stop_at(world, 8, FG_PLACE_UNKNOWN, "mes-api", "", FG_CAUSE_DEADLINE_TOO_TIGHT);
    wait_s(world, 3);
    assert_lists(world, 4, 4);
    assert_text(list(world).items[0].owner, "mes team");
    end(world);
}

/* A verdict that is about to change makes no incident; the incident is there once it has settled.
 */
static void test_settles(void **state)
{
    struct world *world = begin();
    (void)state;
    stop_at(world, 1, FG_PLACE_UNKNOWN, "mes-api", "", FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    wait_s(world, 1);
    recover_all(world);
    die(world, 1);
    wait_s(world, 2);
    assert_lists(world, 0, 0);
    wait_s(world, 1);
    assert_lists(world, 1, 1);
    assert_int_equal(list(world).items[0].place.kind, FG_PLACE_PROCESS);
    end(world);
}

/* When more is known of a fault later, the incident of the first guess goes into the better one. */
static void test_merges(void **state)
{
    struct world *world = begin();
    (void)state;
    uint64_t begin_ns = now_ns(world);
    for (unsigned i = 0; i < 3; i++)
        stop_at(world, i, FG_PLACE_UNKNOWN, "mes-api", "", FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    wait_s(world, 5);
    assert_lists(world, 1, 1);
    assert_int_equal(fg_incidents_acknowledge(world->incidents, 1, FG_SLICE("Ann")), 0);
    recover_all(world);
    for (unsigned i = 0; i < 3; i++)
        die(world, i);
    wait_s(world, 4);
    assert_lists(world, 2, 1);
    struct listed listed = list(world);
    assert_int_equal(listed.items[0].opened_ns, begin_ns);
    assert_int_equal(listed.items[0].order_count, 3);
    assert_text(listed.items[0].acknowledged_by, "Ann");
    assert_int_equal(listed.items[1].merged_into, listed.items[0].id);
    assert_int_equal(world->told_count, 3); /* opened, opened, ended */
    wait_s(world, 60);
    assert_lists(world, 2, 1);
    end(world);
}

/* -- Ends */

/* It ends by itself when its orders go on, at the moment when the last one left; not while one that
 * is tried again and again flickers. */
static void test_recovers(void **state)
{
    struct world *world = begin();
    (void)state;
    die(world, 1);
    die(world, 2);
    uint64_t begin_ns = now_ns(world);
    wait_s(world, 10);
    for (unsigned i = 0; i < 10; i++) {
        recover_all(world);
        wait_s(world, 5);
        die(world, 1);
        wait_s(world, 1);
    }
    assert_lists(world, 1, 1);
    assert_int_equal(list(world).items[0].order_count, 2);
    recover_all(world);
    wait_s(world, 1);
    uint64_t left_ns = now_ns(world);
    wait_s(world, 29);
    assert_lists(world, 1, 1);
    assert_int_equal(list(world).items[0].standing_count, 0);
    wait_s(world, 2);
    assert_lists(world, 1, 0);
    const struct fg_incident *is = list(world).items;
    assert_int_equal(is->resolved_ns, left_ns);
    assert_int_equal(is->open_ns, left_ns - begin_ns);
    assert_int_equal(is->resolved_by.size, 0);
    assert_int_equal(world->told_count, 2);
    assert_int_equal(world->told[1].news, FG_INCIDENT_NEWS_END);
    end(world);
}

/* What comes back within a day is the same incident, reopened; later it is another one. */
static void test_comes_back(void **state)
{
    struct world *world = begin();
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        die(world, round);
        wait_s(world, 5);
        recover_all(world);
        wait_s(world, 40);
        fg_sim_advance(world->sim, 3600 * FG_NS_PER_SECOND);
    }
    assert_lists(world, 1, 0);
    const struct fg_incident *is = list(world).items;
    assert_int_equal(is->reopened_count, 1);
    assert_int_equal(is->order_count, 2);
    assert_int_equal(is->open_ns, 12 * FG_NS_PER_SECOND); /* twice five, and the look that saw it */
    assert_int_equal(world->told_count, 4);
    fg_sim_advance(world->sim, FG_INCIDENT_AGAIN_NS);
    die(world, 9);
    wait_s(world, 5);
    assert_lists(world, 2, 1);
    end(world);
}

/* By hand: orders that stand still don't bring it back, also after a restart; a new one does. */
static void test_by_hand(void **state)
{
    struct world *world = begin();
    (void)state;
    die(world, 1);
    die(world, 2);
    wait_s(world, 5);
    assert_int_equal(
        fg_incidents_resolve(world->incidents, 1, FG_SLICE("Ann"), FG_SLICE("lost for good")), 0);
    wait_s(world, 60);
    assert_lists(world, 1, 0);
    restart(world);
    wait_s(world, 60);
    assert_lists(world, 1, 0);
    assert_text(list(world).items[0].resolved_by, "Ann");
    assert_int_equal(list(world).items[0].standing_count, 2);
    assert_int_equal(list(world).items[0].order_count, 2);
    assert_int_equal(fg_incidents_of(world->incidents, FG_SLICE("order.id"), FG_SLICE("ORD-1")), 0);
    die(world, 3);
    wait_s(world, 5);
    assert_lists(world, 1, 1);
    assert_int_equal(list(world).items[0].reopened_count, 1);
    assert_int_equal(list(world).items[0].order_count, 3);
    end(world);
}

static void test_people(void **state)
{
    struct world *world = begin();
    struct fg_incident incident;
    const struct fg_incident_order *orders;
    uint32_t count;
    char long_name[FG_INCIDENT_BY_SIZE_MAX + 2];
    (void)state;
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    die(world, 1);
    die(world, 2);
    wait_s(world, 5);
    assert_int_equal(fg_incidents_acknowledge(world->incidents, 1, FG_SLICE("Ann")), 0);
    assert_int_equal(fg_incidents_note(world->incidents, 1, FG_SLICE("Bob"), FG_SLICE("restarted")),
                     0);
    assert_int_equal(fg_incidents_acknowledge(world->incidents, 7, FG_SLICE("Ann")), FG_ENOTFOUND);
    assert_int_equal(fg_incidents_acknowledge(world->incidents, 1, FG_SLICE("")), FG_EINVALID);
    assert_int_equal(fg_incidents_acknowledge(world->incidents, 1, FG_SLICE("\xff")), FG_EINVALID);
    assert_int_equal(fg_incidents_acknowledge(world->incidents, 1, fg_slice_from_string(long_name)),
                     FG_EINVALID);
    world->count = 1; /* the second goes on */
    wait_s(world, 1);
    assert_int_equal(
        fg_incidents_resolve(world->incidents, 1, FG_SLICE("Ann"), FG_SLICE("more memory")), 0);
    assert_int_equal(fg_incidents_resolve(world->incidents, 1, FG_SLICE("Bob"), FG_SLICE("")),
                     FG_EEXIST);
    assert_int_equal(fg_incidents_note(world->incidents, 1, FG_SLICE("Bob"), FG_SLICE("why")), 0);
    for (unsigned round = 0; round < 2; round++) {
        static const enum fg_incident_event_kind kinds[] = {
            FG_INCIDENT_OPENED, FG_INCIDENT_ACKNOWLEDGED, FG_INCIDENT_NOTED, FG_INCIDENT_RESOLVED,
            FG_INCIDENT_NOTED};
        assert_int_equal(
            fg_incidents_get(world->incidents, 1, &world->arena, &incident, &orders, &count), 0);
        assert_int_equal(incident.event_count, 5);
        for (unsigned i = 0; i < 5; i++)
            assert_int_equal(incident.events[i].kind, kinds[i]);
        assert_text(incident.events[2].by, "Bob");
        assert_text(incident.events[2].text, "restarted");
        assert_text(incident.acknowledged_by, "Ann");
        assert_int_equal(count, 2);
        assert_text(orders[0].key, "order.id");
        assert_text(orders[1].value, "ORD-2");
        assert_true(orders[0].stands && !orders[1].stands);
        restart(world);
        step(world);
    }
    assert_int_equal(
        fg_incidents_get(world->incidents, 7, &world->arena, &incident, &orders, &count),
        FG_ENOTFOUND);
    end(world);
}

/* -- Durability */

/* Who could not be told is told later, and nobody twice. */
static void test_told_later(void **state)
{
    struct world *world = begin();
    struct fg_incidents_counters counters;
    (void)state;
    world->tell_result = FG_EIO;
    die(world, 1);
    wait_s(world, 4);
    fg_incidents_counters(world->incidents, &counters);
    assert_true(counters.failed_tells > 0);
    restart(world);
    recover_all(world);
    wait_s(world, 60);
    assert_int_equal(world->told_count, 0);
    world->tell_result = 0;
    restart(world);
    wait_s(world, 3);
    assert_int_equal(world->told_count, 2);
    assert_int_equal(world->told[0].news, FG_INCIDENT_NEWS_OPEN);
    assert_int_equal(world->told[1].news, FG_INCIDENT_NEWS_END);
    restart(world);
    wait_s(world, 3);
    assert_int_equal(world->told_count, 2);
    end(world);
}

/* What happens over a time, the same whoever lives through it. */
static void live(struct world *world, unsigned from, unsigned to)
{
    for (unsigned second = from; second < to; second++) {
        recover_all(world);
        for (unsigned i = 0; i <= second && i < 30; i++)
            die(world, i);
        for (unsigned i = 0; i < 5 && second >= 10 && second < 20; i++)
            stop_at(world, 100 + i, FG_PLACE_DATABASE, "mes-db", "", FG_CAUSE_UNREACHABLE);
        wait_s(world, 1);
        if (second == 15)
            assert_int_equal(fg_incidents_acknowledge(world->incidents, 1, FG_SLICE("Ann")), 0);
    }
}

/* Killed at any moment: what was told is there under its number, and a fault is one incident still.
 */
static void test_kill(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 12; round++) {
        struct world *world = begin();
        struct told told[TOLD_MAX];
        size_t told_count = 0;
        int pipes[2];
        close_all(world);
        assert_int_equal(pipe(pipes), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(pipes[0]);
            open_all(world);
            world->pipe = pipes[1];
            live(world, 0, 60);
            _exit(0);
        }
        close(pipes[1]);
        usleep(1000 * (1 + round * 4)); /* any moment does */
        kill(child, SIGKILL);
        while (told_count < TOLD_MAX &&
               read(pipes[0], &told[told_count], sizeof *told) == (ssize_t)sizeof *told)
            told_count++;
        close(pipes[0]);
        assert_int_equal(waitpid(child, NULL, 0), child);
        open_all(world);
        for (size_t i = 0; i < told_count; i++) {
            struct fg_incident incident;
            const struct fg_incident_order *orders;
            uint32_t count;
            assert_int_equal(fg_incidents_get(world->incidents, told[i].id, &world->arena,
                                              &incident, &orders, &count),
                             0);
            assert_int_equal(incident.order_count, count); /* a commit is there whole */
            if (told[i].news == FG_INCIDENT_NEWS_END)
                assert_true(incident.resolved_ns > 0);
        }
        live(world, 0, 100);
        struct listed listed = list(world);
        assert_int_equal(listed.all, 2);
        assert_int_equal(listed.items[0].id + listed.items[1].id, 3);
        const struct fg_incident *died = &listed.items[0];
        assert_int_equal(died->cause, FG_CAUSE_DIED);
        assert_int_equal(died->order_count, 30);
        assert_text(died->acknowledged_by, "Ann");
        end(world);
    }
}

/* -- Bounds */

static void test_bounds(void **state)
{
    struct world *world = begin();
    struct fg_incidents_counters counters;
    char names[400][16];
    (void)state;
    for (unsigned i = 0; i < 400; i++) {
        snprintf(names[i], sizeof names[i], "host-%u", i);
        stop_at(world, i, FG_PLACE_DATABASE, names[i], "", FG_CAUSE_UNREACHABLE);
    }
    wait_s(world, 3);
    assert_lists(world, FG_INCIDENTS_OPEN_MAX, FG_INCIDENTS_OPEN_MAX);
    fg_incidents_counters(world->incidents, &counters);
    assert_true(counters.refused >= 144);
    recover_all(world);
    wait_s(world, 40);
    for (unsigned i = 0; i < FG_INCIDENT_ORDERS_MAX + 500; i++)
        die(world, i);
    wait_s(world, 3);
    restart(world);
    wait_s(world, 3);
    struct fg_incident incident;
    const struct fg_incident_order *orders;
    uint32_t count;
    uint64_t id = list(world).items[0].id;
    assert_int_equal(
        fg_incidents_get(world->incidents, id, &world->arena, &incident, &orders, &count), 0);
    assert_int_equal(count, FG_INCIDENT_ORDERS_MAX);
    assert_int_equal(incident.order_count, FG_INCIDENT_ORDERS_MAX + 500);
    for (unsigned i = 0; i < 2 * FG_INCIDENT_EVENTS_MAX; i++)
        assert_int_equal(fg_incidents_note(world->incidents, id, FG_SLICE("Ann"), FG_SLICE("n")),
                         0);
    assert_int_equal(
        fg_incidents_get(world->incidents, id, &world->arena, &incident, &orders, &count), 0);
    assert_int_equal(incident.event_count, FG_INCIDENT_EVENTS_MAX);
    assert_int_equal(incident.events[0].kind, FG_INCIDENT_OPENED);
    end(world);
}

/* -- The table of before */

static int import(struct world *world, const char *csv, struct fg_buffer *errors,
                  uint32_t *ret_taken, uint32_t *ret_known)
{
    fg_buffer_init(errors, 8192);
    return fg_incidents_import(world->incidents, fg_slice_from_string(csv), errors, ret_taken,
                               ret_known);
}

static void test_import(void **state)
{
    static const char csv[] =
        "\xef\xbb\xbfplace, opened ,resolved,orders,cause,note\r\n"
        "database/mes-db,2001-09-02T08:10:00Z,2001-09-02T12:40:00Z,41,connection_limit,\r\n"
        "\r\n"
        "\"mes-api\",2001-09-03,2001-09-04,ORD-1; ORD-2 ORD-1,\"the \"\"price\"\"\nwas wrong, "
        "twice\",\"restarted, by hand\"\n"
        "a/b,2001-10-01T00:00:00Z,2001-10-01T00:00:00Z,,,";
    struct world *world = begin();
    struct fg_buffer errors;
    uint32_t taken, known;
    (void)state;
    assert_int_equal(import(world, csv, &errors, &taken, &known), 0);
    fg_buffer_free(&errors);
    assert_int_equal(taken, 3);
    assert_int_equal(known, 0);
    for (unsigned round = 0; round < 2; round++) {
        assert_lists(world, 3, 0);
        const struct fg_incident *items = list(world).items;
        assert_text(items[0].place.service, "a/b");
        assert_int_equal(items[0].open_ns, 0);
        assert_text(items[1].text, "the \"price\"\nwas wrong, twice");
        assert_int_equal(items[1].order_count, 2);
        assert_int_equal(items[1].place.kind, FG_PLACE_UNKNOWN);
        assert_int_equal(items[2].order_count, 41);
        assert_int_equal(items[2].place.kind, FG_PLACE_DATABASE);
        assert_int_equal(items[2].cause, FG_CAUSE_CONNECTION_LIMIT);
        assert_int_equal(items[2].open_ns, 16200 * FG_NS_PER_SECOND);
        assert_true(items[2].is_imported);
        assert_int_equal(import(world, csv, &errors, &taken, &known), 0);
        fg_buffer_free(&errors);
        assert_int_equal(taken, 0);
        assert_int_equal(known, 3);
        restart(world);
    }
    assert_int_equal(world->told_count, 0);
    end(world);
}

/* Each wrong line is said with its number, and nothing is taken. */
static void test_import_errors(void **state)
{
    static const struct {
        const char *csv, *says;
    } cases[] = {
        {"", "line 1: the table is empty"},
        {"opened,resolved\n", "line 1: the column is missing: \"place\""},
        {"opened,resolved,place,size\n", "line 1: there is no such column"},
        {"opened,resolved,place,place\n", "line 1: the column stands twice: \"place\""},
        {"opened,resolved,place\n", "line 2: there is no line below"},
        {"opened,resolved,place\n2001-01-01,2001-01-02\n", "line 2: it has not as many fields"},
        {"opened,resolved,place\n2001-01-01,2001-01-02,a\nyesterday,2001-01-02,a\n",
         "line 3: opened: expected a moment like 2026-09-02T08:10:00Z: \"yesterday\""},
        {"opened,resolved,place\n2001-01-01,,a\n", "line 2: resolved: expected"},
        {"opened,resolved,place\n2001-01-02,2001-01-01,a\n", "line 2: it was resolved before"},
        {"opened,resolved,place\n2001-01-02,2400-01-01,a\n", "line 2: resolved: that is not over"},
        {"opened,resolved,place\n2001-01-01,2001-01-02,\n", "line 2: place: expected"},
        {"opened,resolved,place\n2001-01-01,2001-01-02,database/\n", "place: the service is"},
        {"opened,resolved,place\n\n2001-01-01,2001-01-02,\"a\n", "line 3: a quote is not closed"},
        {"opened,resolved,place\n2001-01-01,2001-01-02,\"a\"b\n", "line 2: something stands"},
        {"opened,resolved,place\n2001-01-01,2001-01-02,\xff\n", "line 2: it is no UTF-8"},
        {"opened,resolved,place\nx,y,a\nx,y,a\nx,y,a\nx,y,a\nx,y,a\nx,y,a\nx,y,a\nx,y,a\nx,y,a\nx,y"
         ",a\nx,y,a\nx,y,a\nx,y,a\nx,y,a\nx,y,a\nx,y,a\nx,y,a\nx,y,a\nx,y,a\nx,y,a\nx,y,a\nx,y,a\n",
         "and 2 more"},
    };
    struct world *world = begin();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fg_buffer errors;
        uint32_t taken, known;
        assert_int_equal(import(world, cases[i].csv, &errors, &taken, &known), FG_EINVALID);
        fg_buffer_append_byte(&errors, 0);
        if (!strstr((const char *)errors.data, cases[i].says))
            fail_msg("case %zu says: %s", i, errors.data);
        fg_buffer_free(&errors);
        assert_lists(world, 0, 0);
    }
    end(world);
}

static void test_owner_rules(void **state)
{
    (void)state;
    assert_true(fg_owner_rule_is_valid(FG_SLICE("mes-api=mes team")));
    assert_true(fg_owner_rule_is_valid(FG_SLICE("database/mes-db=dba")));
    assert_true(fg_owner_rule_is_valid(FG_SLICE("*=on call")));
    assert_false(fg_owner_rule_is_valid(FG_SLICE("mes-api")));
    assert_false(fg_owner_rule_is_valid(FG_SLICE("mes-api=")));
    assert_false(fg_owner_rule_is_valid(FG_SLICE("=dba")));
    assert_false(fg_owner_rule_is_valid(FG_SLICE("database/=dba")));
}

/* Whether a value is among the orders that are listed of the first incident. */
static bool lists(struct world *world, const char *value)
{
    struct fg_incident incident;
    const struct fg_incident_order *orders;
    uint32_t count;
    assert_int_equal(
        fg_incidents_get(world->incidents, 1, &world->arena, &incident, &orders, &count), 0);
    for (uint32_t i = 0; i < count; i++)
        if (fg_slice_equal(orders[i].value, fg_slice_from_string(value)))
            return true;
    return false;
}

/* Who was erased is in no list and no text, and none of whom is left is taken for them; what was
 * counted stays; who comes after is listed. */
static void test_erased(void **state)
{
    struct world *world = begin();
    struct fg_gone gone;
    struct fg_incident incident;
    const struct fg_incident_order *orders;
    uint32_t count;
    (void)state;
    for (unsigned i = 0; i < 30; i++)
        die(world, i);
    wait_s(world, 3);
    assert_int_equal(fg_incidents_note(world->incidents, 1, FG_SLICE("Ann"),
                                       FG_SLICE("ORD-29, ORD-2; not ORD-290 or XORD-29: ORD-29")),
                     0);
    fg_gone_init(&gone);
    fg_gone_add(&gone, FG_SLICE("order.id"), FG_SLICE("ORD-29"));
    fg_gone_add(&gone, FG_SLICE("order.id"), FG_SLICE("ORD-4"));
    fg_gone_add(&gone, FG_SLICE("customer.id"), FG_SLICE("ORD-5"));
    assert_int_equal(fg_incidents_erased(world->incidents, &gone), 0);
    world->count = 4; /* the journeys know of them no more */
    for (unsigned round = 0; round < 2; round++) {
        assert_false(lists(world, "ORD-29"));
        assert_false(lists(world, "ORD-4"));
        assert_true(lists(world, "ORD-5"));
        assert_int_equal(
            fg_incidents_get(world->incidents, 1, &world->arena, &incident, &orders, &count), 0);
        assert_int_equal(count, 28);
        assert_int_equal(incident.order_count, 30);
        assert_text(incident.events[1].text, "[erased], ORD-2; not ORD-290 or XORD-29: [erased]");
        restart(world);
    }
    wait_s(world, 1);
    die(world, 77);
    wait_s(world, 3);
    assert_true(lists(world, "ORD-77"));
    assert_true(lists(world, "ORD-28"));
    die(world, 4); /* new spans came */
    wait_s(world, 3);
    assert_true(lists(world, "ORD-4"));
    gone.all = true;
    assert_int_equal(fg_incidents_erased(world->incidents, &gone), 0);
    assert_int_equal(
        fg_incidents_get(world->incidents, 1, &world->arena, &incident, &orders, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(incident.order_count, 32);
    fg_gone_free(&gone);
    end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),           cmocka_unit_test(test_several),
        cmocka_unit_test(test_settles),       cmocka_unit_test(test_merges),
        cmocka_unit_test(test_recovers),      cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_by_hand),       cmocka_unit_test(test_people),
        cmocka_unit_test(test_told_later),    cmocka_unit_test(test_kill),
        cmocka_unit_test(test_bounds),        cmocka_unit_test(test_import),
        cmocka_unit_test(test_import_errors), cmocka_unit_test(test_owner_rules),
        cmocka_unit_test(test_erased),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
