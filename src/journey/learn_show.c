/* What people see of flows, and what they accept. */
#include "journey/learned.h"
#include "journeys_internal.h"

#include "flow_write.h"

#include <stdlib.h>

#define YAML_SIZE_MAX ((size_t)256 << 10)

const char *fg_flow_source_name(enum fg_flow_source source)
{
    static const char *const names[] = {[FG_FLOW_SOURCE_NONE] = "none",
                                        [FG_FLOW_SOURCE_DECLARED] = "declared",
                                        [FG_FLOW_SOURCE_ACCEPTED] = "accepted",
                                        [FG_FLOW_SOURCE_LEARNED] = "learned"};
    return names[source];
}

/* -- Steps */

static struct fg_slice copy(struct fg_arena *arena, struct fg_slice text)
{
    return text.size > 0 ? fg_arena_copy(arena, text) : (struct fg_slice){0};
}

static int name_after(const struct fg_flow *flow, uint32_t step, struct fg_arena *arena,
                      struct fg_flow_step_view *view)
{
    struct fg_slice *after = fg_arena_calloc(arena, flow->step_count, sizeof *after);
    if (!after)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < flow->step_count; i++)
        if (flow->steps[step].after >> i & 1)
            after[view->after_count++] = copy(arena, flow->steps[i].name);
    view->after = after;
    return 0;
}

static void fill_learned(const struct fg_learned *learned, uint32_t step,
                         struct fg_flow_step_view *view)
{
    const struct fg_sketch *hop = learned->steps[step].hop;
    view->journeys = learned->steps[step].count;
    view->share = fg_learned_share(learned, step);
    view->hops = hop ? hop->count : 0;
    view->median_ns = hop ? fg_sketch_quantile(hop, 0.5) : 0;
    view->quantile_ns = hop ? fg_sketch_quantile(hop, FG_LEARN_QUANTILE) : 0;
    view->learned_ns = fg_learned_deadline_ns(learned, step);
    view->confidence = fg_learned_confidence(learned, step);
}

static unsigned compare(const struct fg_learned *learned, uint32_t step,
                        const struct fg_flow_step_view *view)
{
    uint64_t given_ns = view->within_ns;
    unsigned differences = 0;
    bool is_known =
        learned->journeys >= learned->steps[step].journeys_before + FG_LEARN_JOURNEYS_MIN;
    if (view->is_provisional)
        differences |= FG_FLOW_NO_DEADLINE;
    else if (view->learned_ns > 0 && given_ns > 0 && view->quantile_ns > given_ns)
        differences |= FG_FLOW_TOO_TIGHT;
    else if (view->learned_ns > 0 && given_ns > 2 * view->learned_ns)
        differences |= FG_FLOW_TOO_LOOSE;
    if (is_known && view->journeys == 0)
        differences |= FG_FLOW_NOT_SEEN;
    else if (is_known && !view->optional && view->ends != FG_FLOW_ENDS_CANCELLED &&
             fg_learned_is_optional(learned, step))
        differences |= FG_FLOW_PASSED_BY;
    return differences;
}

static int fill_step(const struct fg_journeys *journeys, const struct fg_watched_key *key,
                     uint32_t step, struct fg_arena *arena, struct fg_flow_step_view *view)
{
    const struct fg_flow_step *is = &key->flow->steps[step];
    const struct fg_hop_deadline *hop = &journeys->deadlines[key->flow_index][step];
    uint32_t known = key->is_declared ? step : fg_learned_find(key->learned, is->name);
    *view = (struct fg_flow_step_view){
        .name = copy(arena, is->name),
        .label = copy(arena, is->label),
        .labels = is->labels,
        .humans = is->humans,
        .condition = copy(arena, is->condition),
        .service = copy(arena, is->service),
        .human = copy(arena, is->human),
        .optional = is->optional,
        .ends = is->ends,
        .declared_ns = key->is_declared ? is->within_ns : 0,
        .accepted_ns = key->is_declared ? fg_accepted_within_ns(key->accepted, is->name, is->print)
                                        : (key->accepted ? is->within_ns : 0),
        .within_ns = hop->ns,
        .is_provisional = hop->is_provisional,
    };
    if (known != FG_FLOW_STEP_NONE) {
        fill_learned(key->learned, known, view);
        view->differences = compare(key->learned, known, view);
    }
    return name_after(key->flow, step, arena, view);
}

/* Steps that are proposed and that the accepted flow does not have. */
static uint32_t fill_others(const struct fg_watched_key *key, struct fg_arena *arena,
                            struct fg_flow_step_view *views)
{
    uint32_t order[FG_FLOW_STEPS_MAX], proposed = fg_learned_order(key->learned, order), count = 0;
    char name[FG_LEARNED_NAME_SIZE];
    for (uint32_t i = 0; !key->is_declared && i < proposed; i++) {
        const struct fg_learned_step *is = &key->learned->steps[order[i]];
        struct fg_slice text = fg_learned_name(key->learned, order[i], name);
        bool is_there = false;
        for (uint32_t k = 0; key->flow && k < key->flow->step_count; k++)
            is_there |= fg_slice_equal(key->flow->steps[k].name, text);
        if (is_there)
            continue;
        views[count] =
            (struct fg_flow_step_view){.name = copy(arena, text),
                                       .label = copy(arena, is->name),
                                       .service = copy(arena, is->service),
                                       .optional = fg_learned_is_optional(key->learned, order[i]),
                                       .differences = FG_FLOW_NOT_IN_IT};
        fill_learned(key->learned, order[i], &views[count++]);
    }
    return count;
}

/* -- Flows */

/* Of a declared one what it says, with what was learned where it says nothing. */
static void write_proposal(const struct fg_journeys *journeys, const struct fg_watched_key *key,
                           struct fg_buffer *yaml)
{
    if (key->is_declared)
        fg_flow_write(key->flow, journeys->deadlines[key->flow_index], yaml);
    else
        fg_learned_propose(key->learned, key->name, true, yaml);
}

static bool can_accept(const struct fg_watched_key *key, const struct fg_flow_view *view)
{
    bool any = !key->is_declared && !key->accepted && view->yaml.size > 0;
    for (uint32_t i = 0; key->is_declared && i < view->step_count; i++)
        any |=
            view->steps[i].is_provisional ||
            (view->steps[i].learned_ns > 0 && view->steps[i].learned_ns < view->steps[i].within_ns);
    return any;
}

static int fill_flow(const struct fg_journeys *journeys, const struct fg_watched_key *key,
                     struct fg_arena *arena, struct fg_flow_view *view)
{
    uint32_t count = key->flow ? key->flow->step_count : 0;
    struct fg_flow_step_view *steps =
        fg_arena_calloc(arena, (size_t)count + FG_FLOW_STEPS_MAX, sizeof *steps);
    struct fg_buffer yaml;
    int r = steps ? 0 : FG_ELIMIT;
    *view = (struct fg_flow_view){
        .key = copy(arena, key->name),
        .name = copy(arena, key->flow ? key->flow->name : key->name),
        .source = key->is_declared ? FG_FLOW_SOURCE_DECLARED
                  : !key->flow     ? FG_FLOW_SOURCE_NONE
                  : key->accepted  ? FG_FLOW_SOURCE_ACCEPTED
                                   : FG_FLOW_SOURCE_LEARNED,
        .journeys = key->learned->total,
        .journeys_min = FG_LEARN_JOURNEYS_MIN,
        .refused = key->learned->refused,
        .accepted_at_ns = key->accepted ? key->accepted->at_ns : 0,
        .accepted_by = copy(arena, key->accepted ? key->accepted->by : (struct fg_slice){0}),
        .steps = steps,
    };
    for (uint32_t i = 0; r == 0 && i < count; i++)
        r = fill_step(journeys, key, i, arena, &steps[i]);
    if (r < 0)
        return r;
    view->step_count = count + fill_others(key, arena, steps + count);
    fg_buffer_init(&yaml, YAML_SIZE_MAX);
    write_proposal(journeys, key, &yaml);
    view->yaml = copy(arena, fg_buffer_slice(&yaml));
    r = yaml.error;
    fg_buffer_free(&yaml);
    view->can_accept = can_accept(key, view);
    return r < 0 ? r : arena->overflow ? FG_ELIMIT : 0;
}

int fg_journeys_flows(struct fg_journeys *journeys, struct fg_arena *arena,
                      const struct fg_flow_view **ret_flows, uint32_t *ret_count)
{
    struct fg_flow_view *flows =
        fg_arena_calloc(arena, (size_t)journeys->key_count + 1, sizeof *flows);
    int r = flows ? 0 : FG_ELIMIT;
    fg_journeys_enter(journeys);
    for (uint32_t i = 0; r == 0 && i < journeys->key_count; i++)
        r = fill_flow(journeys, &journeys->keys[i], arena, &flows[i]);
    fg_mutex_unlock(&journeys->mutex);
    if (r < 0)
        return r;
    *ret_flows = flows;
    *ret_count = journeys->key_count;
    return 0;
}

/* -- Accepting */

static bool is_named(struct fg_slice name, const struct fg_slice *names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (fg_slice_equal(names[i], name))
            return true;
    return false;
}

/* Of a declared flow: what was accepted before stays. */
static int accept_hops(const struct fg_journeys *journeys, const struct fg_watched_key *key,
                       const struct fg_slice *names, uint32_t name_count,
                       struct fg_accepted *accepted)
{
    uint32_t found = 0, taken = 0;
    int r = 0;
    for (uint32_t i = 0; key->accepted && r == 0 && i < key->accepted->hop_count; i++)
        r = fg_accepted_add(accepted, key->accepted->hops[i].step, key->accepted->hops[i].print,
                            key->accepted->hops[i].within_ns);
    for (uint32_t i = 0; r == 0 && i < key->flow->step_count; i++) {
        const struct fg_flow_step *step = &key->flow->steps[i];
        bool is_wanted = name_count == 0 ? journeys->deadlines[key->flow_index][i].is_provisional
                                         : is_named(step->name, names, name_count);
        uint64_t learned_ns = fg_learned_deadline_ns(key->learned, i);
        found += name_count > 0 && is_wanted;
        if (!is_wanted || learned_ns == 0 || (step->within_ns > 0 && step->within_ns <= learned_ns))
            continue;
        r = fg_accepted_add(accepted, step->name, step->print, learned_ns);
        taken++;
    }
    if (r == 0 && found < name_count)
        r = FG_ENOTFOUND;
    return r < 0 ? r : taken == 0 ? FG_EEXIST : 0;
}

static int accept_flow(const struct fg_watched_key *key, struct fg_accepted *accepted)
{
    struct fg_buffer yaml;
    fg_buffer_init(&yaml, YAML_SIZE_MAX);
    fg_learned_propose(key->learned, key->name, true, &yaml);
    int r = yaml.error ? yaml.error : yaml.size == 0 ? FG_EEXIST : 0;
    if (r == 0)
        accepted->yaml = fg_arena_copy(&accepted->arena, fg_buffer_slice(&yaml));
    fg_buffer_free(&yaml);
    return r == 0 && accepted->arena.overflow ? FG_ELIMIT : r;
}

static uint32_t find_key(const struct fg_journeys *journeys, struct fg_slice name)
{
    uint32_t key = 0;
    while (key < journeys->key_count && !fg_slice_equal(journeys->keys[key].name, name))
        key++;
    return key;
}

int fg_journeys_flow_accept(struct fg_journeys *journeys, struct fg_slice name,
                            const struct fg_slice *steps, uint32_t step_count, struct fg_slice by)
{
    uint32_t index = find_key(journeys, name);
    if (index == journeys->key_count)
        return FG_ENOTFOUND;
    struct fg_accepted *accepted = fg_accepted_new();
    if (!accepted)
        return FG_ENOMEM;
    accepted->at_ns = fg_env_wall_ns(journeys->options.env);
    accepted->by = fg_arena_copy(&accepted->arena, by);
    fg_journeys_enter(journeys);
    const struct fg_watched_key *key = &journeys->keys[index];
    int r = key->is_declared ? accept_hops(journeys, key, steps, step_count, accepted)
            : step_count > 0 ? FG_EINVALID
                             : accept_flow(key, accepted);
    if (r < 0)
        fg_accepted_free(accepted);
    else
        r = fg_learn_accept_take(journeys, index, accepted);
    fg_mutex_unlock(&journeys->mutex);
    return r;
}

int fg_journeys_flow_withdraw(struct fg_journeys *journeys, struct fg_slice name)
{
    uint32_t index = find_key(journeys, name);
    if (index == journeys->key_count)
        return FG_ENOTFOUND;
    fg_journeys_enter(journeys);
    int r =
        journeys->keys[index].accepted ? fg_learn_accept_take(journeys, index, NULL) : FG_EEXIST;
    fg_mutex_unlock(&journeys->mutex);
    return r;
}
