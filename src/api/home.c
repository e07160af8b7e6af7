/* GET /: the pages for a browser; for others what there is to ask, as text. The text is made from
 * the table of routes, so that it names them all. */
#include "assets.h"
#include "exchange.h"
#include "handlers.h"
#include "permit.h"
#include "state.h"

#define HOME_SIZE_MAX ((size_t)64 << 10)

static bool is_listed(const struct fg_route *route)
{
    return (route->faces & FG_ON_API) && strcmp(route->path, "/") != 0;
}

static bool takes_html(const struct fg_request *request)
{
    struct fg_slice accept = fg_request_field(request, "accept");
    return memmem(accept.data, accept.size, "text/html", 9) != NULL;
}

static void answer_text(struct fg_exchange *exchange)
{
    static const char *const methods[] = {[FG_METHOD_GET] = "GET",
                                          [FG_METHOD_POST] = "POST",
                                          [FG_METHOD_PUT] = "PUT",
                                          [FG_METHOD_DELETE] = "DELETE"};
    struct fg_buffer body;
    size_t count;
    const struct fg_route *routes = fg_routes(&count);
    fg_buffer_init(&body, HOME_SIZE_MAX);
    fg_buffer_append_string(
        &body,
        "Filigree " FG_VERSION "\n\n"
        "Send spans by OTLP to the ports 4317 (gRPC) and 4318 (HTTP), or to "
        "/v1/traces here.\n"
        "The newest traces: /api/v1/traces\n\nAll paths of this port, and what each asks for\n");
    for (size_t i = 0; i < count; i++)
        if (is_listed(&routes[i]))
            fg_buffer_append_format(&body, "  %-6s %-45s %s%s\n", methods[routes[i].method],
                                    routes[i].path, fg_permission_name(routes[i].permission),
                                    routes[i].whole_server ? ", of all tenants" : "");
    fg_answer_take(exchange, 200, "text/plain; charset=utf-8", &body);
}

void fg_handle_home(struct fg_exchange *exchange)
{
    if (takes_html(exchange->request))
        fg_answer_asset(exchange, "/index.html");
    else
        answer_text(exchange);
}
