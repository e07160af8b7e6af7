/* `filigree user` and `filigree token`: accounts of people and tokens of machines, by a running
 * server. */
#include "client.h"
#include "wire/json_writer.h"

#include <stdlib.h>
#include <string.h>

#define PATH_SIZE_MAX ((size_t)4 << 10)
#define BODY_SIZE_MAX ((size_t)16 << 10)
#define PASSWORD_SIZE 1100

/* -- What both write */

static void write_text(struct fg_json_writer *json, const struct fg_arguments *arguments,
                       const char *option, const char *key)
{
    const char *value = fg_arguments_get(arguments, option);
    if (!value)
        return;
    fg_json_key(json, fg_slice_from_string(key));
    fg_json_string(json, fg_slice_from_string(value));
}

/* "viewer,support" as a list. */
static void write_roles(struct fg_json_writer *json, const char *text)
{
    FG_JSON_KEY(json, "roles");
    fg_json_array_begin(json);
    while (*text) {
        size_t size = strcspn(text, ",");
        fg_json_string(json, fg_slice(text, size));
        text += size + (text[size] == ',' ? 1 : 0);
    }
    fg_json_array_end(json);
}

static void print_roles(FILE *out, const json_t *object)
{
    size_t i;
    json_t *role;
    json_array_foreach(json_object_get(object, "roles"), i, role)
        fprintf(out, "%s%s", i ? "," : "", json_string_value(role));
}

/* Posts to PREFIX/WORD/SUFFIX; the answer is the caller's. */
static enum fg_exit post_to(struct fg_cli *cli, const struct fg_arguments *arguments,
                            const char *prefix, const char *word, const char *suffix,
                            struct fg_slice body, json_t **ret_answer)
{
    struct fg_buffer path;
    fg_buffer_init(&path, PATH_SIZE_MAX);
    fg_buffer_append_string(&path, prefix);
    fg_client_escape(&path, word);
    fg_buffer_append_string(&path, suffix);
    fg_buffer_append_byte(&path, 0);
    enum fg_exit code = path.error ? fg_cli_fail(cli, FG_EXIT_USAGE, "the name is too long")
                                   : fg_client_post(cli, arguments, (const char *)path.data, NULL,
                                                    body, ret_answer);
    fg_buffer_free(&path);
    return code;
}

static enum fg_exit need_word(struct fg_cli *cli, const struct fg_arguments *arguments,
                              const char *what)
{
    if (arguments->word_count == 2)
        return FG_EXIT_OK;
    return fg_cli_fail(cli, FG_EXIT_USAGE, "name the %s: `filigree %s`", what, what);
}

/* -- user */

/* The first line of standard input. */
static bool read_password(char password[PASSWORD_SIZE])
{
    if (!fgets(password, PASSWORD_SIZE, stdin))
        return false;
    password[strcspn(password, "\r\n")] = 0;
    return *password != 0;
}

/* The code alone, for scripts; beside it, for people, what to do with it. */
static void print_link(struct fg_cli *cli, const struct fg_arguments *arguments,
                       const json_t *answer)
{
    const char *link = fg_answer_text(answer, "link");
    if (!*link)
        return;
    fprintf(cli->out, "%s\n", link);
    fprintf(cli->err, "by which %s sets a password, within three days: %s/setup#%s\n",
            arguments->words[1], fg_client_server(arguments), link);
}

static enum fg_exit add_user(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    char password[PASSWORD_SIZE] = "";
    json_t *answer = NULL;
    struct fg_buffer body;
    const char *roles = fg_arguments_get(arguments, "role");
    if (fg_arguments_has(arguments, "password-stdin") && !read_password(password))
        return fg_cli_fail(cli, FG_EXIT_USAGE, "there is no password on standard input");
    fg_buffer_init(&body, BODY_SIZE_MAX);
    struct fg_json_writer json = fg_json_writer(&body);
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "name");
    fg_json_string(&json, fg_slice_from_string(arguments->words[1]));
    write_roles(&json, roles ? roles : "viewer");
    write_text(&json, arguments, "tenant", "tenant");
    if (*password) {
        FG_JSON_KEY(&json, "password");
        fg_json_string(&json, fg_slice_from_string(password));
    }
    fg_json_object_end(&json);
    enum fg_exit code =
        fg_client_post(cli, arguments, "/api/v1/users", NULL, fg_buffer_slice(&body), &answer);
    print_link(cli, arguments, answer);
    json_decref(answer);
    fg_buffer_free(&body);
    return code;
}

static enum fg_exit change_user(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    json_t *answer = NULL;
    struct fg_buffer body;
    const char *roles = fg_arguments_get(arguments, "role");
    fg_buffer_init(&body, BODY_SIZE_MAX);
    struct fg_json_writer json = fg_json_writer(&body);
    fg_json_object_begin(&json);
    if (roles)
        write_roles(&json, roles);
    write_text(&json, arguments, "tenant", "tenant");
    if (fg_arguments_has(arguments, "disable") || fg_arguments_has(arguments, "enable")) {
        FG_JSON_KEY(&json, "disabled");
        fg_json_bool(&json, fg_arguments_has(arguments, "disable"));
    }
    if (fg_arguments_has(arguments, "invite")) {
        FG_JSON_KEY(&json, "invite");
        fg_json_bool(&json, true);
    }
    fg_json_object_end(&json);
    enum fg_exit code = post_to(cli, arguments, "/api/v1/users/", arguments->words[1], "",
                                fg_buffer_slice(&body), &answer);
    print_link(cli, arguments, answer);
    json_decref(answer);
    fg_buffer_free(&body);
    return code;
}

static enum fg_exit post_empty(struct fg_cli *cli, const struct fg_arguments *arguments,
                               const char *prefix, const char *suffix)
{
    json_t *answer = NULL;
    enum fg_exit code =
        post_to(cli, arguments, prefix, arguments->words[1], suffix, FG_SLICE("{}"), &answer);
    json_decref(answer);
    return code;
}

static enum fg_exit show_users(struct fg_cli *cli, const struct fg_arguments *arguments,
                               const json_t *root)
{
    (void)arguments;
    size_t i;
    json_t *user;
    json_array_foreach(json_object_get(root, "users"), i, user)
    {
        fprintf(cli->out, "%-24s %-12s ", fg_answer_text(user, "name"),
                fg_answer_text(user, "tenant"));
        print_roles(cli->out, user);
        fprintf(cli->out, "%s%s\n",
                json_is_true(json_object_get(user, "disabled")) ? " disabled" : "",
                json_is_true(json_object_get(user, "invited")) ? " invited" : "");
    }
    return FG_EXIT_OK;
}

static enum fg_exit run_user(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    const char *verb = arguments->words[0];
    if (strcmp(verb, "list") == 0)
        return fg_client_show(cli, arguments, "/api/v1/users", NULL, show_users);
    enum fg_exit code = need_word(cli, arguments, "user");
    if (code != FG_EXIT_OK)
        return code;
    if (strcmp(verb, "add") == 0)
        return add_user(cli, arguments);
    if (strcmp(verb, "change") == 0)
        return change_user(cli, arguments);
    if (strcmp(verb, "remove") == 0)
        return post_empty(cli, arguments, "/api/v1/users/", "/remove");
    if (strcmp(verb, "logout") == 0)
        return post_empty(cli, arguments, "/api/v1/users/", "/logout");
    return fg_cli_fail(cli, FG_EXIT_USAGE,
                       "expected `filigree user list`, `add`, `change`, `logout` or `remove`");
}

static const struct fg_option user_options[] = {
    {.name = "role",
     .argument = "LIST",
     .help = "add, change: support, viewer, operator, admin; default: viewer"},
    {.name = "tenant", .argument = "NAME", .help = "add, change: the tenant; * for all"},
    {.name = "password-stdin",
     .help = "add: the password is the first line of standard input; otherwise the answer is a "
             "code by which it is set"},
    {.name = "disable", .help = "change: nobody signs in by it any more"},
    {.name = "enable", .help = "change: the contrary"},
    {.name = "invite", .help = "change: a new code, for a lost password"},
    {.name = "json", .help = "list: the server's answer as it is"},
    FG_CLIENT_CONNECTION_OPTION,
};

const struct fg_command fg_command_user = {
    .name = "user",
    .arguments = "list|add|change|logout|remove [NAME] [OPTIONS]",
    .summary = "accounts of people",
    .help = "By a running server. With accounts it wants an administrator's token in "
            "FILIGREE_TOKEN.\n"
            "The first account closes an open server; it has to be an administrator.\n"
            "\n"
            "Examples\n"
            "  filigree user add anna --role admin\n"
            "  filigree user add olga --role support --tenant acme\n"
            "  filigree user change olga --invite\n"
            "  filigree user list\n",
    .options = user_options,
    .option_count = sizeof user_options / sizeof *user_options,
    .words_min = 1,
    .words_max = 2,
    .run = run_user,
};

/* -- token */

static enum fg_exit add_token(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    json_t *answer = NULL;
    struct fg_buffer body;
    const char *roles = fg_arguments_get(arguments, "scope");
    const char *expires = fg_arguments_get(arguments, "expires");
    fg_buffer_init(&body, BODY_SIZE_MAX);
    struct fg_json_writer json = fg_json_writer(&body);
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "name");
    fg_json_string(&json, fg_slice_from_string(arguments->words[1]));
    write_roles(&json, roles ? roles : "ingest");
    write_text(&json, arguments, "tenant", "tenant");
    write_text(&json, arguments, "origin", "origin");
    if (!expires || strcmp(expires, "never") != 0) {
        FG_JSON_KEY(&json, "expires");
        fg_json_string(&json, fg_slice_from_string(expires ? expires : "90d"));
    }
    fg_json_object_end(&json);
    enum fg_exit code =
        fg_client_post(cli, arguments, "/api/v1/tokens", NULL, fg_buffer_slice(&body), &answer);
    if (code == FG_EXIT_OK) {
        fprintf(cli->out, "%s\n", fg_answer_text(answer, "token"));
        fprintf(cli->err, "shown this once; to be sent as `authorization: Bearer %.16s_…`\n",
                fg_answer_text(answer, "token"));
    }
    json_decref(answer);
    fg_buffer_free(&body);
    return code;
}

static enum fg_exit show_tokens(struct fg_cli *cli, const struct fg_arguments *arguments,
                                const json_t *root)
{
    (void)arguments;
    size_t i;
    json_t *token;
    json_array_foreach(json_object_get(root, "tokens"), i, token)
    {
        const char *expires = fg_answer_text(token, "expires");
        fprintf(cli->out, "%s  %-24s %-12s %-24s ", fg_answer_text(token, "id"),
                fg_answer_text(token, "name"), fg_answer_text(token, "tenant"),
                *expires ? expires : "never ends");
        print_roles(cli->out, token);
        const char *origin = fg_answer_text(token, "origin");
        fprintf(cli->out, "%s%s\n", *origin ? " " : "", origin);
    }
    return FG_EXIT_OK;
}

static enum fg_exit run_token(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    const char *verb = arguments->words[0];
    if (strcmp(verb, "list") == 0)
        return fg_client_show(cli, arguments, "/api/v1/tokens", NULL, show_tokens);
    enum fg_exit code = need_word(cli, arguments, "token");
    if (code != FG_EXIT_OK)
        return code;
    if (strcmp(verb, "add") == 0)
        return add_token(cli, arguments);
    if (strcmp(verb, "revoke") == 0)
        return post_empty(cli, arguments, "/api/v1/tokens/", "/revoke");
    return fg_cli_fail(cli, FG_EXIT_USAGE, "expected `filigree token list`, `add` or `revoke`");
}

static const struct fg_option token_options[] = {
    {.name = "scope",
     .argument = "LIST",
     .help = "add: ingest, support, view, operate, admin; default: ingest"},
    {.name = "tenant", .argument = "NAME", .help = "add: the tenant; * for all"},
    {.name = "origin",
     .argument = "ORIGIN",
     .help = "add: for a page's script: it may only send spans, from pages of this origin"},
    {.name = "expires",
     .argument = "TIME",
     .help = "add: how long it is good, or never; default: 90d"},
    {.name = "json", .help = "list: the server's answer as it is"},
    FG_CLIENT_CONNECTION_OPTION,
};

const struct fg_command fg_command_token = {
    .name = "token",
    .arguments = "list|add|revoke [NAME|ID] [OPTIONS]",
    .summary = "tokens of machines",
    .help =
        "A token is shown once, when it is made. By a running server; with accounts it wants an\n"
        "administrator's token in FILIGREE_TOKEN.\n"
        "\n"
        "Examples\n"
        "  filigree token add shop-api\n"
        "  filigree token add grafana --scope view --expires 365d\n"
        "  filigree token add pages --origin https://shop.example\n"
        "  filigree token revoke 88b59c1a767e\n",
    .options = token_options,
    .option_count = sizeof token_options / sizeof *token_options,
    .words_min = 1,
    .words_max = 2,
    .run = run_token,
};
