/* Retention policies as the configuration writes them:
 *
 *     [tenant=NAME] [service=NAME] [name=NAME] [status=unset|ok|error] [KEY=VALUE] [age=TIME]
 * [size=SIZE]
 *
 * A tenant that stands there by its name has the number UINT32_MAX, which is nobody's, until
 * somebody has looked it up; its number may stand there as well. KEY has a dot or begins with "@",
 * which is left out: it is an attribute of the span or its resource, with a text as its value. A
 * value may stand in double quotes. An age or a size must be there. */
#pragma once

#include "base/arena.h"
#include "store/store.h"

#define FG_POLICY_WHY_SIZE 160

/* FG_EINVALID: ret_why says what is wrong, to stand behind the quoted item; FG_ENOMEM. Texts lie in
 * the arena. */
FG_MUST_CHECK int fg_policy_parse(const char *text, struct fg_arena *arena,
                                  struct fg_retention_policy *ret_policy,
                                  char ret_why[FG_POLICY_WHY_SIZE]);
