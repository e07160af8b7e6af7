/* The visitors behind fg_otlp_encoder_init(). */
#pragma once

#include "wire/otlp_encode.h"

extern const struct fg_otlp_visitor fg_otlp_protobuf_visitor;
extern const struct fg_otlp_visitor fg_otlp_json_visitor;

void fg_otlp_json_begin(struct fg_otlp_encoder *encoder);
void fg_otlp_json_end(struct fg_otlp_encoder *encoder);
