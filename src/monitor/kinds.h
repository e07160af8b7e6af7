/* One kind a file, kind_NAME.c; what they watch and what they find stands in doc/monitors.md. */
#pragma once

#include "monitor/check.h"

extern const struct fg_check_kind fg_check_kind_dns;
extern const struct fg_check_kind fg_check_kind_http;
extern const struct fg_check_kind fg_check_kind_postgresql;
extern const struct fg_check_kind fg_check_kind_rabbitmq;
extern const struct fg_check_kind fg_check_kind_s3;
extern const struct fg_check_kind fg_check_kind_process;
extern const struct fg_check_kind fg_check_kind_tcp;
extern const struct fg_check_kind fg_check_kind_tls;
