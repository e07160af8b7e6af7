/* The spans of one request on their way from a codec to a batch: the only transformation at ingest.
 *
 * A codec calls fg_intake_visitor field by field; the intake validates, redacts, cleans texts, and
 * appends to a builder. A span that can't be kept is left out and counted by reason, the others go
 * on: that is OTLP's partial success. One intake a thread, reused request after request; nothing is
 * allocated for a span unless one of its texts has to be replaced. */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "span/builder.h"
#include "store/instances.h"
#include "wire/otlp.h"

struct fg_redactor;

/* Why a span is not kept. */
enum fg_reject {
    FG_REJECT_TRACE_ID_SIZE,
    FG_REJECT_TRACE_ID_ZERO,
    FG_REJECT_SPAN_ID_SIZE,
    FG_REJECT_SPAN_ID_ZERO,
    FG_REJECT_PARENT_ID_SIZE,
    FG_REJECT_START_MISSING,
    FG_REJECT_START_OLD,
    FG_REJECT_TOO_MANY,
    FG_REJECT_COUNT,
};

/* A short name for a metric's label: "trace_id_zero". */
const char *fg_reject_name(enum fg_reject reason);

/* What one request brought, or many: totals can be added up. */
struct fg_intake_counts {
    uint64_t accepted_spans; /* appended to the builder */
    uint64_t attributes;     /* of spans, events, links, resources and scopes, as they came */
    uint64_t rejected_spans[FG_REJECT_COUNT];
    uint64_t redacted_attributes; /* removed */
    uint64_t redacted_values;     /* for which something else stands, or a part of them */
    uint64_t replaced_texts;      /* ill-formed UTF-8 */
    uint64_t dropped_links;       /* with ids that are none */
    uint64_t filed_by_receipt;    /* spans that start too far ahead */
    uint64_t ends_before_start;   /* spans, kept as sent */
    uint64_t open_spans;
};

/* What exporters told of themselves in one request, in the order in which it came. */
#define FG_INTAKE_NOTES_MAX 512u
struct fg_intake_note {
    struct fg_instance_note note;
    struct fg_intake_note *next;
};
struct fg_intake_notes {
    struct fg_arena *arena; /* borrowed: of the request */
    struct fg_intake_note *first, *last;
    uint32_t count;
    uint32_t dropped; /* had no room */
};
/* Once the request is durable: before that it may come again. */
void fg_intake_notes_apply(struct fg_intake_notes *notes, struct fg_instances *instances,
                           uint32_t tenant, uint64_t now_ns);

struct fg_intake_rules {
    struct fg_redactor *redactor;  /* borrowed: of this thread; may be NULL */
    uint64_t retention_age_ns;     /* 0: for ever */
    struct fg_intake_notes *notes; /* borrowed; NULL: nobody wants them */
};

struct fg_intake {
    struct fg_builder *builder; /* borrowed */
    struct fg_intake_rules rules;
    struct fg_intake_counts counts; /* of this request */
    uint64_t now_ns;
    uint64_t start_ns_min; /* older starts are refused */
    uint64_t start_ns_max; /* later ones are filed by receipt */
    struct fg_arena scratch;

    /* what is open between a begin and its end */
    struct fg_otlp_resource resource;
    struct fg_otlp_scope scope;
    struct fg_otlp_event event;
    struct fg_link link;
    struct fg_span span;
    uint32_t resource_id, scope_id;
    uint16_t resource_marks, scope_marks; /* for the spans below them */
    struct fg_instance_note sender;       /* what the resource says of who sends */
    struct fg_instance_note note;         /* what the scope `filigree.export` adds to it */
    bool is_export_scope;
};

/* The arg of its calls is a struct fg_intake. They return FG_ENOMEM, FG_ELIMIT (the builder is
 * full). */
extern const struct fg_otlp_visitor fg_intake_visitor;

/* Before the first request. */
void fg_intake_init(struct fg_intake *intake, struct fg_builder *builder);
void fg_intake_free(struct fg_intake *intake);

/* Before each request; the builder is reset. now_ns is the time of receipt. */
void fg_intake_begin(struct fg_intake *intake, const struct fg_intake_rules *rules,
                     uint64_t now_ns);

uint64_t fg_intake_rejected(const struct fg_intake_counts *counts);

/* The partial success's sentence: "3 spans: trace id is all zero; 1 span: …". Appends nothing where
 * nothing was rejected. */
void fg_intake_describe(const struct fg_intake *intake, struct fg_buffer *text);
