/* A session with PostgreSQL that never outlasts a deadline and never holds more than it asked for,
 * whatever the server sends: libpq without blocking, with poll(2). */
#pragma once

#include "os/env.h"
#include "resolve.h"

#include <libpq-fe.h>

enum fg_pg_outcome {
    FG_PG_OK,
    FG_PG_REFUSED,  /* nobody listens */
    FG_PG_ERROR,    /* the server says no: sqlstate */
    FG_PG_PASSWORD, /* it wants a password, and none was given */
    FG_PG_NAME,     /* the host name could not be looked up */
    FG_PG_TIMEOUT,  /* time is up, or the network does not lead there */
    FG_PG_TLS,
    FG_PG_BROKEN, /* cut off, or what answers is no PostgreSQL */
    FG_PG_LARGE,  /* it sends more than was asked for */
    FG_PG_FAILED, /* no memory */
};

struct fg_pg_trouble {
    enum fg_pg_outcome outcome;
    const char *code; /* static: of a finding */
    char sqlstate[6]; /* of FG_PG_ERROR; else "" */
    char why[128];    /* a phrase without names, texts of the server, or secrets */
};

struct fg_pg_target {
    struct fg_env *env;
    struct fg_resolver *resolver;
    const char *host; /* a name, an address, or a folder with a socket */
    uint16_t port;
    const char *database, *user;
    const char *password; /* NULL: none */
    const char *tls;      /* libpq's sslmode */
    const char *ca_file;  /* NULL: the user's own, where there is one */
};

/* The addresses of the host are tried in turn. NULL with *ret_trouble; of several the most telling:
 * a refusal counts only where all refused. The session is closed by PQfinish(), which does not
 * block. */
PGconn *fg_pg_connect(const struct fg_pg_target *target, uint64_t deadline_mono_ns,
                      struct fg_pg_trouble *ret_trouble);

/* One statement with text parameters $1, $2, … (NULL, 0: none). NULL with *ret_trouble; after
 * anything but FG_PG_OK and FG_PG_ERROR the session is of no more use. The result is freed by
 * PQclear(). */
PGresult *fg_pg_query(PGconn *session, struct fg_env *env, const char *sql,
                      const char *const *parameters, uint32_t count, uint64_t deadline_mono_ns,
                      struct fg_pg_trouble *ret_trouble);

/* The SQLSTATE that ends the last line that has one, of a text of libpq in its terse form ("…
 * FATAL:  53300\n"); false where there is none. Reads up to the NUL. */
bool fg_pg_sqlstate_find(const char *message, char ret_sqlstate[6]);

/* What a failed connection's text says, for fg_pg_connect(). */
void fg_pg_explain(const char *message, bool needs_password, struct fg_pg_trouble *ret_trouble);

/* A field; the other value where it is NULL, no number, or outside of the result. */
int64_t fg_pg_int(const PGresult *result, int row, int column, int64_t otherwise);
double fg_pg_double(const PGresult *result, int row, int column, double otherwise);
bool fg_pg_bool(const PGresult *result, int row, int column);
/* "" for NULL; lives as long as the result. */
const char *fg_pg_text(const PGresult *result, int row, int column);

/* The numbers of a one-dimensional array as PostgreSQL prints it ("{1,2}"): count_max at most, what
 * is no number ends it. Returns how many. */
uint32_t fg_pg_int_array(const char *text, int64_t *ret_numbers, uint32_t count_max);
