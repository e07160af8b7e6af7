/* Names of journeys that are to be forgotten, since nothing is left of them after an erase: whoever
 * wrote them down (incidents) strikes them out. Not thread-safe. */
#pragma once

#include "base/buffer.h"
#include "base/idmap.h"

struct fg_predicate;

struct fg_gone {
    struct fg_buffer names;  /* each: size of the key and of the value as le16, key, value */
    struct fg_idmap by_name; /* hash → where in names */
    bool all;                /* so much was erased that it is not known whose names they were */
};

void fg_gone_init(struct fg_gone *gone);
void fg_gone_free(struct fg_gone *gone);

/* A name that does not fit makes it `all`. */
void fg_gone_add(struct fg_gone *gone, struct fg_slice key, struct fg_slice value);
/* What was asked to be erased by name: attributes that equal a text or a whole number, alone or in
 * an OR. */
void fg_gone_add_asked(struct fg_gone *gone, const struct fg_predicate *predicate);

/* The next name behind *rest, which begins as fg_buffer_slice(&gone->names); false: there is none.
 */
bool fg_gone_next(struct fg_slice *rest, struct fg_slice *ret_key, struct fg_slice *ret_value);
bool fg_gone_has(const struct fg_gone *gone, struct fg_slice key, struct fg_slice value);
