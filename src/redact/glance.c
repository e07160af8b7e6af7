/* The look that spares nearly all texts the walk of fg_redact_find(): which bytes are there, and
 * how many. */
#include "redact/value.h"

#include "lanes.h"

typedef fg_lanes vec;
typedef uint32_t fours __attribute__((vector_size(16)));

#define VEC_SIZE FG_LANES_SIZE
/* Blocks between two sums: a lane counts to 255, and the rest is one block more. */
#define BLOCKS_MAX 254u

#define CARD_DIGITS  13u
#define PHONE_DIGITS 8u
#define KEY_DASHES   10u
#define JWT_DOTS     2u

struct census {
    size_t digits, dots, dashes;
    bool at, plus, blank, assign; /* plus: or a parenthesis; assign: an equals sign or a colon */
};

struct lanes {
    vec digits, dots, dashes;    /* counts */
    vec at, plus, blank, assign; /* masks */
};

/* Eight bytes added up: pairs first, since their sum may be more than a byte holds. */
static inline size_t sum_word(uint64_t word)
{
    const uint64_t evens = UINT64_C(0x00ff00ff00ff00ff);
    uint64_t pairs = (word & evens) + (word >> 8 & evens);
    return pairs * UINT64_C(0x0001000100010001) >> 48;
}

static inline size_t sum(vec lanes)
{
    uint64_t halves[2];
    memcpy(halves, &lanes, sizeof halves);
    return (halves[0] | halves[1]) == 0 ? 0 : sum_word(halves[0]) + sum_word(halves[1]);
}

/* The first `size` bytes of a block, 1 to 15; the others are 0. Without a call: most texts are
 * short. */
static inline vec load_rest(const uint8_t *bytes, size_t size)
{
    uint64_t halves[2] = {0};
    if (size > 8) {
        memcpy(&halves[0], bytes, 8);
        memcpy(&halves[1], bytes + size - 8, 8);
        halves[1] >>= 8 * (16 - size); /* what the first half has already goes */
    } else if (size >= 4) {
        uint32_t first, last;
        memcpy(&first, bytes, 4);
        memcpy(&last, bytes + size - 4, 4);
        halves[0] = first | (uint64_t)last << 8 * (size - 4);
    } else {
        halves[0] = bytes[0] | (uint64_t)bytes[size / 2] << 8 * (size / 2) |
                    (uint64_t)bytes[size - 1] << 8 * (size - 1);
    }
    vec lanes;
    memcpy(&lanes, halves, sizeof lanes);
    return lanes;
}

/* A mask's lanes are all ones: subtracting it counts one up. Taken and given by value, so that the
 * lanes stay in the processor's registers. */
static inline struct lanes look(struct lanes lanes, vec block)
{
    lanes.digits -= fg_lanes_digits(block);
    lanes.dots -= (vec)(block == '.');
    lanes.dashes -= (vec)(block == '-');
    lanes.at |= (vec)(block == '@');
    lanes.plus |= (vec)(block == '+') | (vec)(block == '(');
    lanes.blank |= (vec)(block == ' ');
    lanes.assign |= (vec)(block == '=') | (vec)(block == ':');
    return lanes;
}

static inline struct lanes add_counts(struct lanes lanes, struct census *census)
{
    census->digits += sum(lanes.digits);
    census->dots += sum(lanes.dots);
    census->dashes += sum(lanes.dashes);
    lanes.digits = lanes.dots = lanes.dashes = (vec){0};
    return lanes;
}

static inline struct census take_census(struct fg_slice text)
{
    struct census census = {0};
    struct lanes lanes = {0};
    size_t at = 0, blocks = 0;
    for (; text.size - at >= VEC_SIZE; at += VEC_SIZE) {
        lanes = look(lanes, fg_lanes_load(text.data + at));
        if (++blocks == BLOCKS_MAX) {
            lanes = add_counts(lanes, &census);
            blocks = 0;
        }
    }
    if (at < text.size)
        lanes = look(lanes, load_rest(text.data + at, text.size - at));
    (void)add_counts(lanes, &census);
    census.at = fg_lanes_any(lanes.at);
    census.plus = fg_lanes_any(lanes.plus);
    census.blank = fg_lanes_any(lanes.blank);
    census.assign = fg_lanes_any(lanes.assign);
    return census;
}

/* As many bytes in a row that a card's number may be of as make one possible: thirteen have two
 * fours of their own in them, one behind the other, that begin at multiples of four. Looked for
 * only where there are digits enough; most such texts have not even one four. */
static bool has_run(struct fg_slice text)
{
    fours last = {0}, run = {0};
    for (size_t at = 0; at < text.size; at += VEC_SIZE) {
        size_t rest = text.size - at;
        vec block =
            rest < VEC_SIZE ? load_rest(text.data + at, rest) : fg_lanes_load(text.data + at);
        vec of_card = fg_lanes_digits(block) | (vec)((block == '-') | (block == ' '));
        fours whole = (fours)((fours)of_card == UINT32_MAX);
        if (!fg_lanes_any((vec)(whole | last)))
            continue;
        run |= whole & (fours)__builtin_shufflevector(last, whole, 3, 4, 5, 6);
        last = whole;
    }
    return fg_lanes_any((vec)run);
}

static bool ends_with(struct fg_slice text, size_t end, const char *lower)
{
    size_t size = strlen(lower);
    if (end < size)
        return false;
    for (size_t i = 0; i < size; i++)
        if ((text.data[end - size + i] | 0x20) != (uint8_t)lower[i])
            return false;
    return true;
}

/* at: a blank. */
static bool is_scheme(struct fg_slice text, size_t at)
{
    return ends_with(text, at, "bearer") || ends_with(text, at, "basic");
}

/* A blank behind "bearer" or "basic". */
static bool has_scheme(struct fg_slice text)
{
    size_t at = 1;
    for (; text.size - at >= VEC_SIZE; at += VEC_SIZE) {
        vec low = fg_lanes_load(text.data + at - 1) | 0x20;
        vec ends = (vec)(fg_lanes_load(text.data + at) == ' ') & (vec)((low == 'r') | (low == 'c'));
        for (; fg_lanes_any(ends); ends[fg_lanes_first(ends)] = 0)
            if (is_scheme(text, at + fg_lanes_first(ends)))
                return true;
    }
    for (; at < text.size; at++)
        if (text.data[at] == ' ' && is_scheme(text, at))
            return true;
    return false;
}

/* "eyJ": what base64url makes of {" and so the begin of a JSON web token. */
static bool has_jwt_begin(struct fg_slice text)
{
    size_t at = 0;
    for (; text.size - at >= VEC_SIZE + 2; at += VEC_SIZE) {
        const uint8_t *bytes = text.data + at;
        vec begins = (vec)(fg_lanes_load(bytes) == 'e') & (vec)(fg_lanes_load(bytes + 1) == 'y') &
                     (vec)(fg_lanes_load(bytes + 2) == 'J');
        if (fg_lanes_any(begins))
            return true;
    }
    for (; text.size - at >= 3; at++)
        if (memcmp(text.data + at, "eyJ", 3) == 0)
            return true;
    return false;
}

unsigned fg_redact_glance(struct fg_slice text, unsigned kinds)
{
    if (!FG_LANES_ON)
        return kinds & FG_REDACT_KINDS_FOUND;
    /* The shortest of all is a secret: pwd=x */
    if (text.size < 5 || (kinds & FG_REDACT_KINDS_FOUND) == 0)
        return 0;
    struct census census = take_census(text);
    unsigned found = 0;
    if (census.at)
        found |= FG_REDACT_EMAIL | FG_REDACT_SECRET;
    if (census.digits >= CARD_DIGITS && kinds & FG_REDACT_CARD && has_run(text))
        found |= FG_REDACT_CARD;
    if (census.digits >= PHONE_DIGITS && census.plus)
        found |= FG_REDACT_PHONE;
    if (census.dashes >= KEY_DASHES)
        found |= FG_REDACT_PRIVATE_KEY;
    if (census.assign)
        found |= FG_REDACT_SECRET;
    found &= kinds;
    if (kinds & FG_REDACT_TOKEN &&
        ((census.dots >= JWT_DOTS && has_jwt_begin(text)) || (census.blank && has_scheme(text))))
        found |= FG_REDACT_TOKEN;
    return found;
}
