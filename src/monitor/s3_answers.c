/* A path of at most three elements is looked at: Error/Code, ListBucketResult/Contents/Key. Names
 * come without their namespace. */
#include "s3_answers.h"

#include <expat.h>
#include <inttypes.h>
#include <stdio.h>

struct reader {
    XML_Parser parser;
    const char *const *path; /* of the element whose text is wanted; NULL-ended */
    int depth, matched;      /* how deep we are; how much of the path we are in */
    bool saw_root;
    char text[FG_S3_KEY_SIZE];
    size_t text_size; /* may be more than fits */
    void (*fn)(void *arg, const char *text);
    void *arg;
};

static const char *local_name(const XML_Char *name)
{
    const char *bar = strrchr(name, '|');
    return bar ? bar + 1 : name;
}

static void on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
    (void)attributes;
    struct reader *reader = arg;
    if (reader->depth == reader->matched && reader->path[reader->matched] &&
        strcmp(local_name(name), reader->path[reader->matched]) == 0) {
        reader->matched++;
        reader->text_size = 0;
        reader->saw_root = true;
    }
    reader->depth++;
}

static void on_end(void *arg, const XML_Char *name)
{
    (void)name;
    struct reader *reader = arg;
    reader->depth--;
    if (reader->depth >= reader->matched)
        return;
    if (!reader->path[reader->matched] && reader->text_size < sizeof reader->text) {
        reader->text[reader->text_size] = 0;
        reader->fn(reader->arg, reader->text);
    }
    reader->matched = reader->depth;
}

static void on_text(void *arg, const XML_Char *text, int size)
{
    struct reader *reader = arg;
    if (reader->path[reader->matched] || reader->depth != reader->matched)
        return;
    if (reader->text_size + (size_t)size < sizeof reader->text)
        memcpy(reader->text + reader->text_size, text, (size_t)size);
    reader->text_size += (size_t)size;
}

static void on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
                       const XML_Char *identifier, int has_internal)
{
    (void)name;
    (void)system;
    (void)identifier;
    (void)has_internal;
    struct reader *reader = arg;
    XML_StopParser(reader->parser, XML_FALSE);
}

static int read_texts(struct fg_slice answer, const char *const *path,
                      void (*fn)(void *arg, const char *text), void *arg)
{
    struct reader reader = {.path = path, .fn = fn, .arg = arg};
    if (answer.size == 0 || answer.size > (size_t)64 << 20)
        return FG_EINVALID;
    reader.parser = XML_ParserCreateNS(NULL, '|');
    if (!reader.parser)
        return FG_ENOMEM;
    XML_SetUserData(reader.parser, &reader);
    XML_SetElementHandler(reader.parser, on_start, on_end);
    XML_SetCharacterDataHandler(reader.parser, on_text);
    XML_SetStartDoctypeDeclHandler(reader.parser, on_doctype);
    enum XML_Status status =
        XML_Parse(reader.parser, (const char *)answer.data, (int)answer.size, 1);
    XML_ParserFree(reader.parser);
    return status == XML_STATUS_OK && reader.saw_root ? 0 : FG_EINVALID;
}

static void take_code(void *arg, const char *text)
{
    char *code = arg;
    size_t used = 0;
    for (; *text && used + 1 < FG_S3_CODE_SIZE; text++)
        if ((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
            (*text >= '0' && *text <= '9') || *text == '.')
            code[used++] = *text;
    code[used] = 0;
}

int fg_s3_read_error(struct fg_slice answer, char ret_code[FG_S3_CODE_SIZE])
{
    static const char *const path[] = {"Error", "Code", NULL};
    char code[FG_S3_CODE_SIZE] = "";
    int error = read_texts(answer, path, take_code, code);
    if (!error && !code[0])
        error = FG_EINVALID;
    if (!error)
        memcpy(ret_code, code, sizeof code);
    return error;
}

int fg_s3_read_list(struct fg_slice answer, void (*fn)(void *arg, const char *key), void *arg)
{
    static const char *const path[] = {"ListBucketResult", "Contents", "Key", NULL};
    return read_texts(answer, path, fn, arg);
}

enum fg_s3_refusal fg_s3_refusal_of(long status, const char *code)
{
    static const struct {
        const char *code;
        enum fg_s3_refusal refusal;
    } known[] = {
        {"AccessDenied", FG_S3_RIGHT},
        {"AccountProblem", FG_S3_RIGHT},
        {"AllAccessDisabled", FG_S3_RIGHT},
        {"AuthorizationHeaderMalformed", FG_S3_IDENTITY},
        {"EntityTooLarge", FG_S3_SPACE},
        {"ExpiredToken", FG_S3_IDENTITY},
        {"InsufficientCapacity", FG_S3_SPACE},
        {"InsufficientStorage", FG_S3_SPACE},
        {"InvalidAccessKeyId", FG_S3_IDENTITY},
        {"InvalidObjectState", FG_S3_SLOW},
        {"InvalidToken", FG_S3_IDENTITY},
        {"NoSuchBucket", FG_S3_BUCKET},
        {"QuotaExceeded", FG_S3_SPACE},
        {"RequestExpired", FG_S3_CLOCK},
        {"RequestTimeTooSkewed", FG_S3_CLOCK},
        {"SignatureDoesNotMatch", FG_S3_IDENTITY},
        {"SlowDown", FG_S3_SLOW},
        {"TooManyRequests", FG_S3_SLOW},
        {"XMinioAdminBucketQuotaExceeded", FG_S3_SPACE},
        {"XMinioStorageFull", FG_S3_SPACE},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].code, code) == 0)
            return known[i].refusal;
    switch (status) {
    case 401:
        return FG_S3_IDENTITY;
    case 403:
        return FG_S3_RIGHT;
    case 413:
    case 507:
        return FG_S3_SPACE;
    case 429:
        return FG_S3_SLOW;
    default:
        return status >= 500 && status < 600 ? FG_S3_BROKEN : FG_S3_OTHER;
    }
}

void fg_s3_key_format(const char *prefix, uint64_t wall_ns, uint64_t chance,
                      char ret_key[FG_S3_KEY_SIZE])
{
    snprintf(ret_key, FG_S3_KEY_SIZE, "%.200s/%016" PRIx64 "-%016" PRIx64, prefix, wall_ns, chance);
}

static bool read_hex(const char *text, uint64_t *ret_number)
{
    uint64_t number = 0;
    for (int i = 0; i < 16; i++) {
        char c = text[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        number = number << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *ret_number = number;
    return true;
}

bool fg_s3_key_parse(const char *prefix, const char *key, uint64_t *ret_wall_ns)
{
    uint64_t wall_ns, chance;
    size_t size = strlen(prefix);
    if (strncmp(key, prefix, size) != 0 || strlen(key) != size + 34 || key[size] != '/' ||
        key[size + 17] != '-' || !read_hex(key + size + 1, &wall_ns) ||
        !read_hex(key + size + 18, &chance))
        return false;
    *ret_wall_ns = wall_ns;
    return true;
}
