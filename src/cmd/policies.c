#include "policies.h"

#include "base/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    const char *at;
    struct fg_arena *arena;
    struct fg_retention_policy policy;
    bool has_size;
    char *why;
};

static int refuse(struct parser *parser, const char *format, struct fg_slice word)
{
    snprintf(parser->why, FG_POLICY_WHY_SIZE, format, (int)(word.size < 60 ? word.size : 60),
             word.size ? (const char *)word.data : "");
    return FG_EINVALID;
}

/* The next KEY=VALUE; FG_ENOTFOUND at the end. */
static int next_term(struct parser *parser, struct fg_slice *ret_key, struct fg_slice *ret_value)
{
    const char *p = parser->at + strspn(parser->at, " \t");
    if (!*p)
        return FG_ENOTFOUND;
    size_t key_size = strcspn(p, "= \t");
    struct fg_slice key = fg_slice(p, key_size);
    if (p[key_size] != '=' || key_size == 0)
        return refuse(parser, "has '%.*s' where a key=value is expected", fg_slice(p, strlen(p)));
    p += key_size + 1;
    bool is_quoted = *p == '"';
    p += is_quoted;
    size_t size = strcspn(p, is_quoted ? "\"" : " \t");
    if (is_quoted && p[size] != '"')
        return refuse(parser, "has no second \" for the value of %.*s", key);
    if (size == 0)
        return refuse(parser, "has no value for %.*s", key);
    *ret_key = key;
    *ret_value = fg_slice(p, size);
    parser->at = p + size + is_quoted;
    return 0;
}

static bool is(struct fg_slice word, const char *text)
{
    return fg_slice_equal(word, fg_slice_from_string(text));
}

static int set_text(struct parser *parser, struct fg_slice key, struct fg_slice value,
                    struct fg_slice *member)
{
    if (member->size)
        return refuse(parser, "has %.*s twice", key);
    *member = fg_arena_copy(parser->arena, value);
    return member->data ? 0 : FG_ENOMEM;
}

static int set_status(struct parser *parser, struct fg_slice value)
{
    static const struct {
        const char *name;
        uint8_t code;
    } codes[] = {{"unset", FG_STATUS_UNSET}, {"ok", FG_STATUS_OK}, {"error", FG_STATUS_ERROR}};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (!is(value, codes[i].name))
            continue;
        parser->policy.has_status = true;
        parser->policy.status = codes[i].code;
        return 0;
    }
    return refuse(parser, "has the status '%.*s', which is none of unset, ok and error", value);
}

static int set_tenant(struct parser *parser, struct fg_slice value)
{
    char digits[16] = {0}, *end;
    if (value.size < sizeof digits)
        memcpy(digits, value.data, value.size);
    errno = 0;
    unsigned long tenant = strtoul(digits, &end, 10);
    bool is_number = digits[0] >= '0' && digits[0] <= '9' && *end == 0 && errno == 0;
    parser->policy.has_tenant = true;
    parser->policy.tenant = UINT32_MAX; /* nobody's, until its name is known */
    if (is_number && tenant < UINT32_MAX) {
        parser->policy.tenant = (uint32_t)tenant;
        return 0;
    }
    for (size_t i = 0; i < value.size; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", value.data[i]) || value.size > 32)
            return refuse(parser,
                          "has the tenant '%.*s', which is none: small letters, digits, - and _, "
                          "or a number",
                          value);
    parser->policy.tenant_name = fg_arena_copy(parser->arena, value);
    return parser->policy.tenant_name.data ? 0 : FG_ENOMEM;
}

static int set_term(struct parser *parser, struct fg_slice key, struct fg_slice value)
{
    struct fg_retention_policy *policy = &parser->policy;
    if (is(key, "tenant"))
        return set_tenant(parser, value);
    if (is(key, "service"))
        return set_text(parser, key, value, &policy->service);
    if (is(key, "name"))
        return set_text(parser, key, value, &policy->name);
    if (is(key, "status"))
        return set_status(parser, value);
    if (is(key, "age")) {
        policy->has_age = true;
        return fg_duration_parse(value, &policy->age_ns) == 0
                   ? 0
                   : refuse(parser, "has the age '%.*s', which is no time like 90d", value);
    }
    if (is(key, "size")) {
        parser->has_size = true;
        return fg_size_parse(value, &policy->bytes_max) == 0
                   ? 0
                   : refuse(parser, "has the size '%.*s', which is no size like 10GiB", value);
    }
    bool is_at = key.data[0] == '@';
    if (!is_at && !memchr(key.data, '.', key.size))
        return refuse(parser,
                      "has '%.*s', which is none of tenant, service, name, status, age and "
                      "size, and no attribute (order.kind=vip, or @kind=vip)",
                      key);
    if (policy->key.size)
        return refuse(parser, "has a second attribute, %.*s", key);
    policy->key = fg_arena_copy(parser->arena, fg_slice(key.data + is_at, key.size - is_at));
    if (policy->key.size == 0)
        return refuse(parser, "has no key behind @%.*s", fg_slice(NULL, 0));
    return set_text(parser, key, value, &policy->value);
}

int fg_policy_parse(const char *text, struct fg_arena *arena,
                    struct fg_retention_policy *ret_policy, char ret_why[FG_POLICY_WHY_SIZE])
{
    struct parser parser = {.at = text, .arena = arena, .why = ret_why};
    struct fg_slice key, value;
    int r;
    while ((r = next_term(&parser, &key, &value)) == 0)
        if ((r = set_term(&parser, key, value)) < 0)
            return r;
    if (r != FG_ENOTFOUND)
        return r;
    const struct fg_retention_policy *policy = &parser.policy;
    if (!policy->has_age && !parser.has_size)
        return refuse(&parser, "names neither an age nor a size%.*s", fg_slice(NULL, 0));
    bool is_any = !policy->has_tenant && !policy->has_status && !policy->service.size &&
                  !policy->name.size && !policy->key.size;
    if (is_any)
        return refuse(&parser,
                      "is for every span: that is what retention-age and retention-size "
                      "are%.*s",
                      fg_slice(NULL, 0));
    *ret_policy = *policy;
    return 0;
}
