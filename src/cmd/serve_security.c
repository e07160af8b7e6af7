/* What a server must have before it listens beyond its own machine, and what the api has to know of
 * how it can be reached. */
#include "serve.h"

#include "base/log.h"

#include <string.h>

struct reach {
    const char *listener; /* the setting */
    const char *address;
    int face;
};

static void reaches_of(const struct fg_config *config, struct reach ret_reaches[FG_FACE_COUNT])
{
    ret_reaches[0] = (struct reach){"otlp-grpc", config->otlp_grpc, FG_FACE_OTLP_GRPC};
    ret_reaches[1] = (struct reach){"otlp-http", config->otlp_http, FG_FACE_OTLP_HTTP};
    ret_reaches[2] = (struct reach){"api", config->api, FG_FACE_API};
}

static const char *insecure_word(const struct fg_config *config)
{
    size_t count;
    const struct fg_setting *settings = fg_settings(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(settings[i].name, "insecure") == 0)
            return settings[i].choices[config->insecure];
    return "";
}

struct fg_api_security fg_serve_security(const struct fg_serve *serve)
{
    const struct fg_config *config = serve->config;
    struct fg_api_security security = {.insecure = insecure_word(config),
                                       .has_few_files = serve->has_few_files,
                                       .has_few_calls = serve->has_few_calls};
    struct reach reaches[FG_FACE_COUNT];
    reaches_of(config, reaches);
    for (size_t i = 0; i < FG_FACE_COUNT; i++) {
        const unsigned bit = 1u << reaches[i].face;
        /* Who takes the risk of being open may want a proxy in front of it. */
        if (config->insecure != FG_INSECURE_OPEN && fg_address_is_loopback(reaches[i].address))
            security.local_faces |= bit;
        if (fg_serve_tls_is_on(serve, reaches[i].listener))
            security.tls_faces |= bit;
    }
    return security;
}

enum fg_exit fg_serve_security_check(const struct fg_serve *serve)
{
    const struct fg_config *config = serve->config;
    struct reach reaches[FG_FACE_COUNT];
    reaches_of(config, reaches);
    for (size_t i = 0; i < FG_FACE_COUNT; i++) {
        const struct reach *reach = &reaches[i];
        if (config->insecure == FG_INSECURE_OPEN || fg_address_is_loopback(reach->address))
            continue;
        if (config->insecure == FG_INSECURE_NO && !fg_serve_tls_is_on(serve, reach->listener))
            return fg_cli_fail(
                serve->cli, FG_EXIT_USAGE,
                "%s %s is reached from other machines, and whoever is on the way could listen in: "
                "give it a certificate by tls-cert and tls-key (`filigree certs` makes one), or "
                "take that risk by --insecure anyone-may-listen-in",
                reach->listener, reach->address);
    }
    if (config->insecure != FG_INSECURE_NO)
        fg_log(FG_LOG_WARN, "a risk was taken by the setting insecure", "risk=%s",
               insecure_word(config));
    return FG_EXIT_OK;
}
