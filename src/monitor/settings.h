/* One entry of a file of monitors, as it was read: keys and texts, each with its line. parse.c
 * fills it, a kind reads it by the getters of check.h (settings.c). */
#pragma once

#include "monitor/check.h"

#define FG_CHECK_SETTINGS_MAX 64u
#define FG_CHECK_LIST_MAX     256u

struct fg_setting_entry {
    const char *key;
    uint32_t line; /* from 1 */
    bool is_list, is_known;
    uint32_t item_count;
    const char *const *items;
};

struct fg_check_settings {
    struct fg_env *env;
    struct fg_arena *arena; /* the monitor's own: everything in here lies in it */
    const char *file_name;
    uint32_t line;            /* of the entry */
    struct fg_buffer *errors; /* NULL once the check is open */
    bool is_wrong;            /* something was complained of */
    const char *secrets;      /* the folder that …-file must lie in; NULL: any */
    uint32_t count;
    struct fg_setting_entry entries[FG_CHECK_SETTINGS_MAX];
};

/* NULL: absent. Does not make the key known. */
struct fg_setting_entry *fg_settings_find(struct fg_check_settings *settings, const char *key);

/* Complains of every key that nobody asked for. */
void fg_settings_complain_unknown(struct fg_check_settings *settings, const char *kind);
