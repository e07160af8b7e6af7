#include "auth/quota.h"

#include "base/limits.h"
#include "state.h"

/* Of a token that stands in a page, where everybody can read it: a busy shop's pages by far. */
#define BROWSER_SPANS      1000u
#define BROWSER_BYTES      ((uint64_t)1 << 20)
#define BROWSER_ATTRIBUTES 50000u
/* A sender that was quiet may send so many seconds' worth at once: exporters send in batches. */
#define BURST_SECONDS 5

/* What is left, in units; below 0: owed. */
static void refill(double *left, uint64_t rate, double seconds)
{
    double full = (double)rate * BURST_SECONDS;
    *left += (double)rate * seconds;
    if (*left > full)
        *left = full;
}

static void catch_up(struct fg_allowance *allowance, const struct fg_quota *quota, uint64_t now_ns)
{
    double seconds = allowance->seen_ns
                         ? (double)(now_ns - allowance->seen_ns) / (double)FG_NS_PER_SECOND
                         : BURST_SECONDS;
    allowance->seen_ns = now_ns;
    refill(&allowance->spans, quota->spans, seconds);
    refill(&allowance->bytes, quota->bytes, seconds);
    refill(&allowance->attributes, quota->attributes, seconds);
}

/* Until nothing is owed any more. */
static uint64_t wait_for(double left, uint64_t rate)
{
    if (rate == 0 || left > 0)
        return 0;
    return (uint64_t)((1 - left) / (double)rate * (double)FG_NS_PER_SECOND) + FG_NS_PER_MS;
}

const char *fg_quota_name(enum fg_quota_of of)
{
    static const char *const names[FG_QUOTA_COUNT] = {[FG_QUOTA_SPANS] = "spans",
                                                      [FG_QUOTA_BYTES] = "bytes",
                                                      [FG_QUOTA_ATTRIBUTES] = "attributes"};
    return names[of];
}

/* How long until none of the bounds is passed; *of is the one that takes longest, and is left where
 * none takes longer than *wait_ns. */
static void ask(struct fg_allowance *allowance, const struct fg_quota *quota, uint64_t now_ns,
                uint64_t *wait_ns, enum fg_quota_of *of)
{
    catch_up(allowance, quota, now_ns);
    const uint64_t waits[FG_QUOTA_COUNT] = {
        [FG_QUOTA_SPANS] = wait_for(allowance->spans, quota->spans),
        [FG_QUOTA_BYTES] = wait_for(allowance->bytes, quota->bytes),
        [FG_QUOTA_ATTRIBUTES] = wait_for(allowance->attributes, quota->attributes)};
    for (int i = 0; i < FG_QUOTA_COUNT; i++)
        if (waits[i] > *wait_ns) {
            *wait_ns = waits[i];
            *of = (enum fg_quota_of)i;
        }
}

static void charge(struct fg_allowance *allowance, const struct fg_quota_use *use)
{
    allowance->spans -= (double)use->spans;
    allowance->bytes -= (double)use->bytes;
    allowance->attributes -= (double)use->attributes;
}

static const struct fg_quota browsers = {
    .spans = BROWSER_SPANS, .bytes = BROWSER_BYTES, .attributes = BROWSER_ATTRIBUTES};

static struct fg_tenant *tenant_of(struct fg_auth *auth, uint32_t tenant)
{
    for (size_t i = 0; i < auth->tenant_count; i++)
        if (auth->tenants[i].tenant == tenant)
            return &auth->tenants[i];
    return NULL;
}

int fg_quota_ask(struct fg_auth *auth, const struct fg_identity *identity, uint64_t *ret_wait_ns,
                 enum fg_quota_of *ret_of)
{
    uint64_t wait_ns = 0;
    enum fg_quota_of of = FG_QUOTA_SPANS;
    if (fg_auth_mode(auth) == FG_AUTH_OPEN)
        return 0;
    uint64_t now_ns = fg_env_mono_ns(auth->env);
    fg_mutex_lock(&auth->mutex);
    struct fg_tenant *tenant = tenant_of(auth, identity->tenant);
    struct fg_token *token =
        identity->is_browsers_token ? fg_token_find(auth, identity->token) : NULL;
    if (tenant)
        ask(&tenant->allowance, &tenant->quota, now_ns, &wait_ns, &of);
    if (token)
        ask(&token->allowance, &browsers, now_ns, &wait_ns, &of);
    auth->over_quota += wait_ns > 0;
    if (tenant)
        tenant->refused[of] += wait_ns > 0;
    fg_mutex_unlock(&auth->mutex);
    if (wait_ns == 0)
        return 0;
    *ret_wait_ns = wait_ns;
    *ret_of = of;
    return FG_EAGAIN;
}

void fg_quota_charge(struct fg_auth *auth, const struct fg_identity *identity,
                     const struct fg_quota_use *use)
{
    if (fg_auth_mode(auth) == FG_AUTH_OPEN)
        return;
    fg_mutex_lock(&auth->mutex);
    struct fg_tenant *tenant = tenant_of(auth, identity->tenant);
    struct fg_token *token =
        identity->is_browsers_token ? fg_token_find(auth, identity->token) : NULL;
    if (tenant) {
        charge(&tenant->allowance, use);
        tenant->received[FG_QUOTA_SPANS] += use->spans;
        tenant->received[FG_QUOTA_BYTES] += use->bytes;
        tenant->received[FG_QUOTA_ATTRIBUTES] += use->attributes;
    }
    if (token)
        charge(&token->allowance, use);
    fg_mutex_unlock(&auth->mutex);
}
