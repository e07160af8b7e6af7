/* The calls of an fg_env onto the simulated disk. Each asks begin() first what becomes of it: it
 * happens, it fails, or the power goes in the middle of it. */
#include "sim_env.h"

#include "base/checked.h"
#include "os/thread.h"
#include "sim_disk.h"

#include <assert.h>
#include <stdlib.h>

#define PATH_SIZE_MAX 4096
#define OP_COUNT      15

struct fg_sim {
    struct fg_env env;
    struct fg_mutex mutex;
    struct sim_node *root;
    struct sim_chance chance;
    uint64_t random_state; /* what the code under test draws, apart from the losses */
    uint64_t used_bytes, capacity_bytes;
    uint64_t wall_ns, mono_ns;
    void (*then)(void *arg); /* after the next reading of a clock */
    void *then_arg;
    uint64_t read_ns;    /* what a read takes */
    uint64_t generation; /* of power: files of an older one are dead */
    bool is_cut;
    uint32_t cut_ops;
    uint64_t cut_in; /* calls; 0: never */
    bool has_fault, has_failed;
    struct fg_sim_fault fault;
    uint64_t counts[OP_COUNT];
    uint64_t open_files, read_bytes;
};

struct sim_file {
    struct fg_file file;
    struct fg_sim *sim;
    struct sim_node *node;
    char *path; /* for faults */
    uint64_t generation;
    bool can_write, is_lock;
};

/* What becomes of a call: it happens or not, and its caller gets error (0: what it gave). */
struct fate {
    int error;
    bool happens;
};

static const struct fg_env_ops sim_ops;
static const struct fg_file_ops sim_file_ops;

static struct fg_sim *sim_of(struct fg_env *env)
{
    return (struct fg_sim *)env;
}

/* Locks; the matching unlock is end(). */
static struct fate begin(struct fg_sim *sim, enum fg_sim_op op, const char *path)
{
    fg_mutex_lock(&sim->mutex);
    sim->counts[__builtin_ctz(op)]++;
    if (sim->is_cut)
        return (struct fate){FG_EIO, false};
    if ((sim->cut_ops & op) && sim->cut_in > 0 && --sim->cut_in == 0) {
        sim->is_cut = true;
        return (struct fate){FG_EIO, sim_chance_below(&sim->chance, 2) == 0};
    }
    if (!sim->has_fault || !(sim->fault.ops & op) ||
        (sim->fault.path_part && !strstr(path, sim->fault.path_part)))
        return (struct fate){0, true};
    if (sim->fault.nth > 1) {
        sim->fault.nth--;
        return (struct fate){0, true};
    }
    sim->has_failed = true;
    sim->has_fault = sim->fault.for_ever;
    return (struct fate){sim->fault.error, false};
}

static int end(struct fg_sim *sim, struct fate fate, int r)
{
    fg_mutex_unlock(&sim->mutex);
    return fate.error ? fate.error : r;
}

/* -- Paths */

/* The folder that holds path's last part, and that part; "" for the root itself. */
static int find_dir(struct fg_sim *sim, const char *path, struct sim_node **ret_dir,
                    char ret_name[PATH_SIZE_MAX])
{
    struct sim_node *dir = sim->root;
    ret_name[0] = 0;
    while (*path) {
        size_t size = strcspn(path, "/");
        bool is_here = size == 0 || (size == 1 && path[0] == '.');
        if (!is_here && ret_name[0]) {
            dir = sim_dir_find(dir, ret_name);
            if (!dir)
                return FG_ENOTFOUND;
            if (!dir->is_dir)
                return FG_EIO;
        }
        if (!is_here) {
            if (size >= PATH_SIZE_MAX || (size == 2 && memcmp(path, "..", 2) == 0))
                return FG_EINVALID;
            memcpy(ret_name, path, size);
            ret_name[size] = 0;
        }
        path += size + (path[size] == '/');
    }
    *ret_dir = dir;
    return 0;
}

static int find_node(struct fg_sim *sim, const char *path, struct sim_node **ret_node)
{
    char name[PATH_SIZE_MAX];
    struct sim_node *dir;
    int r = find_dir(sim, path, &dir, name);
    if (r < 0)
        return r;
    struct sim_node *node = name[0] ? sim_dir_find(dir, name) : dir;
    if (!node)
        return FG_ENOTFOUND;
    *ret_node = node;
    return 0;
}

/* -- Files */

static struct sim_file *file_of(struct fg_file *file)
{
    return (struct sim_file *)file;
}

static struct fate begin_file(struct sim_file *file, enum fg_sim_op op)
{
    struct fate fate = begin(file->sim, op, file->path);
    if (file->generation != file->sim->generation)
        return (struct fate){FG_EIO, false};
    return fate;
}

static int sim_pread(struct fg_file *handle, uint64_t offset, void *data, size_t size,
                     size_t *ret_size)
{
    struct sim_file *file = file_of(handle);
    struct fate fate = begin_file(file, FG_SIM_READ);
    file->sim->wall_ns += file->sim->read_ns;
    file->sim->mono_ns += file->sim->read_ns;
    if (!fate.error) {
        const struct sim_bytes *bytes = &file->node->now;
        size_t rest = offset < bytes->size ? bytes->size - offset : 0;
        *ret_size = size < rest ? size : rest;
        if (*ret_size)
            memcpy(data, bytes->data + offset, *ret_size);
        file->sim->read_bytes += *ret_size;
    }
    return end(file->sim, fate, 0);
}

/* What a write of size at offset may write of it before the disk is full. */
static size_t room_for(const struct fg_sim *sim, const struct sim_node *node, uint64_t offset,
                       size_t size)
{
    uint64_t free_bytes =
        sim->capacity_bytes > sim->used_bytes ? sim->capacity_bytes - sim->used_bytes : 0;
    uint64_t end_max;
    if (fg_add_overflow(free_bytes, node->now.size, &end_max))
        return size;
    if (offset + size <= end_max)
        return size;
    return offset < end_max ? end_max - offset : 0;
}

static int sim_pwrite(struct fg_file *handle, uint64_t offset, const void *data, size_t size)
{
    struct sim_file *file = file_of(handle);
    struct fg_sim *sim = file->sim;
    struct fate fate = begin_file(file, FG_SIM_WRITE);
    bool is_dead = file->generation != sim->generation || (sim->is_cut && !fate.happens);
    uint64_t end_offset;
    int r = 0;
    if (!file->can_write || fg_add_overflow(offset, size, &end_offset) || end_offset > INT64_MAX) {
        r = FG_EINVALID;
    } else if (fate.happens) {
        size_t room = room_for(sim, file->node, offset, size);
        sim_node_write(file->node, offset, data, room);
        r = room < size ? FG_ENOSPACE : 0;
    } else if (!is_dead) {
        uint64_t part = sim_chance_below(&sim->chance, size / sim->chance.sector_size + 1);
        sim_node_write(file->node, offset, data, part * sim->chance.sector_size);
    }
    return end(sim, fate, r);
}

static int sim_sync(struct fg_file *handle)
{
    struct sim_file *file = file_of(handle);
    struct fate fate = begin_file(file, FG_SIM_SYNC);
    bool is_dead = file->generation != file->sim->generation || file->sim->is_cut;
    if (fate.happens)
        sim_node_sync(file->node);
    else if (!is_dead)
        sim_node_lose(file->node, &file->sim->chance);
    return end(file->sim, fate, 0);
}

/* It promises nothing, so it does nothing; only its failure tells of bytes that were lost. */
static int sim_write_out(struct fg_file *handle, uint64_t offset, uint64_t size)
{
    (void)offset, (void)size;
    struct sim_file *file = file_of(handle);
    struct fate fate = begin_file(file, FG_SIM_WRITE_OUT);
    bool is_dead = file->generation != file->sim->generation || file->sim->is_cut;
    if (!fate.happens && !is_dead)
        sim_node_lose(file->node, &file->sim->chance);
    return end(file->sim, fate, 0);
}

static int resize(struct sim_file *file, uint64_t size)
{
    if (!file->can_write || size > INT64_MAX)
        return FG_EINVALID;
    if (size > file->node->now.size && room_for(file->sim, file->node, 0, size) < size)
        return FG_ENOSPACE;
    sim_node_resize(file->node, size);
    return 0;
}

static int sim_allocate(struct fg_file *handle, uint64_t size)
{
    struct sim_file *file = file_of(handle);
    struct fate fate = begin_file(file, FG_SIM_ALLOCATE);
    int r = fate.happens && size > file->node->now.size ? resize(file, size) : 0;
    return end(file->sim, fate, r);
}

static int sim_truncate(struct fg_file *handle, uint64_t size)
{
    struct sim_file *file = file_of(handle);
    struct fate fate = begin_file(file, FG_SIM_TRUNCATE);
    return end(file->sim, fate, fate.happens ? resize(file, size) : 0);
}

static int sim_size(struct fg_file *handle, uint64_t *ret_size)
{
    struct sim_file *file = file_of(handle);
    struct fate fate = begin_file(file, FG_SIM_READ);
    if (!fate.error)
        *ret_size = file->node->now.size;
    return end(file->sim, fate, 0);
}

static void sim_close(struct fg_file *handle)
{
    struct sim_file *file = file_of(handle);
    struct fg_sim *sim = file->sim;
    fg_mutex_lock(&sim->mutex);
    if (file->is_lock && file->generation == sim->generation)
        file->node->locked = false;
    sim_node_unuse(file->node);
    sim_node_unref(file->node);
    sim->open_files--;
    fg_mutex_unlock(&sim->mutex);
    free(file->path);
    free(file);
}

static int file_new(struct fg_sim *sim, struct sim_node *node, const char *path, bool can_write,
                    struct fg_file **ret_file)
{
    struct sim_file *file = calloc(1, sizeof *file);
    char *copy = strdup(path);
    if (!file || !copy) {
        free(file);
        free(copy);
        return FG_ENOMEM;
    }
    *file = (struct sim_file){.file = {&sim_file_ops},
                              .sim = sim,
                              .node = sim_node_ref(node),
                              .path = copy,
                              .generation = sim->generation,
                              .can_write = can_write};
    sim_node_use(node);
    sim->open_files++;
    *ret_file = &file->file;
    return 0;
}

/* -- The machine */

static int open_node(struct fg_sim *sim, const char *path, int flags, struct sim_node **ret_node)
{
    char name[PATH_SIZE_MAX];
    struct sim_node *dir;
    int r = find_dir(sim, path, &dir, name);
    if (r < 0)
        return r;
    struct sim_node *node = name[0] ? sim_dir_find(dir, name) : dir;
    if (node && node->is_dir)
        return FG_EIO;
    if (node && (flags & FG_OPEN_CREATE) && (flags & FG_OPEN_EXCLUSIVE))
        return FG_EEXIST;
    if (!node && !(flags & FG_OPEN_CREATE))
        return FG_ENOTFOUND;
    if (!node) {
        node = sim_node_new(false, &sim->used_bytes);
        sim_dir_set(dir, name, node, false);
        sim_node_unref(node);
    }
    if (flags & FG_OPEN_TRUNCATE)
        sim_node_resize(node, 0);
    *ret_node = node;
    return 0;
}

static int sim_open(struct fg_env *env, const char *path, int flags, struct fg_file **ret_file)
{
    struct fg_sim *sim = sim_of(env);
    struct fate fate = begin(sim, FG_SIM_OPEN, path);
    struct sim_node *node;
    int r = 0;
    if (fate.happens)
        r = open_node(sim, path, flags, &node);
    if (fate.happens && r == 0 && !fate.error)
        r = file_new(sim, node, path, (flags & FG_OPEN_WRITE) != 0, ret_file);
    return end(sim, fate, r);
}

static int sim_lock(struct fg_env *env, const char *path, struct fg_file **ret_lock)
{
    struct fg_sim *sim = sim_of(env);
    struct fate fate = begin(sim, FG_SIM_LOCK, path);
    struct sim_node *node;
    int r = 0;
    if (fate.happens)
        r = open_node(sim, path, FG_OPEN_WRITE | FG_OPEN_CREATE, &node);
    if (fate.happens && r == 0 && !fate.error) {
        r = node->locked ? FG_EBUSY : file_new(sim, node, path, true, ret_lock);
        if (r == 0) {
            node->locked = true;
            file_of(*ret_lock)->is_lock = true;
        }
    }
    return end(sim, fate, r);
}

static int rename_node(struct fg_sim *sim, const char *from, const char *to)
{
    char from_name[PATH_SIZE_MAX], to_name[PATH_SIZE_MAX];
    struct sim_node *from_dir, *to_dir;
    int r = find_dir(sim, from, &from_dir, from_name);
    if (r == 0)
        r = find_dir(sim, to, &to_dir, to_name);
    if (r < 0)
        return r;
    struct sim_node *node = sim_dir_find(from_dir, from_name);
    struct sim_node *there = sim_dir_find(to_dir, to_name);
    if (!node)
        return FG_ENOTFOUND;
    if (there == node)
        return 0;
    if (!to_name[0] || (there && there->is_dir))
        return FG_EEXIST;
    sim_node_ref(node);
    sim_dir_set(from_dir, from_name, NULL, from_dir == to_dir);
    sim_dir_set(to_dir, to_name, node, false);
    sim_node_unref(node);
    return 0;
}

static int sim_rename(struct fg_env *env, const char *from, const char *to)
{
    struct fg_sim *sim = sim_of(env);
    struct fate fate = begin(sim, FG_SIM_RENAME, to);
    return end(sim, fate, fate.happens ? rename_node(sim, from, to) : 0);
}

static int link_node(struct fg_sim *sim, const char *from, const char *to)
{
    char name[PATH_SIZE_MAX];
    struct sim_node *node, *dir;
    int r = find_node(sim, from, &node);
    if (r == 0)
        r = find_dir(sim, to, &dir, name);
    if (r < 0)
        return r;
    if (node->is_dir)
        return FG_EDENIED;
    if (!name[0] || sim_dir_find(dir, name))
        return FG_EEXIST;
    sim_dir_set(dir, name, node, false);
    return 0;
}

/* Whose a file is does not matter here: all of it is one user's. */
static int sim_publish(struct fg_env *env, const char *path)
{
    (void)env;
    (void)path;
    return 0;
}

static int sim_link(struct fg_env *env, const char *from, const char *to)
{
    struct fg_sim *sim = sim_of(env);
    struct fate fate = begin(sim, FG_SIM_LINK, to);
    return end(sim, fate, fate.happens ? link_node(sim, from, to) : 0);
}

static int remove_name(struct fg_sim *sim, const char *path, bool is_dir)
{
    char name[PATH_SIZE_MAX];
    struct sim_node *dir;
    int r = find_dir(sim, path, &dir, name);
    if (r < 0)
        return r;
    struct sim_node *node = name[0] ? sim_dir_find(dir, name) : NULL;
    if (!node)
        return FG_ENOTFOUND;
    if (node->is_dir != is_dir)
        return FG_EIO;
    if (is_dir && node->names_now.count > 0)
        return FG_EEXIST;
    sim_dir_set(dir, name, NULL, false);
    return 0;
}

static int sim_unlink(struct fg_env *env, const char *path)
{
    struct fg_sim *sim = sim_of(env);
    struct fate fate = begin(sim, FG_SIM_UNLINK, path);
    return end(sim, fate, fate.happens ? remove_name(sim, path, false) : 0);
}

static int sim_rmdir(struct fg_env *env, const char *path)
{
    struct fg_sim *sim = sim_of(env);
    struct fate fate = begin(sim, FG_SIM_RMDIR, path);
    return end(sim, fate, fate.happens ? remove_name(sim, path, true) : 0);
}

static int make_dir(struct fg_sim *sim, const char *path)
{
    char name[PATH_SIZE_MAX];
    struct sim_node *dir;
    int r = find_dir(sim, path, &dir, name);
    if (r < 0)
        return r;
    if (!name[0] || sim_dir_find(dir, name))
        return FG_EEXIST;
    struct sim_node *node = sim_node_new(true, &sim->used_bytes);
    sim_dir_set(dir, name, node, false);
    sim_node_unref(node);
    return 0;
}

static int sim_mkdir(struct fg_env *env, const char *path)
{
    struct fg_sim *sim = sim_of(env);
    struct fate fate = begin(sim, FG_SIM_MKDIR, path);
    return end(sim, fate, fate.happens ? make_dir(sim, path) : 0);
}

static int sim_sync_dir(struct fg_env *env, const char *path)
{
    struct fg_sim *sim = sim_of(env);
    struct fate fate = begin(sim, FG_SIM_SYNC_DIR, path);
    struct sim_node *dir;
    int r = find_node(sim, path, &dir);
    if (r == 0 && !dir->is_dir)
        r = FG_EIO;
    if (r == 0 && fate.happens)
        sim_dir_sync(dir);
    else if (r == 0 && !sim->is_cut)
        sim_node_lose(dir, &sim->chance);
    return end(sim, fate, r);
}

/* fn may call the machine again, so it sees a copy. */
static int copy_names(const struct sim_node *dir, struct fg_dir_entry **ret_entries,
                      size_t *ret_count)
{
    size_t count = dir->names_now.count;
    struct fg_dir_entry *entries = calloc(count + 1, sizeof *entries);
    if (!entries)
        return FG_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct sim_name *name = &dir->names_now.list[i];
        entries[i] = (struct fg_dir_entry){
            .name = strdup(name->name), .size = name->node->now.size, .is_dir = name->node->is_dir};
    }
    *ret_entries = entries;
    *ret_count = count;
    return 0;
}

static int sim_list(struct fg_env *env, const char *path, fg_dir_fn fn, void *arg)
{
    struct fg_sim *sim = sim_of(env);
    struct fate fate = begin(sim, FG_SIM_LIST, path);
    struct fg_dir_entry *entries = NULL;
    struct sim_node *dir;
    size_t count = 0;
    int r = 0;
    if (!fate.error) {
        r = find_node(sim, path, &dir);
        if (r == 0 && !dir->is_dir)
            r = FG_EIO;
        if (r == 0)
            r = copy_names(dir, &entries, &count);
    }
    r = end(sim, fate, r);
    for (size_t i = 0; i < count && r == 0; i++)
        r = entries[i].name ? fn(arg, &entries[i]) : FG_ENOMEM;
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)entries[i].name);
    free(entries);
    return r;
}

static int sim_space(struct fg_env *env, const char *path, uint64_t *ret_free_bytes,
                     uint64_t *ret_total_bytes)
{
    (void)path;
    struct fg_sim *sim = sim_of(env);
    fg_mutex_lock(&sim->mutex);
    uint64_t total = sim->capacity_bytes, used = sim->used_bytes;
    fg_mutex_unlock(&sim->mutex);
    *ret_free_bytes = total > used ? total - used : 0;
    *ret_total_bytes = total;
    return 0;
}

static uint64_t read_clock(struct fg_sim *sim, const uint64_t *clock)
{
    fg_mutex_lock(&sim->mutex);
    uint64_t ns = *clock;
    void (*then)(void *arg) = sim->then;
    void *arg = sim->then_arg;
    sim->then = NULL;
    fg_mutex_unlock(&sim->mutex);
    if (then)
        then(arg);
    return ns;
}

static uint64_t sim_wall_ns(struct fg_env *env)
{
    struct fg_sim *sim = sim_of(env);
    return read_clock(sim, &sim->wall_ns);
}

static uint64_t sim_mono_ns(struct fg_env *env)
{
    struct fg_sim *sim = sim_of(env);
    return read_clock(sim, &sim->mono_ns);
}

static void sim_random(struct fg_env *env, void *data, size_t size)
{
    struct fg_sim *sim = sim_of(env);
    fg_mutex_lock(&sim->mutex);
    struct sim_chance chance = {.state = sim->random_state};
    for (size_t done = 0; done < size; done += 8) {
        uint64_t word = sim_chance_u64(&chance);
        memcpy((uint8_t *)data + done, &word, size - done < 8 ? size - done : 8);
    }
    sim->random_state = chance.state;
    fg_mutex_unlock(&sim->mutex);
}

static const struct fg_file_ops sim_file_ops = {
    .pread = sim_pread,
    .pwrite = sim_pwrite,
    .sync = sim_sync,
    .write_out = sim_write_out,
    .allocate = sim_allocate,
    .truncate = sim_truncate,
    .size = sim_size,
    .close = sim_close,
};

static const struct fg_env_ops sim_ops = {
    .open = sim_open,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .mkdir = sim_mkdir,
    .rmdir = sim_rmdir,
    .list = sim_list,
    .sync_dir = sim_sync_dir,
    .lock = sim_lock,
    .link = sim_link,
    .publish = sim_publish,
    .space = sim_space,
    .wall_ns = sim_wall_ns,
    .mono_ns = sim_mono_ns,
    .random = sim_random,
};

/* -- What tests order */

int fg_sim_new(uint64_t seed, struct fg_sim **ret_sim)
{
    struct fg_sim *sim = calloc(1, sizeof *sim);
    if (!sim)
        return FG_ENOMEM;
    sim->env.ops = &sim_ops;
    fg_mutex_init(&sim->mutex, FG_RANK_LEAF);
    sim->chance = (struct sim_chance){.state = seed, .sector_size = 512};
    sim->random_state = ~seed;
    sim->capacity_bytes = UINT64_MAX;
    sim->wall_ns = UINT64_C(1767225600000000000); /* 2026-01-01 */
    sim->mono_ns = 1000000000;
    sim->root = sim_node_new(true, &sim->used_bytes);
    *ret_sim = sim;
    return 0;
}

void fg_sim_free(struct fg_sim *sim)
{
    if (!sim)
        return;
    assert(sim->open_files == 0);
    sim_node_unref(sim->root);
    fg_mutex_destroy(&sim->mutex);
    free(sim);
}

struct fg_env *fg_sim_env(struct fg_sim *sim)
{
    return &sim->env;
}

void fg_sim_cut(struct fg_sim *sim)
{
    fg_mutex_lock(&sim->mutex);
    sim->is_cut = true;
    fg_mutex_unlock(&sim->mutex);
}

void fg_sim_cut_at(struct fg_sim *sim, uint32_t ops, uint64_t nth)
{
    fg_mutex_lock(&sim->mutex);
    sim->cut_ops = ops;
    sim->cut_in = nth;
    fg_mutex_unlock(&sim->mutex);
}

bool fg_sim_is_cut(const struct fg_sim *sim)
{
    return sim->is_cut;
}

void fg_sim_restart(struct fg_sim *sim)
{
    fg_mutex_lock(&sim->mutex);
    sim_tree_restart(sim->root, &sim->chance);
    sim->generation++;
    sim->is_cut = false;
    sim->cut_in = 0;
    sim->has_fault = false;
    fg_mutex_unlock(&sim->mutex);
}

void fg_sim_fail(struct fg_sim *sim, const struct fg_sim_fault *fault)
{
    fg_mutex_lock(&sim->mutex);
    sim->has_fault = fault != NULL;
    sim->has_failed = false;
    if (fault)
        sim->fault = *fault;
    fg_mutex_unlock(&sim->mutex);
}

bool fg_sim_has_failed(const struct fg_sim *sim)
{
    return sim->has_failed;
}

void fg_sim_set_capacity(struct fg_sim *sim, uint64_t bytes)
{
    fg_mutex_lock(&sim->mutex);
    sim->capacity_bytes = bytes;
    fg_mutex_unlock(&sim->mutex);
}

uint64_t fg_sim_used_bytes(const struct fg_sim *sim)
{
    return sim->used_bytes;
}

void fg_sim_set_sector_size(struct fg_sim *sim, uint32_t size)
{
    assert(size > 0 && (size & (size - 1)) == 0);
    sim->chance.sector_size = size;
}

int fg_sim_flip(struct fg_sim *sim, const char *path, uint64_t offset, uint8_t mask)
{
    fg_mutex_lock(&sim->mutex);
    struct sim_node *node;
    int r = find_node(sim, path, &node);
    if (r == 0 && offset >= node->now.size)
        r = FG_EINVALID;
    if (r == 0) {
        node->now.data[offset] ^= mask;
        if (offset < node->stable.size)
            node->stable.data[offset] ^= mask;
    }
    fg_mutex_unlock(&sim->mutex);
    return r;
}

void fg_sim_advance(struct fg_sim *sim, uint64_t ns)
{
    fg_mutex_lock(&sim->mutex);
    sim->wall_ns += ns;
    sim->mono_ns += ns;
    fg_mutex_unlock(&sim->mutex);
}

void fg_sim_after_clock(struct fg_sim *sim, void (*then)(void *arg), void *arg)
{
    fg_mutex_lock(&sim->mutex);
    sim->then = then;
    sim->then_arg = arg;
    fg_mutex_unlock(&sim->mutex);
}

void fg_sim_set_read_ns(struct fg_sim *sim, uint64_t ns)
{
    fg_mutex_lock(&sim->mutex);
    sim->read_ns = ns;
    fg_mutex_unlock(&sim->mutex);
}

void fg_sim_set_wall_ns(struct fg_sim *sim, uint64_t ns)
{
    fg_mutex_lock(&sim->mutex);
    sim->wall_ns = ns;
    fg_mutex_unlock(&sim->mutex);
}

uint64_t fg_sim_below(struct fg_sim *sim, uint64_t below)
{
    fg_mutex_lock(&sim->mutex);
    uint64_t number = sim_chance_below(&sim->chance, below);
    fg_mutex_unlock(&sim->mutex);
    return number;
}

uint64_t fg_sim_count(const struct fg_sim *sim, uint32_t ops)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < OP_COUNT; i++)
        count += ops & (1u << i) ? sim->counts[i] : 0;
    return count;
}

uint64_t fg_sim_read_bytes(const struct fg_sim *sim)
{
    return sim->read_bytes;
}

uint64_t fg_sim_open_files(const struct fg_sim *sim)
{
    return sim->open_files;
}
