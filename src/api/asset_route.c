/* Answers by files that are built into the binary. They change only with the binary, so a client
 * that has one may ask whether it is still the same.
 *
 * The pages run under a policy that lets them load and ask nothing but this server, and run no
 * script or style that is not one of its files: what a span's name or value holds stays text. */
#include "assets.h"
#include "exchange.h"
#include "handlers.h"
#include "security_fields.h"

#include <string.h>

#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "                \
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

#define FIELDS_MAX (4 + FG_SECURITY_FIELDS_MAX)

static const struct fg_asset *find(const char *path)
{
    for (size_t i = 0; i < fg_asset_count; i++)
        if (strcmp(fg_assets[i].path, path) == 0)
            return &fg_assets[i];
    return NULL;
}

/* Whether the client takes gzip: names it, and not with a quality of 0. */
static bool takes_gzip(const struct fg_request *request)
{
    struct fg_slice accept = fg_request_field(request, "accept-encoding");
    const uint8_t *at = memmem(accept.data, accept.size, "gzip", 4);
    if (!at)
        return false;
    const uint8_t *end = accept.data + accept.size;
    const uint8_t *comma = memchr(at, ',', (size_t)(end - at));
    struct fg_slice rest = fg_slice(at, (size_t)((comma ? comma : end) - at));
    const uint8_t *zero = memmem(rest.data, rest.size, "q=0", 3);
    if (!zero)
        return true;
    for (at = zero + 3; at < rest.data + rest.size; at++)
        if (*at != '.' && *at != '0' && *at != ' ')
            return *at >= '1' && *at <= '9';
    return false;
}

static struct fg_header_field field(const char *name, const char *value)
{
    return (struct fg_header_field){fg_slice_from_string(name), fg_slice_from_string(value)};
}

static void respond(struct fg_exchange *exchange, const struct fg_asset *asset, unsigned status)
{
    bool has_body = status != 304;
    bool gzip = has_body && asset->gzip_data && takes_gzip(exchange->request);
    struct fg_header_field fields[FIELDS_MAX];
    struct fg_response response = {
        .status = status, .content_type = has_body ? asset->content_type : NULL, .fields = fields};
    fields[response.field_count++] = field("etag", asset->etag);
    fields[response.field_count++] = field("cache-control", "no-cache");
    fields[response.field_count++] = field("vary", "Accept, Accept-Encoding");
    response.field_count +=
        fg_security_fields(exchange->request, POLICY, fields + response.field_count);
    if (gzip)
        fields[response.field_count++] = field("content-encoding", "gzip");
    struct fg_slice body =
        gzip ? fg_slice(asset->gzip_data, asset->gzip_size) : fg_slice(asset->data, asset->size);
    exchange->status = status;
    fg_respond_copy(exchange->request, &response, has_body ? body : (struct fg_slice){0});
}

void fg_answer_asset(struct fg_exchange *exchange, const char *path)
{
    const struct fg_asset *asset = find(path);
    if (!asset) {
        fg_answer_error(exchange, FG_ENOTFOUND, "find this file");
        return;
    }
    struct fg_slice known = fg_request_field(exchange->request, "if-none-match");
    bool is_same = fg_slice_equal(known, fg_slice_from_string(asset->etag));
    respond(exchange, asset, is_same ? 304 : 200);
}

void fg_answer_frame(struct fg_exchange *exchange, unsigned status)
{
    const struct fg_asset *asset = find("/index.html");
    if (asset)
        respond(exchange, asset, status);
    else
        fg_answer_error(exchange, FG_EDENIED, "show this page");
}

void fg_handle_openapi(struct fg_exchange *exchange)
{
    fg_answer_asset(exchange, "/openapi.yaml");
}

/* A page's address survives a reload: the one document finds out by its address what to show. */
void fg_handle_page(struct fg_exchange *exchange)
{
    fg_answer_asset(exchange, "/index.html");
}

void fg_handle_page_file(struct fg_exchange *exchange)
{
    fg_answer_asset(exchange, exchange->route->path);
}
