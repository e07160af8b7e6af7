#include "learn.h"

#include "base/limits.h"

#include <assert.h>
#include <stdlib.h>

/* An operation that so few of the journeys had gives its place to a new one where all are taken. */
#define RARE_SHARE 0.05

int fg_learned_new(const struct fg_flow *flow, struct fg_learned **ret_learned)
{
    struct fg_learned *learned = calloc(1, sizeof *learned);
    if (!learned)
        return FG_ENOMEM;
    learned->is_declared = flow != NULL;
    if (!flow)
        learned->follows = calloc(FG_FLOW_STEPS_MAX, sizeof *learned->follows);
    if (!flow && !learned->follows) {
        free(learned);
        return FG_ENOMEM;
    }
    for (uint32_t i = 0; flow && i < flow->step_count; i++)
        learned->steps[i] =
            (struct fg_learned_step){.name = flow->steps[i].name, .print = flow->steps[i].print};
    learned->step_count = flow ? flow->step_count : 0;
    *ret_learned = learned;
    return 0;
}

static void free_step(struct fg_learned *learned, uint32_t step)
{
    if (!learned->is_declared) {
        free((void *)(uintptr_t)learned->steps[step].name.data);
        free((void *)(uintptr_t)learned->steps[step].service.data);
    }
    free(learned->steps[step].hop);
}

void fg_learned_clear(struct fg_learned *learned)
{
    for (uint32_t i = 0; i < learned->step_count; i++) {
        struct fg_slice name = learned->steps[i].name;
        uint64_t print = learned->steps[i].print;
        free_step(learned, i);
        learned->steps[i] = (struct fg_learned_step){0};
        if (learned->is_declared)
            learned->steps[i] = (struct fg_learned_step){.name = name, .print = print};
    }
    if (!learned->is_declared)
        learned->step_count = 0;
    if (learned->follows)
        memset(learned->follows, 0, FG_FLOW_STEPS_MAX * sizeof *learned->follows);
    learned->journeys = 0;
    learned->total = learned->refused = 0;
    learned->is_changed = learned->is_news = true;
}

void fg_learned_free(struct fg_learned *learned)
{
    if (!learned)
        return;
    for (uint32_t i = 0; i < learned->step_count; i++)
        free_step(learned, i);
    free(learned->follows);
    free(learned);
}

/* -- Taking */

static void count_journey(struct fg_learned *learned)
{
    learned->total++;
    learned->is_changed = learned->is_news = true;
    if (++learned->journeys <= FG_LEARN_JOURNEYS_MAX)
        return;
    learned->journeys /= 2;
    for (uint32_t i = 0; i < learned->step_count; i++) {
        learned->steps[i].count /= 2;
        learned->steps[i].journeys_before /= 2;
        learned->steps[i].last_count /= 2;
        learned->steps[i].position_sum /= 2;
        for (uint32_t k = 0; learned->follows && k < learned->step_count; k++)
            learned->follows[i][k] /= 2;
    }
}

static int add_hop(struct fg_learned_step *step, uint64_t from_ns, uint64_t at_ns)
{
    if (!step->hop)
        step->hop = calloc(1, sizeof *step->hop);
    if (!step->hop)
        return FG_ENOMEM;
    fg_sketch_add(step->hop, at_ns > from_ns ? at_ns - from_ns : 0);
    return 0;
}

int fg_learned_take_steps(struct fg_learned *learned, const struct fg_flow *flow, uint64_t reached,
                          const uint64_t *reached_ns, uint64_t wrong_from_ns,
                          uint64_t wrong_until_ns)
{
    int r = 0;
    assert(learned->is_declared && learned->step_count == flow->step_count);
    count_journey(learned);
    for (uint32_t i = 0; r == 0 && i < flow->step_count; i++) {
        uint64_t from_ns = 0, before = flow->steps[i].after & reached;
        if ((reached >> i & 1) == 0)
            continue;
        learned->steps[i].count++;
        learned->steps[i].last_count += flow->steps[i].ends != FG_FLOW_GOES_ON;
        for (uint32_t k = 0; k < flow->step_count; k++)
            if ((before >> k & 1) && reached_ns[k] > from_ns)
                from_ns = reached_ns[k];
        bool was_wrong = from_ns < wrong_until_ns && reached_ns[i] >= wrong_from_ns;
        if (from_ns > 0 && !was_wrong)
            r = add_hop(&learned->steps[i], from_ns, reached_ns[i]);
    }
    return r;
}

/* -- Operations */

static struct fg_slice copy_of(struct fg_slice text)
{
    uint8_t *bytes = malloc(text.size + 1);
    if (!bytes)
        return (struct fg_slice){0};
    if (text.size > 0)
        memcpy(bytes, text.data, text.size);
    return fg_slice(bytes, text.size);
}

static uint32_t find_seen(const struct fg_learned *learned, const struct fg_learned_seen *seen)
{
    for (uint32_t i = 0; i < learned->step_count; i++)
        if (learned->steps[i].kind == seen->kind &&
            fg_slice_equal(learned->steps[i].name, seen->name) &&
            fg_slice_equal(learned->steps[i].service, seen->service))
            return i;
    return FG_FLOW_STEP_NONE;
}

/* The last step takes the place of one that goes. */
static void remove_step(struct fg_learned *learned, uint32_t step)
{
    uint32_t last = --learned->step_count;
    free_step(learned, step);
    learned->steps[step] = learned->steps[last];
    learned->steps[last] = (struct fg_learned_step){0};
    memcpy(learned->follows[step], learned->follows[last], sizeof *learned->follows);
    memset(learned->follows[last], 0, sizeof *learned->follows);
    for (uint32_t i = 0; i < FG_FLOW_STEPS_MAX; i++) {
        learned->follows[i][step] = learned->follows[i][last];
        learned->follows[i][last] = 0;
    }
}

/* Room for one more; false: all that are there are more than rare. */
static bool make_room(struct fg_learned *learned)
{
    uint32_t rarest = 0;
    if (learned->step_count < FG_FLOW_STEPS_MAX)
        return true;
    for (uint32_t i = 1; i < learned->step_count; i++)
        if (learned->steps[i].count < learned->steps[rarest].count)
            rarest = i;
    uint32_t count = learned->steps[rarest].count;
    if (count > 1 && count >= RARE_SHARE * learned->journeys)
        return false;
    remove_step(learned, rarest);
    learned->refused++;
    return true;
}

/* FG_ELIMIT: there is no place for it. */
static int intern(struct fg_learned *learned, const struct fg_learned_seen *seen,
                  uint32_t *ret_step)
{
    uint32_t known = find_seen(learned, seen);
    if (known != FG_FLOW_STEP_NONE) {
        *ret_step = known;
        return 0;
    }
    if (seen->name.size == 0 || seen->name.size > FG_LEARN_NAME_SIZE_MAX ||
        seen->service.size == 0 || seen->service.size > FG_LEARN_NAME_SIZE_MAX ||
        !make_room(learned))
        return FG_ELIMIT;
    struct fg_learned_step step = {
        .name = copy_of(seen->name), .service = copy_of(seen->service), .kind = seen->kind};
    if (!step.name.data || !step.service.data) {
        free((void *)(uintptr_t)step.name.data);
        free((void *)(uintptr_t)step.service.data);
        return FG_ENOMEM;
    }
    *ret_step = learned->step_count++;
    learned->steps[*ret_step] = step;
    return 0;
}

/* What many journeys do; before that is known, all. */
static bool is_common(const struct fg_learned *learned, uint32_t step)
{
    return learned->journeys < FG_LEARN_JOURNEYS_MIN ||
           learned->steps[step].count >= FG_LEARN_STEP_SHARE * learned->journeys;
}

/* And nearly all. */
static bool is_required(const struct fg_learned *learned, uint32_t step)
{
    return learned->journeys < FG_LEARN_JOURNEYS_MIN || !fg_learned_is_optional(learned, step);
}

/* Where a sequence is: the common step before, and when it and the required one before were. */
struct before {
    uint32_t step;
    uint64_t common_ns, required_ns;
};

/* What has to come is waited for from what had to come before it, since the steps between may be
 * passed by. */
static int take_one(struct fg_learned *learned, const struct fg_learned_seen *seen, uint32_t step,
                    uint32_t position, const struct before *before)
{
    struct fg_learned_step *is = &learned->steps[step];
    uint64_t from_ns = is_required(learned, step) ? before->required_ns : before->common_ns;
    is->count++;
    is->position_sum += position;
    learned->is_changed = learned->is_news = true;
    if (before->step != FG_FLOW_STEP_NONE)
        learned->follows[before->step][step]++;
    return from_ns > 0 ? add_hop(is, from_ns, seen->end_ns) : 0;
}

int fg_learned_take_seen(struct fg_learned *learned, const struct fg_learned_seen *seen,
                         uint32_t count, uint64_t until_ns)
{
    struct before before = {.step = FG_FLOW_STEP_NONE};
    uint32_t last_taken = FG_FLOW_STEP_NONE, position = 0;
    assert(!learned->is_declared);
    if (until_ns == 0)
        count_journey(learned);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t step, steps = learned->step_count;
        bool was_full = steps == FG_FLOW_STEPS_MAX;
        int r = intern(learned, &seen[i], &step);
        if (r == FG_ELIMIT) {
            learned->refused++;
            continue;
        }
        if (r < 0)
            return r;
        if (was_full && learned->steps[step].count == 0)
            before.step = last_taken = FG_FLOW_STEP_NONE; /* their numbers may have changed */
        if (seen[i].end_ns > until_ns)
            r = take_one(learned, &seen[i], step, position, &before);
        if (r < 0)
            return r;
        position++;
        if (!is_common(learned, step))
            continue;
        before.step = step;
        before.common_ns = seen[i].end_ns;
        if (is_required(learned, step))
            before.required_ns = seen[i].end_ns;
        if (seen[i].end_ns <= until_ns)
            last_taken = step;
    }
    if (before.step == last_taken)
        return 0; /* nothing came that counts */
    if (last_taken != FG_FLOW_STEP_NONE && learned->steps[last_taken].last_count > 0)
        learned->steps[last_taken].last_count--;
    learned->steps[before.step].last_count++;
    return 0;
}

void fg_learned_drop_rare(struct fg_learned *learned)
{
    for (uint32_t i = learned->step_count; !learned->is_declared && i > 0; i--)
        if (learned->steps[i - 1].count < FG_LEARN_JOURNEYS_MIN) {
            remove_step(learned, i - 1);
            learned->is_changed = learned->is_news = true;
        }
}

/* -- What is made of it */

bool fg_learned_is_known(const struct fg_learned *learned, uint32_t step)
{
    return learned->journeys >= FG_LEARN_JOURNEYS_MIN && learned->steps[step].hop &&
           learned->steps[step].hop->count >= FG_LEARN_JOURNEYS_MIN;
}

static uint64_t round_up(uint64_t ns)
{
    uint64_t unit = ns <= 120 * FG_NS_PER_SECOND   ? FG_NS_PER_SECOND
                    : ns <= 120 * FG_NS_PER_MINUTE ? FG_NS_PER_MINUTE
                                                   : 60 * FG_NS_PER_MINUTE;
    return (ns + unit - 1) / unit * unit;
}

uint64_t fg_learned_deadline_ns(const struct fg_learned *learned, uint32_t step)
{
    if (!fg_learned_is_known(learned, step))
        return 0;
    uint64_t seen_ns = fg_sketch_quantile(learned->steps[step].hop, FG_LEARN_QUANTILE);
    return round_up(seen_ns + (seen_ns > FG_LEARN_MARGIN_NS ? seen_ns : FG_LEARN_MARGIN_NS));
}

double fg_learned_confidence(const struct fg_learned *learned, uint32_t step)
{
    const struct fg_sketch *hop = learned->steps[step].hop;
    double count = hop ? hop->count : 0;
    return count / (count + FG_LEARN_JOURNEYS_MIN);
}

double fg_learned_share(const struct fg_learned *learned, uint32_t step)
{
    uint32_t before = learned->steps[step].journeys_before;
    uint32_t journeys = learned->journeys > before ? learned->journeys - before : 0;
    double share = journeys ? (double)learned->steps[step].count / journeys : 0;
    return share < 1 ? share : 1;
}

bool fg_learned_is_optional(const struct fg_learned *learned, uint32_t step)
{
    return fg_learned_share(learned, step) < FG_LEARN_REQUIRED_SHARE;
}

static double position_of(const struct fg_learned_step *step)
{
    return step->count ? (double)step->position_sum / step->count : 0;
}

uint32_t fg_learned_order(const struct fg_learned *learned, uint32_t ret_steps[FG_FLOW_STEPS_MAX])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < learned->step_count; i++) {
        if (learned->journeys < FG_LEARN_JOURNEYS_MIN || !is_common(learned, i))
            continue;
        uint32_t at = count++;
        double position = position_of(&learned->steps[i]);
        for (; at > 0 && position_of(&learned->steps[ret_steps[at - 1]]) > position; at--)
            ret_steps[at] = ret_steps[at - 1];
        ret_steps[at] = i;
    }
    return count;
}
