/* Keys of attributes and their values, for who types a query: /api/v1/keys, /api/v1/values. */
#include "base/limits.h"
#include "handlers.h"
#include "query/complete.h"
#include "search_params.h"
#include "state.h"
#include "work.h"

#define COUNT_DEFAULT 50u
/* A list for people who type comes within a quarter of a second or so, partial where it must. */
#define SPANS_MAX 300000u
#define TIME_NS   (FG_NS_PER_SECOND / 4)

struct completion {
    struct fg_complete complete;
    bool of_values;
    enum fg_field field;
    struct fg_slice key;
};

static const char *level_name(enum fg_field level)
{
    switch (level) {
    case FG_FIELD_ATTR_RESOURCE:
        return "resource";
    case FG_FIELD_ATTR_EVENT:
        return "event";
    case FG_FIELD_ATTR_LINK:
        return "link";
    default:
        return "span";
    }
}

static const char *type_name(uint8_t type)
{
    switch (type) {
    case FG_VALUE_BOOL:
        return "bool";
    case FG_VALUE_INT:
        return "int";
    case FG_VALUE_DOUBLE:
        return "double";
    default:
        return "string";
    }
}

static const char *reason_name(enum fg_complete_cut cut)
{
    static const char *const names[] = {
        [FG_COMPLETE_SPANS] = "spans", [FG_COMPLETE_TEXTS] = "texts",   [FG_COMPLETE_TIME] = "time",
        [FG_COMPLETE_BYTES] = "bytes", [FG_COMPLETE_DAMAGE] = "damage",
    };
    return names[cut];
}

static void write_list(struct fg_json_writer *json, const struct completion *completion,
                       const struct fg_complete_list *list)
{
    fg_json_object_begin(json);
    fg_json_key(json, completion->of_values ? FG_SLICE("values") : FG_SLICE("keys"));
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < list->count; i++) {
        const struct fg_complete_item *item = &list->items[i];
        fg_json_object_begin(json);
        fg_json_key(json, completion->of_values ? FG_SLICE("value") : FG_SLICE("key"));
        fg_json_string(json, item->text);
        FG_JSON_KEY(json, "of");
        fg_json_string(json, fg_slice_from_string(level_name(item->level)));
        if (completion->of_values) {
            FG_JSON_KEY(json, "type");
            fg_json_string(json, fg_slice_from_string(type_name(item->type)));
        }
        FG_JSON_KEY(json, "spans");
        fg_json_uint(json, item->count);
        fg_json_object_end(json);
    }
    fg_json_array_end(json);
    FG_JSON_KEY(json, "spans_examined");
    fg_json_uint(json, list->span_count);
    FG_JSON_KEY(json, "partial");
    fg_json_bool(json, list->cut != FG_COMPLETE_WHOLE);
    if (list->cut != FG_COMPLETE_WHOLE) {
        FG_JSON_KEY(json, "partial_reason");
        fg_json_string(json, fg_slice_from_string(reason_name(list->cut)));
    }
    fg_json_object_end(json);
}

/* Reader's thread. */
static int run(struct fg_work *work)
{
    struct completion *completion = (struct completion *)work->state;
    struct fg_api *api = work->exchange->api;
    struct fg_json_writer json = fg_json_writer(&work->body);
    struct fg_complete_list list;
    completion->complete.deadline_mono_ns = fg_env_mono_ns(api->env) + TIME_NS;
    int r = completion->of_values
                ? fg_complete_values(fg_api_store(api), &completion->complete, completion->field,
                                     completion->key, &work->arena, &list)
                : fg_complete_keys(fg_api_store(api), &completion->complete, &work->arena, &list);
    if (r < 0)
        return r;
    write_list(&json, completion, &list);
    return work->body.error;
}

static void start(struct fg_exchange *exchange, const struct completion *completion)
{
    struct fg_work *work = fg_work_new(exchange, "read what may be typed", run, sizeof *completion);
    if (!work)
        return;
    *(struct completion *)work->state = *completion;
    fg_work_start(work, exchange->api->readers);
}

static bool read_common(struct fg_exchange *exchange, struct fg_complete *complete)
{
    bool is_whole; /* what is decided on whole traces narrows no list */
    *complete = (struct fg_complete){.tenant = exchange->identity.tenant,
                                     .prefix = fg_exchange_param(exchange, "prefix"),
                                     .spans_max = SPANS_MAX,
                                     .bytes_max = FG_QUERY_BYTES,
                                     .is_cancelled = fg_work_is_cancelled,
                                     .arg = exchange->request};
    return fg_time_params(exchange, &complete->start_ns_min, &complete->start_ns_max) &&
           fg_limit_param(exchange, COUNT_DEFAULT, &complete->count_max) &&
           fg_predicate_param(exchange, exchange->request->arena, &complete->predicate, &is_whole);
}

void fg_handle_keys(struct fg_exchange *exchange)
{
    static const char *const names[] = {"prefix", "q", "start", "end", "limit"};
    struct completion completion = {0};
    if (fg_params_known(exchange, names, sizeof names / sizeof *names) &&
        read_common(exchange, &completion.complete))
        start(exchange, &completion);
}

void fg_handle_values(struct fg_exchange *exchange)
{
    static const char *const names[] = {"key", "prefix", "q", "start", "end", "limit"};
    struct completion completion = {.of_values = true, .field = FG_FIELD_ATTR_ANY};
    if (!fg_params_known(exchange, names, sizeof names / sizeof *names) ||
        !read_common(exchange, &completion.complete))
        return;
    completion.key = fg_exchange_param(exchange, "key");
    if (completion.key.size == 0) {
        fg_answer_invalid(exchange, "key: expected the attribute whose values are wanted, or "
                                    "service or name");
        return;
    }
    if (fg_slice_equal(completion.key, FG_SLICE("service")))
        completion.field = FG_FIELD_SERVICE;
    else if (fg_slice_equal(completion.key, FG_SLICE("name")))
        completion.field = FG_FIELD_NAME;
    start(exchange, &completion);
}
