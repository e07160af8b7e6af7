#include "alert_body.h"

#include "base/units.h"

#include <jansson.h>

/* Of bytes that may be no UTF-8: what jansson refuses becomes "?". */
static json_t *text(struct fg_slice bytes)
{
    json_t *value = json_stringn((const char *)bytes.data, bytes.size);
    return value ? value : json_string("?");
}

static json_t *moment(uint64_t ns)
{
    char formatted[FG_UNITS_TEXT_SIZE];
    fg_time_format(ns, formatted);
    return json_string(formatted);
}

static json_t *labels_of(const struct fg_alert *alert)
{
    json_t *labels = json_object();
    (void)json_object_set_new(labels, "alertname", json_string(alert->name));
    (void)json_object_set_new(labels, "severity", json_string(alert->severity));
    for (uint32_t i = 0; i < alert->label_count; i++)
        (void)json_object_set_new(labels, alert->labels[i].name, text(alert->labels[i].value));
    return labels;
}

static json_t *annotations_of(const struct fg_alert *alert)
{
    json_t *annotations = json_object();
    (void)json_object_set_new(annotations, "summary", text(alert->summary));
    if (alert->description.size)
        (void)json_object_set_new(annotations, "description", text(alert->description));
    return annotations;
}

static void put_common(json_t *body, const struct fg_alert *alert)
{
    (void)json_object_set_new(body, "labels", labels_of(alert));
    (void)json_object_set_new(body, "annotations", annotations_of(alert));
    (void)json_object_set_new(body, "startsAt", moment(alert->starts_ns));
    if (!alert->is_firing)
        (void)json_object_set_new(body, "endsAt", moment(alert->ends_ns));
    if (alert->url)
        (void)json_object_set_new(body, "generatorURL", json_string(alert->url));
}

json_t *fg_alert_to_alertmanager(const struct fg_alert *alert)
{
    json_t *body = json_object();
    put_common(body, alert);
    return body;
}

json_t *fg_alert_to_message(const struct fg_alert *alert, bool is_flapping)
{
    json_t *body = json_object();
    (void)json_object_set_new(body, "version", json_integer(1));
    (void)json_object_set_new(body, "status",
                              json_string(alert->is_firing ? "firing" : "resolved"));
    (void)json_object_set_new(body, "key", json_string(alert->key));
    (void)json_object_set_new(body, "flapping", json_boolean(is_flapping));
    put_common(body, alert);
    return body;
}

bool fg_alert_same_labels(const struct fg_alert *a, const struct fg_alert *b)
{
    bool same = strcmp(a->name, b->name) == 0 && strcmp(a->severity, b->severity) == 0 &&
                a->label_count == b->label_count;
    for (uint32_t i = 0; same && i < a->label_count; i++)
        same = strcmp(a->labels[i].name, b->labels[i].name) == 0 &&
               fg_slice_equal(a->labels[i].value, b->labels[i].value);
    return same;
}
