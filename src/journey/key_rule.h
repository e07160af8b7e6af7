/* Rules by which a span names a journey although it does not carry the key: a part of another of
 * its attributes, as of a route, an address or a message's id, or of its name. */
#pragma once

#include "journey/flow.h"
#include "names.h"

/* The rule's value in a text: the pattern's first group, or all that it matches; without a pattern
 * the text. "" where it does not match. The slice is of text. */
struct fg_slice fg_key_rule_value(const struct fg_key_rule *rule, struct fg_slice text);

/* Compiles the rule's pattern. FG_EINVALID: ret_message (of at least 200 bytes) says why. */
FG_MUST_CHECK int fg_key_rule_compile(struct fg_key_rule *rule, char *ret_message);
