#include "zipkin_params.h"

#include "base/limits.h"
#include "state.h"

struct fg_slice fg_zipkin_trim(struct fg_slice text)
{
    while (text.size && text.data[0] == ' ')
        text = fg_slice(text.data + 1, text.size - 1);
    while (text.size && text.data[text.size - 1] == ' ')
        text.size--;
    return text;
}

bool fg_zipkin_time_param(struct fg_exchange *exchange, const char *name, uint64_t unit_ns,
                          uint64_t *ns)
{
    struct fg_slice text = fg_exchange_param(exchange, name);
    uint64_t value = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < text.size; i++)
        ok = text.data[i] >= '0' && text.data[i] <= '9' &&
             !__builtin_mul_overflow(value, 10, &value) &&
             !__builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value);
    if (text.size == 0)
        return true;
    if (!ok || __builtin_mul_overflow(value, unit_ns, &value)) {
        fg_answer_invalid(exchange, "%s: '%.*s' is no whole number that can be", name,
                          (int)(text.size > 60 ? 60 : text.size), (const char *)text.data);
        return false;
    }
    *ns = value;
    return true;
}

bool fg_zipkin_window_params(struct fg_exchange *exchange, bool required, uint64_t lookback_ns,
                             uint64_t *ret_start_ns_min, uint64_t *ret_start_ns_max)
{
    uint64_t end_ns = fg_env_wall_ns(exchange->api->env);
    if (required && fg_exchange_param(exchange, "endTs").size == 0) {
        fg_answer_invalid(exchange, "endTs is required: milliseconds since 1970");
        return false;
    }
    if (!fg_zipkin_time_param(exchange, "endTs", FG_NS_PER_MS, &end_ns) ||
        !fg_zipkin_time_param(exchange, "lookback", FG_NS_PER_MS, &lookback_ns))
        return false;
    *ret_start_ns_min = lookback_ns < end_ns ? end_ns - lookback_ns : 0;
    /* Up to and with that millisecond. */
    *ret_start_ns_max = end_ns < UINT64_MAX - FG_NS_PER_MS ? end_ns + FG_NS_PER_MS : UINT64_MAX;
    return true;
}
