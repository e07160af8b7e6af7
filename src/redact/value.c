/* A glance says whether a text could hold anything; one walk finds what it holds. A table says of
 * each byte whether something could begin (or, for an e-mail address, turn) there. */
#include "redact/value.h"

#include "lanes.h"

#define CARD_DIGITS_MIN  13u
#define CARD_DIGITS_MAX  19u
#define PHONE_DIGITS_MIN 8u
#define PHONE_DIGITS_MAX 15u
#define LOCAL_DIGITS_MIN 6u /* of a number behind its area code */
#define LOCAL_DIGITS_MAX 8u
#define TOKEN_SIZE_MIN   8u
#define JWT_PART_MIN     4u
/* Between -----BEGIN and its closing dashes. */
#define LABEL_SIZE_MAX 64u

enum {
    DIGIT = 1,
    AT = 2,
    TOKEN = 4,
    WORD = 8,
    LOCAL = 16,
    TOKEN68 = 32,
    PHONE = 64,
    DASH = 128,
    ASSIGN = 256,
};

#define DIGITS  (DIGIT | WORD | LOCAL | TOKEN68)
#define LETTERS (WORD | LOCAL | TOKEN68)

static const uint16_t classes[256] = {
    ['0' ... '9'] = DIGITS,
    ['A'] = LETTERS,
    ['B'] = LETTERS | TOKEN,
    ['C' ... 'D'] = LETTERS,
    ['E'] = LETTERS | TOKEN,
    ['F' ... 'Z'] = LETTERS,
    ['a'] = LETTERS,
    ['b'] = LETTERS | TOKEN,
    ['c' ... 'd'] = LETTERS,
    ['e'] = LETTERS | TOKEN,
    ['f' ... 'z'] = LETTERS,
    ['@'] = AT,
    ['+'] = LOCAL | TOKEN68 | PHONE,
    ['-'] = LOCAL | TOKEN68 | DASH,
    ['.'] = LOCAL | TOKEN68,
    ['_'] = LOCAL | TOKEN68,
    ['%'] = LOCAL,
    ['~'] = TOKEN68,
    ['/'] = TOKEN68,
    ['='] = TOKEN68 | ASSIGN,
    [':'] = ASSIGN,
    ['('] = PHONE,
};

static bool is_class(struct fg_slice text, size_t at, unsigned wanted)
{
    return at < text.size && (classes[text.data[at]] & wanted) != 0;
}

static size_t skip_class(struct fg_slice text, size_t at, unsigned wanted)
{
    while (is_class(text, at, wanted))
        at++;
    return at;
}

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool has_prefix(struct fg_slice text, size_t at, const char *lower)
{
    for (; *lower; lower++, at++)
        if (at >= text.size || fold(text.data[at]) != (uint8_t)*lower)
            return false;
    return true;
}

static bool has_exactly(struct fg_slice text, size_t at, const char *bytes)
{
    size_t size = strlen(bytes);
    return at <= text.size && text.size - at >= size && memcmp(text.data + at, bytes, size) == 0;
}

/* -- Cards
 * -------------------------------------------------------------------------------------------- */

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

/* First digits and lengths that card schemes issue. Without this every tenth long number would be a
 * card. */
static bool is_issued(const uint8_t *digits, size_t count)
{
    static const struct {
        unsigned first, last; /* of the first four digits */
        size_t min, max;
    } ranges[] = {
        {2200, 2204, 16, 19},                       /* Mir */
        {2221, 2720, 16, 16},                       /* Mastercard */
        {3000, 3059, 14, 19},                       /* Diners Club */
        {3095, 3095, 14, 19}, {3400, 3499, 15, 15}, /* American Express */
        {3528, 3589, 16, 19},                       /* JCB */
        {3600, 3699, 14, 19}, {3700, 3799, 15, 15}, {3800, 3999, 14, 19},
        {4000, 4999, 13, 13},                                             /* Visa */
        {4000, 4999, 16, 16}, {4000, 4999, 19, 19}, {5000, 5099, 13, 19}, /* Maestro */
        {5100, 5599, 16, 16},                                             /* Mastercard */
        {5600, 5899, 13, 19}, {6000, 6099, 13, 19}, /* Maestro, Discover, RuPay */
        {6200, 6299, 16, 19},                       /* UnionPay */
        {6300, 6399, 13, 19}, {6400, 6599, 16, 19}, {6700, 6799, 13, 19},
        {8100, 8199, 16, 19},
    };
    unsigned first = 0;
    for (size_t i = 0; i < 4; i++)
        first = first * 10 + digits[i];
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (first >= ranges[i].first && first <= ranges[i].last && count >= ranges[i].min &&
            count <= ranges[i].max)
            return true;
    return false;
}

static bool is_card(const uint8_t *digits, size_t count)
{
    return count >= CARD_DIGITS_MIN && count <= CARD_DIGITS_MAX && is_issued(digits, count) &&
           passes_luhn(digits, count);
}

bool fg_redact_is_card(uint64_t number)
{
    uint8_t reversed[20], digits[20];
    size_t count = 0;
    for (; number; number /= 10)
        reversed[count++] = (uint8_t)(number % 10);
    for (size_t i = 0; i < count; i++)
        digits[i] = reversed[count - 1 - i];
    return is_card(digits, count);
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
    return !is_class(text, end, WORD) && is_card(digits, count);
}

/* -- Addresses and telephone numbers
 * ------------------------------------------------------------------ */

/* at: an '@'. from: what lies before was given out already. */
static bool match_email(struct fg_slice text, size_t from, size_t at,
                        struct fg_redact_match *ret_match)
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
    *ret_match = (struct fg_redact_match){begin, end, FG_REDACT_EMAIL};
    return true;
}

static bool is_separator(uint8_t c)
{
    return c == ' ' || c == '-' || c == '.' || c == '(' || c == ')';
}

/* Digits from at on, with separators between them. *ret_end: past the last digit. */
static size_t count_digits(struct fg_slice text, size_t at, size_t *ret_end, bool *ret_separated)
{
    size_t count = 0, separators = 0;
    *ret_end = at;
    *ret_separated = false;
    for (size_t i = at; i < text.size; i++) {
        if (is_class(text, i, DIGIT)) {
            *ret_separated |= count > 0 && separators > 0;
            count++;
            separators = 0;
            *ret_end = i + 1;
        } else if (!is_separator(text.data[i]) || ++separators > 2) {
            break;
        }
    }
    return count;
}

/* at: a '+' or a '('. */
static bool match_phone(struct fg_slice text, size_t at, struct fg_redact_match *ret_match)
{
    size_t end;
    bool is_separated;
    size_t count = count_digits(text, at + 1, &end, &is_separated);
    *ret_match = (struct fg_redact_match){at, end, FG_REDACT_PHONE};
    if (is_class(text, end, WORD))
        return false;
    if (text.data[at] == '+')
        return count >= PHONE_DIGITS_MIN && count <= PHONE_DIGITS_MAX &&
               is_class(text, at + 1, DIGIT) && text.data[at + 1] != '0';
    size_t closing = skip_class(text, at + 1, DIGIT);
    size_t area = closing - at - 1;
    if (area < 3 || area > 4 || closing >= text.size || text.data[closing] != ')')
        return false;
    size_t local = count_digits(text, closing + 1, &end, &is_separated);
    return local >= LOCAL_DIGITS_MIN && local <= LOCAL_DIGITS_MAX && is_separated;
}

/* -- Credentials
 * -------------------------------------------------------------------------------------- */

static int base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* "user:password" in base64: all of it prints, and a colon is there. Words like "basic
 * authentication" are no credentials. */
static bool is_basic(struct fg_slice text)
{
    uint32_t bits = 0;
    unsigned count = 0;
    bool has_colon = false;
    for (size_t i = 0; i < text.size && text.data[i] != '='; i++) {
        int value = base64_value(text.data[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count < 8)
            continue;
        count -= 8;
        uint8_t byte = (uint8_t)(bits >> count);
        if (byte < 0x20 || byte == 0x7f)
            return false;
        has_colon |= byte == ':';
    }
    return has_colon;
}

/* Rather too much than too little: what is no word of a sentence about bearer tokens is one. */
static bool is_bearer(struct fg_slice text)
{
    static const char *const words[] = {"authentication", "authorization", "credentials",
                                        "credential",     "challenge",     "required",
                                        "expected"};
    while (text.size > 0 && text.data[text.size - 1] == '.')
        text.size--;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (text.size == strlen(words[i]) && has_prefix(text, 0, words[i]))
            return false;
    return text.size >= TOKEN_SIZE_MIN;
}

static size_t skip_base64url(struct fg_slice text, size_t at)
{
    while (is_class(text, at, WORD) ||
           (at < text.size && (text.data[at] == '-' || text.data[at] == '_')))
        at++;
    return at;
}

/* A JSON web token: base64url of {"…, a dot, a payload, a dot, a signature. at: its first letter,
 * with nothing before it that would be part of it, so that no text is read twice. */
static bool match_jwt(struct fg_slice text, size_t at, struct fg_redact_match *ret_match)
{
    if (at > 0 && (text.data[at - 1] == '-' || text.data[at - 1] == '_'))
        return false;
    size_t end = at;
    for (int part = 0; part < 2; part++) {
        size_t begin = end;
        end = skip_base64url(text, begin);
        if (end - begin < JWT_PART_MIN || end >= text.size || text.data[end++] != '.')
            return false;
    }
    *ret_match = (struct fg_redact_match){at, skip_class(text, end, TOKEN68), FG_REDACT_TOKEN};
    return true;
}

/* at: a b or e with no letter or digit before it. */
static bool match_token(struct fg_slice text, size_t at, struct fg_redact_match *ret_match)
{
    bool bearer = has_prefix(text, at, "bearer "), basic = has_prefix(text, at, "basic ");
    if (bearer || basic) {
        size_t begin = at + (bearer ? 7 : 6);
        size_t end = skip_class(text, begin, TOKEN68);
        *ret_match = (struct fg_redact_match){begin, end, FG_REDACT_TOKEN};
        struct fg_slice token = fg_slice(text.data + begin, end - begin);
        return bearer ? is_bearer(token) : token.size >= TOKEN_SIZE_MIN && is_basic(token);
    }
    return has_exactly(text, at, "eyJ") && match_jwt(text, at, ret_match);
}

/* at: the first of some dashes. */
static bool match_private_key(struct fg_slice text, size_t at, struct fg_redact_match *ret_match)
{
    static const char closing[] = "PRIVATE KEY-----", ending[] = "-----END ", dashes[] = "-----";
    if (!has_exactly(text, at, "-----BEGIN "))
        return false;
    size_t rest = text.size - at < LABEL_SIZE_MAX ? text.size - at : LABEL_SIZE_MAX;
    if (!memmem(text.data + at, rest, closing, sizeof closing - 1))
        return false;
    /* One that was cut ends with the text. */
    size_t end = text.size;
    const uint8_t *last = memmem(text.data + at, text.size - at, ending, sizeof ending - 1);
    if (last) {
        const uint8_t *label = last + sizeof ending - 1;
        last = memmem(label, (size_t)(text.data + text.size - label), dashes, sizeof dashes - 1);
    }
    if (last)
        end = (size_t)(last - text.data) + sizeof dashes - 1;
    *ret_match = (struct fg_redact_match){at, end, FG_REDACT_PRIVATE_KEY};
    return true;
}

/* The last three letters of the names below: most names that stand before a '=' have others. */
static bool may_name_secret(struct fg_slice text, size_t end)
{
#define THREE(a, b, c) ((unsigned)(a) << 16 | (unsigned)(b) << 8 | (unsigned)(c))
    const uint8_t *last = text.data + end - 3;
    switch (THREE(last[0] | 0x20, last[1] | 0x20, last[2] | 0x20)) {
    case THREE('o', 'r', 'd'):
    case THREE('s', 'w', 'd'):
    case THREE('p', 'w', 'd'):
    case THREE('a', 's', 'e'):
    case THREE('r', 'e', 't'):
    case THREE('k', 'e', 'y'):
    case THREE('k', 'e', 'n'):
    case THREE('n', 'i', 'd'):
        return true;
    default:
        return false;
    }
#undef THREE
}

/* Whether the name that ends at `end` says that a secret follows. */
static bool names_secret(struct fg_slice text, size_t from, size_t end)
{
    static const char *const words[] = {
        "password",      "passwd",       "passphrase",  "pwd",           "secret",
        "api_key",       "apikey",       "api-key",     "access_key",    "accesskey",
        "client_secret", "access_token", "id_token",    "refresh_token", "auth_token",
        "session_token", "sessionid",    "private_key", "secretkey",     "secret_key",
    };
    if (FG_LANES_ON && (end - from < 3 || !may_name_secret(text, end)))
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t size = strlen(words[i]);
        if (end - from >= size && has_prefix(text, end - size, words[i]))
            return true;
    }
    return false;
}

static bool ends_value(uint8_t c)
{
    return c <= ' ' || c == '&' || c == ',' || c == ';' || c == '"' || c == '\'' || c == ')' ||
           c == '}' || c == '>' || c == ']';
}

/* What is already a mark or a parameter: ?, $1, %s, [token], ***, ${NAME}, :name. */
static bool is_placeholder(struct fg_slice text, size_t at)
{
    return at < text.size && strchr("?$%[*<{:", text.data[at]) != NULL && text.data[at];
}

/* Where a quoted value ends. In JSON that stands in a text its quotes have a backslash each. */
static size_t find_quote(struct fg_slice text, size_t at, uint8_t quote, bool is_escaped)
{
    while (at < text.size && text.data[at] != quote) {
        bool is_pair = text.data[at] == '\\' && at + 1 < text.size;
        if (is_pair && is_escaped && text.data[at + 1] == quote)
            break;
        at += is_pair ? 2 : 1;
    }
    return at;
}

/* at: a '=' or a ':' behind a name, which may stand in quotes. A colon needs a value in quotes: in
 * a sentence what follows is a word. */
static bool match_assignment(struct fg_slice text, size_t from, size_t at,
                             struct fg_redact_match *ret_match)
{
    size_t name_end = at, begin = at + 1;
    while (name_end > from && strchr(" \"'\\", text.data[name_end - 1]) && text.data[name_end - 1])
        name_end--;
    if (!names_secret(text, from, name_end))
        return false;
    while (begin < text.size && text.data[begin] == ' ')
        begin++;
    bool is_escaped = begin + 1 < text.size && text.data[begin] == '\\';
    begin += is_escaped;
    uint8_t quote = begin < text.size ? text.data[begin] : 0;
    bool is_quoted = quote == '"' || quote == '\'';
    begin += is_quoted;
    if ((!is_quoted && text.data[at] == ':') || is_placeholder(text, begin))
        return false;
    size_t end = begin;
    if (is_quoted)
        end = find_quote(text, begin, quote, is_escaped);
    else
        while (end < text.size && !ends_value(text.data[end]))
            end++;
    *ret_match =
        (struct fg_redact_match){begin, end < text.size ? end : text.size, FG_REDACT_SECRET};
    return end > begin;
}

/* at: an '@' behind user:password in an address. */
static bool match_userinfo(struct fg_slice text, size_t from, size_t at,
                           struct fg_redact_match *ret_match)
{
    size_t begin = at;
    bool has_colon = false;
    while (begin > from && text.data[begin - 1] > ' ' && !strchr("/?#\"'<>@", text.data[begin - 1]))
        has_colon |= text.data[--begin] == ':';
    if (!has_colon || begin < from + 3 || !has_exactly(text, begin - 3, "://") ||
        is_placeholder(text, begin) || has_exactly(text, begin, "REDACTED:REDACTED@"))
        return false;
    *ret_match = (struct fg_redact_match){begin, at, FG_REDACT_SECRET};
    return true;
}

/* -- The walk
 * ----------------------------------------------------------------------------------------- */

static unsigned interesting_bytes(unsigned kinds)
{
    return (kinds & FG_REDACT_CARD ? DIGIT : 0u) |
           (kinds & (FG_REDACT_EMAIL | FG_REDACT_SECRET) ? AT : 0u) |
           (kinds & FG_REDACT_TOKEN ? TOKEN : 0u) | (kinds & FG_REDACT_PHONE ? PHONE : 0u) |
           (kinds & FG_REDACT_PRIVATE_KEY ? DASH : 0u) | (kinds & FG_REDACT_SECRET ? ASSIGN : 0u);
}

/* The same for 16 bytes at a time; masks of the kinds that are looked for. */
struct wanted_bytes {
    fg_lanes digit, at, token, phone, dash, assign;
};

static fg_lanes mask_of(unsigned interesting, unsigned class)
{
    return (fg_lanes){0} - (uint8_t)((interesting & class) != 0);
}

static struct wanted_bytes wanted_bytes(unsigned interesting)
{
    return (struct wanted_bytes){
        .digit = mask_of(interesting, DIGIT),
        .at = mask_of(interesting, AT),
        .token = mask_of(interesting, TOKEN),
        .phone = mask_of(interesting, PHONE),
        .dash = mask_of(interesting, DASH),
        .assign = mask_of(interesting, ASSIGN),
    };
}

/* before: the bytes before those of block. What a letter or digit stands before does not begin. */
static fg_lanes interesting_in(fg_lanes block, fg_lanes before, const struct wanted_bytes *wanted)
{
    fg_lanes low = block | 0x20;
    fg_lanes around = ((fg_lanes)(block == '@') & wanted->at) |
                      ((fg_lanes)((block == '=') | (block == ':')) & wanted->assign) |
                      ((fg_lanes)(block == '-') & wanted->dash);
    fg_lanes begins = (fg_lanes_digits(block) & wanted->digit) |
                      ((fg_lanes)((block == '+') | (block == '(')) & wanted->phone) |
                      ((fg_lanes)((low == 'b') | (low == 'e')) & wanted->token);
    return around | (begins & ~(fg_lanes_digits(before) | fg_lanes_letters(before)));
}

/* The same where only what turns at a byte is looked for, as in nearly every statement with an
 * equals sign in it. */
static size_t skip_to_turn(struct fg_slice text, size_t at)
{
    for (; text.size - at >= FG_LANES_SIZE; at += FG_LANES_SIZE) {
        fg_lanes block = fg_lanes_load(text.data + at);
        fg_lanes found = (fg_lanes)((block == '@') | (block == '=') | (block == ':'));
        if (fg_lanes_any(found))
            return at + fg_lanes_first(found);
    }
    return at;
}

/* The next byte at or after `at` that the walk has to look at; at least no later. */
static size_t skip_dull(struct fg_slice text, size_t at, unsigned interesting,
                        const struct wanted_bytes *wanted)
{
    if (FG_LANES_ON && (interesting & ~(unsigned)(AT | ASSIGN)) == 0 && at <= text.size)
        return skip_to_turn(text, at);
    if (at == 0)
        return 0; /* nothing is before it */
    for (; FG_LANES_ON && at <= text.size && text.size - at >= FG_LANES_SIZE; at += FG_LANES_SIZE) {
        fg_lanes found = interesting_in(fg_lanes_load(text.data + at),
                                        fg_lanes_load(text.data + at - 1), wanted);
        if (fg_lanes_any(found))
            return at + fg_lanes_first(found);
    }
    return at;
}

/* What turns at this byte: the match begins before it, or behind it. */
static bool match_around(struct fg_slice text, size_t from, size_t at, unsigned kinds,
                         unsigned found, struct fg_redact_match *ret_match)
{
    if (found & AT)
        return (kinds & FG_REDACT_SECRET && match_userinfo(text, from, at, ret_match)) ||
               (kinds & FG_REDACT_EMAIL && match_email(text, from, at, ret_match));
    return found & ASSIGN && match_assignment(text, from, at, ret_match);
}

bool fg_redact_find(struct fg_slice text, size_t from, unsigned kinds,
                    struct fg_redact_match *ret_match)
{
    unsigned interesting = interesting_bytes(kinds);
    const struct wanted_bytes wanted = wanted_bytes(interesting);
    for (size_t i = skip_dull(text, from, interesting, &wanted); i < text.size;
         i = skip_dull(text, i + 1, interesting, &wanted)) {
        unsigned found = classes[text.data[i]] & interesting;
        if (!found)
            continue;
        if (found & (AT | ASSIGN)) {
            if (match_around(text, from, i, kinds, found, ret_match))
                return true;
            continue;
        }
        if (found & DASH) {
            if (match_private_key(text, i, ret_match))
                return true;
            i = skip_class(text, i, DASH) - 1;
            continue;
        }
        if (i > 0 && is_class(text, i - 1, WORD))
            continue;
        if (found & PHONE && match_phone(text, i, ret_match))
            return true;
        size_t end = i + 1;
        if (found & DIGIT && match_card(text, i, &end)) {
            *ret_match = (struct fg_redact_match){i, end, FG_REDACT_CARD};
            return true;
        }
        if (found & TOKEN && match_token(text, i, ret_match))
            return true;
        i = end - 1;
    }
    return false;
}

const char *fg_redact_word(enum fg_redact_kind kind)
{
    switch (kind) {
    case FG_REDACT_CARD:
        return "[card]";
    case FG_REDACT_EMAIL:
        return "[email]";
    case FG_REDACT_TOKEN:
        return "[token]";
    case FG_REDACT_PHONE:
        return "[phone]";
    case FG_REDACT_PRIVATE_KEY:
        return "[private key]";
    case FG_REDACT_SECRET:
        return "[secret]";
    case FG_REDACT_SQL:
    case FG_REDACT_URL:
        break;
    }
    return "?";
}

size_t fg_redact_text(struct fg_slice text, unsigned kinds, struct fg_buffer *out)
{
    size_t count = 0, at = 0;
    struct fg_redact_match match;
    unsigned possible = fg_redact_glance(text, kinds);
    while (possible && fg_redact_find(text, at, possible, &match)) {
        fg_buffer_append(out, text.data + at, match.begin - at);
        fg_buffer_append_string(out, fg_redact_word(match.kind));
        at = match.end;
        count++;
    }
    if (count)
        fg_buffer_append(out, text.data + at, text.size - at);
    return count;
}
