/* Where `filigree serve` finds its configuration: --config or FILIGREE_CONFIG, the environment,
 * flags. */
#pragma once

#include "command.h"
#include "config.h"

struct fg_api_settings;

#define FG_CONFIG_ERRORS_SIZE_MAX ((size_t)64 << 10)

/* FG_EXIT_OK with *ret_config, or another code; messages then holds a line for each thing that is
 * wrong. With FG_EXIT_OK it holds warnings. */
FG_MUST_CHECK enum fg_exit fg_serve_config_load(struct fg_cli *cli,
                                                const struct fg_arguments *arguments,
                                                struct fg_buffer *messages,
                                                struct fg_config **ret_config);

/* What of it the api takes. Borrows from config. */
struct fg_api_settings fg_serve_api_settings(const struct fg_config *config);
