/* Shapes of messages against an agreed format: what obeys it, what breaks it and in what, and
 * schemas that can't be read. */
#include "schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

/* Texts below are written with ' for ". */
static struct fg_slice quoted(const char *text, char bytes[2048])
{
    size_t size = strlen(text);
    assert_true(size < 2048);
    for (size_t i = 0; i < size; i++)
        bytes[i] = text[i] == '\'' ? '"' : text[i];
    return fg_slice(bytes, size);
}

static const char agreed[] =
    "{'definitions': {'tree': {'type': 'object', 'required': ['n'], 'properties': {"
    "'child': {'$ref': '#/definitions/tree'}, 'n': {'type': 'number'}}}},"
    "'type': 'object', 'required': ['id'], 'additionalProperties': false, 'properties': {"
    "'id': {'type': 'string', 'pattern': 'x'}, 'kind': {'enum': ['a', 'b']},"
    "'tree': {'$ref': '#/definitions/tree'}, 'list': {'type': 'array', 'items': {'type': "
    "'integer'}},"
    "'either': {'anyOf': [{'type': 'null'}, {'type': 'boolean'}]}, 'never': false}}";

static void test_shapes(void **state)
{
    static const struct {
        const char *shape;
        enum fg_schema_result result;
        const char *why;
    } cases[] = {
        {"{'id': 'string'}", FG_SCHEMA_OBEYS, ""},
        {"{'id': '=x', 'kind': '=a'}", FG_SCHEMA_OBEYS, ""},
        {"{'id': 'string', 'kind': 'string'}", FG_SCHEMA_OBEYS, ""},
        {"{'id': 'string', 'kind': '=c'}", FG_SCHEMA_VIOLATES, "kind is another value"},
        {"{}", FG_SCHEMA_VIOLATES, "id is missing"},
        {"{'id': 'integer'}", FG_SCHEMA_VIOLATES, "id has another type"},
        {"{'id': 'string', 'more': 'null'}", FG_SCHEMA_VIOLATES, "more is not agreed"},
        {"{'id': 'string', 'never': 'null'}", FG_SCHEMA_VIOLATES, "never is not agreed"},
        {"{'id': 'string', 'tree': {'n': 'integer', 'child': {'n': 'number'}}}", FG_SCHEMA_OBEYS,
         ""},
        {"{'id': 'string', 'tree': {'n': 'integer', 'child': {}}}", FG_SCHEMA_VIOLATES,
         "n is missing"},
        {"{'id': 'string', 'list': ['integer']}", FG_SCHEMA_OBEYS, ""},
        {"{'id': 'string', 'list': []}", FG_SCHEMA_OBEYS, ""},
        {"{'id': 'string', 'list': ['number']}", FG_SCHEMA_VIOLATES, "list has another type"},
        {"{'id': 'string', 'either': 'boolean'}", FG_SCHEMA_OBEYS, ""},
        {"{'id': 'string', 'either': 'integer'}", FG_SCHEMA_VIOLATES, "either has another type"},
        {"'string'", FG_SCHEMA_VIOLATES, "the message has another type"},
        {"{'id': ", FG_SCHEMA_UNKNOWN, ""},
        {"12", FG_SCHEMA_UNKNOWN, ""},
        {"", FG_SCHEMA_UNKNOWN, ""},
    };
    struct fg_arena arena;
    struct fg_buffer errors;
    const struct fg_schema *schema;
    char why[80], bytes[2048];
    (void)state;
    fg_arena_init(&arena, (size_t)1 << 20);
    fg_buffer_init(&errors, 4096);
    assert_int_equal(fg_schema_parse(quoted(agreed, bytes), &arena, &errors, &schema), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(fg_schema_check(schema, quoted(cases[i].shape, bytes), why, sizeof why),
                         cases[i].result);
        assert_string_equal(why, cases[i].why);
    }
    fg_arena_free(&arena);
    fg_buffer_free(&errors);
}

static void test_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "{",
                                        "[]",
                                        "12",
                                        "{'type': 'text'}",
                                        "{'$ref': '#/definitions/none'}",
                                        "{'$ref': 'http://elsewhere/'}",
                                        "{'properties': {'a': 1}}",
                                        "{'required': [1]}"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct fg_arena arena;
        struct fg_buffer errors;
        const struct fg_schema *schema;
        char bytes[2048];
        fg_arena_init(&arena, (size_t)1 << 20);
        fg_buffer_init(&errors, 4096);
        assert_int_equal(fg_schema_parse(quoted(texts[i], bytes), &arena, &errors, &schema),
                         FG_EINVALID);
        assert_true(errors.size > 0);
        fg_arena_free(&arena);
        fg_buffer_free(&errors);
    }
}

/* Schemas that refer to themselves, or nest, without end are refused, or their checking ends. */
static void test_deep(void **state)
{
    struct fg_arena arena;
    struct fg_buffer errors, text;
    const struct fg_schema *schema;
    char why[80], bytes[2048];
    (void)state;
    fg_arena_init(&arena, (size_t)1 << 20);
    fg_buffer_init(&errors, 4096);
    fg_buffer_init(&text, 65536);
    assert_int_equal(fg_schema_parse(quoted("{'$ref': '#'}", bytes), &arena, &errors, &schema),
                     FG_ELIMIT);
    for (unsigned i = 0; i < 100; i++)
        fg_buffer_append_string(&text, "{\"items\": ");
    fg_buffer_append_string(&text, "{}");
    for (unsigned i = 0; i < 100; i++)
        fg_buffer_append_string(&text, "}");
    assert_int_equal(fg_schema_parse(fg_buffer_slice(&text), &arena, &errors, &schema), FG_ELIMIT);
    assert_int_equal(
        fg_schema_parse(quoted("{'allOf': [{'$ref': '#'}]}", bytes), &arena, &errors, &schema), 0);
    assert_int_equal(fg_schema_check(schema, FG_SLICE("{}"), why, sizeof why), FG_SCHEMA_OBEYS);
    fg_arena_free(&arena);
    fg_buffer_free(&errors);
    fg_buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
