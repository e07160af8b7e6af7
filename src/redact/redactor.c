#include "redact/redactor.h"

#include "base/hash.h"
#include "rules_internal.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

/* Keys whose verdict is remembered: two that hash alike, the one that came later before the other.
 */
#define KEY_SETS     1024u
#define KEY_SIZE_MAX 64u
/* Texts that were searched and had nothing: the same statement comes again and again. */
#define CLEAN_KEPT 2048u
/* What was left of statements, which no other text shall displace. */
#define SHAPES_KEPT 8192u

#define NO_RULE        UINT8_MAX
#define HASH_SHOWN     8u /* bytes of the hash */
#define MARK_SIZE      96u
#define TEXT_SIZE_MAX  ((size_t)64 << 20)
#define STACK_SIZE_MIN ((size_t)32 << 10)
#define STACK_SIZE_MAX ((size_t)512 << 10)

struct known_key {
    uint8_t size; /* 0: nobody's */
    uint8_t key[KEY_SIZE_MAX];
    struct fg_redact_verdict verdict;
};

struct fg_redactor {
    struct fg_redact_rules *rules;    /* a reference */
    struct fg_redact_verdict verdict; /* of a key that is too long to be remembered */
    struct fg_buffer parts[2];        /* a text before and after a step */
    pcre2_match_data *match;
    pcre2_match_context *limits;
    pcre2_jit_stack *stack;
    struct known_key known[KEY_SETS][2];
    XXH128_hash_t clean[CLEAN_KEPT], shapes[SHAPES_KEPT];
};

void fg_redactor_free(struct fg_redactor *redactor)
{
    if (!redactor)
        return;
    fg_buffer_free(&redactor->parts[0]);
    fg_buffer_free(&redactor->parts[1]);
    pcre2_jit_stack_free(redactor->stack);
    pcre2_match_context_free(redactor->limits);
    pcre2_match_data_free(redactor->match);
    fg_redact_rules_unref(redactor->rules);
    free(redactor);
}

static int prepare_patterns(struct fg_redactor *redactor)
{
    redactor->match = pcre2_match_data_create(1, NULL);
    redactor->limits = pcre2_match_context_create(NULL);
    redactor->stack = pcre2_jit_stack_create(STACK_SIZE_MIN, STACK_SIZE_MAX, NULL);
    if (!redactor->match || !redactor->limits || !redactor->stack)
        return FG_ENOMEM;
    pcre2_set_match_limit(redactor->limits, FG_REDACT_PATTERN_STEPS_MAX);
    pcre2_jit_stack_assign(redactor->limits, NULL, redactor->stack);
    return 0;
}

int fg_redactor_new(struct fg_redact_rules *rules, struct fg_redactor **ret_redactor)
{
    *ret_redactor = NULL;
    if (fg_redact_rules_count(rules) == 0)
        return 0;
    struct fg_redactor *redactor = calloc(1, sizeof *redactor);
    if (!redactor)
        return FG_ENOMEM;
    redactor->rules = fg_redact_rules_ref(rules);
    fg_buffer_init(&redactor->parts[0], TEXT_SIZE_MAX);
    fg_buffer_init(&redactor->parts[1], TEXT_SIZE_MAX);
    if (rules->pattern_count > 0 && prepare_patterns(redactor) < 0) {
        fg_redactor_free(redactor);
        return FG_ENOMEM;
    }
    *ret_redactor = redactor;
    return 0;
}

/* -- What the rules say of a key
 * ---------------------------------------------------------------------- */

static void judge_kinds(struct fg_redact_verdict *verdict, const struct fg_redact_rule *rule,
                        uint8_t index)
{
    for (unsigned bit = 0; bit < FG_REDACT_KIND_COUNT; bit++) {
        if ((rule->kinds & 1u << bit) == 0 || verdict->kind_rules[bit] != NO_RULE)
            continue;
        verdict->kind_rules[bit] = index;
        if (rule->action != FG_REDACT_KEEP)
            verdict->kinds |= 1u << bit;
    }
}

/* A sender that makes keys of values would keep them there. */
static void judge_key(struct fg_redact_verdict *verdict, struct fg_slice key)
{
    unsigned possible = fg_redact_glance(key, verdict->kinds);
    struct fg_redact_match match;
    if (!possible || !fg_redact_find(key, 0, possible, &match))
        return;
    verdict->is_whole = verdict->is_key = true;
    verdict->whole_rule = verdict->kind_rules[__builtin_ctz((unsigned)match.kind)];
}

static void judge(const struct fg_redact_rules *rules, struct fg_slice key,
                  struct fg_redact_verdict *ret_verdict)
{
    struct fg_redact_verdict verdict = {0};
    memset(verdict.kind_rules, NO_RULE, sizeof verdict.kind_rules);
    for (uint8_t i = 0; i < rules->count; i++) {
        const struct fg_redact_rule *rule = &rules->compiled[i].rule;
        if (rule->key_count > 0 && !fg_redact_denies(rules->compiled[i].keys, key))
            continue;
        if (rule->pattern && rule->action != FG_REDACT_KEEP) {
            verdict.patterns[verdict.pattern_count++] = i;
        } else if (rule->kinds) {
            judge_kinds(&verdict, rule, i);
        } else if (!rule->pattern) {
            verdict.is_whole = rule->action != FG_REDACT_KEEP;
            verdict.whole_rule = i;
            break;
        }
    }
    judge_key(&verdict, key);
    *ret_verdict = verdict;
}

static bool is_known(const struct known_key *known, struct fg_slice key)
{
    return known->size == key.size && memcmp(known->key, key.data, key.size) == 0;
}

/* A key's set. Not the common hash, which costs more for a short key than all else here; keys that
 * meet are judged more often, and that is all. */
static uint32_t set_of(struct fg_slice key)
{
    const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = key.size * factor, word = 0;
    for (size_t at = 0; at + 8 < key.size; at += 8) {
        memcpy(&word, key.data + at, 8);
        mixed = (mixed ^ word) * factor;
        mixed ^= mixed >> 32;
    }
    word = 0;
    if (key.size >= 8)
        memcpy(&word, key.data + key.size - 8, 8);
    else
        for (size_t i = 0; i < key.size; i++)
            word = word << 8 | key.data[i];
    mixed = (mixed ^ word) * factor;
    return (uint32_t)((mixed ^ mixed << 29) * factor >> 54); /* KEY_SETS of them */
}
_Static_assert(KEY_SETS == 1u << (64 - 54), "a set's number is that of the highest bits");

const struct fg_redact_verdict *fg_redactor_verdict(struct fg_redactor *redactor,
                                                    struct fg_slice key)
{
    if (key.size == 0 || key.size > KEY_SIZE_MAX) {
        judge(redactor->rules, key, &redactor->verdict);
        return &redactor->verdict;
    }
    struct known_key *known = redactor->known[set_of(key)];
    if (is_known(&known[0], key))
        return &known[0].verdict;
    if (is_known(&known[1], key))
        return &known[1].verdict;
    known[1] = known[0];
    known[0].size = (uint8_t)key.size;
    memcpy(known[0].key, key.data, key.size);
    judge(redactor->rules, key, &known[0].verdict);
    return &known[0].verdict;
}

/* -- What stands for what is taken
 * -------------------------------------------------------------------- */

static void count_hit(struct fg_redactor *redactor, uint8_t rule)
{
    atomic_fetch_add_explicit(&redactor->rules->compiled[rule].hits, 1, memory_order_relaxed);
}

/* HMAC-SHA-256 (RFC 2104), the first bytes in hex. False where there is no key. */
static bool write_hash(const struct fg_redactor *redactor, struct fg_slice bytes, char *hex)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (!redactor->rules->has_hash_key ||
        !HMAC(EVP_sha256(), redactor->rules->hash_key, FG_REDACT_HASH_KEY_SIZE, bytes.data,
              bytes.size, digest, &size))
        return false;
    for (size_t i = 0; i < HASH_SHOWN; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return true;
}

/* "[card]", or "[card:0123456789abcdef]". word has its brackets. */
static void put_mark(const struct fg_redactor *redactor, enum fg_redact_action action,
                     const char *word, struct fg_slice bytes, struct fg_buffer *out)
{
    char hex[2 * HASH_SHOWN + 1];
    if (action == FG_REDACT_HASH && write_hash(redactor, bytes, hex))
        fg_buffer_append_format(out, "%.*s:%s]", (int)(strlen(word) - 1), word, hex);
    else
        fg_buffer_append_string(out, word);
}

static int finish(const struct fg_buffer *out, struct fg_arena *arena, struct fg_slice *ret_text)
{
    if (out->error)
        return out->error;
    *ret_text = fg_arena_copy(arena, fg_buffer_slice(out));
    return ret_text->data || out->size == 0 ? FG_REDACTION_CHANGED : FG_ELIMIT;
}

/* -- Texts
 * -------------------------------------------------------------------------------------------- */

/* A text on its way through the steps: each reads current and may write the other part. */
struct work {
    struct fg_redactor *redactor;
    const struct fg_redact_verdict *verdict;
    struct fg_slice current;
    unsigned next_part;
    bool is_dropped;
    int error;
};

static struct fg_buffer *begin_step(struct work *work)
{
    struct fg_buffer *out = &work->redactor->parts[work->next_part];
    fg_buffer_reset(out);
    return out;
}

static void end_step(struct work *work, struct fg_buffer *out)
{
    if (out->error)
        work->error = out->error;
    work->current = fg_buffer_slice(out);
    work->next_part ^= 1;
}

static uint8_t rule_of(const struct fg_redact_verdict *verdict, enum fg_redact_kind kind)
{
    return verdict->kind_rules[__builtin_ctz((unsigned)kind)];
}

static const struct fg_redact_rule *at(const struct work *work, uint8_t rule)
{
    return &work->redactor->rules->compiled[rule].rule;
}

/* SQL and addresses are known by their key, and keep their shape. */
static void reshape(struct work *work, enum fg_redact_kind kind)
{
    if ((work->verdict->kinds & kind) == 0)
        return;
    uint8_t rule = rule_of(work->verdict, kind);
    struct fg_buffer *out = begin_step(work);
    bool is_query = kind == FG_REDACT_URL && !memchr(work->current.data, '?', work->current.size) &&
                    !memmem(work->current.data, work->current.size, "://", 3) &&
                    memchr(work->current.data, '=', work->current.size);
    size_t removed = kind == FG_REDACT_SQL ? fg_redact_sql(work->current, out)
                                           : fg_redact_url(work->current, is_query, out);
    if (removed == 0)
        return;
    count_hit(work->redactor, rule);
    work->is_dropped |= at(work, rule)->action == FG_REDACT_DROP;
    end_step(work, out);
}

static void replace_kinds(struct work *work)
{
    struct fg_slice text = work->current;
    unsigned possible = fg_redact_glance(text, work->verdict->kinds);
    struct fg_redact_match match;
    size_t from = 0;
    struct fg_buffer *out = NULL;
    while (possible && !work->is_dropped && fg_redact_find(text, from, possible, &match)) {
        uint8_t rule = rule_of(work->verdict, match.kind);
        if (!out)
            out = begin_step(work);
        fg_buffer_append(out, text.data + from, match.begin - from);
        put_mark(work->redactor, at(work, rule)->action, fg_redact_word(match.kind),
                 fg_slice(text.data + match.begin, match.end - match.begin), out);
        count_hit(work->redactor, rule);
        work->is_dropped = at(work, rule)->action == FG_REDACT_DROP;
        from = match.end;
    }
    if (!out)
        return;
    fg_buffer_append(out, text.data + from, text.size - from);
    end_step(work, out);
}

/* Where pattern is found at or after from. FG_ENOTFOUND; FG_ELIMIT: it can't be told. */
static int match_pattern(const struct work *work, uint8_t rule, size_t from,
                         struct fg_redact_match *ret_match)
{
    struct fg_redactor *redactor = work->redactor;
    int r = pcre2_match(redactor->rules->compiled[rule].code, work->current.data,
                        work->current.size, from, 0, redactor->match, redactor->limits);
    if (r == PCRE2_ERROR_NOMATCH)
        return FG_ENOTFOUND;
    if (r < 0)
        return FG_ELIMIT;
    const size_t *offsets = pcre2_get_ovector_pointer(redactor->match);
    *ret_match = (struct fg_redact_match){.begin = offsets[0], .end = offsets[1]};
    return 0;
}

/* What a pattern can't be told of within its steps is taken whole. */
static void replace_pattern(struct work *work, uint8_t rule)
{
    char word[MARK_SIZE];
    snprintf(word, sizeof word, "[%s]", at(work, rule)->name);
    struct fg_buffer *out = NULL;
    struct fg_redact_match match;
    size_t kept = 0, from = 0;
    int r = 0;
    while (from <= work->current.size && (r = match_pattern(work, rule, from, &match)) == 0) {
        from = match.end > match.begin ? match.end : match.end + 1;
        if (match.end == match.begin)
            continue;
        if (!out)
            out = begin_step(work);
        fg_buffer_append(out, work->current.data + kept, match.begin - kept);
        put_mark(work->redactor, at(work, rule)->action, word,
                 fg_slice(work->current.data + match.begin, match.end - match.begin), out);
        kept = match.end;
        count_hit(work->redactor, rule);
    }
    if (r == FG_ELIMIT) {
        out = begin_step(work);
        fg_buffer_append_string(out, word);
        count_hit(work->redactor, rule);
        kept = work->current.size;
    }
    if (!out)
        return;
    fg_buffer_append(out, work->current.data + kept, work->current.size - kept);
    work->is_dropped |= at(work, rule)->action == FG_REDACT_DROP;
    end_step(work, out);
}

/* Whether there is only a mark in it: libfiligree, or an export that is imported, had it taken
 * already. A hash of a hash would not group with what it was hashed of. */
static bool is_mark(struct fg_slice text)
{
    size_t begin = sizeof "[hash:" - 1, size = begin + 2 * HASH_SHOWN + 1;
    if (fg_slice_equal(text, FG_SLICE("[redacted]")) || fg_slice_equal(text, FG_SLICE("[hash]")))
        return true;
    if (text.size != size || !fg_slice_starts_with(text, FG_SLICE("[hash:")) ||
        text.data[size - 1] != ']')
        return false;
    for (size_t i = begin; i < size - 1; i++)
        if (!((text.data[i] >= '0' && text.data[i] <= '9') ||
              (text.data[i] >= 'a' && text.data[i] <= 'f')))
            return false;
    return true;
}

static int take_whole(struct fg_redactor *redactor, const struct fg_redact_verdict *verdict,
                      struct fg_slice bytes, struct fg_arena *arena, struct fg_slice *ret_text)
{
    enum fg_redact_action action = redactor->rules->compiled[verdict->whole_rule].rule.action;
    if (action != FG_REDACT_DROP && !verdict->is_key && is_mark(bytes)) {
        *ret_text = bytes;
        return FG_REDACTION_NONE;
    }
    count_hit(redactor, verdict->whole_rule);
    *ret_text = (struct fg_slice){0};
    if (action == FG_REDACT_DROP || verdict->is_key)
        return FG_REDACTION_DROPPED;
    struct fg_buffer *out = &redactor->parts[0];
    fg_buffer_reset(out);
    put_mark(redactor, action, action == FG_REDACT_HASH ? "[hash]" : "[redacted]", bytes, out);
    return finish(out, arena, ret_text);
}

/* Whether there is anything to search: most texts end here. */
static bool is_plain(const struct fg_redact_verdict *verdict, struct fg_slice text)
{
    return verdict->pattern_count == 0 && (verdict->kinds & (FG_REDACT_SQL | FG_REDACT_URL)) == 0 &&
           fg_redact_glance(text, verdict->kinds) == 0;
}

/* What is found in a text, whatever it is. */
static void search_kinds(struct work *work)
{
    replace_kinds(work);
    for (uint8_t i = 0; i < work->verdict->pattern_count && !work->is_dropped; i++)
        replace_pattern(work, work->verdict->patterns[i]);
}

/* The text's place among those that were found clean, and what has to stand there. What was
 * searched for is part of it. A shape is what is left of a statement or an address: it was searched
 * without being reshaped again, and so is no text that was found clean. */
static XXH128_hash_t *clean_place(struct fg_redactor *redactor,
                                  const struct fg_redact_verdict *verdict, struct fg_slice text,
                                  bool is_shape, XXH128_hash_t *ret_hash)
{
    uint64_t seed = XXH3_64bits(verdict, sizeof *verdict);
    *ret_hash = XXH3_128bits_withSeed(text.data, text.size, seed | 1);
    return is_shape ? &redactor->shapes[ret_hash->low64 % SHAPES_KEPT]
                    : &redactor->clean[ret_hash->low64 % CLEAN_KEPT];
}

/* What lost its literals comes again and again, though each was another statement: it is searched
 * once. */
static void search_shape(struct work *work)
{
    XXH128_hash_t hash, *place;
    struct fg_slice shape = work->current;
    place = clean_place(work->redactor, work->verdict, shape, true, &hash);
    if (XXH128_isEqual(*place, hash))
        return;
    search_kinds(work);
    if (!work->error && !work->is_dropped && work->current.data == shape.data)
        *place = hash;
}

static int search(struct fg_redactor *redactor, const struct fg_redact_verdict *verdict,
                  struct fg_slice text, struct fg_arena *arena, struct fg_slice *ret_text)
{
    XXH128_hash_t hash, *place = clean_place(redactor, verdict, text, false, &hash);
    if (XXH128_isEqual(*place, hash))
        return FG_REDACTION_NONE;
    struct work work = {.redactor = redactor, .verdict = verdict, .current = text};
    reshape(&work, FG_REDACT_SQL);
    reshape(&work, FG_REDACT_URL);
    if (work.current.data != text.data && !work.is_dropped && !work.error)
        search_shape(&work);
    else
        search_kinds(&work);
    if (work.error)
        return work.error;
    if (work.is_dropped) {
        *ret_text = (struct fg_slice){0};
        return FG_REDACTION_DROPPED;
    }
    if (work.current.data == text.data) {
        *place = hash;
        return FG_REDACTION_NONE;
    }
    return finish(&redactor->parts[work.next_part ^ 1], arena, ret_text);
}

int fg_redactor_text(struct fg_redactor *redactor, const struct fg_redact_verdict *verdict,
                     struct fg_slice text, struct fg_arena *arena, struct fg_slice *ret_text)
{
    *ret_text = text;
    if (verdict->is_whole)
        return take_whole(redactor, verdict, text, arena, ret_text);
    if (text.size == 0 || is_plain(verdict, text))
        return FG_REDACTION_NONE;
    return search(redactor, verdict, text, arena, ret_text);
}

int fg_redactor_scalar(struct fg_redactor *redactor, const struct fg_redact_verdict *verdict,
                       uint64_t number, struct fg_slice bytes, struct fg_arena *arena,
                       struct fg_slice *ret_text)
{
    if (verdict->is_whole)
        return take_whole(redactor, verdict, bytes, arena, ret_text);
    if ((verdict->kinds & FG_REDACT_CARD) == 0 || number < UINT64_C(1000000000000) ||
        !fg_redact_is_card(number))
        return FG_REDACTION_NONE;
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    return search(redactor, verdict, fg_slice_from_string(digits), arena, ret_text);
}

bool fg_redactor_keeps(struct fg_redactor *redactor, const struct fg_redact_verdict *verdict,
                       struct fg_slice text)
{
    if (verdict->is_whole)
        return false;
    if (text.size == 0 || is_plain(verdict, text))
        return true;
    XXH128_hash_t hash;
    return XXH128_isEqual(*clean_place(redactor, verdict, text, false, &hash), hash);
}
