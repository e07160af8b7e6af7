/* Tenants: companies, or parts of one, that share a server and see nothing of each other. */
#include "state.h"
#include "store/state.h"

#include <stdio.h>

bool fg_tenant_exists(const struct fg_auth *auth, uint32_t tenant)
{
    for (size_t i = 0; i < auth->tenant_count; i++)
        if (auth->tenants[i].tenant == tenant)
            return true;
    return tenant == FG_EVERY_TENANT;
}

static struct fg_tenant *by_name(struct fg_auth *auth, struct fg_slice name)
{
    for (size_t i = 0; i < auth->tenant_count; i++)
        if (fg_slice_equal(fg_slice_from_string(auth->tenants[i].name), name))
            return &auth->tenants[i];
    return NULL;
}

static struct fg_tenant *by_number(struct fg_auth *auth, uint32_t tenant)
{
    for (size_t i = 0; i < auth->tenant_count; i++)
        if (auth->tenants[i].tenant == tenant)
            return &auth->tenants[i];
    return NULL;
}

static bool is_name(struct fg_slice name)
{
    if (name.size == 0 || name.size > FG_TENANT_NAME_SIZE_MAX)
        return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool is_good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!is_good)
            return false;
    }
    return true;
}

static int commit(struct fg_auth *auth, const struct fg_tenant *tenant)
{
    struct fg_state_batch *batch;
    int r = fg_auth_batch(auth, &batch);
    if (r < 0)
        return r;
    r = fg_auth_put_tenant(auth, batch, tenant);
    if (r < 0) {
        fg_state_batch_free(batch);
        return r;
    }
    return fg_state_commit_take(auth->state, batch);
}

static int add(struct fg_auth *auth, struct fg_tenant *tenant)
{
    fg_mutex_lock(&auth->mutex);
    int r = by_name(auth, fg_slice_from_string(tenant->name)) ? FG_EEXIST
            : auth->tenant_count == FG_TENANTS_MAX            ? FG_ELIMIT
                                                              : 0;
    for (size_t i = 0; i < auth->tenant_count; i++)
        if (auth->tenants[i].tenant >= tenant->tenant)
            tenant->tenant = auth->tenants[i].tenant + 1;
    fg_mutex_unlock(&auth->mutex);
    if (r == 0)
        r = commit(auth, tenant);
    if (r < 0)
        return r;
    fg_mutex_lock(&auth->mutex);
    auth->tenants[auth->tenant_count++] = *tenant;
    fg_mutex_unlock(&auth->mutex);
    return 0;
}

int fg_tenant_add(struct fg_auth *auth, struct fg_slice name, const struct fg_quota *quota,
                  uint32_t *ret_tenant)
{
    struct fg_tenant tenant = {.quota = *quota};
    if (!is_name(name))
        return FG_EINVALID;
    memcpy(tenant.name, name.data, name.size);
    fg_mutex_lock(&auth->change);
    int r = add(auth, &tenant);
    fg_mutex_unlock(&auth->change);
    if (r == 0)
        *ret_tenant = tenant.tenant;
    return r;
}

static void keep_bound(uint64_t *wanted, uint64_t now)
{
    if (*wanted == FG_QUOTA_AS_IT_IS)
        *wanted = now;
}

int fg_tenant_set_quota(struct fg_auth *auth, uint32_t tenant, struct fg_quota *quota)
{
    struct fg_tenant changed;
    fg_mutex_lock(&auth->change);
    fg_mutex_lock(&auth->mutex);
    const struct fg_tenant *found = by_number(auth, tenant);
    if (found)
        changed = *found;
    fg_mutex_unlock(&auth->mutex);
    int r = FG_ENOTFOUND;
    if (found) {
        keep_bound(&quota->spans, changed.quota.spans);
        keep_bound(&quota->bytes, changed.quota.bytes);
        keep_bound(&quota->attributes, changed.quota.attributes);
        changed.quota = *quota;
        r = commit(auth, &changed);
    }
    if (r == 0) {
        fg_mutex_lock(&auth->mutex);
        by_number(auth, tenant)->quota = *quota;
        fg_mutex_unlock(&auth->mutex);
    }
    fg_mutex_unlock(&auth->change);
    return r;
}

int fg_tenant_find(struct fg_auth *auth, struct fg_slice name, uint32_t *ret_tenant)
{
    if (fg_slice_equal(name, FG_SLICE("*"))) {
        *ret_tenant = FG_EVERY_TENANT;
        return 0;
    }
    fg_mutex_lock(&auth->mutex);
    const struct fg_tenant *tenant = by_name(auth, name);
    uint32_t number = tenant ? tenant->tenant : 0;
    fg_mutex_unlock(&auth->mutex);
    if (!tenant)
        return FG_ENOTFOUND;
    *ret_tenant = number;
    return 0;
}

void fg_tenants_each(struct fg_auth *auth, void (*fn)(void *arg, const struct fg_tenant_info *info),
                     void *arg)
{
    fg_mutex_lock(&auth->mutex);
    for (size_t i = 0; i < auth->tenant_count; i++) {
        struct fg_tenant_info info = {.tenant = auth->tenants[i].tenant,
                                      .name = auth->tenants[i].name,
                                      .quota = auth->tenants[i].quota};
        memcpy(info.received, auth->tenants[i].received, sizeof info.received);
        memcpy(info.refused, auth->tenants[i].refused, sizeof info.refused);
        fn(arg, &info);
    }
    fg_mutex_unlock(&auth->mutex);
}

void fg_tenant_name(struct fg_auth *auth, uint32_t tenant,
                    char ret_name[FG_TENANT_NAME_SIZE_MAX + 1])
{
    fg_mutex_lock(&auth->mutex);
    const struct fg_tenant *found = by_number(auth, tenant);
    snprintf(ret_name, FG_TENANT_NAME_SIZE_MAX + 1, "%s",
             tenant == FG_EVERY_TENANT ? "*"
             : found                   ? found->name
                                       : "");
    fg_mutex_unlock(&auth->mutex);
}
