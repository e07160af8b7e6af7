#include "recovery.h"

#include "base/limits.h"
#include "os/guest.h"
#include "os/map.h"
#include "os/wake.h"
#include "parcel.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define PATH_SIZE_MAX  4096
#define RINGS_MAX      65536u
#define RETRY_NS       (FG_NS_PER_SECOND / 2)
#define WAIT_STEP_NS   (100 * FG_NS_PER_MS)
#define DAMAGED_SUFFIX ".damaged"

/* One ring that is being sent. */
struct ring {
    struct fg_recovery *recovery;
    const char *path;
    struct fg_map map;
    struct fg_ring_view view;
    struct fg_rules rules;
    struct fg_parcel *parcel;
    struct fg_fate fate;
    char cause[64];
    uint64_t ended, interrupted;
};

static void say(const struct fg_recovery *recovery, const char *path, const char *text)
{
    if (recovery->say)
        recovery->say(recovery->arg, path, text);
}

/* Whether the kernel has killed for want of memory in its control group since it was last alive.
 * Nothing is known where the group is gone, or another one has its name. */
static bool was_out_of_memory(const struct ring *ring)
{
    const struct fg_ring_header *header = ring->view.header;
    const char *root = ring->recovery->oom_root ? ring->recovery->oom_root : FG_OOM_ROOT;
    char path[FG_OOM_PATH_SIZE + 1];
    struct fg_oom_count count;
    memcpy(path, header->oom_path, sizeof header->oom_path);
    path[sizeof path - 1] = 0;
    return path[0] && fg_oom_read(root, path, &count) == 0 && count.inode == header->oom_inode &&
           count.kills > atomic_load(&header->oom_kills);
}

/* What ended the process, as far as its ring and this machine can tell. */
static void find_fate(struct ring *ring)
{
    const struct fg_ring_header *header = ring->view.header;
    char boot[FG_BOOT_ID_SIZE];
    fg_guest_boot_id(boot);
    uint32_t signal_number = atomic_load_explicit(&header->death_signal, memory_order_acquire);
    const char *name = signal_number < 65 ? sigabbrev_np((int)signal_number) : NULL;
    if (atomic_load_explicit(&header->ended_ns, memory_order_acquire))
        snprintf(ring->cause, sizeof ring->cause, "the program ended");
    else if (signal_number && name)
        snprintf(ring->cause, sizeof ring->cause, "killed by SIG%s", name);
    else if (memcmp(boot, header->boot_id, sizeof boot) != 0)
        snprintf(ring->cause, sizeof ring->cause, "the machine restarted");
    else if (was_out_of_memory(ring))
        snprintf(ring->cause, sizeof ring->cause, "killed by the out-of-memory killer");
    else
        snprintf(ring->cause, sizeof ring->cause, "killed, or ended without a word");
    ring->fate = (struct fg_fate){.is_over = true,
                                  .last_ns = fg_ring_last_alive_ns(&ring->view),
                                  .cause = ring->cause,
                                  .is_recovered = true};
}

static bool is_alive(const struct fg_recovery *recovery)
{
    return !recovery->alive || recovery->alive(recovery->arg);
}

static int wait_ns(const struct fg_recovery *recovery, uint64_t time_ns)
{
    struct fg_wake never;
    fg_wake_init(&never);
    while (time_ns && is_alive(recovery)) {
        uint64_t step_ns = time_ns < WAIT_STEP_NS ? time_ns : WAIT_STEP_NS;
        (void)fg_wake_wait(&never, step_ns);
        time_ns -= step_ns;
    }
    fg_wake_destroy(&never);
    return time_ns ? FG_ECANCELLED : 0;
}

/* Sends a request, again where it may come again. FG_EAGAIN: not now. */
static int deliver(struct ring *ring, struct fg_slice request, struct fg_outlet_answer *answer)
{
    struct fg_recovery *recovery = ring->recovery;
    for (unsigned tries = 1;; tries++) {
        if (recovery->send)
            recovery->send(recovery->arg, request, answer);
        else
            fg_outlet_send(recovery->outlet, request, FG_NS_PER_MINUTE, recovery->alive,
                           recovery->arg, answer);
        if (answer->verdict != FG_OUTLET_RETRY)
            return 0;
        if (tries >= recovery->tries_max) {
            say(recovery, ring->path, answer->text);
            return FG_EAGAIN;
        }
        uint64_t pause_ns = answer->retry_after_ns ? answer->retry_after_ns : RETRY_NS << tries;
        int r = wait_ns(recovery, pause_ns);
        if (r < 0)
            return r;
    }
}

static void count_sent(struct ring *ring, const struct fg_outlet_answer *answer)
{
    struct fg_recovery *recovery = ring->recovery;
    uint32_t count = fg_parcel_count(ring->parcel);
    struct fg_parcel_counts counts = fg_parcel_counts(ring->parcel);
    recovery->redacted += counts.redacted;
    recovery->invalid_texts += counts.invalid_texts;
    recovery->torn_spans += counts.torn;
    if (answer->verdict == FG_OUTLET_REFUSED || answer->verdict == FG_OUTLET_TOO_LARGE) {
        recovery->refused_spans += count;
        say(recovery, ring->path, answer->text);
        return;
    }
    recovery->refused_spans += answer->rejected_spans;
    for (uint32_t i = 0; i < count; i++) {
        if (fg_parcel_is_ended(ring->parcel, i))
            ring->ended++;
        else
            ring->interrupted++;
    }
}

/* Sends the slots from *next on, as many as fit a request; *next is where the following one begins.
 * Halved for a server that finds it too large. */
static int send_some(struct ring *ring, uint32_t *next, uint64_t sequence)
{
    struct fg_outlet_answer answer;
    struct fg_slice request;
    uint32_t name = *next;
    fg_parcel_reset(ring->parcel, &ring->view, &ring->rules);
    for (; name <= ring->view.slot_count; name++) {
        enum fg_slot_phase phase = fg_ring_phase(&ring->view, name);
        if (phase != FG_SLOT_OPEN && phase != FG_SLOT_ENDED)
            continue;
        if (!fg_parcel_add(ring->parcel, name, phase == FG_SLOT_ENDED))
            break;
    }
    if (fg_parcel_count(ring->parcel) == 0) {
        *next = name;
        return 0;
    }
    for (;;) {
        uint32_t count = fg_parcel_count(ring->parcel);
        int r = fg_parcel_encode(ring->parcel, &ring->fate, sequence, &request);
        if (r == 0)
            r = deliver(ring, request, &answer);
        else if (r == FG_ELIMIT)
            answer = (struct fg_outlet_answer){.verdict = FG_OUTLET_TOO_LARGE};
        if (r < 0 && r != FG_ELIMIT)
            return r;
        if (answer.verdict != FG_OUTLET_TOO_LARGE || count == 1)
            break;
        name = fg_parcel_name(ring->parcel, count / 2);
        fg_parcel_shrink(ring->parcel, count / 2);
    }
    count_sent(ring, &answer);
    *next = name;
    return 0;
}

static int send_ring(struct ring *ring)
{
    uint64_t sequence = atomic_load(&ring->view.header->sequence);
    int r = fg_parcel_new(&ring->parcel);
    find_fate(ring);
    for (uint32_t next = 1; r == 0 && next <= ring->view.slot_count;)
        r = send_some(ring, &next, ++sequence);
    fg_parcel_free(ring->parcel);
    return r;
}

/* A ring that can't be read is kept under another name, for who wants to look at it. */
static void set_aside(struct fg_recovery *recovery, const char *path, const char *text)
{
    char aside[PATH_SIZE_MAX + sizeof DAMAGED_SUFFIX];
    snprintf(aside, sizeof aside, "%s%s", path, DAMAGED_SUFFIX);
    recovery->rings_damaged++;
    say(recovery, path, text);
    if (fg_env_rename(recovery->env, path, aside) < 0)
        say(recovery, path, "can't be renamed");
}

static int open_ring(struct ring *ring)
{
    int r = fg_ring_open(ring->map.data, ring->map.size, &ring->view);
    if (r == 0)
        r = fg_rules_read(ring->view.settings, &ring->rules);
    return r;
}

static bool is_wanted(const struct ring *ring)
{
    const char *service = ring->recovery->service;
    return !service || fg_slice_equal(fg_slice_from_string(service), ring->rules.service);
}

static int finish(struct ring *ring)
{
    struct fg_recovery *recovery = ring->recovery;
    char text[128];
    recovery->rings++;
    recovery->ended_spans += ring->ended;
    recovery->interrupted_spans += ring->interrupted;
    snprintf(text, sizeof text, "%llu ended and %llu interrupted spans were sent: %s",
             (unsigned long long)ring->ended, (unsigned long long)ring->interrupted, ring->cause);
    say(recovery, ring->path, text);
    return fg_env_unlink(recovery->env, ring->path);
}

static int recover_one(struct fg_recovery *recovery, const char *path)
{
    struct ring ring = {.recovery = recovery, .path = path};
    int r = fg_map_claim(path, FG_RING_SIZE_MAX, &ring.map);
    /* Held by its process, gone meanwhile, or being made. */
    if (r == FG_EBUSY || r == FG_ENOTFOUND || r == FG_EINVALID)
        return 0;
    if (r < 0) {
        recovery->rings_left++;
        say(recovery, path, fg_error_name(r));
        return 0;
    }
    r = open_ring(&ring);
    if (r == FG_EAGAIN) {
        r = fg_env_unlink(recovery->env, path); /* its process died while making it */
    } else if (r == FG_ECORRUPT) {
        set_aside(recovery, path, "is damaged");
        r = 0;
    } else if (r == FG_EUNSUPPORTED) {
        recovery->rings_left++;
        say(recovery, path, "was written by a newer version");
        r = 0;
    } else if (r == 0 && is_wanted(&ring)) {
        r = send_ring(&ring);
        if (r == 0)
            r = finish(&ring);
        else
            recovery->rings_left++;
    }
    fg_rules_free(&ring.rules);
    fg_map_close(&ring.map);
    return r == FG_ENOMEM || r == FG_ECANCELLED ? r : 0;
}

struct listing {
    char **paths;
    size_t count;
    const char *folder;
};

static int add_path(void *arg, const struct fg_dir_entry *entry)
{
    struct listing *listing = arg;
    size_t size = strlen(entry->name), suffix_size = sizeof FG_RING_SUFFIX - 1;
    char path[PATH_SIZE_MAX];
    if (entry->is_dir || size <= suffix_size || listing->count == RINGS_MAX ||
        strcmp(entry->name + size - suffix_size, FG_RING_SUFFIX) != 0)
        return 0;
    int length = snprintf(path, sizeof path, "%s/%s", listing->folder, entry->name);
    if (length < 0 || (size_t)length >= sizeof path)
        return 0;
    char **paths = realloc(listing->paths, (listing->count + 1) * sizeof *paths);
    if (!paths)
        return FG_ENOMEM;
    listing->paths = paths;
    paths[listing->count] = strdup(path);
    if (!paths[listing->count])
        return FG_ENOMEM;
    listing->count++;
    return 0;
}

int fg_recovery_run(struct fg_recovery *recovery, const char *folder)
{
    struct listing listing = {.folder = folder};
    int r = fg_env_list(recovery->env, folder, add_path, &listing);
    for (size_t i = 0; i < listing.count; i++) {
        if (r == 0)
            r = recover_one(recovery, listing.paths[i]);
        free(listing.paths[i]);
    }
    free(listing.paths);
    return r;
}
