/* A program that asks other servers by libcurl and knows of tracing only what main() says: it is
 * compiled with FILIGREE_DROP_IN, so that its curl_ calls are the traced ones.
 *
 *     curl_driver easy|multi|plain [OPTION VALUE]... URL...
 *
 * method NAME, header LINE, data TEXT, upload TEXT, user NAME:SECRET, sign PROVIDER, template PATH,
 * quiet 1 (no context), timeout MS, follow 1. `plain`: the handle is made by libcurl itself. Prints
 * the trace's id, then for each URL `code status body`. */
#define FILIGREE_DROP_IN
#include <filigree_curl.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct upload {
    const char *text;
    size_t at;
};

static char body[65536];
static size_t body_size;

static size_t keep(char *data, size_t size, size_t count, void *arg)
{
    size_t room = sizeof body - 1 - body_size, part = size * count < room ? size * count : room;
    (void)arg;
    memcpy(body + body_size, data, part);
    body_size += part;
    /* What a callback starts is a child of the request. */
    fg_span_end(fg_span_start("in.callback", NULL));
    return size * count;
}

static size_t give(char *data, size_t size, size_t count, void *arg)
{
    struct upload *upload = arg;
    size_t left = strlen(upload->text) - upload->at,
           part = size * count < left ? size * count : left;
    memcpy(data, upload->text + upload->at, part);
    upload->at += part;
    return part;
}

static void set(CURL *easy, const char *option, char *value, struct curl_slist **headers,
                struct upload *upload)
{
    if (strcmp(option, "method") == 0) {
        curl_easy_setopt(
            easy, strcmp(value, "HEAD") == 0 ? CURLOPT_NOBODY : CURLOPT_UNRESTRICTED_AUTH, 1L);
        if (strcmp(value, "HEAD") != 0)
            curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, value);
    } else if (strcmp(option, "header") == 0) {
        *headers = curl_slist_append(*headers, value);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *headers);
    } else if (strcmp(option, "data") == 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, value);
    } else if (strcmp(option, "upload") == 0) {
        upload->text = value;
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, give);
        curl_easy_setopt(easy, CURLOPT_READDATA, upload);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)strlen(value));
    } else if (strcmp(option, "user") == 0) {
        char *secret = strrchr(value, ':');
        *secret = 0;
        curl_easy_setopt(easy, CURLOPT_USERNAME, value);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, secret + 1);
    } else if (strcmp(option, "sign") == 0) {
        curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, value);
    } else if (strcmp(option, "template") == 0) {
        fg_curl_set_template(easy, value);
    } else if (strcmp(option, "quiet") == 0) {
        fg_curl_set_propagation(easy, 0);
    } else if (strcmp(option, "timeout") == 0) {
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, atol(value));
    } else if (strcmp(option, "follow") == 0) {
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    }
}

static void report(CURL *easy, CURLcode code)
{
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    body[body_size] = 0;
    for (char *end; (end = strchr(body, '\n'));)
        *end = ' ';
    printf("%d %ld %s\n", (int)code, status, body);
    body_size = 0;
}

/* Both at once, as an event loop would. */
static void run_multi(CURL *easy, char **urls, int count)
{
    CURLM *multi = curl_multi_init();
    CURL *handles[16];
    int running = 1, left;
    for (int i = 0; i < count; i++) {
        handles[i] = i ? curl_easy_duphandle(easy) : easy;
        curl_easy_setopt(handles[i], CURLOPT_URL, urls[i]);
        curl_multi_add_handle(multi, handles[i]);
    }
    while (running) {
        curl_multi_perform(multi, &running);
        for (CURLMsg *message; (message = curl_multi_info_read(multi, &left));)
            report(message->easy_handle, message->data.result);
        curl_multi_poll(multi, NULL, 0, 50, NULL);
    }
    for (int i = 0; i < count; i++) {
        curl_multi_remove_handle(multi, handles[i]);
        if (i)
            curl_easy_cleanup(handles[i]);
    }
    /* One that is given up at once. */
    curl_multi_add_handle(multi, easy);
    curl_multi_remove_handle(multi, easy);
    curl_multi_cleanup(multi);
}

static atomic_int is_over;

/* Nothing of libcurl's own, which has a lock that a fork leaves behind. */
static void *look_up(void *arg)
{
    while (!is_over)
        fg_curl_span(arg);
    return NULL;
}

/* A child that waits for a lock of its parent's is ended by the alarm. */
static void run_forks(void)
{
    pthread_t threads[3];
    int hung = 0, status = 0;
    CURL *easy = curl_easy_init();
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, look_up, easy);
    for (int i = 0; i < 200; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            fg_curl_span(easy);
            _exit(0);
        }
        waitpid(child, &status, 0);
        hung += status != 0;
    }
    is_over = 1;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    curl_easy_cleanup(easy);
    printf("hung %d\n", hung);
}

int main(int argc, char **argv)
{
    char text[FG_TRACEPARENT_SIZE];
    struct curl_slist *headers = NULL;
    struct upload upload = {"", 0};
    fg_tracing_start(NULL);
    fg_span span = fg_span_start("test", NULL);
    fg_scope scope = fg_span_enter(span);
    fg_journey_set("order.id", "ORD-4711");
    fg_span_traceparent(span, text);
    printf("%s\n", text);
    if (strcmp(argv[1], "forks") == 0)
        run_forks();
    CURL *easy = strcmp(argv[1], "plain") == 0 ? (curl_easy_init)() : curl_easy_init();
    if (strcmp(argv[1], "plain") == 0) {
#undef curl_easy_init
        curl_easy_cleanup(easy);
        easy = curl_easy_init();
    }
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
    int at = 2;
    for (; at + 1 < argc && !strstr(argv[at], "://"); at += 2)
        set(easy, argv[at], argv[at + 1], &headers, &upload);
    if (strcmp(argv[1], "multi") == 0) {
        run_multi(easy, argv + at, argc - at);
    } else {
        for (; at < argc; at++) {
            upload.at = 0;
            curl_easy_setopt(easy, CURLOPT_URL, argv[at]);
            report(easy, curl_easy_perform(easy));
        }
    }
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    curl_easy_cleanup(NULL);
    fg_scope_leave(&scope);
    fg_span_end(span);
    return fg_tracing_flush(60000) == 0 ? 0 : 1;
}
