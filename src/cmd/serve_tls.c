/* Certificates of `filigree serve`: read at the start, at SIGHUP, and when their files change.
 *
 * The files are looked at every two seconds by reading them: whatever replaced them (a rename, a
 * symbolic link to another folder, a network's file system) is seen, and what is the same is not
 * loaded again. A change counts when two looks find the same, so that of a certificate and a key
 * that are written one after the other never half is taken. */
#include "base/limits.h"
#include "base/log.h"
#include "notify.h"
#include "serve.h"
#include "serve_config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#define FILE_SIZE_MAX ((size_t)1 << 20)
#define MESSAGE_SIZE  ((size_t)10 << 10)

enum { FILE_CERT, FILE_KEY, FILE_CLIENT_CA, FILE_COUNT };

static const char *const names[FILE_COUNT] = {"tls-cert", "tls-key", "tls-client-ca"};

struct files {
    const char *paths[FILE_COUNT]; /* "": none */
    uint8_t *data[FILE_COUNT];
    size_t sizes[FILE_COUNT];
    int results[FILE_COUNT];
    uint64_t hash; /* of all */
};

static void files_read(struct fg_serve *serve, struct files *ret_files)
{
    const struct fg_config *config = fg_serve_settings(serve);
    *ret_files =
        (struct files){.paths = {config->tls_cert, config->tls_key, config->tls_client_ca}};
    for (int i = 0; i < FILE_COUNT; i++) {
        uint64_t part[3] = {ret_files->hash, 0, 0};
        if (*ret_files->paths[i])
            ret_files->results[i] = fg_cli_read_file(serve->cli, ret_files->paths[i], FILE_SIZE_MAX,
                                                     &ret_files->data[i], &ret_files->sizes[i]);
        part[1] = (uint64_t)ret_files->results[i];
        if (ret_files->data[i])
            part[2] = XXH3_64bits(ret_files->data[i], ret_files->sizes[i]);
        ret_files->hash = XXH3_64bits(part, sizeof part);
    }
}

/* One of them is a private key. */
static void files_free(struct files *files)
{
    for (int i = 0; i < FILE_COUNT; i++) {
        if (files->data[i])
            explicit_bzero(files->data[i], files->sizes[i]);
        free(files->data[i]);
    }
}

static struct fg_slice content(const struct files *files, int file)
{
    return fg_slice(files->data[file], files->sizes[file]);
}

/* Takes them into use. text: room for what is wrong. */
static int load(struct fg_serve *serve, const struct files *files, char text[MESSAGE_SIZE])
{
    if (!*files->paths[FILE_CERT] || !*files->paths[FILE_KEY]) {
        snprintf(text, MESSAGE_SIZE, "%s needs %s as well",
                 *files->paths[FILE_CERT] ? "tls-cert" : "tls-key",
                 *files->paths[FILE_CERT] ? "tls-key" : "tls-cert");
        return FG_EINVALID;
    }
    for (int i = 0; i < FILE_COUNT; i++) {
        if (files->results[i] == 0)
            continue;
        char why[FG_SERVE_WHY_SIZE];
        snprintf(text, MESSAGE_SIZE, "%s: can't read %s: %s", names[i], files->paths[i],
                 files->results[i] == FG_ELIMIT
                     ? "larger than 1 MiB"
                     : fg_serve_why_unread(files->paths[i], files->results[i], why));
        return FG_EINVALID;
    }
    const struct fg_tls_material material = {.certificates = content(files, FILE_CERT),
                                             .key = content(files, FILE_KEY),
                                             .client_authority = content(files, FILE_CLIENT_CA)};
    struct fg_arena arena;
    const char *message = NULL;
    fg_arena_init(&arena, MESSAGE_SIZE);
    int r = fg_tls_load(serve->tls, &material, &arena, &message);
    if (r < 0)
        snprintf(text, MESSAGE_SIZE, "%s", message ? message : fg_error_name(r));
    fg_arena_free(&arena);
    return r;
}

static void log_loaded(struct fg_serve *serve, const char *message)
{
    struct fg_tls_facts facts;
    char until[32] = "?";
    if (fg_tls_facts(serve->tls, &facts) < 0)
        return;
    time_t time = (time_t)facts.not_after_s;
    struct tm tm;
    if (gmtime_r(&time, &tm))
        strftime(until, sizeof until, "%Y-%m-%dT%H:%M:%SZ", &tm);
    fg_log(FG_LOG_INFO, message, "subject=%s names=%s until=%s", facts.subject, facts.names, until);
}

enum fg_exit fg_serve_tls_open(struct fg_serve *serve)
{
    const struct fg_config *config = serve->config;
    if (!*config->tls_cert && !*config->tls_key && !*config->tls_client_ca)
        return FG_EXIT_OK;
    if (!*config->tls_cert && !*config->tls_key)
        return fg_cli_fail(serve->cli, FG_EXIT_USAGE,
                           "tls-client-ca needs TLS: set tls-cert and tls-key as well");
    if (fg_tls_new(serve->cli->env, &serve->tls) < 0)
        return fg_cli_fail(serve->cli, FG_EXIT_FAILED, "out of memory");
    struct files files;
    char text[MESSAGE_SIZE];
    files_read(serve, &files);
    int r = load(serve, &files, text);
    serve->looks = (struct fg_serve_tls_look){files.hash, files.hash};
    files_free(&files);
    if (r < 0)
        return fg_cli_fail(serve->cli, r == FG_EINVALID ? FG_EXIT_USAGE : FG_EXIT_FAILED,
                           "can't use the certificate: %s", text);
    log_loaded(serve, "TLS certificate read");
    return FG_EXIT_OK;
}

static void take(struct fg_serve *serve, const struct files *files)
{
    static const char wrong[] = "the new TLS certificate can't be used; the old one stays in use";
    char text[MESSAGE_SIZE], status[MESSAGE_SIZE + sizeof wrong + 32];
    serve->looks = (struct fg_serve_tls_look){files->hash, files->hash};
    if (load(serve, files, text) == 0) {
        log_loaded(serve, "TLS certificate read again");
        fg_notify("STATUS=ready");
        return;
    }
    fg_log(FG_LOG_ERROR, wrong, "reason=%s", text);
    snprintf(status, sizeof status, "STATUS=ready; %s: %s", wrong, text);
    fg_notify(status);
}

void fg_serve_tls_reload(struct fg_serve *serve)
{
    struct files files;
    if (!serve->tls) {
        if (*fg_serve_settings(serve)->tls_cert)
            fg_log(FG_LOG_WARN,
                   "TLS begins with the next restart: none was configured at the start", NULL);
        return;
    }
    files_read(serve, &files);
    take(serve, &files);
    files_free(&files);
}

void fg_serve_tls_look(struct fg_serve *serve)
{
    struct files files;
    if (!serve->tls)
        return;
    files_read(serve, &files);
    bool has_settled = files.hash == serve->looks.last;
    serve->looks.last = files.hash;
    if (has_settled && files.hash != serve->looks.loaded)
        take(serve, &files);
    files_free(&files);
}

static bool is_in(const struct fg_config_list *list, const char *listener)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], listener) == 0)
            return true;
    return false;
}

bool fg_serve_tls_is_on(const struct fg_serve *serve, const char *listener)
{
    return serve->tls && is_in(&serve->config->tls_on, listener);
}

enum fg_client_certificate fg_serve_tls_client(const struct fg_serve *serve, const char *listener)
{
    const struct fg_config *config = serve->config;
    if (!*config->tls_client_ca || !is_in(&config->tls_client_on, listener))
        return FG_CLIENT_CERTIFICATE_NONE;
    return config->tls_client_auth ? FG_CLIENT_CERTIFICATE_REQUIRE : FG_CLIENT_CERTIFICATE_ASK;
}
