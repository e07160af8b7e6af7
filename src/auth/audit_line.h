/* A record as a line of the audit's file, and its place in the chain. */
#pragma once

#include "auth/audit.h"

struct fg_audit_line {
    uint64_t sequence;
    uint8_t before[FG_AUDIT_HASH_SIZE], hash[FG_AUDIT_HASH_SIZE];
};

/* Appends the line with its end; moves *head to it. Sticky error in buffer; head is then as it was.
 */
void fg_audit_line_write(struct fg_buffer *buffer, const struct fg_audit_record *record,
                         uint64_t time_ns, struct fg_audit_head *head);

/* Reads one without its end. FG_ECORRUPT: it is none, or its hash is another's. */
FG_MUST_CHECK int fg_audit_line_parse(struct fg_slice text, struct fg_audit_line *ret_line);

/* When it was written, by the wall clock; 0 where it does not say. */
uint64_t fg_audit_line_time(struct fg_slice line);

/* -- The files: FOLDER/audit/, named by the first record's number (16 hexadecimal digits) */

#define FG_AUDIT_FILES_MAX     4096u
#define FG_AUDIT_FILE_SIZE_MAX ((uint64_t)16 << 20)

struct fg_audit_files {
    uint64_t firsts[FG_AUDIT_FILES_MAX]; /* ascending */
    size_t count;
};
/* FG_ENOTFOUND: no folder. FG_ELIMIT. */
FG_MUST_CHECK int fg_audit_list(struct fg_env *env, const char *folder,
                                struct fg_audit_files *ret_files);
/* The whole file; the caller frees buffer. */
FG_MUST_CHECK int fg_audit_load(struct fg_env *env, const char *folder, uint64_t first,
                                struct fg_buffer *buffer);
/* When its last record was written, by the wall clock; 0 for a file without one. */
FG_MUST_CHECK int fg_audit_last_time(struct fg_env *env, const char *folder, uint64_t first,
                                     uint64_t *ret_time_ns);
/* FOLDER/audit/FIRST.log; the caller frees. NULL: no memory. */
char *fg_audit_path(const char *folder, uint64_t first);
