/* What in a row names a journey: an attribute that is a key, or what a rule reads out of another.
 */
#include "journeys_internal.h"
#include "key_rule.h"

#include <inttypes.h>
#include <stdio.h>

struct fg_slice fg_whose_text(const struct fg_batch *batch, uint32_t attr, char number[24])
{
    uint64_t value = batch->span_attrs.value[attr];
    if (batch->span_attrs.type[attr] == FG_VALUE_STRING)
        return batch->strings[value];
    if (batch->span_attrs.type[attr] != FG_VALUE_INT)
        return (struct fg_slice){0};
    int size = snprintf(number, 24, "%" PRId64, (int64_t)value);
    return fg_slice(number, (size_t)size);
}

int fg_whose_by_key(const struct fg_journeys *journeys, struct fg_names *names,
                    const struct fg_batch *batch, uint32_t row, fg_whose_fn *fn, void *arg)
{
    uint32_t begin, end;
    int r = 0;
    fg_attrs_range(&batch->span_attrs, row, &begin, &end);
    for (uint32_t i = begin; r == 0 && i < end; i++) {
        char number[24];
        if (fg_names_is_other(names, batch->span_attrs.key[i]))
            continue;
        uint32_t name = fg_names_find(names, batch, batch->span_attrs.key[i]);
        for (uint32_t k = 0; r == 0 && name != FG_NAME_NONE && k < journeys->key_count; k++)
            if (journeys->keys[k].name_index == name)
                r = fn(arg, row, k, fg_whose_text(batch, i, number));
    }
    return r;
}

int fg_whose_by_rule(const struct fg_journeys *journeys, struct fg_names *names,
                     const struct fg_batch *batch, uint32_t row, fg_whose_fn *fn, void *arg)
{
    const struct fg_flows *flows = journeys->options.flows;
    uint32_t begin, end;
    int r = 0;
    fg_attrs_range(&batch->span_attrs, row, &begin, &end);
    for (uint32_t i = 0; r == 0 && i < flows->key_rule_count; i++) {
        const struct fg_key_rule *rule = &flows->key_rules[i];
        uint32_t key = journeys->rule_keys[i], wanted = journeys->rule_names[i];
        if (fg_slice_equal(rule->from, FG_SLICE("name"))) {
            r = fn(arg, row, key, fg_key_rule_value(rule, batch->strings[batch->name[row]]));
            continue;
        }
        for (uint32_t a = begin; r == 0 && wanted != FG_NAME_NONE && a < end; a++) {
            char number[24];
            if (fg_names_find(names, batch, batch->span_attrs.key[a]) == wanted)
                r = fn(arg, row, key, fg_key_rule_value(rule, fg_whose_text(batch, a, number)));
        }
    }
    return r;
}
