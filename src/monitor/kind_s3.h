/* What the files of the kind s3 share. */
#pragma once

#include "s3_answers.h"
#include "web.h"

#define FG_S3_UNDELETED_MAX 16u

struct fg_s3_check {
    struct fg_env *env;
    struct fg_check_settings *settings;
    const char *url, *bucket, *access_key, *region, *ca_file, *prefix, *storage_class;
    bool is_virtual_hosted;
    char host[256], sigv4[96];
    uint16_t port;
    uint64_t size_bytes, floor_bytes, quota_bytes; /* floor and quota 0: not judged */
    double quota_warn;

    uint64_t size_now_bytes; /* smaller after a canary that did not get through in time */
    uint32_t small_count;    /* such canaries that did get through since */
    bool was_good;           /* the bucket was seen: that it is gone now is a fault */
    uint64_t clean_due_ns;   /* when leftovers are looked for next; 0: at once */
    char undeleted[FG_S3_UNDELETED_MAX][FG_S3_KEY_SIZE];
    uint32_t undeleted_count;
    bool is_delete_denied; /* by the last answer to one */
};

struct fg_s3_run {
    struct fg_s3_check *check;
    struct fg_check_report *report;
    const char *secret_key, *token; /* token: NULL where there is none */
    uint64_t deadline_mono_ns;
    uint64_t work_deadline_ns; /* earlier: some time is kept for deleting */
};

/* One request to the bucket, or to key in it ("" the bucket), with a query that is sorted and
 * encoded ("" none). call's method, upload, headers, body and deadline are the caller's. */
void fg_s3_call(struct fg_s3_run *run, const char *key, const char *query,
                struct fg_web_call *call);

/* Reports why a request failed: no answer, or one that is not 2xx. what: "writing". */
void fg_s3_report(struct fg_s3_run *run, const char *what, const struct fg_web_call *call);

/* Deletes what earlier runs could not, and at times what other processes left behind. */
void fg_s3_clean(struct fg_s3_run *run);
/* Deletes it now, or remembers it; is_silent: whether it was written nobody knows, and it may be
 * yet, after it was deleted, so that leftovers are looked for soon. Past FG_S3_UNDELETED_MAX the
 * oldest is left to the search for leftovers. */
void fg_s3_delete(struct fg_s3_run *run, const char *key, bool is_silent);
/* Bytes used and quota, where the server tells. */
void fg_s3_look_at_space(struct fg_s3_run *run);
