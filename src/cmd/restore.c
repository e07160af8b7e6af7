/* `filigree restore BACKUP DIR`: makes a store's folder from a backup.
 *
 * Files are copied to DIR.restoring, each synced, then the folder is renamed to DIR: a restore that
 * was cut short leaves no half store. */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/units.h"
#include "progress.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES_MAX ((size_t)256 << 20)
#define CHUNK_SIZE      ((size_t)1 << 20)
#define DEPTH_MAX       8

struct copy {
    struct fg_cli *cli;
    struct fg_arena arena;
    struct fg_progress progress;
    uint8_t *chunk;
    uint64_t done_bytes, total_bytes;
    const char *failed_path; /* where it went wrong */
};

/* One folder's entries: collected first, since listing and copying do not nest. */
struct entries {
    struct copy *copy;
    struct entry {
        const char *name;
        struct entry *next;
        bool is_dir;
    } * first;
};

static int on_entry(void *arg, const struct fg_dir_entry *found)
{
    struct entries *entries = arg;
    struct fg_arena *arena = &entries->copy->arena;
    struct entry *entry = fg_arena_alloc(arena, sizeof *entry);
    const char *name = fg_arena_string(arena, fg_slice_from_string(found->name));
    if (!entry || !name)
        return FG_ELIMIT;
    *entry = (struct entry){.name = name, .next = entries->first, .is_dir = found->is_dir};
    entries->first = entry;
    return 0;
}

static const char *join(struct copy *copy, const char *folder, const char *name)
{
    struct fg_buffer path;
    fg_buffer_init(&path, 16 << 10);
    fg_buffer_append_format(&path, "%s/%s", folder, name);
    const char *kept = path.error ? NULL : fg_arena_string(&copy->arena, fg_buffer_slice(&path));
    fg_buffer_free(&path);
    return kept;
}

static int copy_bytes(struct copy *copy, struct fg_file *from, struct fg_file *to)
{
    for (uint64_t offset = 0;;) {
        size_t size;
        int r = fg_file_pread(from, offset, copy->chunk, CHUNK_SIZE, &size);
        if (r == 0 && size > 0)
            r = fg_file_pwrite(to, offset, copy->chunk, size);
        if (r < 0 || size == 0)
            return r;
        offset += size;
        copy->done_bytes += size;
        fg_progress_update(&copy->progress, copy->done_bytes, copy->total_bytes);
    }
}

static int copy_file(struct copy *copy, const char *from_path, const char *to_path)
{
    struct fg_file *from = NULL, *to = NULL;
    int r = fg_env_open(copy->cli->env, from_path, FG_OPEN_READ, &from);
    if (r == 0)
        r = fg_env_open(copy->cli->env, to_path, FG_OPEN_WRITE | FG_OPEN_CREATE | FG_OPEN_EXCLUSIVE,
                        &to);
    if (r == 0)
        r = copy_bytes(copy, from, to);
    if (r == 0)
        r = fg_file_sync(to);
    fg_file_close(from);
    fg_file_close(to);
    if (r < 0)
        copy->failed_path = to_path;
    return r;
}

static int copy_folder(struct copy *copy, const char *from, const char *to, unsigned depth)
{
    struct entries entries = {.copy = copy};
    if (depth > DEPTH_MAX)
        return FG_ELIMIT;
    copy->failed_path = to;
    int r = fg_env_mkdir(copy->cli->env, to);
    if (r == 0)
        r = fg_env_list(copy->cli->env, from, on_entry, &entries);
    for (struct entry *entry = entries.first; r == 0 && entry; entry = entry->next) {
        const char *from_path = join(copy, from, entry->name);
        const char *to_path = join(copy, to, entry->name);
        if (!from_path || !to_path)
            return FG_ELIMIT;
        r = entry->is_dir ? copy_folder(copy, from_path, to_path, depth + 1)
                          : copy_file(copy, from_path, to_path);
    }
    return r < 0 ? r : fg_env_sync_dir(copy->cli->env, to);
}

static int on_any_entry(void *arg, const struct fg_dir_entry *entry)
{
    (void)arg;
    (void)entry;
    return FG_EEXIST;
}

static void on_damage(void *arg, const char *file, uint64_t offset, const char *what)
{
    struct copy *copy = arg;
    fg_progress_end(&copy->progress);
    fprintf(copy->cli->err, "filigree: restore: %s: byte %llu: %s\n", file,
            (unsigned long long)offset, what);
}

static void on_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
    struct copy *copy = arg;
    copy->total_bytes = total_bytes;
    fg_progress_update(&copy->progress, done_bytes, total_bytes);
}

static enum fg_exit check_backup(struct copy *copy, const char *backup, bool force)
{
    uint64_t damage_count = 0;
    fg_progress_begin(&copy->progress, copy->cli, "verify", true);
    int r = fg_store_verify(copy->cli->env, backup, on_damage, on_progress, copy, &damage_count);
    fg_progress_end(&copy->progress);
    if (r == FG_ENOTFOUND)
        return fg_cli_fail(copy->cli, FG_EXIT_USAGE, "restore: %s holds no backup", backup);
    if (r < 0)
        return fg_cli_fail(copy->cli, FG_EXIT_FAILED, "restore: can't read %s: %s", backup,
                           fg_error_name(r));
    if (damage_count && !force)
        return fg_cli_fail(
            copy->cli, FG_EXIT_NO,
            "restore: the backup is damaged in %llu places; --force restores what can be "
            "read of it",
            (unsigned long long)damage_count);
    return FG_EXIT_OK;
}

static enum fg_exit check_target(struct fg_cli *cli, const char *path)
{
    int r = fg_env_list(cli->env, path, on_any_entry, NULL);
    if (r == FG_EEXIST)
        return fg_cli_fail(cli, FG_EXIT_USAGE,
                           "restore: %s is not empty; name a folder that does not exist yet", path);
    if (r < 0 && r != FG_ENOTFOUND)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "restore: can't look into %s: %s", path,
                           fg_error_name(r));
    return FG_EXIT_OK;
}

/* The folder in which path stands. */
static const char *parent_of(struct copy *copy, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ".";
    return slash == path ? "/"
                         : fg_arena_string(&copy->arena, fg_slice(path, (size_t)(slash - path)));
}

static enum fg_exit restore(struct copy *copy, const char *backup, const char *path)
{
    struct fg_env *env = copy->cli->env;
    struct fg_buffer text;
    fg_buffer_init(&text, 16 << 10);
    fg_buffer_append_format(&text, "%s.restoring", path);
    const char *part = fg_arena_string(&copy->arena, fg_buffer_slice(&text));
    const char *parent = parent_of(copy, path);
    fg_buffer_free(&text);
    if (!part || !parent)
        return fg_cli_fail(copy->cli, FG_EXIT_FAILED, "out of memory");
    fg_progress_begin(&copy->progress, copy->cli, "restore", true);
    int r = copy_folder(copy, backup, part, 0);
    fg_progress_end(&copy->progress);
    if (r == FG_EEXIST)
        return fg_cli_fail(copy->cli, FG_EXIT_USAGE,
                           "restore: %s is there from a restore that was cut short; remove it",
                           part);
    if (r == 0) {
        copy->failed_path = path;
        r = fg_env_rename(env, part, path);
    }
    if (r == 0)
        r = fg_env_sync_dir(env, parent);
    if (r < 0)
        return fg_cli_fail(copy->cli, FG_EXIT_FAILED, "restore: can't write %s: %s",
                           copy->failed_path, fg_error_name(r));
    char size[FG_UNITS_TEXT_SIZE];
    fg_size_format(copy->done_bytes, size);
    fprintf(copy->cli->out, "restored %s to %s; start it with `filigree serve --data %s`\n", size,
            path, path);
    return FG_EXIT_OK;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    const char *backup = arguments->words[0], *path = arguments->words[1];
    size_t size = strlen(path);
    struct copy copy = {.cli = cli, .chunk = malloc(CHUNK_SIZE)};
    fg_arena_init(&copy.arena, ARENA_BYTES_MAX);
    /* "dir/" names dir */
    while (size > 1 && path[size - 1] == '/')
        size--;
    path = fg_arena_string(&copy.arena, fg_slice(path, size));
    enum fg_exit code = FG_EXIT_FAILED;
    if (!copy.chunk || !path)
        fg_cli_fail(cli, code, "out of memory");
    else
        code = check_target(cli, path);
    if (code == FG_EXIT_OK)
        code = check_backup(&copy, backup, fg_arguments_has(arguments, "force"));
    if (code == FG_EXIT_OK)
        code = restore(&copy, backup, path);
    free(copy.chunk);
    fg_arena_free(&copy.arena);
    return code;
}

static const struct fg_option options[] = {
    {.name = "force", .help = "restore also a backup that is damaged"},
};

const struct fg_command fg_command_restore = {
    .name = "restore",
    .arguments = "BACKUP DIR [OPTIONS]",
    .summary = "make a store's folder from a backup",
    .help = "Checks the backup, copies it, and lets DIR appear only when all of it is on disk. DIR "
            "must be\n"
            "missing or empty; BACKUP is left as it is.\n"
            "\n"
            "Examples\n"
            "  filigree restore /backup/2026-11-24 /var/lib/filigree\n"
            "  filigree restore /backup/2026-11-24 /tmp/look && filigree serve --data /tmp/look\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .words_min = 2,
    .words_max = 2,
    .run = run,
};
