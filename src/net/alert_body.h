/* An alert as JSON. */
#pragma once

#include "base/buffer.h"
#include "net/webhook.h"

struct json_t;

/* Alertmanager's: one of the list that POST /api/v2/alerts takes (PostableAlert of its
 * openapi.yaml). NULL: out of memory. */
struct json_t *fg_alert_to_alertmanager(const struct fg_alert *alert);
/* The message of its own, with status, key and a version. */
struct json_t *fg_alert_to_message(const struct fg_alert *alert, bool is_flapping);

/* Whether two say the same of the same: Alertmanager tells alerts apart by their labels. */
bool fg_alert_same_labels(const struct fg_alert *a, const struct fg_alert *b);
