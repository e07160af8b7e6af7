/* The kinds of monitors, in the order of their list. */
#include "kinds.h"

#include <stddef.h>

const struct fg_check_kind *const fg_check_kinds[] = {
    &fg_check_kind_tcp,      &fg_check_kind_tls,     &fg_check_kind_dns,
    &fg_check_kind_http,     &fg_check_kind_process, &fg_check_kind_postgresql,
    &fg_check_kind_rabbitmq, &fg_check_kind_s3,      NULL,
};
