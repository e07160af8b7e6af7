/* What a check reports, put together. Texts are cut to FG_CHECK_TEXT_SIZE_MAX, between characters;
 * what is over the counts is counted and dropped, the worst findings last. */
#include "monitor/check.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_SIZE (2 * (size_t)FG_CHECK_TEXT_SIZE_MAX)

/* A sentence while it is put together. */
struct parts {
    va_list args;
    char text[TEXT_SIZE], form[TEXT_SIZE], part[TEXT_SIZE];
    size_t text_size, form_size;
};

/* Size of text's longest part of at most size bytes that ends between characters. */
static size_t cut_size(struct fg_slice text, size_t size)
{
    if (text.size <= size)
        return text.size;
    while (size > 0 && (text.data[size] & 0xc0) == 0x80)
        size--;
    return size;
}

static struct fg_slice keep(struct fg_check_report *report, struct fg_slice text)
{
    text.size = cut_size(text, FG_CHECK_TEXT_SIZE_MAX);
    return fg_arena_copy(report->arena, text);
}

/* The value of this key, new or to be replaced; NULL where there is no room. */
static struct fg_check_value *value_of(struct fg_check_report *report, const char *key)
{
    struct fg_slice name = fg_slice_from_string(key);
    for (uint32_t i = 0; i < report->value_count; i++)
        if (fg_slice_equal(report->values[i].key, name))
            return &report->values[i];
    if (report->value_count == FG_CHECK_VALUES_MAX) {
        report->values_dropped++;
        return NULL;
    }
    struct fg_check_value *value = &report->values[report->value_count++];
    value->key = name;
    return value;
}

void fg_check_bool(struct fg_check_report *report, const char *key, bool boolean)
{
    struct fg_check_value *value = value_of(report, key);
    if (!value)
        return;
    value->type = FG_CHECK_VALUE_BOOL;
    value->boolean = boolean;
}

void fg_check_int(struct fg_check_report *report, const char *key, int64_t integer)
{
    struct fg_check_value *value = value_of(report, key);
    if (!value)
        return;
    value->type = FG_CHECK_VALUE_INT;
    value->integer = integer;
}

void fg_check_double(struct fg_check_report *report, const char *key, double real)
{
    struct fg_check_value *value = value_of(report, key);
    if (!value)
        return;
    value->type = FG_CHECK_VALUE_DOUBLE;
    value->real = real;
}

void fg_check_text(struct fg_check_report *report, const char *key, struct fg_slice text)
{
    struct fg_check_value *value = value_of(report, key);
    if (!value)
        return;
    value->type = FG_CHECK_VALUE_TEXT;
    value->text = keep(report, text);
}

/* ok, degraded, unknown, down */
static int badness(enum fg_check_result result)
{
    static const int ranks[] = {
        [FG_CHECK_OK] = 0, [FG_CHECK_DEGRADED] = 1, [FG_CHECK_DOWN] = 3, [FG_CHECK_UNKNOWN] = 2};
    return ranks[result];
}

/* Where a new finding may go: behind the others, or in the place of the least of them that it is
 * worse than. */
static struct fg_check_finding *finding_room(struct fg_check_report *report,
                                             enum fg_check_result result)
{
    if (report->finding_count < FG_CHECK_FINDINGS_MAX)
        return &report->findings[report->finding_count++];
    report->findings_dropped++;
    for (uint32_t i = 0; i < report->finding_count; i++)
        if (badness(report->findings[i].result) < badness(result))
            return &report->findings[i];
    return NULL;
}

/* One conversion of a format: "%", what may stand between, and its letter. */
struct conversion {
    char format[24];
    char letter;
    unsigned longs; /* l: 1, ll: 2, z: 3 */
};

/* Behind it; the precisions and widths that are arguments are written out. */
static const char *read_conversion(const char *at, struct parts *parts, struct conversion *ret)
{
    size_t size = 0;
    *ret = (struct conversion){.letter = 0};
    ret->format[size++] = *at++;
    while (*at && strchr("0123456789.*-+ #lz", *at)) {
        assert(size < sizeof ret->format - 12);
        ret->longs += *at == 'l' ? 1 : *at == 'z' ? 3 : 0;
        if (*at == '*')
            size += (size_t)snprintf(ret->format + size, 11, "%d", va_arg(parts->args, int));
        else
            ret->format[size++] = *at;
        at++;
    }
    ret->letter = *at;
    ret->format[size++] = *at;
    return at + 1;
}

#define FORMAT(parts_, conversion_, type_)                                                         \
    snprintf((parts_)->part, sizeof(parts_)->part, (conversion_)->format,                          \
             va_arg((parts_)->args, type_))

static void format_part(struct parts *parts, const struct conversion *conversion)
{
    bool is_integer = strchr("diux", conversion->letter) != NULL;
    assert(conversion->letter && strchr("diuxscfge", conversion->letter));
    /* The branches differ in the type that they take. NOLINTBEGIN(bugprone-branch-clone) */
    if (conversion->letter == 's')
        FORMAT(parts, conversion, const char *);
    else if (!is_integer && conversion->letter != 'c')
        FORMAT(parts, conversion, double);
    else if (conversion->longs == 0)
        FORMAT(parts, conversion, int);
    else if (conversion->longs == 1)
        FORMAT(parts, conversion, long);
    else if (conversion->longs == 2)
        FORMAT(parts, conversion, long long);
    else
        FORMAT(parts, conversion, size_t);
    /* NOLINTEND(bugprone-branch-clone) */
}

/* Texts past their room are cut. */
static void append(char *text, size_t *size, const char *part, size_t part_size)
{
    size_t room = TEXT_SIZE - 1 - *size;
    size_t taken = part_size < room ? part_size : room;
    memcpy(text + *size, part, taken);
    *size += taken;
    text[*size] = 0;
}

/* The sentence and its form, and each part into the finding. */
static void say(struct fg_check_report *report, const char *format, struct parts *parts,
                struct fg_check_finding *finding)
{
    for (const char *at = format; *at;) {
        size_t plain = strcspn(at, "%");
        append(parts->text, &parts->text_size, at, plain);
        append(parts->form, &parts->form_size, at, plain);
        at += plain;
        if (!*at)
            break;
        if (at[1] == '%') {
            append(parts->text, &parts->text_size, at, 1);
            append(parts->form, &parts->form_size, at, 1);
            at += 2;
            continue;
        }
        struct conversion conversion;
        char hole[4];
        at = read_conversion(at, parts, &conversion);
        format_part(parts, &conversion);
        assert(finding->part_count < FG_CHECK_PARTS_MAX);
        finding->parts[finding->part_count++] = keep(report, fg_slice_from_string(parts->part));
        snprintf(hole, sizeof hole, "{%c}", (char)('0' + finding->part_count));
        append(parts->text, &parts->text_size, parts->part, strlen(parts->part));
        append(parts->form, &parts->form_size, hole, 3);
    }
    finding->text = keep(report, fg_slice_from_string(parts->text));
    finding->form = keep(report, fg_slice_from_string(parts->form));
}

void fg_check_finding(struct fg_check_report *report, enum fg_check_result result, const char *code,
                      bool standing, const char *format, ...)
{
    struct fg_check_finding *room = finding_room(report, result);
    struct fg_check_finding finding = {.result = result, .code = code, .standing = standing};
    struct parts parts = {.text_size = 0};
    if (!room)
        return;
    va_start(parts.args, format);
    say(report, format, &parts, &finding);
    va_end(parts.args);
    *room = finding;
}

bool fg_check_is_cancelled(const struct fg_check_report *report)
{
    return report->cancelled && *report->cancelled;
}

enum fg_check_result fg_check_worst(const struct fg_check_report *report)
{
    enum fg_check_result worst = FG_CHECK_OK;
    for (uint32_t i = 0; i < report->finding_count; i++)
        if (badness(report->findings[i].result) > badness(worst))
            worst = report->findings[i].result;
    return worst;
}
