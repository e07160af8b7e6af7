/* A simulated machine for tests: an fg_env whose disk lives in memory and takes the durability
 * contract of os/env.h literally.
 *
 *   - What was written and not synced may be there after a power cut or not, sector by sector, and
 *     a sector may hold any of the contents it had since the last sync.
 *   - A name that was made, renamed or removed and whose folder was not synced may be there or not,
 *     name by name. A rename inside one folder happens whole or not at all.
 *   - A failed sync decides at once which of the bytes it was asked for reach the disk. Reading
 * goes on showing all of them; a later sync that succeeds adds only what was written after.
 *
 * All chance comes from the seed: the same calls give the same losses. Thread-safe as any fg_env,
 * but only one thread gives the same order of calls each time.
 *
 * A cut in a test:
 *     fg_sim_cut_at(sim, FG_SIM_SYNC, 7);      or fg_sim_cut() at once
 *     ... the code under test meets FG_EIO from everything and is closed ...
 *     fg_sim_restart(sim);                     what was not durable is lost by chance
 *     ... it is opened again ... */
#pragma once

#include "os/env.h"

struct fg_sim;

enum fg_sim_op {
    FG_SIM_OPEN = 1,
    FG_SIM_READ = 2,
    FG_SIM_WRITE = 4,
    FG_SIM_SYNC = 8,
    FG_SIM_ALLOCATE = 16,
    FG_SIM_TRUNCATE = 32,
    FG_SIM_RENAME = 64,
    FG_SIM_UNLINK = 128,
    FG_SIM_MKDIR = 256,
    FG_SIM_RMDIR = 512,
    FG_SIM_LIST = 1024,
    FG_SIM_SYNC_DIR = 2048,
    FG_SIM_LINK = 4096,
    FG_SIM_LOCK = 8192,
    FG_SIM_WRITE_OUT = 16384,
    FG_SIM_SYNCS = FG_SIM_SYNC | FG_SIM_SYNC_DIR,
    FG_SIM_CHANGES = FG_SIM_WRITE | FG_SIM_SYNC | FG_SIM_ALLOCATE | FG_SIM_TRUNCATE |
                     FG_SIM_RENAME | FG_SIM_UNLINK | FG_SIM_MKDIR | FG_SIM_RMDIR | FG_SIM_SYNC_DIR |
                     FG_SIM_LINK,
    FG_SIM_ANY = 32767,
};

FG_MUST_CHECK int fg_sim_new(uint64_t seed, struct fg_sim **ret_sim);
/* Every file must have been closed. NULL is accepted. */
void fg_sim_free(struct fg_sim *sim);
struct fg_env *fg_sim_env(struct fg_sim *sim);

/* -- Power */

/* The power goes now: every call fails with FG_EIO until fg_sim_restart(). */
void fg_sim_cut(struct fg_sim *sim);
/* The power goes in the nth call from now (1: the next) of these kinds. That call itself may have
 * happened, or half of it; its caller gets FG_EIO. 0 takes the order back. */
void fg_sim_cut_at(struct fg_sim *sim, uint32_t ops, uint64_t nth);
bool fg_sim_is_cut(const struct fg_sim *sim);
/* Applies the losses and lets calls through again; cuts first where the power is still on. Faults
 * and cuts that were ordered are forgotten, locks are free. Files that are still open answer FG_EIO
 * and can only be closed. */
void fg_sim_restart(struct fg_sim *sim);

/* -- Faults */

struct fg_sim_fault {
    uint32_t ops;          /* enum fg_sim_op, together */
    uint64_t nth;          /* 1: the next such call */
    bool for_ever;         /* that call and all after it; otherwise once */
    int error;             /* FG_EIO, FG_ENOSPACE, … */
    const char *path_part; /* only calls on paths that contain it; NULL: all. Must stay valid. */
};

/* One fault at a time; NULL takes it back. A failed write may have written a part, by sectors. */
void fg_sim_fail(struct fg_sim *sim, const struct fg_sim_fault *fault);
/* Whether the fault has struck. */
bool fg_sim_has_failed(const struct fg_sim *sim);

/* Bytes that all files together may have; FG_ENOSPACE past it. UINT64_MAX at the start. A file that
 * was removed counts as long as a file is open on it. */
void fg_sim_set_capacity(struct fg_sim *sim, uint64_t bytes);
uint64_t fg_sim_used_bytes(const struct fg_sim *sim);

/* The unit in which writes tear: a power of two. 512 at the start. */
void fg_sim_set_sector_size(struct fg_sim *sim, uint32_t size);

/* Changes one byte of a file for good, as a failing disk does. FG_ENOTFOUND, FG_EINVALID past its
 * end. */
FG_MUST_CHECK int fg_sim_flip(struct fg_sim *sim, const char *path, uint64_t offset, uint8_t mask);

/* -- Clock, chance, counting */

void fg_sim_advance(struct fg_sim *sim, uint64_t ns);
/* Calls then once, after a clock is read the next time and before who read it goes on: what another
 * thread does just then. On the reader's thread. */
void fg_sim_after_clock(struct fg_sim *sim, void (*then)(void *arg), void *arg);
/* So long takes each read of a file. 0 at the start. */
void fg_sim_set_read_ns(struct fg_sim *sim, uint64_t ns);
void fg_sim_set_wall_ns(struct fg_sim *sim, uint64_t ns);
/* A number from the simulation's own chance, in [0, below). */
uint64_t fg_sim_below(struct fg_sim *sim, uint64_t below);
/* Calls of these kinds so far, failed ones too. */
uint64_t fg_sim_count(const struct fg_sim *sim, uint32_t ops);
/* Bytes that reads gave so far. */
uint64_t fg_sim_read_bytes(const struct fg_sim *sim);
/* Files that are open now, for finding leaks. */
uint64_t fg_sim_open_files(const struct fg_sim *sim);
