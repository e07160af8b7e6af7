/* The whole of it in forty lines: a service that takes an order over HTTP and asks another one for
 * its price.  cc example.c $(pkg-config --cflags --libs filigree) */
#include <filigree.h>
#include <stdio.h>

/* Headers as this program happens to have them. */
struct headers {
    const char *traceparent, *baggage;
};

static const char *get(void *carrier, const char *name)
{
    struct headers *headers = carrier;
    if (name[0] == 'b')
        return headers->baggage;
    return name[5] == 'p' ? headers->traceparent : NULL;
}

static int print_header(void *carrier, const char *name, const char *value)
{
    return fprintf(carrier, "%s: %s\n", name, value) < 0;
}

int main(void)
{
    struct headers in = {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "shop=moscow"};
    fg_tracing_start(NULL); /* OTEL_SERVICE_NAME, OTEL_EXPORTER_OTLP_ENDPOINT, … */
    fg_context *caller = fg_context_extract(get, &in);
    fg_span_options options = FG_SPAN_OPTIONS_INIT;
    options.kind = FG_SPAN_SERVER;
    options.parent = caller;
    fg_span span = fg_span_start("POST /orders", &options);
    fg_scope caller_scope = fg_context_enter(caller), scope = fg_span_enter(span);
    fg_journey_set("order.id", "ORD-4711"); /* on every span from here on, in every service */
    fg_span_set_int(span, "http.response.status_code", 201);
    fg_context_inject(NULL, print_header, stdout); /* into the request for the price */
    fg_scope_leave(&scope);
    fg_scope_leave(&caller_scope);
    fg_context_free(caller);
    fg_span_end(span);
    return 0; /* what is not sent yet is sent at exit */
}
