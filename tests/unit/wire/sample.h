/* One request in which each field of OTLP is set, told to a visitor. */
#pragma once

#include "wire/otlp_encode.h"

/* The first answer that is an error, or 0. */
int sample_visit(const struct fg_otlp_visitor *visitor, void *arg);

void sample_encode(enum fg_otlp_format format, struct fg_buffer *out);

/* What record.h writes down of it. */
extern const char sample_record[];
/* Its JSON. */
extern const char sample_json[];
