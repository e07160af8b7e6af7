/* What may not be kept, and what stands in its place: rules by key and by value.
 *
 * For one key the rules are gone through in their order. A rule that names neither kinds nor a
 * pattern decides the whole value and is the last; one with kinds or a pattern acts on the parts of
 * the value that it finds, and each kind is decided by the first rule that names it. So `keep` is
 * an exception: of a key, or of some kinds in a key.
 *
 * Beside attributes' keys stand names for the texts that have none: span.name, span.status_message,
 * span.trace_state, event.name, scope.name, scope.version, schema_url.
 *
 * A set of rules is immutable but for its counts, and counted by reference; any thread. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "redact/value.h"

enum fg_redact_action {
    FG_REDACT_KEEP,
    FG_REDACT_DROP, /* the attribute goes; a text that has no key becomes empty */
    FG_REDACT_HASH, /* a keyed hash stands for it, so that equal values still group */
    FG_REDACT_MASK, /* a word that says what was there */
};

struct fg_redact_rule {
    const char *name;        /* for counts and marks: lower-case letters, digits, '-', '_'; at most
                              * FG_REDACT_NAME_SIZE_MAX */
    const char *const *keys; /* patterns of redact.h; none: every key */
    size_t key_count;
    unsigned kinds;      /* bits of enum fg_redact_kind */
    const char *pattern; /* a regular expression, PCRE2's syntax; NULL: none */
    enum fg_redact_action action;
};

#define FG_REDACT_NAME_SIZE_MAX 40u
#define FG_REDACT_RULES_MAX     64u
#define FG_REDACT_PATTERNS_MAX  16u
#define FG_REDACT_HASH_KEY_SIZE 32u
/* Of one match of a pattern; a text that needs more is masked whole. */
#define FG_REDACT_PATTERN_STEPS_MAX 100000u

struct fg_redact_rules;

/* Copies the rules. hash_key: FG_REDACT_HASH_KEY_SIZE bytes; NULL: what should be hashed is masked.
 * FG_EINVALID, with a sentence in *ret_message (arena's, or static), FG_ENOMEM. */
FG_MUST_CHECK int fg_redact_rules_new(const struct fg_redact_rule *rules, size_t count,
                                      const uint8_t *hash_key, struct fg_arena *arena,
                                      const char **ret_message, struct fg_redact_rules **ret_rules);
/* NULL is accepted. */
struct fg_redact_rules *fg_redact_rules_ref(struct fg_redact_rules *rules);
void fg_redact_rules_unref(struct fg_redact_rules *rules);

size_t fg_redact_rules_count(const struct fg_redact_rules *rules);
/* The rule's keys are given as they were. */
const struct fg_redact_rule *fg_redact_rules_at(const struct fg_redact_rules *rules, size_t index);
/* How often the rule took something since the start. */
uint64_t fg_redact_rules_hits(const struct fg_redact_rules *rules, size_t index);
/* The counts of rules of the same name go on: rules that replace others while the server runs. */
void fg_redact_rules_adopt(struct fg_redact_rules *rules, const struct fg_redact_rules *before);

/* "card", "email", … for one bit of enum fg_redact_kind; "keep", "drop", … */
const char *fg_redact_kind_name(enum fg_redact_kind kind);
const char *fg_redact_action_name(enum fg_redact_action action);
/* The other way round; false for a name that is none. */
bool fg_redact_kind_parse(struct fg_slice name, enum fg_redact_kind *ret_kind);
bool fg_redact_action_parse(struct fg_slice name, enum fg_redact_action *ret_action);

/* What is in force unless the configuration says otherwise; doc/redaction.md lists it. */
extern const struct fg_redact_rule fg_redact_default_rules[];
extern const size_t fg_redact_default_rule_count;
