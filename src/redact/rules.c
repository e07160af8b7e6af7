#include "redact/rules.h"

#include "rules_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define BYTES_MAX    ((size_t)1 << 20)
#define MESSAGE_SIZE 512
#define TEXT_SIZE    384
#define DETAIL_SIZE  200

static const char *const kind_names[FG_REDACT_KIND_BITS] = {
    "card", "email", "token", "sql", "phone", "private-key", "secret", "url",
};

static const char *const action_names[] = {
    [FG_REDACT_KEEP] = "keep",
    [FG_REDACT_DROP] = "drop",
    [FG_REDACT_HASH] = "hash",
    [FG_REDACT_MASK] = "mask",
};
#define ACTION_COUNT (sizeof action_names / sizeof *action_names)

const char *fg_redact_kind_name(enum fg_redact_kind kind)
{
    return kind_names[__builtin_ctz((unsigned)kind)];
}

const char *fg_redact_action_name(enum fg_redact_action action)
{
    return action_names[action];
}

bool fg_redact_kind_parse(struct fg_slice name, enum fg_redact_kind *ret_kind)
{
    for (unsigned bit = 0; bit < FG_REDACT_KIND_BITS; bit++)
        if (fg_slice_equal(fg_slice_from_string(kind_names[bit]), name)) {
            *ret_kind = (enum fg_redact_kind)(1u << bit);
            return true;
        }
    return false;
}

bool fg_redact_action_parse(struct fg_slice name, enum fg_redact_action *ret_action)
{
    for (unsigned i = 0; i < ACTION_COUNT; i++)
        if (fg_slice_equal(fg_slice_from_string(action_names[i]), name)) {
            *ret_action = (enum fg_redact_action)i;
            return true;
        }
    return false;
}

/* A sentence in the caller's arena. */
static int refuse(struct fg_arena *arena, const char **ret_message, const char *rule,
                  const char *what)
{
    char text[MESSAGE_SIZE];
    snprintf(text, sizeof text, "rule '%.*s': %s", (int)FG_REDACT_NAME_SIZE_MAX, rule, what);
    const char *copy = fg_arena_string(arena, fg_slice_from_string(text));
    *ret_message = copy ? copy : "a rule is wrong";
    return FG_EINVALID;
}

static bool is_name(const char *name)
{
    size_t size = strlen(name);
    return size > 0 && size <= FG_REDACT_NAME_SIZE_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == size;
}

static int compile_pattern(struct fg_redact_compiled *compiled, struct fg_arena *arena,
                           const char **ret_message)
{
    const char *pattern = compiled->rule.pattern;
    int error;
    size_t offset;
    compiled->code = pcre2_compile((PCRE2_SPTR)pattern, strlen(pattern),
                                   PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C,
                                   &error, &offset, NULL);
    if (!compiled->code) {
        char detail[DETAIL_SIZE], text[TEXT_SIZE];
        pcre2_get_error_message(error, (PCRE2_UCHAR *)detail, sizeof detail);
        snprintf(text, sizeof text, "its pattern is wrong at character %zu: %s", offset, detail);
        return refuse(arena, ret_message, compiled->rule.name, text);
    }
    /* Where the system forbids it the pattern is interpreted. */
    (void)pcre2_jit_compile(compiled->code, PCRE2_JIT_COMPLETE);
    return 0;
}

static const char *const *copy_keys(struct fg_redact_rules *rules,
                                    const struct fg_redact_rule *from)
{
    const char **keys = fg_arena_calloc(&rules->arena, from->key_count, sizeof *keys);
    for (size_t i = 0; keys && i < from->key_count; i++)
        keys[i] = fg_arena_string(&rules->arena, fg_slice_from_string(from->keys[i]));
    return keys;
}

static int add(struct fg_redact_rules *rules, const struct fg_redact_rule *from,
               struct fg_arena *arena, const char **ret_message)
{
    struct fg_redact_compiled *compiled = &rules->compiled[rules->count];
    if (!is_name(from->name))
        return refuse(arena, ret_message, from->name,
                      "a name is 1 to 40 lower-case letters, digits, '-' and '_'");
    if (from->pattern && from->kinds)
        return refuse(arena, ret_message, from->name, "give either values or a pattern");
    if (from->pattern && ++rules->pattern_count > FG_REDACT_PATTERNS_MAX)
        return refuse(arena, ret_message, from->name, "there are more than 16 patterns");
    if (!from->pattern && !from->kinds && from->key_count == 0)
        return refuse(arena, ret_message, from->name, "give keys, values or a pattern");
    compiled->rule = *from;
    compiled->rule.name = fg_arena_string(&rules->arena, fg_slice_from_string(from->name));
    compiled->rule.keys = copy_keys(rules, from);
    if (from->pattern)
        compiled->rule.pattern =
            fg_arena_string(&rules->arena, fg_slice_from_string(from->pattern));
    if (rules->arena.overflow)
        return FG_ENOMEM;
    int r = fg_redact_new(from->keys, from->key_count, &compiled->keys);
    if (r == FG_EINVALID)
        return refuse(arena, ret_message, from->name,
                      "a * may stand only at one end of a key, and not alone");
    rules->count++;
    if (r == 0 && from->pattern)
        r = compile_pattern(compiled, arena, ret_message);
    return r;
}

int fg_redact_rules_new(const struct fg_redact_rule *rules, size_t count, const uint8_t *hash_key,
                        struct fg_arena *arena, const char **ret_message,
                        struct fg_redact_rules **ret_rules)
{
    *ret_message = NULL;
    if (count > FG_REDACT_RULES_MAX) {
        *ret_message = "there are more than 64 rules";
        return FG_EINVALID;
    }
    struct fg_redact_rules *set = calloc(1, sizeof *set);
    if (!set)
        return FG_ENOMEM;
    atomic_init(&set->refs, 1);
    fg_arena_init(&set->arena, BYTES_MAX);
    set->compiled = calloc(count ? count : 1, sizeof *set->compiled);
    int r = set->compiled ? 0 : FG_ENOMEM;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = add(set, &rules[i], arena, ret_message);
    if (r < 0) {
        fg_redact_rules_unref(set);
        return r;
    }
    set->has_hash_key = hash_key != NULL;
    if (hash_key)
        memcpy(set->hash_key, hash_key, sizeof set->hash_key);
    *ret_rules = set;
    return 0;
}

struct fg_redact_rules *fg_redact_rules_ref(struct fg_redact_rules *rules)
{
    if (rules)
        atomic_fetch_add_explicit(&rules->refs, 1, memory_order_relaxed);
    return rules;
}

void fg_redact_rules_unref(struct fg_redact_rules *rules)
{
    if (!rules || atomic_fetch_sub_explicit(&rules->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < rules->count; i++) {
        fg_redact_unref(rules->compiled[i].keys);
        pcre2_code_free(rules->compiled[i].code);
    }
    free(rules->compiled);
    fg_arena_free(&rules->arena);
    explicit_bzero(rules->hash_key, sizeof rules->hash_key);
    free(rules);
}

size_t fg_redact_rules_count(const struct fg_redact_rules *rules)
{
    return rules ? rules->count : 0;
}

const struct fg_redact_rule *fg_redact_rules_at(const struct fg_redact_rules *rules, size_t index)
{
    return &rules->compiled[index].rule;
}

uint64_t fg_redact_rules_hits(const struct fg_redact_rules *rules, size_t index)
{
    return atomic_load_explicit(&rules->compiled[index].hits, memory_order_relaxed);
}

void fg_redact_rules_adopt(struct fg_redact_rules *rules, const struct fg_redact_rules *before)
{
    for (size_t i = 0; i < fg_redact_rules_count(rules); i++)
        for (size_t k = 0; k < fg_redact_rules_count(before); k++)
            if (strcmp(rules->compiled[i].rule.name, before->compiled[k].rule.name) == 0)
                atomic_fetch_add_explicit(&rules->compiled[i].hits, fg_redact_rules_hits(before, k),
                                          memory_order_relaxed);
}
