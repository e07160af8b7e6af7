/* An object store that speaks S3, by a canary: an object of random bytes is written, read,
 * compared and deleted; how long that took is bytes a second. libcurl signs (Signature Version 4).
 * The rights that serve: PutObject, GetObject and DeleteObject on the prefix of the canaries, and
 * ListBucket, to find those that a crash has left.
 *
 * A canary that is not through in time may have been accepted by a server that hangs, or be on a
 * slow way: nobody can tell. The next one is an eighth of it, until one gets through and its pace
 * shows what it is; then they grow again. */
#include "kind_s3.h"

#include "base/limits.h"
#include "base/units.h"
#include "kinds.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SIZE_MIN        ((uint64_t)4 << 10)
#define SIZE_MAX_BYTES  ((uint64_t)64 << 20)
#define ANSWER_SIZE_MAX ((size_t)256 << 10)
#define SMALL_CANARIES  8u
#define READ_TRIES      4

/* -- Settings ---------------------------------------------------------------------------------- */

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
              (*text >= '0' && *text <= '9') || strchr("-_./", *text)))
            return false;
    return true;
}

static const char *text_or(struct fg_check_settings *settings, const char *key,
                           const char *otherwise)
{
    const char *text = fg_check_setting(settings, key);
    return text && *text ? text : otherwise;
}

static bool read_address(struct fg_check_settings *settings, struct fg_s3_check *check)
{
    const char *why = "an object store wants a url";
    bool good = true;
    check->url = fg_check_setting(settings, "url");
    check->bucket = fg_check_setting(settings, "bucket");
    check->access_key = fg_check_setting(settings, "access-key");
    check->region = text_or(settings, "region", "us-east-1");
    check->ca_file = fg_check_setting(settings, "ca-file");
    check->is_virtual_hosted = fg_check_setting_bool(settings, "virtual-hosted", false);
    (void)fg_check_secret(settings, "secret-key", NULL, NULL);
    (void)fg_check_secret(settings, "session-token", NULL, NULL);
    if (!check->url || !fg_web_url_split(check->url, check->host, &check->port, &why)) {
        fg_check_complain(settings, "url", "%s", why);
        good = false;
    }
    if (!check->bucket || !*check->bucket || !is_plain(check->bucket) ||
        strchr(check->bucket, '/')) {
        fg_check_complain(settings, "bucket", "an object store wants a bucket's name");
        good = false;
    }
    if (!check->access_key || !*check->access_key) {
        fg_check_complain(settings, "access-key", "an object store wants one");
        good = false;
    }
    if (!is_plain(check->region) || strlen(check->region) > 60) {
        fg_check_complain(settings, "region", "this is no region");
        good = false;
    }
    return good;
}

static bool read_canary(struct fg_check_settings *settings, struct fg_s3_check *check)
{
    bool good = true;
    check->prefix = text_or(settings, "prefix", "filigree-canary");
    check->storage_class = fg_check_setting(settings, "storage-class");
    check->size_bytes = fg_check_setting_bytes(settings, "size", UINT64_C(1) << 20);
    check->floor_bytes = fg_check_setting_bytes(settings, "floor", 0);
    check->quota_bytes = fg_check_setting_bytes(settings, "quota", 0);
    check->quota_warn = fg_check_setting_double(settings, "quota-warn", 0.01, 1, 0.9);
    size_t size = strlen(check->prefix);
    if (!is_plain(check->prefix) || size > 200 || check->prefix[0] == '/' ||
        check->prefix[size - 1] == '/') {
        fg_check_complain(settings, "prefix",
                          "it has letters, digits, '-', '_', '.', and '/' within");
        good = false;
    }
    if (check->size_bytes < SIZE_MIN || check->size_bytes > SIZE_MAX_BYTES) {
        fg_check_complain(settings, "size", "a canary has 4 KiB to 64 MiB");
        good = false;
    }
    if (check->storage_class &&
        (!is_plain(check->storage_class) || strlen(check->storage_class) > 60)) {
        fg_check_complain(settings, "storage-class", "this is none");
        good = false;
    }
    check->size_now_bytes = check->size_bytes;
    return good;
}

static int open_check(struct fg_env *env, struct fg_check_settings *settings, void **ret_check)
{
    struct fg_s3_check *check = calloc(1, sizeof *check);
    if (!check)
        return FG_ENOMEM;
    check->env = env;
    check->settings = settings;
    bool good = read_address(settings, check);
    if (!read_canary(settings, check) || !good) {
        free(check);
        return FG_EINVALID;
    }
    snprintf(check->sigv4, sizeof check->sigv4, "aws:amz:%s:s3", check->region);
    *ret_check = check;
    return 0;
}

/* -- Asking ------------------------------------------------------------------------------------
 */

static void build_url(const struct fg_s3_check *check, const char *key, const char *query,
                      struct fg_buffer *url)
{
    size_t size = strlen(check->url);
    while (size && check->url[size - 1] == '/')
        size--;
    const char *host = strstr(check->url, "://");
    if (check->is_virtual_hosted && host) {
        size_t scheme = (size_t)(host - check->url) + 3;
        fg_buffer_append(url, check->url, scheme);
        fg_buffer_append_format(url, "%s.", check->bucket);
        fg_buffer_append(url, check->url + scheme, size - scheme);
    } else {
        fg_buffer_append(url, check->url, size);
        fg_buffer_append_format(url, "/%s", check->bucket);
    }
    if (*key || check->is_virtual_hosted)
        fg_buffer_append_format(url, "/%s", key); /* keys are plain */
    if (*query)
        fg_buffer_append_format(url, "?%s", query);
    fg_buffer_append_byte(url, 0);
}

/* The header that the signature covers the body by; libcurl itself only makes it for posts. */
static bool format_hash(struct fg_slice body, char ret_header[96])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char hash[32];
    size_t used = (size_t)snprintf(ret_header, 96, "x-amz-content-sha256: ");
    if (!EVP_Digest(body.size ? (const void *)body.data : "", body.size, hash, NULL, EVP_sha256(),
                    NULL))
        return false;
    for (size_t i = 0; i < sizeof hash; i++) {
        ret_header[used++] = digits[hash[i] >> 4];
        ret_header[used++] = digits[hash[i] & 15];
    }
    ret_header[used] = 0;
    return true;
}

void fg_s3_call(struct fg_s3_run *run, const char *key, const char *query, struct fg_web_call *call)
{
    const struct fg_s3_check *check = run->check;
    struct fg_buffer url, token;
    char hash[96];
    const char *headers[5] = {NULL};
    uint32_t count = 0;
    if (format_hash(call->upload, hash))
        headers[count++] = hash;
    for (const char *const *one = call->headers; one && *one && count < 3; one++)
        headers[count++] = *one;
    fg_buffer_init(&url, 2048);
    fg_buffer_init(&token, 8192);
    build_url(check, key, query, &url);
    if (run->token) {
        fg_buffer_append_string(&token, "x-amz-security-token: ");
        fg_buffer_append(&token, run->token, strlen(run->token) + 1);
        if (!token.error)
            headers[count++] = (const char *)token.data;
    }
    call->env = check->env;
    call->report = run->report;
    call->url = url.error ? "" : (const char *)url.data;
    call->user = check->access_key;
    call->password = run->secret_key;
    call->sigv4 = check->sigv4;
    call->ca_file = check->ca_file;
    call->headers = headers;
    fg_web_call(call);
    call->headers = NULL;
    call->url = NULL;
    fg_buffer_free(&url);
    fg_buffer_free(&token);
}

static void report_bucket(struct fg_s3_run *run)
{
    if (run->check->was_good)
        fg_check_finding(run->report, FG_CHECK_DOWN, "unreachable", false, "the bucket %s is gone",
                         run->check->bucket);
    else
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "configuration", false,
                         "it has no bucket %s", run->check->bucket);
}

void fg_s3_report(struct fg_s3_run *run, const char *what, const struct fg_web_call *call)
{
    struct fg_check_report *report = run->report;
    char code[FG_S3_CODE_SIZE] = "";
    if (call->outcome != FG_WEB_ANSWERED) {
        fg_web_report_failure(call, what);
        return;
    }
    if (call->is_cut || fg_s3_read_error(fg_buffer_slice(call->body), code) != 0)
        code[0] = 0;
    fg_check_int(report, "http.response.status_code", call->status);
    if (code[0])
        fg_check_text(report, "aws.error_code", fg_slice_from_string(code));
    switch (fg_s3_refusal_of(call->status, code)) {
    case FG_S3_IDENTITY:
        fg_check_finding(report, FG_CHECK_UNKNOWN, "access_denied", false,
                         "%s: it does not know the keys (%s)", what, code);
        break;
    case FG_S3_CLOCK:
        fg_check_finding(report, FG_CHECK_UNKNOWN, "clock", false,
                         "%s: its clock and this machine's differ too much (%s)", what, code);
        break;
    case FG_S3_RIGHT:
        fg_check_finding(report, FG_CHECK_UNKNOWN, "permission", false,
                         "%s: the keys may not do it on %s/%s/* (%s)", what, run->check->bucket,
                         run->check->prefix, code);
        break;
    case FG_S3_BUCKET:
        report_bucket(run);
        break;
    case FG_S3_SPACE:
        fg_check_finding(report, FG_CHECK_DEGRADED, "out_of_space", false,
                         "%s: it has no more room, or the quota of %s is reached (%ld %s)", what,
                         run->check->bucket, call->status, code);
        break;
    case FG_S3_SLOW:
        fg_check_finding(report, FG_CHECK_DEGRADED, "slow", true, "%s: %s (%ld %s)", what,
                         strcmp(code, "InvalidObjectState") == 0
                             ? "objects go to an archive that must be asked first"
                             : "it asks to be used less",
                         call->status, code);
        break;
    case FG_S3_BROKEN:
        fg_check_finding(report, FG_CHECK_DOWN, "unreachable", false,
                         "%s: it answers that it does not serve (%ld %s)", what, call->status,
                         code);
        break;
    default:
        fg_check_finding(report, FG_CHECK_UNKNOWN, "not_understood", false,
                         "%s: its answer (%ld %s) is not understood", what, call->status, code);
        break;
    }
}

static bool is_good(const struct fg_web_call *call)
{
    return call->outcome == FG_WEB_ANSWERED && call->status >= 200 && call->status < 300;
}

/* -- The canary --------------------------------------------------------------------------------
 */

static void judge_rate(struct fg_s3_run *run, const char *what, const char *key, uint64_t bytes,
                       uint64_t ns)
{
    char rate[FG_UNITS_TEXT_SIZE], floor[FG_UNITS_TEXT_SIZE];
    double each = (double)bytes * 1e9 / (double)(ns ? ns : 1);
    fg_check_double(run->report, key, each);
    if (!run->check->floor_bytes || each >= (double)run->check->floor_bytes)
        return;
    fg_size_format((uint64_t)each, rate);
    fg_size_format(run->check->floor_bytes, floor);
    fg_check_finding(run->report, FG_CHECK_DEGRADED, "slow", true,
                     "%s goes at %s a second, and %s is its floor: a slow storage class, or a slow "
                     "way to it",
                     what, rate, floor);
}

/* A 5xx to a write: where it still reads, it is most likely full. An object that can't be there is
 * asked for: its answer comes from the disks, too. */
static void report_broken_write(struct fg_s3_run *run, const char *key,
                                const struct fg_web_call *write)
{
    struct fg_buffer body;
    fg_buffer_init(&body, ANSWER_SIZE_MAX);
    struct fg_web_call call = {
        .method = "GET", .deadline_mono_ns = run->work_deadline_ns, .body = &body};
    fg_s3_call(run, key, "", &call);
    if (call.outcome == FG_WEB_ANSWERED && (call.status == 404 || call.status == 200))
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "out_of_space", false,
                         "it refuses to write (%ld) and can still read: most likely its disks are "
                         "full",
                         write->status);
    else
        fg_s3_report(run, "writing", write);
    fg_buffer_free(&body);
}

/* Whether a canary is there after it was written: an answer says so, silence does not. */
enum fate { ABSENT, POSSIBLE, PRESENT };

static enum fate fate_of(const struct fg_web_call *call)
{
    if (is_good(call))
        return PRESENT;
    if (call->outcome == FG_WEB_ANSWERED)
        return call->status >= 500 ? POSSIBLE : ABSENT;
    return call->outcome == FG_WEB_TIMEOUT || call->outcome == FG_WEB_BROKEN ? POSSIBLE : ABSENT;
}

/* PUT; a failure is reported. */
static enum fate write_canary(struct fg_s3_run *run, const char *key, struct fg_slice bytes)
{
    struct fg_s3_check *check = run->check;
    struct fg_buffer body;
    char class_header[96];
    const char *headers[] = {"content-type: application/octet-stream", NULL, NULL};
    fg_buffer_init(&body, ANSWER_SIZE_MAX);
    if (check->storage_class) {
        snprintf(class_header, sizeof class_header, "x-amz-storage-class: %s",
                 check->storage_class);
        headers[1] = class_header;
    }
    /* Owed: of a write that was cut off nobody knows whether the store does it after the delete. */
    struct fg_web_call call = {.method = "PUT",
                               .is_owed = true,
                               .headers = headers,
                               .upload = bytes,
                               .deadline_mono_ns = run->work_deadline_ns,
                               .body = &body};
    fg_s3_call(run, key, "", &call);
    bool good = is_good(&call) && !call.is_cut;
    if (good) {
        fg_check_double(run->report, "s3.write.duration", (double)call.total_ns / 1e9);
        judge_rate(run, "writing", "s3.write.rate", bytes.size, call.total_ns);
    } else if (is_good(&call)) {
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "not_understood", false,
                         "writing: its answer is longer than any that is known");
    } else if (call.outcome == FG_WEB_ANSWERED && call.status >= 500 && call.status != 507) {
        report_broken_write(run, key, &call);
    } else {
        fg_s3_report(run, "writing", &call);
    }
    if (call.outcome == FG_WEB_TIMEOUT && check->size_now_bytes / 8 >= SIZE_MIN)
        check->size_now_bytes /= 8;
    fg_buffer_free(&body);
    return fate_of(&call);
}

static void take_class(void *arg, struct fg_slice line)
{
    static const char name[] = "x-amz-storage-class:";
    struct fg_check_report *report = arg;
    size_t size = sizeof name - 1;
    if (line.size <= size || strncasecmp((const char *)line.data, name, size) != 0)
        return;
    while (size < line.size && line.data[size] == ' ')
        size++;
    fg_check_text(report, "aws.s3.storage_class", fg_slice(line.data + size, line.size - size));
}

/* What came before time was up shows the pace. */
static void judge_partial_read(struct fg_s3_run *run, const struct fg_web_call *call)
{
    if (call->outcome == FG_WEB_TIMEOUT && call->received_bytes > SIZE_MIN &&
        run->check->floor_bytes)
        judge_rate(run, "reading", "s3.read.rate", call->received_bytes, call->total_ns);
    else
        fg_s3_report(run, "reading", call);
    if (call->outcome == FG_WEB_TIMEOUT && run->check->size_now_bytes / 8 >= SIZE_MIN)
        run->check->size_now_bytes /= 8;
}

/* A small canary's pace is mostly that of the way there and back. So they grow when the next would
 * surely get through, and now and then on trial, when this one took but a part of the time: one
 * that does not get through again is a single look that nobody believes. */
static void grow(struct fg_s3_run *run, uint64_t took_ns, uint64_t limit_ns)
{
    struct fg_s3_check *check = run->check;
    if (check->size_now_bytes >= check->size_bytes)
        return;
    bool on_trial = ++check->small_count >= SMALL_CANARIES && took_ns < limit_ns / 3;
    if (!on_trial && took_ns >= limit_ns / 32)
        return;
    check->small_count = 0;
    check->size_now_bytes = check->size_now_bytes * 8 < check->size_bytes
                                ? check->size_now_bytes * 8
                                : check->size_bytes;
}

static bool wait_a_little(struct fg_s3_run *run)
{
    uint64_t until = fg_env_mono_ns(run->check->env) + 100 * FG_NS_PER_MS;
    if (until >= run->work_deadline_ns)
        return false;
    struct timespec time = {.tv_nsec = 100 * (long)FG_NS_PER_MS};
    nanosleep(&time, NULL);
    return true;
}

/* GET and compare. An object that is not there at once is asked for some times more. */
static void read_canary_back(struct fg_s3_run *run, const char *key, struct fg_slice bytes)
{
    struct fg_buffer body;
    fg_buffer_init(&body, bytes.size + ANSWER_SIZE_MAX);
    struct fg_web_call call = {.method = "GET",
                               .deadline_mono_ns = run->work_deadline_ns,
                               .body = &body,
                               .on_header = take_class,
                               .on_header_arg = run->report};
    uint64_t begun = fg_env_mono_ns(run->check->env);
    for (int i = 0; i < READ_TRIES; i++) {
        fg_buffer_reset(&body);
        fg_s3_call(run, key, "", &call);
        if (call.outcome != FG_WEB_ANSWERED || call.status != 404 || !wait_a_little(run))
            break;
    }
    if (call.outcome == FG_WEB_ANSWERED && call.status == 404) {
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "corrupt", false,
                         "an object that was just written is not there");
    } else if (!is_good(&call)) {
        judge_partial_read(run, &call);
    } else if (call.is_cut ||
               (!run->check->was_good && !fg_slice_equal(fg_buffer_slice(&body), bytes))) {
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "not_understood", false,
                         "what answers takes objects and gives others back: it is no S3 server");
    } else if (!fg_slice_equal(fg_buffer_slice(&body), bytes)) {
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "corrupt", false,
                         "what is read is not what was written");
    } else {
        run->check->was_good = true;
        fg_check_double(run->report, "s3.read.duration", (double)call.total_ns / 1e9);
        fg_check_double(run->report, "s3.read.wait", (double)call.wait_ns / 1e9);
        judge_rate(run, "reading", "s3.read.rate", bytes.size, call.total_ns);
        grow(run, call.total_ns, run->work_deadline_ns - begun);
    }
    fg_buffer_free(&body);
}

/* True where it was written. */
static bool fly_canary(struct fg_s3_run *run)
{
    struct fg_s3_check *check = run->check;
    char key[FG_S3_KEY_SIZE];
    uint64_t chance;
    size_t size = (size_t)check->size_now_bytes;
    uint8_t *bytes = malloc(size);
    if (!bytes) {
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "check_failed", false,
                         "there is no memory for a canary");
        return false;
    }
    fg_env_random(check->env, bytes, size);
    fg_env_random(check->env, &chance, sizeof chance);
    fg_s3_key_format(check->prefix, fg_env_wall_ns(check->env), chance, key);
    fg_check_int(run->report, "s3.canary.size", (int64_t)size);
    enum fate fate =
        fg_check_is_cancelled(run->report) ? ABSENT : write_canary(run, key, fg_slice(bytes, size));
    if (fate == PRESENT && !fg_check_is_cancelled(run->report))
        read_canary_back(run, key, fg_slice(bytes, size));
    if (fate != ABSENT)
        fg_s3_delete(run, key, fate == POSSIBLE);
    free(bytes);
    return fate == PRESENT;
}

static void run_check(void *arg, uint64_t deadline_mono_ns, struct fg_check_report *report)
{
    struct fg_s3_check *check = arg;
    struct fg_s3_run run = {.check = check, .report = report, .deadline_mono_ns = deadline_mono_ns};
    const char *why = NULL;
    fg_check_text(report, "server.address", fg_slice_from_string(check->host));
    fg_check_int(report, "server.port", check->port);
    fg_check_text(report, "rpc.system", FG_SLICE("aws-api"));
    fg_check_text(report, "rpc.service", FG_SLICE("S3"));
    fg_check_text(report, "aws.s3.bucket", fg_slice_from_string(check->bucket));
    uint64_t now = fg_env_mono_ns(check->env);
    uint64_t left = now < deadline_mono_ns ? deadline_mono_ns - now : 0;
    run.work_deadline_ns = deadline_mono_ns - left / 5;
    run.secret_key = fg_check_secret(check->settings, "secret-key", report->arena, &why);
    run.token = fg_check_secret(check->settings, "session-token", report->arena, NULL);
    if (!run.secret_key) {
        fg_check_finding(report, FG_CHECK_UNKNOWN, "credentials_missing", false,
                         "no secret key: %s", why ? why : "none is set");
        return;
    }
    /* Only where deleting is forbidden do canaries pile up for good. */
    if (check->undeleted_count == FG_S3_UNDELETED_MAX && check->is_delete_denied)
        fg_s3_clean(&run);
    if (check->undeleted_count == FG_S3_UNDELETED_MAX && check->is_delete_denied) {
        fg_check_finding(report, FG_CHECK_UNKNOWN, "permission", false,
                         "%u canaries could not be deleted, so no more are written: the keys want "
                         "DeleteObject",
                         check->undeleted_count);
        return;
    }
    if (fly_canary(&run)) {
        fg_s3_clean(&run);
        fg_s3_look_at_space(&run);
    }
}

static void close_check(void *arg)
{
    free(arg);
}

const struct fg_check_kind fg_check_kind_s3 = {
    .name = "s3",
    .summary = "S3: a canary object written, read, compared, deleted; its pace; space",
    .open = open_check,
    .run = run_check,
    .close = close_check,
};
