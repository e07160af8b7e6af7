#include "stats_tenants.h"

#include "wire/json_writer.h"

#include <stdio.h>

static void take(void *arg, const struct fg_tenant_info *info)
{
    struct fg_stats_tenants *tenants = arg;
    if (tenants->count == FG_TENANTS_MAX)
        return;
    struct fg_stats_tenant *tenant = &tenants->items[tenants->count++];
    *tenant = (struct fg_stats_tenant){.tenant = info->tenant, .quota = info->quota};
    snprintf(tenant->name, sizeof tenant->name, "%s", info->name);
    memcpy(tenant->received, info->received, sizeof tenant->received);
    memcpy(tenant->refused, info->refused, sizeof tenant->refused);
}

void fg_stats_tenants_read(struct fg_auth *auth, struct fg_stats_tenants *ret_tenants)
{
    ret_tenants->count = 0;
    if (auth)
        fg_tenants_each(auth, take, ret_tenants);
    else
        take(ret_tenants, &(const struct fg_tenant_info){.name = "default"});
}

void fg_stats_tenants_add(struct fg_stats_tenants *tenants, const struct fg_segment_stats *segment)
{
    for (size_t i = 0; i < tenants->count; i++) {
        struct fg_stats_tenant *tenant = &tenants->items[i];
        if (tenant->tenant != segment->tenant)
            continue;
        tenant->segment_count++;
        tenant->span_count += segment->span_count;
        tenant->size_bytes += segment->size_bytes;
    }
}

const struct fg_stats_tenant *fg_stats_tenant_find(const struct fg_stats_tenants *tenants,
                                                   struct fg_slice name)
{
    for (size_t i = 0; i < tenants->count; i++)
        if (fg_slice_equal(name, fg_slice_from_string(tenants->items[i].name)))
            return &tenants->items[i];
    return NULL;
}

static void put_three(struct fg_json_writer *json, struct fg_slice name,
                      const uint64_t values[FG_QUOTA_COUNT])
{
    fg_json_key(json, name);
    fg_json_object_begin(json);
    for (int i = 0; i < FG_QUOTA_COUNT; i++) {
        fg_json_key(json, fg_slice_from_string(fg_quota_name((enum fg_quota_of)i)));
        fg_json_uint(json, values[i]);
    }
    fg_json_object_end(json);
}

void fg_stats_tenants_write(struct fg_json_writer *json, const struct fg_stats_tenants *tenants)
{
    FG_JSON_KEY(json, "tenants");
    fg_json_array_begin(json);
    for (size_t i = 0; i < tenants->count; i++) {
        const struct fg_stats_tenant *tenant = &tenants->items[i];
        const uint64_t quota[FG_QUOTA_COUNT] = {[FG_QUOTA_SPANS] = tenant->quota.spans,
                                                [FG_QUOTA_BYTES] = tenant->quota.bytes,
                                                [FG_QUOTA_ATTRIBUTES] = tenant->quota.attributes};
        fg_json_object_begin(json);
        FG_JSON_KEY(json, "tenant");
        fg_json_string(json, fg_slice_from_string(tenant->name));
        FG_JSON_KEY(json, "segments");
        fg_json_uint(json, tenant->segment_count);
        FG_JSON_KEY(json, "spans");
        fg_json_uint(json, tenant->span_count);
        FG_JSON_KEY(json, "bytes");
        fg_json_uint(json, tenant->size_bytes);
        put_three(json, FG_SLICE("quota_per_second"), quota);
        put_three(json, FG_SLICE("received"), tenant->received);
        put_three(json, FG_SLICE("over_quota"), tenant->refused);
        fg_json_object_end(json);
    }
    fg_json_array_end(json);
}
