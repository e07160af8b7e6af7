#include "steps.h"

#include <stdlib.h>

#define KINDS (FG_SPAN_KIND_CONSUMER + 1u)

/* Sets of steps are bits. Of a field: which steps ask for this text, and which for none. */
struct field {
    uint64_t by_name[FG_NAMES_MAX];
    uint64_t without;
};

/* What the steps have of a resource: the service that they ask for, or the attribute. */
struct shared {
    uint64_t service, attr;
};

struct fg_steps {
    const struct fg_flow *flow;
    struct fg_matcher *matchers[FG_FLOW_STEPS_MAX]; /* NULL: the anchor is all */
    uint64_t anchored;
    struct field service, name, key, value;
    uint64_t any_level; /* of those with a key: a resource may have it as well as a span */
    uint64_t by_kind[KINDS], other_kinds;
    struct shared *shared; /* by resource */
    uint8_t *is_known;
    uint32_t shared_capacity;
    uint64_t *bits, *matched; /* step by step word_count words; a matcher's */
    uint64_t found;
    uint32_t word_count;
    size_t bits_capacity;
};

/* -- Making */

/* What a condition asks for; FG_NAME_NONE: nothing. */
struct anchor {
    uint32_t service, name, key, value;
    int64_t kind; /* -1: any */
    bool is_any_level;
    bool is_whole;
};

static bool is_text(const struct fg_predicate *is)
{
    return is->op == FG_PRED_EQ && is->type == FG_VALUE_STRING;
}

/* A text that the names have no room for, or a second one for the same field, is no part of it. */
static void anchor_text(struct anchor *anchor, uint32_t *field, struct fg_names *names,
                        struct fg_slice text)
{
    uint32_t name = *field == FG_NAME_NONE ? fg_names_add(names, text) : FG_NAME_NONE;
    if (name == FG_NAME_NONE)
        anchor->is_whole = false;
    else
        *field = name;
}

static void anchor_attr(struct anchor *anchor, struct fg_names *names,
                        const struct fg_predicate *is)
{
    uint32_t key = fg_names_add(names, is->key), value = fg_names_add(names, is->string);
    if (anchor->key != FG_NAME_NONE || key == FG_NAME_NONE || value == FG_NAME_NONE) {
        anchor->is_whole = false;
        return;
    }
    anchor->key = key;
    anchor->value = value;
    anchor->is_any_level = is->field == FG_FIELD_ATTR_ANY;
}

static void anchor_all(struct anchor *anchor, struct fg_names *names, const struct fg_predicate *is)
{
    for (uint32_t i = 0; is->op == FG_PRED_AND && i < is->child_count; i++)
        anchor_all(anchor, names, is->children[i]);
    if (is->op == FG_PRED_AND || is->op == FG_PRED_TRUE)
        return;
    if (is_text(is) && is->field == FG_FIELD_SERVICE)
        anchor_text(anchor, &anchor->service, names, is->string);
    else if (is_text(is) && is->field == FG_FIELD_NAME)
        anchor_text(anchor, &anchor->name, names, is->string);
    else if (is_text(is) && (is->field == FG_FIELD_ATTR_SPAN || is->field == FG_FIELD_ATTR_ANY))
        anchor_attr(anchor, names, is);
    else if (is->op == FG_PRED_EQ && is->field == FG_FIELD_KIND && is->type == FG_VALUE_INT &&
             is->integer >= 0 && is->integer < KINDS && anchor->kind < 0)
        anchor->kind = is->integer;
    else
        anchor->is_whole = false;
}

static void put_field(struct field *field, uint32_t name, uint64_t step)
{
    if (name == FG_NAME_NONE)
        field->without |= step;
    else
        field->by_name[name] |= step;
}

static int add_step(struct fg_steps *steps, uint32_t index, struct fg_names *names)
{
    const struct fg_predicate *when = steps->flow->steps[index].when;
    uint64_t step = UINT64_C(1) << index;
    struct anchor anchor = {FG_NAME_NONE, FG_NAME_NONE, FG_NAME_NONE,
                            FG_NAME_NONE, .kind = -1,   .is_whole = true};
    anchor_all(&anchor, names, when);
    bool is_anchored = anchor.service != FG_NAME_NONE || anchor.name != FG_NAME_NONE ||
                       anchor.key != FG_NAME_NONE || anchor.kind >= 0;
    if (is_anchored) {
        steps->anchored |= step;
        put_field(&steps->service, anchor.service, step);
        put_field(&steps->name, anchor.name, step);
        put_field(&steps->key, anchor.key, step);
        put_field(&steps->value, anchor.value, step);
        steps->any_level |= anchor.is_any_level ? step : 0;
        for (uint32_t kind = 0; kind < KINDS; kind++)
            steps->by_kind[kind] |= anchor.kind < 0 || anchor.kind == kind ? step : 0;
        steps->other_kinds |= anchor.kind < 0 ? step : 0;
    }
    return is_anchored && anchor.is_whole ? 0 : fg_matcher_new(when, &steps->matchers[index]);
}

int fg_steps_new(const struct fg_flow *flow, struct fg_names *names, struct fg_steps **ret_steps)
{
    struct fg_steps *steps = calloc(1, sizeof *steps);
    int r = 0;
    if (!steps)
        return FG_ENOMEM;
    steps->flow = flow;
    for (uint32_t i = 0; r == 0 && i < flow->step_count; i++)
        r = add_step(steps, i, names);
    if (r < 0) {
        fg_steps_free(steps);
        return r;
    }
    *ret_steps = steps;
    return 0;
}

void fg_steps_free(struct fg_steps *steps)
{
    if (!steps)
        return;
    for (uint32_t i = 0; i < FG_FLOW_STEPS_MAX; i++)
        fg_matcher_free(steps->matchers[i]);
    free(steps->shared);
    free(steps->is_known);
    free(steps->bits);
    free(steps->matched);
    free(steps);
}

/* -- Finding */

static int make_room(struct fg_steps *steps, const struct fg_steps_rows *rows)
{
    uint32_t resources = rows->batch->resource_count;
    if (resources > steps->shared_capacity) {
        struct shared *shared = realloc(steps->shared, resources * sizeof *shared);
        if (shared)
            steps->shared = shared;
        uint8_t *is_known = realloc(steps->is_known, resources);
        if (is_known)
            steps->is_known = is_known;
        if (!shared || !is_known)
            return FG_ENOMEM;
        steps->shared_capacity = resources;
    }
    if (resources > 0)
        memset(steps->is_known, 0, resources);
    steps->word_count = (rows->end - rows->begin + 63) / 64;
    size_t wanted = (size_t)steps->word_count * steps->flow->step_count;
    if (wanted > steps->bits_capacity) {
        uint64_t *bits = realloc(steps->bits, wanted * sizeof *bits);
        if (bits)
            steps->bits = bits;
        uint64_t *matched = realloc(steps->matched, steps->word_count * sizeof *matched);
        if (matched)
            steps->matched = matched;
        if (!bits || !matched)
            return FG_ENOMEM;
        steps->bits_capacity = wanted;
    }
    if (wanted > 0)
        memset(steps->bits, 0, wanted * sizeof *steps->bits);
    steps->found = 0;
    return 0;
}

static uint64_t of_text(const struct field *field, const struct fg_steps_rows *rows,
                        uint32_t string)
{
    uint32_t name = fg_names_find(rows->names, rows->batch, string);
    return name == FG_NAME_NONE ? 0 : field->by_name[name];
}

/* Of an attribute whose key has this number: a step asks for one attribute at most. */
static uint64_t of_attr(const struct fg_steps *steps, const struct fg_steps_rows *rows,
                        const struct fg_attrs *attrs, uint32_t attr, uint32_t key)
{
    uint64_t asked = steps->key.by_name[key];
    return asked && attrs->type[attr] == FG_VALUE_STRING
               ? asked & of_text(&steps->value, rows, (uint32_t)attrs->value[attr])
               : 0;
}

static const struct shared *shared_of(struct fg_steps *steps, const struct fg_steps_rows *rows,
                                      uint32_t resource)
{
    const struct fg_batch *batch = rows->batch;
    struct shared *shared = &steps->shared[resource];
    uint32_t begin, end;
    if (steps->is_known[resource])
        return shared;
    *shared = (struct shared){
        .service = steps->service.without |
                   of_text(&steps->service, rows, batch->resource_service[resource])};
    fg_attrs_range(&batch->resource_attrs, resource, &begin, &end);
    for (uint32_t i = begin; steps->any_level && i < end; i++) {
        uint32_t key = fg_names_find(rows->names, batch, batch->resource_attrs.key[i]);
        if (key != FG_NAME_NONE)
            shared->attr |= steps->any_level & of_attr(steps, rows, &batch->resource_attrs, i, key);
    }
    steps->is_known[resource] = 1;
    return shared;
}

static uint64_t steps_of_row(struct fg_steps *steps, const struct fg_steps_rows *rows, uint32_t row,
                             const struct fg_hit *hit, const struct fg_hit *end)
{
    const struct fg_batch *batch = rows->batch;
    const struct shared *shared = shared_of(steps, rows, batch->resource[row]);
    uint8_t kind = batch->kind[row];
    uint64_t found = shared->service & (kind < KINDS ? steps->by_kind[kind] : steps->other_kinds);
    if (found & ~steps->name.without)
        found &= steps->name.without | of_text(&steps->name, rows, batch->name[row]);
    if ((found & ~steps->key.without) == 0)
        return found;
    uint64_t attrs = steps->key.without | shared->attr;
    for (; hit < end; hit++)
        attrs |= of_attr(steps, rows, &batch->span_attrs, hit->attr, hit->name);
    return found & attrs;
}

int fg_steps_find(struct fg_steps *steps, const struct fg_steps_rows *rows)
{
    int r = make_room(steps, rows);
    if (r < 0)
        return r;
    uint32_t at = 0;
    for (uint32_t row = rows->begin; steps->anchored && row < rows->end; row++) {
        uint32_t bit = row - rows->begin;
        if (rows->owner[bit] == UINT32_MAX)
            continue;
        const struct fg_hit *hit = fg_hits_of(rows->hits, row, &at);
        uint64_t found = steps_of_row(steps, rows, row, hit, rows->hits->all + at);
        steps->found |= found;
        for (; found; found &= found - 1)
            steps->bits[(size_t)__builtin_ctzll(found) * steps->word_count + bit / 64] |=
                UINT64_C(1) << bit % 64;
    }
    return 0;
}

int fg_steps_of(struct fg_steps *steps, const struct fg_steps_rows *rows, uint32_t step,
                const uint64_t **ret_bits)
{
    struct fg_matcher *matcher = steps->matchers[step];
    uint64_t *bits = steps->bits + (size_t)step * steps->word_count;
    bool is_anchored = steps->anchored >> step & 1;
    if (is_anchored && (!matcher || (steps->found >> step & 1) == 0)) {
        *ret_bits = steps->found >> step & 1 ? bits : NULL;
        return 0;
    }
    int r = fg_matcher_bind(matcher, rows->batch);
    if (r == 0)
        r = fg_matcher_run(matcher, rows->begin, rows->end, steps->matched);
    if (r < 0)
        return r;
    for (uint32_t word = 0; is_anchored && word < steps->word_count; word++)
        steps->matched[word] &= bits[word];
    *ret_bits = steps->matched;
    return 0;
}
