/* What is fast against its plain twin, on random texts of the pieces that the rules turn on: the
 * walk over values against one that looks at every byte, SQL's skipping lexer against one that
 * makes a token of everything. */
#include "base/buffer.h"
#include "plain_value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXTS         60000
#define SIZE_MAX_TEXT 400u

static uint64_t seed = 20261126;

static uint64_t draw(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % below;
}

static struct fg_slice random_text(const char *const *pieces, size_t count, uint8_t *bytes)
{
    size_t size = 0, wanted = 1 + draw(draw(3) ? 60 : SIZE_MAX_TEXT - 64);
    while (size < wanted) {
        const char *piece = pieces[draw(count)];
        size_t piece_size = strlen(piece);
        memcpy(bytes + size, piece, piece_size);
        size += piece_size;
    }
    if (draw(4) == 0)
        bytes[draw(size)] = (uint8_t)draw(256);
    return fg_slice(bytes, size);
}

/* Of a size of its own, so that a read past the end is seen by what looks at memory. */
static struct fg_slice exact(struct fg_slice text)
{
    uint8_t *copy = malloc(text.size);
    assert_non_null(copy);
    memcpy(copy, text.data, text.size);
    return fg_slice(copy, text.size);
}

static void compare(struct fg_slice text, const struct fg_buffer *fast,
                    const struct fg_buffer *plain)
{
    if (fg_slice_equal(fg_buffer_slice(fast), fg_buffer_slice(plain)))
        return;
    fail_msg("of '%.*s' fast makes '%.*s', plain '%.*s'", (int)text.size, (const char *)text.data,
             (int)fast->size, (const char *)fast->data, (int)plain->size,
             (const char *)plain->data);
}

/* -- Values */

static const char *const value_pieces[] = {"4111111111111111",
                                           "4111 1111 1111 1111",
                                           "4111-1111-1111-1111",
                                           "371449635398431",
                                           "0",
                                           "7",
                                           "12",
                                           "1234567",
                                           "+",
                                           "+49 171 ",
                                           "(030) ",
                                           "(",
                                           ")",
                                           " ",
                                           "  ",
                                           ".",
                                           "-",
                                           "-----",
                                           "-----BEGIN ",
                                           "-----BEGIN RSA PRIVATE KEY-----",
                                           "-----END RSA PRIVATE KEY-----",
                                           "PRIVATE KEY-----",
                                           "@",
                                           "a@b.cc",
                                           "ann@example.com",
                                           "://",
                                           "https://u:p@h",
                                           ":",
                                           "=",
                                           ": \"",
                                           "=\"",
                                           "\\\"",
                                           "'",
                                           "password",
                                           "PASSWORD",
                                           "passwd",
                                           "passphrase",
                                           "pwd",
                                           "secret",
                                           "api_key",
                                           "apikey",
                                           "api-key",
                                           "access_key",
                                           "accesskey",
                                           "client_secret",
                                           "access_token",
                                           "id_token",
                                           "refresh_token",
                                           "auth_token",
                                           "session_token",
                                           "sessionid",
                                           "private_key",
                                           "secretkey",
                                           "secret_key",
                                           "_id",
                                           "order",
                                           "key",
                                           "Bearer ",
                                           "bearer ",
                                           "BASIC ",
                                           "basic ",
                                           "bearer",
                                           "basic",
                                           "dXNlcjpwYXNzd29yZA==",
                                           "eyJ",
                                           "eyJhbGciOi",
                                           "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_-",
                                           "e",
                                           "b",
                                           "E",
                                           "B",
                                           "x",
                                           "_",
                                           "/",
                                           "?",
                                           "&",
                                           ",",
                                           ";",
                                           "[token]",
                                           "***",
                                           "$1",
                                           "\xc3\xa4",
                                           "\n",
                                           "word",
                                           "a longer piece of text without anything in it"};

static void values(void **state)
{
    (void)state;
    static uint8_t bytes[SIZE_MAX_TEXT + 128];
    size_t found = 0;
    struct fg_buffer fast, plain;
    fg_buffer_init(&fast, 1 << 20);
    fg_buffer_init(&plain, 1 << 20);
    for (int i = 0; i < TEXTS; i++) {
        struct fg_slice text =
            exact(random_text(value_pieces, sizeof value_pieces / sizeof *value_pieces, bytes));
        unsigned kinds = draw(2) ? FG_REDACT_KINDS_FOUND : (unsigned)draw(256);
        fg_buffer_reset(&fast);
        fg_buffer_reset(&plain);
        size_t count = fg_redact_text(text, kinds, &fast);
        assert_int_equal(count, plain_text(text, kinds, &plain));
        compare(text, &fast, &plain);
        found += count > 0;
        free((void *)(uintptr_t)text.data);
    }
    assert_in_range(found, TEXTS / 10, TEXTS - TEXTS / 10); /* both ways are gone */
    fg_buffer_free(&fast);
    fg_buffer_free(&plain);
}

/* -- SQL: every byte is part of a token, one after the other */

struct plain_sql {
    const uint8_t *bytes;
    size_t size, at;
    struct fg_buffer *out;
    size_t removed;
};

static uint8_t look(const struct plain_sql *sql, size_t at)
{
    return at < sql->size ? sql->bytes[at] : 0;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(uint8_t c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c >= 0x80;
}

static size_t end_of_word(const struct plain_sql *sql, size_t at)
{
    while (at < sql->size && is_word(sql->bytes[at]))
        at++;
    return at;
}

static size_t end_of_quoted(const struct plain_sql *sql, size_t at, bool escapes)
{
    uint8_t quote = sql->bytes[at++];
    for (; at < sql->size; at++) {
        uint8_t c = sql->bytes[at], next = look(sql, at + 1);
        if (c == '\\' && escapes)
            at += at + 1 < sql->size;
        else if (c == '\\' && quote == '\'' && (next == '\'' || next == '\\'))
            return sql->size;
        else if (c == quote && next == quote)
            at++;
        else if (c == quote)
            return at + 1;
    }
    return at;
}

static size_t end_of_number(const struct plain_sql *sql, size_t at)
{
    for (;; at++) {
        uint8_t c = look(sql, at);
        bool is_exponent = (c == '+' || c == '-') && (sql->bytes[at - 1] | 0x20) == 'e' &&
                           is_digit(look(sql, at + 1));
        if (at >= sql->size || (!is_word(c) && c != '.' && !is_exponent))
            return at;
    }
}

static size_t end_of_identifier(const struct plain_sql *sql, size_t at)
{
    while (at < sql->size && (is_word(sql->bytes[at]) || sql->bytes[at] == '$'))
        at++;
    return at;
}

static size_t find_text(const struct plain_sql *sql, size_t from, const void *text, size_t size)
{
    const uint8_t *found =
        from < sql->size ? memmem(sql->bytes + from, sql->size - from, text, size) : NULL;
    return found ? (size_t)(found - sql->bytes) + size : sql->size;
}

static void literal(struct plain_sql *sql, size_t end)
{
    size_t size = sql->out->size, cut;
    sql->removed++;
    sql->at = end;
    while (size && sql->out->data[size - 1] == ' ')
        size--;
    if (size && sql->out->data[size - 1] == ',') {
        for (cut = size - 1; cut && sql->out->data[cut - 1] == ' ';)
            cut--;
        if (cut && sql->out->data[cut - 1] == '?') {
            sql->out->size = cut;
            return;
        }
    }
    fg_buffer_append_byte(sql->out, '?');
}

static void keep(struct plain_sql *sql, size_t end)
{
    fg_buffer_append(sql->out, sql->bytes + sql->at, end - sql->at);
    sql->at = end;
}

static void comment(struct plain_sql *sql, size_t end)
{
    sql->removed++;
    sql->at = end;
    fg_buffer_append_byte(sql->out, ' ');
}

static bool dollar_string(struct plain_sql *sql)
{
    size_t tag_end = end_of_word(sql, sql->at + 1);
    if (look(sql, tag_end) != '$' || is_digit(look(sql, sql->at + 1)))
        return false;
    size_t size = tag_end + 1 - sql->at;
    literal(sql, find_text(sql, tag_end + 1, sql->bytes + sql->at, size));
    return true;
}

static void token(struct plain_sql *sql)
{
    size_t at = sql->at;
    uint8_t c = sql->bytes[at], next = look(sql, at + 1), low = c | 0x20;
    if (c == '\'')
        literal(sql, end_of_quoted(sql, at, false));
    else if (next == '\'' && (low == 'e' || low == 'n' || low == 'x' || low == 'b')) {
        /* its letter goes as well */
        literal(sql, end_of_quoted(sql, at + 1, low == 'e'));
    } else if (is_digit(c) || (c == '.' && is_digit(next)))
        literal(sql, end_of_number(sql, at));
    else if (c == '-' && next == '-') {
        while (at < sql->size && sql->bytes[at] != '\n')
            at++;
        comment(sql, at);
    } else if (c == '/' && next == '*')
        comment(sql, find_text(sql, at + 2, "*/", 2));
    else if (is_word(c))
        keep(sql, end_of_identifier(sql, at));
    else if (c == '"' || c == '`')
        keep(sql, end_of_quoted(sql, at, false));
    else if (c == '$' && dollar_string(sql))
        return;
    else if (c == '$' || c == ':' || c == '@' || c == '?')
        keep(sql, end_of_word(sql, at + 1));
    else
        keep(sql, at + 1);
}

static const char *const sql_pieces[] = {"SELECT ",
                                         "t0.id",
                                         ", t1.column_01 AS c1_1",
                                         "'text'",
                                         "''",
                                         "'",
                                         "\"quoted\"",
                                         "\"",
                                         "`",
                                         "`a`",
                                         "E'a\\'b'",
                                         "N'x'",
                                         "x'00'",
                                         "e'",
                                         "E",
                                         "B'1",
                                         "n",
                                         "12",
                                         "1.5",
                                         ".5",
                                         "1e-5",
                                         "1E+",
                                         "0x1f",
                                         "..",
                                         ".",
                                         "-",
                                         "--",
                                         "-- c\n",
                                         "/",
                                         "/*",
                                         "*/",
                                         "/* c */",
                                         "$1",
                                         "$$",
                                         "$tag$",
                                         "$",
                                         "a$b",
                                         "a$1",
                                         ":name",
                                         "::int",
                                         ":",
                                         "@v",
                                         "@",
                                         "?",
                                         "?1",
                                         ",",
                                         ", ",
                                         "(",
                                         ")",
                                         " ",
                                         "  ",
                                         "\n",
                                         "\\",
                                         "\\'",
                                         "\xc3\xa4",
                                         "_",
                                         "_1",
                                         "WHERE a = ",
                                         "IN (1, 2, 'c')",
                                         "ANY($1)",
                                         "*",
                                         ";"};

static void sql(void **state)
{
    (void)state;
    static uint8_t bytes[SIZE_MAX_TEXT + 128];
    size_t changed = 0;
    struct fg_buffer fast, plain;
    fg_buffer_init(&fast, 1 << 20);
    fg_buffer_init(&plain, 1 << 20);
    for (int i = 0; i < TEXTS; i++) {
        struct fg_slice text =
            exact(random_text(sql_pieces, sizeof sql_pieces / sizeof *sql_pieces, bytes));
        fg_buffer_reset(&fast);
        fg_buffer_reset(&plain);
        struct plain_sql walk = {.bytes = text.data, .size = text.size, .out = &plain};
        while (walk.at < walk.size)
            token(&walk);
        size_t removed = fg_redact_sql(text, &fast);
        compare(text, &fast, &plain);
        assert_int_equal(removed, walk.removed);
        changed += removed > 0;
        free((void *)(uintptr_t)text.data);
    }
    assert_in_range(changed, TEXTS / 10, TEXTS - TEXTS / 20);
    fg_buffer_free(&fast);
    fg_buffer_free(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values), cmocka_unit_test(sql)};
    const char *text = getenv("SEED");
    seed = text ? strtoull(text, NULL, 10) : seed;
    printf("SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
