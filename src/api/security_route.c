/* GET /api/v1/security: how the server can be reached, for the pages, which say so. It tells
 * nothing that a caller could not find out by itself. */
#include "exchange.h"
#include "guard.h"
#include "handlers.h"
#include "state.h"
#include "wire/json_writer.h"

#define ANSWER_SIZE_MAX ((size_t)4 << 10)

void fg_handle_security(struct fg_exchange *exchange)
{
    const struct fg_api *api = exchange->api;
    struct fg_buffer body;
    fg_buffer_init(&body, ANSWER_SIZE_MAX);
    struct fg_json_writer json = fg_json_writer(&body);
    const char *insecure = api->security.insecure ? api->security.insecure : "no";
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "mode");
    fg_json_string(&json, fg_api_is_open(api) ? FG_SLICE("open") : FG_SLICE("accounts"));
    FG_JSON_KEY(&json, "tls");
    fg_json_bool(&json, exchange->request->is_tls);
    FG_JSON_KEY(&json, "local");
    fg_json_bool(&json, (api->security.local_faces >> FG_FACE_API & 1) != 0);
    FG_JSON_KEY(&json, "insecure");
    fg_json_string(&json, fg_slice_from_string(insecure));
    fg_json_object_end(&json);
    fg_answer_take(exchange, 200, "application/json", &body);
}
