/* dns: a name resolves, to what is expected of it. Asked is the system's resolver, or the server
 * that is named, with one question and as much time as there is. */
#include "base/limits.h"
#include "kinds.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define ANSWER_SIZE  4096
#define TEXT_SIZE    300
#define EXPECTED_MAX 64u
#define FOUND_MAX    64u

struct record_type {
    const char *name;
    int number;
    int name_at; /* where in its data a domain name begins; -1: it is an address */
};

static const struct record_type types[] = {
    {"A", ns_t_a, -1},  {"AAAA", ns_t_aaaa, -1}, {"CNAME", ns_t_cname, 0},
    {"NS", ns_t_ns, 0}, {"MX", ns_t_mx, 2},      {"SRV", ns_t_srv, 6},
};

struct dns {
    struct fg_env *env;
    const char *query, *server;
    const struct record_type *type;
    int64_t port;
    const char *const *expected;
    uint32_t expected_count;
    union {
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address; /* of server */
    bool is_v6;
};

/* -- Settings */

static const struct record_type *find_type(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcasecmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

static void read_server(struct dns *dns, struct fg_check_settings *settings)
{
    dns->server = fg_check_setting(settings, "server");
    dns->port = fg_check_setting_int(settings, "port", 1, 65535, 53);
    if (!dns->server)
        return;
    if (inet_pton(AF_INET, dns->server, &dns->address.v4.sin_addr) == 1) {
        dns->address.v4.sin_family = AF_INET;
        dns->address.v4.sin_port = htons((uint16_t)dns->port);
    } else if (inet_pton(AF_INET6, dns->server, &dns->address.v6.sin6_addr) == 1) {
        dns->address.v6.sin6_family = AF_INET6;
        dns->address.v6.sin6_port = htons((uint16_t)dns->port);
        dns->is_v6 = true;
    } else {
        fg_check_complain(settings, "server", "expected an address, not a name");
    }
}

static int open_dns(struct fg_env *env, struct fg_check_settings *settings, void **ret_check)
{
    struct dns *dns = calloc(1, sizeof *dns);
    if (!dns)
        return FG_ENOMEM;
    dns->env = env;
    dns->query = fg_check_setting(settings, "query");
    const char *type = fg_check_setting(settings, "type");
    dns->type = find_type(type ? type : "A");
    dns->expected_count = fg_check_setting_list(settings, "expect", &dns->expected);
    read_server(dns, settings);
    if (!dns->query || *dns->query == 0 || strlen(dns->query) > 253)
        fg_check_complain(settings, "query", "it is needed: a name to be resolved");
    if (!dns->type)
        fg_check_complain(settings, "type", "expected A, AAAA, CNAME, NS, MX or SRV");
    if (dns->expected_count > EXPECTED_MAX)
        fg_check_complain(settings, "expect", "at most %u", EXPECTED_MAX);
    if (!dns->query || !dns->type) {
        free(dns);
        return FG_EINVALID;
    }
    *ret_check = dns;
    return 0;
}

/* -- Asking */

static void set_server(const struct dns *dns, res_state resolver)
{
    if (!dns->server)
        return;
    resolver->nscount = 1;
    if (!dns->is_v6) {
        resolver->nsaddr_list[0] = dns->address.v4;
        return;
    }
    /* glibc's way of a server with an IPv6 address: the resolver frees it */
    struct sockaddr_in6 *address = malloc(sizeof *address);
    if (!address)
        return;
    *address = dns->address.v6;
    resolver->nsaddr_list[0].sin_family = 0;
    resolver->_u._ext.nsaddrs[0] = address;
}

/* All tries together within the time that is left: the resolver counts in whole seconds. */
static void set_times(const struct dns *dns, res_state resolver, uint64_t deadline_ns)
{
    uint64_t now_ns = fg_env_mono_ns(dns->env);
    uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    int seconds = (int)(left_ns / FG_NS_PER_SECOND);
    resolver->retry = seconds > 2 ? 2 : 1;
    /* the second try waits twice as long, shared among the servers */
    resolver->retrans = resolver->retry == 2 ? seconds / 3 : seconds;
    if (resolver->retrans < 1)
        resolver->retrans = 1;
}

static void judge_refusal(const struct dns *dns, int why, struct fg_check_report *report)
{
    switch (why) {
    case HOST_NOT_FOUND:
        fg_check_finding(report, FG_CHECK_DOWN, "name_unknown", false, "the name %s does not exist",
                         dns->query);
        break;
    case NO_DATA:
        fg_check_finding(report, FG_CHECK_DOWN, "no_records", false,
                         "the name %s has no record of type %s", dns->query, dns->type->name);
        break;
    case TRY_AGAIN:
        fg_check_finding(report, FG_CHECK_UNKNOWN, "no_answer", false,
                         "no server answered in time, or they failed themselves");
        break;
    default:
        fg_check_finding(report, FG_CHECK_UNKNOWN, "not_understood", false,
                         "the server refused the question, or its answer makes no sense");
    }
}

/* -- The answer */

struct found {
    char texts[FOUND_MAX][TEXT_SIZE];
    uint32_t count;
};

static void add_record(const struct dns *dns, ns_msg *message, const ns_rr *record,
                       struct found *found)
{
    char *text = found->texts[found->count];
    int at = dns->type->name_at;
    bool is_v6 = dns->type->number == ns_t_aaaa;
    size_t size = ns_rr_rdlen(*record);
    if (at < 0) {
        if (size == (is_v6 ? 16 : 4) &&
            inet_ntop(is_v6 ? AF_INET6 : AF_INET, ns_rr_rdata(*record), text, TEXT_SIZE))
            found->count++;
        return;
    }
    if (size > (size_t)at && dn_expand(ns_msg_base(*message), ns_msg_end(*message),
                                       ns_rr_rdata(*record) + at, text, TEXT_SIZE) >= 0)
        found->count++;
}

static bool read_answer(const struct dns *dns, const uint8_t *answer, int size, struct found *found)
{
    ns_msg message;
    ns_rr record;
    found->count = 0;
    if (ns_initparse(answer, size, &message) < 0)
        return false;
    for (int i = 0; i < ns_msg_count(message, ns_s_an) && found->count < FOUND_MAX; i++) {
        if (ns_parserr(&message, ns_s_an, i, &record) < 0)
            return false;
        if ((int)ns_rr_type(record) == dns->type->number)
            add_record(dns, &message, &record, found);
    }
    return true;
}

static bool has(const struct found *found, const char *text)
{
    for (uint32_t i = 0; i < found->count; i++)
        if (strcasecmp(found->texts[i], text) == 0)
            return true;
    return false;
}

static void judge(const struct dns *dns, const struct found *found, struct fg_check_report *report)
{
    struct fg_buffer all;
    fg_buffer_init(&all, FG_CHECK_TEXT_SIZE_MAX);
    for (uint32_t i = 0; i < found->count; i++)
        fg_buffer_append_format(&all, "%s%s", i ? " " : "", found->texts[i]);
    fg_check_text(report, "dns.answers", fg_buffer_slice(&all));
    fg_buffer_free(&all);
    if (found->count == 0)
        judge_refusal(dns, NO_DATA, report);
    for (uint32_t i = 0; found->count && i < dns->expected_count; i++)
        if (!has(found, dns->expected[i])) {
            fg_check_finding(report, FG_CHECK_DEGRADED, "unexpected_answer", false,
                             "the name %s does not lead to %s", dns->query, dns->expected[i]);
            return;
        }
}

static void run_dns(void *check, uint64_t deadline_mono_ns, struct fg_check_report *report)
{
    struct dns *dns = check;
    struct __res_state resolver = {0};
    struct found *found = malloc(sizeof *found);
    uint8_t answer[ANSWER_SIZE];
    fg_check_text(report, "dns.question.name", fg_slice_from_string(dns->query));
    if (dns->server) {
        fg_check_text(report, "server.address", fg_slice_from_string(dns->server));
        fg_check_int(report, "server.port", dns->port);
    }
    if (!found || res_ninit(&resolver) < 0) {
        fg_check_finding(report, FG_CHECK_UNKNOWN, "check_failed", false,
                         "the resolver can't be set up");
        free(found);
        return;
    }
    set_server(dns, &resolver);
    set_times(dns, &resolver, deadline_mono_ns);
    int size = res_nquery(&resolver, dns->query, ns_c_in, dns->type->number, answer, sizeof answer);
    if (size < 0)
        judge_refusal(dns, resolver.res_h_errno, report);
    else if (size > (int)sizeof answer || !read_answer(dns, answer, size, found))
        fg_check_finding(report, FG_CHECK_UNKNOWN, "not_understood", false,
                         "the server's answer makes no sense");
    else
        judge(dns, found, report);
    res_nclose(&resolver);
    free(found);
}

static void close_check(void *check)
{
    free(check);
}

const struct fg_check_kind fg_check_kind_dns = {
    .name = "dns",
    .summary = "a name resolves, to what is expected",
    .open = open_dns,
    .run = run_dns,
    .close = close_check,
};
