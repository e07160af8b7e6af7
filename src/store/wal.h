/* The write-ahead log: appended batches between their acknowledgement and their segment.
 *
 *   FOLDER/wal/NNNNNNNN.wal   written full of zeros before its first use, then reused for ever
 *
 * A file holds commit groups, each on a 4 KiB boundary; a group holds records. Byte format:
 * wal_format.h and doc/format.md. Sequences number the records of the store from 1 on, without
 * gaps.
 *
 * Threads: fg_wal_write(), fg_wal_sync() and fg_wal_rotate() belong to the committer; the others
 * may come from any thread. */
#pragma once

#include "epoch.h"
#include "store/store.h"

struct fg_wal;

/* -- Records: made by whoever appends, so that many can be made at once */

struct fg_wal_record {
    uint64_t sequence; /* known at replay only */
    uint32_t tenant;
    uint64_t request_hash;
    uint64_t received_ns; /* by the wall clock, when it was appended */
    struct fg_slice payload;
};

/* Compression contexts, shared by all threads that append: one costs some 600 KiB and is dear to
 * make. Thread-safe. */
struct fg_wal_codec;
FG_MUST_CHECK int fg_wal_codec_new(struct fg_wal_codec **ret_codec);
void fg_wal_codec_free(struct fg_wal_codec *codec);

/* The bytes of a record: compressed from FG_WAL_COMPRESS_SIZE_MIN up where that makes it smaller.
 * The caller frees *ret_bytes with free(). FG_ENOMEM, FG_ELIMIT. */
FG_MUST_CHECK int fg_wal_record_encode(struct fg_wal_codec *codec,
                                       const struct fg_wal_record *record, uint8_t **ret_bytes,
                                       uint64_t *ret_size);

/* -- Replay */

struct fg_wal_damage {
    const char *file;                      /* its name within wal/ */
    uint64_t offset;                       /* of the group */
    uint64_t sequence_begin, sequence_end; /* records that are lost; end is exclusive */
};

struct fg_wal_replay {
    struct fg_env *env;
    const char *folder; /* the store's */
    uint64_t store_id;
    uint64_t checkpoint;
    uint64_t hold;  /* files with records from here on are not free, though they are not replayed;
                       0: from the checkpoint on */
    bool is_in_use; /* by the server that reads: files may come and go meanwhile */
    /* What is not looked at: files by number, and what comes behind a record; those before it were
     * synced. NULL, 0: all is. */
    const uint64_t *passed_files;
    size_t passed_file_count;
    uint64_t sequence_end;
    const struct fg_wal_epoch *epochs;
    uint32_t epoch_count;
    /* Each record from the checkpoint on, in sequence. Non-zero ends it and is the result. */
    int (*record)(void *arg, const struct fg_wal_record *record);
    /* Records that were acknowledged and can't be read. */
    void (*damage)(void *arg, const struct fg_wal_damage *damage);
    void *arg;
};

#define FG_WAL_FILES_MAX 1024u

/* Where writing goes on. */
struct fg_wal_end {
    uint64_t next_sequence;
    uint64_t cut_bytes;                /* of groups that no later one called synced */
    uint64_t file_number, file_offset; /* file_number 0: in a file that is not begun */
    uint32_t file_count;
    struct fg_wal_file_state {
        uint64_t number, size;
        uint64_t sequence_end; /* of its records to replay or to hold, exclusive; 0: none, it can be
                                  reused */
        bool is_damaged;
    } files[FG_WAL_FILES_MAX];
};

/* FG_EIO, FG_ENOMEM, FG_ELIMIT (more files, or larger ones, than can be), FG_EUNSUPPORTED (a newer
 * format). A folder without wal/ is empty. */
FG_MUST_CHECK int fg_wal_replay(const struct fg_wal_replay *replay, struct fg_wal_end *ret_end);

/* -- Writing */

struct fg_wal_options {
    struct fg_env *env;
    const char *folder; /* the store's */
    uint64_t store_id, epoch;
    uint64_t segment_size;
};

/* Goes on at end, which fg_wal_replay() gave. The epoch must be durable in the manifest before. */
FG_MUST_CHECK int fg_wal_open(const struct fg_wal_options *options, const struct fg_wal_end *end,
                              struct fg_wal **ret_wal);
void fg_wal_close(struct fg_wal *wal);

/* Bytes of the largest record that a file takes. */
uint64_t fg_wal_record_size_max(const struct fg_wal *wal);

/* Writes records, as many as it can, as one or more groups. They are durable after fg_wal_sync().
 * FG_ENOSPACE: no file for the rest; *ret_count were written. FG_EIO: final. */
FG_MUST_CHECK int fg_wal_write(struct fg_wal *wal, const struct fg_slice *records, size_t count,
                               size_t *ret_count);
/* One sync for all that was written. FG_EIO: final. */
FG_MUST_CHECK int fg_wal_sync(struct fg_wal *wal);
uint64_t fg_wal_next_sequence(struct fg_wal *wal);
/* Numbers of files that hold none of these records, which all were synced; at most
 * FG_WAL_FILES_MAX. */
size_t fg_wal_files_beside(struct fg_wal *wal, uint64_t sequence_begin, uint64_t sequence_end,
                           uint64_t *ret_numbers);

/* Where nothing came since the last call: writes and syncs a group without records behind the last
 * one, which says that all before it is on disk. So damage to what was acknowledged last can be
 * told from a torn end. FG_EIO: final. */
FG_MUST_CHECK int fg_wal_mark(struct fg_wal *wal);

/* Has a file ready for when the current one is full; *ret_did: one was made. FG_ENOSPACE, FG_EIO
 * (not final: nothing was promised of it). */
FG_MUST_CHECK int fg_wal_prepare(struct fg_wal *wal, bool *ret_did);
/* Files whose records all lie below checkpoint can be reused. A damaged one is kept as
 * NNNNNNNN.wal.damaged instead. */
void fg_wal_recycle(struct fg_wal *wal, uint64_t checkpoint);

/* Bytes of files whose records all lie below checkpoint, and that are not free. */
uint64_t fg_wal_held_bytes(struct fg_wal *wal, uint64_t checkpoint);

/* The next group begins in another file. From now on until fg_wal_wipe() files are removed once
 * their records are sealed, not reused, and the next file is full of zeros: so that no old byte
 * lies behind the end of a file that is written meanwhile. Waits for a commit that is under way;
 * what was written is synced. FG_EIO. */
FG_MUST_CHECK int fg_wal_rotate(struct fg_wal *wal);
/* Zeroes every file that can be reused and removes those that were kept as damaged: of records that
 * were sealed and recycled since fg_wal_rotate() nothing is left. */
FG_MUST_CHECK int fg_wal_wipe(struct fg_wal *wal);

struct fg_wal_counters {
    uint64_t groups, bytes_written;
    uint64_t size_bytes; /* of all files now */
};
void fg_wal_counters(struct fg_wal *wal, struct fg_wal_counters *ret_counters);
