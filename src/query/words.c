#include "words.h"

#include "span/names.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Where a field has several names the first is the one that is written. */
static const struct fg_word words[] = {
    {"service", FG_WORD_STRING, false, FG_FIELD_SERVICE},
    {"name", FG_WORD_STRING, false, FG_FIELD_NAME},
    {"operation", FG_WORD_STRING, false, FG_FIELD_NAME},
    {"kind", FG_WORD_KIND, false, FG_FIELD_KIND},
    {"status", FG_WORD_STATUS, false, FG_FIELD_STATUS},
    {"status.message", FG_WORD_STRING, false, FG_FIELD_STATUS_MESSAGE},
    {"duration", FG_WORD_DURATION, false, FG_FIELD_DURATION},
    {"open", FG_WORD_BOOL, false, FG_FIELD_OPEN},
    {"root", FG_WORD_BOOL, false, FG_FIELD_ROOT},
    {"trace_id", FG_WORD_TRACE_ID, false, FG_FIELD_TRACE_ID},
    {"span_id", FG_WORD_SPAN_ID, false, FG_FIELD_SPAN_ID},
    {"parent_id", FG_WORD_SPAN_ID, false, FG_FIELD_PARENT_SPAN_ID},
    {"scope", FG_WORD_STRING, false, FG_FIELD_SCOPE_NAME},
    {"scope.name", FG_WORD_STRING, false, FG_FIELD_SCOPE_NAME},
    {"scope.version", FG_WORD_STRING, false, FG_FIELD_SCOPE_VERSION},
    {"event", FG_WORD_STRING, false, FG_FIELD_EVENT_NAME},
    {"event.name", FG_WORD_STRING, false, FG_FIELD_EVENT_NAME},
    {"trace.duration", FG_WORD_DURATION, true, FG_TRACE_DURATION},
    {"root.service", FG_WORD_STRING, true, FG_TRACE_ROOT_SERVICE},
    {"root.name", FG_WORD_STRING, true, FG_TRACE_ROOT_NAME},
    {"trace.spans", FG_WORD_INT, true, FG_TRACE_SPAN_COUNT},
    {"trace.errors", FG_WORD_INT, true, FG_TRACE_ERROR_COUNT},
};

const struct fg_scope_word fg_scope_words[] = {
    {"span.", FG_FIELD_ATTR_SPAN},   {"resource.", FG_FIELD_ATTR_RESOURCE},
    {"scope.", FG_FIELD_ATTR_SCOPE}, {"event.", FG_FIELD_ATTR_EVENT},
    {"link.", FG_FIELD_ATTR_LINK},   {".", FG_FIELD_ATTR_ANY},
};
const size_t fg_scope_word_count = COUNT(fg_scope_words);

const char *fg_query_field_name(size_t index)
{
    return index < COUNT(words) ? words[index].name : NULL;
}

const struct fg_word *fg_word_find(struct fg_slice name)
{
    for (size_t i = 0; i < COUNT(words); i++)
        if (fg_slice_equal(name, fg_slice_from_string(words[i].name)))
            return &words[i];
    return NULL;
}

const struct fg_word *fg_word_of(bool is_trace, int field)
{
    for (size_t i = 0; i < COUNT(words); i++)
        if (words[i].is_trace == is_trace && words[i].field == field)
            return &words[i];
    return NULL;
}

static int find(struct fg_slice word, const char *(*name)(int64_t number))
{
    for (int i = 0; name(i); i++)
        if (fg_slice_equal(word, fg_slice_from_string(name(i))))
            return i;
    return -1;
}

int fg_kind_from_word(struct fg_slice word)
{
    return find(word, fg_span_kind_name);
}

int fg_status_from_word(struct fg_slice word)
{
    return find(word, fg_status_code_name);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* What ends a key: blanks, parentheses, quotes, and the first characters of operators. */
static bool ends_key(uint8_t c)
{
    return is_blank(c) || c < ' ' || c == 0x7f || strchr("()\"=!<>:~", c) != NULL;
}

static bool ends_value(uint8_t c)
{
    return is_blank(c) || c < ' ' || c == 0x7f || strchr("()\"", c) != NULL;
}

static bool is_bare(struct fg_slice text, bool (*ends)(uint8_t c))
{
    for (size_t i = 0; i < text.size; i++)
        if (ends(text.data[i]))
            return false;
    return text.size > 0;
}

bool fg_word_is_bare_key(struct fg_slice text)
{
    return is_bare(text, ends_key);
}

bool fg_word_is_bare_value(struct fg_slice text)
{
    return is_bare(text, ends_value);
}
