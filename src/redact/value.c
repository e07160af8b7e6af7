/* One walk over the text. A table says of each byte whether something could begin (or, for an
 * e-mail address, turn) there; nearly all texts are left after that. */
#include "redact/value.h"

#define CARD_DIGITS_MIN 13u
#define CARD_DIGITS_MAX 19u
#define TOKEN_SIZE_MIN  8u
#define JWT_PART_MIN    4u

enum { DIGIT = 1, AT = 2, TOKEN = 4, WORD = 8, LOCAL = 16, TOKEN68 = 32 };

static unsigned class_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return DIGIT | WORD | LOCAL | TOKEN68;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return WORD | LOCAL | TOKEN68 | (c == 'b' || c == 'B' || c == 'e' ? TOKEN : 0u);
    switch (c) {
    case '@':
        return AT;
    case '.':
    case '_':
    case '+':
    case '-':
        return LOCAL | TOKEN68;
    case '%':
        return LOCAL;
    case '~':
    case '/':
    case '=':
        return TOKEN68;
    default:
        return 0;
    }
}

struct match {
    size_t begin, end;
    const char *word;
};

static bool is_class(struct fg_slice text, size_t at, unsigned wanted)
{
    return at < text.size && (class_of(text.data[at]) & wanted) != 0;
}

/* Luhn's sum over digits, the last one counting once. */
static bool passes_luhn(const uint8_t *digits, size_t count)
{
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = digits[count - 1 - i];
        if (i % 2) {
            digit *= 2;
            digit -= digit > 9 ? 9 : 0;
        }
        sum += digit;
    }
    return sum % 10 == 0 && sum > 0;
}

/* at: a digit with no letter or digit before it. *ret_end is where the run of digits ends. */
static bool match_card(struct fg_slice text, size_t at, size_t *ret_end)
{
    uint8_t digits[CARD_DIGITS_MAX];
    size_t count = 0, end = at;
    for (size_t i = at; i < text.size; i++) {
        if (is_class(text, i, DIGIT)) {
            if (count < CARD_DIGITS_MAX)
                digits[count] = (uint8_t)(text.data[i] - '0');
            count++;
            end = i + 1;
        } else if ((text.data[i] != ' ' && text.data[i] != '-') || !is_class(text, i + 1, DIGIT)) {
            break;
        }
    }
    *ret_end = end;
    return count >= CARD_DIGITS_MIN && count <= CARD_DIGITS_MAX && !is_class(text, end, WORD) &&
           passes_luhn(digits, count);
}

/* at: an '@'. from: what lies before was given out already. */
static bool match_email(struct fg_slice text, size_t from, size_t at, struct match *ret_match)
{
    size_t begin = at, end = at + 1, last_dot = 0;
    while (begin > from && is_class(text, begin - 1, LOCAL))
        begin--;
    while (end < text.size && (is_class(text, end, WORD) || text.data[end] == '-' ||
                               (text.data[end] == '.' && is_class(text, end + 1, WORD)))) {
        if (text.data[end] == '.')
            last_dot = end;
        end++;
    }
    if (begin == at || last_dot <= at + 1 || end - last_dot < 3)
        return false;
    *ret_match = (struct match){begin, end, "[email]"};
    return true;
}

static size_t skip_class(struct fg_slice text, size_t at, unsigned wanted)
{
    while (is_class(text, at, wanted))
        at++;
    return at;
}

static bool has_prefix(struct fg_slice text, size_t at, const char *lower)
{
    for (; *lower; lower++, at++)
        if (at >= text.size || (text.data[at] | 0x20) != (uint8_t)*lower)
            return false;
    return true;
}

/* at: a b or e with no letter or digit before it. */
static bool match_token(struct fg_slice text, size_t at, struct match *ret_match)
{
    size_t word_size = has_prefix(text, at, "bearer ") ? 7 : has_prefix(text, at, "basic ") ? 6 : 0;
    size_t begin = at + word_size;
    if (word_size) {
        size_t end = skip_class(text, begin, TOKEN68);
        *ret_match = (struct match){begin, end, "[token]"};
        return end - begin >= TOKEN_SIZE_MIN;
    }
    /* A JSON web token: base64url of {"…, a dot, a payload, a dot, a signature. */
    if (!has_prefix(text, at, "eyj"))
        return false;
    size_t end = skip_class(text, at, TOKEN68);
    size_t dots = 0, part = 0;
    for (size_t i = at; i < end; i++) {
        if (text.data[i] == '.' && part >= JWT_PART_MIN) {
            dots++;
            part = 0;
        } else {
            part++;
        }
    }
    *ret_match = (struct match){at, end, "[token]"};
    return dots >= 2;
}

/* The first match at or after from. */
static bool find(struct fg_slice text, size_t from, unsigned kinds, struct match *ret_match)
{
    unsigned interesting = (kinds & FG_REDACT_CARD ? DIGIT : 0u) |
                           (kinds & FG_REDACT_EMAIL ? AT : 0u) |
                           (kinds & FG_REDACT_TOKEN ? TOKEN : 0u);
    for (size_t i = from; i < text.size; i++) {
        unsigned found = class_of(text.data[i]) & interesting;
        if (!found)
            continue;
        if (found & AT) {
            if (match_email(text, from, i, ret_match))
                return true;
            continue;
        }
        if (i > from && is_class(text, i - 1, WORD))
            continue;
        size_t end = i + 1;
        if (found & DIGIT && match_card(text, i, &end)) {
            *ret_match = (struct match){i, end, "[card]"};
            return true;
        }
        if (found & TOKEN && match_token(text, i, ret_match))
            return true;
        i = end - 1;
    }
    return false;
}

size_t fg_redact_text(struct fg_slice text, unsigned kinds, struct fg_buffer *out)
{
    size_t count = 0, at = 0;
    struct match match;
    while (find(text, at, kinds, &match)) {
        fg_buffer_append(out, text.data + at, match.begin - at);
        fg_buffer_append_string(out, match.word);
        at = match.end;
        count++;
    }
    if (count)
        fg_buffer_append(out, text.data + at, text.size - at);
    return count;
}
