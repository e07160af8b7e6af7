#include "vault.h"
#include "input.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/large.h"
#include "base/limits.h"
#include "strike.h"

#include <stdatomic.h>
#include <stdlib.h>

#define VERSION 4u
/* The same, but rows lead to absent records alone, and to those always. */
#define VERSION_OF_ABSENT 3u
/* A finder's key by trace: a hash of its id, and of the record's key as much as tells records of
 * one trace apart. Who finds a record looks whether the trace is among its own. */
#define TRACE_PREFIX_SIZE 8u
#define TRACE_KEY_SIZE    (TRACE_PREFIX_SIZE + 4u)
#define LOOK_KEY_SIZE     16u
#define RECORD_SIZE_MAX   ((size_t)1 << 20)
/* Bits of the filter of absent records and their traces: 16 MiB, for some ten millions. What is of
 * one hash lies in one line of the cache. */
#define SIEVE_BITS      ((uint64_t)1 << 27)
#define SIEVE_LINE_BITS 512u
#define SIEVE_HASHES    3u
#define SIEVE_SIZE      (SIEVE_BITS / 8)
/* Nearly each page of it is written after so many. */
#define SIEVE_CROWD 32768u

enum record_flag {
    MORE_TRACES = 1,
    HAS_TROUBLE = 2,
    HAS_RECOVERED = 4,
    IS_ABSENT = 8,
    HAS_LEARNED = 16,
    HAS_LISTED_LOOK = 32, /* at its look */
    HAS_EARLIER_LOOK = 64 /* listed before it */
};
/* What a record has beside its first and last time: a journey without a flow has none of it. */
enum record_part { FLOW_PRINT = 1, SINCE = 2, DEADLINE = 4, LOOK = 8, REACHED = 16 };

struct fg_vault {
    struct fg_state *state;
    uint32_t records, traces, looks;
    _Atomic uint64_t *sieve; /* pages of it that nothing is in take no memory */
    _Atomic bool has_absent;
    uint32_t sieved;         /* until it is a crowd; of who changes */
    struct fg_buffer record; /* scratch, of who changes */
};

int fg_vault_open(struct fg_state *state, uint32_t tenant, struct fg_vault **ret_vault)
{
    struct fg_vault *vault = calloc(1, sizeof *vault);
    if (!vault)
        return FG_ENOMEM;
    vault->state = state;
    fg_buffer_init(&vault->record, RECORD_SIZE_MAX);
    vault->sieve = fg_large_alloc(SIEVE_SIZE);
    if (!vault->sieve) {
        free(vault);
        return FG_ENOMEM;
    }
    int r = fg_state_tenant_table(state, "journeys", tenant, &vault->records);
    if (r == 0)
        r = fg_state_tenant_table(state, "journey_traces", tenant, &vault->traces);
    if (r == 0)
        r = fg_state_tenant_table(state, "journey_looks", tenant, &vault->looks);
    if (r < 0) {
        fg_vault_free(vault);
        return r;
    }
    *ret_vault = vault;
    return 0;
}

void fg_vault_free(struct fg_vault *vault)
{
    if (!vault)
        return;
    fg_buffer_free(&vault->record);
    fg_large_free(vault->sieve, SIEVE_SIZE);
    free(vault);
}

/* -- Keys */

struct record_key {
    uint8_t bytes[8 + FG_JOURNEY_VALUE_SIZE_MAX];
    size_t size;
};

static struct record_key key_of(uint64_t key_hash, struct fg_slice value)
{
    struct record_key key; /* of its bytes only those that it has are written */
    key.size = 8 + value.size;
    fg_store_be64(key.bytes, key_hash);
    if (value.size > 0)
        memcpy(key.bytes + 8, value.data, value.size);
    return key;
}

static uint64_t hash_of(const struct record_key *key)
{
    return fg_hash(fg_slice(key->bytes, key->size));
}

static void trace_key(struct fg_trace_ref trace, uint64_t hash, uint8_t bytes[TRACE_KEY_SIZE])
{
    fg_store_be64(bytes, fg_trace_hash(trace));
    fg_store_le32(bytes + TRACE_PREFIX_SIZE, (uint32_t)hash);
}

static void look_key(uint64_t at_ns, uint64_t hash, uint8_t bytes[LOOK_KEY_SIZE])
{
    fg_store_be64(bytes, at_ns);
    fg_store_be64(bytes + 8, hash);
}

/* -- The filter */

/* The bits of a hash: where its line begins, and by nine each where they are in it. */
static uint64_t sieve_line(uint64_t hash)
{
    return hash % (SIEVE_BITS / SIEVE_LINE_BITS) * SIEVE_LINE_BITS;
}

static void sieve_add(struct fg_vault *vault, uint64_t hash)
{
    uint64_t line = sieve_line(hash), in_line = fg_hash_u64(hash);
    if (vault->sieved < SIEVE_CROWD && ++vault->sieved == SIEVE_CROWD)
        fg_large_fill(vault->sieve, SIEVE_SIZE);
    for (unsigned i = 0; i < SIEVE_HASHES; i++, in_line >>= 9) {
        uint64_t bit = line + in_line % SIEVE_LINE_BITS;
        atomic_fetch_or_explicit(&vault->sieve[bit / 64], UINT64_C(1) << (bit % 64),
                                 memory_order_relaxed);
    }
}

/* Of a record. */
static uint64_t sieve_hash(uint64_t key_hash, struct fg_slice value)
{
    return fg_hash_seeded(value, key_hash);
}

static bool sieve_has(const struct fg_vault *vault, uint64_t hash)
{
    uint64_t line = sieve_line(hash), in_line = fg_hash_u64(hash);
    if (!vault->has_absent)
        return false;
    for (unsigned i = 0; i < SIEVE_HASHES; i++, in_line >>= 9) {
        uint64_t bit = line + in_line % SIEVE_LINE_BITS;
        uint64_t word = atomic_load_explicit(&vault->sieve[bit / 64], memory_order_relaxed);
        if ((word >> (bit % 64) & 1) == 0)
            return false;
    }
    return true;
}

void fg_vault_note_absent(struct fg_vault *vault, uint64_t key_hash, const struct fg_record *record)
{
    vault->has_absent = true;
    sieve_add(vault, sieve_hash(key_hash, fg_slice(record->value, record->value_size)));
    for (uint32_t i = 0; i < record->trace_count; i++)
        if ((record->trace_marks[i] & FG_TRACE_SIEVED) == 0)
            sieve_add(vault, fg_trace_hash(record->traces[i]));
}

void fg_vault_forget_absent(struct fg_vault *vault)
{
    for (uint64_t i = 0; vault->has_absent && i < SIEVE_BITS / 64; i++)
        atomic_store_explicit(&vault->sieve[i], 0, memory_order_relaxed);
    vault->has_absent = false;
}

void fg_vault_expect(const struct fg_vault *vault, uint64_t key_hash, struct fg_slice value,
                     struct fg_trace_ref trace)
{
    if (!vault || !vault->has_absent)
        return;
    __builtin_prefetch(&vault->sieve[sieve_line(sieve_hash(key_hash, value)) / 64]);
    __builtin_prefetch(&vault->sieve[sieve_line(fg_trace_hash(trace)) / 64]);
}

bool fg_vault_may_have(const struct fg_vault *vault, uint64_t key_hash, struct fg_slice value)
{
    return sieve_has(vault, sieve_hash(key_hash, value));
}

bool fg_vault_may_have_trace(const struct fg_vault *vault, struct fg_trace_ref trace)
{
    return sieve_has(vault, fg_trace_hash(trace));
}

/* -- Writing a record */

static void put_text(struct fg_buffer *out, struct fg_slice text)
{
    uint16_t size = text.size < UINT16_MAX ? (uint16_t)text.size : UINT16_MAX;
    fg_buffer_append_le16(out, size);
    fg_buffer_append(out, text.data, size);
}

static void put_trouble(struct fg_buffer *out, const struct fg_trouble *trouble)
{
    uint64_t bits;
    memcpy(&bits, &trouble->confidence, sizeof bits);
    fg_buffer_append_le64(out, bits);
    put_text(out, trouble->service);
    put_text(out, trouble->name);
    put_text(out, trouble->text);
}

static uint64_t look_of(const struct fg_record *record)
{
    return record->is_dirty ? 1 : record->look_ns;
}

/* The part of a record that is there always: written in one piece, since each change of each
 * journey is. */
#define FIXED_SIZE_MAX (7 + 1 + 8 + 8 + (4 + 1 + FG_FLOW_STEPS_MAX + 1) * 10)
#define TRACE_SIZE     17u

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *put_le64(uint8_t *at, uint64_t value)
{
    fg_store_le64(at, value);
    return at + 8;
}

/* A time by its distance from another: small for what happened within days. */
static uint8_t *put_time(uint8_t *at, uint64_t time_ns, uint64_t from_ns)
{
    int64_t distance = (int64_t)(time_ns - from_ns);
    return put_varint(at, ((uint64_t)distance << 1) ^ (uint64_t)(distance >> 63));
}

static uint8_t *put_parts(uint8_t *at, uint64_t flow_print, const struct fg_record *record)
{
    const uint64_t times[] = {record->since_ns, record->deadline_ns, look_of(record)};
    unsigned parts = (flow_print ? FLOW_PRINT : 0) | (record->reached ? REACHED : 0);
    for (unsigned i = 0; i < sizeof times / sizeof *times; i++)
        parts |= times[i] ? (unsigned)SINCE << i : 0;
    *at++ = (uint8_t)parts;
    if (flow_print)
        at = put_le64(at, flow_print);
    at = put_le64(at, record->first_ns);
    at = put_time(at, record->last_ns, record->first_ns);
    for (unsigned i = 0; i < sizeof times / sizeof *times; i++)
        if (times[i])
            at = put_time(at, times[i], record->first_ns);
    if (record->reached)
        at = put_varint(at, record->reached);
    uint32_t count = fg_record_step_count(record);
    for (uint32_t i = 0; i < count; i++)
        at = put_time(at, record->reached_ns[i], record->first_ns);
    return at;
}

static void put_traces(struct fg_buffer *out, const struct fg_record *record)
{
    uint8_t bytes[FG_JOURNEY_TRACES_MAX * TRACE_SIZE], *at = bytes;
    for (uint32_t i = 0; i < record->trace_count; i++) {
        at = put_le64(at, record->traces[i].high);
        at = put_le64(at, record->traces[i].low);
        *at++ = record->trace_marks[i] & (uint8_t)~FG_TRACE_SIEVED;
    }
    fg_buffer_append(out, bytes, (size_t)(at - bytes));
}

static unsigned listed_flag(const struct fg_record *record)
{
    if (record->stored_look_ns == 0)
        return 0;
    return record->stored_look_ns == look_of(record) ? HAS_LISTED_LOOK : HAS_EARLIER_LOOK;
}

static void encode(struct fg_buffer *out, uint64_t flow_print, const struct fg_record *record,
                   bool is_absent)
{
    unsigned flags = (record->more_traces ? MORE_TRACES : 0) | (record->trouble ? HAS_TROUBLE : 0) |
                     (record->recovered ? HAS_RECOVERED : 0) | (is_absent ? IS_ABSENT : 0) |
                     (record->learned_ns ? HAS_LEARNED : 0) | listed_flag(record);
    const uint8_t head[] = {VERSION,        record->state,     record->place,        record->cause,
                            (uint8_t)flags, record->last_step, record->expected_step};
    uint8_t fixed[FIXED_SIZE_MAX];
    memcpy(fixed, head, sizeof head);
    uint8_t *end = put_parts(fixed + sizeof head, flow_print, record);
    end = put_varint(end, record->trace_count);
    fg_buffer_append(out, fixed, (size_t)(end - fixed));
    put_traces(out, record);
    if (record->trouble)
        put_trouble(out, record->trouble);
    if (record->recovered) {
        fg_buffer_append_byte(out, record->recovered->place);
        fg_buffer_append_byte(out, record->recovered->cause);
        fg_buffer_append_le64(out, record->recovered->since_ns);
        fg_buffer_append_le64(out, record->recovered->until_ns);
        put_trouble(out, record->recovered);
    }
    if (record->learned_ns)
        fg_buffer_append_le64(out, record->learned_ns);
    if (flags & HAS_EARLIER_LOOK) {
        uint8_t time[10];
        end = put_time(time, record->stored_look_ns, record->first_ns);
        fg_buffer_append(out, time, (size_t)(end - time));
    }
}

bool fg_vault_is_open(bool has_flow, enum fg_journey_state state)
{
    if (fg_journey_is_trouble(state))
        return true;
    return has_flow && state != FG_JOURNEY_DONE && state != FG_JOURNEY_CANCELLED;
}

static bool wants_trace(const struct fg_record *record, bool is_open, uint32_t at)
{
    return is_open || (record->trace_marks[at] & FG_TRACE_JOINED) != 0;
}

bool fg_vault_wants_finders(const struct fg_record *record, struct fg_vault_name name)
{
    bool is_open = fg_vault_is_open(name.flow_print != 0, (enum fg_journey_state)record->state);
    uint32_t at = 0;
    while (at < record->trace_count && !wants_trace(record, is_open, at))
        at++;
    return at < record->trace_count || look_of(record) != 0;
}

/* Whether a row leads to it when it is to be looked at, or before. */
static bool is_listed(const struct fg_record *record)
{
    return record->stored_look_ns && record->stored_look_ns <= look_of(record);
}

bool fg_vault_is_put_absent(const struct fg_record *record)
{
    return record->was_absent &&
           (look_of(record) ? is_listed(record) : record->stored_look_ns == 0);
}

bool fg_vault_is_due(const struct fg_record *record, uint64_t now_ns)
{
    return look_of(record) && look_of(record) <= now_ns;
}

bool fg_vault_wants_trace(const struct fg_record *record, struct fg_vault_name name, uint32_t at)
{
    bool is_open = fg_vault_is_open(name.flow_print != 0, (enum fg_journey_state)record->state);
    return (record->trace_marks[at] & FG_TRACE_LISTED) == 0 && wants_trace(record, is_open, at);
}

void fg_vault_put_trace(struct fg_vault *vault, struct fg_state_batch *batch,
                        struct fg_vault_name name, struct fg_record *record, uint32_t at)
{
    struct record_key key = key_of(name.key_hash, fg_slice(record->value, record->value_size));
    uint8_t bytes[TRACE_KEY_SIZE];
    trace_key(record->traces[at], hash_of(&key), bytes);
    fg_state_put(batch, vault->traces, fg_slice(bytes, TRACE_KEY_SIZE),
                 fg_slice(key.bytes, key.size));
    record->trace_marks[at] |= FG_TRACE_LISTED;
}

void fg_vault_doubt(struct fg_record *record)
{
    for (uint32_t i = 0; i < record->trace_count; i++)
        record->trace_marks[i] &= (uint8_t)~FG_TRACE_LISTED;
    record->stored_look_ns = 0;
    record->was_absent = false;
}

static void delete_trace(struct fg_vault *vault, struct fg_state_batch *batch, uint64_t hash,
                         struct fg_trace_ref trace)
{
    uint8_t bytes[TRACE_KEY_SIZE];
    trace_key(trace, hash, bytes);
    fg_state_delete(batch, vault->traces, fg_slice(bytes, TRACE_KEY_SIZE));
}

static void delete_look(struct fg_vault *vault, struct fg_state_batch *batch, uint64_t hash,
                        uint64_t at_ns)
{
    uint8_t bytes[LOOK_KEY_SIZE];
    look_key(at_ns, hash, bytes);
    fg_state_delete(batch, vault->looks, fg_slice(bytes, LOOK_KEY_SIZE));
}

/* Traces that need not lead to it any more don't. */
static void settle_traces(struct fg_vault *vault, struct fg_state_batch *batch, uint64_t hash,
                          struct fg_record *record, bool is_open)
{
    for (uint32_t i = 0; i < record->trace_count; i++) {
        if ((record->trace_marks[i] & FG_TRACE_LISTED) == 0 || wants_trace(record, is_open, i))
            continue;
        delete_trace(vault, batch, hash, record->traces[i]);
        record->trace_marks[i] &= (uint8_t)~FG_TRACE_LISTED;
    }
}

/* A row leads to it when it is to be looked at, of a present one there may be none. One that leads
 * to it earlier stays: as a journey goes on its deadline is put off time and again, and each row
 * that is moved is two pages of the disk. */
static void settle_look(struct fg_vault *vault, struct fg_state_batch *batch,
                        const struct record_key *key, struct fg_record *record, bool is_absent)
{
    uint64_t hash = hash_of(key), look_ns = look_of(record);
    uint8_t bytes[LOOK_KEY_SIZE];
    if (record->stored_look_ns && !is_listed(record)) {
        delete_look(vault, batch, hash, record->stored_look_ns);
        record->stored_look_ns = 0;
    }
    if (!is_absent || look_ns == 0 || record->stored_look_ns)
        return;
    look_key(look_ns, hash, bytes);
    fg_state_put(batch, vault->looks, fg_slice(bytes, LOOK_KEY_SIZE),
                 fg_slice(key->bytes, key->size));
    record->stored_look_ns = look_ns;
}

void fg_vault_put(struct fg_vault *vault, struct fg_state_batch *batch, struct fg_vault_name name,
                  struct fg_record *record, bool is_absent)
{
    struct record_key key = key_of(name.key_hash, fg_slice(record->value, record->value_size));
    bool is_open = fg_vault_is_open(name.flow_print != 0, (enum fg_journey_state)record->state);
    settle_traces(vault, batch, hash_of(&key), record, is_open);
    settle_look(vault, batch, &key, record, is_absent);
    fg_buffer_reset(&vault->record);
    encode(&vault->record, name.flow_print, record, is_absent);
    if (vault->record.error) /* a part of a record is none */
        fg_state_batch_fail(batch, vault->record.error);
    fg_state_put(batch, vault->records, fg_slice(key.bytes, key.size),
                 fg_buffer_slice(&vault->record));
    record->was_absent = is_absent;
}

void fg_vault_delete(struct fg_vault *vault, struct fg_state_batch *batch, uint64_t key_hash,
                     const struct fg_record *record)
{
    struct record_key key = key_of(key_hash, fg_slice(record->value, record->value_size));
    for (uint32_t i = 0; i < record->trace_count; i++) /* whatever it says of them */
        delete_trace(vault, batch, hash_of(&key), record->traces[i]);
    if (record->stored_look_ns)
        delete_look(vault, batch, hash_of(&key), record->stored_look_ns);
    fg_state_delete(batch, vault->records, fg_slice(key.bytes, key.size));
}

struct strike {
    bool (*goes)(void *arg, uint64_t key_hash, struct fg_slice value);
    void *arg;
};

static bool finder_goes(void *arg, struct fg_slice key, struct fg_slice value)
{
    const struct strike *strike = arg;
    (void)key;
    return value.size > 8 && strike->goes(strike->arg, fg_load_be64(value.data),
                                          fg_slice(value.data + 8, value.size - 8));
}

int fg_vault_strike(struct fg_vault *vault,
                    bool (*goes)(void *arg, uint64_t key_hash, struct fg_slice value), void *arg)
{
    struct strike strike = {goes, arg};
    int r = fg_strike(vault->state, vault->traces, finder_goes, &strike);
    return r == 0 ? fg_strike(vault->state, vault->looks, finder_goes, &strike) : r;
}

void fg_vault_delete_all(struct fg_vault *vault, struct fg_state_batch *batch)
{
    const struct fg_slice all = {0};
    fg_state_delete_prefix(batch, vault->records, all);
    fg_state_delete_prefix(batch, vault->traces, all);
    fg_state_delete_prefix(batch, vault->looks, all);
}

/* -- Reading a record */

static uint8_t take_u8(struct fg_input *in)
{
    return *fg_input_take(in, 1);
}

static uint16_t take_u16(struct fg_input *in)
{
    return fg_load_le16(fg_input_take(in, 2));
}

static uint64_t take_u64(struct fg_input *in)
{
    return fg_load_le64(fg_input_take(in, 8));
}

static uint64_t take_varint(struct fg_input *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = take_u8(in);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    in->is_bad = true;
    return 0;
}

static uint64_t take_time(struct fg_input *in, uint64_t from_ns)
{
    uint64_t value = take_varint(in);
    return from_ns + ((value >> 1) ^ (0 - (value & 1)));
}

/* NULL: bad, or no memory (*ret_no_memory). */
static struct fg_trouble *take_trouble(struct fg_input *in, bool *ret_no_memory)
{
    struct fg_slice texts[3];
    uint64_t bits = take_u64(in);
    size_t size = 0;
    for (unsigned i = 0; i < 3; i++) {
        uint16_t text_size = take_u16(in);
        const uint8_t *text = fg_input_take(in, text_size);
        if (in->is_bad)
            return NULL;
        texts[i] = fg_slice(text, text_size);
        size += text_size;
    }
    struct fg_trouble *trouble = malloc(sizeof *trouble + size);
    if (!trouble) {
        *ret_no_memory = true;
        return NULL;
    }
    *trouble = (struct fg_trouble){.confidence = 0};
    uint8_t *at = trouble->bytes;
    struct fg_slice *const copies[] = {&trouble->service, &trouble->name, &trouble->text};
    for (unsigned i = 0; i < 3; i++) {
        if (texts[i].size > 0)
            memcpy(at, texts[i].data, texts[i].size);
        *copies[i] = fg_slice(at, texts[i].size);
        at += texts[i].size;
    }
    memcpy(&trouble->confidence, &bits, sizeof bits);
    return trouble;
}

/* The same of one that it got over, and what it was. */
static struct fg_trouble *take_recovered(struct fg_input *in, bool *ret_no_memory)
{
    uint8_t place = take_u8(in), cause = take_u8(in);
    uint64_t since_ns = take_u64(in), until_ns = take_u64(in);
    struct fg_trouble *trouble = take_trouble(in, ret_no_memory);
    if (place >= FG_PLACE_KIND_COUNT || cause >= FG_CAUSE_COUNT)
        in->is_bad = true;
    if (trouble) {
        trouble->place = place;
        trouble->cause = cause;
        trouble->since_ns = since_ns;
        trouble->until_ns = until_ns;
    }
    return trouble;
}

static void take_head(struct fg_input *in, struct fg_record *record, unsigned *ret_version,
                      unsigned *ret_flags, uint64_t *ret_flow_print)
{
    *ret_version = take_u8(in);
    if (*ret_version != VERSION && *ret_version != VERSION_OF_ABSENT)
        in->is_bad = true;
    record->state = take_u8(in);
    record->place = take_u8(in);
    record->cause = take_u8(in);
    *ret_flags = take_u8(in);
    record->last_step = take_u8(in);
    record->expected_step = take_u8(in);
    unsigned parts = take_u8(in);
    *ret_flow_print = parts & FLOW_PRINT ? take_u64(in) : 0;
    record->first_ns = take_u64(in);
    record->last_ns = take_time(in, record->first_ns);
    record->since_ns = parts & SINCE ? take_time(in, record->first_ns) : 0;
    record->deadline_ns = parts & DEADLINE ? take_time(in, record->first_ns) : 0;
    record->look_ns = parts & LOOK ? take_time(in, record->first_ns) : 0;
    record->reached = parts & REACHED ? take_varint(in) : 0;
    if (record->state >= FG_JOURNEY_STATE_COUNT || record->place >= FG_PLACE_KIND_COUNT ||
        record->cause >= FG_CAUSE_COUNT)
        in->is_bad = true;
}

/* Puts the record's value, steps and traces into memory. */
static int take_steps_and_traces(struct fg_input *in, struct fg_slice value,
                                 struct fg_record *record)
{
    uint32_t steps = fg_record_step_count(record);
    uint64_t reached_ns[FG_FLOW_STEPS_MAX];
    struct fg_record parts;
    for (uint32_t i = 0; i < steps; i++)
        reached_ns[i] = take_time(in, record->first_ns);
    uint64_t count = take_varint(in);
    if (count > FG_JOURNEY_TRACES_MAX || in->is_bad)
        return FG_ECORRUPT;
    /* one is about to come */
    int r = fg_record_make(&parts, value,
                           count < FG_JOURNEY_TRACES_MAX ? (uint32_t)count + 1 : (uint32_t)count,
                           steps < FG_FLOW_STEPS_MAX ? steps + 1 : steps);
    if (r < 0)
        return r;
    record->value = parts.value;
    record->value_size = parts.value_size;
    record->traces = parts.traces;
    record->trace_capacity = parts.trace_capacity;
    record->trace_marks = parts.trace_marks;
    record->reached_ns = parts.reached_ns;
    record->step_capacity = parts.step_capacity;
    memcpy(record->reached_ns, reached_ns, steps * sizeof *reached_ns);
    for (; record->trace_count < count; record->trace_count++) {
        record->traces[record->trace_count].high = take_u64(in);
        record->traces[record->trace_count].low = take_u64(in);
        record->trace_marks[record->trace_count] = take_u8(in) & (uint8_t)~FG_TRACE_SIEVED;
    }
    return 0;
}

/* What an older version left unsaid. */
static void say_what_is_listed(struct fg_record *record, uint64_t flow_print)
{
    bool is_open = fg_vault_is_open(flow_print != 0, (enum fg_journey_state)record->state);
    for (uint32_t i = 0; i < record->trace_count; i++)
        if (wants_trace(record, is_open, i))
            record->trace_marks[i] |= FG_TRACE_LISTED;
    record->stored_look_ns = record->look_ns;
}

static int decode(struct fg_slice key, struct fg_slice value, struct fg_record *ret_record,
                  uint64_t *ret_flow_print, bool *ret_is_absent)
{
    struct fg_input in = {value.data, value.size, false};
    struct fg_record record = {.value = NULL};
    bool no_memory = false;
    unsigned version, flags;
    if (key.size < 9 || key.size > 8 + FG_JOURNEY_VALUE_SIZE_MAX)
        return FG_ECORRUPT;
    take_head(&in, &record, &version, &flags, ret_flow_print);
    record.more_traces = (flags & MORE_TRACES) != 0;
    int r = take_steps_and_traces(&in, fg_slice(key.data + 8, key.size - 8), &record);
    if (r == 0 && (flags & HAS_TROUBLE))
        record.trouble = take_trouble(&in, &no_memory);
    if (r == 0 && (flags & HAS_RECOVERED))
        record.recovered = take_recovered(&in, &no_memory);
    if (r == 0 && (flags & HAS_LEARNED))
        record.learned_ns = take_u64(&in);
    record.stored_look_ns = flags & HAS_LISTED_LOOK ? record.look_ns : 0;
    if (r == 0 && (flags & HAS_EARLIER_LOOK))
        record.stored_look_ns = take_time(&in, record.first_ns);
    if (r == 0 && no_memory)
        r = FG_ENOMEM;
    if (r == 0 && (in.is_bad || in.rest > 0))
        r = FG_ECORRUPT;
    *ret_is_absent = (flags & IS_ABSENT) != 0;
    record.was_absent = *ret_is_absent;
    if (r == 0 && version == VERSION_OF_ABSENT && *ret_is_absent)
        say_what_is_listed(&record, *ret_flow_print);
    if (r < 0)
        fg_record_free(&record);
    else
        *ret_record = record;
    return r;
}

int fg_vault_get(struct fg_vault *vault, uint64_t key_hash, struct fg_slice value,
                 struct fg_record *ret_record, uint64_t *ret_flow_print)
{
    struct fg_state_view *view;
    struct fg_slice stored;
    bool is_absent;
    if (value.size == 0 || value.size > FG_JOURNEY_VALUE_SIZE_MAX)
        return FG_ENOTFOUND;
    struct record_key key = key_of(key_hash, value);
    int r = fg_state_view_take(vault->state, &view);
    if (r < 0)
        return r;
    r = fg_state_get(view, vault->records, fg_slice(key.bytes, key.size), &stored);
    if (r == 0)
        r = decode(fg_slice(key.bytes, key.size), stored, ret_record, ret_flow_print, &is_absent);
    fg_state_view_release(view);
    return r;
}

/* -- Finding */

struct finding {
    struct fg_vault_found *found;
    uint32_t count, max, row_count;
    struct fg_vault_due *due; /* of looks */
};

/* The row of a look is passed, wanted or not. */
static bool may_pass(struct finding *finding, struct fg_slice key, struct fg_slice value,
                     bool *ret_is_wanted)
{
    struct fg_vault_due *due = finding->due;
    if (finding->row_count == due->rows_max)
        return false;
    if (key.size != LOOK_KEY_SIZE || fg_load_be64(key.data) > due->now_ns) {
        due->after_size = 0;
        return false;
    }
    finding->row_count++;
    memcpy(due->after, key.data, key.size);
    due->after_size = key.size;
    *ret_is_wanted = due->wants(due->arg, fg_load_be64(value.data));
    return true;
}

static int on_found(void *arg, struct fg_slice key, struct fg_slice value)
{
    struct finding *finding = arg;
    bool is_wanted = true;
    if (finding->count == finding->max)
        return 1;
    if (value.size < 9 || value.size > 8 + FG_JOURNEY_VALUE_SIZE_MAX)
        return FG_ECORRUPT;
    if (finding->due && !may_pass(finding, key, value, &is_wanted))
        return 1;
    if (!is_wanted)
        return 0;
    struct fg_vault_found *found = &finding->found[finding->count++];
    found->at_ns = finding->due ? fg_load_be64(key.data) : 0;
    found->key_hash = fg_load_be64(value.data);
    found->value_size = (uint16_t)(value.size - 8);
    memcpy(found->value, value.data + 8, found->value_size);
    return 0;
}

/* 1: it did not come to the end. */
static int find(struct fg_vault *vault, uint32_t table, struct fg_slice prefix,
                struct fg_slice after, struct finding *finding)
{
    struct fg_state_view *view;
    int r = fg_state_view_take(vault->state, &view);
    if (r < 0)
        return r;
    r = fg_state_each(view, table, prefix, after, on_found, finding, NULL);
    fg_state_view_release(view);
    return r;
}

int fg_vault_of_trace(struct fg_vault *vault, struct fg_trace_ref trace, uint32_t max,
                      struct fg_vault_found *ret_found, uint32_t *ret_count)
{
    struct finding finding = {.found = ret_found, .max = max};
    uint8_t bytes[TRACE_KEY_SIZE];
    trace_key(trace, 0, bytes);
    int r = find(vault, vault->traces, fg_slice(bytes, TRACE_PREFIX_SIZE), (struct fg_slice){0},
                 &finding);
    *ret_count = finding.count;
    return r < 0 ? r : 0;
}

int fg_vault_due(struct fg_vault *vault, struct fg_vault_due *due, struct fg_vault_found *ret_found,
                 uint32_t *ret_count)
{
    struct finding finding = {.found = ret_found, .max = due->max, .due = due};
    uint8_t after[LOOK_KEY_SIZE]; /* what is passed moves on */
    _Static_assert(sizeof due->after == LOOK_KEY_SIZE, "the place is a row's key");
    memcpy(after, due->after, sizeof after);
    int r =
        find(vault, vault->looks, (struct fg_slice){0}, fg_slice(after, due->after_size), &finding);
    if (r == 0)
        due->after_size = 0;
    *ret_count = finding.count;
    return r < 0 ? r : 0;
}

void fg_vault_drop_look(struct fg_vault *vault, struct fg_state_batch *batch,
                        const struct fg_vault_found *found)
{
    struct record_key key = key_of(found->key_hash, fg_slice(found->value, found->value_size));
    delete_look(vault, batch, hash_of(&key), found->at_ns);
}

/* -- Walking */

struct walking {
    struct fg_vault_walk *walk;
    uint32_t count;
};

static int on_record(void *arg, struct fg_slice key, struct fg_slice value)
{
    struct walking *walking = arg;
    struct fg_vault_walk *walk = walking->walk;
    struct fg_record record;
    uint64_t flow_print;
    bool is_absent;
    if (walking->count++ == walk->max)
        return 1;
    memcpy(walk->after, key.data, key.size <= sizeof walk->after ? key.size : 0);
    walk->after_size = key.size <= sizeof walk->after ? key.size : 0;
    int r = decode(key, value, &record, &flow_print, &is_absent);
    if (r == FG_ECORRUPT) {
        walk->damaged++;
        return 0;
    }
    if (r < 0)
        return r;
    r = walk->fn(walk->arg, fg_load_be64(key.data), flow_print, is_absent, &record);
    fg_record_free(&record);
    return r;
}

int fg_vault_walk(struct fg_vault *vault, struct fg_vault_walk *walk)
{
    struct walking walking = {.walk = walk};
    struct fg_state_view *view;
    struct fg_slice bad = {0};
    int r = fg_state_view_take(vault->state, &view);
    if (r < 0)
        return r;
    r = fg_state_each(view, vault->records, (struct fg_slice){0},
                      fg_slice(walk->after, walk->after_size), on_record, &walking, &bad);
    if (r == FG_ECORRUPT && bad.size > 0 && bad.size <= sizeof walk->after) {
        /* a value whose checksum is wrong: it is passed over */
        walk->damaged++;
        memcpy(walk->after, bad.data, bad.size);
        walk->after_size = bad.size;
        r = 1;
    }
    fg_state_view_release(view);
    if (r == 0)
        walk->after_size = 0;
    return r < 0 ? r : 0;
}
