/* The evidence of a verdict: spans, and counts with the query that leads to what was counted. */
#include "evidence.h"

#include "rules.h"

#include <inttypes.h>
#include <stdio.h>

void fg_finding_span(const struct fg_case *c, struct fg_finding *finding, uint32_t row,
                     struct fg_slice text)
{
    if (finding->evidence_count == FG_EVIDENCE_MAX || row == FG_TREE_NONE)
        return;
    finding->evidence[finding->evidence_count++] =
        (struct fg_evidence){.trace_id_high = c->batch->trace_id_high[row],
                             .trace_id_low = c->batch->trace_id_low[row],
                             .span_id = c->batch->span_id[row],
                             .text = text};
}

void fg_finding_count(struct fg_finding *finding, uint64_t value, struct fg_slice text,
                      struct fg_slice query)
{
    if (finding->evidence_count < FG_EVIDENCE_MAX)
        finding->evidence[finding->evidence_count++] =
            (struct fg_evidence){.is_count = true, .value = value, .text = text, .query = query};
}

/* -- Queries */

static void put(struct fg_query_text *text, const char *bytes, size_t size)
{
    if (size > sizeof text->bytes - text->size) {
        text->is_cut = true;
        return;
    }
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
}

static void put_string(struct fg_query_text *text, const char *string)
{
    put(text, string, strlen(string));
}

static void put_quoted(struct fg_query_text *text, struct fg_slice value)
{
    put_string(text, "\"");
    for (size_t i = 0; i < value.size; i++) {
        char byte = (char)value.data[i];
        if (byte == '\n' || byte == '\t') {
            put_string(text, byte == '\n' ? "\\n" : "\\t");
            continue;
        }
        if (byte == '"' || byte == '\\')
            put_string(text, "\\");
        put(text, &byte, 1);
    }
    put_string(text, "\"");
}

static bool is_plain(struct fg_slice key)
{
    for (size_t i = 0; i < key.size; i++) {
        uint8_t byte = key.data[i];
        bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        if (!is_letter && !(byte >= '0' && byte <= '9' && i > 0) && byte != '_' &&
            (byte != '.' || i == 0))
            return false;
    }
    return key.size > 0;
}

static bool is_number(struct fg_slice value)
{
    size_t i = 0;
    while (i < value.size && value.data[i] >= '0' && value.data[i] <= '9')
        i++;
    return i == value.size && i > 0;
}

static void put_separator(struct fg_query_text *text)
{
    if (text->is_open && text->alternatives++ > 0)
        put_string(text, " or ");
    else if (!text->is_open && text->size > 0)
        put_string(text, " ");
}

void fg_query_text_begin(const struct fg_case *c, struct fg_query_text *text)
{
    text->c = c;
    text->size = 0;
    text->alternatives = text->trace_count = 0;
    text->is_open = text->is_cut = false;
}

void fg_query_text_is(struct fg_query_text *text, const char *key, struct fg_slice value)
{
    put_separator(text);
    put_string(text, key);
    put_string(text, "=");
    put_quoted(text, value);
}

void fg_query_text_condition(struct fg_query_text *text, const char *condition)
{
    put_separator(text);
    put_string(text, condition);
}

void fg_query_text_any(struct fg_query_text *text)
{
    put_string(text, text->size > 0 ? " (" : "(");
    text->is_open = true;
}

void fg_query_text_trace(struct fg_query_text *text, uint32_t row)
{
    const struct fg_batch *batch = text->c->batch;
    struct fg_trace_ref trace = {batch->trace_id_high[row], batch->trace_id_low[row]};
    char id[48];
    for (uint32_t i = 0; i < text->trace_count; i++)
        if (text->traces[i].high == trace.high && text->traces[i].low == trace.low)
            return;
    if (text->trace_count == FG_QUERY_TEXT_TRACES_MAX)
        return;
    text->traces[text->trace_count++] = trace;
    put_separator(text);
    snprintf(id, sizeof id, "trace_id=%016" PRIx64 "%016" PRIx64, trace.high, trace.low);
    put_string(text, id);
}

struct fg_slice fg_query_text_end(struct fg_query_text *text)
{
    if (text->is_open)
        put_string(text, ")");
    if (text->is_cut || (text->is_open && text->alternatives == 0))
        return (struct fg_slice){0};
    return fg_arena_copy(text->c->arena, fg_slice(text->bytes, text->size));
}

struct fg_slice fg_query_of_journey(const struct fg_case *c)
{
    struct fg_query_text text;
    fg_query_text_begin(c, &text);
    if (is_plain(c->key))
        put(&text, (const char *)c->key.data, c->key.size);
    else
        put_quoted(&text, c->key);
    put_string(&text, "=");
    if (is_number(c->value)) /* without quotes it is found as a number and as a text */
        put(&text, (const char *)c->value.data, c->value.size);
    else
        put_quoted(&text, c->value);
    return fg_query_text_end(&text);
}

struct fg_slice fg_query_of_step(const struct fg_case *c, uint32_t step)
{
    if (!c->flow || step >= c->flow->step_count)
        return (struct fg_slice){0};
    return fg_arena_copy(c->arena, c->flow->steps[step].condition);
}

struct fg_slice fg_query_of_span(const struct fg_case *c, uint32_t row)
{
    return fg_case_say(c, "trace_id=%016" PRIx64 "%016" PRIx64 " span_id=%016" PRIx64,
                       c->batch->trace_id_high[row], c->batch->trace_id_low[row],
                       c->batch->span_id[row]);
}
