/* `filigree incidents`: what its files share. */
#pragma once

#include "client.h"

/* incidents_act.c: import FILE, acknowledge ID, resolve ID, note ID TEXT. */
enum fg_exit fg_incidents_act(struct fg_cli *cli, const struct fg_arguments *arguments);

/* incidents.c: one incident, for people. */
void fg_incidents_print(struct fg_cli *cli, const json_t *root);
