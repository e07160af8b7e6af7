/* Which S3 operation an HTTP request is (Amazon S3 API Reference, "Actions"). Pure functions. */
#pragma once

#include "../instrument/tell.h"

struct fg_s3_request {
    const char *operation;       /* "PutObject"; NULL where no rule fits */
    struct fg_slice bucket, key; /* as they stand in the URL */
    struct fg_slice upload_id;
    int64_t part_number; /* 0: none */
};

/* method as on the wire. bucket_host: "shop-models" of shop-models.s3.eu-west-1.amazonaws.com goes
 * by itself; other hosts are taken as paths that begin with the bucket, but where they end in one
 * of virtual_hosts ("s3.local,…"; may be NULL). is_copy: the header x-amz-copy-source is there. */
void fg_s3_recognise(const char *method, const struct fg_url *url, const char *virtual_hosts,
                     bool is_copy, struct fg_s3_request *ret_request);

/* Whether the host is Amazon's. */
bool fg_s3_is_amazon(struct fg_slice host);

/* "NoSuchKey" of an error's XML body; empty where there is none. */
struct fg_slice fg_s3_error_code(struct fg_slice body);
