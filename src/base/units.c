#include "base/units.h"

#include "base/checked.h"

#include <stdio.h>
#include <strings.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit size_units[] = {
    {"B", 1},
    {"kB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"TB", UINT64_C(1000000000000)},
    {"KiB", 1024},
    {"MiB", 1 << 20},
    {"GiB", 1 << 30},
    {"TiB", UINT64_C(1) << 40},
};

static const struct unit duration_units[] = {
    {"ns", 1},
    {"us", 1000},
    {"ms", 1000000},
    {"s", UINT64_C(1000000000)},
    {"m", UINT64_C(60000000000)},
    {"h", UINT64_C(3600000000000)},
    {"d", UINT64_C(86400000000000)},
    {"w", UINT64_C(604800000000000)},
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* Takes digits off the front. */
static int take_number(struct fg_slice *text, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t size = 0;
    for (; size < text->size && is_digit(text->data[size]); size++) {
        if (fg_mul_overflow(value, 10u, &value) ||
            fg_add_overflow(value, (uint64_t)(text->data[size] - '0'), &value))
            return FG_ELIMIT;
    }
    if (size == 0)
        return FG_EINVALID;
    *text = fg_slice(text->data + size, text->size - size);
    *ret_value = value;
    return 0;
}

/* Takes blanks and a unit's letters off the front. No letters: FG_ENOTFOUND. */
static int take_unit(struct fg_slice *text, const struct unit *units, size_t count,
                     uint64_t *ret_factor)
{
    size_t begin = 0;
    while (begin < text->size && text->data[begin] == ' ')
        begin++;
    size_t end = begin;
    while (end < text->size && is_letter(text->data[end]))
        end++;
    if (end == begin)
        return begin == text->size && begin == 0 ? FG_ENOTFOUND : FG_EINVALID;
    for (size_t i = 0; i < count; i++) {
        if (strlen(units[i].name) != end - begin ||
            strncasecmp(units[i].name, (const char *)text->data + begin, end - begin) != 0)
            continue;
        *text = fg_slice(text->data + end, text->size - end);
        *ret_factor = units[i].factor;
        return 0;
    }
    return FG_EINVALID;
}

int fg_size_parse(struct fg_slice text, uint64_t *ret_bytes)
{
    uint64_t value, factor = 1, bytes;
    int r = take_number(&text, &value);
    if (r < 0)
        return r;
    r = take_unit(&text, size_units, sizeof size_units / sizeof *size_units, &factor);
    if ((r < 0 && r != FG_ENOTFOUND) || text.size)
        return FG_EINVALID;
    if (fg_mul_overflow(value, factor, &bytes))
        return FG_ELIMIT;
    *ret_bytes = bytes;
    return 0;
}

int fg_duration_parse(struct fg_slice text, uint64_t *ret_ns)
{
    if (fg_slice_equal(text, FG_SLICE("0"))) {
        *ret_ns = 0;
        return 0;
    }
    uint64_t ns = 0;
    do {
        uint64_t value, factor, part;
        int r = take_number(&text, &value);
        if (r < 0)
            return r;
        if (take_unit(&text, duration_units, sizeof duration_units / sizeof *duration_units,
                      &factor) < 0)
            return FG_EINVALID;
        if (fg_mul_overflow(value, factor, &part) || fg_add_overflow(ns, part, &ns))
            return FG_ELIMIT;
    } while (text.size);
    *ret_ns = ns;
    return 0;
}

/* Days from 1970-01-01 of a date in the Gregorian calendar, years 1970 up. */
static uint64_t days_from_date(uint64_t year, uint64_t month, uint64_t day)
{
    /* Years begin in March, so that the leap day is a year's last. */
    uint64_t y = month <= 2 ? year - 1 : year;
    uint64_t day_of_year = (153 * (month + (month > 2 ? UINT64_C(0) : 12) - 3) + 2) / 5 + day - 1;
    uint64_t days = y * 365 + y / 4 - y / 100 + y / 400 + day_of_year;
    return days - 719468;
}

static bool take_char(struct fg_slice *text, char a, char b)
{
    char first = text->size ? (char)text->data[0] : 0;
    if (text->size == 0 || (first != a && first != b))
        return false;
    *text = fg_slice(text->data + 1, text->size - 1);
    return true;
}

/* Exactly count digits, at most max. */
static bool take_digits(struct fg_slice *text, size_t count, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (text->size < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!is_digit(text->data[i]))
            return false;
        value = value * 10 + (uint64_t)(text->data[i] - '0');
    }
    *text = fg_slice(text->data + count, text->size - count);
    *ret_value = value;
    return value <= max;
}

/* ".482" as nanoseconds; digits past the ninth are dropped. */
static bool take_fraction(struct fg_slice *text, uint64_t *ret_ns)
{
    *ret_ns = 0;
    if (!take_char(text, '.', ','))
        return true;
    uint64_t scale = 100000000;
    size_t size = 0;
    for (; size < text->size && is_digit(text->data[size]); size++, scale /= 10)
        *ret_ns += (uint64_t)(text->data[size] - '0') * scale;
    *text = fg_slice(text->data + size, text->size - size);
    return size > 0;
}

/* "Z" or "+03:00"; seconds to take away. */
static bool take_offset(struct fg_slice *text, int64_t *ret_seconds)
{
    *ret_seconds = 0;
    if (take_char(text, 'Z', 'z'))
        return true;
    bool minus = text->size && text->data[0] == '-';
    uint64_t hours, minutes;
    if (!take_char(text, '+', '-') || !take_digits(text, 2, 23, &hours))
        return false;
    take_char(text, ':', ':');
    if (!take_digits(text, 2, 59, &minutes))
        return false;
    int64_t seconds = (int64_t)(hours * 3600 + minutes * 60);
    *ret_seconds = minus ? -seconds : seconds;
    return true;
}

static int parse_rfc3339(struct fg_slice text, uint64_t *ret_ns)
{
    uint64_t year, month, day, hour = 0, minute = 0, second = 0, fraction = 0;
    int64_t offset = 0;
    if (!take_digits(&text, 4, 9999, &year) || !take_char(&text, '-', '-') ||
        !take_digits(&text, 2, 12, &month) || !take_char(&text, '-', '-') ||
        !take_digits(&text, 2, 31, &day) || month == 0 || day == 0)
        return FG_EINVALID;
    if (text.size && (!(take_char(&text, 'T', 't') || take_char(&text, ' ', ' ')) ||
                      !take_digits(&text, 2, 23, &hour) || !take_char(&text, ':', ':') ||
                      !take_digits(&text, 2, 59, &minute) || !take_char(&text, ':', ':') ||
                      !take_digits(&text, 2, 60, &second) || !take_fraction(&text, &fraction) ||
                      !take_offset(&text, &offset) || text.size))
        return FG_EINVALID;
    if (year < 1970 || year > 2553)
        return FG_ELIMIT;
    int64_t seconds =
        (int64_t)(days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second) -
        offset;
    if (seconds < 0)
        return FG_ELIMIT;
    *ret_ns = (uint64_t)seconds * 1000000000u + fraction;
    return 0;
}

int fg_time_parse(struct fg_slice text, uint64_t *ret_ns)
{
    struct fg_slice rest = text;
    uint64_t value;
    int r = take_number(&rest, &value);
    if (r < 0)
        return r;
    if (rest.size)
        return parse_rfc3339(text, ret_ns);
    uint64_t factor = text.size <= 11   ? UINT64_C(1000000000)
                      : text.size <= 14 ? 1000000
                      : text.size <= 17 ? 1000
                                        : 1;
    if (fg_mul_overflow(value, factor, &value))
        return FG_ELIMIT;
    *ret_ns = value;
    return 0;
}

void fg_size_format(uint64_t bytes, char ret_text[FG_UNITS_TEXT_SIZE])
{
    static const char *const names[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        snprintf(ret_text, FG_UNITS_TEXT_SIZE, "%u B", (unsigned)bytes);
        return;
    }
    double value = (double)bytes / 1024;
    size_t i = 0;
    for (; value >= 1023.95 && i + 1 < sizeof names / sizeof *names; i++)
        value /= 1024;
    snprintf(ret_text, FG_UNITS_TEXT_SIZE, "%.1f %s", value, names[i]);
}

/* value in units of `unit` with three significant digits. */
static void format_decimal(uint64_t ns, uint64_t factor, const char *unit, char *ret_text)
{
    double value = (double)ns / (double)factor;
    int digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(ret_text, FG_UNITS_TEXT_SIZE, "%.*f%s", digits, value, unit);
}

void fg_duration_format(uint64_t ns, char ret_text[FG_UNITS_TEXT_SIZE])
{
    uint64_t seconds = ns / 1000000000u;
    if (ns < 1000)
        snprintf(ret_text, FG_UNITS_TEXT_SIZE, "%uns", (unsigned)ns);
    else if (ns < 999500)
        format_decimal(ns, 1000, "us", ret_text);
    else if (ns < 999500000)
        format_decimal(ns, 1000000, "ms", ret_text);
    else if (seconds < 60)
        format_decimal(ns, 1000000000, "s", ret_text);
    else if (seconds < 3600)
        snprintf(ret_text, FG_UNITS_TEXT_SIZE, "%um%02us", (unsigned)(seconds / 60),
                 (unsigned)(seconds % 60));
    else if (seconds < 86400)
        snprintf(ret_text, FG_UNITS_TEXT_SIZE, "%uh%02um", (unsigned)(seconds / 3600),
                 (unsigned)(seconds / 60 % 60));
    else
        snprintf(ret_text, FG_UNITS_TEXT_SIZE, "%ud%02uh", (unsigned)(seconds / 86400),
                 (unsigned)(seconds / 3600 % 24));
}

void fg_time_format(uint64_t ns, char ret_text[FG_UNITS_TEXT_SIZE])
{
    uint64_t seconds = ns / 1000000000u;
    uint64_t days = seconds / 86400 + 719468; /* from 0000-03-01 */
    uint64_t era = days / 146097, day_of_era = days % 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month_from_march = (5 * day_of_year + 2) / 153;
    uint64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    uint64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    uint64_t year = era * 400 + year_of_era + (month <= 2 ? 1 : 0);
    snprintf(ret_text, FG_UNITS_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)year,
             (unsigned)month, (unsigned)day, (unsigned)(seconds / 3600 % 24),
             (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60),
             (unsigned)(ns / 1000000 % 1000));
}
