/* GET /: what there is to ask, for somebody who opened the address in a browser. It is made from
 * the table of routes, so that it names them all. */
#include "exchange.h"
#include "handlers.h"
#include "state.h"

#define HOME_SIZE_MAX ((size_t)64 << 10)

static bool is_listed(const struct fg_route *route)
{
    return (route->faces & FG_ON_API) && strcmp(route->path, "/") != 0;
}

void fg_handle_home(struct fg_exchange *exchange)
{
    struct fg_buffer body;
    size_t count;
    const struct fg_route *routes = fg_routes(&count);
    fg_buffer_init(&body, HOME_SIZE_MAX);
    fg_buffer_append_string(&body,
                            "Filigree " FG_VERSION "\n\n"
                            "Send spans by OTLP to the ports 4317 (gRPC) and 4318 (HTTP), or to "
                            "/v1/traces here.\n"
                            "The newest traces: /api/v1/traces\n\nAll paths of this port\n");
    for (size_t i = 0; i < count; i++)
        if (is_listed(&routes[i]))
            fg_buffer_append_format(&body, "  %-5s %s\n",
                                    routes[i].method == FG_METHOD_GET ? "GET" : "POST",
                                    routes[i].path);
    fg_answer_take(exchange, 200, "text/plain; charset=utf-8", &body);
}
