/* What each tenant sent, and what of it fills the disk: a part of /api/v1/stats. */
#pragma once

#include "auth/accounts.h"
#include "base/limits.h"
#include "store/store.h"

struct fg_json_writer;

struct fg_stats_tenant {
    uint32_t tenant;
    char name[FG_TENANT_NAME_SIZE_MAX + 1];
    struct fg_quota quota;
    uint64_t received[FG_QUOTA_COUNT], refused[FG_QUOTA_COUNT]; /* as struct fg_tenant_info */
    uint64_t segment_count, span_count, size_bytes;             /* of sealed segments */
};

struct fg_stats_tenants {
    struct fg_stats_tenant items[FG_TENANTS_MAX];
    size_t count;
};

/* Who there is; auth NULL: the default tenant alone. */
void fg_stats_tenants_read(struct fg_auth *auth, struct fg_stats_tenants *ret_tenants);
/* Counts a segment for its tenant; one of a tenant that is not there is left out. */
void fg_stats_tenants_add(struct fg_stats_tenants *tenants, const struct fg_segment_stats *segment);
/* NULL: there is no such tenant. */
const struct fg_stats_tenant *fg_stats_tenant_find(const struct fg_stats_tenants *tenants,
                                                   struct fg_slice name);
/* "tenants": [ … ], a member of an object that is open. */
void fg_stats_tenants_write(struct fg_json_writer *json, const struct fg_stats_tenants *tenants);
