/* What monitors keep in the keyed state, in a table of their own: under "s/NAME" what was believed,
 * as "RESULT SINCE", under "c/NAME" the text of a monitor that the API added. */
#include "monitor/added.h"
#include "monitors_internal.h"

#include "store/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TABLE        "monitors"
#define KEY_SIZE_MAX (FG_MONITOR_NAME_SIZE_MAX + 3)

static struct fg_slice key_of(char prefix, const char *name, char ret_key[KEY_SIZE_MAX])
{
    snprintf(ret_key, KEY_SIZE_MAX, "%c/%s", prefix, name);
    return fg_slice_from_string(ret_key);
}

int fg_monitors_state_open(struct fg_monitors *monitors)
{
    if (!monitors->options.state)
        return 0;
    return fg_state_tenant_table(monitors->options.state, TABLE, monitors->options.tenant,
                                 &monitors->table);
}

static int put(struct fg_monitors *monitors, struct fg_slice key, const struct fg_slice *value)
{
    struct fg_state_batch *batch;
    if (!monitors->options.state)
        return FG_EUNSUPPORTED;
    int r = fg_state_batch_new(monitors->options.state, &batch);
    if (r < 0)
        return r;
    if (value)
        fg_state_put(batch, monitors->table, key, *value);
    else
        fg_state_delete(batch, monitors->table, key);
    return fg_state_commit_take(monitors->options.state, batch);
}

/* -- What is believed */

static bool parse_belief(struct fg_slice value, struct fg_belief *belief)
{
    char text[64], name[16];
    uint64_t since_ns;
    if (value.size >= sizeof text)
        return false;
    memcpy(text, value.data, value.size);
    text[value.size] = 0;
    if (sscanf(text, "%15s %" SCNu64, name, &since_ns) != 2)
        return false;
    for (int result = FG_CHECK_OK; result <= FG_CHECK_UNKNOWN; result++) {
        if (strcmp(name, fg_check_result_name((enum fg_check_result)result)) != 0)
            continue;
        *belief = (struct fg_belief){.result = (enum fg_check_result)result, .since_ns = since_ns};
        return true;
    }
    return false;
}

void fg_monitor_restore(struct fg_monitors *monitors, const char *name, struct fg_belief *belief)
{
    char key[KEY_SIZE_MAX];
    struct fg_state_view *view;
    struct fg_slice value;
    if (!monitors->options.state || fg_state_view_take(monitors->options.state, &view) < 0)
        return;
    if (fg_state_get(view, monitors->table, key_of('s', name, key), &value) == 0)
        (void)parse_belief(value, belief);
    fg_state_view_release(view);
}

void fg_monitor_remember(struct fg_monitors *monitors, const char *name,
                         const struct fg_belief *belief)
{
    char key[KEY_SIZE_MAX], text[64];
    snprintf(text, sizeof text, "%s %" PRIu64, fg_check_result_name(belief->result),
             belief->since_ns);
    struct fg_slice value = fg_slice_from_string(text);
    (void)put(monitors, key_of('s', name, key), &value);
}

void fg_monitor_forget(struct fg_monitors *monitors, const char *name)
{
    char key[KEY_SIZE_MAX];
    (void)put(monitors, key_of('s', name, key), NULL);
}

/* -- What the API adds */

int fg_monitors_add(struct fg_monitors *monitors, const char *secrets, const char *name,
                    struct fg_slice text, struct fg_buffer *errors)
{
    const struct fg_monitor_source source = {
        .env = monitors->options.env, .file_name = name, .secrets = secrets};
    struct fg_monitor_config *config;
    char key[KEY_SIZE_MAX];
    bool is_declared = false;
    int r = fg_monitor_config_parse(&source, name, text, errors, &config);
    if (r < 0)
        return r;
    fg_mutex_lock(&monitors->mutex);
    const struct fg_monitor *before = fg_monitors_find(monitors, name);
    is_declared = before && !before->is_added;
    bool is_full = !before && monitors->count == FG_MONITORS_MAX;
    fg_mutex_unlock(&monitors->mutex);
    r = is_declared ? FG_EEXIST : is_full ? FG_ELIMIT : 0;
    if (r == 0)
        r = put(monitors, key_of('c', name, key), &text);
    if (r == 0)
        return fg_monitors_put_take(monitors, config, true);
    fg_monitor_config_free(config);
    return r;
}

int fg_monitors_drop(struct fg_monitors *monitors, const char *name)
{
    char key[KEY_SIZE_MAX];
    fg_mutex_lock(&monitors->mutex);
    const struct fg_monitor *monitor = fg_monitors_find(monitors, name);
    int r = !monitor ? FG_ENOTFOUND : !monitor->is_added ? FG_EEXIST : 0;
    fg_mutex_unlock(&monitors->mutex);
    if (r == 0)
        r = put(monitors, key_of('c', name, key), NULL);
    return r == 0 ? fg_monitors_remove(monitors, name) : r;
}

struct loading {
    struct fg_monitors *monitors;
    const char *secrets;
    struct fg_buffer *errors;
    struct fg_monitor_configs configs;
};

static int load_one(void *arg, struct fg_slice key, struct fg_slice value)
{
    struct loading *loading = arg;
    char name[FG_MONITOR_NAME_SIZE_MAX + 1];
    const struct fg_monitor_source source = {
        .env = loading->monitors->options.env, .file_name = name, .secrets = loading->secrets};
    struct fg_monitor_config *config;
    struct fg_slice rest = fg_slice(key.data + 2, key.size - 2);
    if (!fg_monitor_name_valid(rest))
        return 0;
    memcpy(name, rest.data, rest.size);
    name[rest.size] = 0;
    int r = fg_monitor_config_parse(&source, name, value, loading->errors, &config);
    if (r < 0) /* it is kept, and said: a setting of the server may have changed */
        return r == FG_EINVALID ? 0 : r;
    r = fg_monitor_configs_append(&loading->configs, config);
    if (r < 0)
        fg_monitor_config_free(config);
    return r;
}

struct sweep {
    struct fg_monitors *monitors;
    struct fg_state_batch *batch;
    bool is_empty;
};

static int sweep_one(void *arg, struct fg_slice key, struct fg_slice value)
{
    struct sweep *sweep = arg;
    char name[FG_MONITOR_NAME_SIZE_MAX + 1] = "";
    struct fg_slice rest = fg_slice(key.data + 2, key.size - 2);
    (void)value;
    if (rest.size < sizeof name)
        memcpy(name, rest.data, rest.size);
    fg_mutex_lock(&sweep->monitors->mutex);
    bool is_known = fg_monitors_find(sweep->monitors, name) != NULL;
    fg_mutex_unlock(&sweep->monitors->mutex);
    if (!is_known) {
        fg_state_delete(sweep->batch, sweep->monitors->table, key);
        sweep->is_empty = false;
    }
    return 0;
}

/* What was believed of monitors that are no more: they were taken out of their file. */
static int sweep(struct fg_monitors *monitors)
{
    struct sweep sweep = {.monitors = monitors, .is_empty = true};
    struct fg_state_view *view;
    int r = fg_state_batch_new(monitors->options.state, &sweep.batch);
    if (r < 0)
        return r;
    r = fg_state_view_take(monitors->options.state, &view);
    if (r == 0) {
        r = fg_state_each(view, monitors->table, FG_SLICE("s/"), (struct fg_slice){0}, sweep_one,
                          &sweep, NULL);
        fg_state_view_release(view);
    }
    if (r == 0 && !sweep.is_empty)
        return fg_state_commit_take(monitors->options.state, sweep.batch);
    fg_state_batch_free(sweep.batch);
    return r;
}

int fg_monitors_load_added(struct fg_monitors *monitors, const char *secrets,
                           struct fg_buffer *errors)
{
    struct loading loading = {.monitors = monitors, .secrets = secrets, .errors = errors};
    struct fg_state_view *view;
    if (!monitors->options.state)
        return 0;
    int r = fg_state_view_take(monitors->options.state, &view);
    if (r < 0)
        return r;
    r = fg_state_each(view, monitors->table, FG_SLICE("c/"), (struct fg_slice){0}, load_one,
                      &loading, NULL);
    fg_state_view_release(view);
    for (uint32_t i = 0; r == 0 && i < loading.configs.count; i++) {
        struct fg_monitor_config *config = loading.configs.items[i];
        fg_mutex_lock(&monitors->mutex);
        bool is_declared = fg_monitors_find(monitors, config->name) != NULL;
        fg_mutex_unlock(&monitors->mutex);
        if (is_declared) /* a file's comes first */
            continue;
        loading.configs.items[i] = NULL;
        r = fg_monitors_put_take(monitors, config, true);
    }
    fg_monitor_configs_free(&loading.configs);
    return r == 0 ? sweep(monitors) : r;
}

int fg_monitors_added_text(struct fg_monitors *monitors, const char *name, struct fg_buffer *text)
{
    char key[KEY_SIZE_MAX];
    struct fg_state_view *view;
    struct fg_slice value;
    if (!monitors->options.state)
        return FG_ENOTFOUND;
    int r = fg_state_view_take(monitors->options.state, &view);
    if (r < 0)
        return r;
    r = fg_state_get(view, monitors->table, key_of('c', name, key), &value);
    if (r == 0)
        fg_buffer_append_slice(text, value);
    fg_state_view_release(view);
    return r < 0 ? r : text->error;
}
