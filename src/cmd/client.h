/* Talks HTTP to a running server, for the subcommands that ask one. */
#pragma once

#include "base/buffer.h"
#include "command.h"

#include <jansson.h>

/* The options that each of those subcommands has: where the server is, and how TLS to it is set up.
 */
#define FG_CLIENT_SERVER_OPTION                                                                    \
    {                                                                                              \
        .name = "server", .argument = "URL",                                                       \
        .help = "the server to ask; default: FILIGREE_SERVER, or http://127.0.0.1:7070"            \
    }
#define FG_CLIENT_CONNECTION_OPTION                                                                \
    FG_CLIENT_SERVER_OPTION,                                                                       \
        {.name = "ca",                                                                             \
         .argument = "FILE",                                                                       \
         .help = "authority of an https server, in PEM; default: FILIGREE_CA, or the system's"},   \
        {.name = "client-cert",                                                                    \
         .argument = "FILE",                                                                       \
         .help = "certificate to show it, in PEM; default: FILIGREE_CLIENT_CERT"},                 \
    {                                                                                              \
        .name = "client-key", .argument = "FILE",                                                  \
        .help = "its private key; default: FILIGREE_CLIENT_KEY, or the certificate's file"         \
    }
/* And of those that ask for what is a tenant's. */
#define FG_CLIENT_OPTION                                                                           \
    {.name = "tenant",                                                                             \
     .argument = "NAME",                                                                           \
     .help = "whose data, for who may choose; default: FILIGREE_TENANT, or one's own"},            \
        FG_CLIENT_CONNECTION_OPTION

struct fg_client;

/* Bytes of a good answer as they come; others are kept for the message. Non-zero ends the request
 * and is its result. */
typedef int (*fg_client_data_fn)(void *arg, struct fg_slice data);

struct fg_client_request {
    const char *path;         /* "/api/v1/stats", with its query */
    const char *content_type; /* of body; NULL: a GET */
    struct fg_slice body;
    const char *header;     /* one more, "Name: value"; may be NULL */
    fg_client_data_fn data; /* may be NULL */
    void *arg;
    long timeout_ms; /* for all of it; 0: none */
};

/* The address of the server that arguments name. */
const char *fg_client_server(const struct fg_arguments *arguments);

/* FG_ENOMEM; FG_EINVALID where the server's address is none. */
FG_MUST_CHECK int fg_client_new(struct fg_cli *cli, const struct fg_arguments *arguments,
                                struct fg_client **ret_client);
void fg_client_free(struct fg_client *client);

/* *ret_status is the HTTP status. FG_EIO: no answer, FG_ETIMEOUT, or what data returned; then
 * fg_client_message() says more. */
FG_MUST_CHECK int fg_client_run(struct fg_client *client, const struct fg_client_request *request,
                                long *ret_status);

/* Seconds of the last answer's Retry-After; 0 where it had none. */
unsigned fg_client_retry_after(const struct fg_client *client);

/* What the last request came to, as a sentence: the server's own words where it said some. */
const char *fg_client_message(const struct fg_client *client);

/* A request's data: appends to the struct fg_buffer that arg is. */
int fg_client_append(void *arg, struct fg_slice data);

/* One GET from the server that arguments name; the body of a good answer is appended. Otherwise a
 * code, after saying on standard error what was wrong. */
FG_MUST_CHECK enum fg_exit fg_client_get(struct fg_cli *cli, const struct fg_arguments *arguments,
                                         const char *path, struct fg_buffer *body);

/* One POST of body (content_type NULL: JSON), whose answer is JSON: *ret_answer is the caller's, to
 * json_decref(). Otherwise a code, after saying on standard error what was wrong. */
FG_MUST_CHECK enum fg_exit fg_client_post(struct fg_cli *cli, const struct fg_arguments *arguments,
                                          const char *path, const char *content_type,
                                          struct fg_slice body, json_t **ret_answer);

/* Shows an answer to people; its exit code. */
typedef enum fg_exit (*fg_client_show_fn)(struct fg_cli *cli, const struct fg_arguments *arguments,
                                          const json_t *root);
/* The same GET, of an answer that is JSON: as it is where `--json` is given, otherwise by show.
 * list: the member that holds what was asked for, of which there is none: FG_EXIT_NO, however it is
 * shown; NULL: there always is. */
FG_MUST_CHECK enum fg_exit fg_client_show(struct fg_cli *cli, const struct fg_arguments *arguments,
                                          const char *path, const char *list,
                                          fg_client_show_fn show);

/* Appends text with what a URL's query may not hold escaped. */
void fg_client_escape(struct fg_buffer *url, const char *text);

/* Says fg_client_message() for a request that failed or was refused; its exit code. */
enum fg_exit fg_client_fail(struct fg_cli *cli, const struct fg_client *client, int result,
                            long status);

/* Members of an answer's objects: "" where there is no such text, 0 where there is no such number
 * or one below 0. A number of 64 bits may be written as text. */
const char *fg_answer_text(const json_t *object, const char *name);
uint64_t fg_answer_number(const json_t *object, const char *name);
