/* A visitor that writes down what it is told, one line a call, for comparing. */
#pragma once

#include "wire/otlp.h"

struct record {
    struct fg_buffer text;
    /* A begin whose line starts with this text is answered with FG_OTLP_SKIP; "" for none. */
    const char *skip;
    /* The call with this number, from 1, answers with fail_error. */
    unsigned fail_at;
    int fail_error;
    unsigned calls;
};

extern const struct fg_otlp_visitor record_visitor;

void record_init(struct record *record);
void record_reset(struct record *record);
void record_free(struct record *record);

/* The text so far, NUL-terminated. */
const char *record_text(struct record *record);

/* The parts of an attribute's line, for other sources of values. */
void record_attribute_key(struct record *record, const char *owner, struct fg_slice key);
void record_value(struct fg_buffer *text, const struct fg_otlp_value *value);
void record_bytes(struct fg_buffer *text, struct fg_slice bytes);
void record_double(struct fg_buffer *text, double number);
