/* What the process gives up before it meets anybody: the files that it has no use for (Landlock),
 * then the system calls (seccomp). What it may read follows from its settings: each file that one
 * names, with the folder it lies in, since certificates and secrets are renewed by a new file of
 * the same name. */
#include "base/log.h"
#include "monitor/config.h"
#include "os/sandbox.h"
#include "serve.h"
#include "serve_config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATHS_MAX 1024u

/* Names, addresses, authorities, clocks, libraries that are loaded late; what a process may know of
 * itself, and the processes' monitors of others. */
static const char *const system_paths[] = {
    "/usr",
    "/lib",
    "/lib64",
    "/proc",
    "/sys",
    "/dev/urandom",
    "/dev/random",
    "/dev/zero",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/passwd",
    "/etc/group",
    "/etc/machine-id",
    "/etc/ld.so.cache",
    "/run/systemd/resolve",
    "/run/systemd/journal",
};

struct paths {
    struct fg_arena *arena;
    struct fg_sandbox_path items[PATHS_MAX];
    size_t count;
    bool is_full;
};

static void add(struct paths *paths, const char *path, bool may_write)
{
    struct fg_slice copy = fg_arena_copy(paths->arena, fg_slice(path, strlen(path) + 1));
    paths->is_full |= paths->count == PATHS_MAX || !copy.data;
    if (!paths->is_full)
        paths->items[paths->count++] =
            (struct fg_sandbox_path){.path = (const char *)copy.data, .may_write = may_write};
}

/* Cuts the last name off: "a/b" is "a", "/a" is "/", "a" is ".". */
static void cut_name(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash)
        snprintf(path, 2, ".");
    else
        slash[slash == path] = 0;
}

/* Folders so wide that a file in them is allowed by itself alone. */
static bool is_wide(const char *folder)
{
    static const char *const wide[] = {"/", "/etc", "/home", "/root", "/var", "/tmp", "/run"};
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (strcmp(folder, wide[i]) == 0)
            return true;
    return false;
}

/* A folder as it is, a file with its folder; through links as well. */
static void add_with_folder(struct paths *paths, const char *path)
{
    char folder[4096], real[PATH_MAX];
    if (!*path)
        return;
    add(paths, path, false);
    snprintf(folder, sizeof folder, "%s", path);
    cut_name(folder);
    if (realpath(folder, real) && !is_wide(real))
        add(paths, real, false);
    if (!realpath(path, real))
        return;
    cut_name(real);
    if (!is_wide(real))
        add(paths, real, false);
}

static void add_monitors_path(void *arg, const char *path)
{
    add_with_folder(arg, path);
}

/* One that is written in and may be made later: the folder that it will lie in then. */
static void add_written(struct paths *paths, const char *path)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", path);
    while (access(folder, F_OK) != 0 && strchr(folder, '/') && strcmp(folder, "/") != 0)
        cut_name(folder);
    add(paths, folder, true);
}

static void add_list(struct paths *paths, const struct fg_config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        add_with_folder(paths, list->items[i]);
}

/* Every setting that is a path, also one that is newer than this. */
static void add_settings(struct paths *paths, const struct fg_config *config)
{
    size_t count;
    const struct fg_setting *settings = fg_settings(&count);
    for (size_t i = 0; i < count; i++) {
        const char *path;
        memcpy(&path, (const char *)config + settings[i].offset, sizeof path);
        if (settings[i].type == FG_SETTING_PATH && path)
            add_with_folder(paths, path);
    }
}

static void collect(const struct fg_serve *serve, struct paths *paths)
{
    const struct fg_config *config = serve->config;
    for (size_t i = 0; i < sizeof system_paths / sizeof *system_paths; i++)
        add(paths, system_paths[i], false);
    add_settings(paths, config);
    if (fg_serve_config_path(serve->arguments))
        add_with_folder(paths, fg_serve_config_path(serve->arguments));
    add_list(paths, &config->redact_rules);
    add_list(paths, &config->alert_headers);
    for (size_t i = 0; i < config->owner_tokens.count; i++) {
        const char *equals = strchr(config->owner_tokens.items[i], '=');
        if (equals)
            add_with_folder(paths, equals + 1);
    }
    if (*config->monitor_secrets)
        add(paths, config->monitor_secrets, false);
    for (size_t i = 0; i < config->sandbox_files.count; i++)
        add(paths, config->sandbox_files.items[i], false);
    for (uint32_t i = 0; i < serve->monitor_configs.count; i++)
        fg_monitor_config_paths(serve->monitor_configs.items[i], add_monitors_path, paths);
    add(paths, "/dev/null", true);
    add_written(paths, config->data);
    for (size_t i = 0; i < config->recorders.count; i++)
        add_written(paths, config->recorders.items[i]);
    for (size_t i = 0; i < serve->backup_folder_count; i++)
        add_written(paths, serve->backup_folders[i]);
}

/* The store makes it where it is missing, but then it would be too late to allow it. */
static int make_data(const struct fg_serve *serve)
{
    int r = fg_env_mkdir(serve->cli->env, serve->config->data);
    return r == FG_EEXIST ? 0 : r;
}

static void confine_files(struct fg_serve *serve)
{
    struct paths *paths = fg_arena_calloc(&serve->arena, 1, sizeof *paths);
    int r = paths ? 0 : FG_ENOMEM;
    if (r == 0) {
        paths->arena = &serve->arena;
        collect(serve, paths);
        r = paths->is_full ? FG_ELIMIT : fg_sandbox_files(paths->items, paths->count);
    }
    serve->has_few_files = r == 0;
    if (r == FG_EUNSUPPORTED)
        fg_log(FG_LOG_INFO, "files are not confined", "reason=%s",
               fg_sandbox_files_is_built_in() ? "this kernel has no Landlock, or an old one"
                                              : "not built in");
    else if (r < 0)
        fg_log(FG_LOG_WARN, "files are not confined", "reason=%s", fg_error_name(r));
}

void fg_serve_confine(struct fg_serve *serve)
{
    if (!serve->config->sandbox)
        return;
    fg_process_harden();
    /* Where it can't be made the store says why. */
    if (make_data(serve) == 0)
        confine_files(serve);
    int r = fg_sandbox_enter();
    serve->has_few_calls = r == 0;
    if (r < 0)
        fg_log(FG_LOG_WARN, "runs without a filter of system calls", "reason=%s",
               fg_sandbox_is_built_in() ? "the kernel takes none" : "not built in");
}

const char *fg_serve_why_unread(const char *path, int error, char text[FG_SERVE_WHY_SIZE])
{
    return error == FG_EDENIED && fg_sandbox_explains(path, text, FG_SERVE_WHY_SIZE)
               ? text
               : fg_error_name(error);
}

int fg_serve_find_backup_folders(struct fg_serve *serve)
{
    const struct fg_config *config = serve->config;
    const char *const *given = (const char *const *)config->backup_folders.items;
    size_t count = config->backup_folders.count;
    char folder[4096], real[PATH_MAX];
    const char *const beside[] = {folder};
    if (count == 0) {
        snprintf(folder, sizeof folder, "%s", config->data);
        for (size_t size = strlen(folder); size > 1 && folder[size - 1] == '/'; size--)
            folder[size - 1] = 0;
        cut_name(folder);
        given = beside;
        count = 1;
    }
    serve->backup_folders = fg_arena_calloc(&serve->arena, count, sizeof *serve->backup_folders);
    for (size_t i = 0; serve->backup_folders && i < count; i++) {
        const char *path = realpath(given[i], real) ? real : given[i];
        struct fg_slice copy = fg_arena_copy(&serve->arena, fg_slice(path, strlen(path) + 1));
        serve->backup_folders[i] = copy.data ? (const char *)copy.data : "";
    }
    serve->backup_folder_count = count;
    return serve->arena.overflow ? FG_ENOMEM : 0;
}
