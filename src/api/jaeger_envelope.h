/* The envelope of Jaeger's answers: {"data": …, "total": n, "limit": 0, "offset": 0, "errors":
 * null}. */
#pragma once

#include "wire/json_writer.h"

static inline void fg_jaeger_envelope_begin(struct fg_json_writer *json)
{
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "data");
}

static inline void fg_jaeger_envelope_end(struct fg_json_writer *json, uint64_t total)
{
    FG_JSON_KEY(json, "total");
    fg_json_uint(json, total);
    FG_JSON_KEY(json, "limit");
    fg_json_uint(json, 0);
    FG_JSON_KEY(json, "offset");
    fg_json_uint(json, 0);
    FG_JSON_KEY(json, "errors");
    fg_json_null(json);
    fg_json_object_end(json);
}
