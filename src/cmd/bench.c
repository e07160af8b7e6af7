/* `filigree bench`: options; the work is done in bench/. */
#include "bench/grpc.h"
#include "bench/journeys.h"
#include "bench/redaction.h"
#include "bench/report.h"
#include "bench/search.h"
#include "command.h"

#include "base/limits.h"
#include "base/units.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_SIZE 1000
#define WORDS_MAX    60

static int bad(struct fg_cli *cli, const char *name, const char *expected)
{
    fg_cli_fail(cli, FG_EXIT_USAGE, "bench: --%s: expected %s", name, expected);
    return FG_EINVALID;
}

static int take_count(struct fg_cli *cli, const struct fg_arguments *arguments, const char *name,
                      uint64_t min, uint64_t max, uint64_t *ret_count)
{
    const char *text = fg_arguments_get(arguments, name);
    char *end, expected[80];
    if (!text)
        return 0;
    unsigned long long value = strtoull(text, &end, 10);
    snprintf(expected, sizeof expected, "a whole number from %llu to %llu", (unsigned long long)min,
             (unsigned long long)max);
    if (*text < '0' || *text > '9' || *end || value < min || value > max)
        return bad(cli, name, expected);
    *ret_count = value;
    return 0;
}

static int take_time(struct fg_cli *cli, const struct fg_arguments *arguments, const char *name,
                     uint64_t *ret_ns)
{
    const char *text = fg_arguments_get(arguments, name);
    if (text && fg_duration_parse(fg_slice_from_string(text), ret_ns) < 0)
        return bad(cli, name, "a time like 30s, 10m or 500ms");
    return 0;
}

static int take_options(struct fg_cli *cli, const struct fg_arguments *arguments,
                        struct fg_bench_options *ret)
{
    uint64_t connections = 4, spans = 520, lookups = 2000;
    const char *shape = fg_arguments_get(arguments, "shape");
    *ret = (struct fg_bench_options){.duration_ns = 30 * FG_NS_PER_SECOND,
                                     .kill_after_ns = 8 * FG_NS_PER_SECOND,
                                     .seed = 1,
                                     .path = fg_arguments_get(arguments, "path"),
                                     .trace_url = fg_arguments_get(arguments, "trace-url"),
                                     .ack_log = fg_arguments_get(arguments, "ack-log")};
    const char *protocol = fg_arguments_get(arguments, "protocol");
    if (protocol && strcmp(protocol, "http") != 0 && strcmp(protocol, "grpc") != 0)
        return bad(cli, "protocol", "http or grpc");
    ret->is_grpc = protocol && strcmp(protocol, "grpc") == 0;
    ret->is_tls = fg_arguments_has(arguments, "tls");
    ret->ca_file = fg_arguments_get(arguments, "ca");
    if (ret->is_grpc && ret->path)
        return bad(cli, "path", "none with gRPC, whose paths are its methods' names");
    if (!ret->path)
        ret->path = ret->is_grpc ? FG_BENCH_GRPC_PATH : "/v1/traces";
    if (shape && strcmp(shape, "small") != 0 && strcmp(shape, "wide") != 0)
        return bad(cli, "shape", "small or wide");
    ret->kind = shape && strcmp(shape, "wide") == 0 ? FG_BENCH_WIDE : FG_BENCH_SMALL;
    int r = take_count(cli, arguments, "connections", 1, 10000, &connections);
    if (r == 0)
        r = take_count(cli, arguments, "spans-per-request", 1, FG_REQUEST_SPANS_MAX, &spans);
    if (r == 0)
        r = take_count(cli, arguments, "lookups", 0, 100000, &lookups);
    if (r == 0)
        r = take_count(cli, arguments, "rate", 1, 100000000, &ret->rate_spans);
    if (r == 0)
        r = take_count(cli, arguments, "seed", 0, UINT64_MAX, &ret->seed);
    if (r == 0)
        r = take_time(cli, arguments, "duration", &ret->duration_ns);
    if (r == 0)
        r = take_time(cli, arguments, "kill-after", &ret->kill_after_ns);
    ret->connection_count = (uint32_t)connections;
    ret->spans_per_request = (uint32_t)((spans + FG_BENCH_TRACE_SPANS - 1) / FG_BENCH_TRACE_SPANS *
                                        FG_BENCH_TRACE_SPANS);
    ret->lookup_count = (size_t)lookups;
    return r;
}

/* The server that is there already: what is not told of it is not measured. */
static int take_target(struct fg_cli *cli, const struct fg_arguments *arguments,
                       struct fg_bench_server *server)
{
    const char *api = fg_arguments_get(arguments, "api");
    const char *data = fg_arguments_get(arguments, "data");
    uint64_t pid = 0;
    snprintf(server->otlp, sizeof server->otlp, "%s", fg_arguments_get(arguments, "target"));
    snprintf(server->api, sizeof server->api, "%s", api ? api : "");
    snprintf(server->data, sizeof server->data, "%s", data ? data : "");
    int r = take_count(cli, arguments, "pid", 1, INT32_MAX, &pid);
    server->pid = (pid_t)pid;
    return r;
}

static enum fg_exit measure(struct fg_cli *cli, const struct fg_arguments *arguments,
                            const struct fg_bench_options *wanted, struct fg_bench_server *server)
{
    struct fg_bench_options options = *wanted;
    struct fg_bench_figures *figures = calloc(1, sizeof *figures);
    char trace_url[FG_BENCH_ADDRESS_SIZE + 64], command[COMMAND_SIZE] = "filigree bench";
    if (!figures)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "bench: out of memory");
    if (!options.trace_url && *server->api) {
        snprintf(trace_url, sizeof trace_url, "http://%s/api/v1/traces/{id}", server->api);
        options.trace_url = trace_url;
    }
    for (size_t i = 0; i < arguments->option_count; i++) {
        size_t used = strlen(command);
        if (arguments->values[i] && used < sizeof command)
            snprintf(command + used, sizeof command - used, " --%s%s%s", arguments->options[i].name,
                     *arguments->values[i] ? " " : "", arguments->values[i]);
    }
    struct fg_bench_report report = {
        .cli = cli, .options = &options, .server = server, .figures = figures, .command = command};
    int r = fg_bench_run(cli, &options, server, figures);
    if (r == 0 && fg_arguments_has(arguments, "json"))
        r = fg_bench_report_json(&report);
    else if (r == 0)
        fg_bench_report_text(&report);
    bool lost = fg_bench_lost_traces(figures) > 0 || fg_bench_lost_spans(figures) > 0;
    free(figures);
    return r < 0 ? FG_EXIT_FAILED : lost ? FG_EXIT_NO : FG_EXIT_OK;
}

/* 24 hours of 2 000 spans a second; beside the searches half of what must be taken at least. */
#define SEARCH_SPANS  172800000u
#define SEARCH_BESIDE 100000u

static enum fg_exit search(struct fg_cli *cli, const struct fg_arguments *arguments,
                           const struct fg_bench_options *options, struct fg_bench_server *server)
{
    struct fg_bench_search_options wanted = {.span_count = SEARCH_SPANS,
                                             .busy_rate_spans = SEARCH_BESIDE,
                                             .seed = options->seed,
                                             .connection_count = options->connection_count};
    struct fg_bench_search_figures *figures = calloc(1, sizeof *figures);
    if (!figures)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "bench: out of memory");
    if (options->rate_spans)
        wanted.busy_rate_spans = options->rate_spans;
    enum fg_exit code = FG_EXIT_USAGE;
    if (take_count(cli, arguments, "spans", 100000, UINT32_MAX, &wanted.span_count) == 0) {
        int r = fg_bench_search_run(cli, &wanted, server, figures);
        if (r == 0 && fg_arguments_has(arguments, "json"))
            r = fg_bench_search_print_json(cli, figures);
        else if (r == 0)
            fg_bench_search_print(cli, figures);
        code = r < 0 ? FG_EXIT_FAILED : figures->wrong ? FG_EXIT_NO : FG_EXIT_OK;
    }
    free(figures);
    return code;
}

#define JOURNEYS 1000000u
/* Spans a second that come in while it is asked: 1 500 new orders. */
#define JOURNEYS_BESIDE 20000u

static enum fg_exit journeys(struct fg_cli *cli, const struct fg_arguments *arguments,
                             const struct fg_bench_options *options, struct fg_bench_server *server)
{
    struct fg_bench_journeys_options wanted = {
        .journey_count = JOURNEYS,
        .seed = options->seed,
        .connection_count = options->connection_count,
        .lookup_count = options->lookup_count,
        .busy_rate_spans = options->rate_spans ? options->rate_spans : JOURNEYS_BESIDE};
    struct fg_bench_journeys_figures *figures = calloc(1, sizeof *figures);
    if (!figures)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "bench: out of memory");
    enum fg_exit code = FG_EXIT_USAGE;
    if (take_count(cli, arguments, "orders", 1000, 100000000, &wanted.journey_count) == 0) {
        int r = fg_bench_journeys_run(cli, &wanted, server, figures);
        if (r == 0 && fg_arguments_has(arguments, "json"))
            r = fg_bench_journeys_print_json(cli, figures);
        else if (r == 0)
            fg_bench_journeys_print(cli, figures);
        code = r < 0 ? FG_EXIT_FAILED : figures->wrong ? FG_EXIT_NO : FG_EXIT_OK;
    }
    free(figures);
    return code;
}

/* Of each turn: half a second of a processor with the small shape. */
#define REDACTION_SPANS 150000u

/* The server's twin: its own folder and ports, and no rules. */
static enum fg_exit redaction(struct fg_cli *cli, const struct fg_arguments *arguments,
                              const struct fg_bench_options *options,
                              struct fg_bench_server *server)
{
    char off[] = "--redact-defaults=off", *words[WORDS_MAX];
    struct fg_bench_server without = {.cli = cli, .options = words};
    struct fg_bench_redaction_options wanted = {.span_count = REDACTION_SPANS,
                                                .seed = options->seed,
                                                .connection_count = options->connection_count,
                                                .spans_per_request = options->spans_per_request};
    struct fg_bench_redaction_figures *figures = calloc(1, sizeof *figures);
    if (!figures)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "bench: out of memory");
    for (size_t i = 0; i < server->option_count && i < WORDS_MAX - 1; i++)
        words[without.option_count++] = server->options[i];
    words[without.option_count++] = off;
    enum fg_exit code = FG_EXIT_USAGE;
    if (take_count(cli, arguments, "spans", 10000, UINT32_MAX, &wanted.span_count) == 0) {
        int r = fg_bench_server_prepare(&without, NULL);
        if (r == 0)
            r = fg_bench_redaction_run(cli, &wanted, server, &without, figures);
        if (r == 0 && fg_arguments_has(arguments, "json"))
            r = fg_bench_redaction_print_json(cli, figures);
        else if (r == 0)
            fg_bench_redaction_print(cli, figures);
        code = r < 0                                  ? FG_EXIT_FAILED
               : fg_bench_redaction_is_cheap(figures) ? FG_EXIT_OK
                                                      : FG_EXIT_NO;
        fg_bench_server_end(&without, SIGTERM);
        fg_bench_server_clean(&without);
    }
    free(figures);
    return code;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    struct fg_bench_options options;
    struct fg_bench_server server = {
        .cli = cli, .options = arguments->words, .option_count = arguments->word_count};
    const char *data = fg_arguments_get(arguments, "data");
    if (take_options(cli, arguments, &options) < 0)
        return FG_EXIT_USAGE;
    if (fg_arguments_has(arguments, "target")) {
        if (take_target(cli, arguments, &server) < 0)
            return FG_EXIT_USAGE;
        return measure(cli, arguments, &options, &server);
    }
    uint64_t ready_ns;
    if (options.is_tls &&
        (fg_arguments_has(arguments, "search") || fg_arguments_has(arguments, "journeys") ||
         fg_arguments_has(arguments, "redaction")))
        return fg_cli_fail(cli, FG_EXIT_USAGE,
                           "bench: --tls is for the load alone, not with "
                           "--search, --journeys or --redaction");
    if (fg_bench_server_prepare(&server, data) < 0)
        return FG_EXIT_FAILED;
    enum fg_exit code = FG_EXIT_FAILED;
    if (options.is_tls) {
        if (fg_bench_server_certify(&server) < 0)
            return FG_EXIT_FAILED;
        options.ca_file = server.ca_file;
    }
    if (fg_arguments_has(arguments, "search"))
        code = search(cli, arguments, &options, &server);
    else if (fg_arguments_has(arguments, "journeys"))
        code = journeys(cli, arguments, &options, &server);
    else if (fg_arguments_has(arguments, "redaction"))
        code = redaction(cli, arguments, &options, &server);
    else if (fg_bench_server_start(&server) == 0 && fg_bench_server_wait(&server, &ready_ns) == 0)
        code = measure(cli, arguments, &options, &server);
    fg_bench_server_end(&server, SIGTERM);
    if (!data && code == FG_EXIT_OK)
        fg_bench_server_clean(&server);
    else
        fprintf(cli->err, "filigree: bench: the store and the server's log stay in %s\n",
                server.folder);
    return code;
}

static const struct fg_option options[] = {
    {.name = "shape",
     .argument = "NAME",
     .help = "small: traces of 13 spans, 333 bytes a span; wide: 40 attributes a span, long SQL, "
             "3000 names, 50 services. Default: small"},
    {.name = "duration", .argument = "TIME", .help = "how long to send; default 30s"},
    {.name = "protocol",
     .argument = "NAME",
     .help = "http: OTLP/HTTP, protobuf, over HTTP/1.1; grpc: OTLP/gRPC. Default: http"},
    {.name = "tls",
     .help = "send over TLS; the own server gets a certificate and speaks it on its OTLP ports"},
    {.name = "ca",
     .argument = "FILE",
     .help =
         "with --target and --tls: authority of its certificate, in PEM; default: the system's"},
    {.name = "connections", .argument = "N", .help = "a request at a time on each; default 4"},
    {.name = "spans-per-request", .argument = "N", .help = "default 520, 40 traces"},
    {.name = "rate", .argument = "N", .help = "spans a second; default: as many as are taken"},
    {.name = "seed", .argument = "N", .help = "what ids and values follow from; default 1"},
    {.name = "lookups", .argument = "N", .help = "traces to ask for afterwards; default 2000"},
    {.name = "kill-after",
     .argument = "TIME",
     .help = "kill -9 the own server after so long of a second load, and start it again; default "
             "8s, 0 for not"},
    {.name = "data",
     .argument = "DIR",
     .help =
         "folder for the own server's store, which stays; with --target: the folder to measure"},
    {.name = "target",
     .argument = "ADDR",
     .help = "host:port of an OTLP endpoint that is there already, of any make"},
    {.name = "path", .argument = "PATH", .help = "of that endpoint; default /v1/traces"},
    {.name = "api", .argument = "ADDR", .help = "its API, where it is a Filigree"},
    {.name = "pid", .argument = "N", .help = "its process, to measure processor and memory"},
    {.name = "trace-url",
     .argument = "URL",
     .help = "where it gives a trace as JSON, with {id} in it"},
    {.name = "search",
     .help = "measure searches over a day of spans instead, which is made first where --data does "
             "not hold it"},
    {.name = "spans",
     .argument = "N",
     .help = "of that day, default 172800000, 2 000 a second; with --redaction: of a turn, default "
             "150000"},
    {.name = "journeys",
     .help = "measure what it costs to follow open orders instead, and how soon it is told where "
             "one is"},
    {.name = "redaction",
     .help = "measure instead what redaction costs: two servers take the same spans by turns, one "
             "without its rules, in both shapes; ends with 1 past 15 %"},
    {.name = "orders", .argument = "N", .help = "how many; default 1000000"},
    {.name = "ack-log",
     .argument = "FILE",
     .help = "write the id and span count of each acknowledged trace there"},
    {.name = "json", .help = "the figures as JSON"},
};

const struct fg_command fg_command_bench = {
    .name = "bench",
    .arguments = "[OPTIONS] [-- SERVE OPTIONS]",
    .summary = "measure this machine, or another OTLP endpoint",
    .help =
        "Starts a server of its own on a new folder, sends it spans as fast as it takes them, has "
        "it\n"
        "seal and merge, asks for a sample of the acknowledged traces, kills it under load (-9),\n"
        "starts it again and asks for the last ones that it acknowledged. Counted are spans that "
        "can\n"
        "be asked for afterwards, never spans sent. Ends with 1 where one of them is missing.\n"
        "\n"
        "Examples\n"
        "  filigree bench\n"
        "  filigree bench --protocol grpc --connections 100\n"
        "  filigree bench --tls --duration 1m\n"
        "  filigree bench --shape wide --connections 100 --duration 10m --json\n"
        "  filigree bench --duration 1m -- --head-size 16MiB --loops 1\n"
        "  filigree bench --search --data /var/tmp/day\n"
        "  filigree bench --search --spans 5000000 --json\n"
        "  filigree bench --journeys\n"
        "  filigree bench --redaction\n"
        "  filigree bench --target 127.0.0.1:4318 --api 127.0.0.1:7070 --pid 4711 --data ./data\n"
        "  filigree bench --target 127.0.0.1:10428 --path /insert/opentelemetry/v1/traces \\\n"
        "      --trace-url 'http://127.0.0.1:10428/select/jaeger/api/traces/{id}'\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .words_max = 50,
    .run = run,
};
