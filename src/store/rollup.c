#include "rollup_state.h"

#include "base/hash.h"

#include <assert.h>
#include <stdlib.h>

#define SLOT_COUNT_MIN 1024u
/* Numbers from which on new ones are coarse, and from which on they are "other". */
#define COARSE_FROM (FG_ROLLUP_NUMBERS_MAX / 8 * 5)
#define OTHER_FROM  (FG_ROLLUP_NUMBERS_MAX / 8 * 7)

static const struct fg_slice other = FG_SLICE("other");

int fg_rollup_new(struct fg_rollup **ret_rollup)
{
    struct fg_rollup *rollup = calloc(1, sizeof *rollup);
    if (!rollup)
        return FG_ENOMEM;
    fg_idmap_init(&rollup->op_map);
    fg_idmap_init(&rollup->string_map);
    fg_arena_init(&rollup->names, (size_t)FG_ROLLUP_NAMES_SIZE_MAX + 64);
    *ret_rollup = rollup;
    return 0;
}

void fg_rollup_free(struct fg_rollup *rollup)
{
    if (!rollup)
        return;
    fg_idmap_free(&rollup->op_map);
    fg_idmap_free(&rollup->string_map);
    fg_arena_free(&rollup->names);
    free(rollup->keys);
    free(rollup->counts);
    free(rollup->ops);
    free(rollup->strings);
    free(rollup);
}

void fg_rollup_reset(struct fg_rollup *rollup)
{
    fg_idmap_clear(&rollup->op_map);
    fg_idmap_clear(&rollup->string_map);
    fg_arena_reset(&rollup->names);
    free(rollup->keys);
    free(rollup->counts);
    rollup->keys = NULL;
    rollup->counts = NULL;
    rollup->slot_count = rollup->used = 0;
    rollup->op_count = rollup->string_count = rollup->service_count = 0;
    rollup->uncounted = 0;
    rollup->epoch++;
}

uint64_t fg_rollup_uncounted(const struct fg_rollup *rollup)
{
    return rollup->uncounted;
}

uint64_t fg_rollup_size_bytes(const struct fg_rollup *rollup)
{
    return sizeof *rollup + rollup->slot_count * (sizeof *rollup->keys + sizeof *rollup->counts) +
           rollup->op_capacity * sizeof *rollup->ops +
           rollup->string_capacity * sizeof *rollup->strings + rollup->names.used_bytes;
}

/* -- Names */

struct wanted_string {
    const struct fg_rollup *rollup;
    struct fg_slice bytes;
};

static bool is_wanted_string(const void *context, uint32_t id)
{
    const struct wanted_string *wanted = context;
    return fg_slice_equal(wanted->rollup->strings[id].bytes, wanted->bytes);
}

/* Room for one more element. */
static int grow(void **list, uint32_t count, uint32_t *capacity, size_t element_size)
{
    if (count < *capacity)
        return 0;
    uint32_t more = *capacity ? *capacity * 2 : 64;
    void *grown = realloc(*list, more * element_size);
    if (!grown)
        return FG_ENOMEM;
    *list = grown;
    *capacity = more;
    return 0;
}

/* Past the bytes that names may take it is "other". */
static int string_intern(struct fg_rollup *rollup, struct fg_slice bytes, uint32_t *ret_id)
{
    int r = grow((void **)&rollup->strings, rollup->string_count, &rollup->string_capacity,
                 sizeof *rollup->strings);
    if (r < 0)
        return r;
    if (rollup->string_count == 0 && !fg_slice_equal(bytes, other)) {
        uint32_t zero;
        r = string_intern(rollup, other, &zero);
        if (r < 0)
            return r;
    }
    struct wanted_string wanted = {rollup, bytes};
    uint64_t hash = fg_hash(bytes);
    r = fg_idmap_find(&rollup->string_map, hash, is_wanted_string, &wanted, ret_id);
    if (r != FG_ENOTFOUND)
        return r;
    if (rollup->names.used_bytes + bytes.size > FG_ROLLUP_NAMES_SIZE_MAX) {
        *ret_id = 0;
        return 0;
    }
    struct fg_slice copy = fg_arena_copy(&rollup->names, bytes);
    if (!copy.data)
        return FG_ENOMEM;
    r = fg_idmap_intern(&rollup->string_map, hash, is_wanted_string, &wanted, rollup->string_count,
                        ret_id);
    if (r == 0)
        rollup->strings[rollup->string_count++] = (struct rollup_string){.bytes = copy};
    return r;
}

static int service_intern(struct fg_rollup *rollup, struct fg_slice service, uint32_t *ret_id)
{
    uint32_t id;
    int r = string_intern(rollup, service, &id);
    if (r < 0)
        return r;
    struct rollup_string *string = &rollup->strings[id];
    if (!string->is_service && rollup->service_count >= FG_ROLLUP_SERVICES_MAX) {
        *ret_id = 0;
        return 0;
    }
    rollup->service_count += !string->is_service;
    string->is_service = true;
    *ret_id = id;
    return 0;
}

struct wanted_op {
    const struct fg_rollup *rollup;
    struct rollup_op op;
};

static bool op_equal(const struct rollup_op *a, const struct rollup_op *b)
{
    return a->first == b->first && a->second == b->second && a->type == b->type &&
           a->kind == b->kind && a->status == b->status;
}

static bool is_wanted_op(const void *context, uint32_t id)
{
    const struct wanted_op *wanted = context;
    return op_equal(&wanted->rollup->ops[id], &wanted->op);
}

static uint64_t op_hash(const struct rollup_op *op)
{
    uint64_t how = (uint64_t)op->type << 16 | (uint64_t)op->kind << 8 | op->status;
    return fg_hash_u64(((uint64_t)op->first << 32 | op->second) ^ fg_hash_u64(how));
}

static int op_add(struct fg_rollup *rollup, struct rollup_op op, uint32_t *ret_op)
{
    int r =
        grow((void **)&rollup->ops, rollup->op_count, &rollup->op_capacity, sizeof *rollup->ops);
    if (r < 0)
        return r;
    struct wanted_op wanted = {rollup, op};
    r = fg_idmap_intern(&rollup->op_map, op_hash(&op), is_wanted_op, &wanted, rollup->op_count,
                        ret_op);
    if (r == 0 && *ret_op == rollup->op_count)
        rollup->ops[rollup->op_count++] = op;
    return r;
}

/* What takes an operation for which there is no place. Their number is bounded by itself: services
 * by kinds by statuses, and edges between a service and "other". */
static struct rollup_op op_other(struct rollup_op op)
{
    op.second = 0;
    return op;
}

/* Whether the service has the name under any kind and status. */
static bool has_name(const struct fg_rollup *rollup, struct rollup_op op)
{
    struct wanted_op wanted = {rollup, op};
    uint32_t found;
    for (unsigned kind = 0; kind <= FG_SPAN_KIND_CONSUMER; kind++) {
        for (unsigned status = 0; status <= FG_STATUS_ERROR; status++) {
            wanted.op.kind = (uint8_t)kind;
            wanted.op.status = (uint8_t)status;
            if (fg_idmap_find(&rollup->op_map, op_hash(&wanted.op), is_wanted_op, &wanted,
                              &found) == 0)
                return true;
        }
    }
    return false;
}

int rollup_op_intern(struct fg_rollup *rollup, enum rollup_op_type type, struct fg_slice first,
                     struct fg_slice second, uint8_t kind, uint8_t status, uint32_t *ret_op)
{
    struct rollup_op op = {.type = (uint8_t)type, .kind = kind, .status = status};
    int r = service_intern(rollup, first, &op.first);
    if (r == 0)
        r = type == ROLLUP_EDGE ? service_intern(rollup, second, &op.second)
                                : string_intern(rollup, second, &op.second);
    if (r < 0)
        return r;
    struct wanted_op wanted = {rollup, op};
    r = fg_idmap_find(&rollup->op_map, op_hash(&op), is_wanted_op, &wanted, ret_op);
    if (r != FG_ENOTFOUND)
        return r;
    struct rollup_string *service = &rollup->strings[op.first];
    bool is_new_name = type == ROLLUP_OPERATION && op.second != 0 && !has_name(rollup, op);
    if (rollup->op_count >= FG_ROLLUP_OPS_MAX ||
        (is_new_name && service->name_count >= FG_ROLLUP_NAMES_MAX))
        return op_add(rollup, op_other(op), ret_op);
    r = op_add(rollup, op, ret_op);
    if (r == 0)
        service->name_count += is_new_name;
    return r;
}

/* -- Numbers */

static size_t find_slot(const struct fg_rollup *rollup, uint64_t key)
{
    size_t mask = rollup->slot_count - 1;
    size_t slot = fg_hash_u64(key) & mask;
    while (rollup->keys[slot] != 0 && rollup->keys[slot] != key + 1)
        slot = (slot + 1) & mask;
    return slot;
}

static int grow_slots(struct fg_rollup *rollup)
{
    if (rollup->used + 1 <= rollup->slot_count / 4 * 3)
        return 0;
    struct fg_rollup larger = *rollup;
    larger.slot_count = rollup->slot_count ? rollup->slot_count * 2 : SLOT_COUNT_MIN;
    larger.keys = calloc(larger.slot_count, sizeof *larger.keys);
    larger.counts = malloc(larger.slot_count * sizeof *larger.counts);
    if (!larger.keys || !larger.counts) {
        free(larger.keys);
        free(larger.counts);
        return FG_ENOMEM;
    }
    for (size_t i = 0; i < rollup->slot_count; i++) {
        if (rollup->keys[i] == 0)
            continue;
        size_t slot = find_slot(&larger, rollup->keys[i] - 1);
        larger.keys[slot] = rollup->keys[i];
        larger.counts[slot] = rollup->counts[i];
    }
    free(rollup->keys);
    free(rollup->counts);
    rollup->keys = larger.keys;
    rollup->counts = larger.counts;
    rollup->slot_count = larger.slot_count;
    return 0;
}

/* Adds to a number that is there, or makes it while there are fewer than used_max. False: no. */
static bool count_at(struct fg_rollup *rollup, uint64_t key, uint64_t count, size_t used_max)
{
    size_t slot = find_slot(rollup, key);
    if (rollup->keys[slot] == 0) {
        if (rollup->used >= used_max)
            return false;
        rollup->keys[slot] = key + 1;
        rollup->counts[slot] = 0;
        rollup->used++;
    }
    uint64_t sum = rollup->counts[slot] + count;
    rollup->counts[slot] = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
    return true;
}

/* Five neighbours share the bucket of the middle one. */
static uint32_t coarse(uint32_t bucket)
{
    return bucket == ROLLUP_BUCKET_OPEN ? bucket : bucket / 5 * 5 + 2;
}

int rollup_count(struct fg_rollup *rollup, uint64_t minute, uint32_t op, uint32_t bucket,
                 uint64_t count)
{
    int r = grow_slots(rollup);
    if (r < 0)
        return r;
    if (count_at(rollup, rollup_key(minute, op, bucket), count, COARSE_FROM) ||
        count_at(rollup, rollup_key(minute, op, coarse(bucket)), count, OTHER_FROM))
        return 0;
    uint32_t other_op;
    r = op_add(rollup, op_other(rollup->ops[op]), &other_op);
    if (r < 0)
        return r;
    if (!count_at(rollup, rollup_key(minute, other_op, coarse(bucket)), count,
                  FG_ROLLUP_NUMBERS_MAX))
        rollup->uncounted += count;
    return 0;
}

/* What is left of count after it was taken back from this number. */
static uint64_t uncount_at(struct fg_rollup *rollup, uint64_t key, uint64_t count)
{
    size_t slot = rollup->slot_count ? find_slot(rollup, key) : 0;
    if (rollup->slot_count == 0 || rollup->keys[slot] == 0)
        return count;
    uint64_t there = rollup->counts[slot], less = count < there ? count : there;
    rollup->counts[slot] = (uint32_t)(there - less);
    return count - less;
}

int rollup_uncount(struct fg_rollup *rollup, uint64_t minute, uint32_t op, uint32_t bucket,
                   uint64_t count)
{
    uint32_t other_op;
    count = uncount_at(rollup, rollup_key(minute, op, bucket), count);
    if (count)
        count = uncount_at(rollup, rollup_key(minute, op, coarse(bucket)), count);
    if (count == 0)
        return 0;
    int r = op_add(rollup, op_other(rollup->ops[op]), &other_op);
    if (r < 0)
        return r;
    count = uncount_at(rollup, rollup_key(minute, other_op, coarse(bucket)), count);
    rollup->uncounted -= count < rollup->uncounted ? count : rollup->uncounted;
    return 0;
}

static int count_signed(struct fg_rollup *rollup, uint64_t minute, uint32_t op, uint32_t bucket,
                        uint64_t count, int sign)
{
    return sign > 0 ? rollup_count(rollup, minute, op, bucket, count)
                    : rollup_uncount(rollup, minute, op, bucket, count);
}

/* -- Spans */

/* The operation under a batch's string ids. */
static int op_of(struct fg_rollup *rollup, const struct fg_batch *batch, enum rollup_op_type type,
                 uint32_t first, uint32_t second, uint8_t kind, uint8_t status, uint32_t *ret_op)
{
    uint16_t how = (uint16_t)((unsigned)type << 8 | (unsigned)kind << 4 | status);
    uint64_t hash = ((uint64_t)first << 32 | second) * UINT64_C(0x9e3779b97f4a7c15) ^
                    how * UINT64_C(0xbf58476d1ce4e5b9);
    struct rollup_recent *recent = &rollup->recent[(hash ^ hash >> 40) % ROLLUP_RECENT_COUNT];
    if (recent->epoch == rollup->epoch && recent->first == first && recent->second == second &&
        recent->how == how) {
        *ret_op = recent->op;
        return 0;
    }
    uint32_t op;
    int r = rollup_op_intern(rollup, type, batch->strings[first], batch->strings[second], kind,
                             status, &op);
    if (r < 0)
        return r;
    *recent = (struct rollup_recent){rollup->epoch, first, second, how, op};
    *ret_op = op;
    return 0;
}

static uint32_t bucket_of(const struct fg_batch *batch, uint32_t row)
{
    uint64_t start_ns = batch->start_ns[row], end_ns = batch->end_ns[row];
    return end_ns == 0 ? ROLLUP_BUCKET_OPEN
                       : fg_histogram_bucket(end_ns > start_ns ? end_ns - start_ns : 0);
}

/* What a later version of the protocol adds is not told apart. */
static uint8_t kind_of(const struct fg_batch *batch, uint32_t row)
{
    uint8_t kind = batch->kind[row];
    return kind > FG_SPAN_KIND_CONSUMER ? FG_SPAN_KIND_UNSPECIFIED : kind;
}

static uint8_t status_of(const struct fg_batch *batch, uint32_t row)
{
    uint8_t status = batch->status[row];
    return status > FG_STATUS_ERROR ? FG_STATUS_UNSET : status;
}

static int add_row(struct fg_rollup *rollup, const struct fg_batch *batch, uint32_t row,
                   uint32_t caller)
{
    uint64_t minute = batch->start_ns[row] / FG_NS_PER_MINUTE;
    uint8_t kind = kind_of(batch, row), status = status_of(batch, row);
    uint32_t bucket = bucket_of(batch, row);
    uint32_t service = batch->resource_service[batch->resource[row]], op;
    int r = op_of(rollup, batch, ROLLUP_OPERATION, service, batch->name[row], kind, status, &op);
    if (r == 0)
        r = rollup_count(rollup, minute, op, bucket, 1);
    if (r < 0 || caller == 0 || caller == service)
        return r;
    status = status == FG_STATUS_ERROR ? FG_STATUS_ERROR : FG_STATUS_UNSET;
    r = op_of(rollup, batch, ROLLUP_EDGE, caller, service, 0, status, &op);
    return r < 0 ? r : rollup_count(rollup, minute, op, bucket, 1);
}

int fg_rollup_add(struct fg_rollup *rollup, const struct fg_batch *batch, uint32_t row_begin,
                  uint32_t row_end, const uint32_t *caller, uint64_t start_ns_min,
                  uint64_t start_ns_max)
{
    rollup->epoch++;
    for (uint32_t row = row_begin; row < row_end; row++) {
        if (batch->start_ns[row] < start_ns_min || batch->start_ns[row] >= start_ns_max)
            continue;
        int r = add_row(rollup, batch, row, caller ? caller[row] : 0);
        if (r < 0)
            return r;
    }
    return 0;
}

int fg_rollup_count_span(struct fg_rollup *rollup, const struct fg_batch *batch, uint32_t row,
                         int sign)
{
    struct fg_slice service = batch->strings[batch->resource_service[batch->resource[row]]];
    uint32_t op;
    int r = rollup_op_intern(rollup, ROLLUP_OPERATION, service, batch->strings[batch->name[row]],
                             kind_of(batch, row), status_of(batch, row), &op);
    return r < 0 ? r
                 : count_signed(rollup, batch->start_ns[row] / FG_NS_PER_MINUTE, op,
                                bucket_of(batch, row), 1, sign);
}

int fg_rollup_count_call(struct fg_rollup *rollup, struct fg_slice caller,
                         const struct fg_batch *batch, uint32_t row, int sign)
{
    struct fg_slice service = batch->strings[batch->resource_service[batch->resource[row]]];
    bool is_error = batch->status[row] == FG_STATUS_ERROR;
    uint32_t op;
    if (caller.size == 0 || fg_slice_equal(caller, service))
        return 0;
    int r = rollup_op_intern(rollup, ROLLUP_EDGE, caller, service, 0,
                             is_error ? FG_STATUS_ERROR : FG_STATUS_UNSET, &op);
    return r < 0 ? r
                 : count_signed(rollup, batch->start_ns[row] / FG_NS_PER_MINUTE, op,
                                bucket_of(batch, row), 1, sign);
}

int fg_rollup_merge(struct fg_rollup *rollup, const struct fg_rollup *from)
{
    return fg_rollup_add_window(rollup, from, 0, UINT64_MAX, 1);
}

int fg_rollup_add_window(struct fg_rollup *rollup, const struct fg_rollup *from,
                         uint64_t start_ns_min, uint64_t start_ns_max, int sign)
{
    uint64_t minute_min = start_ns_min / FG_NS_PER_MINUTE;
    uint32_t *ops = malloc((from->op_count + 1) * sizeof *ops);
    int r = ops ? 0 : FG_ENOMEM;
    for (uint32_t i = 0; i < from->op_count && r == 0; i++)
        ops[i] = UINT32_MAX; /* interned when a number needs it */
    for (size_t i = 0; i < from->slot_count && r == 0; i++) {
        uint64_t key = from->keys[i] - 1, minute = rollup_key_minute(key);
        bool is_wanted = from->keys[i] != 0 && from->counts[i] != 0 && minute >= minute_min &&
                         minute * FG_NS_PER_MINUTE < start_ns_max;
        uint32_t at = is_wanted ? rollup_key_op(key) : 0;
        if (is_wanted && ops[at] == UINT32_MAX) {
            const struct rollup_op *op = &from->ops[at];
            r = rollup_op_intern(rollup, op->type, from->strings[op->first].bytes,
                                 from->strings[op->second].bytes, op->kind, op->status, &ops[at]);
        }
        if (r == 0 && is_wanted)
            r = count_signed(rollup, minute, ops[at], rollup_key_bucket(key), from->counts[i],
                             sign);
    }
    if (r == 0 && sign > 0)
        rollup->uncounted += from->uncounted;
    free(ops);
    return r;
}
