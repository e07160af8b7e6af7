/* What was learned of a key, as bytes; numbers little-endian:
 *
 *     version 1, is declared (1), steps (2), journeys (4), total (8), refused (8)
 *     a step:  size and name, size and service (sizes of 2 bytes), kind (1), print (8), count (4),
 *              journeys before (4), last count (4), sum of positions (8), has a hop (1), the hop's
 *              sketch
 *     of operations, for each step: how many followed it (2); for each its number (2), count (4) */
#include "input.h"
#include "learn.h"

#include "base/endian.h"

#include <stdlib.h>

#define VERSION 1u

static void put_text(struct fg_buffer *out, struct fg_slice text)
{
    fg_buffer_append_le16(out, (uint16_t)text.size);
    fg_buffer_append_slice(out, text);
}

static void put_follows(struct fg_buffer *out, const struct fg_learned *learned, uint32_t step)
{
    uint32_t used = 0;
    for (uint32_t k = 0; k < learned->step_count; k++)
        used += learned->follows[step][k] > 0;
    fg_buffer_append_le16(out, (uint16_t)used);
    for (uint32_t k = 0; k < learned->step_count; k++)
        if (learned->follows[step][k] > 0) {
            fg_buffer_append_le16(out, (uint16_t)k);
            fg_buffer_append_le32(out, learned->follows[step][k]);
        }
}

void fg_learned_encode(const struct fg_learned *learned, struct fg_buffer *out)
{
    fg_buffer_append_byte(out, VERSION);
    fg_buffer_append_byte(out, learned->is_declared);
    fg_buffer_append_le16(out, (uint16_t)learned->step_count);
    fg_buffer_append_le32(out, learned->journeys);
    fg_buffer_append_le64(out, learned->total);
    fg_buffer_append_le64(out, learned->refused);
    for (uint32_t i = 0; i < learned->step_count; i++) {
        const struct fg_learned_step *step = &learned->steps[i];
        put_text(out, step->name);
        put_text(out, step->service);
        fg_buffer_append_byte(out, step->kind);
        fg_buffer_append_le64(out, step->print);
        fg_buffer_append_le32(out, step->count);
        fg_buffer_append_le32(out, step->journeys_before);
        fg_buffer_append_le32(out, step->last_count);
        fg_buffer_append_le64(out, step->position_sum);
        fg_buffer_append_byte(out, step->hop != NULL);
        if (step->hop)
            fg_sketch_encode(step->hop, out);
    }
    for (uint32_t i = 0; learned->follows && i < learned->step_count; i++)
        put_follows(out, learned, i);
}

/* -- Reading */

static struct fg_slice take_text(struct fg_input *in, size_t size_max)
{
    size_t size = fg_load_le16(fg_input_take(in, 2));
    if (size > size_max || size > in->rest) {
        in->is_bad = true;
        return (struct fg_slice){0};
    }
    return fg_slice(fg_input_take(in, size), size);
}

/* The step's parts are the caller's to free. */
static int take_step(struct fg_input *in, struct fg_learned_step *step)
{
    step->name = take_text(in, UINT16_MAX);
    step->service = take_text(in, UINT16_MAX);
    step->kind = *fg_input_take(in, 1);
    step->print = fg_load_le64(fg_input_take(in, 8));
    step->count = fg_load_le32(fg_input_take(in, 4));
    step->journeys_before = fg_load_le32(fg_input_take(in, 4));
    step->last_count = fg_load_le32(fg_input_take(in, 4));
    step->position_sum = fg_load_le64(fg_input_take(in, 8));
    if (*fg_input_take(in, 1) == 0 || in->is_bad)
        return in->is_bad ? FG_ECORRUPT : 0;
    step->hop = calloc(1, sizeof *step->hop);
    if (!step->hop)
        return FG_ENOMEM;
    size_t used = fg_sketch_decode(fg_slice(in->at, in->rest), step->hop);
    if (used > 0) {
        fg_input_take(in, used);
        return 0;
    }
    free(step->hop);
    step->hop = NULL;
    return FG_ECORRUPT;
}

/* A hop of the flow as it is declared now; others are dropped. */
static void keep_declared(struct fg_learned *learned, struct fg_learned_step *step)
{
    for (uint32_t i = 0; i < learned->step_count; i++)
        if (fg_slice_equal(learned->steps[i].name, step->name) &&
            learned->steps[i].print == step->print && !learned->steps[i].hop) {
            step->name = learned->steps[i].name; /* the flow's own */
            step->service = (struct fg_slice){0};
            learned->steps[i] = *step;
            return;
        }
    free(step->hop);
    learned->is_changed = true;
}

static int keep_operation(struct fg_learned *learned, struct fg_learned_step *step)
{
    uint8_t *name = malloc(step->name.size + 1), *service = malloc(step->service.size + 1);
    if (!name || !service) {
        free(name);
        free(service);
        free(step->hop);
        return FG_ENOMEM;
    }
    if (step->name.size > 0)
        memcpy(name, step->name.data, step->name.size);
    if (step->service.size > 0)
        memcpy(service, step->service.data, step->service.size);
    step->name = fg_slice(name, step->name.size);
    step->service = fg_slice(service, step->service.size);
    learned->steps[learned->step_count++] = *step;
    return 0;
}

static void take_follows(struct fg_input *in, struct fg_learned *learned, uint32_t step)
{
    uint32_t used = fg_load_le16(fg_input_take(in, 2));
    for (uint32_t i = 0; i < used && !in->is_bad; i++) {
        uint32_t to = fg_load_le16(fg_input_take(in, 2)),
                 count = fg_load_le32(fg_input_take(in, 4));
        if (to >= learned->step_count)
            in->is_bad = true;
        else
            learned->follows[step][to] = count;
    }
}

static int take_all(struct fg_input *in, struct fg_learned *learned, bool is_declared,
                    uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct fg_learned_step step = {0};
        int r = take_step(in, &step);
        if (r == 0 && is_declared)
            keep_declared(learned, &step);
        else if (r == 0 && (step.name.size > FG_LEARN_NAME_SIZE_MAX ||
                            step.service.size > FG_LEARN_NAME_SIZE_MAX)) {
            free(step.hop);
            r = FG_ECORRUPT;
        } else if (r == 0)
            r = keep_operation(learned, &step);
        if (r < 0)
            return r;
    }
    for (uint32_t i = 0; !is_declared && i < count; i++)
        take_follows(in, learned, i);
    return in->is_bad || in->rest > 0 ? FG_ECORRUPT : 0;
}

int fg_learned_decode(struct fg_slice bytes, struct fg_learned *learned)
{
    struct fg_input in = {bytes.data, bytes.size, false};
    uint8_t version = *fg_input_take(&in, 1);
    bool is_declared = *fg_input_take(&in, 1) != 0;
    uint32_t count = fg_load_le16(fg_input_take(&in, 2));
    uint32_t journeys = fg_load_le32(fg_input_take(&in, 4));
    uint64_t total = fg_load_le64(fg_input_take(&in, 8)),
             refused = fg_load_le64(fg_input_take(&in, 8));
    if (in.is_bad || version != VERSION || count > FG_FLOW_STEPS_MAX)
        return FG_ECORRUPT;
    if (is_declared != learned->is_declared) {
        learned->is_changed = true;
        return 0;
    }
    learned->journeys = journeys;
    for (uint32_t i = 0; i < learned->step_count; i++)
        learned->steps[i].journeys_before = journeys; /* unless it is found */
    learned->total = total;
    learned->refused = refused;
    int r = take_all(&in, learned, is_declared, count);
    if (r == FG_ECORRUPT)
        fg_learned_clear(learned);
    return r;
}
