/* Room on the disk. Ingest stops while there is still room for what must go on without it: sealing
 * the head, merging, swapping the manifest.
 *
 * The room is kept by an allocated file, RESERVE, so that nobody else on the disk takes it either.
 * Ingest is refused while it is missing, or while less than a quarter of its size is free beside
 * it. Whoever of seal or merge meets a full disk gives the file up (fg_space_release());
 * maintenance makes it again when there is room (fg_space_restore()).
 *
 * Thread-safe. */
#pragma once

#include "os/env.h"
#include "os/thread.h"

#include <stdatomic.h>

struct fg_space {
    struct fg_env *env;
    char *folder, *reserve_path;
    uint64_t reserve_bytes; /* 0: no reserve; then only the disk itself says no */
    struct fg_mutex lock;   /* the file */
    atomic_bool has_reserve;
    atomic_uint_fast64_t free_bytes, total_bytes; /* as last seen */
};

/* read_only: looks, but makes no file. FG_ENOMEM; a full disk is no error here. */
FG_MUST_CHECK int fg_space_init(struct fg_space *space, struct fg_env *env, const char *folder,
                                uint64_t reserve_bytes, bool read_only);
void fg_space_free(struct fg_space *space);

/* Asks the disk. Cheap enough for once a second. */
void fg_space_look(struct fg_space *space);
/* Whether ingest may go on, by what was last seen. */
bool fg_space_is_enough(struct fg_space *space);

/* Gives the reserve's room to the caller's next write. False: it was given up before, so the disk
 * is really full. */
bool fg_space_release(struct fg_space *space);
/* Makes the reserve again where it is missing and there is room for it and a quarter more. True: it
 * was made now. */
bool fg_space_restore(struct fg_space *space);
