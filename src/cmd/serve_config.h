/* Where `filigree serve` finds its configuration: --config or FILIGREE_CONFIG, the environment,
 * flags. */
#pragma once

#include "command.h"
#include "config.h"

struct fg_api_settings;

#define FG_CONFIG_ERRORS_SIZE_MAX ((size_t)64 << 10)

/* The file of --config or FILIGREE_CONFIG; NULL: there is none. */
const char *fg_serve_config_path(const struct fg_arguments *arguments);

/* FG_EXIT_OK with *ret_config, or another code; messages then holds a line for each thing that is
 * wrong. With FG_EXIT_OK it holds warnings. */
FG_MUST_CHECK enum fg_exit fg_serve_config_load(struct fg_cli *cli,
                                                const struct fg_arguments *arguments,
                                                struct fg_buffer *messages,
                                                struct fg_config **ret_config);

#define FG_SERVE_WHY_SIZE ((size_t)5 << 10)
/* Why a file could not be read, and what to do where it is what the process gave up
 * (serve_confine.c); text is room for it. */
const char *fg_serve_why_unread(const char *path, int error, char text[FG_SERVE_WHY_SIZE]);

/* What of it the api takes. Borrows from config. */
struct fg_api_settings fg_serve_api_settings(const struct fg_config *config);
