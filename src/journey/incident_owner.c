/* Who looks after a place: rules [KIND/]SERVICE=OWNER, of which the closest holds: kind and
 * service, then the service, then *. */
#include "incidents_internal.h"

struct rule {
    struct fg_slice kind, service, owner;
};

static bool cut(struct fg_slice text, uint8_t mark, struct fg_slice *ret_head,
                struct fg_slice *ret_tail)
{
    const uint8_t *at = text.size ? memchr(text.data, mark, text.size) : NULL;
    if (!at)
        return false;
    size_t size = (size_t)(at - text.data);
    *ret_head = fg_slice(text.data, size);
    *ret_tail = fg_slice(at + 1, text.size - size - 1);
    return true;
}

/* A service's name may hold a '/': a kind is one only where it has a kind's name. */
static bool is_kind(struct fg_slice text)
{
    for (unsigned i = FG_PLACE_NONE + 1; i < FG_PLACE_KIND_COUNT; i++)
        if (fg_slice_equal(text, fg_slice_from_string(fg_place_kind_name((enum fg_place_kind)i))))
            return true;
    return false;
}

static bool parse(struct fg_slice text, struct rule *ret_rule)
{
    struct rule rule = {0};
    struct fg_slice place, kind, service;
    if (!cut(text, '=', &place, &rule.owner))
        return false;
    rule.service = place;
    if (cut(place, '/', &kind, &service) && is_kind(kind)) {
        rule.kind = kind;
        rule.service = service;
    }
    *ret_rule = rule;
    return rule.service.size > 0 && rule.owner.size > 0;
}

bool fg_owner_rule_is_valid(struct fg_slice text)
{
    struct rule rule;
    return parse(text, &rule);
}

struct fg_slice fg_incident_owner(const struct fg_incidents *incidents,
                                  const struct fg_place *place)
{
    struct fg_slice owner = {0}, kind = fg_slice_from_string(fg_place_kind_name(place->kind));
    unsigned closest = 0;
    for (size_t i = 0; i < incidents->options.owner_count; i++) {
        struct rule rule;
        if (!parse(incidents->options.owners[i], &rule))
            continue;
        bool any = fg_slice_equal(rule.service, FG_SLICE("*"));
        bool fits = (rule.kind.size == 0 || fg_slice_equal(rule.kind, kind)) &&
                    (any || fg_slice_equal(rule.service, place->service));
        unsigned close = 1u + (any ? 0u : 2u) + (rule.kind.size ? 1u : 0u);
        if (fits && close > closest) {
            closest = close;
            owner = rule.owner;
        }
    }
    return owner;
}
