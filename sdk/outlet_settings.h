/* Where spans are sent, and how; and lists of texts. Apart from what the host set otherwise, for
 * who sends what another process left. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

#include <stdbool.h>

#define FG_SETTING_LIST_MAX 64u

/* A list of texts, in one allocation each. */
struct fg_texts {
    char *items[FG_SETTING_LIST_MAX];
    uint32_t count;
};

struct fg_outlet_settings {
    char *url; /* whole */
    bool grpc, gzip;
    struct fg_texts headers; /* "name: value" */
    char *certificate, *client_certificate, *client_key;
    uint32_t timeout_ms;
};

FG_MUST_CHECK int fg_texts_add(struct fg_texts *texts, struct fg_slice text);
void fg_texts_free(struct fg_texts *texts);
void fg_outlet_settings_free(struct fg_outlet_settings *outlet);
