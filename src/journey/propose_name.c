/* What an attribute's name alone tells of whether it may name a business object. */
#include "propose_name.h"

#include <ctype.h>
#include <string.h>

/* Of OpenTelemetry's semantic conventions and their forerunners: they tell of calls, machines,
 * programs and people. */
static const char *const well_known[] = {
    "android.",    "artifact.",    "aws.",
    "az.",         "azure.",       "browser.",
    "cicd.",       "client.",      "cloud.",
    "code.",       "component",    "container.",
    "cpu.",        "cpython.",     "db.",
    "deployment.", "destination.", "device.",
    "disk.",       "dns.",         "elasticsearch.",
    "enduser.",    "error.",       "event.",
    "exception.",  "faas.",        "feature_flag.",
    "file.",       "gcp.",         "gen_ai.",
    "geo.",        "go.",          "graphql.",
    "heroku.",     "host.",        "http.",
    "hw.",         "internal.",    "ios.",
    "jvm.",        "k8s.",         "linux.",
    "log.",        "message.",     "messaging.",
    "mobile.",     "net.",         "network.",
    "nodejs.",     "oci.",         "opentracing.",
    "os.",         "otel.",        "peer.",
    "pool.",       "process.",     "profile.",
    "rpc.",        "sampl",        "Sampl",
    "server.",     "service.",     "session.",
    "signalr.",    "source.",      "span.",
    "system.",     "telemetry.",   "test.",
    "thread.",     "tls.",         "trace.",
    "traceId",     "trace_id",     "spanId",
    "span_id",     "url.",         "user.",
    "user_agent.", "v8js.",        "vcs.",
    "webengine.",  "zos.",         "host",
    "hostname",    "instance",     "ip",
    "pid",         "request.id",   "request_id",
    "requestId",
};

static const char *const secrets[] = {"password", "passwd", "secret",     "token", "authorization",
                                      "cookie",   "apikey", "api_key",    "card",  "iban",
                                      "cvv",      "ssn",    "credential", "email", "phone"};

static const char *const identifiers[] = {"id", "uuid", "guid", "key",       "number", "no",
                                          "nr", "num",  "ref",  "reference", "code"};

static bool begins(struct fg_slice name, const char *head)
{
    size_t size = strlen(head);
    bool is_whole =
        head[size - 1] != '.' && strcmp(head, "sampl") != 0 && strcmp(head, "Sampl") != 0;
    return name.size >= size && memcmp(name.data, head, size) == 0 &&
           (!is_whole || name.size == size);
}

bool fg_key_name_is_well_known(struct fg_slice name)
{
    for (size_t i = 0; i < sizeof well_known / sizeof *well_known; i++)
        if (begins(name, well_known[i]))
            return true;
    return false;
}

bool fg_key_name_is_secret(struct fg_slice name)
{
    char text[128];
    size_t size = name.size < sizeof text - 1 ? name.size : sizeof text - 1;
    for (size_t i = 0; i < size; i++)
        text[i] = (char)tolower(name.data[i]);
    text[size] = 0;
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        if (strstr(text, secrets[i]))
            return true;
    return false;
}

bool fg_key_name_is_identifier(struct fg_slice name)
{
    size_t begin = name.size;
    while (begin > 0 && name.data[begin - 1] != '.' && name.data[begin - 1] != '_' &&
           name.data[begin - 1] != '-' &&
           !(begin < name.size && isupper(name.data[begin]) && islower(name.data[begin - 1])))
        begin--;
    for (size_t i = 0; i < sizeof identifiers / sizeof *identifiers; i++)
        if (name.size - begin == strlen(identifiers[i]) &&
            strncasecmp((const char *)name.data + begin, identifiers[i], name.size - begin) == 0)
            return true;
    return false;
}
