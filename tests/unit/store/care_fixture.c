#include "care_fixture.h"

#include "local/manifest.h"
#include "local/segment.h"
#include "span/block.h"
#include "span/builder.h"
#include "wal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zstd.h>

#define FOLDER "/store"
/* Where ids of the model lie, so that they are no small numbers in the store. */
#define TRACE_HIGH    UINT64_C(0x5ca1ab1e00000000)
#define NS_PER_SECOND UINT64_C(1000000000)

static uint64_t start_of(const struct care_span *span)
{
    return (CARE_DAY_0 + span->day) * CARE_DAY +
           (span->trace % 80 * 1000 + span->id) * NS_PER_SECOND;
}

static bool is_pinned(void *arg, uint32_t tenant, uint64_t trace_id_high, uint64_t trace_id_low)
{
    const struct care *care = arg;
    (void)tenant;
    (void)trace_id_high;
    for (size_t i = 0; i < care->pinned_count; i++)
        if (care->pinned[i] == trace_id_low)
            return true;
    return false;
}

static void on_event(void *arg, int severity, const char *message)
{
    struct care *care = arg;
    (void)severity;
    snprintf(care->event, sizeof care->event, "%s", message);
    care->event_count++;
}

void care_start(struct care *care, uint64_t seed)
{
    *care = (struct care){0};
    assert_int_equal(fg_sim_new(seed, &care->sim), 0);
    care->env = fg_sim_env(care->sim);
    fg_sim_set_wall_ns(care->sim, CARE_DAY_0 * CARE_DAY + CARE_DAY / 2);
    fg_arena_init(&care->arena, 1 << 20);
    care->options = fg_store_options_default(care->env, FOLDER);
    care->options.manual = true;
    care->options.wal_segment_size = 64 << 10;
    care->options.cache_size_max = 1 << 20;
    care->options.reserve_bytes = 0;
    care->options.is_pinned = is_pinned;
    care->options.is_pinned_arg = care;
    care->options.on_event = on_event;
    care->options.on_event_arg = care;
}

void care_end(struct care *care)
{
    care_close(care, false);
    fg_arena_free(&care->arena);
    fg_sim_free(care->sim);
    free(care->given);
}

int care_open(struct care *care)
{
    fg_arena_reset(&care->arena);
    return fg_store_open(&care->options, &care->arena, &care->message, &care->store);
}

void care_close(struct care *care, bool seal)
{
    fg_store_close(care->store, seal);
    care->store = NULL;
}

void care_cut(struct care *care)
{
    fg_sim_cut(care->sim);
    care_close(care, false);
    fg_sim_restart(care->sim);
}

/* -- Giving */

static void add_span(struct fg_builder *builder, const struct care_span *from, uint64_t order)
{
    char service[16], name[16];
    struct fg_value value = {.type = FG_VALUE_STRING};
    uint64_t start_ns = start_of(from);
    struct fg_span span = {.trace_id_high = TRACE_HIGH,
                           .trace_id_low = from->trace,
                           .span_id = from->id,
                           .parent_span_id = from->parent,
                           .start_ns = start_ns,
                           .end_ns = from->form == CARE_OPEN ? 0 : start_ns + 1000 * from->form,
                           .received_ns = CARE_DAY_0 * CARE_DAY + CARE_DAY / 2 + order,
                           .kind = FG_SPAN_KIND_SERVER};
    snprintf(service, sizeof service, "service-%u", from->service);
    snprintf(name, sizeof name, "name-%u", from->id % 7);
    span.name = fg_slice_from_string(name);
    value.bytes = fg_slice_from_string(service);
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_attr(builder, FG_SLICE("service.name"), &value), 0);
    assert_int_equal(fg_builder_resource_end(builder, fg_slice(NULL, 0), 0, &span.resource), 0);
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(fg_builder_scope_end(builder, fg_slice(NULL, 0), fg_slice(NULL, 0),
                                          fg_slice(NULL, 0), 0, &span.scope),
                     0);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    if (from->secret) {
        value.bytes = fg_slice_from_string(from->secret);
        assert_int_equal(fg_builder_span_attr(builder, FG_SLICE("secret"), &value), 0);
    }
    assert_int_equal(fg_builder_span_end(builder, &span), 0);
}

static struct fg_block *make_block(struct care *care, const struct care_span *spans, size_t count)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    struct fg_block *block;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    for (size_t i = 0; i < count; i++)
        add_span(builder, &spans[i], care->next_order + i);
    assert_int_equal(fg_block_freeze(builder, &block), 0);
    fg_builder_free(builder);
    return block;
}

static void note(struct care *care, const struct care_span *spans, size_t count, bool is_in_doubt)
{
    while (care->given_count + count > care->given_capacity) {
        care->given_capacity = care->given_capacity ? care->given_capacity * 2 : 64;
        care->given = realloc(care->given, care->given_capacity * sizeof *care->given);
        assert_non_null(care->given);
    }
    for (size_t i = 0; i < count; i++)
        care->given[care->given_count++] = (struct care_given){
            .span = spans[i], .order = care->next_order++, .is_in_doubt = is_in_doubt};
}

struct pending {
    struct fg_append append; /* first */
    struct care *care;
};

static void on_done(struct fg_append *append, int result)
{
    struct pending *pending = (struct pending *)append;
    pending->care->result = result;
    free(pending);
}

int care_append(struct care *care, const struct care_span *spans, size_t count)
{
    struct pending *pending = calloc(1, sizeof *pending);
    bool did = true;
    assert_non_null(pending);
    pending->append.block = make_block(care, spans, count);
    pending->append.tenant = spans[0].tenant;
    pending->append.done = on_done;
    pending->care = care;
    care->result = 1;
    int r = fg_store_append_take(care->store, &pending->append);
    if (r < 0) {
        free(pending);
        return r;
    }
    while (did && care->result == 1 && fg_store_step(care->store, &did) == 0)
        ;
    assert_int_not_equal(care->result, 1);
    if (care->result == 0 || fg_sim_is_cut(care->sim))
        note(care, spans, count, care->result != 0);
    return care->result;
}

void care_seal(struct care *care, const struct care_span *spans, size_t count)
{
    assert_int_equal(care_append(care, spans, count), 0);
    assert_int_equal(fg_store_seal(care->store), 0);
}

struct fg_predicate care_secret(const char *secret)
{
    return (struct fg_predicate){.op = FG_PRED_EQ,
                                 .field = FG_FIELD_ATTR_SPAN,
                                 .key = FG_SLICE("secret"),
                                 .type = FG_VALUE_STRING,
                                 .string = fg_slice_from_string(secret)};
}

/* -- The model */

static bool is_same_span(const struct care_span *a, const struct care_span *b)
{
    return a->tenant == b->tenant && a->trace == b->trace && a->id == b->id &&
           a->service == b->service;
}

/* Whether an earlier given form is the same in every word. */
static bool is_repeat(const struct care *care, size_t at)
{
    const struct care_given *given = &care->given[at];
    for (size_t i = 0; i < at; i++) {
        const struct care_given *other = &care->given[i];
        if (!other->is_gone && is_same_span(&other->span, &given->span) &&
            other->span.form == given->span.form)
            return true;
    }
    return false;
}

/* Whether the form is read: of open ones only while there is no ended one, and then once. */
static bool is_read(const struct care *care, size_t at)
{
    const struct care_given *given = &care->given[at];
    if (given->is_gone || is_repeat(care, at))
        return false;
    for (size_t i = 0; i < care->given_count && given->span.form == CARE_OPEN; i++) {
        const struct care_given *other = &care->given[i];
        if (!other->is_gone && is_same_span(&other->span, &given->span) &&
            other->span.form != CARE_OPEN)
            return false;
    }
    return true;
}

size_t care_model_count(const struct care *care, uint32_t tenant)
{
    size_t count = 0;
    for (size_t i = 0; i < care->given_count; i++)
        count += care->given[i].span.tenant == tenant && is_read(care, i);
    return count;
}

/* -- Reading back */

static uint32_t service_of(const struct fg_batch *batch, uint32_t row)
{
    struct fg_slice service = batch->strings[batch->resource_service[batch->resource[row]]];
    return service.size ? (uint32_t)(service.data[service.size - 1] - '0') : UINT32_MAX;
}

static enum care_form form_of(const struct fg_batch *batch, uint32_t row)
{
    uint64_t end_ns = batch->end_ns[row], start_ns = batch->start_ns[row];
    return end_ns == 0 ? CARE_OPEN : end_ns - start_ns == 1000 ? CARE_ENDED : CARE_OTHER_END;
}

static size_t find_row(const struct fg_batch *batch, const struct care_span *span,
                       uint32_t *ret_row)
{
    size_t count = 0;
    for (uint32_t row = 0; row < batch->span_count; row++) {
        if (batch->span_id[row] != span->id || service_of(batch, row) != span->service ||
            form_of(batch, row) != span->form)
            continue;
        *ret_row = row;
        count++;
    }
    return count;
}

static void fail_span(const struct care *care, const char *what, const struct care_span *span)
{
    fail_msg("%s: %s: tenant %u trace %u span %u service %u form %d day %u", care->story, what,
             span->tenant, span->trace, span->id, span->service, span->form, span->day);
}

/* Doubts about given spans of the trace are settled by what was read. An open form that another
 * replaced does not show; it does no harm to think it there until the other is known to be gone. */
static void settle_doubts(struct care *care, const struct fg_batch *batch, uint32_t tenant,
                          uint32_t trace)
{
    for (size_t i = 0; i < 2 * care->given_count; i++) {
        bool for_open = i >= care->given_count;
        struct care_given *given = &care->given[i % care->given_count];
        uint32_t row;
        if (given->span.tenant != tenant || given->span.trace != trace || given->is_gone ||
            for_open != (given->span.form == CARE_OPEN) ||
            !(given->is_in_doubt || given->may_be_gone))
            continue;
        bool is_there = find_row(batch, &given->span, &row) > 0;
        if (!is_there && for_open && !is_read(care, i % care->given_count))
            continue;
        given->is_gone = !is_there;
        given->is_in_doubt = given->may_be_gone = false;
    }
}

static void check_trace(struct care *care, struct fg_builder *builder, uint32_t tenant,
                        uint32_t trace)
{
    struct fg_trace_result result;
    struct fg_batch batch;
    size_t expected = 0;
    uint32_t row;
    fg_builder_reset(builder);
    int r = fg_store_trace(care->store, tenant, TRACE_HIGH, trace, builder, &result);
    if (r != FG_ENOTFOUND)
        assert_int_equal(r, 0);
    fg_builder_view(builder, &batch);
    settle_doubts(care, &batch, tenant, trace);
    for (size_t i = 0; i < care->given_count; i++) {
        const struct care_span *span = &care->given[i].span;
        if (span->tenant != tenant || span->trace != trace || !is_read(care, i))
            continue;
        expected++;
        size_t count = find_row(&batch, span, &row);
        if (count != 1)
            fail_span(care, count ? "more than once" : "lost", span);
        if (batch.start_ns[row] != start_of(span))
            fail_span(care, "another start", span);
    }
    for (row = 0; row < batch.span_count && batch.span_count != expected; row++)
        print_message("there: span %d service %u form %d\n", (int)batch.span_id[row],
                      service_of(&batch, row), form_of(&batch, row));
    if (batch.span_count != expected)
        fail_msg("%s: tenant %u trace %u has %u spans instead of %u", care->story, tenant, trace,
                 batch.span_count, (unsigned)expected);
}

void care_check(struct care *care)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    for (size_t i = 0; i < care->given_count; i++) {
        const struct care_span *span = &care->given[i].span;
        bool is_seen = false;
        for (size_t j = 0; j < i && !is_seen; j++)
            is_seen = care->given[j].span.tenant == span->tenant &&
                      care->given[j].span.trace == span->trace;
        if (!is_seen)
            check_trace(care, builder, span->tenant, span->trace);
    }
    fg_builder_free(builder);
}

static int count_rows(void *arg, const struct fg_scan_rows *rows)
{
    size_t *count = arg;
    for (uint32_t row = rows->row_begin; row < rows->row_end; row++)
        *count += rows->bits[(row - rows->row_begin) / 64] >> ((row - rows->row_begin) % 64) & 1;
    return 0;
}

size_t care_scan_count(struct care *care, uint32_t tenant)
{
    size_t count = 0;
    struct fg_read_stats stats = {0};
    const struct fg_scan scan = {.tenant = tenant,
                                 .start_ns_max = UINT64_MAX,
                                 .columns = FG_COLUMNS_ALL,
                                 .rows = count_rows,
                                 .arg = &count};
    assert_int_equal(fg_store_scan(care->store, &scan, &stats), 0);
    assert_int_equal(stats.damaged_pages, 0);
    return count;
}

struct fg_store_counters care_counters(struct care *care)
{
    struct fg_store_counters counters;
    fg_store_counters(care->store, &counters);
    return counters;
}

/* -- Files */

struct search {
    struct care *care;
    const char *folder;
    struct fg_slice text;
    bool is_found;
    size_t count;
};

static bool contains(struct fg_slice bytes, struct fg_slice text)
{
    return bytes.size >= text.size && memmem(bytes.data, bytes.size, text.data, text.size) != NULL;
}

/* What zstd frames that begin anywhere in the bytes hold. */
static bool frames_contain(struct fg_slice bytes, struct fg_slice text)
{
    enum { SIZE = 1 << 20 };
    uint8_t *out = malloc(SIZE);
    bool is_found = false;
    assert_non_null(out);
    for (size_t at = 0; at + 4 <= bytes.size && !is_found; at++) {
        if (memcmp(bytes.data + at, "\x28\xb5\x2f\xfd", 4) != 0)
            continue;
        size_t size = ZSTD_findFrameCompressedSize(bytes.data + at, bytes.size - at);
        size_t got = ZSTD_isError(size) ? 0 : ZSTD_decompress(out, SIZE, bytes.data + at, size);
        is_found = !ZSTD_isError(got) && contains(fg_slice(out, got), text);
    }
    free(out);
    return is_found;
}

/* Every string of every page, as the reader gives it. */
static bool segment_contains(struct care *care, const char *path, struct fg_slice text)
{
    const struct fg_segment_reader_options options = {.columns = FG_COLUMNS_ALL,
                                                      .page_cache_count = 1};
    struct fg_segment *segment;
    struct fg_segment_reader *reader;
    bool is_found = false;
    if (fg_segment_open(care->env, path, NULL, &segment) < 0)
        return false; /* unfinished: its raw bytes were looked at */
    assert_int_equal(fg_segment_reader_new(segment, &options, &reader), 0);
    for (uint64_t row = 0; row < fg_segment_info(segment)->span_count;) {
        const struct fg_batch *page;
        uint64_t begin;
        assert_int_equal(fg_segment_reader_page(reader, row, &page, &begin), 0);
        for (uint32_t i = 0; i < page->string_count; i++)
            is_found |= contains(page->strings[i], text);
        row = begin + page->span_count;
    }
    fg_segment_reader_free(reader);
    fg_segment_unref(segment);
    return is_found;
}

static int search_file(void *arg, const struct fg_dir_entry *entry)
{
    struct search *search = arg;
    struct care *care = search->care;
    char path[256];
    struct fg_file *file;
    size_t size;
    search->count++;
    if (entry->is_dir || search->text.size == 0)
        return 0;
    snprintf(path, sizeof path, "%s/%s", search->folder, entry->name);
    uint8_t *bytes = malloc(entry->size + 1);
    assert_non_null(bytes);
    assert_int_equal(fg_env_open(care->env, path, FG_OPEN_READ, &file), 0);
    assert_int_equal(fg_file_pread(file, 0, bytes, entry->size, &size), 0);
    fg_file_close(file);
    search->is_found |= contains(fg_slice(bytes, size), search->text) ||
                        frames_contain(fg_slice(bytes, size), search->text);
    free(bytes);
    if (strstr(path, ".seg"))
        search->is_found |= segment_contains(care, path, search->text);
    return 0;
}

static int search_folder(struct search *search, const char *folder)
{
    search->folder = folder;
    int r = fg_env_list(search->care->env, folder, search_file, search);
    return r == FG_ENOTFOUND ? 0 : r;
}

struct record_search {
    struct fg_slice text;
    bool is_found;
};

static int search_record(void *arg, const struct fg_wal_record *record)
{
    struct record_search *search = arg;
    search->is_found |= contains(record->payload, search->text);
    return 0;
}

/* All records that a replay from the beginning could find. */
static bool log_contains(struct care *care, struct fg_slice text)
{
    struct fg_manifest manifest;
    struct record_search search = {.text = text};
    struct fg_wal_end *end = calloc(1, sizeof *end);
    assert_non_null(end);
    assert_int_equal(fg_manifest_read(care->env, FOLDER, &manifest), 0);
    const struct fg_wal_replay replay = {.env = care->env,
                                         .folder = FOLDER,
                                         .store_id = manifest.store_id[0],
                                         .checkpoint = manifest.checkpoint,
                                         .epochs = manifest.epochs,
                                         .epoch_count = manifest.epoch_count,
                                         .record = search_record,
                                         .arg = &search};
    assert_int_equal(fg_wal_replay(&replay, end), 0);
    fg_manifest_free(&manifest);
    free(end);
    return search.is_found;
}

bool care_has_bytes(struct care *care, const char *text)
{
    struct search search = {.care = care, .text = fg_slice_from_string(text)};
    assert_int_equal(search_folder(&search, FOLDER), 0);
    assert_int_equal(search_folder(&search, FOLDER "/segments"), 0);
    assert_int_equal(search_folder(&search, FOLDER "/rollups"), 0);
    assert_int_equal(search_folder(&search, FOLDER "/wal"), 0);
    return search.is_found || log_contains(care, search.text);
}

size_t care_file_count(struct care *care, const char *folder)
{
    char path[64];
    struct search search = {.care = care};
    snprintf(path, sizeof path, FOLDER "/%s", folder);
    assert_int_equal(search_folder(&search, path), 0);
    return search.count;
}
