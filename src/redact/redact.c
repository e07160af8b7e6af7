/* Whole keys lie in a hash map, begins and ends in lists that are walked: there are few of them.
 * All are folded to lower case when the rules are made, and a key when it is asked for. */
#include "redact/redact.h"

#include "base/checked.h"
#include "base/hash.h"
#include "base/idmap.h"
#include "base/limits.h"

#include <stdatomic.h>
#include <stdlib.h>

struct fg_redact {
    _Atomic uint32_t refs;
    struct fg_idmap keys;      /* hash of a folded key → index into patterns */
    struct fg_slice *patterns; /* folded, without the *; whole keys, then begins, then ends */
    size_t count;
    size_t prefix_begin, suffix_begin;
    uint8_t text[]; /* of the patterns */
};

struct wanted {
    const struct fg_redact *rules;
    struct fg_slice key;
};

static bool same_key(const void *context, uint32_t id)
{
    const struct wanted *wanted = context;
    return fg_slice_equal(wanted->rules->patterns[id], wanted->key);
}

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

enum form { WHOLE, PREFIX, SUFFIX };

static enum form form_of(const char *pattern)
{
    size_t size = strlen(pattern);
    return pattern[0] == '*' ? SUFFIX : pattern[size - 1] == '*' ? PREFIX : WHOLE;
}

static int check(const char *const *patterns, size_t count, size_t *ret_text_size)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(patterns[i]);
        const char *star = strchr(patterns[i], '*');
        bool is_at_end = star && (star == patterns[i] || star[1] == 0) && !strchr(star + 1, '*');
        if (size == 0 || size > FG_NAME_SIZE_MAX || (star && (!is_at_end || size == 1)))
            return FG_EINVALID;
        if (fg_add_overflow(total, size, &total))
            return FG_ELIMIT;
    }
    *ret_text_size = total;
    return count > UINT32_MAX ? FG_ELIMIT : 0;
}

/* Appends the patterns of this form, folded at *text. */
static int add(struct fg_redact *rules, const char *const *patterns, size_t count, enum form form,
               uint8_t **text)
{
    for (size_t i = 0; i < count; i++) {
        if (form_of(patterns[i]) != form)
            continue;
        const char *pattern = patterns[i] + (form == SUFFIX);
        size_t size = strlen(pattern) - (form == PREFIX);
        for (size_t k = 0; k < size; k++)
            (*text)[k] = fold((uint8_t)pattern[k]);
        struct wanted wanted = {rules, fg_slice(*text, size)};
        uint32_t index = (uint32_t)rules->count, found = index;
        rules->patterns[index] = wanted.key;
        if (form == WHOLE) {
            int r = fg_idmap_intern(&rules->keys, fg_hash(wanted.key), same_key, &wanted, index,
                                    &found);
            if (r < 0)
                return r;
        }
        rules->count += found == index; /* a key given twice is one */
        *text += size;
    }
    return 0;
}

int fg_redact_new(const char *const *patterns, size_t count, struct fg_redact **ret_rules)
{
    if (count == 0) {
        *ret_rules = NULL;
        return 0;
    }
    size_t text_size;
    int r = check(patterns, count, &text_size);
    if (r < 0)
        return r;
    struct fg_redact *rules = calloc(1, sizeof *rules + text_size);
    if (!rules)
        return FG_ENOMEM;
    atomic_init(&rules->refs, 1);
    fg_idmap_init(&rules->keys);
    rules->patterns = calloc(count, sizeof *rules->patterns);
    uint8_t *text = rules->text;
    r = rules->patterns ? add(rules, patterns, count, WHOLE, &text) : FG_ENOMEM;
    rules->prefix_begin = rules->count;
    if (r == 0)
        r = add(rules, patterns, count, PREFIX, &text);
    rules->suffix_begin = rules->count;
    if (r == 0)
        r = add(rules, patterns, count, SUFFIX, &text);
    if (r < 0) {
        fg_redact_unref(rules);
        return r;
    }
    *ret_rules = rules;
    return 0;
}

struct fg_redact *fg_redact_ref(struct fg_redact *rules)
{
    if (rules)
        atomic_fetch_add_explicit(&rules->refs, 1, memory_order_relaxed);
    return rules;
}

void fg_redact_unref(struct fg_redact *rules)
{
    if (!rules || atomic_fetch_sub_explicit(&rules->refs, 1, memory_order_acq_rel) != 1)
        return;
    fg_idmap_free(&rules->keys);
    free(rules->patterns);
    free(rules);
}

/* end is folded, key is not. */
static bool ends_with(struct fg_slice key, struct fg_slice end)
{
    if (key.size < end.size)
        return false;
    const uint8_t *tail = key.data + key.size - end.size;
    for (size_t i = 0; i < end.size; i++)
        if (fold(tail[i]) != end.data[i])
            return false;
    return true;
}

bool fg_redact_denies_key(const struct fg_redact *rules, struct fg_slice key)
{
    /* No pattern is longer, so of a longer key only its begin and its end can match. */
    uint8_t folded[FG_NAME_SIZE_MAX + 1];
    size_t size = key.size < sizeof folded ? key.size : sizeof folded;
    for (size_t i = 0; i < size; i++)
        folded[i] = fold(key.data[i]);
    struct wanted wanted = {rules, fg_slice(folded, size)};
    uint32_t id;
    if (fg_idmap_find(&rules->keys, fg_hash(wanted.key), same_key, &wanted, &id) == 0)
        return true;
    for (size_t i = rules->prefix_begin; i < rules->suffix_begin; i++)
        if (fg_slice_starts_with(wanted.key, rules->patterns[i]))
            return true;
    for (size_t i = rules->suffix_begin; i < rules->count; i++)
        if (ends_with(key, rules->patterns[i]))
            return true;
    return false;
}
