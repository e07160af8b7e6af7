/* Monitors as files declare them (doc/monitors.md has the whole form):
 *
 *     monitors:
 *       - name: shop-db
 *         kind: postgresql
 *         interval: 15s
 *         host: shop-db.internal
 *         password-file: /etc/filigree/shop-db.password
 */
#pragma once

#include "monitor/check.h"

#define FG_MONITOR_NAME_SIZE_MAX 100u
#define FG_MONITORS_MAX          2000u

#define FG_MONITOR_INTERVAL_NS   (15 * UINT64_C(1000000000))
#define FG_MONITOR_TIME_LIMIT_NS (5 * UINT64_C(1000000000))
#define FG_MONITOR_CONFIRM       2u

/* One monitor: what the scheduler needs of it, and its check, open. All texts are its own. */
struct fg_monitor_config {
    const char *name; /* letters, digits, '.', '_', '-' */
    const struct fg_check_kind *kind;
    const char *tenant;  /* whose components it watches; NULL: the default tenant's */
    const char *service; /* what spans and the map call the component; NULL: not said */
    uint64_t interval_ns, time_limit_ns;
    uint32_t confirm; /* how often a bad result is looked at again before it is believed */
    bool is_paused;   /* declared, and not run */
    const char *file_name;
    uint32_t line;
    void *check;
    struct fg_check_settings *settings;
    struct fg_arena arena;
};

struct fg_monitor_configs {
    struct fg_monitor_config **items; /* each of its own: who takes one puts NULL in its place */
    uint32_t count, capacity;
};

struct fg_monitor_source {
    struct fg_env *env;
    const struct fg_check_kind *const *kinds; /* NULL: fg_check_kinds */
    const char *file_name;
    /* The folder in which alone secrets' files may lie, and no secret comes from the environment:
     * for what does not come from a file of the server's own. NULL: anywhere. */
    const char *secrets;
};

/* Appends the monitors of a file. FG_EINVALID with a line for each thing that is wrong, with file
 * and line, in errors: then what was appended is all that is right of it. FG_ELIMIT, FG_ENOMEM. */
FG_MUST_CHECK int fg_monitor_configs_parse(const struct fg_monitor_source *source,
                                           struct fg_slice text, struct fg_buffer *errors,
                                           struct fg_monitor_configs *configs);
/* One monitor: the mapping alone, in YAML or JSON. name: its name, where the text has none. */
FG_MUST_CHECK int fg_monitor_config_parse(const struct fg_monitor_source *source, const char *name,
                                          struct fg_slice text, struct fg_buffer *errors,
                                          struct fg_monitor_config **ret_config);

/* Consumes config where it returns 0. FG_ENOMEM. */
FG_MUST_CHECK int fg_monitor_configs_append(struct fg_monitor_configs *configs,
                                            struct fg_monitor_config *config);

/* Every file and folder that its settings name: secrets, authorities, a process's number, /proc. */
void fg_monitor_config_paths(const struct fg_monitor_config *config,
                             void (*fn)(void *arg, const char *path), void *arg);

bool fg_monitor_name_valid(struct fg_slice name);

/* Closes the check. NULL is accepted. */
void fg_monitor_config_free(struct fg_monitor_config *config);
void fg_monitor_configs_free(struct fg_monitor_configs *configs);
