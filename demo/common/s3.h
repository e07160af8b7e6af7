/* Objects of an S3 server. One S3 may be used by several threads. */
#ifndef DEMO_S3_H
#define DEMO_S3_H

#include <stddef.h>

#define S3_TEXT_SIZE 256

struct s3;

struct s3_failure {
    long status;             /* of HTTP; 0 where there was no answer */
    char text[S3_TEXT_SIZE]; /* S3's code, or libcurl's words */
};

/* From S3_ENDPOINT, S3_ACCESS_KEY, S3_SECRET_KEY. NULL: out of memory. */
struct s3 *s3_new(void);
void s3_free(struct s3 *s3);

/* key: "bucket/object", of letters, digits and .-_/ . 0, or -1 with the reason. */
int s3_put(struct s3 *s3, const char *key, const char *data, size_t size,
           struct s3_failure *ret_failure);
/* The object's bytes, which the caller frees; at most size_max. */
int s3_get(struct s3 *s3, const char *key, size_t size_max, char **ret_data, size_t *ret_size,
           struct s3_failure *ret_failure);

#endif
