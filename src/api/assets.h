/* Files that are built into the binary: made by tools/embed. */
#pragma once

#include <stddef.h>

struct fg_asset {
    const char *path; /* "/openapi.yaml" */
    const char *content_type;
    const char *etag; /* in quotes */
    const unsigned char *data;
    size_t size;
    const unsigned char *gzip_data; /* NULL where it would not be smaller */
    size_t gzip_size;
};

extern const struct fg_asset fg_assets[];
extern const size_t fg_asset_count;

struct fg_exchange;

/* asset_route.c: answers with the file; 304 where the client has it already. */
void fg_answer_asset(struct fg_exchange *exchange, const char *path);

/* The pages' document with another status than 200: it finds out itself what to say. */
void fg_answer_frame(struct fg_exchange *exchange, unsigned status);
