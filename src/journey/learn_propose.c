/* A flow made of operations: names, conditions, what follows what, deadlines, as YAML that
 * `filigree serve` takes as it is. */
#include "flow_write.h"
#include "learn.h"

#include "base/limits.h"
#include "span/batch.h"
#include "span/names.h"

#include <inttypes.h>
#include <stdio.h>

const char *fg_within_format(uint64_t ns, char text[FG_WITHIN_TEXT_SIZE])
{
    static const struct {
        uint64_t ns;
        const char *name;
    } units[] = {{60 * FG_NS_PER_MINUTE, "h"},
                 {FG_NS_PER_MINUTE, "m"},
                 {FG_NS_PER_SECOND, "s"},
                 {FG_NS_PER_MS, "ms"},
                 {1, "ns"}};
    size_t i = 0;
    while (units[i].ns > 1 && (ns < units[i].ns || ns % units[i].ns != 0))
        i++;
    snprintf(text, FG_WITHIN_TEXT_SIZE, "%" PRIu64 "%s", ns / units[i].ns, units[i].name);
    return text;
}

struct fg_slice fg_learned_name(const struct fg_learned *learned, uint32_t step,
                                char text[FG_LEARNED_NAME_SIZE])
{
    const struct fg_learned_step *is = &learned->steps[step];
    if (learned->is_declared)
        return is->name;
    int size =
        snprintf(text, FG_LEARNED_NAME_SIZE, "%.*s %.*s%s", (int)is->service.size,
                 (const char *)is->service.data, (int)is->name.size, (const char *)is->name.data,
                 is->kind == FG_SPAN_KIND_CONSUMER ? " (consumer)"
                 : is->kind == FG_SPAN_KIND_SERVER ? ""
                                                   : " (root)");
    return fg_slice(text,
                    (size_t)size < FG_LEARNED_NAME_SIZE ? (size_t)size : FG_LEARNED_NAME_SIZE - 1);
}

uint32_t fg_learned_find(const struct fg_learned *learned, struct fg_slice name)
{
    char text[FG_LEARNED_NAME_SIZE];
    for (uint32_t i = 0; i < learned->step_count; i++)
        if (fg_slice_equal(fg_learned_name(learned, i, text), name))
            return i;
    return FG_FLOW_STEP_NONE;
}

/* -- What follows what */

/* By step of learned: bits of the steps of the proposal that it may follow. Where one of them may
 * be passed by, those before that one count, too. */
static void find_after(const struct fg_learned *learned, const uint32_t *order, uint32_t count,
                       uint64_t after[FG_FLOW_STEPS_MAX])
{
    for (uint32_t i = 0; i < count; i++) {
        after[i] = 0;
        for (uint32_t k = 0; k < count; k++)
            if (k != i && learned->follows[order[k]][order[i]] > 0 &&
                learned->follows[order[k]][order[i]] >=
                    FG_LEARN_AFTER_SHARE * learned->steps[order[i]].count)
                after[i] |= UINT64_C(1) << k;
    }
    for (uint32_t round = 0; round < count; round++)
        for (uint32_t i = 0; i < count; i++)
            for (uint32_t k = 0; k < count; k++)
                if ((after[i] >> k & 1) && fg_learned_is_optional(learned, order[k]))
                    after[i] |= after[k] & ~(UINT64_C(1) << i);
    if (count > 0)
        after[0] = 0; /* it begins the journey */
}

/* Bits of the steps that end the flow. What goes on after one in a few journeys, and after others
 * as well, follows those; what follows it alone says that it ends nothing. And each step is led to:
 * a flow that contradicts itself is refused. */
static uint64_t find_ends(const struct fg_learned *learned, const uint32_t *order, uint32_t count,
                          uint64_t after[FG_FLOW_STEPS_MAX])
{
    uint64_t ends = 0, reached = 0, before;
    for (uint32_t i = 0; i < count; i++) {
        const struct fg_learned_step *step = &learned->steps[order[i]];
        if (step->last_count >= FG_LEARN_END_SHARE * step->count)
            ends |= UINT64_C(1) << i;
    }
    ends &= ~UINT64_C(1); /* the first begins it */
    for (uint32_t i = 0; i < count; i++)
        if ((after[i] & ~ends) == 0)
            ends &= ~after[i];
    for (uint32_t i = 0; i < count; i++)
        after[i] &= ~ends;
    do {
        before = reached;
        for (uint32_t i = 0; i < count; i++)
            if (after[i] == 0 || (after[i] & reached) != 0)
                reached |= UINT64_C(1) << i;
    } while (reached != before);
    for (uint32_t i = 1; i < count; i++)
        if ((reached >> i & 1) == 0)
            after[i] |= 1;
    return ends;
}

/* -- Writing */

static void put_condition(struct fg_buffer *out, const struct fg_learned_step *step)
{
    struct fg_buffer condition;
    fg_buffer_init(&condition, 4096);
    fg_buffer_append_string(&condition, "service=");
    fg_flow_quote(&condition, step->service);
    fg_buffer_append_string(&condition, " name=");
    fg_flow_quote(&condition, step->name);
    fg_buffer_append_format(&condition, " kind:%s", fg_span_kind_name(step->kind));
    fg_flow_quote(out, fg_buffer_slice(&condition));
    if (condition.error)
        out->error = condition.error;
    fg_buffer_free(&condition);
}

static void put_after(struct fg_buffer *out, const struct fg_learned *learned,
                      const uint32_t *order, uint64_t after)
{
    char name[FG_LEARNED_NAME_SIZE];
    bool is_first = true;
    fg_buffer_append_string(out, "        after: [");
    for (uint32_t i = 0; i < FG_FLOW_STEPS_MAX; i++) {
        if ((after >> i & 1) == 0)
            continue;
        if (!is_first)
            fg_buffer_append_string(out, ", ");
        fg_flow_quote(out, fg_learned_name(learned, order[i], name));
        is_first = false;
    }
    fg_buffer_append_string(out, "]\n");
}

void fg_learned_propose(const struct fg_learned *learned, struct fg_slice key, bool with_deadlines,
                        struct fg_buffer *out)
{
    uint32_t order[FG_FLOW_STEPS_MAX], count = fg_learned_order(learned, order);
    uint64_t after[FG_FLOW_STEPS_MAX];
    char name[FG_LEARNED_NAME_SIZE], within[FG_WITHIN_TEXT_SIZE];
    if (count < 2)
        return;
    find_after(learned, order, count, after);
    uint64_t ends = find_ends(learned, order, count, after);
    fg_buffer_append_string(out, "flows:\n  - name: ");
    fg_flow_quote(out, key);
    fg_buffer_append_string(out, "\n    key: ");
    fg_flow_quote(out, key);
    fg_buffer_append_string(out, "\n    steps:\n");
    for (uint32_t i = 0; i < count; i++) {
        const struct fg_learned_step *step = &learned->steps[order[i]];
        uint64_t deadline_ns = with_deadlines ? fg_learned_deadline_ns(learned, order[i]) : 0;
        fg_buffer_append_string(out, "      - name: ");
        fg_flow_quote(out, fg_learned_name(learned, order[i], name));
        fg_buffer_append_string(out, "\n        label: ");
        fg_flow_quote(out, step->name);
        fg_buffer_append_string(out, "\n        when: ");
        put_condition(out, step);
        fg_buffer_append_byte(out, '\n');
        if (after[i])
            put_after(out, learned, order, after[i]);
        if (deadline_ns)
            fg_buffer_append_format(out, "        within: %s\n",
                                    fg_within_format(deadline_ns, within));
        if (fg_learned_is_optional(learned, order[i]))
            fg_buffer_append_string(out, "        optional: true\n");
        if (ends >> i & 1)
            fg_buffer_append_string(out, "        ends: done\n");
    }
}
