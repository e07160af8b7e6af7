/* The audit's writer. Whoever notes something copies it into an entry of the queue; the writer
 * takes all that waits, writes it as lines, syncs once, and tells those who wait. Where nobody
 * waits it gathers for a moment first.
 *
 * A flood of refused attempts must not fill the disk: past so many a second and reason they are
 * counted, and the count is recorded. So is what found the queue full. Connections that were turned
 * away are counted by the minute (tally.h). */
#include "audit_line.h"
#include "base/hash.h"
#include "base/limits.h"
#include "os/thread.h"
#include "tally.h"

#include <stdio.h>
#include <stdlib.h>

#define QUEUE_MAX      4096u
#define GATHER_NS      (200 * FG_NS_PER_MS)
#define SEEN_SLOTS     4096u
#define SEEN_NS        (10 * FG_NS_PER_MINUTE)
#define REFUSALS_MAX   100u /* a second, of each reason */
#define REASONS_MAX    16u
#define LINES_SIZE_MAX ((size_t)32 << 20)
/* A file has records of so long a part of the age, and a record is deleted so much too late at
 * most. */
#define FILES_AN_AGE 16u
#define LOOK_NS_MIN  (10 * FG_NS_PER_MS)
#define LOOK_NS_MAX  (60 * FG_NS_PER_MINUTE)

enum { WHO, FROM, TENANT, ACTION, WHAT, RESULT, TEXT_COUNT };

struct entry {
    struct entry *next;
    struct fg_audit_wait *wait; /* NULL: nobody waits */
    uint64_t time_ns;
    uint16_t sizes[TEXT_COUNT];
    char texts[];
};

struct seen {
    uint64_t hash, until_ns;
};

/* Of one reason, in this second. */
struct refusals {
    uint64_t hash;
    unsigned count;
};

struct fg_audit {
    struct fg_env *env;
    char *folder;
    uint64_t age_ns;
    struct fg_thread thread;
    bool runs;

    struct fg_mutex mutex;
    struct fg_cond cond;
    struct entry *first, **last;
    unsigned waiting;
    bool has_waiter, stopping, is_failed;
    uint64_t records, lost, lost_all, refusals_left_out, refusals_since_ns;
    struct refusals refusals[REASONS_MAX];
    struct fg_audit_head head;
    struct seen seen[SEEN_SLOTS];
    uint64_t seed;
    struct fg_tallies tallies;

    /* The writer's own. */
    struct fg_file *file; /* NULL: the next record begins one */
    uint64_t file_size, file_since_ns;
    uint64_t looked_mono_ns; /* for files that are too old */
    struct fg_audit_head written;
    struct fg_buffer lines;
};

/* -- Noting */

static struct entry *entry_new(const struct fg_audit *audit, const struct fg_audit_record *record)
{
    const struct fg_slice texts[TEXT_COUNT] = {
        [WHO] = record->who,       [FROM] = record->from, [TENANT] = record->tenant,
        [ACTION] = record->action, [WHAT] = record->what, [RESULT] = record->result};
    size_t size = 0, at = 0;
    for (size_t i = 0; i < TEXT_COUNT; i++)
        size += texts[i].size < FG_AUDIT_TEXT_SIZE_MAX ? texts[i].size : FG_AUDIT_TEXT_SIZE_MAX;
    struct entry *entry = malloc(sizeof *entry + size);
    if (!entry)
        return NULL;
    *entry = (struct entry){.time_ns = fg_env_wall_ns(audit->env)};
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        size_t own =
            texts[i].size < FG_AUDIT_TEXT_SIZE_MAX ? texts[i].size : FG_AUDIT_TEXT_SIZE_MAX;
        if (own)
            memcpy(entry->texts + at, texts[i].data, own);
        entry->sizes[i] = (uint16_t)own;
        at += own;
    }
    return entry;
}

static uint64_t hash_of(const struct fg_audit *audit, const struct fg_audit_record *record)
{
    uint64_t hash = fg_hash_seeded(record->who, audit->seed);
    hash = fg_hash_seeded(record->from, hash);
    hash = fg_hash_seeded(record->tenant, hash);
    hash = fg_hash_seeded(record->action, hash);
    hash = fg_hash_seeded(record->what, hash);
    return fg_hash_seeded(record->result, hash);
}

/* Whether it was recorded a moment ago; the mutex is held. */
static bool was_seen(struct fg_audit *audit, const struct fg_audit_record *record)
{
    uint64_t hash = hash_of(audit, record), now_ns = fg_env_mono_ns(audit->env);
    struct seen *seen = &audit->seen[hash % SEEN_SLOTS];
    if (seen->hash == hash && now_ns < seen->until_ns)
        return true;
    *seen = (struct seen){hash, now_ns + SEEN_NS};
    return false;
}

/* Whether this one is one too many in this second; the mutex is held. Each reason has a share of
 * its own, so that a flood of guesses does not hide one forged request. */
static bool is_flood(struct fg_audit *audit, struct fg_slice reason)
{
    uint64_t now_ns = fg_env_mono_ns(audit->env);
    if (now_ns - audit->refusals_since_ns >= FG_NS_PER_SECOND) {
        audit->refusals_since_ns = now_ns;
        memset(audit->refusals, 0, sizeof audit->refusals);
    }
    /* What finds all places taken shares the last one. */
    uint64_t hash = fg_hash_seeded(reason, audit->seed);
    struct refusals *refusals = audit->refusals;
    while (refusals->count && refusals->hash != hash &&
           refusals + 1 < audit->refusals + REASONS_MAX)
        refusals++;
    if (refusals->count == 0)
        refusals->hash = hash;
    if (refusals->count < REFUSALS_MAX) {
        refusals->count++;
        return false;
    }
    audit->refusals_left_out++;
    return true;
}

/* The mutex is held. */
static void enqueue(struct fg_audit *audit, struct entry *entry)
{
    *audit->last = entry;
    audit->last = &entry->next;
    audit->waiting++;
    audit->has_waiter |= entry->wait != NULL;
    if (entry->wait || audit->waiting == 1)
        fg_cond_signal(&audit->cond);
}

void fg_audit_note(struct fg_audit *audit, const struct fg_audit_record *record, bool is_always)
{
    if (!audit)
        return;
    struct entry *entry = entry_new(audit, record);
    fg_mutex_lock(&audit->mutex);
    bool is_refusal = fg_slice_equal(record->action, FG_SLICE("refused"));
    bool is_left_out = (!is_always && !is_refusal && was_seen(audit, record)) ||
                       (is_refusal && is_flood(audit, record->result));
    if (!is_left_out && entry && audit->waiting < QUEUE_MAX && !audit->is_failed) {
        enqueue(audit, entry);
        entry = NULL;
    } else if (!is_left_out) {
        audit->lost++;
        audit->lost_all++;
    }
    fg_mutex_unlock(&audit->mutex);
    free(entry);
}

void fg_audit_tally(struct fg_audit *audit, const struct fg_audit_record *record)
{
    if (!audit)
        return;
    fg_mutex_lock(&audit->mutex);
    bool is_first = fg_tally_is_first(&audit->tallies, record, fg_env_mono_ns(audit->env));
    /* The writer waits until the next count is due. */
    if (!is_first)
        fg_cond_signal(&audit->cond);
    fg_mutex_unlock(&audit->mutex);
    if (is_first)
        fg_audit_note(audit, record, true);
}

int fg_audit_start(struct fg_audit *audit, const struct fg_audit_record *record,
                   struct fg_audit_wait *wait)
{
    struct entry *entry = entry_new(audit, record);
    if (!entry)
        return FG_ENOMEM;
    entry->wait = wait;
    fg_mutex_lock(&audit->mutex);
    int r = audit->is_failed ? FG_EIO : audit->waiting >= QUEUE_MAX ? FG_EAGAIN : 0;
    if (r == 0)
        enqueue(audit, entry);
    fg_mutex_unlock(&audit->mutex);
    if (r < 0)
        free(entry);
    return r;
}

void fg_audit_counters(struct fg_audit *audit, struct fg_audit_counters *ret_counters)
{
    fg_mutex_lock(&audit->mutex);
    *ret_counters = (struct fg_audit_counters){.head = audit->head,
                                               .records = audit->records,
                                               .lost = audit->lost_all,
                                               .is_failed = audit->is_failed};
    fg_mutex_unlock(&audit->mutex);
}

/* -- Writing; on the writer's thread */

/* Files whose records are all too old. The newest stays: it has the head of the chain. */
static int delete_old(struct fg_audit *audit)
{
    struct fg_audit_files *files = malloc(sizeof *files);
    if (!files || audit->age_ns == 0) {
        free(files);
        return files ? 0 : FG_ENOMEM;
    }
    int r = fg_audit_list(audit->env, audit->folder, files);
    uint64_t now_ns = fg_env_wall_ns(audit->env);
    for (size_t i = 0; r == 0 && i + 1 < files->count; i++) {
        uint64_t last_ns;
        r = fg_audit_last_time(audit->env, audit->folder, files->firsts[i], &last_ns);
        if (r < 0 || now_ns - last_ns < audit->age_ns)
            break;
        char *path = fg_audit_path(audit->folder, files->firsts[i]);
        r = path ? fg_env_unlink(audit->env, path) : FG_ENOMEM;
        free(path);
    }
    free(files);
    return r;
}

static int begin_file(struct fg_audit *audit)
{
    char *folder, *path = fg_audit_path(audit->folder, audit->written.sequence + 1);
    if (!path)
        return FG_ENOMEM;
    if (asprintf(&folder, "%s/audit", audit->folder) < 0) {
        free(path);
        return FG_ENOMEM;
    }
    int r = fg_env_mkdir(audit->env, folder);
    if (r == 0)
        r = fg_env_sync_dir(audit->env, audit->folder);
    if (r == FG_EEXIST)
        r = 0;
    if (r == 0)
        r = fg_env_open(audit->env, path, FG_OPEN_WRITE | FG_OPEN_CREATE | FG_OPEN_EXCLUSIVE,
                        &audit->file);
    if (r == 0)
        r = fg_env_sync_dir(audit->env, folder);
    audit->file_size = 0;
    audit->file_since_ns = fg_env_wall_ns(audit->env);
    /* The one before may be too old, too, now that it is not the newest. */
    audit->looked_mono_ns = 0;
    free(folder);
    free(path);
    return r;
}

static void write_entry(struct fg_audit *audit, const struct entry *entry,
                        struct fg_audit_head *head)
{
    struct fg_slice texts[TEXT_COUNT];
    size_t at = 0;
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        texts[i] = fg_slice(entry->texts + at, entry->sizes[i]);
        at += entry->sizes[i];
    }
    const struct fg_audit_record record = {.who = texts[WHO],
                                           .from = texts[FROM],
                                           .tenant = texts[TENANT],
                                           .action = texts[ACTION],
                                           .what = texts[WHAT],
                                           .result = texts[RESULT]};
    fg_audit_line_write(&audit->lines, &record, entry->time_ns, head);
}

static void write_count(struct fg_audit *audit, const char *action, uint64_t count,
                        struct fg_audit_head *head)
{
    char text[64];
    if (count == 0)
        return;
    snprintf(text, sizeof text, "%llu more", (unsigned long long)count);
    const struct fg_audit_record record = {.action = fg_slice_from_string(action),
                                           .what = fg_slice_from_string(text),
                                           .result = FG_SLICE("not told apart")};
    fg_audit_line_write(&audit->lines, &record, fg_env_wall_ns(audit->env), head);
}

static void end_file(struct fg_audit *audit)
{
    fg_file_close(audit->file);
    audit->file = NULL;
}

/* Files go as a whole: where one held years, its first records would stay for years too long. */
static bool has_had_its_time(const struct fg_audit *audit)
{
    uint64_t now_ns = fg_env_wall_ns(audit->env);
    return audit->file && audit->age_ns && now_ns > audit->file_since_ns &&
           now_ns - audit->file_since_ns >= audit->age_ns / FILES_AN_AGE;
}

static int write_all(struct fg_audit *audit, const struct entry *first, uint64_t lost,
                     uint64_t refusals)
{
    struct fg_audit_head head = audit->written;
    if (has_had_its_time(audit))
        end_file(audit);
    int r = audit->file ? 0 : begin_file(audit);
    fg_buffer_reset(&audit->lines);
    write_count(audit, "lost", lost, &head);
    write_count(audit, "refused", refusals, &head);
    for (const struct entry *entry = first; entry; entry = entry->next)
        write_entry(audit, entry, &head);
    if (r == 0)
        r = audit->lines.error;
    if (r == 0)
        r = fg_file_pwrite(audit->file, audit->file_size, audit->lines.data, audit->lines.size);
    if (r == 0)
        r = fg_file_sync(audit->file);
    if (r < 0)
        return r;
    audit->file_size += audit->lines.size;
    audit->written = head;
    if (audit->file_size >= FG_AUDIT_FILE_SIZE_MAX)
        end_file(audit);
    return 0;
}

static void tell_take(struct entry *entry, int result)
{
    while (entry) {
        struct entry *next = entry->next;
        if (entry->wait)
            entry->wait->done(entry->wait, result);
        free(entry);
        entry = next;
    }
}

/* Takes all that waits and writes it; the mutex is held, and given up meanwhile. */
static void round_of_writing(struct fg_audit *audit)
{
    struct entry *first = audit->first;
    uint64_t lost = audit->lost, refusals = audit->refusals_left_out, count = audit->waiting;
    bool is_failed = audit->is_failed;
    audit->first = NULL;
    audit->last = &audit->first;
    audit->waiting = 0;
    audit->has_waiter = false;
    audit->lost = audit->refusals_left_out = 0;
    fg_mutex_unlock(&audit->mutex);
    int r = is_failed ? FG_EIO : write_all(audit, first, lost, refusals);
    fg_mutex_lock(&audit->mutex);
    if (r < 0) {
        audit->is_failed = true;
        audit->lost_all += count;
    } else {
        audit->head = audit->written;
        audit->records += count;
    }
    fg_mutex_unlock(&audit->mutex);
    tell_take(first, r < 0 ? FG_EIO : 0);
    fg_mutex_lock(&audit->mutex);
}

/* Counts whose minute is over become entries, at the end all of them; the mutex is held. */
static void enqueue_counts(struct fg_audit *audit)
{
    uint64_t now_ns = fg_env_mono_ns(audit->env);
    struct fg_tally *tally;
    while ((tally = fg_tally_due(&audit->tallies, audit->stopping ? UINT64_MAX : now_ns)) != NULL) {
        char what[FG_TALLY_TEXT_SIZE + 32];
        snprintf(what, sizeof what, "%s: %llu more", tally->what, (unsigned long long)tally->count);
        const struct fg_audit_record record = {.from = fg_slice_from_string(tally->from),
                                               .action = fg_slice_from_string(tally->action),
                                               .what = fg_slice_from_string(what),
                                               .result = fg_slice_from_string(tally->result)};
        struct entry *entry = entry_new(audit, &record);
        fg_tally_restart(tally, now_ns);
        if (entry) {
            enqueue(audit, entry);
        } else {
            audit->lost++;
            audit->lost_all++;
        }
    }
}

/* When files are looked at for their age next; UINT64_MAX: never. */
static uint64_t next_look_ns(const struct fg_audit *audit)
{
    uint64_t pause_ns = audit->age_ns / FILES_AN_AGE;
    if (audit->age_ns == 0)
        return UINT64_MAX;
    pause_ns = pause_ns < LOOK_NS_MIN ? LOOK_NS_MIN : pause_ns;
    return audit->looked_mono_ns + (pause_ns < LOOK_NS_MAX ? pause_ns : LOOK_NS_MAX);
}

/* Whether it was time; the mutex is held, and given up meanwhile. What can't be deleted is tried
 * again. */
static bool look_for_old(struct fg_audit *audit)
{
    uint64_t now_ns = fg_env_mono_ns(audit->env);
    if (now_ns < next_look_ns(audit))
        return false;
    audit->looked_mono_ns = now_ns;
    fg_mutex_unlock(&audit->mutex);
    int ignored = delete_old(audit);
    (void)ignored;
    fg_mutex_lock(&audit->mutex);
    return true;
}

/* Until something is noted, a count is due or files are to be looked at; the mutex is held. */
static void wait_for_entries(struct fg_audit *audit)
{
    uint64_t next_ns = fg_tally_next_ns(&audit->tallies), now_ns = fg_env_mono_ns(audit->env);
    if (next_look_ns(audit) < next_ns)
        next_ns = next_look_ns(audit);
    if (next_ns == UINT64_MAX)
        fg_cond_wait(&audit->cond, &audit->mutex);
    else if (now_ns < next_ns)
        fg_cond_wait_for(&audit->cond, &audit->mutex, next_ns - now_ns);
}

static void run(void *arg)
{
    struct fg_audit *audit = arg;
    fg_mutex_lock(&audit->mutex);
    for (;;) {
        enqueue_counts(audit);
        if (look_for_old(audit))
            continue;
        if (!audit->first && audit->stopping)
            break;
        if (!audit->first) {
            wait_for_entries(audit);
            continue;
        }
        uint64_t until_ns = fg_env_mono_ns(audit->env) + GATHER_NS, now_ns;
        while (!audit->has_waiter && !audit->stopping && audit->waiting < QUEUE_MAX / 2 &&
               (now_ns = fg_env_mono_ns(audit->env)) < until_ns)
            fg_cond_wait_for(&audit->cond, &audit->mutex, until_ns - now_ns);
        round_of_writing(audit);
    }
    fg_mutex_unlock(&audit->mutex);
}

/* -- Opening */

/* Reads the newest file to its end, cuts off a line that is not whole, and finds the head. */
static int recover(struct fg_audit *audit, uint64_t first, const struct fg_audit_head *expected,
                   bool *is_whole)
{
    struct fg_buffer text;
    char *path = fg_audit_path(audit->folder, first);
    int r = path ? fg_audit_load(audit->env, audit->folder, first, &text) : FG_ENOMEM;
    if (r < 0) {
        free(path);
        return r;
    }
    const uint8_t *newline = text.size ? memrchr(text.data, '\n', text.size) : NULL;
    size_t end = newline ? (size_t)(newline - text.data) + 1 : 0;
    struct fg_audit_line line = {.sequence = first - 1};
    for (size_t at = 0; r == 0 && at < end;) {
        const uint8_t *stop = memchr(text.data + at, '\n', end - at);
        size_t size = (size_t)(stop - text.data) - at;
        r = fg_audit_line_parse(fg_slice(text.data + at, size), &line);
        if (r == 0 && expected && line.sequence == expected->sequence)
            *is_whole = memcmp(line.hash, expected->hash, sizeof line.hash) == 0;
        at += size + 1;
    }
    if (r == 0 && end > 0) {
        audit->written.sequence = line.sequence;
        memcpy(audit->written.hash, line.hash, sizeof line.hash);
    }
    if (r == 0)
        r = fg_env_open(audit->env, path, FG_OPEN_WRITE, &audit->file);
    if (r == 0 && end < text.size)
        r = fg_file_truncate(audit->file, end);
    if (r == 0 && end < text.size)
        r = fg_file_sync(audit->file);
    audit->file_size = end;
    newline = end ? memchr(text.data, '\n', end) : NULL;
    audit->file_since_ns =
        fg_audit_line_time(fg_slice(text.data, newline ? (size_t)(newline - text.data) : 0));
    fg_buffer_free(&text);
    free(path);
    return r;
}

static int open_files(struct fg_audit *audit, const struct fg_audit_head *expected, bool *is_whole)
{
    struct fg_audit_files *files = malloc(sizeof *files);
    if (!files)
        return FG_ENOMEM;
    int r = fg_audit_list(audit->env, audit->folder, files);
    if (r == FG_ENOTFOUND) {
        files->count = 0;
        r = 0;
    }
    *is_whole = !expected || expected->sequence == 0;
    if (r == 0 && files->count > 0)
        r = recover(audit, files->firsts[files->count - 1], expected, is_whole);
    /* An older head lies in a file that verifying reads. */
    if (r == 0 && expected && files->count > 0 &&
        expected->sequence < files->firsts[files->count - 1])
        *is_whole = true;
    free(files);
    return r;
}

int fg_audit_open(struct fg_env *env, const char *folder, uint64_t age_ns,
                  const struct fg_audit_head *expected, bool *ret_is_whole,
                  struct fg_audit **ret_audit)
{
    struct fg_audit *audit = calloc(1, sizeof *audit);
    bool is_whole = true;
    if (!audit)
        return FG_ENOMEM;
    audit->env = env;
    audit->age_ns = age_ns;
    audit->last = &audit->first;
    fg_env_random(env, &audit->seed, sizeof audit->seed);
    fg_mutex_init(&audit->mutex, FG_RANK_LEAF);
    fg_cond_init(&audit->cond);
    fg_buffer_init(&audit->lines, LINES_SIZE_MAX);
    audit->folder = strdup(folder);
    int r = audit->folder ? open_files(audit, expected, &is_whole) : FG_ENOMEM;
    if (r == 0) {
        audit->head = audit->written;
        r = fg_thread_start(&audit->thread, "audit", run, audit);
        audit->runs = r == 0;
    }
    if (r < 0) {
        fg_audit_close(audit);
        return r;
    }
    *ret_is_whole = is_whole;
    *ret_audit = audit;
    return 0;
}

void fg_audit_close(struct fg_audit *audit)
{
    if (!audit)
        return;
    if (audit->runs) {
        fg_mutex_lock(&audit->mutex);
        audit->stopping = true;
        fg_cond_signal(&audit->cond);
        fg_mutex_unlock(&audit->mutex);
        fg_thread_join(&audit->thread);
    }
    if (audit->file)
        fg_file_close(audit->file);
    fg_buffer_free(&audit->lines);
    fg_cond_destroy(&audit->cond);
    fg_mutex_destroy(&audit->mutex);
    free(audit->folder);
    free(audit);
}
