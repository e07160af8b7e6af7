/* Who is told of alerts: alert-webhook's addresses of everything, and an owner of a place
 * (owner-webhooks) of incidents there, beside them or (owner-instead) in their place. Two owners of
 * one address and one token are one receiver. */
#include "journey/incidents.h"
#include "net/webhook.h"
#include "serve.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(FG_SERVE_RECEIVERS_MAX == FG_WEBHOOK_URLS_MAX, "as many as the sender takes");

/* "OWNER=REST"; NULL where it is none. */
static const char *rest_of(const char *item, struct fg_slice *ret_owner)
{
    const char *at = strchr(item, '=');
    if (!at || at == item || at[1] == 0)
        return NULL;
    *ret_owner = fg_slice(item, (size_t)(at - item));
    return at + 1;
}

/* What a list says of an owner; NULL: nothing. */
static const char *find(const struct fg_config_list *list, struct fg_slice owner)
{
    struct fg_slice name;
    for (size_t i = 0; i < list->count; i++) {
        const char *rest = rest_of(list->items[i], &name);
        if (rest && fg_slice_equal(name, owner))
            return rest;
    }
    return NULL;
}

static bool is_owner(const struct fg_config *config, struct fg_slice name)
{
    for (size_t i = 0; i < config->owners.count; i++) {
        const char *at = strchr(config->owners.items[i], '=');
        if (at && fg_slice_equal(fg_slice_from_string(at + 1), name))
            return true;
    }
    return false;
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Who is told of everything at an address need not be told there once more. */
static bool is_told_anyway(const struct fg_serve_receivers *receivers, const char *url,
                           const char *token)
{
    for (uint32_t i = 0; !token && i < receivers->count - receivers->own_count; i++)
        if (is_same(receivers->urls[i], url))
            return true;
    return false;
}

/* Where a receiver stands among the owners' own; the count: nowhere. */
static uint32_t index_of(const struct fg_serve_receivers *receivers, const char *url,
                         const char *token)
{
    uint32_t i = receivers->count - receivers->own_count;
    while (i < receivers->count &&
           !(is_same(receivers->urls[i], url) && is_same(receivers->tokens[i], token)))
        i++;
    return i;
}

/* Each item names an owner, and each owner once. */
static enum fg_exit check(struct fg_serve *serve, const char *setting,
                          const struct fg_config_list *list, const struct fg_config_list *known)
{
    struct fg_slice owner;
    for (size_t i = 0; i < list->count; i++) {
        const char *rest = rest_of(list->items[i], &owner);
        if (!rest)
            return fg_cli_fail(serve->cli, FG_EXIT_USAGE, "%s: '%s': expected OWNER=%s", setting,
                               list->items[i], known ? "FILE" : "ADDRESS");
        if (known ? !find(known, owner) : !is_owner(serve->config, owner))
            return fg_cli_fail(serve->cli, FG_EXIT_USAGE, "%s: %s names no \"%.*s\"", setting,
                               known ? "owner-webhooks" : "owners", (int)owner.size,
                               (const char *)owner.data);
        if (find(list, owner) != rest)
            return fg_cli_fail(serve->cli, FG_EXIT_USAGE, "%s: \"%.*s\" is there twice", setting,
                               (int)owner.size, (const char *)owner.data);
    }
    return FG_EXIT_OK;
}

static bool is_listed(const struct fg_config_list *list, struct fg_slice name)
{
    for (size_t i = 0; i < list->count; i++)
        if (fg_slice_equal(fg_slice_from_string(list->items[i]), name))
            return true;
    return false;
}

/* Who is told in the place of others has to be told somewhere, and not where they are. */
static enum fg_exit check_instead(struct fg_serve *serve)
{
    const struct fg_config *config = serve->config;
    for (size_t i = 0; i < config->owner_instead.count; i++) {
        const char *owner = config->owner_instead.items[i],
                   *url = find(&config->owner_webhooks, fg_slice_from_string(owner));
        if (!url)
            return fg_cli_fail(serve->cli, FG_EXIT_USAGE,
                               "owner-instead: owner-webhooks names no \"%s\"", owner);
        for (size_t k = 0; k < config->alert_webhooks.count; k++)
            if (strcmp(config->alert_webhooks.items[k], url) == 0)
                return fg_cli_fail(
                    serve->cli, FG_EXIT_USAGE,
                    "owner-instead: \"%s\" has an address of alert-webhook, which is "
                    "told of everything",
                    owner);
    }
    return FG_EXIT_OK;
}

enum fg_exit fg_serve_receivers_read(struct fg_serve *serve)
{
    const struct fg_config *config = serve->config;
    struct fg_serve_receivers *receivers = calloc(1, sizeof *receivers);
    serve->receivers = receivers;
    if (!receivers)
        return fg_cli_fail(serve->cli, FG_EXIT_FAILED, "can't start: out of memory");
    enum fg_exit code = check(serve, "owner-webhooks", &config->owner_webhooks, NULL);
    if (code == FG_EXIT_OK)
        code = check(serve, "owner-tokens", &config->owner_tokens, &config->owner_webhooks);
    if (code == FG_EXIT_OK)
        code = check_instead(serve);
    if (code != FG_EXIT_OK)
        return code;
    if (config->alert_webhooks.count + config->owner_webhooks.count > FG_SERVE_RECEIVERS_MAX)
        return fg_cli_fail(serve->cli, FG_EXIT_USAGE,
                           "alert-webhook, owner-webhooks: at most %u addresses in all",
                           FG_SERVE_RECEIVERS_MAX);
    for (size_t i = 0; i < config->alert_webhooks.count; i++)
        receivers->urls[receivers->count++] = config->alert_webhooks.items[i];
    for (size_t i = 0; i < config->owner_webhooks.count; i++) {
        struct fg_slice owner;
        const char *url = rest_of(config->owner_webhooks.items[i], &owner);
        const char *token = find(&config->owner_tokens, owner);
        if (is_told_anyway(receivers, url, token) ||
            index_of(receivers, url, token) < receivers->count)
            continue;
        receivers->urls[receivers->count] = url;
        receivers->tokens[receivers->count++] = token;
        receivers->own_count++;
    }
    return FG_EXIT_OK;
}

uint32_t fg_serve_receivers_of(const struct fg_serve *serve, struct fg_slice owner,
                               bool *ret_is_instead)
{
    const char *url = owner.size ? find(&serve->config->owner_webhooks, owner) : NULL;
    *ret_is_instead = url && is_listed(&serve->config->owner_instead, owner);
    if (!url)
        return 0;
    uint32_t index = index_of(serve->receivers, url, find(&serve->config->owner_tokens, owner));
    return index < serve->receivers->count ? UINT32_C(1) << index : 0;
}
