/* What a backup of a folder needs beside the keyed state (where accounts, tokens and tenants lie):
 * the audit's files, and the mark that there are accounts. */
#include "audit_line.h"
#include "state.h"

#include <stdio.h>
#include <stdlib.h>

static int write_file(struct fg_env *env, const char *path, const void *data, size_t size)
{
    struct fg_file *file;
    int r = fg_env_open(env, path, FG_OPEN_WRITE | FG_OPEN_CREATE | FG_OPEN_EXCLUSIVE, &file);
    if (r < 0)
        return r;
    r = fg_file_pwrite(file, 0, data, size);
    if (r == 0)
        r = fg_file_sync(file);
    fg_file_close(file);
    return r;
}

/* Whole lines: of what is being written meanwhile no half one. */
static int copy_lines(struct fg_auth *auth, const char *to, uint64_t first)
{
    struct fg_buffer text;
    char *path = fg_audit_path(to, first);
    int r = path ? fg_audit_load(auth->env, auth->folder, first, &text) : FG_ENOMEM;
    if (r == 0) {
        const uint8_t *end = text.size ? memrchr(text.data, '\n', text.size) : NULL;
        r = write_file(auth->env, path, text.data, end ? (size_t)(end - text.data) + 1 : 0);
        fg_buffer_free(&text);
    }
    free(path);
    return r;
}

static int copy_audit(struct fg_auth *auth, const char *to)
{
    struct fg_audit_files *files = malloc(sizeof *files);
    char *folder = NULL;
    if (!files || asprintf(&folder, "%s/audit", to) < 0) {
        free(files);
        return FG_ENOMEM;
    }
    int r = fg_audit_list(auth->env, auth->folder, files);
    bool is_there = r == 0;
    if (r == FG_ENOTFOUND)
        r = 0;
    if (r == 0 && is_there)
        r = fg_env_mkdir(auth->env, folder);
    for (size_t i = 0; r == 0 && is_there && i < files->count; i++) {
        r = copy_lines(auth, to, files->firsts[i]);
        /* The oldest may go by its age meanwhile. */
        if (r == FG_ENOTFOUND && i + 1 < files->count)
            r = 0;
    }
    if (r == 0 && is_there)
        r = fg_env_sync_dir(auth->env, folder);
    free(folder);
    free(files);
    return r;
}

int fg_auth_backup(struct fg_auth *auth, const char *to)
{
    char *marker = NULL;
    if (asprintf(&marker, "%s/accounts", to) < 0)
        return FG_ENOMEM;
    int r = fg_auth_mode(auth) == FG_AUTH_OPEN ? 0 : fg_auth_mark_folder(auth->env, marker);
    free(marker);
    if (r == 0)
        r = copy_audit(auth, to);
    return r == 0 ? fg_env_sync_dir(auth->env, to) : r;
}
