/* The rules that are in force from the first start: what every company would rather not find in its
 * traces. doc/redaction.md explains each. */
#include "redact/rules.h"

#define KEYS(array) .keys = (array), .key_count = sizeof(array) / sizeof *(array)

/* What opens a door. */
static const char *const credential_keys[] = {
    "*password",
    "*passwd",
    "pwd",
    "*.pwd",
    "*passphrase",
    "*secret",
    "*secret_key",
    "*secretkey",
    "*private_key",
    "*privatekey",
    "*api_key",
    "*apikey",
    "*api-key",
    "*access_key",
    "*accesskey",
    "token",
    "*.token",
    "*_token",
    "*-token",
    "*credentials",
    "authorization",
    "*.authorization",
    "*.proxy-authorization",
    "cookie",
    "*.cookie",
    "set-cookie",
    "*.set-cookie",
};

static const char *const card_keys[] = {
    "card_number", "*.card_number", "card.number", "*.card.number", "cardnumber",
    "cvv",         "*.cvv",         "cvc",         "*.cvc",
};

/* Names that machines give: what looks like a person's there is none. */
static const char *const machine_keys[] = {
    "messaging.message.id", "messaging.message.conversation_id",
    "service.instance.id",  "host.id",
    "container.id",         "k8s.*",
    "*.trace_id",           "*.span_id",
    "telemetry.*",          "schema_url",
};

static const char *const sql_keys[] = {"db.query.text", "db.statement"};
static const char *const parameter_keys[] = {"db.query.parameter.*", "db.statement.parameter*"};
static const char *const url_keys[] = {
    "url.full", "url.query", "http.url", "http.target", "*.header.referer", "*.header.location",
};
static const char *const person_keys[] = {
    "user.email",     "user.name",    "user.full_name", "enduser.email", "*.phone", "phone",
    "*.phone_number", "phone_number", "*.mobile",       "email",         "*.email",
};

const struct fg_redact_rule fg_redact_default_rules[] = {
    {.name = "credentials", KEYS(credential_keys), .action = FG_REDACT_DROP},
    {.name = "card-keys", KEYS(card_keys), .action = FG_REDACT_DROP},
    {.name = "machine-ids",
     KEYS(machine_keys),
     .kinds = FG_REDACT_EMAIL | FG_REDACT_PHONE | FG_REDACT_CARD,
     .action = FG_REDACT_KEEP},
    {.name = "sql", KEYS(sql_keys), .kinds = FG_REDACT_SQL, .action = FG_REDACT_MASK},
    {.name = "sql-parameters", KEYS(parameter_keys), .action = FG_REDACT_MASK},
    {.name = "url", KEYS(url_keys), .kinds = FG_REDACT_URL, .action = FG_REDACT_MASK},
    {.name = "person-keys", KEYS(person_keys), .action = FG_REDACT_HASH},
    {.name = "private-key", .kinds = FG_REDACT_PRIVATE_KEY, .action = FG_REDACT_MASK},
    {.name = "token", .kinds = FG_REDACT_TOKEN, .action = FG_REDACT_MASK},
    {.name = "secret", .kinds = FG_REDACT_SECRET, .action = FG_REDACT_MASK},
    {.name = "card", .kinds = FG_REDACT_CARD, .action = FG_REDACT_MASK},
    {.name = "email", .kinds = FG_REDACT_EMAIL, .action = FG_REDACT_HASH},
    {.name = "phone", .kinds = FG_REDACT_PHONE, .action = FG_REDACT_MASK},
};

const size_t fg_redact_default_rule_count =
    sizeof fg_redact_default_rules / sizeof *fg_redact_default_rules;
