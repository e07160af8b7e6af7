/* A ring's settings, as who sends its spans needs them: the resource, and what may not be sent. */
#pragma once

#include "outlet_settings.h"
#include "redact/redact.h"

struct fg_rules {
    struct fg_slice settings; /* borrowed: the message */
    struct fg_slice service;  /* lies in it */
    struct fg_redact *denied;
    unsigned kinds; /* enum fg_redact_kind */
    struct fg_texts journey_keys;
};

/* FG_ECORRUPT where the message is none, FG_ENOMEM. */
FG_MUST_CHECK int fg_rules_read(struct fg_slice settings, struct fg_rules *ret_rules);
void fg_rules_free(struct fg_rules *rules);
bool fg_rules_is_journey(const struct fg_rules *rules, struct fg_slice key);
