/* `filigree certs`: a private authority and certificates for a first installation.
 *
 * Files of a folder: ca.key and ca.pem, made by the first call and used by later ones; NAME.key and
 * NAME.pem for each certificate. Keys are written with mode 0600, certificates, which are shown to
 * everybody anyway, with 0644 in a folder that others may enter; each file whole before it has its
 * name, and none that is there is ever replaced. */
#include "base/limits.h"
#include "command.h"
#include "net/certify.h"
#include "wire/json_writer.h"

#include <stdlib.h>
#include <string.h>

#define DIR_DEFAULT     "./certs"
#define FILE_SIZE_MAX   ((size_t)64 << 10)
#define PATH_SIZE       4096
#define NAMES_MAX       64
#define DAYS_DEFAULT    397u /* the longest that browsers take: CA/Browser Forum, 6.3.2 */
#define DAYS_MAX        3650u
#define CA_DAYS         3650u
#define SECONDS_PER_DAY INT64_C(86400)
/* Clocks of other machines may be behind. */
#define EARLIER_S INT64_C(3600)

struct certs {
    struct fg_cli *cli;
    const char *folder;
    int64_t now_s;
    unsigned days;
    struct fg_buffer ca_key, ca;
    bool made_ca;
    struct fg_arena arena;
};

struct wanted {
    const char *file; /* without its ending */
    struct fg_certify_request request;
};

static int path_of(const struct certs *certs, const char *file, const char *ending,
                   char ret_path[PATH_SIZE])
{
    int size = snprintf(ret_path, PATH_SIZE, "%s/%s.%s", certs->folder, file, ending);
    return size > 0 && size < PATH_SIZE ? 0 : FG_ELIMIT;
}

static enum fg_exit fail(struct certs *certs, const char *what, const char *path, int error)
{
    if (error == FG_EEXIST)
        return fg_cli_fail(certs->cli, FG_EXIT_FAILED,
                           "certs: %s is there already and is left as it is; remove it, or choose "
                           "another --dir",
                           path);
    return fg_cli_fail(certs->cli, FG_EXIT_FAILED, "certs: can't %s %s: %s", what, path,
                       fg_error_name(error));
}

/* Under a name of its own first; a link does not replace what is there. */
static enum fg_exit write_file(struct certs *certs, const char *file, const char *ending,
                               struct fg_slice text)
{
    struct fg_env *env = certs->cli->env;
    char path[PATH_SIZE], new_path[PATH_SIZE];
    struct fg_file *opened = NULL;
    int r = path_of(certs, file, ending, path);
    if (r == 0 && (size_t)snprintf(new_path, sizeof new_path, "%s.new", path) >= sizeof new_path)
        r = FG_ELIMIT;
    if (r < 0)
        return fail(certs, "name", certs->folder, r);
    r = fg_env_open(env, new_path, FG_OPEN_WRITE | FG_OPEN_CREATE | FG_OPEN_TRUNCATE, &opened);
    if (r == 0)
        r = fg_file_pwrite(opened, 0, text.data, text.size);
    if (r == 0)
        r = fg_file_sync(opened);
    fg_file_close(opened);
    if (r == 0 && strcmp(ending, "pem") == 0)
        r = fg_env_publish(env, new_path);
    if (r == 0)
        r = fg_env_link(env, new_path, path);
    if (opened && fg_env_unlink(env, new_path) < 0 && r == 0)
        r = FG_EIO;
    if (r == 0)
        r = fg_env_sync_dir(env, certs->folder);
    return r == 0 ? FG_EXIT_OK : fail(certs, "write", path, r);
}

/* FG_ENOTFOUND where it is not there. */
static int read_file(struct certs *certs, const char *file, const char *ending,
                     struct fg_buffer *buffer)
{
    char path[PATH_SIZE];
    uint8_t *data;
    size_t size;
    int r = path_of(certs, file, ending, path);
    if (r == 0)
        r = fg_cli_read_file(certs->cli, path, FILE_SIZE_MAX, &data, &size);
    if (r < 0)
        return r;
    fg_buffer_append(buffer, data, size);
    explicit_bzero(data, size);
    free(data);
    return buffer->error;
}

static bool is_there(struct certs *certs, const char *file, const char *ending)
{
    char path[PATH_SIZE];
    struct fg_file *opened;
    if (path_of(certs, file, ending, path) < 0 ||
        fg_env_open(certs->cli->env, path, FG_OPEN_READ, &opened) < 0)
        return false;
    fg_file_close(opened);
    return true;
}

static enum fg_exit make_authority(struct certs *certs)
{
    int r = fg_certify_authority(certs->cli->env, "Filigree private authority",
                                 certs->now_s - EARLIER_S, certs->now_s + CA_DAYS * SECONDS_PER_DAY,
                                 &certs->ca_key, &certs->ca);
    if (r < 0)
        return fail(certs, "make", "an authority", r);
    enum fg_exit code = write_file(certs, "ca", "key", fg_buffer_slice(&certs->ca_key));
    if (code == FG_EXIT_OK)
        code = write_file(certs, "ca", "pem", fg_buffer_slice(&certs->ca));
    certs->made_ca = code == FG_EXIT_OK;
    return code;
}

static enum fg_exit open_authority(struct certs *certs)
{
    int key = read_file(certs, "ca", "key", &certs->ca_key);
    int certificate = read_file(certs, "ca", "pem", &certs->ca);
    if (key == FG_ENOTFOUND && certificate == FG_ENOTFOUND)
        return make_authority(certs);
    if (key == 0 && certificate == 0)
        return FG_EXIT_OK;
    char path[PATH_SIZE];
    int r = path_of(certs, "ca", key < 0 ? "key" : "pem", path);
    return fail(certs, "read", r == 0 ? path : certs->folder, key < 0 ? key : certificate);
}

/* Looks before anything is made: half of a pair is worse than none. */
static enum fg_exit check(struct certs *certs, const struct wanted *wanted)
{
    static const char *const endings[] = {"key", "pem"};
    char path[PATH_SIZE];
    for (unsigned i = 0; i < 2; i++)
        if (is_there(certs, wanted->file, endings[i]) &&
            path_of(certs, wanted->file, endings[i], path) == 0)
            return fail(certs, "write", path, FG_EEXIST);
    return FG_EXIT_OK;
}

static enum fg_exit make(struct certs *certs, const struct wanted *wanted)
{
    struct fg_buffer key, certificate;
    const char *message = NULL;
    fg_buffer_init(&key, FILE_SIZE_MAX);
    fg_buffer_init(&certificate, FILE_SIZE_MAX);
    enum fg_exit code;
    int r = fg_certify_issue(certs->cli->env, fg_buffer_slice(&certs->ca_key),
                             fg_buffer_slice(&certs->ca), &wanted->request, &certs->arena, &message,
                             &key, &certificate);
    if (r == FG_EINVALID)
        code = fg_cli_fail(certs->cli, FG_EXIT_USAGE, "certs: %s", message ? message : "");
    else if (r < 0)
        code = fail(certs, "make", wanted->file, r);
    else
        code = write_file(certs, wanted->file, "key", fg_buffer_slice(&key));
    if (r == 0 && code == FG_EXIT_OK)
        code = write_file(certs, wanted->file, "pem", fg_buffer_slice(&certificate));
    if (key.data)
        explicit_bzero(key.data, key.capacity);
    fg_buffer_free(&key);
    fg_buffer_free(&certificate);
    return code;
}

/* -- What to do next ------------------------------------------------------------------------------
 */

static void put(struct fg_json_writer *json, const char *name, const char *text)
{
    fg_json_key(json, fg_slice_from_string(name));
    fg_json_string(json, fg_slice_from_string(text));
}

static void put_path(struct certs *certs, struct fg_json_writer *json, const char *name,
                     const char *file, const char *ending)
{
    char path[PATH_SIZE] = "";
    if (path_of(certs, file, ending, path) == 0)
        put(json, name, path);
}

static void show_json(struct certs *certs, const struct wanted *wanted)
{
    struct fg_buffer buffer;
    fg_buffer_init(&buffer, (size_t)1 << 20);
    struct fg_json_writer json = fg_json_writer(&buffer);
    fg_json_object_begin(&json);
    put_path(certs, &json, "ca", "ca", "pem");
    put_path(certs, &json, "ca_key", "ca", "key");
    put_path(certs, &json, "certificate", wanted->file, "pem");
    put_path(certs, &json, "key", wanted->file, "key");
    put(&json, "use", wanted->request.use == FG_CERTIFY_SERVER ? "server" : "client");
    FG_JSON_KEY(&json, "made_ca");
    fg_json_bool(&json, certs->made_ca);
    FG_JSON_KEY(&json, "names");
    fg_json_array_begin(&json);
    for (size_t i = 0; i < wanted->request.name_count; i++)
        fg_json_string(&json, fg_slice_from_string(wanted->request.names[i]));
    fg_json_array_end(&json);
    FG_JSON_KEY(&json, "not_after");
    fg_json_uint(&json, (uint64_t)wanted->request.not_after_s);
    fg_json_object_end(&json);
    fprintf(certs->cli->out, "%.*s\n", (int)buffer.size, (const char *)buffer.data);
    fg_buffer_free(&buffer);
}

static void show_next(struct certs *certs, const struct wanted *wanted)
{
    FILE *out = certs->cli->out;
    const char *dir = certs->folder, *file = wanted->file;
    if (certs->made_ca)
        fprintf(
            out,
            "Made an authority: %s/ca.pem, to be known by who connects, and %s/ca.key.\n"
            "Whoever has that key can make certificates of his own: keep it off the server.\n\n",
            dir, dir);
    if (wanted->request.use == FG_CERTIFY_SERVER) {
        fprintf(out,
                "Made %s/%s.pem and %s/%s.key for %u days. Next\n"
                "  filigree serve --tls-cert %s/%s.pem --tls-key %s/%s.key\n"
                "  filigree stats --server https://%s:7070 --ca %s/ca.pem\n"
                "  export OTEL_EXPORTER_OTLP_CERTIFICATE=%s/ca.pem    (services)\n"
                "  filigree certs --client NAME --dir %s              (one for each service)\n",
                dir, file, dir, file, certs->days, dir, file, dir, file, wanted->request.names[0],
                dir, dir, dir);
        return;
    }
    fprintf(out,
            "Made %s/%s.pem and %s/%s.key for %u days. Next\n"
            "  filigree serve … --tls-client-ca %s/ca.pem\n"
            "  export OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=%s/%s.pem\n"
            "  export OTEL_EXPORTER_OTLP_CLIENT_KEY=%s/%s.key\n",
            dir, file, dir, file, certs->days, dir, dir, file, dir, file);
}

/* -- The command ----------------------------------------------------------------------------------
 */

/* A name that is a file's as well. */
static bool is_file_name(const char *name)
{
    size_t size = strlen(name);
    return size > 0 && size <= 64 && name[0] != '.' && name[0] != '-' && strcmp(name, "ca") != 0 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
               size;
}

static enum fg_exit parse_days(struct certs *certs, const char *text)
{
    char *end;
    certs->days = DAYS_DEFAULT;
    if (!text)
        return FG_EXIT_OK;
    unsigned long days = strspn(text, "0123456789") == strlen(text) ? strtoul(text, &end, 10) : 0;
    if (days == 0 || days > DAYS_MAX)
        return fg_cli_fail(certs->cli, FG_EXIT_USAGE,
                           "certs: --days %.40s: expected a whole number from 1 to %u", text,
                           DAYS_MAX);
    certs->days = (unsigned)days;
    return FG_EXIT_OK;
}

/* The words are the names; without one a server's are those by which its own machine calls it. */
static enum fg_exit parse_wanted(struct certs *certs, const struct fg_arguments *arguments,
                                 const char *names[NAMES_MAX], struct wanted *ret_wanted)
{
    static const char *const own[] = {"localhost", "127.0.0.1", "::1"};
    const char *client = fg_arguments_get(arguments, "client");
    size_t count = arguments->word_count;
    if (client && !is_file_name(client))
        return fg_cli_fail(certs->cli, FG_EXIT_USAGE,
                           "certs: --client %.80s: expected a name of letters, digits, dots and "
                           "dashes, not 'ca'",
                           client);
    for (size_t i = 0; i < count; i++)
        names[i] = arguments->words[i];
    for (size_t i = 0; !client && i < sizeof own / sizeof *own; i++) {
        bool is_given = false;
        for (size_t k = 0; k < arguments->word_count; k++)
            is_given |= strcmp(own[i], arguments->words[k]) == 0;
        if (!is_given)
            names[count++] = own[i];
    }
    if (client && count == 0)
        names[count++] = client;
    *ret_wanted =
        (struct wanted){.file = client ? client : "server",
                        .request = {.common_name = client ? client : names[0],
                                    .names = names,
                                    .name_count = count,
                                    .use = client ? FG_CERTIFY_CLIENT : FG_CERTIFY_SERVER,
                                    .not_before_s = certs->now_s - EARLIER_S,
                                    .not_after_s = certs->now_s + certs->days * SECONDS_PER_DAY}};
    if (strlen(ret_wanted->request.common_name) > 64)
        ret_wanted->request.common_name = "filigree";
    return FG_EXIT_OK;
}

static enum fg_exit make_all(struct certs *certs, const struct fg_arguments *arguments)
{
    const char *names[NAMES_MAX];
    struct wanted wanted;
    enum fg_exit code = parse_days(certs, fg_arguments_get(arguments, "days"));
    if (code == FG_EXIT_OK)
        code = parse_wanted(certs, arguments, names, &wanted);
    if (code != FG_EXIT_OK)
        return code;
    int r = fg_env_mkdir(certs->cli->env, certs->folder);
    if (r == 0)
        r = fg_env_publish(certs->cli->env, certs->folder);
    if (r < 0 && r != FG_EEXIST)
        return fail(certs, "make the folder", certs->folder, r);
    code = check(certs, &wanted);
    if (code == FG_EXIT_OK)
        code = open_authority(certs);
    if (code == FG_EXIT_OK)
        code = make(certs, &wanted);
    if (code == FG_EXIT_OK && fg_arguments_has(arguments, "json"))
        show_json(certs, &wanted);
    else if (code == FG_EXIT_OK)
        show_next(certs, &wanted);
    return code;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    const char *folder = fg_arguments_get(arguments, "dir");
    struct certs certs = {.cli = cli,
                          .folder = folder && *folder ? folder : DIR_DEFAULT,
                          .now_s = (int64_t)(fg_env_wall_ns(cli->env) / FG_NS_PER_SECOND)};
    fg_buffer_init(&certs.ca_key, FILE_SIZE_MAX);
    fg_buffer_init(&certs.ca, FILE_SIZE_MAX);
    fg_arena_init(&certs.arena, FILE_SIZE_MAX);
    enum fg_exit code = make_all(&certs, arguments);
    if (certs.ca_key.data)
        explicit_bzero(certs.ca_key.data, certs.ca_key.capacity);
    fg_buffer_free(&certs.ca_key);
    fg_buffer_free(&certs.ca);
    fg_arena_free(&certs.arena);
    return code;
}

static const struct fg_option options[] = {
    {.name = "dir", .argument = "DIR", .help = "where the files are; default: " DIR_DEFAULT},
    {.name = "client",
     .argument = "NAME",
     .help = "a client's certificate of this name, instead of the server's"},
    {.name = "days", .argument = "N", .help = "how long it is good; default: 397"},
    {.name = "json", .help = "what was made as JSON"},
};

const struct fg_command fg_command_certs = {
    .name = "certs",
    .arguments = "[NAME...] [OPTIONS]",
    .summary = "make a private authority and certificates for TLS",
    .help =
        "For a first installation without an authority of its own. The first call makes one "
        "(ca.pem, "
        "ca.key)\n"
        "and the server's certificate for the given host names and IP addresses and for localhost; "
        "later\n"
        "calls use it, and make clients' certificates by name. Keys are ECDSA on P-256, readable "
        "by "
        "their\n"
        "owner only. Nothing that is there is replaced.\n"
        "\n"
        "Examples\n"
        "  filigree certs traces.internal 192.0.2.7\n"
        "  filigree certs --client checkout\n"
        "  filigree certs --client mes-api spiffe://shop/mes-api --dir /etc/filigree/certs "
        "--json\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .words_max = NAMES_MAX - 4,
    .run = run,
};
