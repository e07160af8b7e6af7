/* What canaries leave, and what is left of the room. No object is deleted whose name is not that of
 * a canary, of this prefix, and older than any run: another Filigree may use the same bucket. */
#include "kind_s3.h"

#include "base/limits.h"
#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>

#define ANSWER_SIZE_MAX   ((size_t)256 << 10)
#define LEFTOVER_AGE_NS   (10 * FG_NS_PER_MINUTE)
#define CLEAN_INTERVAL_NS (60 * FG_NS_PER_MINUTE)

/* -- Deleting ---------------------------------------------------------------------------------- */

/* Answer 404 is as good: it is gone. */
static bool try_delete(struct fg_s3_run *run, const char *key, struct fg_web_call *call)
{
    *call = (struct fg_web_call){.method = "DELETE",
                                 .is_owed = true,
                                 .deadline_mono_ns = run->deadline_mono_ns,
                                 .body = call->body};
    fg_buffer_reset(call->body);
    fg_s3_call(run, key, "", call);
    if (call->outcome == FG_WEB_ANSWERED)
        run->check->is_delete_denied = call->status == 403;
    return call->outcome == FG_WEB_ANSWERED &&
           ((call->status >= 200 && call->status < 300) || call->status == 404);
}

static void remember(struct fg_s3_check *check, const char *key)
{
    for (uint32_t i = 0; i < check->undeleted_count; i++)
        if (strcmp(check->undeleted[i], key) == 0)
            return;
    if (check->undeleted_count == FG_S3_UNDELETED_MAX)
        memmove(check->undeleted[0], check->undeleted[1],
                --check->undeleted_count * sizeof check->undeleted[0]);
    snprintf(check->undeleted[check->undeleted_count++], FG_S3_KEY_SIZE, "%s", key);
}

void fg_s3_delete(struct fg_s3_run *run, const char *key, bool is_silent)
{
    struct fg_buffer body;
    uint64_t soon = fg_env_mono_ns(run->check->env) + LEFTOVER_AGE_NS + FG_NS_PER_MINUTE;
    if (is_silent && soon < run->check->clean_due_ns)
        run->check->clean_due_ns = soon;
    fg_buffer_init(&body, ANSWER_SIZE_MAX);
    struct fg_web_call call = {.body = &body};
    if (!try_delete(run, key, &call)) {
        remember(run->check, key);
        /* Where all else failed, too, that is said already. */
        if (fg_check_worst(run->report) == FG_CHECK_OK)
            fg_s3_report(run, "deleting", &call);
    }
    fg_buffer_free(&body);
}

/* -- What others left --------------------------------------------------------------------------
 */

struct leftovers {
    const struct fg_s3_check *check;
    uint64_t wall_ns;
    char keys[FG_S3_UNDELETED_MAX][FG_S3_KEY_SIZE];
    uint32_t count;
};

static void take_leftover(void *arg, const char *key)
{
    struct leftovers *leftovers = arg;
    uint64_t made_ns;
    if (!fg_s3_key_parse(leftovers->check->prefix, key, &made_ns))
        return;
    uint64_t now = leftovers->wall_ns; /* either clock may have been set since */
    uint64_t age = now > made_ns ? now - made_ns : made_ns - now;
    if (age > LEFTOVER_AGE_NS && leftovers->count < FG_S3_UNDELETED_MAX)
        snprintf(leftovers->keys[leftovers->count++], FG_S3_KEY_SIZE, "%s", key);
}

static void find_leftovers(struct fg_s3_run *run, struct leftovers *leftovers)
{
    struct fg_buffer body, query;
    fg_buffer_init(&body, ANSWER_SIZE_MAX);
    fg_buffer_init(&query, 1024);
    fg_buffer_append_string(&query, "list-type=2&max-keys=100&prefix=");
    fg_web_url_append(&query, run->check->prefix);
    fg_buffer_append(&query, "%2F", 4);
    struct fg_web_call call = {
        .method = "GET", .deadline_mono_ns = run->work_deadline_ns, .body = &body};
    fg_s3_call(run, "", query.error ? "" : (const char *)query.data, &call);
    bool listed = call.outcome == FG_WEB_ANSWERED && call.status == 200 && !call.is_cut &&
                  fg_s3_read_list(fg_buffer_slice(&body), take_leftover, leftovers) == 0;
    /* Without the right to list, what a crash leaves stays: seen as a value, not as a fault. */
    fg_check_bool(run->report, "s3.canary.listed", listed);
    fg_buffer_free(&body);
    fg_buffer_free(&query);
}

static void clean_leftovers(struct fg_s3_run *run)
{
    struct leftovers *leftovers = calloc(1, sizeof *leftovers);
    if (!leftovers)
        return; /* the next hour's turn */
    leftovers->check = run->check;
    leftovers->wall_ns = fg_env_wall_ns(run->check->env);
    find_leftovers(run, leftovers);
    struct fg_buffer body;
    fg_buffer_init(&body, ANSWER_SIZE_MAX);
    int64_t deleted = 0;
    for (uint32_t i = 0; i < leftovers->count; i++) {
        struct fg_web_call call = {.body = &body};
        if (fg_env_mono_ns(run->check->env) >= run->work_deadline_ns ||
            !try_delete(run, leftovers->keys[i], &call))
            break;
        deleted++;
    }
    if (deleted)
        fg_check_int(run->report, "s3.canary.leftovers_deleted", deleted);
    if (leftovers->count < FG_S3_UNDELETED_MAX)
        run->check->clean_due_ns = fg_env_mono_ns(run->check->env) + CLEAN_INTERVAL_NS;
    fg_buffer_free(&body);
    free(leftovers);
}

void fg_s3_clean(struct fg_s3_run *run)
{
    struct fg_s3_check *check = run->check;
    struct fg_buffer body;
    fg_buffer_init(&body, ANSWER_SIZE_MAX);
    while (check->undeleted_count) {
        struct fg_web_call call = {.body = &body};
        if (!try_delete(run, check->undeleted[check->undeleted_count - 1], &call))
            break;
        check->undeleted_count--;
    }
    fg_buffer_free(&body);
    if (check->was_good && fg_env_mono_ns(check->env) >= check->clean_due_ns)
        clean_leftovers(run);
}

/* -- Room --------------------------------------------------------------------------------------
 */

struct space {
    int64_t used_bytes, object_count, quota_bytes; /* -1: not told */
};

static bool is_header(struct fg_slice line, const char *name, int64_t *ret_value)
{
    size_t size = strlen(name);
    char digits[24];
    if (line.size <= size + 1 || line.data[size] != ':' ||
        strncasecmp((const char *)line.data, name, size) != 0)
        return false;
    size++;
    while (size < line.size && line.data[size] == ' ')
        size++;
    snprintf(digits, sizeof digits, "%.*s", (int)(line.size - size < 20 ? line.size - size : 20),
             (const char *)line.data + size);
    char *end;
    long long value = strtoll(digits, &end, 10);
    if (end != digits && !*end && value >= 0)
        *ret_value = value;
    return true;
}

/* Ceph's names, which Swift's S3 uses as well; Amazon tells nothing. */
static void take_space(void *arg, struct fg_slice line)
{
    struct space *space = arg;
    (void)(is_header(line, "x-rgw-bytes-used", &space->used_bytes) ||
           is_header(line, "x-rgw-object-count", &space->object_count) ||
           is_header(line, "x-rgw-quota-bucket-size", &space->quota_bytes));
}

void fg_s3_look_at_space(struct fg_s3_run *run)
{
    const struct fg_s3_check *check = run->check;
    struct space space = {-1, -1, -1};
    struct fg_buffer body;
    fg_buffer_init(&body, ANSWER_SIZE_MAX);
    struct fg_web_call call = {.method = "HEAD",
                               .deadline_mono_ns = run->deadline_mono_ns,
                               .body = &body,
                               .on_header = take_space,
                               .on_header_arg = &space};
    fg_s3_call(run, "", "", &call);
    fg_buffer_free(&body);
    int64_t quota = check->quota_bytes ? (int64_t)check->quota_bytes : space.quota_bytes;
    if (call.outcome != FG_WEB_ANSWERED || call.status != 200 || space.used_bytes < 0)
        return; /* it tells nothing, which is no fault */
    fg_check_int(run->report, "s3.bucket.used", space.used_bytes);
    if (space.object_count >= 0)
        fg_check_int(run->report, "s3.bucket.objects", space.object_count);
    if (quota <= 0)
        return;
    fg_check_int(run->report, "s3.bucket.quota", quota);
    if ((double)space.used_bytes < check->quota_warn * (double)quota)
        return;
    char used[FG_UNITS_TEXT_SIZE], limit[FG_UNITS_TEXT_SIZE];
    fg_size_format((uint64_t)space.used_bytes, used);
    fg_size_format((uint64_t)quota, limit);
    fg_check_finding(run->report, FG_CHECK_DEGRADED, "out_of_space", true,
                     "%s of the bucket's quota of %s are used", used, limit);
}
