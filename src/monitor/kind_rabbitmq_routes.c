/* Whether a message of a declared key, sent to a declared exchange, would come to a declared queue:
 * bindings are followed from the exchange, through other exchanges where they lead there. */
#include "kind_rabbitmq.h"

#include <stdio.h>
#include <stdlib.h>

#define EXCHANGES_MAX 16u /* of one route */
#define BINDINGS_MAX  512u

struct search {
    const struct fg_rabbit_route *route;
    char (*exchanges)[FG_RABBIT_NAME_SIZE]; /* found so far, the first searched of them done */
    uint32_t found, done;
    struct fg_rabbit_binding *bindings;
    bool is_there, is_cut;
};

/* 0, FG_ENOTFOUND: no such exchange; others are reported. path's part behind the name: suffix. */
static int get_exchange(struct fg_rabbit_run *run, const char *name, const char *suffix)
{
    struct fg_buffer path;
    fg_buffer_init(&path, 4096);
    fg_buffer_append_string(&path, "exchanges/");
    fg_web_url_append(&path, run->check->vhost);
    fg_buffer_append_byte(&path, '/');
    fg_web_url_append(&path, name);
    fg_buffer_append_string(&path, suffix);
    fg_buffer_append_byte(&path, 0);
    int error =
        path.error ? FG_EIO : fg_rabbit_get(run, "its exchanges", (const char *)path.data, 0);
    fg_buffer_free(&path);
    return error;
}

static void add_exchange(struct search *search, const char *name)
{
    for (uint32_t i = 0; i < search->found; i++)
        if (strcmp(search->exchanges[i], name) == 0)
            return;
    if (search->found == EXCHANGES_MAX) {
        search->is_cut = true;
        return;
    }
    snprintf(search->exchanges[search->found++], FG_RABBIT_NAME_SIZE, "%s", name);
}

/* One exchange's bindings. */
static int search_exchange(struct fg_rabbit_run *run, struct search *search, const char *name)
{
    enum fg_rabbit_exchange type;
    uint32_t count = 0, total = 0;
    int error = get_exchange(run, name, "?columns=type");
    if (error == 0)
        error = fg_rabbit_read_exchange(fg_buffer_slice(&run->body), &type);
    if (error == 0)
        error = get_exchange(run, name, "/bindings/source");
    if (error == 0)
        error = fg_rabbit_read_bindings(fg_buffer_slice(&run->body), search->bindings, BINDINGS_MAX,
                                        &count, &total);
    if (error == FG_EINVALID)
        fg_rabbit_not_understood(run, "its exchanges");
    search->is_cut |= total > count;
    for (uint32_t i = 0; error == 0 && i < count; i++) {
        const struct fg_rabbit_binding *binding = &search->bindings[i];
        if (!fg_rabbit_key_matches(type, binding->key, search->route->key))
            continue;
        if (!binding->to_queue)
            add_exchange(search, binding->destination);
        else if (strcmp(binding->destination, search->route->queue) == 0)
            search->is_there = true;
    }
    return error;
}

static void look_at_route(struct fg_rabbit_run *run, struct search *search)
{
    const struct fg_rabbit_route *route = search->route;
    int error = 0;
    if (!*route->exchange || strcmp(route->exchange, "amq.default") == 0) {
        /* The default exchange has a binding to each queue by its name, which none can remove. */
        search->is_there = strcmp(route->key, route->queue) == 0;
    } else {
        add_exchange(search, route->exchange);
        while (error == 0 && !search->is_there && search->done < search->found) {
            error = search_exchange(run, search, search->exchanges[search->done]);
            search->done++;
        }
    }
    if (error == FG_ENOTFOUND && search->done == 1)
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "wrong_route", false,
                         "there is no exchange %s in the virtual host %s", route->exchange,
                         run->check->vhost);
    else if ((error == 0 || error == FG_ENOTFOUND) && !search->is_there && !search->is_cut)
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "wrong_route", false,
                         "messages with the key %s sent to %s do not come to %s: a binding is "
                         "missing",
                         *route->key ? route->key : "(none)",
                         *route->exchange ? route->exchange : "the default exchange", route->queue);
    else if (error == 0 && !search->is_there)
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "not_understood", false,
                         "%s has more bindings than are looked through", route->exchange);
}

void fg_rabbit_look_at_routes(struct fg_rabbit_run *run)
{
    const struct fg_rabbit_check *check = run->check;
    if (check->route_count == 0)
        return;
    struct search search = {
        .exchanges = malloc(EXCHANGES_MAX * sizeof *search.exchanges),
        .bindings = malloc(BINDINGS_MAX * sizeof *search.bindings),
    };
    if (!search.exchanges || !search.bindings)
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "check_failed", false,
                         "there is no memory for its bindings");
    for (uint32_t i = 0;
         search.exchanges && search.bindings && i < check->route_count && !run->is_over; i++) {
        search.route = &check->routes[i];
        search.found = search.done = 0;
        search.is_there = search.is_cut = false;
        look_at_route(run, &search);
    }
    free(search.exchanges);
    free(search.bindings);
}
