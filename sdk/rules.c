#include "rules.h"

#include "ring.h"
#include "wire/protobuf.h"

static int take_text(struct fg_pb_reader *reader, struct fg_texts *texts)
{
    struct fg_slice text;
    if (fg_pb_read_bytes(reader, &text) < 0)
        return FG_ECORRUPT;
    return fg_texts_add(texts, text);
}

static int take_field(struct fg_pb_reader *reader, uint32_t tag, struct fg_rules *rules,
                      struct fg_texts *denied)
{
    uint64_t kinds;
    int r;
    switch (tag) {
    case FG_PB_TAG(FG_RING_SETTING_SERVICE, FG_PB_BYTES):
        return fg_pb_read_bytes(reader, &rules->service);
    case FG_PB_TAG(FG_RING_SETTING_DENIED_KEY, FG_PB_BYTES):
        return take_text(reader, denied);
    case FG_PB_TAG(FG_RING_SETTING_JOURNEY_KEY, FG_PB_BYTES):
        return take_text(reader, &rules->journey_keys);
    case FG_PB_TAG(FG_RING_SETTING_KINDS, FG_PB_VARINT):
        r = fg_pb_read_varint(reader, &kinds);
        rules->kinds = r == 0 ? (unsigned)kinds : 0;
        return r;
    default:
        return fg_pb_skip(reader, tag);
    }
}

int fg_rules_read(struct fg_slice settings, struct fg_rules *ret_rules)
{
    struct fg_rules rules = {.settings = settings};
    struct fg_texts denied = {.count = 0};
    struct fg_pb_reader reader = fg_pb_reader(settings);
    int r = 0;
    while (r == 0 && !fg_pb_reader_done(&reader)) {
        uint32_t tag;
        r = fg_pb_read_tag(&reader, &tag);
        if (r == 0)
            r = take_field(&reader, tag, &rules, &denied);
    }
    if (r == 0)
        r = fg_redact_new((const char *const *)denied.items, denied.count, &rules.denied);
    fg_texts_free(&denied);
    if (r < 0) {
        fg_rules_free(&rules);
        return r == FG_ENOMEM ? FG_ENOMEM : FG_ECORRUPT;
    }
    *ret_rules = rules;
    return 0;
}

void fg_rules_free(struct fg_rules *rules)
{
    fg_redact_unref(rules->denied);
    fg_texts_free(&rules->journey_keys);
    *rules = (struct fg_rules){.kinds = 0};
}

bool fg_rules_is_journey(const struct fg_rules *rules, struct fg_slice key)
{
    for (uint32_t i = 0; i < rules->journey_keys.count; i++)
        if (fg_slice_equal(key, fg_slice_from_string(rules->journey_keys.items[i])))
            return true;
    return false;
}
