/* Members of an object in the native API's answers. */
#pragma once

#include "wire/json_writer.h"

/* null where the text is empty. */
void fg_write_text(struct fg_json_writer *json, const char *key, struct fg_slice text);
/* "" where it is empty. */
void fg_write_string(struct fg_json_writer *json, const char *key, struct fg_slice text);
/* null where name is NULL. */
void fg_write_name(struct fg_json_writer *json, const char *key, const char *name);
/* RFC 3339; null for 0, where that says that there is none. */
void fg_write_time(struct fg_json_writer *json, const char *key, uint64_t ns);
/* The same of one that is always there. */
void fg_write_moment(struct fg_json_writer *json, const char *key, uint64_t ns);
void fg_write_flag(struct fg_json_writer *json, const char *key, bool value);
void fg_write_count(struct fg_json_writer *json, const char *key, uint64_t count);
