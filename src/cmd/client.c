#include "client.h"

#include "base/trust.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define SERVER_DEFAULT      "http://127.0.0.1:7070"
#define REFUSAL_SIZE_MAX    ((size_t)64 << 10)
#define CONNECT_SECONDS_MAX 10L
#define LINE_SIZE_MAX       300u
/* Of a JSON answer, which is parsed whole. */
#define ANSWER_SIZE_MAX ((size_t)256 << 20)

struct fg_client {
    CURL *curl;
    const char *server;
    const char *token;                  /* NULL: none */
    struct fg_buffer refusal;           /* the body of an answer that is not good */
    const char *tenant;                 /* NULL: that of the token */
    const char *ca, *certificate, *key; /* files; NULL: none */
    struct fg_buffer message;
    char curl_error[CURL_ERROR_SIZE];
    const struct fg_client_request *request;
    int data_result;
    unsigned retry_after;
};

/* The option, or what the environment has in its place; NULL: neither, or empty. Not every caller
 * has all the options. */
static const char *given(const struct fg_arguments *arguments, const char *option,
                         const char *variable)
{
    const char *text = NULL;
    for (size_t i = 0; i < arguments->option_count; i++)
        if (strcmp(arguments->options[i].name, option) == 0)
            text = arguments->values[i];
    if (!text)
        text = getenv(variable);
    return text && *text ? text : NULL;
}

const char *fg_client_server(const struct fg_arguments *arguments)
{
    const char *server = given(arguments, "server", "FILIGREE_SERVER");
    return server ? server : SERVER_DEFAULT;
}

int fg_client_new(struct fg_cli *cli, const struct fg_arguments *arguments,
                  struct fg_client **ret_client)
{
    (void)cli;
    struct fg_client *client = calloc(1, sizeof *client);
    if (!client)
        return FG_ENOMEM;
    client->server = fg_client_server(arguments);
    client->token = getenv("FILIGREE_TOKEN");
    if (client->token && !*client->token)
        client->token = NULL;
    client->tenant = given(arguments, "tenant", "FILIGREE_TENANT");
    if (client->tenant && strcmp(client->tenant, "*") == 0)
        client->tenant = NULL; /* all of them: an account's or a token's, and no request's */
    client->ca = given(arguments, "ca", "FILIGREE_CA");
    client->certificate = given(arguments, "client-cert", "FILIGREE_CLIENT_CERT");
    client->key = given(arguments, "client-key", "FILIGREE_CLIENT_KEY");
    fg_buffer_init(&client->refusal, REFUSAL_SIZE_MAX);
    fg_buffer_init(&client->message, REFUSAL_SIZE_MAX + 1024);
    client->curl = curl_easy_init();
    if (!client->curl) {
        fg_client_free(client);
        return FG_ENOMEM;
    }
    *ret_client = client;
    return 0;
}

void fg_client_free(struct fg_client *client)
{
    if (!client)
        return;
    if (client->curl)
        curl_easy_cleanup(client->curl);
    fg_buffer_free(&client->refusal);
    fg_buffer_free(&client->message);
    free(client);
}

static size_t on_data(char *data, size_t size, size_t count, void *arg)
{
    struct fg_client *client = arg;
    long status = 0;
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    struct fg_slice bytes = fg_slice(data, size * count);
    if (status >= 300) {
        fg_buffer_append_slice(&client->refusal, bytes);
        return bytes.size; /* of a long refusal the begin is enough */
    }
    client->data_result =
        client->request->data ? client->request->data(client->request->arg, bytes) : 0;
    return client->data_result == 0 ? bytes.size : 0;
}

/* The first line of a text; 0: it is none that a person would read. */
static int line_size(const struct fg_buffer *text)
{
    size_t size = 0;
    while (size < text->size && size < LINE_SIZE_MAX && text->data[size] != '\n')
        size++;
    for (size_t i = 0; i < size; i++)
        if (text->data[i] < ' ' || text->data[i] > '~' || text->data[i] == '<')
            return 0;
    return (int)size;
}

/* Takes {"error": "…"} or {"message": "…"} out of a refusal; otherwise its text. */
static void describe_refusal(struct fg_client *client, long status)
{
    json_t *root = json_loadb((const char *)client->refusal.data, client->refusal.size, 0, NULL);
    const char *text = json_string_value(json_object_get(root, "error"));
    if (!text)
        text = json_string_value(json_object_get(root, "message"));
    if (text)
        fg_buffer_append_format(&client->message, "%s", text);
    else if (line_size(&client->refusal))
        fg_buffer_append_format(&client->message, "%s answered %ld: %.*s", client->server, status,
                                line_size(&client->refusal), (const char *)client->refusal.data);
    else
        fg_buffer_append_format(&client->message, "%s answered %ld", client->server, status);
    json_decref(root);
}

static void set_up_tls(struct fg_client *client)
{
    CURL *curl = client->curl;
    fg_curl_trust(curl, client->ca);
    if (client->certificate)
        curl_easy_setopt(curl, CURLOPT_SSLCERT, client->certificate);
    if (client->certificate)
        curl_easy_setopt(curl, CURLOPT_SSLKEY, client->key ? client->key : client->certificate);
}

/* After "can't reach the server: why". */
static const char *advice(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        return "; does `filigree serve` run?";
    case CURLE_PEER_FAILED_VERIFICATION:
        return "; is its authority given, by --ca or FILIGREE_CA?";
    case CURLE_UNSUPPORTED_PROTOCOL:
        return "; expected http:// or https://";
    default:
        return "";
    }
}

/* What this machine says to itself goes through no proxy, whatever the environment names. */
static bool is_loopback(const char *url)
{
    CURLU *parsed = curl_url();
    char *host = NULL;
    bool is_one = parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
                  curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                  (strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
                   strcmp(host, "[::1]") == 0);
    curl_free(host);
    curl_url_cleanup(parsed);
    return is_one;
}

static void set_up(struct fg_client *client, const struct fg_client_request *request,
                   const char *url, struct curl_slist **headers)
{
    CURL *curl = client->curl;
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L); /* an order may be named ".." */
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (is_loopback(url))
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
    /* Over HTTP/2 libcurl 7.88 loses an answer that comes before its body has gone: what is refused
     * is refused at its head. */
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    set_up_tls(client);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->curl_error);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS_MAX);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, request->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "filigree/" FG_VERSION);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
    char header[256];
    if (client->token) {
        snprintf(header, sizeof header, "Authorization: Bearer %s", client->token);
        *headers = curl_slist_append(*headers, header);
    }
    if (client->tenant) {
        snprintf(header, sizeof header, "Filigree-Tenant: %s", client->tenant);
        *headers = curl_slist_append(*headers, header);
    }
    if (request->content_type) {
        snprintf(header, sizeof header, "Content-Type: %s", request->content_type);
        *headers = curl_slist_append(*headers, header);
    }
    if (request->header)
        *headers = curl_slist_append(*headers, request->header);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers);
    if (!request->content_type)
        return;
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
                     request->body.data ? (const char *)request->body.data : "");
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
}

static int perform(struct fg_client *client, const struct fg_client_request *request,
                   long *ret_status)
{
    struct fg_buffer url;
    struct curl_slist *headers = NULL;
    fg_buffer_init(&url, 64 << 10);
    fg_buffer_append_format(&url, "%s%s", client->server, request->path);
    fg_buffer_append_byte(&url, 0);
    fg_buffer_reset(&client->refusal);
    fg_buffer_reset(&client->message);
    client->curl_error[0] = 0;
    client->request = request;
    client->data_result = 0;
    client->retry_after = 0;
    if (url.error) {
        fg_buffer_free(&url);
        return url.error;
    }
    set_up(client, request, (const char *)url.data, &headers);
    CURLcode code = curl_easy_perform(client->curl);
    curl_slist_free_all(headers);
    fg_buffer_free(&url);
    if (client->data_result != 0)
        return client->data_result;
    if (code != CURLE_OK) {
        fg_buffer_append_format(&client->message, "can't reach %s: %s%s", client->server,
                                *client->curl_error ? client->curl_error : curl_easy_strerror(code),
                                advice(code));
        return code == CURLE_OPERATION_TIMEDOUT ? FG_ETIMEOUT : FG_EIO;
    }
    long status = 0;
    curl_off_t retry_after = 0;
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(client->curl, CURLINFO_RETRY_AFTER, &retry_after);
    client->retry_after = retry_after > 0 && retry_after < 3600 ? (unsigned)retry_after : 0;
    if (status >= 300)
        describe_refusal(client, status);
    *ret_status = status;
    return 0;
}

int fg_client_run(struct fg_client *client, const struct fg_client_request *request,
                  long *ret_status)
{
    int r = perform(client, request, ret_status);
    fg_buffer_append_byte(&client->message, 0);
    return r;
}

unsigned fg_client_retry_after(const struct fg_client *client)
{
    return client->retry_after;
}

const char *fg_client_message(const struct fg_client *client)
{
    return client->message.data ? (const char *)client->message.data : "";
}

enum fg_exit fg_client_show(struct fg_cli *cli, const struct fg_arguments *arguments,
                            const char *path, const char *list, fg_client_show_fn show)
{
    struct fg_buffer body;
    fg_buffer_init(&body, ANSWER_SIZE_MAX);
    enum fg_exit code = fg_client_get(cli, arguments, path, &body);
    bool is_json = fg_arguments_has(arguments, "json");
    json_t *root = NULL;
    if (code == FG_EXIT_OK) {
        root = json_loadb((const char *)body.data, body.size, 0, NULL);
        if (!root)
            code = fg_cli_fail(cli, FG_EXIT_FAILED, "the server's answer is no JSON");
    }
    if (root && is_json)
        fprintf(cli->out, "%.*s\n", (int)body.size, (const char *)body.data);
    else if (root)
        code = show(cli, arguments, root);
    if (root && list && json_array_size(json_object_get(root, list)) == 0)
        code = FG_EXIT_NO;
    json_decref(root);
    fg_buffer_free(&body);
    return code;
}

void fg_client_escape(struct fg_buffer *url, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool is_plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                        strchr("-._~", c) != NULL;
        if (is_plain)
            fg_buffer_append_byte(url, c);
        else
            fg_buffer_append_format(url, "%%%02X", c);
    }
}

enum fg_exit fg_client_fail(struct fg_cli *cli, const struct fg_client *client, int result,
                            long status)
{
    if (result < 0 && *fg_client_message(client) == 0)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "the request failed: %s", fg_error_name(result));
    enum fg_exit code = result < 0      ? FG_EXIT_FAILED
                        : status == 404 ? FG_EXIT_NO
                        : status == 400 ? FG_EXIT_USAGE
                                        : FG_EXIT_FAILED;
    /* Of a server with accounts; only here it is known how a command is given one. */
    bool is_unknown = result >= 0 && status == 401;
    return fg_cli_fail(cli, code, "%s%s", fg_client_message(client),
                       is_unknown ? "; a command takes it from FILIGREE_TOKEN, and the page "
                                    "Administration makes one"
                                  : "");
}

int fg_client_append(void *arg, struct fg_slice data)
{
    struct fg_buffer *body = arg;
    fg_buffer_append_slice(body, data);
    return body->error;
}

enum fg_exit fg_client_get(struct fg_cli *cli, const struct fg_arguments *arguments,
                           const char *path, struct fg_buffer *body)
{
    struct fg_client *client;
    if (fg_client_new(cli, arguments, &client) < 0)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "out of memory");
    struct fg_client_request request = {.path = path, .data = fg_client_append, .arg = body};
    long status = 0;
    int r = fg_client_run(client, &request, &status);
    enum fg_exit code =
        r < 0 || status >= 300 ? fg_client_fail(cli, client, r, status) : FG_EXIT_OK;
    fg_client_free(client);
    return code;
}

enum fg_exit fg_client_post(struct fg_cli *cli, const struct fg_arguments *arguments,
                            const char *path, const char *content_type, struct fg_slice body,
                            json_t **ret_answer)
{
    struct fg_client *client;
    struct fg_buffer answer;
    if (fg_client_new(cli, arguments, &client) < 0)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "out of memory");
    fg_buffer_init(&answer, ANSWER_SIZE_MAX);
    struct fg_client_request request = {.path = path,
                                        .content_type =
                                            content_type ? content_type : "application/json",
                                        .body = body,
                                        .data = fg_client_append,
                                        .arg = &answer};
    long status = 0;
    int r = fg_client_run(client, &request, &status);
    enum fg_exit code = FG_EXIT_OK;
    if (r < 0 || status >= 300) {
        code = fg_client_fail(cli, client, r, status);
    } else {
        *ret_answer = json_loadb((const char *)answer.data, answer.size, 0, NULL);
        if (!*ret_answer)
            code = fg_cli_fail(cli, FG_EXIT_FAILED, "the server's answer is no JSON");
    }
    fg_buffer_free(&answer);
    fg_client_free(client);
    return code;
}

const char *fg_answer_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

uint64_t fg_answer_number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (json_is_string(value))
        return strtoull(json_string_value(value), NULL, 10);
    return json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
}
