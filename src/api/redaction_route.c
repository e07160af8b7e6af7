/* What may not be kept, and how often it came: GET /api/v1/redaction. */
#include "handlers.h"
#include "json_fields.h"
#include "redact/rules.h"
#include "search_params.h"
#include "state.h"
#include "wire/json_writer.h"
#include "work.h"

static void write_rule(struct fg_json_writer *json, const struct fg_redact_rules *rules,
                       size_t index)
{
    const struct fg_redact_rule *rule = fg_redact_rules_at(rules, index);
    fg_json_object_begin(json);
    fg_write_name(json, "name", rule->name);
    fg_write_name(json, "action", fg_redact_action_name(rule->action));
    FG_JSON_KEY(json, "keys");
    fg_json_array_begin(json);
    for (size_t i = 0; i < rule->key_count; i++)
        fg_json_string(json, fg_slice_from_string(rule->keys[i]));
    fg_json_array_end(json);
    FG_JSON_KEY(json, "values");
    fg_json_array_begin(json);
    for (unsigned bit = 0; bit < FG_REDACT_KIND_BITS; bit++)
        if (rule->kinds & 1u << bit)
            fg_json_string(
                json, fg_slice_from_string(fg_redact_kind_name((enum fg_redact_kind)(1u << bit))));
    fg_json_array_end(json);
    if (rule->pattern)
        fg_write_name(json, "pattern", rule->pattern);
    FG_JSON_KEY(json, "taken");
    fg_json_uint(json, fg_redact_rules_hits(rules, index));
    fg_json_object_end(json);
}

static int write(struct fg_work *work)
{
    struct fg_settings *settings = fg_api_settings_ref(work->exchange->api);
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "rules");
    fg_json_array_begin(&json);
    for (size_t i = 0; i < fg_redact_rules_count(settings->redact); i++)
        write_rule(&json, settings->redact, i);
    fg_json_array_end(&json);
    fg_json_object_end(&json);
    fg_settings_unref(settings);
    return 0;
}

void fg_handle_redaction(struct fg_exchange *exchange)
{
    if (!fg_params_known(exchange, NULL, 0))
        return;
    struct fg_work *work = fg_work_new(exchange, "read the rules", write, 0);
    if (work)
        fg_work_start(work, exchange->api->readers);
}
