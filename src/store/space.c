#include "space.h"

#include <stdlib.h>
#include <string.h>

#define NAME "/RESERVE"

/* The file with all its blocks. What stands in it does not matter, so nothing is synced: after a
 * power cut it is there or it is made again. */
static int make_reserve(struct fg_space *space)
{
    struct fg_file *file;
    int r = fg_env_open(space->env, space->reserve_path, FG_OPEN_WRITE | FG_OPEN_CREATE, &file);
    if (r < 0)
        return r;
    uint64_t size;
    r = fg_file_size(file, &size);
    if (r == 0 && size > space->reserve_bytes)
        r = fg_file_truncate(file, space->reserve_bytes);
    if (r == 0)
        r = fg_file_allocate(file, space->reserve_bytes);
    fg_file_close(file);
    if (r < 0)
        (void)!fg_env_unlink(space->env, space->reserve_path); /* tried again by restore */
    return r;
}

int fg_space_init(struct fg_space *space, struct fg_env *env, const char *folder,
                  uint64_t reserve_bytes, bool read_only)
{
    size_t size = strlen(folder);
    *space = (struct fg_space){.env = env, .reserve_bytes = read_only ? 0 : reserve_bytes};
    fg_mutex_init(&space->lock, FG_RANK_WAL_FILES); /* calls of the disk are made under it */
    space->folder = malloc(size + 1);
    space->reserve_path = malloc(size + sizeof NAME);
    if (!space->folder || !space->reserve_path) {
        fg_space_free(space);
        return FG_ENOMEM;
    }
    memcpy(space->folder, folder, size + 1);
    memcpy(space->reserve_path, folder, size);
    memcpy(space->reserve_path + size, NAME, sizeof NAME);
    if (space->reserve_bytes)
        atomic_store(&space->has_reserve, make_reserve(space) == 0);
    fg_space_look(space);
    return 0;
}

void fg_space_free(struct fg_space *space)
{
    if (!space->env)
        return;
    fg_mutex_destroy(&space->lock);
    free(space->folder);
    free(space->reserve_path);
    *space = (struct fg_space){0};
}

void fg_space_look(struct fg_space *space)
{
    uint64_t free_bytes, total_bytes;
    /* Where the disk does not say, what it said last stands. */
    if (fg_env_space(space->env, space->folder, &free_bytes, &total_bytes) < 0)
        return;
    atomic_store(&space->free_bytes, free_bytes);
    atomic_store(&space->total_bytes, total_bytes);
}

bool fg_space_is_enough(struct fg_space *space)
{
    return space->reserve_bytes == 0 ||
           (atomic_load(&space->has_reserve) &&
            atomic_load(&space->free_bytes) >= space->reserve_bytes / 4);
}

bool fg_space_release(struct fg_space *space)
{
    fg_mutex_lock(&space->lock);
    bool is_released =
        atomic_load(&space->has_reserve) && fg_env_unlink(space->env, space->reserve_path) == 0;
    if (is_released)
        atomic_store(&space->has_reserve, false);
    fg_mutex_unlock(&space->lock);
    return is_released;
}

bool fg_space_restore(struct fg_space *space)
{
    if (space->reserve_bytes == 0 || atomic_load(&space->has_reserve))
        return false;
    fg_space_look(space);
    uint64_t need = space->reserve_bytes + space->reserve_bytes / 4;
    if (need < space->reserve_bytes || atomic_load(&space->free_bytes) < need)
        return false;
    fg_mutex_lock(&space->lock);
    bool is_made = !atomic_load(&space->has_reserve) && make_reserve(space) == 0;
    if (is_made)
        atomic_store(&space->has_reserve, true);
    fg_mutex_unlock(&space->lock);
    fg_space_look(space);
    return is_made;
}
