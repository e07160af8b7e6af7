/* Where `filigree serve` finds its configuration: --config or FILIGREE_CONFIG, the environment,
 * flags. */
#pragma once

#include "command.h"
#include "config.h"

/* FG_EXIT_OK with *ret_config, or a code after it has said on standard error what is wrong. */
FG_MUST_CHECK enum fg_exit fg_serve_config_load(struct fg_cli *cli,
                                                const struct fg_arguments *arguments,
                                                struct fg_config **ret_config);
