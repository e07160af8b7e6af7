/* The audit: who saw which order or trace, who changed what, and every attempt that was refused. A
 * file of lines that is only added to; each line carries the hash of the one before and its own, so
 * that an edit, a removal or a swap breaks the chain, and a cut end shows against a head that was
 * kept elsewhere (doc/format.md).
 *
 * One thread writes. What is noted goes into a bounded queue and never holds up who notes it; what
 * is to be on disk before something is done is waited for. After a failed write nothing more is
 * taken until a restart, and changes are refused. */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "os/env.h"

struct fg_audit;

#define FG_AUDIT_HASH_SIZE 32
/* Bytes of a text in a record; longer ones are cut. */
#define FG_AUDIT_TEXT_SIZE_MAX 512u

struct fg_audit_record {
    struct fg_slice who;    /* empty: nobody that is known */
    struct fg_slice from;   /* the client's address */
    struct fg_slice tenant; /* by name */
    struct fg_slice action; /* "trace.view", "refused" */
    struct fg_slice what;
    struct fg_slice result; /* "ok", or in a word or two why not */
};

struct fg_audit_head {
    uint64_t sequence; /* of the last record; 0: there is none */
    uint8_t hash[FG_AUDIT_HASH_SIZE];
};

/* What is in FOLDER/audit/ is read to its end and added to; a line that a crash cut short is cut
 * off. Records older than age_ns are deleted, a sixteenth of it later at most (0: never);
 * those of the newest file stay until others follow.
 * expected: where it must have been at least, NULL where that is not known; *ret_is_whole is false
 * where it is not. FG_ECORRUPT: its end can't be read; FG_ENOMEM, FG_EIO, FG_EDENIED. */
FG_MUST_CHECK int fg_audit_open(struct fg_env *env, const char *folder, uint64_t age_ns,
                                const struct fg_audit_head *expected, bool *ret_is_whole,
                                struct fg_audit **ret_audit);
/* Writes what waits. NULL is accepted. */
void fg_audit_close(struct fg_audit *audit);

/* Never blocks, and copies. Where the queue is full the record is counted as lost, and the count is
 * itself recorded. The same within ten minutes is recorded once, unless is_always. Any thread. */
void fg_audit_note(struct fg_audit *audit, const struct fg_audit_record *record, bool is_always);

/* Of what an attacker can cause at will, such as connections that were turned away. The first of a
 * kind (action, what and result) is recorded; those that follow within a minute are counted, and
 * the count is recorded when it is over, or at the end: it can't fill the disk. Never blocks; any
 * thread; NULL is accepted. */
void fg_audit_tally(struct fg_audit *audit, const struct fg_audit_record *record);

/* One that must be on disk first: done is called once, on the writer's thread, with 0 or FG_EIO.
 * FG_EAGAIN: the queue is full; FG_EIO: it has failed; FG_ENOMEM: then done is not called. */
struct fg_audit_wait {
    void (*done)(struct fg_audit_wait *wait, int result);
};
FG_MUST_CHECK int fg_audit_start(struct fg_audit *audit, const struct fg_audit_record *record,
                                 struct fg_audit_wait *wait);

struct fg_audit_counters {
    struct fg_audit_head head;
    uint64_t records, lost; /* since the start */
    bool is_failed;
};
void fg_audit_counters(struct fg_audit *audit, struct fg_audit_counters *ret_counters);

/* -- Reading; any thread that may block */

struct fg_audit_query {
    uint64_t before;                   /* only records below this number; 0: all */
    struct fg_slice who, action, what; /* empty: any; what: a part of it */
    uint32_t limit;
};
/* Lines, newest first, each as it stands in the file without its end. *ret_next: to go on with, as
 * `before`; 0: that was all. */
FG_MUST_CHECK int fg_audit_read(struct fg_env *env, const char *folder,
                                const struct fg_audit_query *query,
                                void (*line)(void *arg, struct fg_slice line), void *arg,
                                uint64_t *ret_next);

/* The same of the audit that auth writes. */
struct fg_auth;
FG_MUST_CHECK int fg_auth_audit_read(struct fg_auth *auth, const struct fg_audit_query *query,
                                     void (*line)(void *arg, struct fg_slice line), void *arg,
                                     uint64_t *ret_next);

struct fg_audit_report {
    uint64_t first, last, records;    /* numbers of the first and the last */
    uint64_t break_count;             /* how often damage was called */
    uint8_t hash[FG_AUDIT_HASH_SIZE]; /* of the last */
    bool has_head;                    /* the head that was asked for is in it */
};
/* Follows the chain through all files. damage gets a sentence for each break. head: one that was
 * kept elsewhere; NULL: none. FG_ENOTFOUND: there is no audit; FG_ENOMEM, FG_EIO. */
FG_MUST_CHECK int fg_audit_verify(struct fg_env *env, const char *folder,
                                  const struct fg_audit_head *head,
                                  void (*damage)(void *arg, const char *sentence), void *arg,
                                  struct fg_audit_report *ret_report);
