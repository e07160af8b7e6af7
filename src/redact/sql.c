/* A lexer of what SQL dialects share: strings, numbers, comments, quoted identifiers. It need not
 * know a statement's grammar, only where literals begin and end, and where it is not sure it takes
 * the rest away. */
#include "redact/value.h"

struct lexer {
    struct fg_slice text;
    size_t at;
    struct fg_buffer *out;
    size_t out_begin;
    size_t removed;
};

static uint8_t peek(const struct lexer *lexer, size_t ahead)
{
    return lexer->text.size - lexer->at > ahead ? lexer->text.data[lexer->at + ahead] : 0;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* What an identifier may hold; bytes of UTF-8 too. */
static bool is_word(uint8_t c)
{
    return is_digit(c) || c == '_' || c >= 0x80 || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* A ? for a literal; "?, ?" is one, so that a list's length doesn't make another shape. */
static void put_literal(struct lexer *lexer)
{
    struct fg_buffer *out = lexer->out;
    size_t end = out->size;
    lexer->removed++;
    while (end > lexer->out_begin && out->data[end - 1] == ' ')
        end--;
    if (end > lexer->out_begin && out->data[end - 1] == ',') {
        size_t comma = end - 1;
        while (comma > lexer->out_begin && out->data[comma - 1] == ' ')
            comma--;
        if (comma > lexer->out_begin && out->data[comma - 1] == '?') {
            out->size = comma;
            return;
        }
    }
    fg_buffer_append_byte(out, '?');
}

/* From the opening quote past the closing one; a doubled quote is part of it. False where a
 * backslash before a quote leaves two readings; escapes: it is one for certain. */
static bool skip_quoted(struct lexer *lexer, uint8_t quote, bool escapes)
{
    for (lexer->at++; lexer->at < lexer->text.size; lexer->at++) {
        uint8_t c = peek(lexer, 0);
        if (c == '\\' && escapes) {
            lexer->at += lexer->at + 1 < lexer->text.size;
        } else if (c == '\\' && quote == '\'' &&
                   (peek(lexer, 1) == '\'' || peek(lexer, 1) == '\\')) {
            return false;
        } else if (c == quote) {
            lexer->at++;
            if (peek(lexer, 0) != quote)
                return true;
        }
    }
    return true;
}

static void take_string(struct lexer *lexer, bool escapes)
{
    if (!skip_quoted(lexer, '\'', escapes))
        lexer->at = lexer->text.size;
    put_literal(lexer);
}

/* $tag$ … $tag$. False where it is no such string. */
static bool take_dollar_string(struct lexer *lexer)
{
    size_t size = 1;
    while (is_word(peek(lexer, size)))
        size++;
    if (peek(lexer, size) != '$' || is_digit(peek(lexer, 1)))
        return false;
    const uint8_t *tag = lexer->text.data + lexer->at;
    size_t tag_size = size + 1, rest = lexer->at + tag_size;
    const uint8_t *end = memmem(lexer->text.data + rest, lexer->text.size - rest, tag, tag_size);
    lexer->at = end ? (size_t)(end - lexer->text.data) + tag_size : lexer->text.size;
    put_literal(lexer);
    return true;
}

static void take_number(struct lexer *lexer)
{
    while (is_word(peek(lexer, 0)) || peek(lexer, 0) == '.' ||
           ((peek(lexer, 0) == '+' || peek(lexer, 0) == '-') &&
            (lexer->text.data[lexer->at - 1] | 0x20) == 'e' && is_digit(peek(lexer, 1))))
        lexer->at++;
    put_literal(lexer);
}

static void take_comment(struct lexer *lexer)
{
    if (peek(lexer, 0) == '-') {
        while (lexer->at < lexer->text.size && peek(lexer, 0) != '\n')
            lexer->at++;
    } else {
        size_t rest = lexer->at + 2;
        const uint8_t *end = memmem(lexer->text.data + rest, lexer->text.size - rest, "*/", 2);
        lexer->at = end ? (size_t)(end - lexer->text.data) + 2 : lexer->text.size;
    }
    fg_buffer_append_byte(lexer->out, ' ');
    lexer->removed++;
}

static void take_identifier(struct lexer *lexer)
{
    size_t begin = lexer->at;
    uint8_t c = peek(lexer, 0);
    if (c == '"' || c == '`')
        (void)skip_quoted(lexer, c, false);
    else
        while (is_word(peek(lexer, 0)) || peek(lexer, 0) == '$')
            lexer->at++;
    fg_buffer_append(lexer->out, lexer->text.data + begin, lexer->at - begin);
}

static void take_parameter(struct lexer *lexer)
{
    size_t begin = lexer->at++;
    while (is_word(peek(lexer, 0)))
        lexer->at++;
    fg_buffer_append(lexer->out, lexer->text.data + begin, lexer->at - begin);
}

/* E'…', N'…', X'…', B'…': the letter belongs to the literal. */
static bool is_string_prefix(const struct lexer *lexer)
{
    uint8_t c = peek(lexer, 0) | 0x20;
    return peek(lexer, 1) == '\'' && (c == 'e' || c == 'n' || c == 'x' || c == 'b');
}

static void take_one(struct lexer *lexer)
{
    uint8_t c = peek(lexer, 0), next = peek(lexer, 1);
    if (c == '\'') {
        take_string(lexer, false);
    } else if (is_string_prefix(lexer)) {
        lexer->at++;
        take_string(lexer, (c | 0x20) == 'e');
    } else if (is_digit(c) || (c == '.' && is_digit(next))) {
        take_number(lexer);
    } else if ((c == '-' && next == '-') || (c == '/' && next == '*')) {
        take_comment(lexer);
    } else if (is_word(c) || c == '"' || c == '`') {
        take_identifier(lexer);
    } else if (c == '$' && take_dollar_string(lexer)) {
        return;
    } else if (c == '$' || c == ':' || c == '@' || c == '?') {
        take_parameter(lexer);
    } else {
        fg_buffer_append_byte(lexer->out, c);
        lexer->at++;
    }
}

size_t fg_redact_sql(struct fg_slice text, struct fg_buffer *out)
{
    struct lexer lexer = {.text = text, .out = out, .out_begin = out->size};
    while (lexer.at < text.size && !out->error)
        take_one(&lexer);
    return lexer.removed;
}
