/* What monitors read of servers that may be anybody: RabbitMQ's JSON, S3's XML, libpq's texts. The
 * first byte says which. */
#include "base/utf8.h"
#include "pg_session.h"
#include "rabbit_answers.h"
#include "s3_answers.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool condition)
{
    if (!condition)
        abort();
}

/* Ends within its array, is UTF-8, and breaks no line. */
static void need_name(const char *name, size_t size)
{
    size_t length = strnlen(name, size);
    need(length < size && fg_utf8_valid(fg_slice(name, length)));
    for (size_t i = 0; i < length; i++)
        need((unsigned char)name[i] >= ' ');
}

static void need_queue(const struct fg_rabbit_queue *queue)
{
    need_name(queue->name, sizeof queue->name);
    need(queue->ready >= -1 && queue->consumers >= -1 && queue->messages >= -1);
    need(queue->length_max >= -1 && queue->bytes_max >= -1 && queue->taken_count >= 0);
    need(queue->publish_rate >= 0 && queue->deliver_rate >= 0 && queue->ack_rate >= 0);
    (void)fg_rabbit_queue_is_full(queue);
}

static void read_queues(struct fg_slice text)
{
    struct fg_rabbit_queue queue, page[4];
    uint32_t count = 1;
    int64_t pages = -1;
    if (fg_rabbit_read_queue(text, &queue) == 0)
        need_queue(&queue);
    if (fg_rabbit_read_queues(text, page, 4, &count, &pages) == 0) {
        need(count >= 1 && count <= 4 && pages >= 0);
        for (uint32_t i = 1; i < count; i++)
            need_queue(&page[i]);
    }
}

static void read_broker(struct fg_slice text)
{
    struct fg_rabbit_overview overview;
    struct fg_rabbit_nodes nodes = {0};
    if (fg_rabbit_read_overview(text, &overview) == 0) {
        need_name(overview.version, sizeof overview.version);
        need_name(overview.cluster, sizeof overview.cluster);
    }
    if (fg_rabbit_read_nodes(text, &nodes) == 0)
        need(nodes.running <= nodes.count && nodes.partitioned <= nodes.running);
    need_name(nodes.stopped, sizeof nodes.stopped);
    if (fg_rabbit_read_alarms(text, &nodes) == 0)
        need_name(nodes.alarmed, sizeof nodes.alarmed);
}

static void read_routes(struct fg_slice text)
{
    struct fg_rabbit_binding bindings[4];
    enum fg_rabbit_exchange type = FG_RABBIT_TOPIC;
    uint32_t count = 0, total = 0;
    if (fg_rabbit_read_exchange(text, &type) == 0)
        need(type <= FG_RABBIT_HEADERS);
    if (fg_rabbit_read_bindings(text, bindings, 4, &count, &total) != 0)
        return;
    need(count <= 4 && count <= total);
    for (uint32_t i = 0; i < count; i++) {
        need_name(bindings[i].destination, sizeof bindings[i].destination);
        need_name(bindings[i].key, sizeof bindings[i].key);
        (void)fg_rabbit_key_matches(type, bindings[i].key, bindings[0].key);
        need(fg_rabbit_key_matches(FG_RABBIT_TOPIC, bindings[i].key, bindings[i].key));
    }
}

static void take_key(void *arg, const char *key)
{
    uint64_t wall_ns;
    char again[FG_S3_KEY_SIZE];
    (void)arg;
    need(strlen(key) < FG_S3_KEY_SIZE);
    if (fg_s3_key_parse("c", key, &wall_ns)) {
        fg_s3_key_format("c", wall_ns, 0, again);
        need(strncmp(again, key, 19) == 0);
    }
}

static void read_s3(struct fg_slice text)
{
    char code[FG_S3_CODE_SIZE];
    if (fg_s3_read_error(text, code) == 0) {
        need_name(code, sizeof code);
        need(code[0] && fg_s3_refusal_of(403, code) <= FG_S3_OTHER);
    }
    int error = fg_s3_read_list(text, take_key, NULL);
    need(error == 0 || error == FG_EINVALID || error == FG_ENOMEM);
}

static void read_libpq(struct fg_slice text)
{
    int64_t numbers[4];
    struct fg_pg_trouble trouble;
    char *copy = malloc(text.size + 1); /* as libpq ends it */
    if (!copy)
        return;
    if (text.size)
        memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    memset(&trouble, 0, sizeof trouble);
    fg_pg_explain(copy, false, &trouble);
    need(trouble.code || trouble.outcome == FG_PG_ERROR);
    need((trouble.outcome == FG_PG_ERROR) == (strlen(trouble.sqlstate) == 5));
    need_name(trouble.why, sizeof trouble.why);
    need(fg_pg_int_array(copy, numbers, 4) <= 4);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(struct fg_slice) = {read_queues, read_broker, read_routes,
                                                       read_s3, read_libpq};
    if (size == 0)
        return 0;
    readers[data[0] % (sizeof readers / sizeof *readers)](fg_slice(data + 1, size - 1));
    return 0;
}
