/* Members are looked up one by one and checked for their type: an answer of another version lacks
 * some, and one that lies has the wrong ones. Names are cut at their array's end and cleaned of
 * control characters, since they end up in sentences. */
#include "rabbit_answers.h"

#include <jansson.h>
#include <stdio.h>

static json_t *load(struct fg_slice answer)
{
    json_error_t error;
    return json_loadb((const char *)answer.data, answer.size, 0, &error);
}

static void copy_text(const json_t *object, const char *key, char *text, size_t size)
{
    const char *value = json_string_value(json_object_get(object, key));
    size_t used = 0;
    for (; value && value[used] && used + 1 < size; used++)
        text[used] = (unsigned char)value[used] < ' ' ? ' ' : value[used];
    if (value && value[used]) /* cut: not within a character */
        while (used && ((unsigned char)value[used] & 0xC0) == 0x80)
            used--;
    text[used] = 0;
}

/* -1 for what is no count. */
static int64_t count_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_integer(value))
        return json_integer_value(value) >= 0 ? json_integer_value(value) : -1;
    if (!json_is_real(value))
        return -1;
    double number = json_real_value(value);
    return number >= 0 && number < 9e18 ? (int64_t)number : -1;
}

static double rate_of(const json_t *stats, const char *key)
{
    double rate = json_number_value(json_object_get(json_object_get(stats, key), "rate"));
    return rate > 0 && rate < 1e12 ? rate : 0;
}

/* The smaller of two limits, of which each may be missing. */
static int64_t smaller(int64_t a, int64_t b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a < b ? a : b;
}

static bool rejects(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value && strncmp(value, "reject-publish", 14) == 0; /* and …-dlx */
}

/* Arguments of the declaration and the policy's; where both say how to overflow the argument wins.
 */
static void read_limits(const json_t *object, struct fg_rabbit_queue *queue)
{
    const json_t *policy = json_object_get(object, "effective_policy_definition");
    const json_t *arguments = json_object_get(object, "arguments");
    queue->length_max =
        smaller(count_of(policy, "max-length"), count_of(arguments, "x-max-length"));
    queue->bytes_max =
        smaller(count_of(policy, "max-length-bytes"), count_of(arguments, "x-max-length-bytes"));
    bool reject = json_object_get(arguments, "x-overflow") ? rejects(arguments, "x-overflow")
                                                           : rejects(policy, "overflow");
    queue->overflow = reject ? FG_RABBIT_REJECT : FG_RABBIT_DROP_HEAD;
    queue->has_dead_letters = json_object_get(policy, "dead-letter-exchange") ||
                              json_object_get(arguments, "x-dead-letter-exchange");
}

static int64_t sum_of(const json_t *stats, const char *const *keys)
{
    int64_t sum = 0;
    for (; *keys; keys++) {
        int64_t count = count_of(stats, *keys);
        if (count > 0 && sum < INT64_MAX - count)
            sum += count;
    }
    return sum;
}

static int read_queue(const json_t *object, struct fg_rabbit_queue *queue)
{
    static const char *const taken[] = {"ack", "deliver_no_ack", "get_no_ack", NULL};
    memset(queue, 0, sizeof *queue);
    if (!json_is_string(json_object_get(object, "name")))
        return FG_EINVALID;
    copy_text(object, "name", queue->name, sizeof queue->name);
    queue->messages = count_of(object, "messages");
    queue->ready = count_of(object, "messages_ready");
    queue->unacknowledged = count_of(object, "messages_unacknowledged");
    queue->consumers = count_of(object, "consumers");
    queue->ready_bytes = count_of(object, "message_bytes_ready");
    const json_t *stats = json_object_get(object, "message_stats");
    queue->publish_rate = rate_of(stats, "publish_details");
    queue->deliver_rate = rate_of(stats, "deliver_get_details");
    queue->ack_rate = rate_of(stats, "ack_details");
    queue->taken_count = sum_of(stats, taken);
    const char *state = json_string_value(json_object_get(object, "state"));
    queue->is_running = !state || strcmp(state, "running") == 0 || strcmp(state, "flow") == 0 ||
                        strcmp(state, "idle") == 0;
    read_limits(object, queue);
    return 0;
}

int fg_rabbit_read_queue(struct fg_slice answer, struct fg_rabbit_queue *ret_queue)
{
    json_t *root = load(answer);
    struct fg_rabbit_queue queue;
    int error = json_is_object(root) ? read_queue(root, &queue) : FG_EINVALID;
    if (!error)
        *ret_queue = queue;
    json_decref(root);
    return error;
}

int fg_rabbit_read_queues(struct fg_slice answer, struct fg_rabbit_queue *queues,
                          uint32_t count_max, uint32_t *count, int64_t *ret_pages)
{
    json_t *root = load(answer), *one;
    size_t i;
    const json_t *items = json_object_get(root, "items");
    uint32_t used = *count;
    int error = json_is_array(items) && count_of(root, "page_count") >= 0 ? 0 : FG_EINVALID;
    json_array_foreach(items, i, one)
    {
        if (error || used >= count_max)
            break;
        error = read_queue(one, &queues[used]);
        used++;
    }
    if (!error) {
        *count = used;
        *ret_pages = count_of(root, "page_count");
    }
    json_decref(root);
    return error;
}

int fg_rabbit_read_overview(struct fg_slice answer, struct fg_rabbit_overview *ret_overview)
{
    json_t *root = load(answer);
    struct fg_rabbit_overview overview;
    memset(&overview, 0, sizeof overview);
    copy_text(root, "rabbitmq_version", overview.version, sizeof overview.version);
    copy_text(root, "cluster_name", overview.cluster, sizeof overview.cluster);
    int error = overview.version[0] ? 0 : FG_EINVALID;
    const json_t *totals = json_object_get(root, "queue_totals");
    overview.messages = count_of(totals, "messages");
    overview.ready = count_of(totals, "messages_ready");
    overview.unacknowledged = count_of(totals, "messages_unacknowledged");
    totals = json_object_get(root, "object_totals");
    overview.consumers = count_of(totals, "consumers");
    overview.queues = count_of(totals, "queues");
    overview.connections = count_of(totals, "connections");
    totals = json_object_get(root, "message_stats");
    overview.returned_count = count_of(totals, "return_unroutable");
    overview.dropped_count = count_of(totals, "drop_unroutable");
    if (!error)
        *ret_overview = overview;
    json_decref(root);
    return error;
}

/* Takes a pair of used (or free) and limit where its share is worse than what is there. */
static void keep_worst(int64_t used, int64_t limit, bool is_free, int64_t *worst_used,
                       int64_t *worst_limit)
{
    if (used < 0 || limit <= 0)
        return;
    double share = (double)used / (double)limit;
    double worst = *worst_limit > 0 ? (double)*worst_used / (double)*worst_limit : 0;
    if (*worst_limit > 0 && (is_free ? share >= worst : share <= worst))
        return;
    *worst_used = used;
    *worst_limit = limit;
}

static void read_node(const json_t *one, struct fg_rabbit_nodes *nodes)
{
    nodes->count++;
    if (!json_is_true(json_object_get(one, "running"))) {
        copy_text(one, "name", nodes->stopped, sizeof nodes->stopped);
        return;
    }
    nodes->running++;
    nodes->partitioned += json_array_size(json_object_get(one, "partitions")) > 0;
    bool memory = json_is_true(json_object_get(one, "mem_alarm"));
    bool disk = json_is_true(json_object_get(one, "disk_free_alarm"));
    if (memory || disk)
        copy_text(one, "name", nodes->alarmed, sizeof nodes->alarmed);
    nodes->memory_alarm |= memory;
    nodes->disk_alarm |= disk;
    keep_worst(count_of(one, "mem_used"), count_of(one, "mem_limit"), false, &nodes->memory_used,
               &nodes->memory_limit);
    keep_worst(count_of(one, "disk_free"), count_of(one, "disk_free_limit"), true,
               &nodes->disk_free, &nodes->disk_limit);
    keep_worst(count_of(one, "fd_used"), count_of(one, "fd_total"), false, &nodes->files_used,
               &nodes->files_limit);
}

int fg_rabbit_read_nodes(struct fg_slice answer, struct fg_rabbit_nodes *ret_nodes)
{
    json_t *root = load(answer), *one;
    size_t i;
    struct fg_rabbit_nodes nodes;
    memset(&nodes, 0, sizeof nodes);
    nodes.memory_used = nodes.memory_limit = nodes.disk_free = nodes.disk_limit = -1;
    nodes.files_used = nodes.files_limit = -1;
    int error = json_array_size(root) ? 0 : FG_EINVALID;
    json_array_foreach(root, i, one)
    {
        if (!json_is_string(json_object_get(one, "name")))
            error = FG_EINVALID;
        read_node(one, &nodes);
    }
    if (!error)
        *ret_nodes = nodes;
    json_decref(root);
    return error;
}

int fg_rabbit_read_alarms(struct fg_slice answer, struct fg_rabbit_nodes *nodes)
{
    json_t *root = load(answer), *one;
    size_t i;
    const char *status = json_string_value(json_object_get(root, "status"));
    const json_t *alarms = json_object_get(root, "alarms");
    bool good = status && strcmp(status, "ok") == 0;
    int error = good || json_array_size(alarms) ? 0 : FG_EINVALID;
    if (!error) {
        nodes->memory_alarm = nodes->disk_alarm = false;
        nodes->alarmed[0] = 0;
    }
    json_array_foreach(alarms, i, one)
    {
        const char *resource = json_string_value(json_object_get(one, "resource"));
        if (error || good || !resource)
            continue;
        nodes->memory_alarm |= strcmp(resource, "memory") == 0;
        nodes->disk_alarm |= strncmp(resource, "disk", 4) == 0; /* "disk space" */
        copy_text(one, "node", nodes->alarmed, sizeof nodes->alarmed);
    }
    json_decref(root);
    return error;
}

int fg_rabbit_read_exchange(struct fg_slice answer, enum fg_rabbit_exchange *ret_type)
{
    json_t *root = load(answer);
    const char *type = json_string_value(json_object_get(root, "type"));
    if (type)
        *ret_type = strcmp(type, "direct") == 0   ? FG_RABBIT_DIRECT
                    : strcmp(type, "fanout") == 0 ? FG_RABBIT_FANOUT
                    : strcmp(type, "topic") == 0  ? FG_RABBIT_TOPIC
                                                  : FG_RABBIT_HEADERS;
    int error = type ? 0 : FG_EINVALID;
    json_decref(root);
    return error;
}

int fg_rabbit_read_bindings(struct fg_slice answer, struct fg_rabbit_binding *bindings,
                            uint32_t count_max, uint32_t *ret_count, uint32_t *ret_total)
{
    json_t *root = load(answer), *one;
    size_t i;
    uint32_t count = 0;
    int error = json_is_array(root) ? 0 : FG_EINVALID;
    json_array_foreach(root, i, one)
    {
        const char *type = json_string_value(json_object_get(one, "destination_type"));
        if (!type || !json_is_string(json_object_get(one, "destination")))
            error = FG_EINVALID;
        if (error || count >= count_max)
            break;
        struct fg_rabbit_binding *binding = &bindings[count++];
        copy_text(one, "destination", binding->destination, sizeof binding->destination);
        copy_text(one, "routing_key", binding->key, sizeof binding->key);
        binding->to_queue = strcmp(type, "queue") == 0;
    }
    if (!error) {
        *ret_count = count;
        *ret_total = (uint32_t)(json_array_size(root) < UINT32_MAX ? json_array_size(root) : 0);
    }
    json_decref(root);
    return error;
}

/* Its words, the next at *at; false behind the last. An empty key has none. */
static bool next_word(const char **at, struct fg_slice *ret_word)
{
    if (!*at || (!**at && !ret_word->data))
        return false;
    size_t size = strcspn(*at, ".");
    *ret_word = fg_slice(*at, size);
    *at = (*at)[size] ? *at + size + 1 : NULL;
    return true;
}

#define WORDS_MAX (FG_RABBIT_NAME_SIZE + 1) /* dots alone make one more than bytes */

/* row[i]: whether the pattern so far matches the first i words of the key. */
static bool topic_matches(const char *pattern, const char *key)
{
    struct fg_slice words[WORDS_MAX], word = {0};
    bool row[WORDS_MAX + 1] = {true};
    uint32_t count = 0;
    while (count < WORDS_MAX && next_word(&key, &word))
        words[count++] = word;
    word = (struct fg_slice){0};
    while (next_word(&pattern, &word)) {
        bool any = fg_slice_equal(word, FG_SLICE("#")), one = fg_slice_equal(word, FG_SLICE("*"));
        bool before = row[0]; /* row[i - 1] of the pattern without this word */
        row[0] = any && row[0];
        for (uint32_t i = 1; i <= count; i++) {
            bool here = row[i];
            row[i] =
                any ? here || row[i - 1] : before && (one || fg_slice_equal(word, words[i - 1]));
            before = here;
        }
    }
    return row[count];
}

bool fg_rabbit_key_matches(enum fg_rabbit_exchange type, const char *binding_key, const char *key)
{
    switch (type) {
    case FG_RABBIT_DIRECT:
        return strcmp(binding_key, key) == 0;
    case FG_RABBIT_TOPIC:
        return strcmp(binding_key, key) == 0 || topic_matches(binding_key, key);
    default:
        return true;
    }
}

bool fg_rabbit_queue_is_full(const struct fg_rabbit_queue *queue)
{
    if (queue->ready < 0)
        return false;
    if (queue->length_max >= 0 && queue->ready >= queue->length_max)
        return true;
    if (queue->bytes_max < 0 || queue->ready_bytes < 0 || queue->ready == 0)
        return false;
    int64_t average = queue->ready_bytes / queue->ready;
    return queue->ready_bytes >= queue->bytes_max - average;
}
