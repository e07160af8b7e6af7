/* S3's operations are told apart by method, by whether there is a key, and by a sub-resource in the
 * query. */
#include "s3.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum scope { SERVICE, BUCKET, KEY };

/* The first rule that fits counts, hence those with a sub-resource stand before those without. */
static const struct rule {
    const char *method;
    enum scope scope;
    const char *with; /* a key of the query, or NULL */
    bool is_copy;
    const char *operation;
} rules[] = {
    {"GET", SERVICE, NULL, false, "ListBuckets"},
    {"GET", BUCKET, "uploads", false, "ListMultipartUploads"},
    {"GET", BUCKET, "versions", false, "ListObjectVersions"},
    {"GET", BUCKET, "location", false, "GetBucketLocation"},
    {"GET", BUCKET, "acl", false, "GetBucketAcl"},
    {"GET", BUCKET, "versioning", false, "GetBucketVersioning"},
    {"GET", BUCKET, "lifecycle", false, "GetBucketLifecycleConfiguration"},
    {"GET", BUCKET, "policy", false, "GetBucketPolicy"},
    {"GET", BUCKET, "list-type", false, "ListObjectsV2"},
    {"GET", BUCKET, NULL, false, "ListObjects"},
    {"HEAD", BUCKET, NULL, false, "HeadBucket"},
    {"PUT", BUCKET, "acl", false, "PutBucketAcl"},
    {"PUT", BUCKET, "versioning", false, "PutBucketVersioning"},
    {"PUT", BUCKET, "lifecycle", false, "PutBucketLifecycleConfiguration"},
    {"PUT", BUCKET, "policy", false, "PutBucketPolicy"},
    {"PUT", BUCKET, NULL, false, "CreateBucket"},
    {"POST", BUCKET, "delete", false, "DeleteObjects"},
    {"DELETE", BUCKET, "lifecycle", false, "DeleteBucketLifecycle"},
    {"DELETE", BUCKET, "policy", false, "DeleteBucketPolicy"},
    {"DELETE", BUCKET, NULL, false, "DeleteBucket"},
    {"GET", KEY, "uploadId", false, "ListParts"},
    {"GET", KEY, "acl", false, "GetObjectAcl"},
    {"GET", KEY, "tagging", false, "GetObjectTagging"},
    {"GET", KEY, "attributes", false, "GetObjectAttributes"},
    {"GET", KEY, NULL, false, "GetObject"},
    {"HEAD", KEY, NULL, false, "HeadObject"},
    {"PUT", KEY, "partNumber", true, "UploadPartCopy"},
    {"PUT", KEY, "partNumber", false, "UploadPart"},
    {"PUT", KEY, "acl", false, "PutObjectAcl"},
    {"PUT", KEY, "tagging", false, "PutObjectTagging"},
    {"PUT", KEY, NULL, true, "CopyObject"},
    {"PUT", KEY, NULL, false, "PutObject"},
    {"POST", KEY, "uploads", false, "CreateMultipartUpload"},
    {"POST", KEY, "uploadId", false, "CompleteMultipartUpload"},
    {"POST", KEY, "select", false, "SelectObjectContent"},
    {"POST", KEY, "restore", false, "RestoreObject"},
    {"DELETE", KEY, "uploadId", false, "AbortMultipartUpload"},
    {"DELETE", KEY, "tagging", false, "DeleteObjectTagging"},
    {"DELETE", KEY, NULL, false, "DeleteObject"},
};

static bool ends_with(struct fg_slice text, struct fg_slice end)
{
    return text.size >= end.size && strncasecmp((const char *)text.data + text.size - end.size,
                                                (const char *)end.data, end.size) == 0;
}

bool fg_s3_is_amazon(struct fg_slice host)
{
    return (ends_with(host, FG_SLICE(".amazonaws.com")) ||
            ends_with(host, FG_SLICE(".amazonaws.com.cn"))) &&
           (memmem(host.data, host.size, ".s3", 3) ||
            strncasecmp((const char *)host.data, "s3", 2) == 0);
}

/* What stands before ".s3." or ".s3-" of Amazon's host, or before a host of the list. */
static struct fg_slice bucket_of_host(struct fg_slice host, const char *virtual_hosts)
{
    if (fg_s3_is_amazon(host)) {
        for (size_t i = host.size - 3; i > 0; i--)
            if (memcmp(host.data + i, ".s3", 3) == 0 &&
                (host.data[i + 3] == '.' || host.data[i + 3] == '-'))
                return fg_slice(host.data, i);
        return (struct fg_slice){0};
    }
    for (const char *at = virtual_hosts; at && *at; at += strspn(at, ", ")) {
        struct fg_slice one = fg_slice(at, strcspn(at, ", "));
        at += one.size;
        if (one.size && host.size > one.size + 1 && ends_with(host, one) &&
            host.data[host.size - one.size - 1] == '.')
            return fg_slice(host.data, host.size - one.size - 1);
    }
    return (struct fg_slice){0};
}

void fg_s3_recognise(const char *method, const struct fg_url *url, const char *virtual_hosts,
                     bool is_copy, struct fg_s3_request *ret_request)
{
    struct fg_s3_request request = {.bucket = bucket_of_host(url->host, virtual_hosts)};
    struct fg_slice path = url->path;
    if (path.size && path.data[0] == '/')
        path = fg_slice(path.data + 1, path.size - 1);
    if (request.bucket.size == 0 && path.size) {
        const uint8_t *slash = memchr(path.data, '/', path.size);
        size_t size = slash ? (size_t)(slash - path.data) : path.size;
        request.bucket = fg_slice(path.data, size);
        path = slash ? fg_slice(slash + 1, path.size - size - 1) : fg_slice(path.data + size, 0);
    }
    request.key = path;
    enum scope scope = request.key.size ? KEY : request.bucket.size ? BUCKET : SERVICE;
    for (size_t i = 0; i < sizeof rules / sizeof *rules && !request.operation; i++) {
        const struct rule *rule = &rules[i];
        if (rule->scope == scope && strcmp(rule->method, method) == 0 &&
            (!rule->is_copy || is_copy) &&
            (!rule->with || fg_url_query_value(url->query, rule->with).data))
            request.operation = rule->operation;
    }
    request.upload_id = fg_url_query_value(url->query, "uploadId");
    struct fg_slice part = fg_url_query_value(url->query, "partNumber");
    for (size_t i = 0; i < part.size && i < 5 && isdigit(part.data[i]); i++)
        request.part_number = request.part_number * 10 + part.data[i] - '0';
    *ret_request = request;
}

struct fg_slice fg_s3_error_code(struct fg_slice body)
{
    static const char begin[] = "<Code>";
    const uint8_t *at = body.size ? memmem(body.data, body.size, begin, sizeof begin - 1) : NULL;
    if (!at || !memmem(body.data, (size_t)(at - body.data), "<Error", 6))
        return (struct fg_slice){0};
    at += sizeof begin - 1;
    size_t size = 0, left = (size_t)(body.data + body.size - at);
    while (size < left && (isalnum(at[size]) || at[size] == '.' || at[size] == '_'))
        size++;
    return fg_slice(at, size < left && at[size] == '<' && size <= 64 ? size : 0);
}
