/* What a person does by the command line to something that the server has by a name, as `filigree
 * flows accept order.id`: a POST of who it is and of what else belongs to it. */
#pragma once

#include "client.h"
#include "wire/json_writer.h"

struct fg_deed {
    const char *collection; /* "/api/v1/flows/"; the first word is the verb, the second the name */
    const char *too_long;   /* what is said of arguments that don't fit */
    /* Writes the body's fields beside `by`. */
    void (*write)(struct fg_json_writer *json, const struct fg_arguments *arguments);
};

/* As fg_client_post(). With --json the answer is shown, and *ret_answer is NULL. */
FG_MUST_CHECK enum fg_exit fg_deed_do(struct fg_cli *cli, const struct fg_arguments *arguments,
                                      const struct fg_deed *deed, json_t **ret_answer);
