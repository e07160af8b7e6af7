#include "base/units.h"
#include "serve.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* An address as somebody on this machine reaches it: "all interfaces" is no place to go to. */
static void reachable(const char *address, char *ret_text, size_t size)
{
    const char *port = strrchr(address, ':');
    bool is_any_v4 = strncmp(address, "0.0.0.0:", 8) == 0;
    bool is_any_v6 = strncmp(address, "[::]:", 5) == 0;
    if (port && (is_any_v4 || is_any_v6))
        snprintf(ret_text, size, "%s%s", is_any_v4 ? "127.0.0.1" : "[::1]", port);
    else
        snprintf(ret_text, size, "%s", address);
}

void fg_serve_greet(const struct fg_serve *serve, FILE *out)
{
    const char *bold = serve->cli->colour ? "\033[1m" : "";
    const char *plain = serve->cli->colour ? "\033[0m" : "";
    char grpc[300], http[300], api[300], data[PATH_MAX];
    struct fg_store_counters counters;
    reachable(fg_server_address(serve->server, 0), grpc, sizeof grpc);
    reachable(fg_server_address(serve->server, 1), http, sizeof http);
    reachable(fg_server_address(serve->server, 2), api, sizeof api);
    fg_store_counters(serve->store, &counters);
    if (!realpath(serve->config->data, data))
        snprintf(data, sizeof data, "%s", serve->config->data);
    fprintf(out,
            "\n%sFiligree " FG_VERSION " is ready.%s\n\n"
            "  OTLP/gRPC  http://%s\n"
            "  OTLP/HTTP  http://%s\n"
            "  APIs       http://%s\n"
            "  Data       %s (%" PRIu64 " spans)\n\n",
            bold, plain, grpc, http, api, data, counters.segment_spans + counters.head_spans);
    fprintf(out,
            "Send spans from any OpenTelemetry SDK:\n"
            "  export OTEL_EXPORTER_OTLP_ENDPOINT=http://%s OTEL_EXPORTER_OTLP_PROTOCOL=grpc\n"
            "  export OTEL_EXPORTER_OTLP_ENDPOINT=http://%s "
            "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"
            "Then open http://%s, or look at what came:\n"
            "  curl http://%s/api/v1/traces\n"
            "Ctrl-C stops the server; nothing that it acknowledged is lost.\n\n",
            grpc, http, api, api);
    fflush(out);
}
