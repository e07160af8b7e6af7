#include "call.h"

#include "loop.h"

#define TEXT_SIZE_FIRST   1024u
#define FIELD_COUNT_FIRST 16u

void fg_call_fail(struct fg_call *call, enum fg_refusal_reason reason, const char *message)
{
    if (call->failure != FG_NO_FAILURE)
        return;
    call->failure = (int)reason;
    call->failure_message = message;
}

/* Appends to text. The old text of an arena stays until its end: all of them together are no more
 * than the last one. */
static void add_text(struct fg_call *call, struct fg_slice bytes)
{
    struct fg_head *head = &call->head;
    size_t need = head->text_size + bytes.size;
    if (need > UINT32_MAX / 2) {
        fg_call_fail(call, FG_REFUSED_HEADER_SIZE, NULL);
        return;
    }
    if (need > head->text_capacity) {
        size_t capacity = head->text_capacity ? head->text_capacity * 2u : TEXT_SIZE_FIRST;
        while (capacity < need)
            capacity *= 2;
        uint8_t *text = fg_arena_alloc(&call->arena, capacity);
        if (!text) {
            fg_call_fail(call, FG_REFUSED_MEMORY, NULL);
            return;
        }
        if (head->text_size)
            memcpy(text, head->text, head->text_size);
        head->text = text;
        head->text_capacity = (uint32_t)capacity;
    }
    if (bytes.size)
        memcpy(head->text + head->text_size, bytes.data, bytes.size);
    head->text_size = (uint32_t)need;
}

void fg_head_add_url(struct fg_call *call, struct fg_slice bytes)
{
    struct fg_head *head = &call->head;
    if (call->failure != FG_NO_FAILURE)
        return;
    if (bytes.size > call->loop->shared->limits.url_size_max - head->url_size) {
        fg_call_fail(call, FG_REFUSED_URL_SIZE, NULL);
        return;
    }
    if (head->url_size == 0)
        head->url_at = head->text_size;
    add_text(call, bytes);
    if (call->failure == FG_NO_FAILURE)
        head->url_size += (uint32_t)bytes.size;
}

/* Counts bytes of names and values. */
static bool count_bytes(struct fg_call *call, struct fg_slice bytes)
{
    if (call->failure != FG_NO_FAILURE)
        return false;
    if (bytes.size > call->loop->shared->limits.header_size_max - call->head.fields_size) {
        fg_call_fail(call, FG_REFUSED_HEADER_SIZE, NULL);
        return false;
    }
    call->head.fields_size += (uint32_t)bytes.size;
    return true;
}

void fg_head_add_authority(struct fg_call *call, struct fg_slice bytes)
{
    if (!count_bytes(call, bytes))
        return;
    call->head.authority_at = call->head.text_size;
    add_text(call, bytes);
    if (call->failure == FG_NO_FAILURE)
        call->head.authority_size = (uint32_t)bytes.size;
}

void fg_head_begin_field(struct fg_call *call)
{
    struct fg_head *head = &call->head;
    if (call->failure != FG_NO_FAILURE)
        return;
    if (head->field_count >= call->loop->shared->limits.header_count_max) {
        fg_call_fail(call, FG_REFUSED_HEADER_SIZE, NULL);
        return;
    }
    if (head->field_count == head->field_capacity) {
        uint32_t capacity = head->field_capacity ? head->field_capacity * 2 : FIELD_COUNT_FIRST;
        struct fg_head_field *fields =
            fg_arena_calloc(&call->arena, capacity, sizeof *head->fields);
        if (!fields) {
            fg_call_fail(call, FG_REFUSED_MEMORY, NULL);
            return;
        }
        if (head->field_count)
            memcpy(fields, head->fields, head->field_count * sizeof *fields);
        head->fields = fields;
        head->field_capacity = capacity;
    }
    head->fields[head->field_count++] =
        (struct fg_head_field){.name_at = head->text_size, .value_at = head->text_size};
}

void fg_head_add_name(struct fg_call *call, struct fg_slice bytes)
{
    struct fg_head *head = &call->head;
    if (!count_bytes(call, bytes))
        return;
    uint32_t at = head->text_size;
    add_text(call, bytes);
    if (call->failure != FG_NO_FAILURE)
        return;
    for (uint32_t i = at; i < head->text_size; i++)
        if (head->text[i] >= 'A' && head->text[i] <= 'Z')
            head->text[i] |= 0x20;
    struct fg_head_field *field = &head->fields[head->field_count - 1];
    field->name_size += (uint32_t)bytes.size;
    field->value_at = head->text_size;
}

void fg_head_add_value(struct fg_call *call, struct fg_slice bytes)
{
    if (!count_bytes(call, bytes))
        return;
    add_text(call, bytes);
    if (call->failure == FG_NO_FAILURE)
        call->head.fields[call->head.field_count - 1].value_size += (uint32_t)bytes.size;
}

static struct fg_slice text_at(const struct fg_head *head, uint32_t at, uint32_t size)
{
    return fg_slice(size ? head->text + at : (const uint8_t *)"", size);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct fg_slice trimmed(struct fg_slice text)
{
    while (text.size && is_blank(text.data[0]))
        text = fg_slice(text.data + 1, text.size - 1);
    while (text.size && is_blank(text.data[text.size - 1]))
        text.size--;
    return text;
}

static struct fg_slice before(struct fg_slice text, char c)
{
    const uint8_t *end = text.size ? memchr(text.data, c, text.size) : NULL;
    return fg_slice(text.data, end ? (size_t)(end - text.data) : text.size);
}

/* "http://host/path" (RFC 9112 section 3.2.2) is the path as well; *ret_authority then is its host.
 */
static struct fg_slice without_origin(struct fg_slice url, struct fg_slice *ret_authority)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        if (!fg_slice_starts_with(url, fg_slice_from_string(schemes[i])))
            continue;
        size_t skip = strlen(schemes[i]);
        url = fg_slice(url.data + skip, url.size - skip);
        skip = before(before(url, '/'), '?').size;
        *ret_authority = fg_slice(url.data, skip);
        return fg_slice(url.data + skip, url.size - skip);
    }
    return url;
}

/* A request names one host: who reads the one name and who reads the other must not differ (RFC
 * 9113 section 8.3.1, RFC 9112 section 3.2.2). */
static void check_authority(struct fg_call *call, struct fg_slice authority)
{
    struct fg_slice host = fg_request_field(&call->request, "host");
    bool is_same = host.size == authority.size &&
                   (host.size == 0 || strncasecmp((const char *)host.data,
                                                  (const char *)authority.data, host.size) == 0);
    if (authority.size && host.data && !is_same)
        fg_call_fail(call, FG_REFUSED_MALFORMED, "a request names one host, and this one two");
}

static void set_target(struct fg_call *call)
{
    struct fg_request *request = &call->request;
    struct fg_slice authority = {0};
    struct fg_slice url =
        without_origin(text_at(&call->head, call->head.url_at, call->head.url_size), &authority);
    check_authority(call, authority);
    if (call->head.url_size && url.size == 0)
        url = FG_SLICE("/");
    struct fg_slice path = before(url, '?');
    bool is_path = path.size && path.data[0] == '/';
    bool is_star = request->method == FG_METHOD_OPTIONS && fg_slice_equal(path, FG_SLICE("*"));
    if (!is_path && !is_star)
        fg_call_fail(call, FG_REFUSED_MALFORMED, "the request's path must begin with '/'");
    if (url.size && memchr(url.data, '#', url.size))
        fg_call_fail(call, FG_REFUSED_MALFORMED, "a request's path has no '#'");
    request->path = path;
    if (path.size < url.size)
        request->query = fg_slice(url.data + path.size + 1, url.size - path.size - 1);
}

void fg_head_finish(struct fg_call *call)
{
    struct fg_head *head = &call->head;
    struct fg_request *request = &call->request;
    size_t count = head->field_count;
    struct fg_header_field *fields =
        fg_arena_calloc(&call->arena, count + 1, sizeof *request->fields);
    if (!fields) {
        fg_call_fail(call, FG_REFUSED_MEMORY, NULL);
        count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        const struct fg_head_field *field = &head->fields[i];
        fields[i].name = text_at(head, field->name_at, field->name_size);
        fields[i].value = trimmed(text_at(head, field->value_at, field->value_size));
    }
    request->fields = fields;
    request->field_count = count;
    /* HTTP/2's :authority is what Host is (RFC 9113 section 8.3.1). */
    struct fg_slice authority = text_at(head, head->authority_at, head->authority_size);
    check_authority(call, authority);
    if (fields && authority.size && !fg_request_field(request, "host").data)
        fields[request->field_count++] = (struct fg_header_field){FG_SLICE("host"), authority};
    request->content_type = trimmed(before(fg_request_field(request, "content-type"), ';'));
    set_target(call);
}
