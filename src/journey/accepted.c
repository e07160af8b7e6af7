/* Bytes, numbers little-endian: version 1, at (8), hops (2), size and by, size (4) and YAML; of
 * each hop size and step, print (8), within (8). Sizes are of 2 bytes where nothing else is said.
 */
#include "accepted.h"
#include "input.h"

#include "base/endian.h"

#include <stdlib.h>

#define VERSION        1u
#define TEXTS_SIZE_MAX ((size_t)512 << 10)

struct fg_accepted *fg_accepted_new(void)
{
    struct fg_accepted *accepted = calloc(1, sizeof *accepted);
    if (accepted)
        fg_arena_init(&accepted->arena, TEXTS_SIZE_MAX);
    return accepted;
}

void fg_accepted_free(struct fg_accepted *accepted)
{
    if (!accepted)
        return;
    fg_arena_free(&accepted->arena);
    free(accepted);
}

int fg_accepted_add(struct fg_accepted *accepted, struct fg_slice step, uint64_t print,
                    uint64_t within_ns)
{
    uint32_t at = 0;
    while (at < accepted->hop_count && !fg_slice_equal(accepted->hops[at].step, step))
        at++;
    if (at == FG_FLOW_STEPS_MAX)
        return FG_ELIMIT;
    if (at == accepted->hop_count) {
        struct fg_slice copy = fg_arena_copy(&accepted->arena, step);
        if (accepted->arena.overflow || !copy.data)
            return FG_ENOMEM;
        accepted->hops[at].step = copy;
        accepted->hop_count++;
    }
    accepted->hops[at].print = print;
    accepted->hops[at].within_ns = within_ns;
    return 0;
}

uint64_t fg_accepted_within_ns(const struct fg_accepted *accepted, struct fg_slice step,
                               uint64_t print)
{
    for (uint32_t i = 0; accepted && i < accepted->hop_count; i++)
        if (fg_slice_equal(accepted->hops[i].step, step))
            return accepted->hops[i].print == print ? accepted->hops[i].within_ns : 0;
    return 0;
}

void fg_accepted_encode(const struct fg_accepted *accepted, struct fg_buffer *out)
{
    fg_buffer_append_byte(out, VERSION);
    fg_buffer_append_le64(out, accepted->at_ns);
    fg_buffer_append_le16(out, (uint16_t)accepted->hop_count);
    fg_buffer_append_le16(out, (uint16_t)accepted->by.size);
    fg_buffer_append_slice(out, accepted->by);
    fg_buffer_append_le32(out, (uint32_t)accepted->yaml.size);
    fg_buffer_append_slice(out, accepted->yaml);
    for (uint32_t i = 0; i < accepted->hop_count; i++) {
        fg_buffer_append_le16(out, (uint16_t)accepted->hops[i].step.size);
        fg_buffer_append_slice(out, accepted->hops[i].step);
        fg_buffer_append_le64(out, accepted->hops[i].print);
        fg_buffer_append_le64(out, accepted->hops[i].within_ns);
    }
}

static struct fg_slice take_text(struct fg_input *in, size_t size)
{
    if (in->is_bad || size > in->rest) {
        in->is_bad = true;
        return (struct fg_slice){0};
    }
    return fg_slice(fg_input_take(in, size), size);
}

int fg_accepted_decode(struct fg_slice bytes, struct fg_accepted **ret_accepted)
{
    struct fg_input in = {bytes.data, bytes.size, false};
    struct fg_accepted *accepted = fg_accepted_new();
    if (!accepted)
        return FG_ENOMEM;
    in.is_bad |= *fg_input_take(&in, 1) != VERSION;
    accepted->at_ns = fg_load_le64(fg_input_take(&in, 8));
    uint32_t count = fg_load_le16(fg_input_take(&in, 2));
    accepted->by =
        fg_arena_copy(&accepted->arena, take_text(&in, fg_load_le16(fg_input_take(&in, 2))));
    struct fg_slice yaml = take_text(&in, fg_load_le32(fg_input_take(&in, 4)));
    if (yaml.size > 0)
        accepted->yaml = fg_arena_copy(&accepted->arena, yaml);
    int r = accepted->arena.overflow ? FG_ELIMIT : 0;
    for (uint32_t i = 0; r == 0 && i < count && !in.is_bad; i++) {
        struct fg_slice step = take_text(&in, fg_load_le16(fg_input_take(&in, 2)));
        uint64_t print = fg_load_le64(fg_input_take(&in, 8)),
                 within_ns = fg_load_le64(fg_input_take(&in, 8));
        if (!in.is_bad)
            r = fg_accepted_add(accepted, step, print, within_ns);
    }
    if (r == 0 && (in.is_bad || in.rest > 0))
        r = FG_ECORRUPT;
    if (r < 0)
        fg_accepted_free(accepted);
    else
        *ret_accepted = accepted;
    return r;
}
