/* Whether the server lives, whether it is ready, and what it counts. */
#include "exchange.h"
#include "handlers.h"
#include "metrics.h"
#include "state.h"
#include "store/store.h"

#define METRICS_SIZE_MAX ((size_t)4 << 20)

enum fg_readiness fg_api_readiness(struct fg_api *api)
{
    struct fg_store *store = fg_api_store(api);
    struct fg_store_counters counters;
    if (atomic_load(&api->draining))
        return FG_READY_DRAINING;
    if (!store)
        return FG_READY_STARTING;
    fg_store_counters(store, &counters);
    switch (counters.state) {
    case FG_STORE_OK:
        return FG_READY_YES;
    case FG_STORE_NO_SPACE:
        return FG_READY_NO_SPACE;
    case FG_STORE_FAILED:
        break;
    }
    return FG_READY_STORE_FAILED;
}

void fg_handle_health(struct fg_exchange *exchange)
{
    fg_answer_copy(exchange, 200, "text/plain; charset=utf-8", FG_SLICE("ok\n"));
}

void fg_handle_ready(struct fg_exchange *exchange)
{
    static const char *const texts[] = {
        [FG_READY_YES] = "ready\n",
        [FG_READY_STARTING] = "starting: the store is recovering\n",
        [FG_READY_DRAINING] = "draining: the server is about to stop\n",
        [FG_READY_NO_SPACE] = "no space: the disk is full and spans are refused; free space, or "
                              "shorten retention-age or retention-size\n",
        [FG_READY_STORE_FAILED] = "store failed: a write to the disk failed; what is stored can "
                                  "be read, and a restart takes spans again\n",
    };
    enum fg_readiness readiness = fg_api_readiness(exchange->api);
    fg_answer_copy(exchange, readiness == FG_READY_YES ? 200 : 503, "text/plain; charset=utf-8",
                   fg_slice_from_string(texts[readiness]));
}

void fg_handle_metrics(struct fg_exchange *exchange)
{
    struct fg_buffer body;
    fg_buffer_init(&body, METRICS_SIZE_MAX);
    fg_metrics_write(exchange->api, &body);
    fg_answer_take(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}
