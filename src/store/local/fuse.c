/* The filter's bytes: le64 seed, le32 segment length, le32 segment count, then (count + 2) * length
 * fingerprints of a byte. The empty set is 16 bytes of zero.
 *
 * A hash h, mixed with the seed, has three places, one in each of three neighbouring segments; its
 * fingerprint is the xor of theirs. To build: places that only one hash has are found again and
 * again and taken off with their hash, until none is left; in the reverse order each hash then sets
 * the place it was taken off at. With a seed that does not work out, the next is tried, and after
 * some of them more room: where few segments hold the hashes, the paper's size is now and then just
 * too small for every seed (11 463 to 11 520 hashes in 14 segments). */
#include "local/fuse.h"

#include "base/hash.h"

#include <math.h>
#include <stdlib.h>

#define HEAD_SIZE          16u
#define SEGMENT_LENGTH_MAX (1u << 18)
#define SEEDS_MAX          64u
/* Seeds that are tried with one size. */
#define SEEDS_OF_SIZE 4u

struct places {
    uint32_t at[3];
};

static inline uint64_t mix(uint64_t hash, uint64_t seed)
{
    return fg_hash_u64(hash + seed);
}

static inline uint8_t fingerprint_of(uint64_t mixed)
{
    return (uint8_t)(mixed ^ mixed >> 32);
}

static inline struct places places_of(const struct fg_fuse *fuse, uint64_t mixed)
{
    uint64_t range = (uint64_t)fuse->segment_count * fuse->segment_length;
    uint32_t mask = fuse->segment_length - 1;
    uint32_t first = (uint32_t)(((unsigned __int128)mixed * range) >> 64);
    struct places places = {
        {first, first + fuse->segment_length, first + 2 * fuse->segment_length}};
    places.at[1] ^= (uint32_t)(mixed >> 18) & mask;
    places.at[2] ^= (uint32_t)mixed & mask;
    return places;
}

/* Section 4 of the paper: sizes that make a seed work out almost always. */
static void choose_size(uint32_t count, struct fg_fuse *fuse)
{
    double n = count < 2 ? 2 : count;
    double exponent = floor(log(n) / log(3.33) + 2.25);
    uint32_t length = 1u << (exponent < 2 ? 2 : exponent > 18 ? 18 : (unsigned)exponent);
    double factor = 0.875 + 0.25 * log(1e6) / log(n);
    double slots = n * (factor < 1.125 ? 1.125 : factor);
    double segments = ceil(slots / length) - 2;
    fuse->segment_length = length;
    fuse->segment_count = segments < 1 ? 1 : (uint32_t)segments;
}

struct build {
    struct fg_fuse fuse;
    uint32_t slot_count;
    uint64_t *xor_of; /* of the mixed hashes that have this place */
    uint32_t *uses;   /* how many they are */
    uint32_t *queue;  /* places that one hash has */
    uint64_t *order;  /* mixed hashes as they were taken off */
    uint32_t *order_place;
};

static void put_in(struct build *build, const uint64_t *hashes, uint32_t count)
{
    memset(build->xor_of, 0, build->slot_count * sizeof *build->xor_of);
    memset(build->uses, 0, build->slot_count * sizeof *build->uses);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t mixed = mix(hashes[i], build->fuse.seed);
        struct places places = places_of(&build->fuse, mixed);
        for (int k = 0; k < 3; k++) {
            build->xor_of[places.at[k]] ^= mixed;
            build->uses[places.at[k]]++;
        }
    }
}

/* Whether all were taken off. */
static bool take_off(struct build *build, uint32_t count)
{
    uint32_t waiting = 0, done = 0;
    for (uint32_t i = 0; i < build->slot_count; i++)
        if (build->uses[i] == 1)
            build->queue[waiting++] = i;
    while (waiting > 0) {
        uint32_t place = build->queue[--waiting];
        if (build->uses[place] != 1)
            continue;
        uint64_t mixed = build->xor_of[place];
        build->order[done] = mixed;
        build->order_place[done++] = place;
        struct places places = places_of(&build->fuse, mixed);
        for (int k = 0; k < 3; k++) {
            uint32_t at = places.at[k];
            build->xor_of[at] ^= mixed;
            if (--build->uses[at] == 1)
                build->queue[waiting++] = at;
        }
    }
    return done == count;
}

static void set_fingerprints(const struct build *build, uint32_t count, uint8_t *fingerprints)
{
    memset(fingerprints, 0, build->slot_count);
    for (uint32_t i = count; i-- > 0;) {
        uint64_t mixed = build->order[i];
        struct places places = places_of(&build->fuse, mixed);
        uint8_t value = fingerprint_of(mixed);
        for (int k = 0; k < 3; k++)
            if (places.at[k] != build->order_place[i])
                value ^= fingerprints[places.at[k]];
        fingerprints[build->order_place[i]] = value;
    }
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* A sorted copy without repeats. */
static uint64_t *distinct_of(const uint64_t *hashes, uint32_t count, uint32_t *ret_count)
{
    uint64_t *copy = malloc((size_t)count * sizeof *copy);
    if (!copy)
        return NULL;
    memcpy(copy, hashes, (size_t)count * sizeof *copy);
    qsort(copy, count, sizeof *copy, compare_u64);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || copy[kept - 1] != copy[i])
            copy[kept++] = copy[i];
    *ret_count = kept;
    return copy;
}

static void put(const struct build *build, uint32_t count, struct fg_buffer *out)
{
    fg_buffer_append_le64(out, build->fuse.seed);
    fg_buffer_append_le32(out, build->fuse.segment_length);
    fg_buffer_append_le32(out, build->fuse.segment_count);
    uint8_t *fingerprints = fg_buffer_reserve(out, build->slot_count);
    if (!fingerprints)
        return;
    set_fingerprints(build, count, fingerprints);
    out->size += build->slot_count;
}

static void build_free(struct build *build)
{
    free(build->xor_of);
    free(build->uses);
    free(build->queue);
    free(build->order);
    free(build->order_place);
}

/* Room for the size that build->fuse has. */
static int build_take(struct build *build, uint32_t count)
{
    build->slot_count = (build->fuse.segment_count + 2) * build->fuse.segment_length;
    build->xor_of = malloc(build->slot_count * sizeof *build->xor_of);
    build->uses = malloc(build->slot_count * sizeof *build->uses);
    build->queue = malloc(build->slot_count * sizeof *build->queue);
    build->order = malloc((size_t)count * sizeof *build->order);
    build->order_place = malloc((size_t)count * sizeof *build->order_place);
    bool done = build->xor_of && build->uses && build->queue && build->order && build->order_place;
    return done ? 0 : FG_ENOMEM;
}

/* An eighth more room, for the seeds that come now. */
static int build_grow(struct build *build, uint32_t count)
{
    struct fg_fuse fuse = build->fuse;
    fuse.segment_count += fuse.segment_count / 8 + 1;
    build_free(build);
    *build = (struct build){.fuse = fuse};
    return build_take(build, count);
}

/* Repeated hashes never work out; they are looked for only after some seeds failed. */
#define SEEDS_BEFORE_DISTINCT 2u

void fg_fuse_encode(const uint64_t *hashes, uint32_t count, struct fg_buffer *out)
{
    if (count == 0) {
        fg_buffer_append_zero(out, HEAD_SIZE);
        return;
    }
    if (count > FG_FUSE_KEYS_MAX) {
        out->error = out->error ? out->error : FG_ELIMIT;
        return;
    }
    struct build build = {0};
    uint64_t *distinct = NULL;
    choose_size(count, &build.fuse);
    int r = build_take(&build, count);
    for (uint32_t seed = 1; r == 0; seed++) {
        build.fuse.seed = fg_hash_u64(seed);
        put_in(&build, hashes, count);
        if (take_off(&build, count))
            break;
        if (seed == SEEDS_BEFORE_DISTINCT) {
            distinct = distinct_of(hashes, count, &count);
            hashes = distinct;
            r = distinct ? 0 : FG_ENOMEM;
        }
        if (seed == SEEDS_MAX)
            r = FG_ELIMIT;
        else if (r == 0 && seed % SEEDS_OF_SIZE == 0)
            r = build_grow(&build, count);
    }
    if (r == 0)
        put(&build, count, out);
    else if (!out->error)
        out->error = r;
    free(distinct);
    build_free(&build);
}

int fg_fuse_parse(struct fg_slice bytes, struct fg_fuse *ret_fuse)
{
    struct fg_input in = fg_input(bytes);
    struct fg_fuse fuse = {.seed = fg_input_le64(&in),
                           .segment_length = fg_input_le32(&in),
                           .segment_count = fg_input_le32(&in)};
    if (in.error)
        return in.error;
    if (fuse.segment_length == 0 && fuse.segment_count == 0 && fg_input_rest(&in) == 0) {
        *ret_fuse = fuse;
        return 0;
    }
    uint32_t length = fuse.segment_length;
    if (length == 0 || length > SEGMENT_LENGTH_MAX || (length & (length - 1)) != 0 ||
        fuse.segment_count == 0 ||
        fg_input_rest(&in) != ((uint64_t)fuse.segment_count + 2) * length ||
        fg_input_rest(&in) > UINT32_MAX)
        return FG_ECORRUPT;
    fuse.fingerprints = in.at;
    *ret_fuse = fuse;
    return 0;
}

bool fg_fuse_contains(const struct fg_fuse *fuse, uint64_t hash)
{
    if (!fuse->fingerprints)
        return false;
    uint64_t mixed = mix(hash, fuse->seed);
    struct places places = places_of(fuse, mixed);
    uint8_t value = fingerprint_of(mixed);
    for (int k = 0; k < 3; k++)
        value ^= fuse->fingerprints[places.at[k]];
    return value == 0;
}
