/* OTLP in protobuf: bodies that are none, each with the error that its sender reads. What is
 * decoded of good ones is test_oracle.c's business. */
#include "base/limits.h"
#include "record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Field numbers from the request down to a message. */
struct path {
    const char *name; /* as errors have it */
    uint32_t numbers[5];
};

static const struct path request = {"request: ", {0}};
static const struct path resource_spans = {"resource_spans[0]: ", {1}};
static const struct path resource = {"resource_spans[0]: resource.", {1, 1}};
static const struct path scope_spans = {"resource_spans[0].scope_spans[0]: ", {1, 2}};
static const struct path scope = {"resource_spans[0].scope_spans[0]: scope.", {1, 2, 1}};
static const struct path span = {"resource_spans[0].scope_spans[0].spans[0]: ", {1, 2, 2}};
static const struct path status = {"resource_spans[0].scope_spans[0].spans[0]: status.",
                                   {1, 2, 2, 15}};
static const struct path event = {"resource_spans[0].scope_spans[0].spans[0]: events.",
                                  {1, 2, 2, 11}};
static const struct path link = {"resource_spans[0].scope_spans[0].spans[0]: links.",
                                 {1, 2, 2, 13}};

static const struct {
    const struct path *message;
    uint32_t number;
    uint32_t type; /* the right one */
    const char *name;
} fields[] = {
    {&request, 1, FG_PB_BYTES, "resource_spans"},
    {&resource_spans, 1, FG_PB_BYTES, "resource"},
    {&resource_spans, 2, FG_PB_BYTES, "scope_spans"},
    {&resource_spans, 3, FG_PB_BYTES, "schema_url"},
    {&resource, 1, FG_PB_BYTES, "attributes"},
    {&resource, 2, FG_PB_VARINT, "dropped_attributes_count"},
    {&scope_spans, 1, FG_PB_BYTES, "scope"},
    {&scope_spans, 2, FG_PB_BYTES, "spans"},
    {&scope_spans, 3, FG_PB_BYTES, "schema_url"},
    {&scope, 1, FG_PB_BYTES, "name"},
    {&scope, 2, FG_PB_BYTES, "version"},
    {&scope, 3, FG_PB_BYTES, "attributes"},
    {&scope, 4, FG_PB_VARINT, "dropped_attributes_count"},
    {&span, 1, FG_PB_BYTES, "trace_id"},
    {&span, 2, FG_PB_BYTES, "span_id"},
    {&span, 3, FG_PB_BYTES, "trace_state"},
    {&span, 4, FG_PB_BYTES, "parent_span_id"},
    {&span, 5, FG_PB_BYTES, "name"},
    {&span, 6, FG_PB_VARINT, "kind"},
    {&span, 7, FG_PB_FIXED64, "start_time_unix_nano"},
    {&span, 8, FG_PB_FIXED64, "end_time_unix_nano"},
    {&span, 9, FG_PB_BYTES, "attributes"},
    {&span, 10, FG_PB_VARINT, "dropped_attributes_count"},
    {&span, 11, FG_PB_BYTES, "events"},
    {&span, 12, FG_PB_VARINT, "dropped_events_count"},
    {&span, 13, FG_PB_BYTES, "links"},
    {&span, 14, FG_PB_VARINT, "dropped_links_count"},
    {&span, 15, FG_PB_BYTES, "status"},
    {&span, 16, FG_PB_FIXED32, "flags"},
    {&status, 2, FG_PB_BYTES, "message"},
    {&status, 3, FG_PB_VARINT, "code"},
    {&event, 1, FG_PB_FIXED64, "time_unix_nano"},
    {&event, 2, FG_PB_BYTES, "name"},
    {&event, 3, FG_PB_BYTES, "attributes"},
    {&event, 4, FG_PB_VARINT, "dropped_attributes_count"},
    {&link, 1, FG_PB_BYTES, "trace_id"},
    {&link, 2, FG_PB_BYTES, "span_id"},
    {&link, 3, FG_PB_BYTES, "trace_state"},
    {&link, 4, FG_PB_BYTES, "attributes"},
    {&link, 5, FG_PB_VARINT, "dropped_attributes_count"},
    {&link, 6, FG_PB_FIXED32, "flags"},
};
#define FIELD_COUNT (sizeof fields / sizeof *fields)

/* content as the only thing in a message. */
static void wrap(const struct path *message, struct fg_slice content, struct fg_buffer *body)
{
    size_t marks[5], depth = 0;
    fg_buffer_init(body, 1 << 16);
    for (; depth < 5 && message->numbers[depth]; depth++)
        marks[depth] = fg_pb_begin(body, message->numbers[depth]);
    fg_buffer_append_slice(body, content);
    while (depth > 0)
        fg_pb_end(body, marks[--depth]);
    assert_int_equal(body->error, 0);
}

static int decode(const struct path *message, struct fg_slice content, struct fg_wire_error *error)
{
    struct fg_buffer body;
    struct record record;
    record_init(&record);
    wrap(message, content, &body);
    int r = fg_otlp_decode_traces(fg_buffer_slice(&body), &record_visitor, &record, error);
    record_free(&record);
    fg_buffer_free(&body);
    return r;
}

static void refused(size_t field, struct fg_slice content, const char *what)
{
    struct fg_wire_error error = {""};
    char text[FG_WIRE_ERROR_SIZE];
    assert_int_equal(decode(fields[field].message, content, &error), FG_EINVALID);
    snprintf(text, sizeof text, "%s%s: %s, at byte ", fields[field].message->name,
             fields[field].name, what);
    assert_int_equal(strncmp(error.text, text, strlen(text)), 0);
    assert_int_equal(decode(fields[field].message, content, NULL), FG_EINVALID);
}

static void put(struct fg_buffer *out, uint32_t number, uint32_t type)
{
    switch (type) {
    case FG_PB_VARINT:
        fg_pb_put_varint(out, number, 1);
        break;
    case FG_PB_FIXED64:
        fg_pb_put_fixed64(out, number, 1);
        break;
    case FG_PB_BYTES:
        fg_pb_put_bytes(out, number, fg_slice(NULL, 0));
        break;
    default:
        fg_pb_put_fixed32(out, number, 1);
        break;
    }
}

static const uint32_t types[] = {FG_PB_VARINT, FG_PB_FIXED64, FG_PB_BYTES, FG_PB_FIXED32};

static void each_fields_wrong_wire_types_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        for (size_t k = 0; k < 4; k++) {
            struct fg_buffer content;
            fg_buffer_init(&content, 64);
            put(&content, fields[i].number, types[k]);
            if (types[k] == fields[i].type)
                assert_int_equal(decode(fields[i].message, fg_buffer_slice(&content), NULL), 0);
            else
                refused(i, fg_buffer_slice(&content), "wrong wire type");
            fg_buffer_free(&content);
        }
    }
}

static void each_field_cut_off_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        struct fg_buffer content;
        fg_buffer_init(&content, 64);
        put(&content, fields[i].number, fields[i].type);
        content.size--;
        refused(i, fg_buffer_slice(&content), "malformed or cut off");
        fg_buffer_free(&content);
    }
}

static void lengths_past_the_end_are_refused(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {2, 128, UINT32_MAX, UINT64_MAX};
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (fields[i].type != FG_PB_BYTES)
            continue;
        for (size_t k = 0; k < 4; k++) {
            struct fg_buffer content;
            fg_buffer_init(&content, 64);
            fg_buffer_append_varint(&content, FG_PB_TAG(fields[i].number, FG_PB_BYTES));
            fg_buffer_append_varint(&content, sizes[k]);
            fg_buffer_append_byte(&content, 0);
            refused(i, fg_buffer_slice(&content), "malformed or cut off");
            fg_buffer_free(&content);
        }
    }
}

static void tags_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct fg_slice tags[] = {
        {(const uint8_t *)"\x00", 1}, {(const uint8_t *)"\x0b", 1},
        {(const uint8_t *)"\x0c", 1}, {(const uint8_t *)"\x0e", 1},
        {(const uint8_t *)"\x80", 1}, {(const uint8_t *)"\x80\x80\x80\x80\x10", 5},
    };
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        struct fg_wire_error error;
        assert_int_equal(decode(&span, tags[i], &error), FG_EINVALID);
        assert_non_null(strstr(error.text, "spans[0]: "));
        assert_non_null(strstr(error.text, "malformed tag, at byte "));
    }
}

/* Fields of numbers and types that nobody knows, in each message. */
static void unknown_fields_are_ignored(void **state)
{
    (void)state;
    const struct path *messages[] = {&request, &resource_spans, &resource, &scope_spans, &scope,
                                     &span,    &status,         &event,    &link};
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        struct fg_buffer content;
        fg_buffer_init(&content, 256);
        for (size_t k = 0; k < 4; k++) {
            put(&content, 17, types[k]);
            put(&content, 1000, types[k]);
            put(&content, (1u << 29) - 1, types[k]);
        }
        assert_int_equal(decode(messages[i], fg_buffer_slice(&content), NULL), 0);
        fg_buffer_free(&content);
    }
}

/* Past the numbers of a message, and in the hole that its status has. */
static void unknown_fields_cut_off_are_refused(void **state)
{
    (void)state;
    struct fg_wire_error error;
    assert_int_equal(decode(&status, FG_SLICE("\x0a\x01"), &error), FG_EINVALID);
    assert_non_null(strstr(error.text, "spans[0]: status: malformed or cut off, at byte "));
    assert_int_equal(decode(&event, FG_SLICE("\x8a\x01\x05"), &error), FG_EINVALID);
    assert_non_null(strstr(error.text, "spans[0]: events: malformed or cut off, at byte "));
}

/* Wherever attributes are. */
static void bad_attributes_are_refused(void **state)
{
    (void)state;
    static const struct fg_slice entries[] = {
        {(const uint8_t *)"\x08\x01", 2},                 /* key as a varint */
        {(const uint8_t *)"\x0a\x05k", 3},                /* a key past the end */
        {(const uint8_t *)"\x12\x02\x0a\x01", 4},         /* a string past the end */
        {(const uint8_t *)"\x12\x02\x2a\x05", 4},         /* an array past the end */
        {(const uint8_t *)"\x12\x04\x2a\x02\x0a\x01", 6}, /* an element past the end */
    };
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (strcmp(fields[i].name, "attributes") != 0)
            continue;
        for (size_t k = 0; k < sizeof entries / sizeof *entries; k++) {
            struct fg_buffer content;
            fg_buffer_init(&content, 64);
            fg_pb_put_bytes(&content, fields[i].number, entries[k]);
            refused(i, fg_buffer_slice(&content), "malformed attribute");
            fg_buffer_free(&content);
        }
    }
}

/* depth arrays in each other as a span's attribute. */
static int decode_nested(unsigned depth, struct fg_wire_error *error)
{
    struct fg_buffer content;
    size_t marks[2 * FG_VALUE_DEPTH_MAX + 8], count = 0;
    fg_buffer_init(&content, 1 << 16);
    marks[count++] = fg_pb_begin(&content, 9);
    marks[count++] = fg_pb_begin(&content, 2);
    for (unsigned i = 0; i < depth; i++) {
        if (i > 0)
            marks[count++] = fg_pb_begin(&content, 1);
        marks[count++] = fg_pb_begin(&content, 5);
    }
    while (count > 0)
        fg_pb_end(&content, marks[--count]);
    int r = decode(&span, fg_buffer_slice(&content), error);
    fg_buffer_free(&content);
    return r;
}

static void values_nested_too_deep_are_refused(void **state)
{
    (void)state;
    struct fg_wire_error error;
    assert_int_equal(decode_nested(FG_VALUE_DEPTH_MAX, &error), 0);
    assert_int_equal(decode_nested(FG_VALUE_DEPTH_MAX + 1, &error), FG_ELIMIT);
    assert_non_null(
        strstr(error.text, "spans[0]: attributes: arrays and maps are nested too deep"));
}

/* The place of an error is that of its span, not of the first. */
static void errors_name_their_place(void **state)
{
    (void)state;
    struct record record;
    struct fg_wire_error error;
    record_init(&record);
    /* two resources, the second with two scopes, of which the second has two spans */
    static const char body[] = "\x0a\x00\x0a\x0a\x12\x00\x12\x06\x12\x00\x12\x02\x08\x01";
    assert_int_equal(
        fg_otlp_decode_traces(fg_slice(body, sizeof body - 1), &record_visitor, &record, &error),
        FG_EINVALID);
    assert_string_equal(
        error.text,
        "resource_spans[1].scope_spans[1].spans[1]: trace_id: wrong wire type, at byte 12");
    record_free(&record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fields_wrong_wire_types_are_refused),
        cmocka_unit_test(each_field_cut_off_is_refused),
        cmocka_unit_test(lengths_past_the_end_are_refused),
        cmocka_unit_test(tags_that_cannot_be_are_refused),
        cmocka_unit_test(unknown_fields_are_ignored),
        cmocka_unit_test(unknown_fields_cut_off_are_refused),
        cmocka_unit_test(bad_attributes_are_refused),
        cmocka_unit_test(values_nested_too_deep_are_refused),
        cmocka_unit_test(errors_name_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
