/* A program that publishes and consumes by librabbitmq and knows of tracing only what main() says:
 * it is compiled with FILIGREE_DROP_IN, so that its amqp_ calls are the traced ones.
 *
 *     rabbitmq_driver PORT WORD...       prints the trace's id, then a line for each word
 *
 * connect PASSWORD, queue NAME ARGUMENT (x-max-length 1 and reject-publish where it is `small`),
 * confirm, publish EXCHANGE KEY BODY, own KEY BODY (with headers, a context and a message id of its
 * own), wait (for confirms), frames (reads what waits, by hand), consume QUEUE, take HOW (a
 * delivery, which is then ack, nack, requeue, reject, fail, handed over, or kept), upto (acks all
 * so far), get QUEUE, ambient (the span `test` is left first), journey VALUE, close, null. */
#define FILIGREE_DROP_IN
#include <filigree_rabbitmq.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static amqp_connection_state_t state;
static int port;
static amqp_envelope_t kept[64];
static int kept_count;
static struct timeval patience = {10, 0};

static void say_reply(const char *word, amqp_rpc_reply_t reply)
{
    printf("%s %s\n", word,
           reply.reply_type == AMQP_RESPONSE_NORMAL             ? "ok"
           : reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION ? "refused"
                                                                : "failed");
}

static void open_connection(const char *password)
{
    state = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(state);
    int status = amqp_socket_open(socket, "127.0.0.1", port);
    printf("open %d\n", status);
    if (status != 0)
        return;
    amqp_rpc_reply_t reply = amqp_login(state, "/", 0, AMQP_DEFAULT_FRAME_SIZE, 0,
                                        AMQP_SASL_METHOD_PLAIN, "guest", password);
    say_reply("login", reply);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        amqp_channel_open(state, 1);
}

static void declare_queue(const char *name, const char *kind)
{
    amqp_table_entry_t entries[2] = {0};
    entries[0].key = amqp_cstring_bytes("x-max-length");
    entries[0].value.kind = AMQP_FIELD_KIND_I32;
    entries[0].value.value.i32 = 1;
    entries[1].key = amqp_cstring_bytes("x-overflow");
    entries[1].value.kind = AMQP_FIELD_KIND_UTF8;
    entries[1].value.value.bytes = amqp_cstring_bytes("reject-publish");
    amqp_table_t arguments = {strcmp(kind, "small") == 0 ? 2 : 0, entries};
    amqp_queue_declare(state, 1, amqp_cstring_bytes(name), 0, 0, 0, 0, arguments);
    amqp_queue_bind(state, 1, amqp_cstring_bytes(name), amqp_cstring_bytes("amq.direct"),
                    amqp_cstring_bytes("key.of"), amqp_empty_table);
    say_reply("queue", amqp_get_rpc_reply(state));
}

static void publish_own(const char *key, const char *body)
{
    amqp_table_entry_t entries[2] = {0};
    amqp_basic_properties_t properties = {0};
    entries[0].key = amqp_cstring_bytes("shop");
    entries[0].value.kind = AMQP_FIELD_KIND_I32;
    entries[0].value.value.i32 = 7;
    entries[1].key = amqp_cstring_bytes("traceparent");
    entries[1].value.kind = AMQP_FIELD_KIND_UTF8;
    entries[1].value.value.bytes =
        amqp_cstring_bytes("00-11111111111111111111111111111111-2222222222222222-01");
    properties._flags =
        AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG;
    properties.headers.num_entries = strcmp(body, "own-context") == 0 ? 2 : 1;
    properties.headers.entries = entries;
    properties.message_id = amqp_cstring_bytes("message-1");
    properties.correlation_id = amqp_cstring_bytes("talk-1");
    printf("own %d\n", amqp_basic_publish(state, 1, amqp_empty_bytes, amqp_cstring_bytes(key), 1, 0,
                                          &properties, amqp_cstring_bytes(body)));
}

static void wait_confirms(void)
{
    fg_amqp_confirms confirms = {.size = sizeof confirms};
    int status = fg_amqp_wait_confirms(state, 1, &patience, &confirms);
    printf("wait %d confirmed %d refused %d returned %d code %d\n", status, (int)confirms.confirmed,
           (int)confirms.refused, (int)confirms.returned, confirms.reply_code);
}

/* As a program does that knows nothing of confirms here. */
static void read_frames(void)
{
    struct timeval half = {0, 500000};
    amqp_frame_t frame;
    int count = 0;
    while (amqp_simple_wait_frame_noblock(state, &frame, &half) == AMQP_STATUS_OK) {
        count++;
        if (frame.frame_type == AMQP_FRAME_METHOD &&
            frame.payload.method.id == AMQP_BASIC_RETURN_METHOD) {
            amqp_message_t message;
            amqp_read_message(state, frame.channel, &message, 0);
            amqp_destroy_message(&message);
        }
    }
    printf("frames %d\n", count > 0);
}

static void *finish_elsewhere(void *arg)
{
    amqp_envelope_t *envelope = arg;
    fg_scope scope = fg_amqp_enter(envelope);
    fg_span_end(fg_span_start("elsewhere", NULL));
    fg_scope_leave(&scope);
    amqp_destroy_envelope(envelope);
    return NULL;
}

static void print_header(const amqp_message_t *message)
{
    for (int i = 0; i < message->properties.headers.num_entries; i++) {
        const amqp_table_entry_t *entry = &message->properties.headers.entries[i];
        if (entry->value.kind == AMQP_FIELD_KIND_UTF8)
            printf(" %.*s=%.*s", (int)entry->key.len, (char *)entry->key.bytes,
                   (int)entry->value.value.bytes.len, (char *)entry->value.value.bytes.bytes);
        else
            printf(" %.*s=%d", (int)entry->key.len, (char *)entry->key.bytes,
                   entry->value.value.i32);
    }
}

static void take(const char *how)
{
    amqp_envelope_t envelope;
    amqp_maybe_release_buffers(state);
    amqp_rpc_reply_t reply = amqp_consume_message(state, &envelope, &patience, 0);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
        say_reply("take", reply);
        return;
    }
    printf("take %.*s id=%.*s", (int)envelope.message.body.len, (char *)envelope.message.body.bytes,
           (int)envelope.message.properties.message_id.len,
           (char *)envelope.message.properties.message_id.bytes);
    print_header(&envelope.message);
    printf("\n");
    fg_scope scope = fg_amqp_enter(&envelope);
    fg_span_end(fg_span_start("work", NULL));
    fg_scope_leave(&scope);
    if (strcmp(how, "fail") == 0)
        fg_amqp_fail(&envelope, "FormatError", "no price in it");
    if (strcmp(how, "ack") == 0 || strcmp(how, "hand") == 0)
        amqp_basic_ack(state, 1, envelope.delivery_tag, 0);
    else if (strcmp(how, "nack") == 0 || strcmp(how, "requeue") == 0)
        amqp_basic_nack(state, 1, envelope.delivery_tag, 0, strcmp(how, "requeue") == 0);
    else if (strcmp(how, "reject") == 0 || strcmp(how, "fail") == 0)
        amqp_basic_reject(state, 1, envelope.delivery_tag, 0);
    if (strcmp(how, "keep") == 0) {
        kept[kept_count++] = envelope;
    } else if (strcmp(how, "hand") == 0) {
        pthread_t thread;
        amqp_envelope_t copy = envelope;
        pthread_create(&thread, NULL, finish_elsewhere, &copy);
        pthread_join(thread, NULL);
    } else {
        amqp_destroy_envelope(&envelope);
    }
}

static void destroy_kept(void)
{
    for (int i = 0; i < kept_count; i++)
        amqp_destroy_envelope(&kept[i]);
    kept_count = 0;
}

static void get(const char *queue)
{
    amqp_rpc_reply_t reply = amqp_basic_get(state, 1, amqp_cstring_bytes(queue), 1);
    bool is_there =
        reply.reply_type == AMQP_RESPONSE_NORMAL && reply.reply.id == AMQP_BASIC_GET_OK_METHOD;
    printf("get %s\n", is_there                                   ? "ok"
                       : reply.reply_type == AMQP_RESPONSE_NORMAL ? "empty"
                                                                  : "failed");
    if (is_there) {
        amqp_message_t message;
        amqp_read_message(state, 1, &message, 0);
        fg_context *context = fg_amqp_message_context(&message);
        char text[64];
        fg_context_baggage(context, "order.id", text, sizeof text);
        printf("baggage %s\n", text);
        fg_context_free(context);
        amqp_destroy_message(&message);
    }
}

static void use_nothing(void)
{
    fg_scope scope = fg_amqp_enter(NULL);
    fg_scope_leave(&scope);
    fg_amqp_fail(NULL, NULL, NULL);
    amqp_destroy_envelope(NULL);
    fg_context_free(fg_amqp_message_context(NULL));
    printf("null %d %d\n", fg_span_is_valid(fg_amqp_span(NULL)),
           fg_amqp_wait_confirms(NULL, 1, NULL, NULL) < 0);
}

int main(int argc, char **argv)
{
    char text[FG_TRACEPARENT_SIZE];
    fg_tracing_start(NULL);
    fg_span span = fg_span_start("test", NULL);
    fg_scope scope = fg_span_enter(span);
    port = atoi(argv[1]);
    fg_span_traceparent(span, text);
    printf("%s\n", text);
    for (int i = 2; i < argc; i++) {
        char **words = argv + i;
        const char *word = words[0];
        if (strcmp(word, "connect") == 0) {
            open_connection(words[1]);
            i++;
        } else if (strcmp(word, "queue") == 0) {
            declare_queue(words[1], words[2]);
            i += 2;
        } else if (strcmp(word, "confirm") == 0) {
            printf("confirm %d\n", amqp_confirm_select(state, 1) != NULL);
        } else if (strcmp(word, "publish") == 0) {
            printf("publish %d\n", amqp_basic_publish(state, 1, amqp_cstring_bytes(words[1]),
                                                      amqp_cstring_bytes(words[2]), 1, 0, NULL,
                                                      amqp_cstring_bytes(words[3])));
            i += 3;
        } else if (strcmp(word, "own") == 0) {
            publish_own(words[1], words[2]);
            i += 2;
        } else if (strcmp(word, "wait") == 0) {
            wait_confirms();
        } else if (strcmp(word, "frames") == 0) {
            read_frames();
        } else if (strcmp(word, "consume") == 0) {
            printf("consume %d\n",
                   amqp_basic_consume(state, 1, amqp_cstring_bytes(words[1]), amqp_empty_bytes, 0,
                                      0, 0, amqp_empty_table) != NULL);
            i++;
        } else if (strcmp(word, "take") == 0) {
            take(words[1]);
            i++;
        } else if (strcmp(word, "upto") == 0) {
            printf("upto %d\n", amqp_basic_ack(state, 1, kept[kept_count - 1].delivery_tag, 1));
            destroy_kept();
        } else if (strcmp(word, "get") == 0) {
            get(words[1]);
            i++;
        } else if (strcmp(word, "ambient") == 0) {
            fg_scope_leave(&scope);
        } else if (strcmp(word, "journey") == 0) {
            fg_journey_set("order.id", words[1]);
            i++;
        } else if (strcmp(word, "close") == 0) {
            amqp_connection_close(state, AMQP_REPLY_SUCCESS);
            amqp_destroy_connection(state);
            state = NULL;
        } else if (strcmp(word, "pause") == 0) {
            fflush(stdout);
            getchar();
        } else if (strcmp(word, "null") == 0) {
            use_nothing();
        }
    }
    if (state)
        amqp_destroy_connection(state);
    destroy_kept();
    fg_scope_leave(&scope);
    fg_span_end(span);
    return fg_tracing_flush(60000) == 0 ? 0 : 1;
}
