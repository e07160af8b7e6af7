/* A lexer of what SQL dialects share: strings, numbers, comments, quoted identifiers. It need not
 * know a statement's grammar, only where literals begin and end, and where it is not sure it takes
 * the rest away. */
#include "redact/value.h"

#include "lanes.h"

struct lexer {
    struct fg_slice text;
    size_t at;
    size_t kept, token; /* from kept on nothing was written yet; where the token began */
    struct fg_buffer *out;
    size_t out_begin;
    size_t removed;
};

static uint8_t peek(const struct lexer *lexer, size_t ahead)
{
    return lexer->text.size - lexer->at > ahead ? lexer->text.data[lexer->at + ahead] : 0;
}

enum { DIGIT = 1, WORD = 2, SIGN = 4 };

/* Word: what an identifier may hold, bytes of UTF-8 too. Sign: what is more than itself. */
static const uint8_t classes[256] = {
    ['0' ... '9'] = DIGIT | WORD,
    ['a' ... 'z'] = WORD,
    ['A' ... 'Z'] = WORD,
    ['_'] = WORD,
    [0x80 ... 0xff] = WORD,
    ['\''] = SIGN,
    ['"'] = SIGN,
    ['`'] = SIGN,
    ['$'] = SIGN,
    ['-'] = SIGN,
    ['/'] = SIGN,
    [':'] = SIGN,
    ['@'] = SIGN,
    ['?'] = SIGN,
};

static bool is_digit(uint8_t c)
{
    return classes[c] & DIGIT;
}

static bool is_word(uint8_t c)
{
    return classes[c] & WORD;
}

static size_t skip_word(const struct fg_slice *text, size_t at)
{
    while (at < text->size && is_word(text->data[at]))
        at++;
    return at;
}

/* What stands before the token is kept; the token, which ends at at, is not. */
static void take_away(struct lexer *lexer)
{
    fg_buffer_append(lexer->out, lexer->text.data + lexer->kept, lexer->token - lexer->kept);
    lexer->kept = lexer->at;
    lexer->removed++;
}

/* A ? for a literal; "?, ?" is one, so that a list's length doesn't make another shape. */
static void put_literal(struct lexer *lexer)
{
    struct fg_buffer *out = lexer->out;
    take_away(lexer);
    size_t end = out->size;
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
    take_away(lexer);
    fg_buffer_append_byte(lexer->out, ' ');
}

static void skip_identifier(struct lexer *lexer)
{
    do
        lexer->at = skip_word(&lexer->text, lexer->at + 1);
    while (peek(lexer, 0) == '$');
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
    lexer->token = lexer->at;
    if (c == '\'') {
        take_string(lexer, false);
    } else if (is_string_prefix(lexer)) {
        lexer->at++;
        take_string(lexer, (c | 0x20) == 'e');
    } else if (is_digit(c) || (c == '.' && is_digit(next))) {
        take_number(lexer);
    } else if ((c == '-' && next == '-') || (c == '/' && next == '*')) {
        take_comment(lexer);
    } else if (is_word(c)) {
        skip_identifier(lexer);
    } else if (c == '"' || c == '`') {
        (void)skip_quoted(lexer, c, false);
    } else if (c == '$' && take_dollar_string(lexer)) {
        return;
    } else if (c == '$' || c == ':' || c == '@' || c == '?') {
        lexer->at = skip_word(&lexer->text, lexer->at + 1);
    } else {
        lexer->at++;
    }
}

/* Signs, and digits that begin a number: all that something can begin with that is taken, but for
 * the letter of E'…' and the dot of .5. */
static fg_lanes begins_in(fg_lanes block, fg_lanes before)
{
    fg_lanes signs = (fg_lanes)((block == '\'') | (block == '"') | (block == '`') | (block == '$') |
                                (block == '-') | (block == '/') | (block == ':') | (block == '@') |
                                (block == '?'));
    fg_lanes word = fg_lanes_digits(before) | fg_lanes_letters(before) |
                    (fg_lanes)((before == '_') | (before > 0x7f));
    return signs | (fg_lanes_digits(block) & ~word);
}

/* The next place from the lexer's, which is a token's begin, where something begins. */
static size_t next_begin(const struct lexer *lexer)
{
    struct fg_slice text = lexer->text;
    size_t at = lexer->at;
    if (at == 0 && classes[text.data[0]] & (SIGN | DIGIT))
        return 0;
    for (at += at == 0; text.size - at >= FG_LANES_SIZE; at += FG_LANES_SIZE) {
        fg_lanes found =
            begins_in(fg_lanes_load(text.data + at), fg_lanes_load(text.data + at - 1));
        if (fg_lanes_any(found))
            return at + fg_lanes_first(found);
    }
    for (; at < text.size; at++)
        if (classes[text.data[at]] & SIGN ||
            (is_digit(text.data[at]) && !is_word(text.data[at - 1])))
            return at;
    return at;
}

/* Goes to the begin of the token that has the byte at `at`, which was found to begin something. */
static void step_to(struct lexer *lexer, size_t at)
{
    const uint8_t *bytes = lexer->text.data;
    uint8_t c = bytes[at];
    size_t before = at - lexer->at; /* bytes of this text that nothing has been made of yet */
    lexer->at = at;
    if (before == 0)
        return;
    if (c == '$' && is_word(bytes[at - 1])) {
        lexer->at--; /* an identifier goes on */
        skip_identifier(lexer);
    } else if (is_digit(c) && bytes[at - 1] == '.') {
        lexer->at--;
    } else if (c == '\'' && (before == 1 || !is_word(bytes[at - 2]))) {
        lexer->at--;
        lexer->at += !is_string_prefix(lexer);
    }
}

size_t fg_redact_sql(struct fg_slice text, struct fg_buffer *out)
{
    struct lexer lexer = {.text = text, .out = out, .out_begin = out->size};
    while (lexer.at < text.size && !out->error) {
        size_t at = next_begin(&lexer);
        if (at >= text.size)
            break;
        step_to(&lexer, at);
        if (lexer.at < text.size)
            take_one(&lexer);
    }
    fg_buffer_append(out, text.data + lexer.kept, text.size - lexer.kept);
    return lexer.removed;
}
