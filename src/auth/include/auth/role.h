/* Roles: what somebody is to Filigree. A set of them is a bit mask. What each may do stands with
 * the routes (api/permit.c). */
#pragma once

#include "base/error.h"
#include "base/slice.h"

enum fg_role {
    FG_ROLE_INGEST = 1,   /* sends spans */
    FG_ROLE_SUPPORT = 2,  /* orders and their verdicts, no attribute's value */
    FG_ROLE_VIEWER = 4,   /* reads everything of its tenant */
    FG_ROLE_OPERATOR = 8, /* flows, retention, incidents; the store's care */
    FG_ROLE_ADMIN = 16,   /* accounts, tokens, tenants, the audit; erasing */
};

#define FG_ROLE_COUNT 5u
#define FG_ROLES_ALL  ((1u << FG_ROLE_COUNT) - 1)
/* Bytes of all names with commas, and a NUL. */
#define FG_ROLES_TEXT_SIZE 48

/* "viewer", for one bit. */
const char *fg_role_name(enum fg_role role);

/* "viewer,operator", in the order above; "" for none. */
void fg_roles_format(unsigned roles, char ret_text[FG_ROLES_TEXT_SIZE]);

/* One name; the scopes' spellings view and operate are taken as well. FG_EINVALID. */
FG_MUST_CHECK int fg_role_parse(struct fg_slice name, enum fg_role *ret_role);
/* Names with commas between them, at least one. FG_EINVALID. */
FG_MUST_CHECK int fg_roles_parse(struct fg_slice text, unsigned *ret_roles);
