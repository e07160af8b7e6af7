/* Strings that are made of few templates: "ORD-4711", "GET /orders/4711", ids in hexadecimal.
 *
 * A template is a string's bytes with its variable parts taken out. In its place each leaves
 *   01      a decimal number below 10^18 without leading zeros
 *   02 n    a decimal number of n - 0x40 digits, the first of which is 0
 *   03 n    2 (n - 0x40) lower-case hexadecimal digits that are a word of their own
 *   04      a UUID in lower case
 * Strings that hold one of these bytes themselves make the list no list of templates.
 *
 * Bytes: varint of the number of templates; the templates, a plain list of strings; the number of
 * each string's template; then for each template and each variable of it in order, over the strings
 * of that template: numbers as an array, hexadecimal digits and UUIDs as bytes. */
#include "local/codec_internal.h"

#include "base/checked.h"
#include "base/hash.h"
#include "base/hex.h"

#include <stdlib.h>

enum { VAR_NUMBER = 1, VAR_PADDED = 2, VAR_HEX = 3, VAR_UUID = 4, VAR_END = 5 };

#define SIZE_CODE      0x40u
#define TEMPLATES_MAX  64u
#define SLOT_COUNT     256u
#define VARS_MAX       32u
#define STRINGS_MIN    4u
#define DIGITS_MAX     18u
#define HEX_DIGITS_MIN 8u
#define HEX_DIGITS_MAX 64u
#define UUID_TEXT_SIZE 36u
#define UUID_SIZE      16u

/* -- Cutting a string up */

enum { CLASS_DIGIT = 1, CLASS_HEX = 2, CLASS_WORD = 4, CLASS_CONTROL = 8 };

static const uint8_t classes[256] = {
    [1] = 8,   [2] = 8,   [3] = 8,   [4] = 8,   ['0'] = 7, ['1'] = 7, ['2'] = 7, ['3'] = 7,
    ['4'] = 7, ['5'] = 7, ['6'] = 7, ['7'] = 7, ['8'] = 7, ['9'] = 7, ['a'] = 6, ['b'] = 6,
    ['c'] = 6, ['d'] = 6, ['e'] = 6, ['f'] = 6, ['g'] = 4, ['h'] = 4, ['i'] = 4, ['j'] = 4,
    ['k'] = 4, ['l'] = 4, ['m'] = 4, ['n'] = 4, ['o'] = 4, ['p'] = 4, ['q'] = 4, ['r'] = 4,
    ['s'] = 4, ['t'] = 4, ['u'] = 4, ['v'] = 4, ['w'] = 4, ['x'] = 4, ['y'] = 4, ['z'] = 4,
    ['A'] = 4, ['B'] = 4, ['C'] = 4, ['D'] = 4, ['E'] = 4, ['F'] = 4, ['G'] = 4, ['H'] = 4,
    ['I'] = 4, ['J'] = 4, ['K'] = 4, ['L'] = 4, ['M'] = 4, ['N'] = 4, ['O'] = 4, ['P'] = 4,
    ['Q'] = 4, ['R'] = 4, ['S'] = 4, ['T'] = 4, ['U'] = 4, ['V'] = 4, ['W'] = 4, ['X'] = 4,
    ['Y'] = 4, ['Z'] = 4, ['_'] = 4,
};

struct cut {
    struct fg_buffer skeleton;
    struct fg_buffer numbers; /* 8 bytes a variable: the number, or the place in bytes */
    struct fg_buffer bytes;   /* of hexadecimal digits and UUIDs */
    uint32_t var_count;       /* of the string at hand */
};

static size_t run_of(struct fg_slice text, size_t at, uint8_t class)
{
    size_t end = at;
    while (end < text.size && (classes[text.data[end]] & class))
        end++;
    return end - at;
}

static bool is_uuid(struct fg_slice text, size_t at)
{
    if (text.size - at < UUID_TEXT_SIZE)
        return false;
    const uint8_t *p = text.data + at;
    if (p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-')
        return false;
    for (size_t i = 0; i < UUID_TEXT_SIZE; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (!dash && !(classes[p[i]] & CLASS_HEX))
            return false;
    }
    return text.size - at == UUID_TEXT_SIZE || !(classes[p[UUID_TEXT_SIZE]] & CLASS_WORD);
}

static void put_number(struct cut *cut, uint64_t value)
{
    fg_buffer_append_le64(&cut->numbers, value);
    cut->var_count++;
}

static uint8_t digit_of(uint8_t c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void put_hex(struct cut *cut, const uint8_t *text, size_t digits)
{
    put_number(cut, cut->bytes.size);
    uint8_t *p = fg_buffer_reserve(&cut->bytes, digits / 2);
    if (!p)
        return;
    for (size_t i = 0; i < digits / 2; i++)
        p[i] = (uint8_t)(digit_of(text[2 * i]) << 4 | digit_of(text[2 * i + 1]));
    cut->bytes.size += digits / 2;
}

static void put_uuid(struct cut *cut, const uint8_t *text)
{
    uint8_t digits[UUID_SIZE * 2];
    size_t n = 0;
    for (size_t i = 0; i < UUID_TEXT_SIZE; i++)
        if (text[i] != '-')
            digits[n++] = text[i];
    put_hex(cut, digits, sizeof digits);
    fg_buffer_append_byte(&cut->skeleton, VAR_UUID);
}

/* Takes a variable that starts at at; how many bytes it had, 0 for none. */
static size_t cut_variable(struct cut *cut, struct fg_slice text, size_t at, bool word_start)
{
    const uint8_t *p = text.data + at;
    if (cut->var_count == VARS_MAX)
        return 0;
    if (word_start && is_uuid(text, at)) {
        put_uuid(cut, p);
        return UUID_TEXT_SIZE;
    }
    size_t digits = run_of(text, at, CLASS_DIGIT);
    size_t hex = word_start ? run_of(text, at, CLASS_HEX) : 0;
    bool hex_word = hex >= HEX_DIGITS_MIN && hex <= HEX_DIGITS_MAX && hex % 2 == 0 &&
                    (hex > digits || digits > DIGITS_MAX) &&
                    (at + hex == text.size || !(classes[p[hex]] & CLASS_WORD));
    if (hex_word) {
        put_hex(cut, p, hex);
        fg_buffer_append_byte(&cut->skeleton, VAR_HEX);
        fg_buffer_append_byte(&cut->skeleton, (uint8_t)(SIZE_CODE + hex / 2));
        return hex;
    }
    if (digits == 0 || digits > DIGITS_MAX)
        return 0;
    uint64_t value = 0;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (p[i] - (uint64_t)'0');
    put_number(cut, value);
    bool padded = p[0] == '0' && digits > 1;
    fg_buffer_append_byte(&cut->skeleton, padded ? VAR_PADDED : VAR_NUMBER);
    if (padded)
        fg_buffer_append_byte(&cut->skeleton, (uint8_t)(SIZE_CODE + digits));
    return digits;
}

/* The string's template into cut->skeleton; false where it holds a byte that templates use. */
static bool cut_string(struct cut *cut, struct fg_slice text)
{
    fg_buffer_reset(&cut->skeleton);
    cut->var_count = 0;
    bool word_start = true;
    for (size_t at = 0; at < text.size;) {
        uint8_t class = classes[text.data[at]];
        if (class & CLASS_CONTROL)
            return false;
        size_t taken = class & CLASS_HEX ? cut_variable(cut, text, at, word_start) : 0;
        if (taken == 0) {
            fg_buffer_append_byte(&cut->skeleton, text.data[at]);
            taken = class & CLASS_DIGIT ? run_of(text, at, CLASS_DIGIT) : 1;
            fg_buffer_append(&cut->skeleton, text.data + at + 1, taken - 1);
        }
        at += taken;
        word_start = !(classes[text.data[at - 1]] & CLASS_WORD);
    }
    return true;
}

/* -- Encoding */

struct templates {
    struct fg_slice texts[TEMPLATES_MAX];
    uint32_t uses[TEMPLATES_MAX];
    uint16_t slots[SLOT_COUNT];
    uint32_t count;
    struct fg_arena arena;
};

static bool template_of(struct templates *templates, struct fg_slice text, uint64_t *ret_code)
{
    uint32_t at = (uint32_t)fg_hash(text) % SLOT_COUNT;
    while (templates->slots[at] &&
           !fg_slice_equal(templates->texts[templates->slots[at] - 1], text))
        at = (at + 1) % SLOT_COUNT;
    if (templates->slots[at] == 0) {
        if (templates->count == TEMPLATES_MAX)
            return false;
        struct fg_slice copy = fg_arena_copy(&templates->arena, text);
        if (text.size && !copy.data)
            return false;
        templates->texts[templates->count] = copy;
        templates->uses[templates->count++] = 0;
        templates->slots[at] = (uint16_t)templates->count;
    }
    *ret_code = templates->slots[at] - 1u;
    templates->uses[*ret_code]++;
    return true;
}

struct build {
    struct cut cut;
    struct templates templates;
    uint64_t *codes;  /* a string's template */
    uint64_t *values; /* of one variable */
    uint32_t *first;  /* a string's first variable */
};

static bool cut_all(struct build *build, const struct fg_slice *strings, uint32_t count)
{
    uint32_t first = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!cut_string(&build->cut, strings[i]) ||
            !template_of(&build->templates, fg_buffer_slice(&build->cut.skeleton),
                         &build->codes[i]))
            return false;
        if (build->templates.count > 16 + i / 4)
            return false;
        build->first[i] = first;
        first += build->cut.var_count;
    }
    return !build->cut.skeleton.error && !build->cut.numbers.error && !build->cut.bytes.error;
}

/* The next variable of a template from *at on; VAR_END after the last. size: its digits or bytes.
 */
static int next_variable(struct fg_slice text, size_t *at, size_t *ret_size)
{
    while (*at < text.size) {
        uint8_t byte = text.data[(*at)++];
        if (byte == 0 || byte >= VAR_END)
            continue;
        *ret_size = UUID_SIZE;
        if (byte == VAR_NUMBER || byte == VAR_UUID)
            return byte;
        uint8_t code = *at < text.size ? text.data[(*at)++] : 0;
        size_t size_max = byte == VAR_PADDED ? DIGITS_MAX : HEX_DIGITS_MAX / 2;
        if (code <= SIZE_CODE || code - SIZE_CODE > size_max)
            return FG_ECORRUPT;
        *ret_size = code - SIZE_CODE;
        return byte;
    }
    return VAR_END;
}

static void put_variable(struct fg_codec *codec, struct build *build, uint32_t count, uint32_t code,
                         uint32_t index, int kind, size_t size, struct fg_buffer *out)
{
    static const struct fg_int_context plain = {.rules = 1u << FG_RULE_PREVIOUS};
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (build->codes[i] != code)
            continue;
        size_t at = ((size_t)build->first[i] + index) * 8;
        build->values[n++] = fg_load_le64(build->cut.numbers.data + at);
    }
    if (kind == VAR_NUMBER || kind == VAR_PADDED) {
        fg_int_encode(codec, build->values, n, &plain, out);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        fg_buffer_append(out, build->cut.bytes.data + build->values[i], size);
}

static void put_all(struct fg_codec *codec, struct build *build, uint32_t count,
                    struct fg_buffer *out)
{
    static const struct fg_int_context history = {.rules = 1u << FG_RULE_PREVIOUS |
                                                           1u << FG_RULE_HISTORY};
    const struct templates *templates = &build->templates;
    fg_buffer_append_varint(out, templates->count);
    struct fg_buffer all;
    fg_buffer_init(&all, SIZE_MAX / 2);
    for (uint32_t t = 0; t < templates->count; t++) {
        build->values[t] = templates->texts[t].size;
        fg_buffer_append_slice(&all, templates->texts[t]);
    }
    fg_int_encode(codec, build->values, templates->count, NULL, out);
    fg_blob_encode(codec, fg_buffer_slice(&all), out);
    if (all.error && !out->error)
        out->error = all.error;
    fg_buffer_free(&all);
    fg_int_encode(codec, build->codes, count, &history, out);
    for (uint32_t t = 0; t < templates->count; t++) {
        size_t at = 0, size = 0;
        int kind = next_variable(templates->texts[t], &at, &size);
        for (uint32_t index = 0; kind != VAR_END; index++) {
            put_variable(codec, build, count, t, index, kind, size, out);
            kind = next_variable(templates->texts[t], &at, &size);
        }
    }
}

bool fg_template_encode(struct fg_codec *codec, const struct fg_slice *strings, uint32_t count,
                        struct fg_buffer *out)
{
    if (count < STRINGS_MIN)
        return false;
    struct build *build = calloc(1, sizeof *build);
    if (!build)
        return false; /* the plain form needs less memory */
    size_t values = count > TEMPLATES_MAX ? count : TEMPLATES_MAX;
    build->codes = malloc((size_t)count * sizeof *build->codes);
    build->values = malloc(values * sizeof *build->values);
    build->first = malloc((size_t)count * sizeof *build->first);
    fg_arena_init(&build->templates.arena, SIZE_MAX / 2);
    fg_buffer_init(&build->cut.skeleton, SIZE_MAX / 2);
    fg_buffer_init(&build->cut.numbers, SIZE_MAX / 2);
    fg_buffer_init(&build->cut.bytes, SIZE_MAX / 2);
    bool done = build->codes && build->values && build->first && cut_all(build, strings, count);
    if (done)
        put_all(codec, build, count, out);
    fg_buffer_free(&build->cut.skeleton);
    fg_buffer_free(&build->cut.numbers);
    fg_buffer_free(&build->cut.bytes);
    fg_arena_free(&build->templates.arena);
    free(build->codes);
    free(build->values);
    free(build->first);
    free(build);
    return done;
}

/* -- Decoding */

struct variable {
    int kind;
    size_t size;            /* digits of VAR_PADDED, bytes of VAR_HEX */
    const uint64_t *values; /* numbers, in the order of the template's strings */
    const uint8_t *bytes;
};

struct template
{
    struct fg_slice text;
    struct variable *variables;
    uint32_t variable_count;
    uint32_t uses; /* strings made of it; then, while they are made, those made so far */
};

static size_t decimal_size(uint64_t value)
{
    size_t size = 1;
    for (; value >= 10; value /= 10)
        size++;
    return size;
}

static int take_variable(struct fg_codec *codec, struct fg_input *in, uint32_t uses,
                         struct fg_arena *arena, struct variable *variable)
{
    static const struct fg_int_context plain = {0};
    if (variable->kind == VAR_HEX || variable->kind == VAR_UUID) {
        variable->bytes = fg_input_take(in, (size_t)uses * variable->size);
        return in->error;
    }
    uint64_t *values = fg_arena_alloc(arena, (size_t)uses * sizeof *values);
    if (!values)
        return FG_ENOMEM;
    variable->values = values;
    return fg_int_decode(codec, in, uses, &plain, values);
}

static int take_template(struct fg_codec *codec, struct fg_input *in, struct fg_arena *arena,
                         struct template *template)
{
    size_t at = 0, size = 0;
    uint32_t count = 0;
    int kind;
    while ((kind = next_variable(template->text, &at, &size)) != VAR_END) {
        if (kind < 0 || ++count > VARS_MAX)
            return fg_input_fail(in);
    }
    template->variables = fg_arena_calloc(arena, count, sizeof *template->variables);
    if (!template->variables)
        return FG_ENOMEM;
    template->variable_count = count;
    at = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct variable *variable = &template->variables[i];
        variable->kind = next_variable(template->text, &at, &variable->size);
        int r = take_variable(codec, in, template->uses, arena, variable);
        if (r < 0)
            return r;
    }
    return 0;
}

static size_t variable_text_size(const struct variable *variable, uint32_t use)
{
    switch (variable->kind) {
    case VAR_NUMBER:
        return decimal_size(variable->values[use]);
    case VAR_PADDED:
        return variable->size;
    case VAR_HEX:
        return variable->size * 2;
    default:
        return UUID_TEXT_SIZE;
    }
}

static uint8_t *write_decimal(uint8_t *p, uint64_t value, size_t size)
{
    for (size_t i = size; i-- > 0; value /= 10)
        p[i] = (uint8_t)('0' + value % 10);
    return p + size;
}

static uint8_t *write_variable(uint8_t *p, const struct variable *variable, uint32_t use)
{
    char digits[UUID_SIZE * 2];
    switch (variable->kind) {
    case VAR_NUMBER:
        return write_decimal(p, variable->values[use], decimal_size(variable->values[use]));
    case VAR_PADDED:
        return write_decimal(p, variable->values[use], variable->size);
    case VAR_HEX:
        fg_hex_encode(fg_slice(variable->bytes + (size_t)use * variable->size, variable->size),
                      (char *)p);
        return p + variable->size * 2;
    default:
        fg_hex_encode(fg_slice(variable->bytes + (size_t)use * UUID_SIZE, UUID_SIZE), digits);
        for (size_t i = 0; i < sizeof digits; i++) {
            if (i == 8 || i == 12 || i == 16 || i == 20)
                *p++ = '-';
            *p++ = (uint8_t)digits[i];
        }
        return p;
    }
}

/* Writes one string; its size was counted before. */
static uint8_t *write_string(uint8_t *p, const struct template *template, uint32_t use)
{
    const uint8_t *text = template->text.data, *end = text + template->text.size;
    const struct variable *variable = template->variables;
    while (text < end) {
        uint8_t byte = *text++;
        if (byte == 0 || byte >= VAR_END) {
            *p++ = byte;
            continue;
        }
        p = write_variable(p, variable++, use);
        if (byte == VAR_PADDED || byte == VAR_HEX)
            text++;
    }
    return p;
}

static size_t literal_size(const struct template *template)
{
    size_t size = 0;
    for (size_t i = 0; i < template->text.size; i++) {
        uint8_t byte = template->text.data[i];
        if (byte == 0 || byte >= VAR_END)
            size++;
        else if (byte == VAR_PADDED || byte == VAR_HEX)
            i++;
    }
    return size;
}

static int write_all(struct template *templates, uint32_t template_count, const uint64_t *codes,
                     uint32_t count, size_t size_max, struct fg_arena *arena,
                     struct fg_slice *strings)
{
    size_t literals[TEMPLATES_MAX];
    for (uint32_t t = 0; t < template_count; t++) {
        literals[t] = literal_size(&templates[t]);
        templates[t].uses = 0;
    }
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct template *template = &templates[codes[i]];
        size_t size = literals[codes[i]];
        for (uint32_t v = 0; v < template->variable_count; v++)
            size += variable_text_size(&template->variables[v], template->uses);
        template->uses++;
        strings[i].size = size;
        total += size; /* at most a string's few hundred bytes more than size_max: no overflow */
        if (total > size_max)
            return FG_ECORRUPT;
    }
    uint8_t *p = fg_arena_alloc(arena, total);
    if (!p)
        return FG_ENOMEM;
    for (uint32_t t = 0; t < template_count; t++)
        templates[t].uses = 0;
    for (uint32_t i = 0; i < count; i++) {
        strings[i].data = p;
        p = write_string(p, &templates[codes[i]], templates[codes[i]].uses++);
    }
    return 0;
}

static int take_texts(struct fg_codec *codec, struct fg_input *in, size_t size_max,
                      struct fg_arena *arena, struct template *templates, uint32_t count)
{
    uint64_t sizes[TEMPLATES_MAX];
    int r = fg_int_decode(codec, in, count, NULL, sizes);
    struct fg_slice all;
    if (r == 0)
        r = fg_blob_decode(codec, in, size_max, arena, &all);
    for (uint32_t t = 0; r == 0 && t < count; t++) {
        if (sizes[t] > all.size)
            return fg_input_fail(in);
        templates[t].text = fg_slice(all.data, (size_t)sizes[t]);
        all.data = all.data ? all.data + sizes[t] : NULL;
        all.size -= (size_t)sizes[t];
    }
    return r == 0 && all.size ? fg_input_fail(in) : r;
}

int fg_template_decode(struct fg_codec *codec, struct fg_input *in, uint32_t count, size_t size_max,
                       struct fg_arena *arena, struct fg_slice *strings)
{
    uint32_t template_count = (uint32_t)fg_input_varint_max(in, TEMPLATES_MAX);
    if (template_count == 0)
        return fg_input_fail(in);
    struct template templates[TEMPLATES_MAX] = {0};
    int r = take_texts(codec, in, size_max, arena, templates, template_count);
    uint64_t *codes = r < 0 ? NULL : fg_arena_alloc(arena, (size_t)count * sizeof *codes);
    if (r == 0 && !codes)
        r = FG_ENOMEM;
    if (r == 0)
        r = fg_int_decode(codec, in, count, NULL, codes);
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        if (codes[i] >= template_count)
            return fg_input_fail(in);
        templates[codes[i]].uses++;
    }
    for (uint32_t t = 0; r == 0 && t < template_count; t++)
        r = take_template(codec, in, arena, &templates[t]);
    if (r == 0)
        r = write_all(templates, template_count, codes, count, size_max, arena, strings);
    return r == FG_ECORRUPT ? fg_input_fail(in) : r;
}
