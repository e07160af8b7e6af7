#include "base/units.h"
#include "serve.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* "All interfaces" is no place to go to. */
void fg_serve_reachable(const char *address, char *ret_text, size_t size)
{
    const char *port = strrchr(address, ':');
    bool is_any_v4 = strncmp(address, "0.0.0.0:", 8) == 0;
    bool is_any_v6 = strncmp(address, "[::]:", 5) == 0;
    if (port && (is_any_v4 || is_any_v6))
        snprintf(ret_text, size, "%s%s", is_any_v4 ? "127.0.0.1" : "[::1]", port);
    else
        snprintf(ret_text, size, "%s", address);
}

static const char *scheme_of(const struct fg_serve *serve, const char *listener)
{
    return fg_serve_tls_is_on(serve, listener) ? "https" : "http";
}

void fg_serve_greet(const struct fg_serve *serve, FILE *out)
{
    const char *bold = serve->cli->colour ? "\033[1m" : "";
    const char *plain = serve->cli->colour ? "\033[0m" : "";
    char grpc[300], http[300], api[300], data[PATH_MAX];
    struct fg_store_counters counters;
    fg_serve_reachable(fg_server_address(serve->server, 0), grpc, sizeof grpc);
    fg_serve_reachable(fg_server_address(serve->server, 1), http, sizeof http);
    fg_serve_reachable(fg_server_address(serve->server, 2), api, sizeof api);
    fg_store_counters(serve->store, &counters);
    if (!realpath(serve->config->data, data))
        snprintf(data, sizeof data, "%s", serve->config->data);
    fprintf(out,
            "\n%sFiligree " FG_VERSION " is ready.%s\n\n"
            "  OTLP/gRPC  %s://%s\n"
            "  OTLP/HTTP  %s://%s\n"
            "  APIs       %s://%s\n"
            "  Data       %s (%" PRIu64 " spans)\n\n",
            bold, plain, scheme_of(serve, "otlp-grpc"), grpc, scheme_of(serve, "otlp-http"), http,
            scheme_of(serve, "api"), api, data, counters.segment_spans + counters.head_spans);
    fprintf(out,
            "Send spans from any OpenTelemetry SDK:\n"
            "  export OTEL_EXPORTER_OTLP_ENDPOINT=%s://%s OTEL_EXPORTER_OTLP_PROTOCOL=grpc\n"
            "  export OTEL_EXPORTER_OTLP_ENDPOINT=%s://%s "
            "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"
            "Then open %s://%s, or look at what came:\n"
            "  curl %s://%s/api/v1/traces\n"
            "%s"
            "Ctrl-C stops the server; nothing that it acknowledged is lost.\n\n",
            scheme_of(serve, "otlp-grpc"), grpc, scheme_of(serve, "otlp-http"), http,
            scheme_of(serve, "api"), api, scheme_of(serve, "api"), api,
            fg_auth_mode(serve->auth) == FG_AUTH_OPEN
                ? ""
                : "There are accounts: people sign in, programs send a token of the page "
                  "Administration.\n");
    fflush(out);
}
