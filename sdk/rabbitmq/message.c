/* Headers are a table of typed values; those of the context are UTF-8 texts ('S'), as other
 * libraries write them, and are read from byte strings ('x') too. */
#include "message.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEADER_SIZE_MAX = 8192, TEXTS_SIZE_MAX = 65536, ADDED_MAX = 3 };

const fg_tracer *fg_amqp_tracer(void)
{
    return fg_tracer_get("filigree-rabbitmq", FG_VERSION);
}

void fg_amqp_destination(struct fg_slice exchange, struct fg_slice routing_key,
                         struct fg_slice queue, char ret_text[FG_AMQP_NAME_MAX])
{
    const struct fg_slice parts[] = {
        exchange, routing_key, fg_slice_equal(queue, routing_key) ? (struct fg_slice){0} : queue};
    size_t size = 0;
    for (size_t i = 0; i < 3; i++) {
        size_t part = parts[i].size < 255 ? parts[i].size : 255;
        if (part == 0)
            continue;
        if (size)
            ret_text[size++] = ':';
        memcpy(ret_text + size, parts[i].data, part);
        size += part;
    }
    ret_text[size] = 0;
    if (size == 0)
        snprintf(ret_text, FG_AMQP_NAME_MAX, "amq.default");
}

/* -- The context in the headers */

static const amqp_table_entry_t *find_header(const amqp_basic_properties_t *properties,
                                             const char *name)
{
    if (!properties || !(properties->_flags & AMQP_BASIC_HEADERS_FLAG))
        return NULL;
    for (int i = 0; i < properties->headers.num_entries; i++) {
        const amqp_table_entry_t *entry = &properties->headers.entries[i];
        bool is_text =
            entry->value.kind == AMQP_FIELD_KIND_UTF8 || entry->value.kind == AMQP_FIELD_KIND_BYTES;
        if (is_text && entry->key.len == strlen(name) &&
            strncasecmp(entry->key.bytes, name, entry->key.len) == 0)
            return entry;
    }
    return NULL;
}

struct reader {
    const amqp_basic_properties_t *properties;
    char text[HEADER_SIZE_MAX + 1];
};

static const char *get(void *carrier, const char *name)
{
    struct reader *reader = carrier;
    const amqp_table_entry_t *entry = find_header(reader->properties, name);
    size_t size = entry ? entry->value.value.bytes.len : 0;
    if (size == 0 || size > HEADER_SIZE_MAX)
        return NULL;
    memcpy(reader->text, entry->value.value.bytes.bytes, size);
    reader->text[size] = 0;
    return reader->text;
}

fg_context *fg_amqp_context_of(const amqp_basic_properties_t *properties)
{
    struct reader reader;
    reader.properties = properties;
    return fg_context_extract(get, &reader);
}

bool fg_amqp_has_context(const amqp_basic_properties_t *properties)
{
    return find_header(properties, "traceparent") != NULL;
}

struct writer {
    const amqp_basic_properties_t *given;
    struct fg_amqp_dressed *dressed;
};

/* Where a text begins is kept as an offset: the buffer may still move. */
static int set(void *carrier, const char *name, const char *value)
{
    struct writer *writer = carrier;
    struct fg_buffer *texts = &writer->dressed->texts;
    amqp_table_t *headers = &writer->dressed->properties.headers;
    amqp_table_entry_t *entry = &writer->dressed->entries[headers->num_entries];
    if (find_header(writer->given, name))
        return 0; /* the program's own stays */
    size_t at = texts->size;
    fg_buffer_append_string(texts, name);
    fg_buffer_append_string(texts, value);
    if (texts->error)
        return 1;
    entry->key.len = strlen(name);
    entry->value.kind = AMQP_FIELD_KIND_UTF8;
    entry->value.value.bytes.len = strlen(value);
    entry->value.value.bytes.bytes = (void *)(uintptr_t)at;
    headers->num_entries++;
    return 0;
}

static void place_texts(struct fg_amqp_dressed *dressed, int first)
{
    for (int i = first; i < dressed->properties.headers.num_entries; i++) {
        amqp_table_entry_t *entry = &dressed->entries[i];
        entry->key.bytes = dressed->texts.data + (uintptr_t)entry->value.value.bytes.bytes;
        entry->value.value.bytes.bytes = (uint8_t *)entry->key.bytes + entry->key.len;
    }
}

void fg_amqp_dress(const amqp_basic_properties_t *properties, fg_span span,
                   struct fg_amqp_dressed *ret_dressed)
{
    struct fg_amqp_dressed *dressed = ret_dressed;
    memset(dressed, 0, sizeof *dressed);
    fg_buffer_init(&dressed->texts, TEXTS_SIZE_MAX);
    if (properties)
        dressed->properties = *properties;
    amqp_basic_properties_t *own = &dressed->properties;
    bool has_headers = (own->_flags & AMQP_BASIC_HEADERS_FLAG) != 0;
    int count = has_headers && own->headers.num_entries > 0 ? own->headers.num_entries : 0;
    if (!fg_amqp_has_context(properties))
        dressed->entries = calloc((size_t)count + ADDED_MAX, sizeof *dressed->entries);
    if (dressed->entries) {
        if (count)
            memcpy(dressed->entries, own->headers.entries,
                   (size_t)count * sizeof *dressed->entries);
        own->headers.entries = dressed->entries;
        own->headers.num_entries = count;
        own->_flags |= AMQP_BASIC_HEADERS_FLAG;
        fg_context_inject(NULL, set, &(struct writer){properties, dressed});
        place_texts(dressed, count);
        if (own->headers.num_entries == 0)
            own->_flags &= ~(amqp_flags_t)AMQP_BASIC_HEADERS_FLAG;
    }
    /* Of a span that is not recorded the ids are its parent's, and so would be those of several
     * messages. */
    if (!(own->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) && fg_span_is_recording(span)) {
        for (size_t i = 0; i < sizeof span.trace_id; i++)
            snprintf(dressed->message_id + 2 * i, 3, "%02x", span.trace_id[i]);
        for (size_t i = 0; i < sizeof span.span_id; i++)
            snprintf(dressed->message_id + 2 * (sizeof span.trace_id + i), 3, "%02x",
                     span.span_id[i]);
        own->message_id = amqp_cstring_bytes(dressed->message_id);
        own->_flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
    }
}

void fg_amqp_undress(struct fg_amqp_dressed *dressed)
{
    free(dressed->entries);
    fg_buffer_free(&dressed->texts);
}

/* -- Words */

void fg_amqp_tell_properties(fg_span span, const amqp_basic_properties_t *properties,
                             size_t body_size)
{
    if (properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG)
        fg_tell_slice(span, "messaging.message.id", fg_amqp_slice(properties->message_id));
    if (properties->_flags & AMQP_BASIC_CORRELATION_ID_FLAG)
        fg_tell_slice(span, "messaging.message.conversation_id",
                      fg_amqp_slice(properties->correlation_id));
    fg_span_set_int(span, "messaging.message.body.size", (int64_t)body_size);
}

void fg_amqp_tell_status(fg_span span, int status, const char *what)
{
    static const struct {
        int status;
        const char *name;
        bool is_end;
    } names[] = {
        {AMQP_STATUS_NO_MEMORY, "AMQP_STATUS_NO_MEMORY", false},
        {AMQP_STATUS_BAD_AMQP_DATA, "AMQP_STATUS_BAD_AMQP_DATA", false},
        {AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED, "AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED", true},
        {AMQP_STATUS_CONNECTION_CLOSED, "AMQP_STATUS_CONNECTION_CLOSED", true},
        {AMQP_STATUS_SOCKET_ERROR, "AMQP_STATUS_SOCKET_ERROR", true},
        {AMQP_STATUS_INVALID_PARAMETER, "AMQP_STATUS_INVALID_PARAMETER", false},
        {AMQP_STATUS_TABLE_TOO_BIG, "AMQP_STATUS_TABLE_TOO_BIG", false},
        {AMQP_STATUS_TIMEOUT, "timeout", false},
        {AMQP_STATUS_HEARTBEAT_TIMEOUT, "AMQP_STATUS_HEARTBEAT_TIMEOUT", true},
        {AMQP_STATUS_UNEXPECTED_STATE, "AMQP_STATUS_UNEXPECTED_STATE", false},
        {AMQP_STATUS_SOCKET_CLOSED, "AMQP_STATUS_SOCKET_CLOSED", true},
        {AMQP_STATUS_TCP_ERROR, "AMQP_STATUS_TCP_ERROR", true},
        {AMQP_STATUS_SSL_ERROR, "AMQP_STATUS_SSL_ERROR", true},
        {AMQP_STATUS_SSL_CONNECTION_FAILED, "AMQP_STATUS_SSL_CONNECTION_FAILED", true},
    };
    const char *name = "_OTHER";
    bool is_end = false;
    char text[FG_TELL_TEXT_MAX];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].status == status) {
            name = names[i].name;
            is_end = names[i].is_end;
        }
    snprintf(text, sizeof text, "%s: %s", is_end ? what : "librabbitmq",
             amqp_error_string2(status));
    fg_tell_error(span, name, text);
}

void fg_amqp_tell_reply(fg_span span, uint16_t code, struct fg_slice text)
{
    char type[64], description[FG_TELL_TEXT_MAX];
    size_t size = 0;
    while (size < text.size && size < sizeof type - 1 &&
           (isupper(text.data[size]) || text.data[size] == '_'))
        size++;
    if (size)
        memcpy(type, text.data, size);
    type[size] = 0;
    if (size == 0)
        snprintf(type, sizeof type, "%u", code);
    snprintf(description, sizeof description, "%u %.*s", code,
             (int)(text.size < 1000 ? text.size : 1000), text.size ? (const char *)text.data : "");
    fg_span_set_int(span, "filigree.amqp.reply_code", code);
    fg_tell_error(span, type, description);
}

void fg_amqp_tell_rpc(fg_span span, amqp_rpc_reply_t reply, const char *what)
{
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
        fg_amqp_tell_status(span, reply.library_error, what);
    } else if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
               reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *why = reply.reply.decoded;
        fg_amqp_tell_reply(span, why->reply_code, fg_amqp_slice(why->reply_text));
    } else if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
               reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *why = reply.reply.decoded;
        fg_amqp_tell_reply(span, why->reply_code, fg_amqp_slice(why->reply_text));
    } else if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
        fg_tell_error(span, "_OTHER", what);
    }
}
