/* Records of journeys on disk: in the keyed state, committed with how far the log was read, so that
 * a start does not read all spans again; and a place for those that there is no room for in memory.
 *
 *     journeys          HASH OF THE KEY'S NAME (8) VALUE            the record
 *     journey_traces    HASH OF THE TRACE ID (8), OF THE KEY (4)    the record's key
 *     journey_looks     WHEN (8) HASH OF THE RECORD'S KEY (8)       the record's key
 *
 * A record is absent where only the disk has it. One that is to be found by more than its key then
 * is marked as absent, and stands in the two tables by which it is found again: by one of its
 * traces, and when a deadline passes. What leads to it stays there when memory has it again: each
 * such row lies on a page of its own, and most of them are still right when the record goes again.
 * The record says of each of its traces, and of its look, whether they are there; a row that leads
 * to a record which does not say so is left over, and does no harm. The row of a look may be
 * earlier than the look: it is moved when its time has come (fetch.c). Numbers in keys are
 * big-endian, in records little-endian. What of the records is absent a filter in memory tells, so
 * that new journeys and unknown traces cost no look on the disk.
 *
 * One thread changes; fg_vault_get() may be called by any. */
#pragma once

#include "base/limits.h"
#include "store/state.h"
#include "table.h"

struct fg_vault;

/* Each tenant has tables of its own. FG_ENOMEM, or as fg_state_table(). */
FG_MUST_CHECK int fg_vault_open(struct fg_state *state, uint32_t tenant,
                                struct fg_vault **ret_vault);
void fg_vault_free(struct fg_vault *vault);

/* What a record needs to be told apart from others on disk. */
struct fg_vault_name {
    uint64_t key_hash;   /* of the key's name */
    uint64_t flow_print; /* of the flow as it was declared; 0: none */
};

/* Puts the record as it is now into a batch, without what leads to it no more: present, or absent
 * with its look. What is to be looked
 * at at once (is_dirty) is due at its next start. */
void fg_vault_put(struct fg_vault *vault, struct fg_state_batch *batch, struct fg_vault_name name,
                  struct fg_record *record, bool is_absent);
/* Whether the trace at this place of the record has to lead to it, and does not yet. Those of a
 * journey do that is under way by its flow or in trouble, and those that joined one and name no
 * key. */
bool fg_vault_wants_trace(const struct fg_record *record, struct fg_vault_name name, uint32_t at);
/* Puts what leads from the trace to the record: in the batch that makes it absent, or in one
 * before. */
void fg_vault_put_trace(struct fg_vault *vault, struct fg_state_batch *batch,
                        struct fg_vault_name name, struct fg_record *record, uint32_t at);
/* A batch with this record was not committed: what it says to lead to it may not be there. */
void fg_vault_doubt(struct fg_record *record);
/* Whether the record has more to be found by than its key: such traces, or a time. */
bool fg_vault_wants_finders(const struct fg_record *record, struct fg_vault_name name);
/* Whether it is to be looked at. */
bool fg_vault_is_due(const struct fg_record *record, uint64_t now_ns);
/* Whether nothing needs to be put of an absent record that has not changed. */
bool fg_vault_is_put_absent(const struct fg_record *record);
/* Whether such a journey's spans are kept past their age: under way by its flow, or in trouble. */
bool fg_vault_is_open(bool has_flow, enum fg_journey_state state);
void fg_vault_delete(struct fg_vault *vault, struct fg_state_batch *batch, uint64_t key_hash,
                     const struct fg_record *record);
/* Deletes what finds the records that go, also what a crash left behind of one that is not there.
 * Durable when it returns 0. */
FG_MUST_CHECK int fg_vault_strike(struct fg_vault *vault,
                                  bool (*goes)(void *arg, uint64_t key_hash, struct fg_slice value),
                                  void *arg);
/* Empties all three tables. */
void fg_vault_delete_all(struct fg_vault *vault, struct fg_state_batch *batch);

/* A record that is nowhere in the table becomes absent: what the filter has to know. */
void fg_vault_note_absent(struct fg_vault *vault, uint64_t key_hash,
                          const struct fg_record *record);
void fg_vault_forget_absent(struct fg_vault *vault);
/* Both will be asked for soon: what the filter has of them is fetched from memory. */
void fg_vault_expect(const struct fg_vault *vault, uint64_t key_hash, struct fg_slice value,
                     struct fg_trace_ref trace);
bool fg_vault_may_have(const struct fg_vault *vault, uint64_t key_hash, struct fg_slice value);
bool fg_vault_may_have_trace(const struct fg_vault *vault, struct fg_trace_ref trace);

/* *ret_record is the caller's to free (fg_record_free()); *ret_flow_print: the flow's when it was
 * put. FG_ENOTFOUND, FG_ECORRUPT, FG_EAGAIN, FG_ENOMEM, FG_EIO. */
FG_MUST_CHECK int fg_vault_get(struct fg_vault *vault, uint64_t key_hash, struct fg_slice value,
                               struct fg_record *ret_record, uint64_t *ret_flow_print);

/* A record's key as it was found; at_ns: of one that is due, when. */
struct fg_vault_found {
    uint64_t at_ns;
    uint64_t key_hash;
    uint16_t value_size;
    char value[FG_JOURNEY_VALUE_SIZE_MAX];
};

/* Absent records of a trace, at most max; very rarely one of another trace with the same hash. */
FG_MUST_CHECK int fg_vault_of_trace(struct fg_vault *vault, struct fg_trace_ref trace, uint32_t max,
                                    struct fg_vault_found *ret_found, uint32_t *ret_count);
/* Absent records that are due. Who is not wanted stands in nobody's way: a call looks at so many
 * rows and the next goes on behind them, from the longest due on again once it came to the end. */
struct fg_vault_due {
    bool (*wants)(void *arg, uint64_t key_hash);
    void *arg;
    uint64_t now_ns;
    uint32_t max, rows_max;
    uint8_t after[16];
    size_t after_size; /* 0: from the longest due on */
};
FG_MUST_CHECK int fg_vault_due(struct fg_vault *vault, struct fg_vault_due *due,
                               struct fg_vault_found *ret_found, uint32_t *ret_count);

/* It is not found as due again. */
void fg_vault_drop_look(struct fg_vault *vault, struct fg_state_batch *batch,
                        const struct fg_vault_found *found);

/* Calls fn with each record, whose parts are fn's to take (and then to set to NULL) or leave, from
 * behind *after on, for at most max records; *after is where it ended, and empty at the end. A
 * record that can't be read is told to damaged and passed over. */
struct fg_vault_walk {
    int (*fn)(void *arg, uint64_t key_hash, uint64_t flow_print, bool is_absent,
              struct fg_record *record);
    void *arg;
    uint32_t max;
    uint64_t damaged;
    uint8_t after[8 + FG_JOURNEY_VALUE_SIZE_MAX];
    size_t after_size;
};
FG_MUST_CHECK int fg_vault_walk(struct fg_vault *vault, struct fg_vault_walk *walk);
