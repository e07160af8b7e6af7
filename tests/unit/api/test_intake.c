/* api/intake.h: what is refused and why, what is redacted, cleaned and marked, and that the rest
 * goes on. */
#include "api/intake.h"

#include "api/batch_visit.h"
#include "base/limits.h"
#include "redact/redactor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW_NS (UINT64_C(1764000000) * FG_NS_PER_SECOND)

static struct fg_builder *builder;
static struct fg_intake intake;
static struct fg_redactor *redactor;

static const uint8_t trace_id[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const uint8_t span_id[8] = {0xa1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t zeroes[16];

/* Attributes of these keys are dropped. */
static void begin_with(const char *const *keys, size_t key_count, uint64_t retention_ns)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    const struct fg_redact_rule rule = {
        .name = "keys", .keys = keys, .key_count = key_count, .action = FG_REDACT_DROP};
    struct fg_redact_rules *rules;
    struct fg_arena arena;
    const char *message;
    fg_arena_init(&arena, 4096);
    assert_int_equal(fg_redact_rules_new(&rule, key_count > 0, NULL, &arena, &message, &rules), 0);
    assert_int_equal(fg_redactor_new(rules, &redactor), 0);
    fg_redact_rules_unref(rules);
    fg_arena_free(&arena);
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    fg_intake_init(&intake, builder);
    fg_intake_begin(
        &intake, &(struct fg_intake_rules){.redactor = redactor, .retention_age_ns = retention_ns},
        NOW_NS);
}

static void begin(void)
{
    begin_with(NULL, 0, 0);
}

static void end(void)
{
    fg_intake_free(&intake);
    fg_builder_free(builder);
    fg_redactor_free(redactor);
}

static struct fg_otlp_span good_span(void)
{
    return (struct fg_otlp_span){.trace_id = fg_slice(trace_id, 16),
                                 .span_id = fg_slice(span_id, 8),
                                 .name = FG_SLICE("GET /order"),
                                 .start_ns = NOW_NS - 5,
                                 .end_ns = NOW_NS - 1,
                                 .kind = FG_OTLP_KIND_SERVER};
}

static void open_group(void)
{
    assert_int_equal(fg_intake_visitor.resource_begin(&intake, &(struct fg_otlp_resource){0}), 0);
    assert_int_equal(fg_intake_visitor.resource_end(&intake), 0);
    assert_int_equal(fg_intake_visitor.scope_begin(&intake, &(struct fg_otlp_scope){0}), 0);
    assert_int_equal(fg_intake_visitor.scope_end(&intake), 0);
}

/* Whether it was taken. */
static bool offer(const struct fg_otlp_span *span)
{
    int r = fg_intake_visitor.span_begin(&intake, span);
    assert_true(r == 0 || r == FG_OTLP_SKIP);
    if (r == 0)
        assert_int_equal(fg_intake_visitor.span_end(&intake), 0);
    return r == 0;
}

static struct fg_batch view(void)
{
    struct fg_batch batch;
    fg_builder_view(builder, &batch);
    return batch;
}

static uint16_t marks_of(uint32_t row)
{
    struct fg_batch batch = view();
    return fg_column_u16(batch.marks, row);
}

static void attribute(const char *key, struct fg_otlp_value value)
{
    assert_int_equal(fg_intake_visitor.span_attribute(&intake, fg_slice_from_string(key), &value),
                     0);
}

static const char *describe(void)
{
    static char text[1024];
    struct fg_buffer buffer;
    fg_buffer_init(&buffer, sizeof text);
    fg_intake_describe(&intake, &buffer);
    assert_true(buffer.size < sizeof text);
    if (buffer.size)
        memcpy(text, buffer.data, buffer.size);
    text[buffer.size] = 0;
    fg_buffer_free(&buffer);
    return text;
}

/* -- What is refused
 * ---------------------------------------------------------------------------------
 */

static void refuses(struct fg_otlp_span span, enum fg_reject reason, const char *sentence)
{
    begin_with(NULL, 0, FG_NS_PER_DAY);
    open_group();
    assert_false(offer(&span));
    assert_int_equal(intake.counts.rejected_spans[reason], 1);
    assert_int_equal(fg_intake_rejected(&intake.counts), 1);
    assert_string_equal(describe(), sentence);
    /* One bad span does not take the others with it. */
    span = good_span();
    assert_true(offer(&span));
    assert_int_equal(intake.counts.accepted_spans, 1);
    assert_int_equal(view().span_count, 1);
    end();
}

static void test_every_reason(void **state)
{
    (void)state;
    struct fg_otlp_span span = good_span();
    span.trace_id.size = 15;
    refuses(span, FG_REJECT_TRACE_ID_SIZE, "1 span: trace id is not 16 bytes");
    span = good_span();
    span.trace_id = fg_slice(zeroes, 16);
    refuses(span, FG_REJECT_TRACE_ID_ZERO, "1 span: trace id is all zero");
    span = good_span();
    span.span_id = fg_slice(trace_id, 16);
    refuses(span, FG_REJECT_SPAN_ID_SIZE, "1 span: span id is not 8 bytes");
    span = good_span();
    span.span_id = fg_slice(zeroes, 8);
    refuses(span, FG_REJECT_SPAN_ID_ZERO, "1 span: span id is all zero");
    span = good_span();
    span.parent_span_id = fg_slice(span_id, 7);
    refuses(span, FG_REJECT_PARENT_ID_SIZE, "1 span: parent span id is neither empty nor 8 bytes");
    span = good_span();
    span.start_ns = 0;
    refuses(span, FG_REJECT_START_MISSING, "1 span: start time is not set");
    span = good_span();
    span.start_ns = NOW_NS - FG_NS_PER_DAY - 1;
    refuses(span, FG_REJECT_START_OLD, "1 span: start time is older than the retention (1d00h)");
}

static void test_too_many(void **state)
{
    (void)state;
    begin();
    open_group();
    struct fg_otlp_span span = good_span();
    for (uint32_t i = 0; i < FG_REQUEST_SPANS_MAX; i++)
        assert_true(offer(&span));
    assert_false(offer(&span));
    assert_int_equal(intake.counts.rejected_spans[FG_REJECT_TOO_MANY], 1);
    end();
}

static void test_reasons_are_told_together(void **state)
{
    (void)state;
    begin();
    open_group();
    struct fg_otlp_span zero = good_span(), missing = good_span();
    zero.trace_id = fg_slice(zeroes, 16);
    missing.start_ns = 0;
    assert_false(offer(&zero));
    assert_false(offer(&missing));
    assert_false(offer(&zero));
    assert_string_equal(describe(), "2 spans: trace id is all zero; 1 span: start time is not set");
    /* The next request starts from nothing. */
    fg_intake_begin(&intake, &(struct fg_intake_rules){0}, NOW_NS);
    assert_string_equal(describe(), "");
    end();
}

static void test_names_of_reasons(void **state)
{
    (void)state;
    for (int i = 0; i < FG_REJECT_COUNT; i++) {
        const char *name = fg_reject_name((enum fg_reject)i);
        assert_non_null(name);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(name, fg_reject_name((enum fg_reject)k));
    }
}

/* -- Times
 * -------------------------------------------------------------------------------------------
 */

static void test_times(void **state)
{
    (void)state;
    begin_with(NULL, 0, FG_NS_PER_DAY);
    open_group();
    struct fg_otlp_span span = good_span();
    span.start_ns = NOW_NS - FG_NS_PER_DAY; /* just within the retention */
    assert_true(offer(&span));
    assert_int_equal(marks_of(0), 0);
    span = good_span();
    span.start_ns = NOW_NS + FG_START_AHEAD_NS_MAX; /* clocks differ */
    span.end_ns = span.start_ns;
    assert_true(offer(&span));
    assert_int_equal(marks_of(1), 0);
    span.start_ns++;
    span.end_ns = span.start_ns;
    assert_true(offer(&span));
    assert_int_equal(marks_of(2), FG_MARK_FILED_BY_RECEIPT);
    span = good_span();
    span.end_ns = span.start_ns - 1;
    assert_true(offer(&span));
    assert_int_equal(marks_of(3), FG_MARK_END_BEFORE_START);
    span = good_span();
    span.end_ns = 0;
    assert_true(offer(&span));
    assert_int_equal(marks_of(4), 0);
    struct fg_batch batch = view();
    assert_int_equal(batch.end_ns[3], NOW_NS - 6); /* kept as sent */
    assert_int_equal(batch.end_ns[4], 0);
    for (uint32_t i = 0; i < batch.span_count; i++)
        assert_int_equal(batch.received_ns[i], NOW_NS);
    assert_int_equal(intake.counts.filed_by_receipt, 1);
    assert_int_equal(intake.counts.ends_before_start, 1);
    assert_int_equal(intake.counts.open_spans, 1);
    end();
}

static void test_retention_longer_than_time(void **state)
{
    (void)state;
    begin_with(NULL, 0, UINT64_MAX);
    open_group();
    struct fg_otlp_span span = good_span();
    span.start_ns = 1;
    assert_true(offer(&span));
    end();
}

static void test_odd_enums(void **state)
{
    (void)state;
    begin();
    open_group();
    struct fg_otlp_span span = good_span();
    span.kind = 77;
    span.status_code = 3;
    assert_true(offer(&span));
    span.kind = -1;
    span.status_code = -2147483647;
    assert_true(offer(&span));
    span.kind = 256 + FG_SPAN_KIND_SERVER;
    assert_true(offer(&span));
    struct fg_batch batch = view();
    assert_int_equal(batch.kind[0], 77); /* a later specification's */
    assert_int_equal(batch.kind[1], FG_SPAN_KIND_UNSPECIFIED);
    assert_int_equal(batch.kind[2], FG_SPAN_KIND_UNSPECIFIED);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(batch.status[i], FG_STATUS_UNSET);
    end();
}

/* -- What is taken out
 * -------------------------------------------------------------------------------
 */

/* An AnyValue {key: inner}, of strings shorter than 60 bytes, in its protobuf encoding. */
static struct fg_slice map_of(const char *key, const char *inner, uint8_t out[256])
{
    size_t key_size = strlen(key), size = strlen(inner);
    uint8_t *p = out;
    *p++ = 6 << 3 | 2; /* kvlist_value */
    *p++ = (uint8_t)(key_size + size + 8);
    *p++ = 1 << 3 | 2; /* values */
    *p++ = (uint8_t)(key_size + size + 6);
    *p++ = 1 << 3 | 2; /* key */
    *p++ = (uint8_t)key_size;
    memcpy(p, key, key_size);
    p += key_size;
    *p++ = 2 << 3 | 2; /* value */
    *p++ = (uint8_t)(size + 2);
    *p++ = 1 << 3 | 2; /* string_value */
    *p++ = (uint8_t)size;
    memcpy(p, inner, size);
    return fg_slice(out, (size_t)(p - out) + size);
}

static bool batch_holds(const char *text)
{
    struct fg_batch batch = view();
    for (uint32_t i = 0; i < batch.string_count; i++)
        if (batch.strings[i].size &&
            memmem(batch.strings[i].data, batch.strings[i].size, text, strlen(text)))
            return true;
    return false;
}

static void test_denied_keys_are_nowhere(void **state)
{
    (void)state;
    static const char *const rules[] = {"password", "card.*"};
    uint8_t encoded[256];
    begin_with(rules, 2, 0);
    struct fg_otlp_value secret = fg_otlp_string(FG_SLICE("SECRET"));
    assert_int_equal(fg_intake_visitor.resource_begin(&intake, &(struct fg_otlp_resource){0}), 0);
    assert_int_equal(
        fg_intake_visitor.resource_attribute(&intake, FG_SLICE("card.number"), &secret), 0);
    assert_int_equal(fg_intake_visitor.resource_end(&intake), 0);
    assert_int_equal(fg_intake_visitor.scope_begin(&intake, &(struct fg_otlp_scope){0}), 0);
    assert_int_equal(fg_intake_visitor.scope_attribute(&intake, FG_SLICE("PASSWORD"), &secret), 0);
    assert_int_equal(fg_intake_visitor.scope_end(&intake), 0);
    struct fg_otlp_span span = good_span();
    struct fg_otlp_link link = {.trace_id = fg_slice(trace_id, 16),
                                .span_id = fg_slice(span_id, 8)};
    assert_int_equal(fg_intake_visitor.span_begin(&intake, &span), 0);
    attribute("password", secret);
    attribute("order.id", fg_otlp_string(FG_SLICE("kept")));
    attribute("body", (struct fg_otlp_value){.type = FG_OTLP_KVLIST,
                                             .encoded = map_of("password", "SECRET", encoded)});
    assert_int_equal(fg_intake_visitor.event_begin(&intake, &(struct fg_otlp_event){0}), 0);
    assert_int_equal(fg_intake_visitor.event_attribute(&intake, FG_SLICE("card.cvc"), &secret), 0);
    assert_int_equal(fg_intake_visitor.event_end(&intake), 0);
    assert_int_equal(fg_intake_visitor.link_begin(&intake, &link), 0);
    assert_int_equal(fg_intake_visitor.link_attribute(&intake, FG_SLICE("Password"), &secret), 0);
    assert_int_equal(fg_intake_visitor.link_end(&intake), 0);
    assert_int_equal(fg_intake_visitor.span_end(&intake), 0);
    assert_false(batch_holds("SECRET"));
    assert_true(batch_holds("kept"));
    assert_int_equal(intake.counts.redacted_attributes, 6);
    assert_int_equal(marks_of(0) & FG_MARK_REDACTED, FG_MARK_REDACTED);
    end();
}

/* A resource's redaction marks the spans below it, and no others. */
static void test_marks_of_groups(void **state)
{
    (void)state;
    static const char *const rules[] = {"password"};
    begin_with(rules, 1, 0);
    struct fg_otlp_value secret = fg_otlp_string(FG_SLICE("x"));
    struct fg_otlp_span span = good_span();
    assert_int_equal(fg_intake_visitor.resource_begin(&intake, &(struct fg_otlp_resource){0}), 0);
    assert_int_equal(fg_intake_visitor.resource_attribute(&intake, FG_SLICE("password"), &secret),
                     0);
    assert_int_equal(fg_intake_visitor.resource_end(&intake), 0);
    assert_int_equal(fg_intake_visitor.scope_begin(&intake, &(struct fg_otlp_scope){0}), 0);
    assert_int_equal(fg_intake_visitor.scope_end(&intake), 0);
    assert_true(offer(&span));
    open_group();
    assert_true(offer(&span));
    assert_int_equal(marks_of(0), FG_MARK_REDACTED);
    assert_int_equal(marks_of(1), 0);
    end();
}

/* -- What is no text
 * ---------------------------------------------------------------------------------
 */

static struct fg_slice string_at(uint32_t id)
{
    return view().strings[id];
}

static void test_ill_formed_texts(void **state)
{
    (void)state;
    begin();
    open_group();
    struct fg_otlp_span span = good_span();
    span.name = fg_slice("a\xff"
                         "b",
                         3);
    assert_int_equal(fg_intake_visitor.span_begin(&intake, &span), 0);
    attribute("k", fg_otlp_string(fg_slice("\xc3\x28", 2)));
    attribute("good", fg_otlp_string(FG_SLICE("Gr\xc3\xbc\xc3\x9f")));
    struct fg_otlp_value bytes = {.type = FG_OTLP_BYTES, .bytes = fg_slice("\xff\xfe", 2)};
    attribute("bytes", bytes); /* any bytes are bytes */
    assert_int_equal(fg_intake_visitor.span_end(&intake), 0);
    struct fg_batch batch = view();
    assert_true(fg_slice_equal(string_at(batch.name[0]), FG_SLICE("a\xef\xbf\xbd"
                                                                  "b")));
    assert_true(batch_holds("\xef\xbf\xbd("));
    assert_true(batch_holds("Gr\xc3\xbc\xc3\x9f"));
    assert_true(batch_holds("\xff\xfe"));
    assert_int_equal(marks_of(0), FG_MARK_INVALID_TEXT);
    assert_int_equal(intake.counts.replaced_texts, 2);
    end();
}

static void test_ill_formed_within_a_map(void **state)
{
    (void)state;
    uint8_t encoded[256];
    begin();
    open_group();
    struct fg_otlp_span span = good_span();
    assert_int_equal(fg_intake_visitor.span_begin(&intake, &span), 0);
    attribute("m", (struct fg_otlp_value){.type = FG_OTLP_KVLIST,
                                          .encoded = map_of("key", "\xff", encoded)});
    assert_int_equal(fg_intake_visitor.span_end(&intake), 0);
    assert_true(batch_holds("\xef\xbf\xbd"));
    assert_int_equal(marks_of(0), FG_MARK_INVALID_TEXT);
    /* What was made is a value that decodes. */
    struct fg_batch batch = view();
    struct fg_otlp_value value;
    assert_int_equal(batch.span_attrs.type[0], FG_VALUE_KVLIST);
    assert_int_equal(fg_otlp_value_decode(batch.strings[batch.span_attrs.value[0]], &value), 0);
    assert_int_equal(value.type, FG_OTLP_KVLIST);
    end();
}

/* -- Links and marks
 * ---------------------------------------------------------------------------------
 */

static void test_bad_links_are_dropped(void **state)
{
    (void)state;
    begin();
    open_group();
    struct fg_otlp_span span = good_span();
    span.dropped_links_count = 3;
    struct fg_otlp_link bad = {.trace_id = fg_slice(trace_id, 4), .span_id = fg_slice(span_id, 8)};
    struct fg_otlp_link good = {.trace_id = fg_slice(trace_id, 16),
                                .span_id = fg_slice(span_id, 8)};
    assert_int_equal(fg_intake_visitor.span_begin(&intake, &span), 0);
    assert_int_equal(fg_intake_visitor.link_begin(&intake, &bad), FG_OTLP_SKIP);
    assert_int_equal(fg_intake_visitor.link_begin(&intake, &good), 0);
    assert_int_equal(fg_intake_visitor.link_end(&intake), 0);
    assert_int_equal(fg_intake_visitor.span_end(&intake), 0);
    struct fg_batch batch = view();
    assert_int_equal(batch.link_count, 1);
    assert_int_equal(fg_column_u32(batch.dropped_links, 0), 4);
    assert_int_equal(intake.counts.dropped_links, 1);
    end();
}

/* Zipkin's alone: the next span has no such mark. */
static void test_shared_spans_are_marked(void **state)
{
    (void)state;
    begin();
    open_group();
    struct fg_otlp_span span = good_span();
    for (int i = 0; i < 2; i++) {
        span.shared = i == 0;
        assert_int_equal(fg_intake_visitor.span_begin(&intake, &span), 0);
        assert_int_equal(fg_intake_visitor.span_end(&intake), 0);
    }
    assert_int_equal(marks_of(0), FG_MARK_SHARED);
    assert_int_equal(marks_of(1), 0);
    end();
}

/* What fg_batch_visit_step() writes as an attribute comes back as marks. */
static void test_marks_attribute_is_read_back(void **state)
{
    (void)state;
    static const char *const names[] = {
        "truncated", "filed_by_receipt", "interrupted",      "conflict",
        "redacted",  "invalid_text",     "end_before_start", "shared",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(fg_mark_from_name(fg_slice_from_string(names[i])), 1u << i);
    assert_int_equal(fg_mark_from_name(FG_SLICE("other")), 0);
    uint8_t encoded[] = {5 << 3 | 2, 16,  1 << 3 | 2, 14,  1 << 3 | 2, 12,  't', 'r', 'u',
                         'n',        'c', 'a',        't', 'e',        'd', '_', '_', '_'};
    begin();
    open_group();
    struct fg_otlp_span span = good_span();
    assert_int_equal(fg_intake_visitor.span_begin(&intake, &span), 0);
    attribute(FG_MARKS_KEY, (struct fg_otlp_value){.type = FG_OTLP_ARRAY,
                                                   .encoded = fg_slice(encoded, sizeof encoded)});
    assert_int_equal(fg_intake_visitor.span_end(&intake), 0);
    /* A name that is none is nothing; and it is no attribute in any case. */
    assert_int_equal(marks_of(0), 0);
    assert_int_equal(view().span_attrs.count, 0);
    encoded[1] = 13;
    encoded[3] = 11;
    encoded[5] = 9;
    assert_int_equal(fg_intake_visitor.span_begin(&intake, &span), 0);
    attribute(FG_MARKS_KEY,
              (struct fg_otlp_value){.type = FG_OTLP_ARRAY,
                                     .encoded = fg_slice(encoded, sizeof encoded - 3)});
    assert_int_equal(fg_intake_visitor.span_end(&intake), 0);
    assert_int_equal(marks_of(1), FG_MARK_TRUNCATED);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_reason),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_reasons_are_told_together),
        cmocka_unit_test(test_names_of_reasons),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_retention_longer_than_time),
        cmocka_unit_test(test_odd_enums),
        cmocka_unit_test(test_denied_keys_are_nowhere),
        cmocka_unit_test(test_marks_of_groups),
        cmocka_unit_test(test_ill_formed_texts),
        cmocka_unit_test(test_ill_formed_within_a_map),
        cmocka_unit_test(test_bad_links_are_dropped),
        cmocka_unit_test(test_shared_spans_are_marked),
        cmocka_unit_test(test_marks_attribute_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
