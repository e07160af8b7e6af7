/* Reading the audit: by question, and to see whether it is whole. */
#include "audit_line.h"
#include "secret.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* -- By question */

static bool is_text(const json_t *root, const char *name, struct fg_slice wanted)
{
    const char *text = json_string_value(json_object_get(root, name));
    return wanted.size == 0 || (text && fg_slice_equal(fg_slice_from_string(text), wanted));
}

static bool has_text(const json_t *root, const char *name, struct fg_slice wanted)
{
    const char *text = json_string_value(json_object_get(root, name));
    return wanted.size == 0 || (text && memmem(text, strlen(text), wanted.data, wanted.size));
}

/* *ret_sequence is 0 where the line is none. */
static bool fits(struct fg_slice line, const struct fg_audit_query *query, uint64_t *ret_sequence)
{
    json_t *root = json_loadb((const char *)line.data, line.size, 0, NULL);
    json_int_t sequence = json_integer_value(json_object_get(root, "seq"));
    *ret_sequence = sequence > 0 ? (uint64_t)sequence : 0;
    bool result = sequence > 0 && (query->before == 0 || *ret_sequence < query->before) &&
                  is_text(root, "who", query->who) && is_text(root, "action", query->action) &&
                  has_text(root, "what", query->what);
    json_decref(root);
    return result;
}

struct reading {
    const struct fg_audit_query *query;
    void (*line)(void *arg, struct fg_slice line);
    void *arg;
    uint32_t given;
    uint64_t next;
};

/* A file's lines from its end. */
static void read_back(struct reading *reading, const struct fg_buffer *text)
{
    size_t end = text->size;
    while (end > 0 && reading->given <= reading->query->limit) {
        const uint8_t *newline = end > 1 ? memrchr(text->data, '\n', end - 1) : NULL;
        size_t begin = newline ? (size_t)(newline - text->data) + 1 : 0;
        struct fg_slice line = fg_slice(text->data + begin, end - begin);
        uint64_t sequence;
        if (line.size && line.data[line.size - 1] == '\n')
            line.size--;
        end = begin;
        if (!fits(line, reading->query, &sequence))
            continue;
        if (reading->given < reading->query->limit) {
            reading->line(reading->arg, line);
            reading->next = sequence;
        }
        reading->given++; /* one more than the limit: there is a next page */
    }
}

int fg_audit_read(struct fg_env *env, const char *folder, const struct fg_audit_query *query,
                  void (*line)(void *arg, struct fg_slice line), void *arg, uint64_t *ret_next)
{
    struct reading reading = {.query = query, .line = line, .arg = arg};
    struct fg_audit_files *files = malloc(sizeof *files);
    if (!files)
        return FG_ENOMEM;
    int r = fg_audit_list(env, folder, files);
    if (r == FG_ENOTFOUND) {
        files->count = 0;
        r = 0;
    }
    for (size_t i = files->count; r == 0 && i-- > 0 && reading.given <= query->limit;) {
        struct fg_buffer text;
        if (query->before && files->firsts[i] >= query->before)
            continue;
        r = fg_audit_load(env, folder, files->firsts[i], &text);
        if (r == 0) {
            read_back(&reading, &text);
            fg_buffer_free(&text);
        } else if (r == FG_ENOTFOUND) {
            r = 0; /* deleted by age since */
        }
    }
    free(files);
    if (r == 0)
        *ret_next = reading.given > query->limit ? reading.next : 0;
    return r;
}

/* -- The chain */

struct verifying {
    const struct fg_audit_head *head;
    void (*damage)(void *arg, const char *sentence);
    void *arg;
    struct fg_audit_report report;
    bool has_before; /* of the record that should come */
};

static void say(struct verifying *verifying, const char *what, uint64_t sequence)
{
    char sentence[160];
    snprintf(sentence, sizeof sentence, "%s %" PRIu64, what, sequence);
    verifying->damage(verifying->arg, sentence);
    verifying->report.break_count++;
}

static void verify_line(struct verifying *verifying, struct fg_slice text)
{
    struct fg_audit_report *report = &verifying->report;
    struct fg_audit_line line;
    if (fg_audit_line_parse(text, &line) < 0) {
        say(verifying, "a record was changed: the one after record", report->last);
        verifying->has_before = false;
        report->last++;
        report->records++;
        return;
    }
    if (report->records == 0)
        report->first = line.sequence;
    else if (line.sequence != report->last + 1)
        say(verifying, "records are missing or out of order: after", report->last);
    else if (verifying->has_before && !fg_secret_equal(line.before, report->hash))
        say(verifying, "the chain is broken: this record follows another one:", line.sequence);
    if (report->records == 0 && line.sequence == 1) {
        static const uint8_t zero[FG_AUDIT_HASH_SIZE];
        if (!fg_secret_equal(line.before, zero))
            say(verifying, "the chain is broken: this record follows another one:", line.sequence);
    }
    if (verifying->head && line.sequence == verifying->head->sequence)
        report->has_head = fg_secret_equal(line.hash, verifying->head->hash);
    memcpy(report->hash, line.hash, sizeof line.hash);
    report->last = line.sequence;
    report->records++;
    verifying->has_before = true;
}

static void verify_file(struct verifying *verifying, uint64_t first, const struct fg_buffer *text)
{
    size_t at = 0;
    struct fg_audit_line line;
    const uint8_t *newline = text->size ? memchr(text->data, '\n', text->size) : NULL;
    if (newline &&
        fg_audit_line_parse(fg_slice(text->data, (size_t)(newline - text->data)), &line) == 0 &&
        line.sequence != first)
        say(verifying, "records are missing at the begin of the file of record", first);
    if (verifying->report.records > 0 && first != verifying->report.last + 1)
        say(verifying, "a file is missing before the one that begins with record", first);
    while (at < text->size) {
        const uint8_t *end = memchr(text->data + at, '\n', text->size - at);
        if (!end) {
            say(verifying, "the last line was cut short: after record", verifying->report.last);
            break;
        }
        size_t size = (size_t)(end - text->data) - at;
        verify_line(verifying, fg_slice(text->data + at, size));
        at += size + 1;
    }
}

int fg_audit_verify(struct fg_env *env, const char *folder, const struct fg_audit_head *head,
                    void (*damage)(void *arg, const char *sentence), void *arg,
                    struct fg_audit_report *ret_report)
{
    struct verifying verifying = {.head = head, .damage = damage, .arg = arg};
    struct fg_audit_files *files = malloc(sizeof *files);
    if (!files)
        return FG_ENOMEM;
    int r = fg_audit_list(env, folder, files);
    for (size_t i = 0; r == 0 && i < files->count; i++) {
        struct fg_buffer text;
        r = fg_audit_load(env, folder, files->firsts[i], &text);
        if (r < 0)
            break;
        verify_file(&verifying, files->firsts[i], &text);
        fg_buffer_free(&text);
    }
    free(files);
    if (r < 0)
        return r;
    if (head && !verifying.report.has_head)
        say(&verifying, "the head that was kept is not in it: record", head->sequence);
    *ret_report = verifying.report;
    return 0;
}
