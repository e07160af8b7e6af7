#include "auth/role.h"

#include <stdio.h>

static const struct {
    enum fg_role role;
    const char *name, *scope;
} names[FG_ROLE_COUNT] = {
    {FG_ROLE_INGEST, "ingest", "ingest"}, {FG_ROLE_SUPPORT, "support", "support"},
    {FG_ROLE_VIEWER, "viewer", "view"},   {FG_ROLE_OPERATOR, "operator", "operate"},
    {FG_ROLE_ADMIN, "admin", "admin"},
};

const char *fg_role_name(enum fg_role role)
{
    for (size_t i = 0; i < FG_ROLE_COUNT; i++)
        if (names[i].role == role)
            return names[i].name;
    return "none";
}

void fg_roles_format(unsigned roles, char ret_text[FG_ROLES_TEXT_SIZE])
{
    size_t size = 0;
    ret_text[0] = 0;
    for (size_t i = 0; i < FG_ROLE_COUNT; i++)
        if (roles & names[i].role)
            size += (size_t)snprintf(ret_text + size, FG_ROLES_TEXT_SIZE - size, "%s%s",
                                     size ? "," : "", names[i].name);
}

int fg_role_parse(struct fg_slice name, enum fg_role *ret_role)
{
    for (size_t i = 0; i < FG_ROLE_COUNT; i++) {
        if (!fg_slice_equal(name, fg_slice_from_string(names[i].name)) &&
            !fg_slice_equal(name, fg_slice_from_string(names[i].scope)))
            continue;
        *ret_role = names[i].role;
        return 0;
    }
    return FG_EINVALID;
}

int fg_roles_parse(struct fg_slice text, unsigned *ret_roles)
{
    unsigned roles = 0;
    for (;;) {
        const uint8_t *comma = text.size ? memchr(text.data, ',', text.size) : NULL;
        size_t size = comma ? (size_t)(comma - text.data) : text.size;
        enum fg_role role;
        int r = fg_role_parse(fg_slice(text.data, size), &role);
        if (r < 0)
            return r;
        roles |= role;
        if (!comma)
            break;
        text = fg_slice(comma + 1, text.size - size - 1);
    }
    *ret_roles = roles;
    return 0;
}
