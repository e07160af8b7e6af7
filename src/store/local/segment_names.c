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
    static const char *const names[FG_LEVEL_COUNT][FG_PART_COUNT] = {
        {"attribute", "name", "flags", "marks", "trace state", "status message",
         "dropped attributes", "dropped events", "dropped links", "event count", "link count",
         "overflow text keys", "overflow text types", "overflow texts", "overflow bits keys",
         "overflow bits types", "overflow bits"},
        {"event attribute", "event name", "event flags", "event marks", "event trace state",
         "event status message", "event dropped attributes", "event dropped events",
         "event dropped links", "event event count", "event link count", "event overflow text keys",
         "event overflow text types", "event overflow texts", "event overflow bits keys",
         "event overflow bits types", "event overflow bits"},
        {"link attribute", "link name", "link flags", "link marks", "link trace state",
         "link status message", "link dropped attributes", "link dropped events",
         "link dropped links", "link event count", "link link count", "link overflow text keys",
         "link overflow text types", "link overflow texts", "link overflow bits keys",
         "link overflow bits types", "link overflow bits"},
    };
    return level < FG_LEVEL_COUNT && part < FG_PART_COUNT ? names[level][part] : "unknown";
}
