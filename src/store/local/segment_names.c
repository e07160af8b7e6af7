#include "local/segment_names.h"

#define NAME_OF(names, index)                                                                      \
    ((size_t)(index) < sizeof(names) / sizeof *(names) ? (names)[index] : "unknown")

const char *fg_stream_name(enum fg_stream stream)
{
    static const char *const names[] = {"traces", "span ids", "parents", "classes", "resources",
                                        "times",  "received", "events",  "links"};
    return NAME_OF(names, stream);
}

const char *fg_level_name(uint8_t level)
{
    static const char *const names[] = {"span", "event", "link"};
    return NAME_OF(names, level);
}

const char *fg_form_name(uint8_t form)
{
    static const char *const names[] = {"text codes", "bits codes", "text", "numbers", "decimals"};
    return NAME_OF(names, form);
}

const char *fg_part_name(uint8_t level, uint8_t part)
{
    static const char *const names[FG_PART_COUNT][FG_LEVEL_COUNT] = {
        [FG_PART_ATTR] = {"span attribute", "event attribute", "link attribute"},
        [FG_PART_NAME] = {"span names", "event names", NULL},
        [FG_PART_FLAGS] = {"flags", NULL, "link flags"},
        [FG_PART_MARKS] = {"marks", NULL, NULL},
        [FG_PART_TRACE_STATE] = {"trace state", NULL, "link trace state"},
        [FG_PART_STATUS_MESSAGE] = {"status message", NULL, NULL},
        [FG_PART_DROPPED_ATTRS] = {"dropped attributes", "event dropped attributes",
                                   "link dropped attributes"},
        [FG_PART_DROPPED_EVENTS] = {"dropped events", NULL, NULL},
        [FG_PART_DROPPED_LINKS] = {"dropped links", NULL, NULL},
        [FG_PART_EVENT_COUNT] = {"event counts", NULL, NULL},
        [FG_PART_LINK_COUNT] = {"link counts", NULL, NULL},
        [FG_PART_OVERFLOW_TEXT_KEY] = {"overflow text keys", "event overflow text keys",
                                       "link overflow text keys"},
        [FG_PART_OVERFLOW_TEXT_TYPE] = {"overflow text types", "event overflow text types",
                                        "link overflow text types"},
        [FG_PART_OVERFLOW_TEXT] = {"overflow texts", "event overflow texts", "link overflow texts"},
        [FG_PART_OVERFLOW_BITS_KEY] = {"overflow number keys", "event overflow number keys",
                                       "link overflow number keys"},
        [FG_PART_OVERFLOW_BITS_TYPE] = {"overflow number types", "event overflow number types",
                                        "link overflow number types"},
        [FG_PART_OVERFLOW_BITS] = {"overflow numbers", "event overflow numbers",
                                   "link overflow numbers"},
    };
    const char *name = level < FG_LEVEL_COUNT && part < FG_PART_COUNT ? names[part][level] : NULL;
    return name ? name : "unknown";
}
