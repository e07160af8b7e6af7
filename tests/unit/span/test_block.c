/* span/block.h: what is frozen is read back; what is not a frozen batch is refused. */
#include "block_layout.h"
#include "fail_alloc.h"
#include "random_batch.h"
#include "span/block.h"

#include <assert.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct fg_builder *new_builder(void)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    return builder;
}

static struct fg_builder *random_builder(uint64_t seed, uint32_t span_count)
{
    struct fg_builder *builder = new_builder();
    struct random_batch_options options = random_batch_options_default(seed);
    options.span_count = span_count;
    options.odd_percent = seed % 3 ? 10 : 0;
    random_batch_fill(builder, &options);
    return builder;
}

static struct fg_block *freeze(struct fg_builder *builder)
{
    struct fg_block *block;
    assert_int_equal(fg_block_freeze(builder, &block), 0);
    return block;
}

static void what_is_frozen_is_read_back(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct fg_builder *builder = random_builder(seed, (uint32_t)(seed * seed));
        struct fg_batch batch;
        fg_builder_view(builder, &batch);
        struct fg_block *block = freeze(builder), *parsed;
        assert_null(batches_differ(&batch, fg_block_batch(block)));
        assert_true(fg_block_size_bytes(block) >= fg_builder_size_bytes(builder));
        assert_true(fg_block_size_bytes(block) < fg_builder_size_bytes(builder) + 2000);

        /* From bytes that lie anywhere. */
        struct fg_slice payload = fg_block_payload(block);
        uint8_t *moved = malloc(payload.size + 1);
        assert_non_null(moved);
        memcpy(moved + 1, payload.data, payload.size);
        assert_int_equal(fg_block_parse(fg_slice(moved + 1, payload.size), &parsed), 0);
        free(moved);
        fg_builder_reset(builder); /* the block stands for itself */
        assert_true(fg_slice_equal(fg_block_payload(parsed), fg_block_payload(block)));
        assert_null(batches_differ(fg_block_batch(parsed), fg_block_batch(block)));
        assert_int_equal(fg_block_size_bytes(parsed), fg_block_size_bytes(block));
        fg_block_unref(block);
        fg_block_unref(parsed);
        fg_builder_free(builder);
    }
}

static void columns_without_content_are_absent(void **state)
{
    (void)state;
    struct fg_builder *builder = new_builder();
    uint32_t id;
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &id), 0);
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(
        fg_builder_scope_end(builder, FG_SLICE(""), FG_SLICE(""), FG_SLICE(""), 0, &id), 0);
    struct fg_span span = {.trace_id_low = 1, .span_id = 2, .start_ns = 3};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fg_builder_span_begin(builder), 0);
        assert_int_equal(fg_builder_span_end(builder, &span), 0);
    }
    assert_int_equal(fg_builder_span_begin(builder), 0); /* and one that has not ended */
    struct fg_value value = {.type = FG_VALUE_INT};
    assert_int_equal(fg_builder_span_attr(builder, FG_SLICE("k"), &value), 0);

    struct fg_block *block = freeze(builder), *parsed;
    assert_int_equal(fg_block_parse(fg_block_payload(block), &parsed), 0);
    const struct fg_batch *batch = fg_block_batch(parsed);
    assert_int_equal(batch->span_count, 2);
    assert_null(batch->span_attrs.begin);
    assert_null(batch->resource_attrs.begin);
    assert_null(batch->event_begin);
    assert_null(batch->link_begin);
    assert_null(batch->flags);
    assert_null(batch->marks);
    assert_null(batch->status_message);
    assert_null(batch->dropped_links);
    /* The header, two owners, two rows of 70 bytes in 12 columns, two strings. */
    assert_in_range(fg_block_payload(parsed).size, 72 + 2 * 70, 72 + 2 * 70 + 200);
    fg_block_unref(block);
    fg_block_unref(parsed);
    fg_builder_free(builder);
}

static void nothing_is_a_batch_too(void **state)
{
    (void)state;
    struct fg_builder *builder = new_builder();
    struct fg_block *block = freeze(builder), *parsed;
    assert_int_equal(fg_block_parse(fg_block_payload(block), &parsed), 0);
    assert_int_equal(fg_block_batch(parsed)->span_count, 0);
    assert_int_equal(fg_block_batch(parsed)->string_count, 1);
    fg_block_unref(block);
    fg_block_unref(parsed);
    fg_block_unref(NULL);
    fg_builder_free(builder);
}

/* Every byte of a payload that version 1 wrote: the format does not move. */
static void the_bytes_are_those_of_the_format(void **state)
{
    (void)state;
    struct fg_builder *builder = new_builder();
    uint32_t id;
    struct fg_value value = {.type = FG_VALUE_STRING, .bytes = FG_SLICE("shop")};
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_attr(builder, FG_SLICE("service.name"), &value), 0);
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 7, &id), 0);
    struct fg_block *block = freeze(builder);
    static const uint8_t expected[] = {
        'F',  'G', 'F',  'B', 1,   0,   0,   0, /* magic, version */
        160,  0,   0,    0,   0,   0,   0,   0, /* size */
        0x0f, 0,   0x70, 0,   0,   0,   0,   0, /* columns 0 to 3, 20 to 22 */
        1,    0,   0,    0,   0,   0,   0,   0, /* one resource */
        0,    0,   0,    0,   0,   0,   0,   0, /* */
        0,    0,   0,    0,   1,   0,   0,   0, /* one attribute of resources */
        0,    0,   0,    0,   0,   0,   0,   0, /* */
        0,    0,   0,    0,   0,   0,   0,   0, /* */
        3,    0,   0,    0,   16,  0,   0,   0, /* strings, their bytes */
        0,    0,   0,    0,   1,   0,   0,   0, /* 0: begin */
        1,    0,   0,    0,   0,   0,   0,   0, /* 1: key */
        1,    0,   0,    0,   0,   0,   0,   0, /* 2: type */
        2,    0,   0,    0,   0,   0,   0,   0, /* 3: value */
        2,    0,   0,    0,   0,   0,   0,   0, /* 20: service */
        0,    0,   0,    0,   0,   0,   0,   0, /* 21: schema URL */
        7,    0,   0,    0,   0,   0,   0,   0, /* 22: dropped */
        0,    0,   0,    0,   12,  0,   0,   0, /* where strings end */
        16,   0,   0,    0,   0,   0,   0,   0, /* */
        's',  'e', 'r',  'v', 'i', 'c', 'e', '.', 'n', 'a', 'm', 'e', 's', 'h', 'o', 'p'};
    struct fg_slice payload = fg_block_payload(block);
    assert_int_equal(payload.size, sizeof expected);
    assert_memory_equal(payload.data, expected, sizeof expected);
    fg_block_unref(block);
    fg_builder_free(builder);
}

/* -- What is refused */

struct copy {
    uint8_t *bytes;
    size_t size;
    struct fg_block_header header;
    struct fg_block_layout layout;
};

static struct copy copy_payload(struct fg_slice payload)
{
    struct copy copy = {.bytes = malloc(payload.size), .size = payload.size};
    assert_non_null(copy.bytes);
    memcpy(copy.bytes, payload.data, payload.size);
    assert_int_equal(fg_block_check_header(payload, &copy.header, &copy.layout), 0);
    return copy;
}

static int parse(const struct copy *copy)
{
    struct fg_block *block;
    int r = fg_block_parse(fg_slice(copy->bytes, copy->size), &block);
    if (r == 0)
        fg_block_unref(block);
    return r;
}

/* Writes value (size bytes of it) at offset; parse must say expected; then it is as it was. */
static void poke(const struct copy *copy, uint64_t offset, uint64_t value, size_t size,
                 int expected)
{
    uint64_t before = 0;
    assert_true(offset + size <= copy->size);
    memcpy(&before, copy->bytes + offset, size);
    memcpy(copy->bytes + offset, &value, size);
    assert_int_equal(parse(copy), expected);
    memcpy(copy->bytes + offset, &before, size);
}

static uint64_t bad_value(const struct copy *copy, const struct fg_column_def *def)
{
    switch ((enum fg_column_kind)def->kind) {
    case FG_COLUMN_STRING:
        return copy->header.string_count;
    case FG_COLUMN_RESOURCE:
        return copy->header.counts[FG_TABLE_RESOURCE];
    case FG_COLUMN_SCOPE:
        return copy->header.counts[FG_TABLE_SCOPE];
    case FG_COLUMN_STATUS:
        return FG_STATUS_ERROR + 1;
    case FG_COLUMN_TYPE:
        return FG_VALUE_TYPE_COUNT;
    case FG_COLUMN_BEGIN:
        return copy->header.counts[def->child] + 1;
    default:
        return 0;
    }
}

/* Of every column the first, a middle and the last element. */
static void a_wrong_element_is_refused(void **state)
{
    (void)state;
    struct fg_builder *builder = random_builder(1, 300);
    struct fg_block *block = freeze(builder);
    struct copy copy = copy_payload(fg_block_payload(block));
    int tried = 0;
    for (int i = 0; i < FG_COL_COUNT; i++) {
        const struct fg_column_def *def = &fg_column_defs[i];
        if (def->kind == FG_COLUMN_PLAIN || def->kind == FG_COLUMN_VALUE)
            continue;
        assert_true(copy.layout.columns[i] != 0); /* the batch is rich enough */
        uint64_t length = fg_column_length(def, copy.header.counts[def->table]);
        const uint64_t elements[] = {0, length / 2, length - 1};
        for (int j = 0; j < 3; j++, tried++)
            poke(&copy, copy.layout.columns[i] + elements[j] * def->size, bad_value(&copy, def),
                 def->size, FG_ECORRUPT);
    }
    assert_int_equal(tried, 3 * (5 * 3 + 15));
    assert_int_equal(parse(&copy), 0);
    free(copy.bytes);
    fg_block_unref(block);
    fg_builder_free(builder);
}

static void a_begin_that_falls_is_refused(void **state)
{
    (void)state;
    struct fg_builder *builder = random_builder(2, 300);
    struct fg_block *block = freeze(builder);
    struct copy copy = copy_payload(fg_block_payload(block));
    /* An element in the middle below the one before it, all of them below the count. */
    for (int i = 0; i < FG_COL_COUNT; i++) {
        const struct fg_column_def *def = &fg_column_defs[i];
        if (def->kind != FG_COLUMN_BEGIN)
            continue;
        const uint8_t *begin = copy.bytes + copy.layout.columns[i];
        uint32_t count = copy.header.counts[def->table], element, at = 0;
        for (uint32_t j = 1; j < count; j++) {
            memcpy(&element, begin + 4 * j, sizeof element);
            if (element > 0)
                at = j + 1;
        }
        if (at == 0 || at >= count)
            continue;
        poke(&copy, copy.layout.columns[i] + 4 * at, 0, 4, FG_ECORRUPT);
    }
    free(copy.bytes);
    fg_block_unref(block);
    fg_builder_free(builder);
}

static void a_value_is_what_its_type_says(void **state)
{
    (void)state;
    struct fg_builder *builder = random_builder(4, 300);
    struct fg_block *block = freeze(builder);
    struct copy copy = copy_payload(fg_block_payload(block));
    bool seen[FG_VALUE_TYPE_COUNT] = {false};
    for (int owner = 0; owner < FG_TABLE_OWNER_COUNT; owner++) {
        const uint8_t *types = copy.bytes + copy.layout.columns[4 * owner + FG_ATTR_TYPE];
        for (uint32_t i = 0; i < copy.header.counts[FG_TABLE_ATTRS + owner]; i++) {
            uint64_t at = copy.layout.columns[4 * owner + FG_ATTR_VALUE] + 8 * (uint64_t)i;
            bool is_free = types[i] == FG_VALUE_INT || types[i] == FG_VALUE_DOUBLE;
            if (seen[types[i]])
                continue;
            seen[types[i]] = true;
            poke(&copy, at, UINT64_MAX, 8, is_free ? 0 : FG_ECORRUPT);
            if (types[i] == FG_VALUE_BOOL)
                poke(&copy, at, 2, 8, FG_ECORRUPT);
            if (types[i] == FG_VALUE_EMPTY)
                poke(&copy, at, 1, 8, FG_ECORRUPT);
            if (fg_value_type_is_bytes(types[i]))
                poke(&copy, at, copy.header.string_count, 8, FG_ECORRUPT);
        }
    }
    for (int type = 0; type < FG_VALUE_TYPE_COUNT; type++)
        assert_true(seen[type]);
    free(copy.bytes);
    fg_block_unref(block);
    fg_builder_free(builder);
}

/* Gives the last attribute of one owner the key of its first. */
static bool poke_key(const struct copy *copy, int owner)
{
    const uint8_t *begin = copy->bytes + copy->layout.columns[4 * owner + FG_ATTR_BEGIN];
    uint64_t keys = copy->layout.columns[4 * owner + FG_ATTR_KEY];
    for (uint64_t i = 0; keys && i < copy->header.counts[owner]; i++) {
        uint32_t range[2], key;
        memcpy(range, begin + 4 * i, sizeof range);
        if (range[1] - range[0] < 2)
            continue;
        memcpy(&key, copy->bytes + keys + 4 * (uint64_t)range[0], sizeof key);
        poke(copy, keys + 4 * (uint64_t)(range[1] - 1), key, 4, FG_ECORRUPT);
        return true;
    }
    return false;
}

static void a_key_twice_in_one_owner_is_refused(void **state)
{
    (void)state;
    bool tried[FG_TABLE_OWNER_COUNT] = {false};
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct fg_builder *builder = random_builder(seed, 300);
        struct fg_block *block = freeze(builder);
        struct copy copy = copy_payload(fg_block_payload(block));
        for (int owner = 0; owner < FG_TABLE_OWNER_COUNT; owner++)
            tried[owner] |= poke_key(&copy, owner);
        free(copy.bytes);
        fg_block_unref(block);
        fg_builder_free(builder);
    }
    for (int owner = 0; owner < FG_TABLE_OWNER_COUNT; owner++)
        assert_true(tried[owner]);
}

static void a_string_twice_is_refused(void **state)
{
    (void)state;
    struct fg_builder *builder = new_builder();
    uint32_t id;
    assert_int_equal(fg_builder_string(builder, FG_SLICE("one"), &id), 0);
    assert_int_equal(fg_builder_string(builder, FG_SLICE("ond"), &id), 0);
    struct fg_block *block = freeze(builder);
    struct copy copy = copy_payload(fg_block_payload(block));
    poke(&copy, copy.layout.string_bytes + 5, 'c', 1, 0);
    poke(&copy, copy.layout.string_bytes + 5, 'e', 1, FG_ECORRUPT);
    poke(&copy, copy.layout.string_bytes + 6, 1, 1, FG_ECORRUPT); /* what fills up is zero */
    free(copy.bytes);
    fg_block_unref(block);
    fg_builder_free(builder);
}

static void a_service_is_that_of_its_resource(void **state)
{
    (void)state;
    struct fg_builder *builder = random_builder(1, 30);
    struct fg_block *block = freeze(builder);
    struct copy copy = copy_payload(fg_block_payload(block));
    uint64_t services = copy.layout.columns[FG_COL_RESOURCE_SERVICE];
    for (uint64_t i = 0; i < copy.header.counts[FG_TABLE_RESOURCE]; i++) {
        uint32_t service;
        memcpy(&service, copy.bytes + services + 4 * i, sizeof service);
        assert_int_equal(service == 0, i == 5); /* one has none */
        poke(&copy, services + 4 * i, service + 1, 4, FG_ECORRUPT);
    }
    free(copy.bytes);
    fg_block_unref(block);
    fg_builder_free(builder);
}

static void a_wrong_header_is_refused(void **state)
{
    (void)state;
    struct fg_builder *builder = random_builder(7, 20);
    struct fg_block *block = freeze(builder);
    struct copy copy = copy_payload(fg_block_payload(block));
    poke(&copy, 0, 0, 1, FG_ECORRUPT);
    poke(&copy, 4, 2, 2, FG_EUNSUPPORTED);
    poke(&copy, 4, 0, 2, FG_ECORRUPT);
    poke(&copy, 6, 1, 2, FG_ECORRUPT);
    poke(&copy, 8, copy.size + 8, 8, FG_ECORRUPT);
    for (int bit = 0; bit < 64; bit++)
        poke(&copy, 16, copy.header.columns ^ UINT64_C(1) << bit, 8, FG_ECORRUPT);
    for (uint64_t at = 24; at < 72; at += 4) {
        poke(&copy, at, UINT32_MAX, 4, FG_ECORRUPT);
        uint32_t count;
        memcpy(&count, copy.bytes + at, sizeof count);
        poke(&copy, at, count + 1, 4, FG_ECORRUPT);
        poke(&copy, at, count - 1, 4, FG_ECORRUPT);
    }
    /* Strings: the first is empty, ends rise to the last. */
    poke(&copy, copy.layout.string_ends, 1, 4, FG_ECORRUPT);
    poke(&copy, copy.layout.string_ends + 8, copy.header.string_bytes + 1, 4, FG_ECORRUPT);
    poke(&copy, copy.layout.string_ends + 4 * (copy.header.string_count - 1), 0, 4, FG_ECORRUPT);
    /* A newer version may be of any size. */
    struct fg_block *parsed;
    assert_int_equal(fg_block_parse(FG_SLICE("FGFB\x02\0\0\0"), &parsed), FG_EUNSUPPORTED);
    free(copy.bytes);
    fg_block_unref(block);
    fg_builder_free(builder);
}

static void no_prefix_is_a_batch(void **state)
{
    (void)state;
    struct fg_builder *builder = random_builder(8, 12);
    struct fg_block *block = freeze(builder), *parsed;
    struct fg_slice payload = fg_block_payload(block);
    for (size_t size = 0; size < payload.size; size++) {
        uint8_t *exact = malloc(size ? size : 1);
        assert_non_null(exact);
        memcpy(exact, payload.data, size);
        assert_int_equal(fg_block_parse(fg_slice(exact, size), &parsed), FG_ECORRUPT);
        free(exact);
    }
    fg_block_unref(block);
    fg_builder_free(builder);
}

/* What passes must be whole: every element is read by copying every row. */
static void read_all(const struct fg_block *block)
{
    const struct fg_batch *batch = fg_block_batch(block);
    struct fg_builder *builder = new_builder();
    struct fg_remap *remap;
    struct fg_batch copy;
    assert_int_equal(fg_remap_new(&remap), 0);
    assert_int_equal(fg_remap_begin(remap, builder, batch), 0);
    for (uint32_t row = 0; row < batch->span_count; row++)
        assert_int_equal(fg_builder_copy(builder, remap, batch, row, 0), 0);
    fg_builder_view(builder, &copy);
    assert_null(batches_differ(batch, &copy));
    fg_remap_free(remap);
    fg_builder_free(builder);
}

static void flipped_bytes_are_refused_or_harmless(void **state)
{
    (void)state;
    struct fg_builder *builder = random_builder(10, 25);
    struct fg_block *block = freeze(builder), *parsed;
    struct copy copy = copy_payload(fg_block_payload(block));
    struct test_random random = {.state = 1};
    int accepted = 0;
    for (int round = 0; round < 6000; round++) {
        uint32_t at[3];
        uint8_t before[3];
        uint32_t count = 1 + test_random_below(&random, 3);
        for (uint32_t i = 0; i < count; i++) {
            at[i] = test_random_below(&random, (uint32_t)copy.size);
            before[i] = copy.bytes[at[i]];
            uint32_t flipped = before[i] ^ 1u << test_random_below(&random, 8);
            uint32_t any = test_random_below(&random, 256);
            copy.bytes[at[i]] = (uint8_t)(test_random_chance(&random, 50) ? flipped : any);
        }
        int r = fg_block_parse(fg_slice(copy.bytes, copy.size), &parsed);
        if (r == 0) {
            accepted++;
            read_all(parsed);
            fg_block_unref(parsed);
        } else {
            assert_true(r == FG_ECORRUPT || r == FG_EUNSUPPORTED);
        }
        for (uint32_t i = count; i > 0; i--)
            copy.bytes[at[i - 1]] = before[i - 1];
    }
    assert_true(accepted > 100); /* ids and times are free to change */
    free(copy.bytes);
    fg_block_unref(block);
    fg_builder_free(builder);
}

/* -- Holding */

static void *hold(void *arg)
{
    struct fg_block *block = arg;
    for (int i = 0; i < 20000; i++) {
        fg_block_ref(block);
        assert(fg_block_batch(block)->span_count == 10);
        fg_block_unref(block);
    }
    fg_block_unref(block);
    return NULL;
}

static void the_last_holder_frees(void **state)
{
    (void)state;
    struct fg_builder *builder = random_builder(11, 10);
    struct fg_block *block = freeze(builder);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hold, fg_block_ref(block)), 0);
    fg_block_unref(block);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    fg_builder_free(builder);
}

static void memory_that_fails_is_said(void **state)
{
    (void)state;
    struct fg_builder *builder = random_builder(12, 50);
    struct fg_block *block = freeze(builder), *other;
    bool is_over = false;
    for (uint64_t n = 1; !is_over; n++) {
        fail_alloc_at(n, false);
        int r = fg_block_freeze(builder, &other);
        is_over = !fail_alloc_off();
        assert_int_equal(r, is_over ? 0 : FG_ENOMEM);
        if (r == 0)
            fg_block_unref(other);
    }
    is_over = false;
    for (uint64_t n = 1; !is_over; n++) {
        fail_alloc_at(n, false);
        int r = fg_block_parse(fg_block_payload(block), &other);
        is_over = !fail_alloc_off();
        assert_int_equal(r, is_over ? 0 : FG_ENOMEM);
        if (r == 0)
            fg_block_unref(other);
    }
    fg_block_unref(block);
    fg_builder_free(builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_frozen_is_read_back),
        cmocka_unit_test(columns_without_content_are_absent),
        cmocka_unit_test(nothing_is_a_batch_too),
        cmocka_unit_test(the_bytes_are_those_of_the_format),
        cmocka_unit_test(a_wrong_element_is_refused),
        cmocka_unit_test(a_begin_that_falls_is_refused),
        cmocka_unit_test(a_value_is_what_its_type_says),
        cmocka_unit_test(a_key_twice_in_one_owner_is_refused),
        cmocka_unit_test(a_string_twice_is_refused),
        cmocka_unit_test(a_service_is_that_of_its_resource),
        cmocka_unit_test(a_wrong_header_is_refused),
        cmocka_unit_test(no_prefix_is_a_batch),
        cmocka_unit_test(flipped_bytes_are_refused_or_harmless),
        cmocka_unit_test(the_last_holder_frees),
        cmocka_unit_test(memory_that_fails_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
