/* What is counted of accounts, tokens, sessions and the audit. */
#include "auth/accounts.h"
#include "auth/audit.h"
#include "auth/auth.h"
#include "metrics.h"
#include "metrics_text.h"

static void write_refusals(const struct fg_auth_counters *counters, struct fg_buffer *buffer)
{
    const struct {
        const char *result;
        uint64_t value;
    } sign_ins[] = {{"ok", counters->sign_ins},
                    {"failed", counters->wrong_passwords},
                    {"locked_out", counters->locked_out}};
    struct fg_metric metric =
        fg_metric_family(buffer, "filigree_auth_sign_ins_total", FG_METRIC_COUNTER,
                         "Tries to sign in; locked_out: not looked at, since too many had failed.");
    for (size_t i = 0; i < sizeof sign_ins / sizeof *sign_ins; i++) {
        fg_metric_begin(&metric, "");
        fg_metric_label(&metric, "result", sign_ins[i].result);
        fg_metric_uint(&metric, sign_ins[i].value);
    }
    metric = fg_metric_family(buffer, "filigree_auth_refused_tokens_total", FG_METRIC_COUNTER,
                              "Requests with a token that did not hold, by reason; unknown: also "
                              "one that was revoked.");
    for (int i = 0; i < FG_TOKEN_FAULT_COUNT; i++) {
        fg_metric_begin(&metric, "");
        fg_metric_label(&metric, "reason", fg_token_fault_name((enum fg_token_fault)i));
        fg_metric_uint(&metric, counters->bad_tokens[i]);
    }
    fg_metric_single(buffer, "filigree_auth_refused_sessions_total", FG_METRIC_COUNTER,
                     "Requests with a session that did not hold, or no more.",
                     counters->bad_sessions);
    fg_metric_single(buffer, "filigree_auth_over_quota_total", FG_METRIC_COUNTER,
                     "Requests that were refused for a quota of their tenant or token.",
                     counters->over_quota);
}

struct family {
    struct fg_metric metric;
    bool is_refused; /* of received otherwise */
    int of;          /* enum fg_quota_of; < 0: all, told apart by a label */
};

static void write_tenant(void *arg, const struct fg_tenant_info *info)
{
    struct family *family = arg;
    const uint64_t *values = family->is_refused ? info->refused : info->received;
    for (int i = 0; i < FG_QUOTA_COUNT; i++) {
        if (family->of >= 0 && i != family->of)
            continue;
        fg_metric_begin(&family->metric, "");
        fg_metric_label(&family->metric, "tenant", info->name);
        if (family->of < 0)
            fg_metric_label(&family->metric, "quota", fg_quota_name((enum fg_quota_of)i));
        fg_metric_uint(&family->metric, values[i]);
    }
}

static void write_tenants(struct fg_auth *auth, struct fg_buffer *buffer)
{
    static const struct {
        const char *name, *help;
        bool is_refused;
        int of;
    } families[] = {
        {"filigree_tenant_spans_total", "Spans that were taken, by tenant.", false, FG_QUOTA_SPANS},
        {"filigree_tenant_bytes_total", "Bytes of bodies, decompressed, by tenant.", false,
         FG_QUOTA_BYTES},
        {"filigree_tenant_attributes_total", "Attributes that were taken, by tenant.", false,
         FG_QUOTA_ATTRIBUTES},
        {"filigree_tenant_over_quota_total",
         "Requests that were refused, by tenant and by the quota that they would have passed.",
         true, -1},
    };
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        struct family family = {.metric = fg_metric_family(buffer, families[i].name,
                                                           FG_METRIC_COUNTER, families[i].help),
                                .is_refused = families[i].is_refused,
                                .of = families[i].of};
        fg_tenants_each(auth, write_tenant, &family);
    }
}

void fg_metrics_write_auth(struct fg_auth *auth, struct fg_buffer *buffer)
{
    struct fg_auth_counters counters;
    struct fg_audit_counters audit;
    fg_auth_counters(auth, &counters);
    write_refusals(&counters, buffer);
    fg_metric_single(buffer, "filigree_auth_accounts", FG_METRIC_GAUGE, "Accounts.",
                     counters.accounts);
    fg_metric_single(buffer, "filigree_auth_tokens", FG_METRIC_GAUGE, "Tokens.", counters.tokens);
    fg_metric_single(buffer, "filigree_auth_sessions", FG_METRIC_GAUGE,
                     "Sessions of people who are signed in.", counters.sessions);
    /* An open server counts for none. */
    if (fg_auth_mode(auth) == FG_AUTH_ACCOUNTS)
        write_tenants(auth, buffer);
    if (!fg_auth_audit(auth))
        return;
    fg_audit_counters(fg_auth_audit(auth), &audit);
    fg_metric_single(buffer, "filigree_audit_records_total", FG_METRIC_COUNTER,
                     "Records of the audit that were written.", audit.records);
    fg_metric_single(buffer, "filigree_audit_lost_total", FG_METRIC_COUNTER,
                     "Records of the audit that could not be written, or had no room.", audit.lost);
    fg_metric_single(buffer, "filigree_audit_failed", FG_METRIC_GAUGE,
                     "1 once the audit can't be written: changes are refused.", audit.is_failed);
}

void fg_metrics_write_confined(bool has_few_calls, bool has_few_files, struct fg_buffer *buffer)
{
    struct fg_metric metric =
        fg_metric_family(buffer, "filigree_confined", FG_METRIC_GAUGE,
                         "1 where the process gave up all system calls (seccomp) or files "
                         "(landlock) that it has no use for.");
    fg_metric_begin(&metric, "");
    fg_metric_label(&metric, "by", "seccomp");
    fg_metric_uint(&metric, has_few_calls);
    fg_metric_begin(&metric, "");
    fg_metric_label(&metric, "by", "landlock");
    fg_metric_uint(&metric, has_few_files);
}
