#include "cors.h"

#include "exchange.h"
#include "state.h"

/* An answered preflight is good for so many seconds; browsers cap it at two hours. */
#define MAX_AGE "7200"

static bool is_allowed(const struct fg_settings *settings, struct fg_slice origin)
{
    for (size_t i = 0; i < settings->cors_origin_count; i++)
        if (fg_slice_equal(settings->cors_origins[i], origin) ||
            fg_slice_equal(settings->cors_origins[i], FG_SLICE("*")))
            return true;
    return false;
}

bool fg_cors_allows(struct fg_exchange *exchange, struct fg_slice origin)
{
    return is_allowed(exchange->loop->settings, origin);
}

size_t fg_cors_fields(struct fg_exchange *exchange, struct fg_header_field *fields)
{
    struct fg_slice origin = fg_request_field(exchange->request, "origin");
    if (origin.size == 0 || !is_allowed(exchange->loop->settings, origin))
        return 0;
    fields[0] = (struct fg_header_field){FG_SLICE("access-control-allow-origin"), origin};
    fields[1] = (struct fg_header_field){FG_SLICE("vary"), FG_SLICE("Origin")};
    return 2;
}

/* Names of headers: tokens with commas and blanks between them. */
static bool is_name_list(struct fg_slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool is_token = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                        (c && strchr("!#$%&'*+-.^_`|~, ", c));
        if (!is_token)
            return false;
    }
    return true;
}

void fg_cors_preflight(struct fg_exchange *exchange)
{
    struct fg_header_field fields[5];
    size_t count = fg_cors_fields(exchange, fields);
    struct fg_slice names = fg_request_field(exchange->request, "access-control-request-headers");
    if (count == 0 || !is_name_list(names)) {
        struct fg_failure failure = {
            403, FG_RPC_PERMISSION_DENIED,
            "pages of this origin may not send spans; name it in the setting cors-origins", 0};
        fg_answer_failure(exchange, &failure);
        return;
    }
    fields[count++] =
        (struct fg_header_field){FG_SLICE("access-control-allow-methods"), FG_SLICE("POST")};
    fields[count++] =
        (struct fg_header_field){FG_SLICE("access-control-max-age"), FG_SLICE(MAX_AGE)};
    if (names.size)
        fields[count++] = (struct fg_header_field){FG_SLICE("access-control-allow-headers"), names};
    exchange->status = 204;
    struct fg_response response = {.status = 204, .fields = fields, .field_count = count};
    fg_respond_copy(exchange->request, &response, (struct fg_slice){0});
}
