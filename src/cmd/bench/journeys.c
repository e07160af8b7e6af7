#include "journeys.h"

#include "../progress.h"
#include "ask.h"
#include "base/limits.h"
#include "base/units.h"
#include "beside.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SPANS_PER_REQUEST 520u
#define WORDS_MAX         60u
#define LOOK_NS           500000000
/* A company's traffic comes in periods, in each of which one in so many of the orders that are
 * under way ends. Both servers take each of them, now the one first, now the other: a period takes
 * some seconds, so that a minute in which the machine gives less is one for both. What a server
 * does while it waits counts as its own. */
#define SETS_SHARE 100u
#define NEW        10u /* of a server which has just been started */
#define WARM       20u /* from then on it has run for a while */
#define PERIODS    60u
/* Of the flood. */
#define FLOOD_PERIODS 40u
/* Of a follower that does not get on. */
#define STALL_NS (120 * FG_NS_PER_SECOND)

static const char flow_text[] =
    "flows:\n"
    "  - name: order\n"
    "    key: order.id\n"
    "    steps:\n"
    "      - {name: placed, when: 'name=\"POST /api/orders\"'}\n"
    "      - {name: priced, when: 'name=price.calculate', within: 1h}\n"
    "      - {name: shipped, when: 'name=ship', within: 60d, ends: done}\n";

/* As demo/flow.yaml has it, without what nobody sends here. */
static const char company_flow_text[] =
    "flows:\n"
    "  - name: order\n"
    "    key: order.id\n"
    "    within: 15s\n"
    "    shown-key: order.status.shown\n"
    "    status-key: order.status\n"
    "    steps:\n"
    "      - {name: placed, when: service:shop-api order.status=INITIATED}\n"
    "      - {name: model, when: service:shop-api order.status=MODEL_UPLOADED, human: customer, "
    "within: 1d}\n"
    "      - {name: submitted, when: service:shop-api order.status=SUBMITTED, human: customer, "
    "within: 1d}\n"
    "      - {name: priced, when: service:mes-api order.status=PRICE_CALCULATED, within: 1h}\n"
    "      - {name: offered, when: service:crm-api order.status=PRICE_CALCULATED, within: 1h}\n"
    "      - {name: approved, when: service:crm-api order.status=MANUFACTURING_APPROVED, human: "
    "seller, within: 2d}\n"
    "      - {name: accepted, when: service:mes-api order.status=MANUFACTURING_APPROVED, within: "
    "1h}\n"
    "      - {name: started, when: service:mes-api order.status=MANUFACTURING_STARTED, human: "
    "operator, within: 7d}\n"
    "      - {name: completed, when: service:mes-api order.status=MANUFACTURING_COMPLETED, human: "
    "operator, within: 7d}\n"
    "      - {name: packed, when: service:mes-api order.status=PACKAGING, human: packer, within: "
    "1d}\n"
    "      - {name: shipped, when: service:mes-api order.status=SHIPPED, human: packer, within: "
    "1d}\n"
    "      - {name: told, when: service:crm-api order.status=SHIPPED, within: 1h}\n"
    "      - {name: closed, when: service:shop-api order.status=CLOSED, human: customer, within: "
    "14d, ends: done}\n"
    "      - {name: cancelled, when: service:shop-api order.status=CANCELLED, after: [placed, "
    "model, submitted, priced, offered, approved, accepted, started], ends: cancelled}\n";

/* A server that is measured. */
struct side {
    struct fg_bench_server *server;
    struct fg_bench_ask ask;
};

struct bench {
    struct fg_cli *cli;
    const struct fg_bench_journeys_options *options;
    struct fg_bench_journeys_figures *figures;
    struct fg_bench_shape *shape;
    struct side *side; /* that is measured now */
    struct fg_bench_load_result *load;
    struct fg_progress progress;
    uint64_t spans_to_come, spans_before; /* of what is done, and of it before this load */
    uint64_t resident_bytes_max;
    uint64_t open; /* journeys, when all was followed last */
};

static int say(const struct bench *bench, int r, const char *what)
{
    fprintf(bench->cli->err, "filigree: bench: %s: %s\n", what, fg_error_name(r));
    return r;
}

/* -- Filling -------------------------------------------------------------------------------------
 */

/* Of one period of the flood: all together bring the orders. */
static uint64_t flood_requests(const struct bench *bench)
{
    uint32_t orders = fg_bench_orders_per_request(bench->shape) * FLOOD_PERIODS;
    return (bench->options->journey_count + orders - 1) / orders;
}

static uint64_t request_count(const struct bench *bench)
{
    return flood_requests(bench) * FLOOD_PERIODS;
}

static bool is_filling(void *arg, uint64_t spans)
{
    struct bench *bench = arg;
    struct fg_bench_usage usage;
    fg_progress_update(&bench->progress, bench->spans_before + spans, bench->spans_to_come);
    if (fg_bench_usage_read(bench->cli, bench->side->server->pid, &usage) == 0 &&
        usage.resident_bytes > bench->resident_bytes_max)
        bench->resident_bytes_max = usage.resident_bytes;
    return true;
}

static void nothing(void *arg, uint64_t request)
{
    (void)arg;
    (void)request;
}

/* requests of a shape from first on; what was measured is added to *ret. */
static int fill(struct bench *bench, const struct fg_bench_shape *shape, uint64_t first,
                uint64_t requests, struct fg_bench_followed *ret)
{
    struct fg_bench_load load = {.env = bench->cli->env,
                                 .shape = shape,
                                 .address = bench->side->server->otlp,
                                 .path = "/v1/traces",
                                 .connection_count = bench->options->connection_count,
                                 .duration_ns = UINT64_MAX / 2,
                                 .first_request = first,
                                 .request_count = requests,
                                 .acknowledged = nothing,
                                 .tick = is_filling,
                                 .arg = bench};
    bench->resident_bytes_max = 0;
    int r = fg_bench_load_run(&load, bench->load);
    bench->spans_before += bench->load->spans;
    ret->spans += bench->load->spans;
    ret->load_seconds += (double)bench->load->elapsed_ns / 1e9;
    if (ret->resident_bytes_max < bench->resident_bytes_max)
        ret->resident_bytes_max = bench->resident_bytes_max;
    if (r == 0 && bench->load->requests < load.request_count)
        r = FG_EIO;
    if (r < 0)
        fprintf(bench->cli->err, "filigree: bench: only %" PRIu64 " spans were taken: %s\n",
                bench->load->spans,
                *bench->load->problem ? bench->load->problem : fg_error_name(r));
    return r;
}

static void begin_doing(struct bench *bench, const char *doing, uint64_t spans)
{
    bench->spans_to_come = spans;
    bench->spans_before = 0;
    fg_progress_begin(&bench->progress, bench->cli, doing, false);
}

/* Journeys that are known, and those of them that are open. */
static int count_journeys(struct bench *bench, uint64_t *ret_all, uint64_t *ret_open)
{
    json_t *root = fg_bench_ask_get(&bench->side->ask, "/api/v1/board"), *count;
    uint64_t all = 0;
    const char *state;
    if (!root)
        return FG_EIO;
    json_t *states = json_object_get(root, "states");
    json_object_foreach(states, state, count) all += fg_bench_ask_member(states, state);
    *ret_all = all;
    *ret_open =
        all - fg_bench_ask_member(states, "done") - fg_bench_ask_member(states, "cancelled");
    json_decref(root);
    return 0;
}

/* Until every order is a journey, where there are any. */
static int wait_for_follower(struct bench *bench, uint64_t wanted)
{
    uint64_t all = 0, before = 0, open = 0, moved_ns = fg_env_mono_ns(bench->cli->env);
    while (wanted > 0) {
        int r = count_journeys(bench, &all, &open);
        if (r < 0 || all >= wanted) {
            bench->open = open;
            return r;
        }
        uint64_t now_ns = fg_env_mono_ns(bench->cli->env);
        if (all != before)
            moved_ns = now_ns;
        if (now_ns - moved_ns > STALL_NS) {
            fprintf(bench->cli->err,
                    "filigree: bench: of %" PRIu64 " orders only %" PRIu64 " are followed\n",
                    wanted, all);
            return FG_ETIMEOUT;
        }
        before = all;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    }
    return 0;
}

static int settle(struct bench *bench)
{
    json_t *sealed = fg_bench_ask_post(&bench->side->ask, "/api/v1/admin/seal");
    json_t *merged = sealed ? fg_bench_ask_post(&bench->side->ask, "/api/v1/admin/merge") : NULL;
    int r = merged ? 0 : FG_EIO;
    json_decref(sealed);
    json_decref(merged);
    return r;
}

/* -- Measuring one server ------------------------------------------------------------------------
 */

static const char *const following[] = {"journeys", "fg-state"}, *const merging[] = {"fg-maintain",
                                                                                     "admin-0",
                                                                                     "admin-1"};

static double threads_seconds(const struct bench *bench, const char *const *names, size_t count)
{
    double seconds = 0;
    for (size_t i = 0; i < count; i++)
        seconds += fg_bench_thread_seconds(bench->cli, bench->side->server->pid, names[i]);
    return seconds;
}

static void measure(struct bench *bench, struct fg_bench_followed *ret)
{
    const struct fg_bench_server *server = bench->side->server;
    struct fg_bench_usage usage = {0};
    char path[FG_BENCH_PATH_SIZE + 8];
    uint64_t all = 0, fixed = 0, state = 0, state_fixed = 0;
    if (fg_bench_usage_read(bench->cli, server->pid, &usage) == 0)
        ret->cpu_seconds = usage.cpu_seconds; /* a start takes some hundredths of it */
    ret->resident_bytes = usage.resident_bytes;
    ret->follower_seconds = threads_seconds(bench, following, sizeof following / sizeof *following);
    ret->merging_seconds = threads_seconds(bench, merging, sizeof merging / sizeof *merging);
    snprintf(path, sizeof path, "%s/state", server->data);
    if (fg_bench_folder_size(bench->cli, server->data, &all, &fixed) == 0 &&
        fg_bench_folder_size(bench->cli, path, &state, &state_fixed) == 0) {
        ret->state_bytes = state;
        ret->spans_bytes = all - state;
    }
}

static int start(struct bench *bench)
{
    uint64_t ready_ns;
    int r = fg_bench_server_start(bench->side->server);
    if (r == 0)
        r = fg_bench_server_wait(bench->side->server, &ready_ns);
    bench->side->ask.cli = bench->cli;
    return r == 0 ? fg_bench_ask_connect(&bench->side->ask, bench->side->server) : r;
}

static void end(struct bench *bench, bool is_over)
{
    fg_bench_server_end(bench->side->server, SIGTERM);
    if (is_over)
        fg_bench_server_clean(bench->side->server);
    fg_bench_ask_free(&bench->side->ask);
    bench->side = NULL;
}

/* Until all was followed that is (known: orders; 0: none are followed), sealed and merged. */
static int come_to_rest(struct bench *bench, uint64_t known, struct fg_bench_followed *ret)
{
    uint64_t begin_ns = fg_env_mono_ns(bench->cli->env);
    int r = wait_for_follower(bench, known);
    ret->behind_seconds = (double)(fg_env_mono_ns(bench->cli->env) - begin_ns) / 1e9;
    if (r == 0)
        r = settle(bench);
    if (r == 0)
        measure(bench, ret);
    return r;
}

/* -- Asking where orders are ---------------------------------------------------------------------
 */

static int where(struct bench *bench, uint64_t order, struct fg_bench_histogram *took)
{
    struct fg_bench_journeys_figures *figures = bench->figures;
    char path[120];
    snprintf(path, sizeof path, "/api/v1/journeys/order.id/ORD-%08" PRIu64, order % 100000000);
    uint64_t begin_ns = fg_env_mono_ns(bench->cli->env);
    json_t *root = fg_bench_ask_get(&bench->side->ask, path);
    fg_bench_histogram_add(took, fg_env_mono_ns(bench->cli->env) - begin_ns);
    if (!root)
        return FG_EIO;
    const char *state = json_string_value(json_object_get(root, "state")),
               *step = json_string_value(json_object_get(root, "last_step"));
    if ((!state || strcmp(state, "flowing") != 0 || !step || strcmp(step, "priced") != 0) &&
        figures->wrong++ == 0)
        snprintf(figures->first_wrong, sizeof figures->first_wrong, "ORD-%08" PRIu64, order);
    json_decref(root);
    return 0;
}

static double server_seconds(const struct bench *bench)
{
    struct fg_bench_usage usage;
    int r = fg_bench_usage_read(bench->cli, bench->side->server->pid, &usage);
    return r == 0 ? usage.cpu_seconds : 0;
}

static int ask_all(struct bench *bench, struct fg_bench_histogram *took)
{
    size_t count = bench->options->lookup_count;
    uint64_t all = request_count(bench) * fg_bench_orders_per_request(bench->shape);
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = where(bench, fg_bench_mix(bench->options->seed + i) % all, took);
    return r;
}

static int ask_quiet(struct bench *bench)
{
    struct fg_bench_journeys_figures *figures = bench->figures;
    size_t count = bench->options->lookup_count;
    struct fg_bench_histogram warm_up = {{0}, 0, 0, 0};
    int r = 0;
    for (size_t i = 0; r == 0 && i < count / 10; i++)
        r = where(bench, i, &warm_up);
    double begin_seconds = server_seconds(bench);
    if (r == 0)
        r = ask_all(bench, &figures->where);
    if (r == 0 && count > 0)
        figures->where_seconds = (server_seconds(bench) - begin_seconds) / (double)count;
    return r;
}

/* New orders come meanwhile, others go from memory to disk for them, and batches are committed. */
static int ask_busy(struct bench *bench)
{
    struct fg_bench_beside beside;
    const struct fg_bench_load load = {.env = bench->cli->env,
                                       .shape = bench->shape,
                                       .address = bench->side->server->otlp,
                                       .path = "/v1/traces",
                                       .connection_count = bench->options->connection_count,
                                       .rate_spans = bench->options->busy_rate_spans,
                                       .first_request = request_count(bench)};
    uint64_t spans;
    double seconds;
    int r = fg_bench_beside_start(&beside, &load);
    if (r < 0)
        return say(bench, r, "the load beside the questions");
    r = ask_all(bench, &bench->figures->busy);
    int sent = fg_bench_beside_end(&beside, &spans, &seconds);
    if (seconds > 0)
        bench->figures->busy_spans = (double)spans / seconds;
    return r == 0 && sent < 0 ? say(bench, sent, "the load beside the questions") : r;
}

/* -- The run -------------------------------------------------------------------------------------
 */

/* The server as it is, with words behind those that it is started with. */
static void with_words(const struct fg_bench_server *server, char *const *words, size_t count,
                       char **all, struct fg_bench_server *ret)
{
    size_t known =
        server->option_count < WORDS_MAX - count ? server->option_count : WORDS_MAX - count;
    memcpy(all, words, count * sizeof *all);
    if (known > 0)
        memcpy(all + count, server->options, known * sizeof *all);
    *ret = *server;
    ret->options = all;
    ret->option_count = count + known;
}

static char *const unfollowed_words[] = {"--journey-keys", "filigree.bench.none"};

static int write_flow(struct bench *bench, const char *path, struct fg_slice text)
{
    struct fg_file *file;
    int r = fg_env_open(bench->cli->env, path, FG_OPEN_WRITE | FG_OPEN_CREATE | FG_OPEN_TRUNCATE,
                        &file);
    if (r < 0)
        return say(bench, r, path);
    r = fg_file_pwrite(file, 0, text.data, text.size);
    fg_file_close(file);
    return r < 0 ? say(bench, r, path) : 0;
}

/* -- Two servers by turns ------------------------------------------------------------------------
 */

struct pair {
    struct side off, on;
    const char *doing;
    const struct fg_bench_shape *placed;
    uint64_t open;     /* orders that are placed before, and under way from then on */
    uint64_t requests; /* of a period */
};

static int place(struct bench *bench, struct pair *pair, struct side *side)
{
    uint32_t orders = fg_bench_orders_per_request(pair->placed);
    struct fg_bench_followed before = {0};
    bench->side = side;
    int r = start(bench);
    if (r == 0)
        r = fill(bench, pair->placed, 0, pair->open / orders, &before);
    return r == 0 ? come_to_rest(bench, side == &pair->on ? pair->open : 0, &before) : r;
}

static int place_all(struct bench *bench, struct pair *pair)
{
    begin_doing(bench, "a company's orders",
                2 * pair->open / fg_bench_orders_per_request(pair->placed) *
                    fg_bench_spans_per_request(pair->placed));
    int r = place(bench, pair, &pair->off);
    if (r == 0)
        r = place(bench, pair, &pair->on);
    fg_progress_end(&bench->progress);
    return r;
}

static int run_period(struct bench *bench, const struct pair *pair, struct side *side,
                      uint32_t period, struct fg_bench_followed *ret)
{
    bench->side = side;
    return fill(bench, bench->shape, period * pair->requests, pair->requests, ret);
}

static void begin_to_measure(struct bench *bench, struct side *side, struct fg_bench_followed *ret)
{
    bench->side = side;
    measure(bench, ret);
}

/* Until all that came was followed, sealed and merged; what was spent since it began. */
static int end_measuring(struct bench *bench, struct side *side, uint64_t known,
                         const struct fg_bench_followed *begin, struct fg_bench_followed *ret)
{
    bench->side = side;
    int r = come_to_rest(bench, known, ret);
    ret->cpu_seconds -= begin->cpu_seconds;
    ret->follower_seconds -= begin->follower_seconds;
    ret->merging_seconds -= begin->merging_seconds;
    return r;
}

/* The periods from one on and before another. */
static int run_periods(struct bench *bench, struct pair *pair, uint32_t from, uint32_t to,
                       struct fg_bench_followed *ret_off, struct fg_bench_followed *ret_on)
{
    struct fg_bench_followed off = {0}, on = {0};
    uint64_t known = pair->open + to * pair->requests * fg_bench_orders_per_request(bench->shape);
    int r = 0;
    begin_to_measure(bench, &pair->off, &off);
    begin_to_measure(bench, &pair->on, &on);
    begin_doing(bench, pair->doing,
                2 * (to - from) * pair->requests * fg_bench_spans_per_request(bench->shape));
    for (uint32_t i = 2 * from; r == 0 && i < 2 * to; i++) {
        uint32_t period = i / 2;
        bool is_on = (i + period) % 2 != 0; /* now the one is first, now the other */
        r = run_period(bench, pair, is_on ? &pair->on : &pair->off, period,
                       is_on ? ret_on : ret_off);
    }
    fg_progress_end(&bench->progress);
    if (r == 0)
        r = end_measuring(bench, &pair->off, 0, &off, ret_off);
    if (r == 0)
        r = end_measuring(bench, &pair->on, known, &on, ret_on);
    return r;
}

static int run_traffic(struct bench *bench, struct pair *pair)
{
    struct fg_bench_journeys_figures *figures = bench->figures;
    struct fg_bench_followed off = {0}, on = {0}; /* between the two that are told */
    int r = place_all(bench, pair);
    if (r == 0)
        r = run_periods(bench, pair, 0, NEW, &figures->company_new_off, &figures->company_new_on);
    if (r == 0)
        r = run_periods(bench, pair, NEW, WARM, &off, &on);
    if (r == 0)
        r = run_periods(bench, pair, WARM, PERIODS, &figures->company_off, &figures->company_on);
    figures->company_open = bench->open;
    return r;
}

static int run_company(struct bench *bench, const struct fg_bench_server *server,
                       const struct fg_bench_shape *placed)
{
    char path[FG_BENCH_PATH_SIZE + 16];
    char *const words[] = {"--flows", path};
    char *off_words[WORDS_MAX], *on_words[WORDS_MAX];
    struct fg_bench_server off, on;
    struct pair company = {.off = {.server = &off},
                           .on = {.server = &on},
                           .doing = "a company's traffic",
                           .placed = placed};
    uint32_t placed_orders = fg_bench_orders_per_request(placed);
    company.open =
        (bench->options->journey_count + placed_orders - 1) / placed_orders * placed_orders;
    company.requests = company.open / SETS_SHARE / fg_bench_orders_per_request(bench->shape) + 1;
    fg_bench_shape_open(bench->shape, company.open);
    with_words(server, unfollowed_words, 2, off_words, &off);
    with_words(server, words, 2, on_words, &on);
    int r = fg_bench_server_prepare(&off, NULL);
    if (r < 0)
        return r;
    r = fg_bench_server_prepare(&on, NULL);
    if (r == 0) {
        snprintf(path, sizeof path, "%s/flow.yaml", on.folder);
        r = write_flow(bench, path, fg_slice_from_string(company_flow_text));
        if (r == 0)
            r = run_traffic(bench, &company);
        bench->side = &company.on;
        end(bench, true);
    }
    bench->side = &company.off;
    end(bench, true);
    return r;
}

/* Each order comes once, and never again. */
static int run_flood(struct bench *bench, struct fg_bench_server *server)
{
    struct fg_bench_journeys_figures *figures = bench->figures;
    char path[FG_BENCH_PATH_SIZE + 16];
    char *const words[] = {"--flows", path};
    char *off_words[WORDS_MAX], *on_words[WORDS_MAX];
    struct fg_bench_server off, on;
    struct pair flood = {.off = {.server = &off},
                         .on = {.server = &on},
                         .doing = "a flood of orders",
                         .requests = flood_requests(bench)};
    snprintf(path, sizeof path, "%s/flow.yaml", server->folder);
    int r = write_flow(bench, path, fg_slice_from_string(flow_text));
    if (r < 0)
        return r;
    with_words(server, unfollowed_words, 2, off_words, &off);
    with_words(server, words, 2, on_words, &on);
    r = fg_bench_server_prepare(&off, NULL);
    if (r < 0)
        return r;
    bench->side = &flood.off;
    r = start(bench);
    bench->side = &flood.on;
    if (r == 0)
        r = start(bench);
    if (r == 0)
        r = run_periods(bench, &flood, 0, FLOOD_PERIODS, &figures->off, &figures->on);
    figures->open = bench->open;
    bench->side = &flood.off;
    end(bench, true);
    bench->side = &flood.on;
    if (r == 0)
        r = ask_quiet(bench);
    if (r == 0 && bench->options->busy_rate_spans > 0)
        r = ask_busy(bench);
    end(bench, false);
    return r;
}

static int with_shape(struct bench *bench, enum fg_bench_kind kind)
{
    fg_bench_shape_free(bench->shape);
    bench->shape = NULL;
    int r = fg_bench_shape_new(kind, bench->options->seed, SPANS_PER_REQUEST, &bench->shape);
    return r < 0 ? say(bench, r, "the spans' shape") : 0;
}

int fg_bench_journeys_run(struct fg_cli *cli, const struct fg_bench_journeys_options *options,
                          struct fg_bench_server *server, struct fg_bench_journeys_figures *figures)
{
    struct bench bench = {.cli = cli, .options = options, .figures = figures};
    memset(figures, 0, sizeof *figures);
    bench.load = calloc(1, sizeof *bench.load);
    struct fg_bench_shape *placed = NULL;
    int r = bench.load ? with_shape(&bench, FG_BENCH_COMPANY) : say(&bench, FG_ENOMEM, "the load");
    if (r == 0) /* another seed, that the ids of their traces are others */
        r = fg_bench_shape_new(FG_BENCH_PLACED, options->seed + 1, SPANS_PER_REQUEST, &placed);
    if (r == 0)
        r = run_company(&bench, server, placed);
    fg_bench_shape_free(placed);
    if (r == 0)
        r = with_shape(&bench, FG_BENCH_SMALL);
    if (r == 0)
        r = run_flood(&bench, server);
    fg_bench_shape_free(bench.shape);
    free(bench.load);
    return r;
}

/* -- Telling -------------------------------------------------------------------------------------
 */

static double per_million(double seconds, uint64_t spans)
{
    return spans > 0 ? seconds / (double)spans * 1e6 : 0;
}

/* The share of following in what a span costs in all. Both servers merge the same spans, but when
 * one merges which segments depends on the moment, and one merge of the largest takes as much as a
 * minute of following: what they took is told of both together. */
static double share_of(const struct fg_bench_followed *off, const struct fg_bench_followed *on)
{
    double off_seconds = per_million(off->cpu_seconds - off->merging_seconds, off->spans),
           on_seconds = per_million(on->cpu_seconds - on->merging_seconds, on->spans),
           merges = per_million(off->merging_seconds + on->merging_seconds, off->spans + on->spans);
    return off_seconds > 0 ? (on_seconds - off_seconds) / (off_seconds + merges) : 0;
}

/* What a machine that does nothing else takes less, which is a little less than what is added. */
static double lost_share_of(const struct fg_bench_followed *off, const struct fg_bench_followed *on)
{
    double added = share_of(off, on);
    return added / (1 + added);
}

static double ms(const struct fg_bench_histogram *histogram, double share)
{
    return (double)fg_bench_histogram_quantile(histogram, share) / 1e6;
}

static void print_row(struct fg_cli *cli, const char *name, double value, const char *unit,
                      double floor)
{
    fprintf(cli->out, "%-52s  %12.2f %-3s", name, value, unit);
    if (floor > 0)
        fprintf(cli->out, "  %8.0f %-5s", floor, value <= floor ? "pass" : "miss");
    fputc('\n', cli->out);
}

/* floor: of the throughput that following costs, in per cent; 0: none. */
static void print_cost(struct fg_cli *cli, const char *shape, const struct fg_bench_followed *off,
                       const struct fg_bench_followed *on, double floor)
{
    fprintf(cli->out, "%s\n", shape);
    print_row(cli, "  processor seconds a million spans, none followed",
              per_million(off->cpu_seconds, off->spans), "s", 0);
    print_row(cli, "    of them in merges", per_million(off->merging_seconds, off->spans), "s", 0);
    print_row(cli, "  processor seconds a million spans, followed",
              per_million(on->cpu_seconds, on->spans), "s", 0);
    print_row(cli, "    of them in merges", per_million(on->merging_seconds, on->spans), "s", 0);
    print_row(cli, "    of them in the threads that follow",
              per_million(on->follower_seconds, on->spans), "s", 0);
    print_row(cli, "    in the same threads, none followed",
              per_million(off->follower_seconds, off->spans), "s", 0);
    print_row(cli, "  what following adds, merges as on the average", share_of(off, on) * 100, "%",
              0);
    print_row(cli, "  what it costs of the throughput", lost_share_of(off, on) * 100, "%", floor);
}

static void print_memory(struct fg_cli *cli, const struct fg_bench_followed *off,
                         const struct fg_bench_followed *on, uint64_t open)
{
    double count = open > 0 ? (double)open : 1;
    print_row(cli, "  resident memory, none followed", (double)off->resident_bytes / 1e6, "MB", 0);
    print_row(cli, "  resident memory, followed", (double)on->resident_bytes / 1e6, "MB", 0);
    print_row(cli, "    the most while they came", (double)on->resident_bytes_max / 1e6, "MB", 0);
    print_row(cli, "  keyed state on disk", (double)on->state_bytes / 1e6, "MB", 0);
    print_row(cli, "    bytes a journey", (double)on->state_bytes / count, "B", 0);
}

void fg_bench_journeys_print(struct fg_cli *cli, const struct fg_bench_journeys_figures *figures)
{
    const struct fg_bench_followed *on = &figures->on, *off = &figures->off;
    fprintf(cli->out,
            "journeys      %" PRIu64 " open, of %" PRIu64
            " spans; taken in %.1f s, followed %.1f s "
            "later\n\n%-52s  %12s     %s\n",
            figures->open, on->spans, on->load_seconds, on->behind_seconds, "", "measured",
            "    floor");
    print_row(cli, "where an order is, p50", ms(&figures->where, 0.5), "ms", 0);
    print_row(cli, "where an order is, p99", ms(&figures->where, 0.99), "ms", 10);
    print_row(cli, "  processor time of the server, an answer", figures->where_seconds * 1e3, "ms",
              0);
    if (figures->busy_spans > 0) {
        print_row(cli, "while spans come in: spans a second", figures->busy_spans, "", 0);
        print_row(cli, "  p50", ms(&figures->busy, 0.5), "ms", 0);
        print_row(cli, "  p99", ms(&figures->busy, 0.99), "ms", 10);
    }
    print_cost(cli, "a company's traffic, nine traces an order", &figures->company_off,
               &figures->company_on, 10);
    print_memory(cli, &figures->company_off, &figures->company_on, figures->company_open);
    print_cost(cli, "  the same, of a server that was just started", &figures->company_new_off,
               &figures->company_new_on, 0);
    print_cost(cli, "a flood of new orders, a trace each", off, on, 0);
    print_memory(cli, off, on, figures->open);
    if (figures->wrong)
        fprintf(cli->out, "\nWRONG         %" PRIu64 " answers, one of %s\n", figures->wrong,
                figures->first_wrong);
}

static json_t *followed_json(const struct fg_bench_followed *one)
{
    return json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:I}", "spans",
                     (json_int_t)one->spans, "load_seconds", one->load_seconds, "behind_seconds",
                     one->behind_seconds, "cpu_seconds", one->cpu_seconds, "follower_seconds",
                     one->follower_seconds, "merging_seconds", one->merging_seconds,
                     "resident_bytes", (json_int_t)one->resident_bytes, "resident_bytes_max",
                     (json_int_t)one->resident_bytes_max, "state_bytes",
                     (json_int_t)one->state_bytes, "spans_bytes", (json_int_t)one->spans_bytes);
}

int fg_bench_journeys_print_json(struct fg_cli *cli,
                                 const struct fg_bench_journeys_figures *figures)
{
    json_t *company = json_pack(
        "{s:I, s:f, s:o, s:o, s:f, s:o, s:o}", "open", (json_int_t)figures->company_open,
        "following_share", share_of(&figures->company_off, &figures->company_on), "off",
        followed_json(&figures->company_off), "on", followed_json(&figures->company_on),
        "new_following_share", share_of(&figures->company_new_off, &figures->company_new_on),
        "new_off", followed_json(&figures->company_new_off), "new_on",
        followed_json(&figures->company_new_on));
    json_t *root = json_pack(
        "{s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:o, s:o, s:o}", "open",
        (json_int_t)figures->open, "where_ms_p50", ms(&figures->where, 0.5), "where_ms_p99",
        ms(&figures->where, 0.99), "where_cpu_ms", figures->where_seconds * 1e3,
        "busy_spans_per_second", figures->busy_spans, "busy_where_ms_p50", ms(&figures->busy, 0.5),
        "busy_where_ms_p99", ms(&figures->busy, 0.99), "following_share",
        share_of(&figures->off, &figures->on), "wrong", (json_int_t)figures->wrong, "off",
        followed_json(&figures->off), "on", followed_json(&figures->on), "company", company);
    char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
    if (text)
        fprintf(cli->out, "%s\n", text);
    free(text);
    json_decref(root);
    return text ? 0 : FG_ENOMEM;
}
